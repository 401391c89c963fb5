"""``nodeloom evaluate``, ``export`` and ``nearest``: use a trained model, without training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from nodeloom.cli import completion
from nodeloom.cli.commands import CONTROL_HELP, Overwrite, command
from nodeloom.cli.session import active
from nodeloom.cli.tables import escape, table
from nodeloom.cli.vectors import vectors_of
from nodeloom.errors import ConfigError, describe
from nodeloom.log import logger

if TYPE_CHECKING:
    pass

Model = Annotated[
    str, typer.Argument(help="A model (.safetensors, .pkl of GraphVite), or vectors (word2vec).", show_default=False)
]
TableName = Annotated[
    Literal["auto", "vertex", "context", "joined"],
    typer.Option(
        "--table",
        metavar="auto|vertex|context|joined",
        help="Which vector of a node. joined: vertex and context side by side. auto: vertex; joined for directed graphs "
        "with nodes that no edge leaves, which have no vertex vectors.",
    ),
]
_WORDS = {
    **{f"evaluate.{key}": f"--{key}" for key in ("portions", "times", "C", "seed", "normalization")},
    "evaluate.num_negative": "--num-negative",
    "evaluate.filter_file": "--filter",
    'evaluate.unknown_nodes="skip"': "--skip-unknown",
    "graph.file_name": "--graph",
    **{f"format.{key}": f"--{key}" for key in ("delimiters", "comment", "encoding")},
    "resource.num_thread": "--num-thread",
}
NumThread = Annotated[str, typer.Option(help="Number of threads.", metavar="INT|auto")]


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(app, "evaluate", names=_WORDS, rich_help_panel="Use a model")
    def evaluate(
        model: Annotated[
            str,
            typer.Argument(
                help="A model (.safetensors, .pkl of GraphVite), vectors (word2vec), or a map (.safetensors, .parquet, .csv, .npy).",
                show_default=False,
            ),
        ],
        more: Annotated[
            list[str] | None, typer.Argument(metavar="[FILE]...", help="Further files of --filter.", show_default=False)
        ] = None,
        labels: Annotated[
            str | None, typer.Option(metavar="FILE", help="Label file ('node label' a line): node classification.")
        ] = None,
        links: Annotated[
            str | None,
            typer.Option(metavar="FILE", help="Link file ('head tail 0|1' or 'head tail' a line): link prediction."),
        ] = None,
        triples: Annotated[
            str | None,
            typer.Option(metavar="FILE", help="Triples ('head relation tail' a line): ranks of heads and tails."),
        ] = None,
        filters: Annotated[
            list[str] | None,
            typer.Option(
                "--filter",
                metavar="FILE",
                help="Edges to leave out of --links. Of --triples: files of triples that are true as well; the first are those "
                "trained on.",
                show_default=False,
            ),
        ] = None,
        candidates: Annotated[
            str | None,
            typer.Option(
                metavar="all|observed|INT",
                help="Who may answer --triples: all entities, those that training has in the place, or this many drawn. [default: all]",
                show_default=False,
            ),
        ] = None,
        unseen: Annotated[
            Literal["rank", "drop", "worst"] | None,
            typer.Option(
                metavar="rank|drop|worst",
                help="What to do with --triples that have something that training has not seen. [default: rank]",
                show_default=False,
            ),
        ] = None,
        ranks: Annotated[
            str | None,
            typer.Option(
                metavar="FILE",
                help="Where to write the ranks of --triples: .parquet.",
                autocompletion=completion.output((".parquet",)),
            ),
        ] = None,
        graph: Annotated[
            str | None,
            typer.Option(
                metavar="EDGES",
                help="Edges that are not drawn as negatives: the graph trained on. Of a map: what it shows.",
            ),
        ] = None,
        vectors: Annotated[
            str | None,
            typer.Option(metavar="FILE", help="Vectors, or a model, that a map was made of, if its file has none."),
        ] = None,
        num_negative: Annotated[
            int | None,
            typer.Option(
                metavar="INT",
                help="Pairs that are no edges to draw for each edge of --links with two columns. [default: 1]",
                show_default=False,
            ),
        ] = None,
        portions: Annotated[
            str, typer.Option(metavar="SHARES", help="Shares of the labelled nodes to learn from.")
        ] = "0.1,0.5,0.9",
        times: Annotated[int, typer.Option(metavar="INT", help="Repetitions with another random split.")] = 1,
        normalization: Annotated[bool, typer.Option("--normalization", help="Scale vectors to length 1.")] = False,
        c: Annotated[
            float, typer.Option("--C", metavar="NUMBER", help="Inverse strength of the regularisation.")
        ] = 1.0,
        seed: Annotated[int, typer.Option(metavar="INT", help="Seed of the splits and of the negatives.")] = 0,
        skip_unknown: Annotated[
            bool, typer.Option("--skip-unknown", help="Skip names that the model does not have.")
        ] = False,
        delimiters: Annotated[
            str,
            typer.Option(
                metavar="TEXT", help="Characters between the columns. [default: blank and tab]", show_default=False
            ),
        ] = " \t\r\n",
        comment: Annotated[str, typer.Option(metavar="TEXT", help="Start of comments.")] = "#",
        encoding: Annotated[str, typer.Option(metavar="TEXT", help="Encoding of the files.")] = "utf-8",
        control: Annotated[bool, typer.Option("--control/--no-control", help=CONTROL_HELP)] = True,
        table_name: TableName = "auto",
        num_thread: NumThread = "auto",
    ) -> None:
        """Judge a saved model, without training.

          nodeloom evaluate model.safetensors --labels labels.txt --times 5
          nodeloom evaluate model.safetensors --links test.txt --filter train.txt
          nodeloom evaluate model.safetensors --links test.txt --graph train.txt
          nodeloom evaluate model.safetensors --triples test.tsv --filter train.tsv
          nodeloom evaluate map.safetensors --labels labels.txt
          nodeloom evaluate map.parquet --graph edges.txt

        Random vectors of the same shape are judged beside the model: what they reach is chance. A map is judged by the neighbors that it
        keeps of its vectors or of a graph, beside the same map with its places dealt at random. Triples are ranked exactly among
        all entities, beside what frequencies in training reach.
        """
        from nodeloom.cli.inputs import read_graph_of, read_labels, read_pairs
        from nodeloom.cli.judging import judge_labels, judge_links
        from nodeloom.cli.map_scores import judge_map, open_map
        from nodeloom.cli.pipeline import num_threads
        from nodeloom.cli.triples import files_of, judge_triples
        from nodeloom.config import config_from_dict
        from nodeloom.config.yaml_tree import COMMAND_LINE, scalar
        from nodeloom.io.models import open_model

        session = active()
        files = files_of(filters, more, "--filter")
        if triples is not None:
            others = {"--labels": labels, "--links": links, "--graph": graph, "--vectors": vectors}
            for name, other in others.items():
                if other is not None:
                    raise ConfigError(describe(name, expected="no such option beside --triples", got=other))
            auto = delimiters == " \t\r\n"
            layout = {"comment": comment, "encoding": encoding} | ({} if auto else {"delimiters": delimiters})
            judged = judge_triples(
                model, triples, files, candidates or "all", unseen or "rank", ranks, seed, layout, overwrite=False
            )
            session.result["evaluation"] = [judged]
            return
        for name, other in {"--candidates": candidates, "--unseen": unseen, "--ranks": ranks}.items():
            if other is not None:
                raise ConfigError(f"{name}: expected --triples beside it, got none.")
        if len(files) > 1:
            raise ConfigError(describe("--filter", expected="one file of edges for --links", got=files))
        filter_file = files[0] if files else None
        saved = open_map(model)
        if saved is not None:
            refused = {"--links": links, "--filter": filter_file, "--num-negative": num_negative}
            for option, value in refused.items():
                if value is not None:
                    raise ConfigError(
                        describe(option, expected="no such option for a map", got=value, hint="Leave it out.")
                    )
            for option, given, usual in (
                ("--portions", portions, "0.1,0.5,0.9"),
                ("--times", times, 1),
                ("--C", c, 1.0),
            ):
                if given != usual:
                    logger.warning("%s has no effect: %s is a map.", option, model)
        elif vectors is not None:
            hint = "Only of a map it is asked what it was made of."
            raise ConfigError(describe("--vectors", expected="a map beside it", got=model, hint=hint))
        elif labels is None and links is None:
            raise ConfigError(
                "evaluate: expected --labels, --links or --triples, got none. They say what to judge the model by."
            )
        if saved is None and links is None and (graph is not None or num_negative is not None):
            option = "--graph" if graph is not None else "--num-negative"
            raise ConfigError(f"{option}: expected --links beside it, got none. It says which pairs to draw for it.")
        unknown = "skip" if skip_unknown else "auto"
        tasks: list[dict[str, Any]] = []
        if labels is not None and saved is None:
            tasks.append(
                {
                    "task": "node classification",
                    "file_name": labels,
                    "portions": [part.strip() for part in portions.split(",")],
                    "times": times,
                    "normalization": normalization,
                    "C": c,
                    "seed": seed,
                    "unknown_nodes": unknown,
                }
            )
        if links is not None:
            tasks.append(
                {
                    "task": "link prediction",
                    "file_name": links,
                    "filter_file": filter_file,
                    "seed": seed,
                    "unknown_nodes": unknown,
                    **({} if num_negative is None else {"num_negative": num_negative}),
                }
            )
        config = config_from_dict(
            {
                "graph": {"file_name": graph or model},
                "resource": {"num_thread": scalar(num_thread)},
                "format": {"delimiters": delimiters.replace("\\t", "\t"), "comment": comment, "encoding": encoding},
                "evaluate": tasks,
            },
            COMMAND_LINE,
            {f"evaluate.{i}.{key}": f"--{key}" for i in range(2) for key in ("portions", "times", "C", "seed")}
            | {f"evaluate.{i}.num_negative": "--num-negative" for i in range(2)}
            | {"resource.num_thread": "--num-thread"},
        )
        if saved is not None:
            threads = num_threads(config)
            wanted: dict[str, Any] = {"vectors": vectors, "graph": graph, "labels": labels, "seed": seed}
            session.result["evaluation"] = judge_map(
                saved, session, config, **wanted, control=control, num_thread=threads
            )
            return
        data = open_model(model)
        results = []
        for task in config.evaluate:
            if task.task == "node classification":
                found = read_labels(task, data.names, config.format, session)
                threads, rows = num_threads(config), vectors_of(data, table_name, model)
                results.append(judge_labels(task, rows, found, session, control=control, num_thread=threads))
            else:
                directed = bool(data.graph.get("directed", False))
                trained = None if graph is None else read_graph_of(data.names, config, directed, session)
                pairs = read_pairs(task, data.names, config.format, session, graph=trained, directed=directed)
                results.append(judge_links(task, data.vertex, data.context, pairs, session, control=control))
        session.result["evaluation"] = results

    @command(
        app,
        "export",
        names={"resource.num_thread": "--num-thread", "export.format": "--format"},
        rich_help_panel="Use a model",
    )
    def export(
        model: Model,
        output: Annotated[
            str,
            typer.Option(
                "--output",
                "-o",
                metavar="FILE",
                help="Where to: .txt, .bin (word2vec), .tsv, .npz, .parquet.",
                autocompletion=completion.output(completion.VECTOR_SUFFIXES),
            ),
        ],
        table_name: TableName = "auto",
        format_: Annotated[
            str,
            typer.Option(
                "--format",
                metavar="NAME",
                help="word2vec, word2vec-binary, tsv, csv, npz or parquet.",
                autocompletion=completion.one_of(completion.FORMATS),
            ),
        ] = "auto",
        num_thread: NumThread = "auto",
        overwrite: Overwrite = False,
    ) -> None:
        """Write the vectors of a model, with the names of the nodes, for other programs.

          nodeloom export model.safetensors -o vectors.txt
          nodeloom export model.safetensors -o vectors.npz --table context

        The suffix says the format, unless --format does. Of a knowledge graph the vectors of relations go to a file beside
        those of entities: vectors.relations.txt, vectors.inverse_relations.txt.
        """
        from nodeloom.cli.outputs import check_output
        from nodeloom.cli.pipeline import num_threads
        from nodeloom.config import config_from_dict
        from nodeloom.config.yaml_tree import COMMAND_LINE, scalar
        from nodeloom.io.export import choose_format, export_vectors
        from nodeloom.io.model_file import written_path
        from nodeloom.io.models import open_model

        session = active()
        config = config_from_dict(
            {"graph": {"file_name": model}, "resource": {"num_thread": scalar(num_thread)}},
            COMMAND_LINE,
            {"resource.num_thread": "--num-thread"},
        )
        kind = f"vectors ({choose_format(output, format_)})"
        check_output(output, kind, [str(written_path(model))], overwrite=overwrite)
        data = open_model(model)
        if data.rows.get("entity") == "entity":
            from nodeloom.cli.knowledge import export_tables

            export_tables(data.tensors, data.vocabularies, output, session, format_)
            return
        vectors = vectors_of(data, table_name, model)
        export_vectors(
            output,
            vectors,
            data.names,
            format=format_,  # type: ignore[arg-type]  # checked there
            num_thread=num_threads(config),
        )
        dim = vectors.shape[1]
        session.result.update(written=output, num_nodes=data.num_nodes, dim=dim)
        session.show(f"Wrote {data.num_nodes:,} vectors of {dim} values to {escape(output)}.")

    @command(app, "nearest", rich_help_panel="Use a model")
    def nearest(
        model: Model,
        names: Annotated[list[str], typer.Argument(metavar="NAME", help="Nodes to search from.", show_default=False)],
        k: Annotated[int, typer.Option("-k", "--k", metavar="INT", help="Number of nodes to find.")] = 10,
        metric: Annotated[
            Literal["cosine", "dot", "euclidean"], typer.Option(metavar="cosine|dot|euclidean", help="What near means.")
        ] = "cosine",
        table_name: TableName = "auto",
    ) -> None:
        """Find the nodes whose vectors are nearest to that of a node, or the entities of a knowledge graph.

          nodeloom nearest model.safetensors alice -k 5
          nodeloom nearest model.safetensors alice bob --metric dot --json

        'nodeloom info MODEL' shows what the nodes are called.
        """
        from nodeloom.cli.inputs import find_nodes
        from nodeloom.io.models import open_model
        from nodeloom.tasks import nearest as search

        session = active()
        data = open_model(model)
        kind = "entity" if table_name == "auto" and data.rows.get("entity") == "entity" else "node"
        known = data.vocabularies["entity"] if kind == "entity" else data.names
        vectors = data.tensors["entity"] if kind == "entity" else vectors_of(data, table_name, model)
        ids, scores = search(vectors, find_nodes(known, names), k, metric=metric)
        answers = {}
        for name, near, score in zip(names, ids, scores, strict=True):
            found = list(zip(known.take(near), (float(value) for value in score), strict=True))
            answers[name] = [{"name": other, "score": value} for other, value in found]
            session.answer(table(f"Nearest to {name}", (kind, metric), [(str(other), value) for other, value in found]))
        session.result["nearest"] = answers
