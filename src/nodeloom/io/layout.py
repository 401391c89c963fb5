"""Layout: how the lines of a text file are cut, which columns are edges, and whether a header stands above; by its first lines.

Each decision is one that the user could have made, and gives way to what the user says. What is doubtful is told in one line.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import DELIMITERS, MISSING, cut, is_integer, is_number, usual_width
from nodeloom.io.header import header_of
from nodeloom.io.separation import find_delimiters
from nodeloom.io.triple_doubts import tell_of_triples
from nodeloom.kernels.reference.tokens import cell_delimiter
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.io.edge_format import EdgeFormat

SAMPLE = 200
"""Lines that are looked at."""

_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_LONGEST = 1 << 16  # bytes of a line that are looked at
_ENOUGH = 1 << 20  # bytes of a file in which there are lines
_EARLIEST = 100_000_000  # seconds since 1970: weights are hardly all above

# Comment signs in files of other programs.
SIGNS = ("%", "//", "--", ";", "!", "#")


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is neither blank nor a comment, and its number from 1."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Layout:
    """How a file is cut.

    Attributes
    ----------
    delimiters : str
        Between columns.
    places : int64 [C or C + 1]
        Which columns are the C names (heads and tails; heads, relations and tails) and weights, from 0.
    width : int
        How many columns every line has; 0 if any may follow these.
    header : bytes
        The line that names the columns; empty for none.
    lines : tuple of Line
        The first lines.
    num_name : int
        C.
    quotes : bool
        Whether a cell may stand in quotes.
    """

    delimiters: str
    places: npt.NDArray[np.int64]
    width: int
    header: bytes
    lines: tuple[Line, ...]
    num_name: int = 2
    quotes: bool = True

    @property
    def cell(self) -> str:
        """The delimiter of which each ends a cell, or ""."""
        return cell_delimiter(self.delimiters)

    def cut(self, line: str, comment: str) -> list[str]:
        """Return the cells of a line."""
        most = max(self.width, int(self.places.max()) + 1)
        return cut(line, self.delimiters, comment, most, quotes=self.quotes)

    @property
    def weighted(self) -> bool:
        """Whether a column holds weights."""
        return len(self.places) > self.num_name


def first_lines(block: bytes, comment: str, first: int = 1) -> tuple[list[Line], int]:
    """Return the first lines of a block that are neither blank nor comments, and how many comments stand before and between.

    Parameters
    ----------
    block : bytes
        UTF-8.
    comment : str
        The prefix.
    first : int
        The number of its first line.
    """
    prefix = comment.encode()
    found: list[Line] = []
    num_comment = 0
    for number, match in enumerate(_LINE.finditer(block), first):
        raw = match[0].removeprefix(codecs.BOM_UTF8).strip(b" \t\r\n")
        if not raw:
            continue
        if prefix and raw.startswith(prefix):
            num_comment += 1
            continue
        # Blanks at the begin may delimit an empty cell.
        text = match[0].removeprefix(codecs.BOM_UTF8).rstrip(b"\r\n")[:_LONGEST].decode("utf-8", "replace")
        found.append(Line(number, text))
        if len(found) == SAMPLE:
            break
    return found, num_comment


def lay_out(lines: Sequence[Line], form: EdgeFormat, where: str, num_comment: int = 0) -> Layout:
    """Return the layout of a file of edges.

    Parameters
    ----------
    lines : sequence of Line
        Its first lines, at least one.
    form : EdgeFormat
        What the user says.
    where : str
        The name of the file, for messages.
    num_comment : int
        Comments between these lines.

    Raises
    ------
    DataError
        Lines begin like comments of another prefix, it is not clear how to cut the lines or which columns are edges, or
        columns that were asked for are not there.
    """
    check_comments(lines, form.comment, where, num_comment, form.what)
    positions = _positions(form.columns)
    named = form.columns is not None and positions is None
    delimiters = form.delimiters
    if set(delimiters) == set(DELIMITERS):
        wanted = [str(column) for column in form.columns or ()] if named else []
        delimiters = find_delimiters([line.text for line in lines], form.comment, where, lines[0].number, wanted,
                                     all_columns=form.columns is None and form.weighted is not False,
                                     num_name=form.num_name)  # fmt: skip
    quotes = form.quoted(delimiters)
    rows = [cut(line.text, delimiters, form.comment, quotes=quotes) for line in lines]
    kept = [i for i, row in enumerate(rows) if any(row)]
    if not kept:  # only delimiters, or a quote without an end
        return Layout(delimiters, np.arange(form.num_name), 0, b"", tuple(lines), form.num_name, quotes)
    lines, rows = [lines[i] for i in kept], [rows[i] for i in kept]
    cells = bool(cell_delimiter(delimiters))
    first = rows[0]
    place = f"{where}:{lines[0].number}"
    if named:
        chosen = form.choose(first, place)
        header, width = lines[0].text, len(first) if cells else 0
    else:
        found = header_of(rows, positions, form.num_name)
        header = lines[0].text if found == "certain" else ""
        if header:
            chosen = _of_header(first, positions, form, place)
            width = len(first)
            if not cells and len(rows) > 1 and usual_width(rows[1:]) != width:
                hint = f"Put {form.comment!r} before it." if form.comment else "Take it out."
                expected = f"a header of {usual_width(rows[1:])} columns, as the lines below have"
                raise DataError(describe(place, expected=expected, got=lines[0].text.strip(), hint=hint))
        else:
            chosen, width = _of_first_row(rows, positions, form, place, cells)
            if found:
                names = [first[i] for i in chosen[: form.num_name]]
                numbers = all(name.isdecimal() and name != "0" for name in names)
                logger.warning(
                    "%s: %r is taken as %s, but may be a header. If so, %s.", place, lines[0].text.strip(), form.what,
                    "take the line out" if numbers else f"give {setting('graph.columns', names)}",
                )  # fmt: skip
            if len(chosen) > form.num_name and form.weighted == "auto" and positions is None:
                _tell_of_weights(rows, place, form.num_name)
    _tell_of_names(lines, rows, chosen[: form.num_name], form, where, cells=cells)
    if form.num_name == 3:
        tell_of_triples(rows, chosen, place, quotes=quotes)
    places = np.array(chosen, np.int64)
    return Layout(delimiters, places, width, header.encode().strip(b" \t"), tuple(lines), form.num_name, quotes)


def _tell_of_names(
    lines: Sequence[Line], rows: list[list[str]], chosen: list[int], form: EdgeFormat, where: str, *, cells: bool
) -> None:
    """Say so where a name may stand for none, or hold a comment; once each."""
    comment = form.comment
    names = [(line.number, row[i]) for line, row in zip(lines, rows, strict=True) for i in chosen if i < len(row)]
    if not all(
        is_number(name) for _, name in names if name.lower() not in MISSING
    ):  # the reader refuses it among integers
        found = next(((number, name) for number, name in names if name.lower() in MISSING), None)
        if found is not None:
            kind = "a node" if form.num_name == 2 else "an entity or relation"
            logger.warning(
                "%s:%d: %s is called %r. If that stands for none, leave the line out.", where, found[0], kind, found[1]
            )
    if cells and comment:
        found = next(((number, name) for number, name in names if f" {comment} " in name), None)
        if found is not None:
            logger.warning("%s:%d: %r is taken as a name, with what may be a comment in it.", where, *found)


def _tell_of_weights(rows: list[list[str]], place: str, num_name: int) -> None:
    """Say that the column behind the names is read as weights, where its integers look like times, or like nodes of an adjacency list."""
    edges = [row for row in rows if len(row) == num_name + 1]
    values = [row[-1] for row in edges]
    if not all(map(is_integer, values)):
        return
    if min(map(int, values), default=0) >= _EARLIEST:
        what, way_out = "times", setting("graph.weighted", False)
    elif (
        num_name == 2
        and len(edges) > 2
        and all(is_integer(name) for row in edges for name in row[:2])
        and len(set(values)) >= len({row[1] for row in edges})
    ):
        # Numbers of nodes differ as much as the tails do; weights that count something repeat.
        what, way_out = "nodes", setting("graph.format", "adjlist")
    else:
        return
    column = "third" if num_name == 2 else "fourth"
    logger.warning("%s: the %s column is read as weights. If it holds %s, give %s.", place, column, what, way_out)


def _positions(columns: Sequence[str | int] | None) -> list[int] | None:
    """Return positions from 0 where all columns are given as numbers from 1."""
    if columns is None or not all(str(c).isascii() and str(c).isdecimal() and int(c) > 0 for c in columns):
        return None
    return [int(column) - 1 for column in columns]


def _of_header(first: list[str], positions: list[int] | None, form: EdgeFormat, place: str) -> list[int]:
    """Return the columns of a file whose first line is a header for certain, and say so."""
    chosen = form.choose(first, place)
    names = [first[i].strip() for i in chosen]
    rest = f", weights from {names[-1]!r}" if len(chosen) > form.num_name else ""
    others = [name for i, name in enumerate(first) if i not in chosen and name]
    if others:
        rest += f"; not read: {', '.join(map(repr, others[:5]))}{', ...' if len(others) > 5 else ''}"
    if form.num_name == 3:
        rest = f", relations from {names[1]!r}{rest}"
    logger.warning(
        "%s: taken as a header. Heads are from %r, tails from %r%s.", place, names[0], names[form.num_name - 1], rest
    )
    return chosen


def _reached(positions: list[int], width: int, form: EdgeFormat, place: str) -> list[int]:
    """Return the positions that are read; refuse those that a line does not have."""
    if max(positions) >= width:
        raise DataError(describe(place, expected=f"{max(positions) + 1} columns at least", got=f"{width}"))
    if form.weighted is True and len(positions) == form.num_name:
        numbers = ("three", "third", "two") if form.num_name == 2 else ("four", "fourth", "three")
        raise DataError("{}: expected {} columns, with that of the weights as the {}, got {}.".format(place, *numbers))
    return positions[: form.num_name] if form.weighted is False else positions


def _of_first_row(
    rows: list[list[str]], positions: list[int] | None, form: EdgeFormat, place: str, cells: bool
) -> tuple[list[int], int]:
    """Return the columns of a file without a header, and how many columns every line has (0: any number)."""
    first = rows[0]
    count = len(first)
    while count and not first[count - 1]:
        count -= 1
    if positions is not None:
        return _reached(positions, len(first), form, place), usual_width(rows) if cells else 0
    num_name = form.num_name
    names = list(range(num_name))
    if form.weighted is False or count < num_name:
        return names, 0
    if form.weighted is True:
        return [*names, num_name], num_name + 1 if count == num_name + 1 else 0
    if count > num_name + 1:
        return names, num_name  # refused with the line
    if num_name == 3 and count == 4 and not is_number(first[3]):
        return names, num_name  # nor is what is no number a weight
    return list(range(count)), count


def check_comments(
    lines: Sequence[Line], comment: str, where: str, num_comment: int = 0, what: str = "an edge"
) -> None:
    """Refuse a file of which some lines begin like comments, but with another prefix.

    Parameters
    ----------
    lines, where, num_comment
        As in :func:`lay_out`.
    comment : str
        The prefix that the user says.
    what : str
        What a line is, for messages.

    Raises
    ------
    DataError
        With the prefix to set.
    """
    for sign in SIGNS:
        if comment and (sign.startswith(comment) or comment.startswith(sign)):
            continue
        hits = [line.text.lstrip().startswith(sign) for line in lines]
        if not any(hits) or all(hits):
            continue
        # A block at the top, or lines in which a blank comes after the sign: names may begin with it, too.
        top = hits.index(False)
        apart = [hit and bool(re.match(re.escape(sign) + rf"(?:{re.escape(sign[0])}|\s|$)", line.text.lstrip()))
                 for hit, line in zip(hits, lines, strict=True)]  # fmt: skip
        if not (any(apart) or (top and not any(hits[top:]))):
            continue
        line = lines[(apart if any(apart) else hits).index(True)]
        message = describe(f"{where}:{line.number}", expected=what, got=line.text.strip())
        if num_comment and comment:
            raise DataError(f"{message}. Lines begin with {comment!r} and with {sign!r}: take those of one kind out.")
        raise DataError(
            f"{message}. If lines that begin with {sign!r} are comments, give {setting('format.comment', sign)}."
        )


def tell_of_sizes(layout: Layout, comment: str, num_edge: int, where: str) -> None:
    """Say that a first line which was read as an edge may be the sizes of the graph: its last number is that of the edges below.

    Parameters
    ----------
    layout, comment
        How the file was cut.
    num_edge : int
        Edges that were read from it, the first line among them.
    where : str
        Its name, for messages.
    """
    line = layout.lines[0]
    cells = layout.cut(line.text, comment)
    if layout.header or num_edge < 3 or len(cells) < 2 or not all(map(is_integer, cells)):
        return
    if len(cells) > 2 and cells[0] != cells[1]:  # rows and columns of a matrix, else a weight
        return
    if int(cells[-1]) == num_edge - 1 and int(cells[0]) <= 2 * num_edge:
        logger.warning(
            "%s:%d: %r is read as %s, but %s lines follow: if it says how large the graph is, take it out.",
            where, line.number, line.text.strip(), "an edge" if layout.num_name == 2 else "a triple", f"{num_edge - 1:,}",
        )  # fmt: skip


def sample_of(blocks: Iterator[bytes], comment: str) -> tuple[list[bytes], list[Line], int]:
    """Return the blocks that were read to find the first lines, these, and how many comments are among them."""
    read: list[bytes] = []
    lines: list[Line] = []
    number, num_comment = 1, 0
    for block in blocks:
        read.append(block)
        found, comments = first_lines(block, comment, number)
        num_comment += comments
        lines += found[: SAMPLE - len(lines)]
        if len(lines) == SAMPLE or (lines and sum(map(len, read)) >= _ENOUGH):
            break
        number += len(re.findall(b"\r\n|\r|\n", block))
    return read, lines, num_comment
