"""Errors of lines: why a line is not an edge, and how to read the file.

Advice is given in this order: comments, delimiters, quotes, columns; to leave weights out comes last. Advice that can be tried on the
first lines is given only where it would cut them into edges.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import is_integer, is_number
from nodeloom.io.layout import SIGNS, Layout
from nodeloom.io.separation import other_delimiter
from nodeloom.io.weights import wrong_weight
from nodeloom.kernels.cpu import tokens as kernels
from nodeloom.words import by_interface, setting

if TYPE_CHECKING:
    from nodeloom.io.edge_format import EdgeFormat


def bad_line(place: str, status: int, line: str, layout: Layout, form: EdgeFormat) -> DataError:
    """Return the error of a line.

    Parameters
    ----------
    place : str
        ``path:line``.
    status : int
        What stopped the reading.
    line : str
        The line.
    layout : Layout
        How it was cut.
    form : EdgeFormat
        What the user says.
    """
    if status in (kernels.BAD_QUOTE, kernels.ESCAPE):
        hint = (
            "Write two quotes for one within quotes, and end a cell where its quotes end. A cell has one line here. "
            + by_interface(
                "Read a table with cells of several lines with pandas.read_csv, and use Graph.from_pandas.",
                "Write a table with cells of several lines as Parquet.",
            )
        )
        return DataError(describe(place, expected="cells in whole quotes", got=line, hint=hint))
    cells = layout.cut(line, form.comment)
    places = layout.places.tolist()
    if status == kernels.BAD_WEIGHT and places[2] < len(cells):
        return _bad_weight(place, cells[places[2]], line, cells, layout, form)
    expected = _expected(layout, form)
    if line != layout.lines[0].text and (form.columns is not None or form.weighted == "auto"):
        expected += " as in the lines before" if not layout.header else ""
    empty = layout.cell and any(i < len(cells) and not cells[i] for i in places)
    if empty and len(cells) >= max(places) + 1:
        hint = "A cell is empty: fill it, or leave the line out."
        named = [cell for cell in cells if cell]
        numbers = [layout.cut(other.text, form.comment)[0] for other in layout.lines[1:]]
        is_header = line == layout.lines[0].text and not cells[0] and len(named) > 1 and not any(map(is_number, named))
        # Names of columns above numbers of rows, as R and pandas write them; a matrix has its names there.
        if is_header and all(map(is_integer, numbers)):
            hint = f"If this line names the columns, say which are head and tail: give {setting('graph.columns', named[:2])}."
    elif status == kernels.TOO_FEW:
        hint = _few(line, cells, layout, form)
    else:
        hint = _many(line, cells, layout, form)
    return DataError(describe(place, expected=expected, got=line.strip(), hint=hint))


def _expected(layout: Layout, form: EdgeFormat) -> str:
    """Say what a line has."""
    if layout.header or form.columns is not None:
        return f"{max(layout.width, max(layout.places.tolist()) + 1)} columns"
    between = layout.cell.replace("\t", " ") or " "
    words = ["head", "tail"]
    if layout.weighted:
        words.append("weight")
    elif form.weighted == "auto" and (layout.width == 0 or len(layout.cut(layout.lines[0].text, form.comment)) != 2):
        words[1] += between.join(["", "[weight]"]) if between == " " else f"[{between}weight]"
    return repr(between.join(words))


def _bad_weight(place: str, token: str, line: str, cells: list[str], layout: Layout, form: EdgeFormat) -> DataError:
    if re.fullmatch(r"[-+]?\d*,\d+", token):
        hint = "Write weights with a point: 0.5."
        return DataError(describe(place, expected="a number as the weight", got=token, hint=hint))
    if not is_number(token):
        hint = _foreign(line, layout, form) or _many(line, cells, layout, form)
        return DataError(describe(place, expected="a number as the weight", got=token, hint=hint))
    weight = float(token)
    with np.errstate(over="ignore", under="ignore"):
        fits = 0 < np.float32(weight) < np.inf
    # It is a number to Python, but not one in plain digits.
    plain = f"expected a weight in decimal digits such as 0.5 or 1e-3, got {token!r}"
    return DataError(f"{place}: {plain if fits else wrong_weight(weight)}")


def _foreign(line: str, layout: Layout, form: EdgeFormat) -> str:
    """Return the first advice to give: another comment prefix, or other delimiters."""
    sign = next((s for s in SIGNS if line.lstrip().startswith(s) and s != form.comment), None)
    if sign is not None and not any(
        other.text.lstrip().startswith(sign) for other in layout.lines if other.text != line
    ):
        return f"If lines that begin with {sign!r} are comments, give {setting('format.comment', sign)}."
    lines = [other.text for other in layout.lines if other.text != line]
    if layout.cell and len(layout.cut(line, form.comment)) > 1:
        return ""  # it cuts the first lines alike
    delimiter = other_delimiter(lines, line, layout.delimiters, form.comment)
    if delimiter:
        return f"If {_named(delimiter)} separates the columns, give {setting('format.delimiters', delimiter)}."
    return ""


def _named(delimiter: str) -> str:
    return {"\t": "a tab", " ": "a blank"}.get(delimiter, repr(delimiter))


def _few(line: str, cells: list[str], layout: Layout, form: EdgeFormat) -> str:
    """Return what to do about a line with too few columns."""
    comment = form.comment
    if comment and comment in line.strip()[1:] and len(layout.cut(line, "")) > len(cells):
        return f"If names begin with {comment!r}, give {setting('format.comment', '')}, or another prefix of comments."
    found = _foreign(line, layout, form)
    if found:
        return found
    if len(cells) == 2 and layout.weighted and form.columns is None and all(cells) and not is_number(cells[1]):
        return f"To read the edges without weights, give {setting('graph.weighted', False)}."
    return ""


def _many(line: str, cells: list[str], layout: Layout, form: EdgeFormat) -> str:
    """Return what to do about a line with too many columns."""
    found = _foreign(line, layout, form)
    if found:
        return found
    blanks = not layout.cell and " " in layout.delimiters
    first = layout.cut(layout.lines[0].text, form.comment)
    alike = sum(len(layout.cut(other.text, form.comment)) == len(cells) for other in layout.lines) * 2 > len(
        layout.lines
    )
    if alike and len(cells) > 2 and form.columns is None:
        if len(cells) == 3:
            third = [layout.cut(other.text, form.comment)[2:3] for other in layout.lines if other.text != line]
            if sum(bool(cell) and is_number(cell[0]) for cell in third) * 2 > len(third) > 0:
                return ""  # lines have weights there, but for this one
            ways = f"{setting('graph.columns', [1, 3])} if the second is no node, or {setting('graph.columns', [1, 2])} for no weights"
        elif is_number(cells[2]):
            ways = f"{setting('graph.columns', [1, 2, 3])} for the third as the weight, or {setting('graph.columns', [1, 2])} for none"
        else:
            return f"Say which columns are head and tail, and give {setting('graph.columns')} their numbers."
        return f"Say which columns are head, tail and weight: give {ways}."
    if blanks and not is_number(cells[-1]):
        return "If names contain blanks, write them in quotes."
    if len(first) == 2 and len(cells) == 3 and is_number(cells[2]) and not layout.header:
        return f"To read the edges without weights, give {setting('graph.weighted', False)}."
    if layout.cell:
        return f"If a name contains {_named(layout.cell)}, write it in quotes."
    return ""
