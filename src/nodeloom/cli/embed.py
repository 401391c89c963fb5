"""``nodeloom embed``: an edge list in, vectors out, no configuration file."""

from __future__ import annotations

import shlex
import sys
from typing import Annotated, Any

import typer

from nodeloom.cli import completion
from nodeloom.cli.commands import Overwrite, command
from nodeloom.cli.options import RESTART, config_of, options_of_config
from nodeloom.cli.session import active
from nodeloom.config.train import TripleTrain, kind_of
from nodeloom.errors import ConfigError, describe

WORDS = {
    "graph.file_name": "EDGES",
    "graph.as_undirected=false": "--directed",
    "graph.as_undirected": "--directed",
    'application="word graph"': "--corpus",
    "save.file_name": "--output",
    'save.checkpoint="none"': "--no-checkpoint",
    "train.resume": "--resume",
    "train.resume=true": "--resume",
    'train.model="propagation"': "--fast",
}
"""What messages call settings that have an option of their own."""

Edges = Annotated[
    list[str],
    typer.Argument(
        metavar="EDGES",
        help="Edge lists: files with a line 'head tail [weight]' for each edge, with models of triples 'head relation tail'; also "
        "compressed, CSV, Parquet or a compiled graph; <dataset.split>; or - for the standard input.",
        show_default=False,
        autocompletion=completion.edges,
    ),
]
Output = Annotated[
    str,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where the result goes. .safetensors (or no suffix) is a model, to be evaluated, searched and trained "
        "further; .txt, .bin (word2vec), .tsv, .npz and .parquet are the vectors alone.",
        autocompletion=completion.output(completion.MODEL_SUFFIXES),
    ),
]

Corpus = Annotated[
    bool,
    typer.Option(
        "--corpus",
        help="The files are text, a sentence a line: their words are the nodes, and two words that are near each other are an edge.",
    ),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on with an interrupted training, from its checkpoint.", rich_help_panel=RESTART),
]
NoCheckpoint = Annotated[
    bool,
    typer.Option(
        "--no-checkpoint", help="Write no checkpoint: a training that is stopped is lost.", rich_help_panel=RESTART
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "embed", options=options_of_config(), names=WORDS, rich_help_panel="Train")
    def embed(
        edges: Edges,
        output: Output,
        options: dict[str, Any],
        directed: Annotated[bool, typer.Option("--directed", help="Follow edges from head to tail only.")] = False,
        corpus: Corpus = False,
        labels: Annotated[
            str | None,
            typer.Option(metavar="FILE", help="Label file: judge the vectors by node classification when done."),
        ] = None,
        portions: Annotated[
            str,
            typer.Option(
                metavar="SHARES",
                help="Shares of the labelled nodes to learn from, for --labels.",
                rich_help_panel="Evaluation",
            ),
        ] = "0.1,0.5",
        hold_out: Annotated[
            float | None,
            typer.Option(metavar="SHARE", help="Hold out this share of the edges and judge by link prediction."),
        ] = None,
        map_file: Annotated[
            str | None,
            typer.Option(
                "--map",
                metavar="FILE",
                help="Draw a map of the vectors, too: .html, .png, ... as 'visualize' does.",
                rich_help_panel="Evaluation",
            ),
        ] = None,
        fast: Annotated[
            bool,
            typer.Option(
                "--fast",
                help="Propagation instead of training: good vectors in seconds. Short for --model propagation.",
            ),
        ] = False,
        overwrite: Overwrite = False,
        resume: Resume = False,
        no_checkpoint: NoCheckpoint = False,
    ) -> None:
        """Embed the nodes of a graph.

          nodeloom embed edges.txt -o model.safetensors
          nodeloom embed edges.csv.gz -o vectors.txt --columns source,target --dim 64
          zcat edges.gz | nodeloom embed - -o model --model node2vec --p 0.25 --q 4
          nodeloom embed edges.txt -o model --labels labels.txt --hold-out 0.01
          nodeloom embed edges.txt -o model.safetensors --fast
          nodeloom embed triples.tsv -o model --model ComplEx --validation valid.tsv
          nodeloom embed text.txt.gz -o words.safetensors --corpus

        The defaults suit most graphs. Every key of a configuration file is an option of the same name; 'nodeloom new
        graph' writes such a file.
        """
        from nodeloom.cli.training import run_model
        from nodeloom.cli.workers import started

        session = active()
        if map_file is not None and kind_of(options.get("model")) is TripleTrain:
            hint = "Draw vectors of entities with 'nodeloom visualize', from a file that 'nodeloom export' wrote."
            raise ConfigError(describe("--map", expected="a model of nodes", got=options["model"], hint=hint))
        if map_file is not None:
            from nodeloom.cli.maps import check_map_output, draw_map

            check_map_output(map_file, 2, [*edges, output, *([labels] if labels else [])], overwrite=overwrite)
        session.resume_hint = resume_command(sys.argv[1:])
        if fast and options.setdefault("model", "propagation").lower() != "propagation":
            raise ConfigError(
                describe("--fast", expected="no other --model beside it", got=options["model"], hint="Leave one out.")
            )
        tasks: list[dict[str, Any]] = []
        if labels is not None:
            shares = [part.strip() for part in portions.split(",")]
            tasks.append({"task": "node classification", "file_name": labels, "portions": shares})
        if hold_out is not None:
            tasks.append({"task": "link prediction", "fraction": hold_out})
        config = config_of(
            options,
            {
                "application": "word graph" if corpus else "graph",
                "graph.file_name": list(edges),
                "graph.as_undirected": not directed,
                "train.resume": resume,
                "save.file_name": output,
                **({"save.checkpoint": "none"} if no_checkpoint else {}),
                "evaluate": tasks,
            },
            {
                "graph.file_name": "EDGES",
                "graph.as_undirected": "--directed",
                "save.file_name": "--output",
                "train.resume": "--resume",
                "evaluate.0.portions": "--portions",
                f"evaluate.{len(tasks) - 1}.fraction": "--hold-out",
            },
        )
        if not started(config, session):
            run_model(config, session, control=True, compare=True, overwrite=overwrite)
        if map_file is not None and not session.silent:
            from nodeloom.cli.outputs import target_of

            draw_map(str(target_of(output)), map_file, labels, session)


def resume_command(arguments: list[str]) -> str:
    """Return the command line that goes on with an interrupted training."""
    return shlex.join(["nodeloom", *(part for part in arguments if part != "--resume"), "--resume"])
