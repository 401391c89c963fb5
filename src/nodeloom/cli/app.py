"""The program and its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from nodeloom import __version__
from nodeloom.cli import embed, files, graphs, model, quickstart, run, triples, visualize
from nodeloom.cli.commands import Json, Quiet, Verbose
from nodeloom.cli.help import HelpGroup
from nodeloom.cli.session import active

app = typer.Typer(
    name="nodeloom",
    add_completion=True,
    cls=HelpGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"nodeloom {__version__}")
        raise typer.Exit


@app.callback()
def program(
    quiet: Quiet = False,
    json: Json = False,
    verbose: Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Embed the nodes of graphs: vectors from edge lists, by random walks and skip-gram.

      nodeloom quickstart                             see all of it in a minute
      nodeloom embed edges.txt -o model.safetensors   do it with your own graph

    'nodeloom COMMAND --help' tells what a command can do.
    """
    active().enter(quiet=quiet, json=json, verbose=verbose)


for part in (quickstart, embed, run, model, triples, visualize, graphs, files):
    part.register(app)
