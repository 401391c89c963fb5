"""Tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.cli.streams import printable

if TYPE_CHECKING:  # rich takes as long to import as all other help: it comes with the first table
    from collections.abc import Iterable, Iterator, Sequence

    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment
    from rich.table import Table
    from rich.text import Text


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Fitting:
    """Return a table with numbers set right and text set left."""
    return Fitting(title, columns, [tuple(row) for row in rows])


class Fitting:
    """A table; where it is wider than the terminal even with heads broken between words, its rows as names and values.

    Parameters
    ----------
    title : str
        What stands above it.
    columns : sequence of str
        Heads.
    rows : list of tuple
        Values.
    """

    def __init__(self, title: str, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
        self.title, self.columns, self.rows = title, columns, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Yield what fits."""
        from rich import box
        from rich.console import Group
        from rich.table import Table

        cells = [[text_of(row[index]) for row in self.rows] for index in range(len(self.columns))]
        least = [
            max([len(word) for word in column.split()] + [len(cell) for cell in texts if len(cell) <= _UNBROKEN])
            for column, texts in zip(self.columns, cells, strict=True)
        ]
        if sum(least) + 2 * (len(least) - 1) > options.max_width:
            blocks = [facts("", zip(self.columns, row, strict=True)) for row in self.rows]
            yield Trimmed(Group(_head(self.title), *blocks))
            return
        whole = [max(len(text) for text in [column, *texts]) for column, texts in zip(self.columns, cells, strict=True)]
        tight = sum(whole) + 2 * (len(whole) - 1) > options.max_width
        result = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
        for index, (column, width) in enumerate(zip(self.columns, least, strict=True)):
            numeric = bool(self.rows) and all(isinstance(row[index], (int, float)) for row in self.rows)
            breaks = any(len(text) > _UNBROKEN for text in cells[index])
            result.add_column(
                column,
                justify="right" if numeric else "left",
                overflow="fold",
                min_width=width,
                max_width=width if tight and not breaks else None,
            )
        for row in self.rows:
            result.add_row(*(text_of(value) for value in row))
        yield _titled(self.title, result)


_UNBROKEN = 16  # characters of a cell that stay in one line


def facts(title: str, rows: Iterable[Sequence[Any]]) -> Trimmed:
    """Return a table of names and values without a head."""
    from rich.table import Table

    result = Table(box=None, show_header=False, pad_edge=False)
    result.add_column(style="dim", no_wrap=True)
    result.add_column(overflow="fold")
    for row in rows:
        result.add_row(f"  {row[0]}", "  ".join(text_of(value) for value in row[1:]))
    return _titled(title, result)


def _titled(title: str, content: Table) -> Trimmed:
    """Put a title above a table; its own would be wrapped at the width of the table."""
    from rich.console import Group

    return Trimmed(Group(_head(title), content) if title else content)


def _head(title: str) -> Text:
    from rich.text import Text

    return Text(one_line(title), style="bold", no_wrap=True, overflow="ignore")


class Trimmed:
    """What is inside, without blanks at the ends of lines and without blank lines, but for one at the end."""

    def __init__(self, content: RenderableType) -> None:
        self.content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Yield the pieces to print."""
        from rich.segment import Segment

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
