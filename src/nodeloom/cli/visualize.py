"""``nodeloom visualize``: vectors, a model or a graph in, a map out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from nodeloom.cli import completion
from nodeloom.cli.commands import Overwrite, command
from nodeloom.cli.session import active

_SUFFIXES = (
    ".safetensors",
    ".html",
    ".png",
    ".pdf",
    ".svg",
    ".gif",
    ".mp4",
    ".parquet",
    ".csv",
    ".tsv",
    ".gexf",
    ".graphml",
)
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
            str | None,
            typer.Option(
                "--output",
                "-o",
                "--save",
                metavar="FILE",
                help="The map: .html (a page that opens offline), .png, .pdf, .svg, .gif or .mp4 (turns, with --3d), .parquet, "
                ".csv, .tsv (TensorBoard projector), .gexf, .graphml (Gephi), .safetensors (the map itself). By default "
                "INPUT's name with .html, or .png with --3d.",
                show_default=False,
                autocompletion=completion.output(_SUFFIXES),
            ),
        ] = None,
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
        from nodeloom.cli.maps import check_map_output, draw_map
        from nodeloom.config.yaml_tree import scalar
        from nodeloom.datasets import is_reference

        session = active()
        if output is None:
            name = source.strip("<>").replace(".", "_") if is_reference(source) else Path(source).stem
            output = name + (".png" if three else ".html")
        check_map_output(output, 3 if three else 2, [source, *([labels] if labels else [])], overwrite=overwrite)
        draw_map(
            source,
            output,
            labels,
            session,
            directed=directed,
            color=color,
            title=title,
            dark=dark,
            dim=3 if three else 2,
            perplexity="auto" if perplexity is None else perplexity,
            exaggeration=exaggeration,
            num_thread=scalar(num_thread),
            seed=seed,
            device=device,
        )
