"""Tables for people."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text


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
    return Trimmed(Group(Text(title, style="bold", no_wrap=True, overflow="ignore"), content))


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
    """Keep square brackets in names from being taken for markup."""
    from rich.markup import escape as escape_markup

    return escape_markup(text)


def size(num_bytes: float) -> str:
    """Write a number of bytes: ``1.5 GB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if abs(num_bytes) < 999.5:
            return f"{num_bytes:.3g} {unit}"
        num_bytes /= 1000
    return f"{num_bytes:.3g} TB"


def rate(per_second: float) -> str:
    """Write pairs per second: ``12.3 M pairs/s``."""
    for unit in ("", "k ", "M "):
        if per_second < 999.5:
            return f"{per_second:.3g} {unit}pairs/s"
        per_second /= 1000
    return f"{per_second:.3g} G pairs/s"


def duration(seconds: float) -> str:
    """Write a time: ``4.2 s``, ``3:07``, ``2:03:20``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02}"
    return f"{whole // 3600}:{whole // 60 % 60:02}:{whole % 60:02}"
