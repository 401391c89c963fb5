"""``nodeloom visualize``: vectors, a model or a graph in, a map out."""

from __future__ import annotations

from typing import Annotated

import typer

from nodeloom.cli import completion
from nodeloom.cli.commands import Overwrite, command
from nodeloom.cli.session import active
from nodeloom.cli.tables import escape
from nodeloom.errors import ConfigError

_SUFFIXES = (".html", ".png", ".pdf", ".svg", ".gif", ".mp4", ".parquet", ".csv", ".tsv", ".gexf", ".graphml")
_WORDS = {
    **{f"layout.{key}": f"--{key}" for key in ("perplexity", "exaggeration", "metric")},
    **{key: f"--{key}" for key in ("perplexity", "exaggeration", "metric", "seed", "device")},
    "graph.file_name": "INPUT",
    "train.seed": "--seed",
    "resource.device": "--device",
    "resource.num_thread": "--num-thread",
    "graph.as_undirected=false": "--directed",
}


def register(app: typer.Typer) -> None:
    """Add the command."""

    @command(app, "visualize", names=_WORDS, rich_help_panel="Use a model")
    def visualize(
        source: Annotated[
            str,
            typer.Argument(
                metavar="INPUT",
                help="Vectors (.npy, .npz, .parquet, word2vec, or text with numbers alone), a model, or a graph.",
                show_default=False,
            ),
        ],
        output: Annotated[
            str,
            typer.Option(
                "--output",
                "-o",
                "--save",
                metavar="FILE",
                help="The map: .html (a page that opens offline), .png, .pdf, .svg, .gif or .mp4 (turns, with --3d), .parquet, "
                ".csv, .tsv (TensorBoard projector), .gexf, .graphml (Gephi).",
                autocompletion=completion.output(_SUFFIXES),
            ),
        ],
        labels: Annotated[
            str | None,
            typer.Option(
                "--labels",
                "--label",
                metavar="FILE",
                help="Classes to colour points by: 'node label' a line; a label a line, or .npy, for vectors without names.",
            ),
        ] = None,
        three: Annotated[bool, typer.Option("--3d", help="Three dimensions.")] = False,
        perplexity: Annotated[
            float | None,
            typer.Option(metavar="NUMBER", help="Effective number of neighbors. [default: 10]", show_default=False),
        ] = None,
        exaggeration: Annotated[
            float, typer.Option(metavar="NUMBER", help="1 keeps most neighbors, 2 shows gaps, 4 looks like UMAP.")
        ] = 1.0,
        color: Annotated[
            str,
            typer.Option(metavar="auto|class|degree", help="What points are coloured by. auto: class, else degree."),
        ] = "auto",
        title: Annotated[str, typer.Option(metavar="TEXT", help="Title of the map.")] = "",
        dark: Annotated[bool, typer.Option("--dark", help="Light on dark.")] = False,
        directed: Annotated[
            bool, typer.Option("--directed", help="Follow edges of a graph from head to tail only.")
        ] = False,
        seed: Annotated[int, typer.Option(metavar="INT", help="Seed.")] = 0,
        num_thread: Annotated[str, typer.Option(metavar="INT|auto", help="Number of threads.")] = "auto",
        device: Annotated[str, typer.Option(metavar="auto|cpu|cuda", help="Where to compute.")] = "auto",
        overwrite: Overwrite = False,
    ) -> None:
        """Draw a map of vectors, of a model or of a graph: near in the map is near in the data.

          nodeloom visualize model.safetensors -o map.html --labels labels.txt
          nodeloom visualize vectors.npy -o map.png --labels labels.npy --dark
          nodeloom visualize edges.txt -o map.gif --3d

        The edges of a graph and its vectors by propagation make its map. The map is that of nodeloom.TSNE.
        """
        from nodeloom import TSNE
        from nodeloom.cli.maps import check_map_output, read_classes, read_input
        from nodeloom.config.yaml_tree import scalar
        from nodeloom.figures import save_map
        from nodeloom.figures.pictures import chosen_color

        session = active()
        dim = 3 if three else 2
        check_map_output(output, dim, [source, *([labels] if labels else [])], overwrite=overwrite)
        estimator = TSNE(
            dim,
            perplexity="auto" if perplexity is None else perplexity,
            exaggeration=exaggeration,
            num_thread=scalar(num_thread),
            seed=seed,
            device=device,
            verbose=False if session.quiet or session.json else "auto",
        )
        try:
            estimator._settings()  # a mistake is told before files are read
        except ConfigError as error:
            raise ConfigError(str(error).replace("TSNE.num_thread", "--num-thread").replace("TSNE.", "--")) from None
        given = read_input(source, session, directed=directed)
        classes = None if labels is None else read_classes(labels, given, session)
        chosen_color(given.points(None, classes, title, dim), color)
        if given.graph is not None:
            session.show("A map of a graph: its edges, and neighbors by vectors of propagation, attract each other.")
        if given.metric is not None:
            estimator.set_params(metric=given.metric)
        estimator.fit(given.graph if given.graph is not None else given.vectors)
        points = given.points(estimator.coordinates_, classes, title, dim)
        save_map(output, points, color=color, dark=dark)
        session.result.update(written=output, num_points=len(points), dim=dim, map=estimator.report_)
        session.show(f"Wrote a map of {len(points):,} points to {escape(output)}.")
