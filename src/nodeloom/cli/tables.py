"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

from nodeloom.cli.streams import printable


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Trimmed:
    """Return a table with numbers set right and text set left."""
    rows = [tuple(row) for row in rows]
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], (int, float)) for row in rows)
        result.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=numeric)
    for row in rows:
        result.add_row(*(text_of(value) for value in row))
    return _titled(title, result)


def facts(title: str, rows: Iterable[Sequence[Any]]) -> Trimmed:
    """Return a table of names and values without a head."""
    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(style="dim", no_wrap=True)
    result.add_column(overflow="fold")
    for row in rows:
        result.add_row(f"  {row[0]}", "  ".join(text_of(value) for value in row[1:]))
    return _titled(title, result)


def _titled(title: str, content: Table) -> Trimmed:
    """Put a title above a table; its own would be wrapped at the width of the table."""
    return Trimmed(Group(Text(one_line(title), style="bold", no_wrap=True, overflow="ignore"), content))


class Trimmed:
    """What is inside, without blanks at the ends of lines and without blank lines, but for one at the end."""

    def __init__(self, content: RenderableType) -> None:
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the pieces to print."""
        for line in console.render_lines(self.content, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            if line:
                yield from line[:-1]
                yield line[-1]._replace(text=line[-1].text.rstrip())
                yield Segment.line()
        yield Segment.line()


def text_of(value: Any) -> str:
    """Write a value for people: thousands apart, fractions with four digits, sizes left to the caller."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 1000 else f"{value:,.0f}"
    return escape(str(value))


def escape(text: str) -> str:
    """Write a name in one line, and keep its square brackets from being taken for markup."""
    from rich.markup import escape as escape_markup

    return escape_markup(one_line(text))


def one_line(text: str) -> str:
    """Write out what a terminal would obey, line ends and tabs too."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")
