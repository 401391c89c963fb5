"""The text of ``--help``: plain, in groups, with examples that can be copied as they stand.

Paragraphs of a docstring are filled to the width of the terminal, but for indented ones: these are examples.
"""

from __future__ import annotations

import inspect
import os
import re
import textwrap
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Iterator

GENERAL = "General"
"""The group of the options that all commands have; it comes last."""

_ORDER = (
    "Arguments",
    "Options",
    "Graph",
    "Training",
    "Evaluation",
    "Negatives",
    "Optimizer",
    "Checkpoints and warm start",
    "Machine",
)
_COLUMN = 26  # of the names; the texts stand to the right of it


class HelpCommand(TyperCommand):
    """A command whose help is written by :func:`lines_of`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write("\n".join(lines_of(self, ctx, formatter.width)))


class HelpGroup(TyperGroup):
    """A program whose help is written by :func:`lines_of`."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write("\n".join(lines_of(self, ctx, formatter.width)))


def lines_of(command: Any, ctx: Any, width: int) -> Iterator[str]:
    """Yield the lines of the help of a command.

    Parameters
    ----------
    command : click command
        The command, or the program with its commands.
    ctx : click context
        The context of the call.
    width : int
        Columns to fill; examples may be wider.
    """
    params = command.get_params(ctx)
    arguments = [_name_of(param) for param in params if param.param_type_name == "argument"]
    words = arguments or (["COMMAND"] if isinstance(command, HelpGroup) else [])
    yield " ".join([_bold("Usage:"), ctx.command_path, *words, "[OPTIONS]"])
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield ""
        if paragraph.startswith(" "):
            yield from textwrap.indent(textwrap.dedent(paragraph), "  ").splitlines()
        else:
            yield from _wrap(paragraph, width)
    groups: dict[str, list[tuple[str, str]]] = {}
    if isinstance(command, HelpGroup):
        for name in command.list_commands(ctx):
            part: Any = command.get_command(ctx, name)
            summary = inspect.cleandoc(part.help or "").split("\n\n")[0]
            groups.setdefault(part.rich_help_panel or "Commands", []).append((name, summary))
    general = []
    for param in params:
        record = param.get_help_record(ctx)
        if record is None:
            continue
        if param.param_type_name == "argument":
            record = (_name_of(param), record[1])
        if param.name == "help" or isinstance(command, HelpGroup) or param.rich_help_panel == GENERAL:
            general.append(record)
        else:
            kind = "Arguments" if param.param_type_name == "argument" else "Options"
            groups.setdefault(param.rich_help_panel or kind, []).append(record)
    ordered = sorted(groups, key=lambda title: _ORDER.index(title) if title in _ORDER else len(_ORDER))
    for title, rows in [*((title, groups[title]) for title in ordered), (GENERAL, general)]:
        yield from ("", _bold(f"{title}:"))
        for name, text in rows:
            yield from _entry(name, text, width)


def _name_of(argument: Any) -> str:
    """Write an argument: ``EDGES...``, ``[FILE]``."""
    name = argument.metavar or argument.name.upper()
    name += "..." if argument.nargs != 1 else ""
    return name if argument.required else f"[{name}]"


def _entry(name: str, text: str, width: int) -> Iterator[str]:
    lines = _wrap(text, width - _COLUMN - 4)
    if len(name) <= _COLUMN:
        yield f"  {name:{_COLUMN}}  {lines.pop(0)}"
    else:
        yield f"  {name}"
    for line in lines:
        yield f"{'':{_COLUMN + 4}}{line}"


def _wrap(text: str, width: int) -> list[str]:
    """Fill lines. What stands in brackets at the end, the default, is kept together."""
    text = re.sub(r" +\[[^]]*\]$", lambda end: " " + end[0].strip().replace(" ", "\xa0"), " ".join(text.split()))
    lines = textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)
    return [line.replace("\xa0", " ") for line in lines] or [""]


def _bold(text: str) -> str:
    """Set a heading off; the sign is taken out again where the help goes to no terminal."""
    return text if os.environ.get("NO_COLOR") else typer.style(text, bold=True)
