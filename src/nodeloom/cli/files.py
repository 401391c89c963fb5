"""``nodeloom new`` and ``nodeloom list``: configurations to start from."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import typer

from nodeloom.cli import completion
from nodeloom.cli.baselines import baselines
from nodeloom.cli.commands import command
from nodeloom.cli.session import active
from nodeloom.cli.tables import escape, table
from nodeloom.errors import OutputError


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @command(app, "new", rich_help_panel="Files")
    def new(
        application: Annotated[
            list[str],
            typer.Argument(
                help="What to configure: graph, word graph or visualization.",
                show_default=False,
                autocompletion=completion.one_of(["graph", "word graph", "visualization"]),
            ),
        ],
        file: Annotated[
            str | None, typer.Option("--file", metavar="FILE", help="Where to write it. [default: graph.yaml]")
        ] = None,
        overwrite: Annotated[bool, typer.Option("--overwrite", "--force", help="Overwrite without asking.")] = False,
    ) -> None:
        """Write a commented configuration file with every key and its default.

          nodeloom new graph --file my.yaml

        That of a graph runs as it is, on the graph that comes with the package.
        """
        from nodeloom.config.template import template
        from nodeloom.io.atomic import atomic_path

        session = active()
        name = " ".join(application)
        text = template(name)
        path = Path(file or f"{name.replace(' ', '_')}.yaml")
        if path.exists() and not overwrite and not _confirmed(path):
            raise OutputError(f"{path}: the file exists and was not overwritten. Use --overwrite or --file.")
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
        session.result["written"] = str(path)
        key = "vector_file" if name == "visualization" else "file_name"
        session.show(
            f"Wrote {escape(str(path))}. Next: set graph.{key} in it, then 'nodeloom run {escape(shlex.quote(str(path)))}'."
        )

    @command(app, "list", rich_help_panel="Files")
    def list_() -> None:
        """List the baselines (for 'nodeloom baseline') and the data sets (for <dataset.split>)."""
        from nodeloom.config import load_config
        from nodeloom.datasets import list_datasets

        session = active()
        configs: list[tuple[str, Any]] = [(path.stem, load_config(path)) for path in baselines()]
        session.answer(
            table(
                "Baselines",
                ("name", "model", "data", "epochs", "step"),
                [
                    (
                        name,
                        c.train.model,
                        " ".join(c.graph.file_name) or c.graph.vectors or c.graph.vector_file,
                        *(getattr(c.train, key, "") for key in ("num_epoch", "augmentation_step")),
                    )
                    for name, c in configs
                ],
            ),
            baselines=[{"name": name, "config": config.model_dump(mode="json")} for name, config in configs],
        )
        found = list_datasets()
        session.answer(
            table(
                "Data sets",
                ("name", "nodes", "relations", "edges", "splits", "on this machine"),
                [
                    (
                        d.name,
                        d.num_nodes,
                        d.num_relations or "-",
                        d.num_edges,
                        " ".join(d.splits),
                        " ".join(d.available) or "-",
                    )
                    for d in found
                ],
            ),
            datasets=[d.__dict__ for d in found],
        )


def _confirmed(path: Path) -> bool:
    """Ask whether to overwrite; without a terminal the answer is no."""
    try:
        return typer.confirm(f"{path} exists. Overwrite it?", err=True)
    except typer.Abort:
        return False
