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
    if status == kernels.BAD_WEIGHT and places[-1] < len(cells):
        return _bad_weight(place, cells[places[-1]], line, cells, layout, form)
    expected = _expected(layout, form)
    if line != layout.lines[0].text and (form.columns is not None or form.weighted == "auto"):
        expected += " as in the lines before" if not layout.header else ""
    empty = layout.cell and any(i < len(cells) and not cells[i] for i in places)
    if empty and len(cells) >= max(places) + 1:
        hint = "A cell is empty: fill it, or leave the line out."
        named = [cell for cell in cells if cell]
        numbers = [layout.cut(other.text, form.comment)[0] for other in layout.lines[1:]]
        is_header = (
            line == layout.lines[0].text
            and not cells[0]
            and len(named) >= layout.num_name
            and not any(map(is_number, named))
        )
        # Names of columns above numbers of rows, as R and pandas write them; a matrix has its names there.
        if is_header and all(map(is_integer, numbers)):
            which = "head and tail" if layout.num_name == 2 else "head, relation and tail"
            hint = f"If this line names the columns, say which are {which}: give {setting('graph.columns', named[: layout.num_name])}."
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
    words = list(form.words)
    first = layout.cut(layout.lines[0].text, form.comment)
    if layout.weighted:
        words.append("weight")
    elif form.weighted == "auto" and (layout.width == 0 or len(first) != layout.num_name):
        words[-1] += between.join(["", "[weight]"]) if between == " " else f"[{between}weight]"
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
    delimiter = other_delimiter(lines, line, layout.delimiters, form.comment, layout.num_name)
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
    num_name = layout.num_name
    if num_name == 3 and len(cells) == 1 and is_integer(cells[0]) and line == layout.lines[0].text:
        return (
            "If it says how many triples follow, take it out. In files of OpenKE the relation comes last: give "
            f"{setting('graph.columns', [1, 3, 2])}."
        )
    if num_name == 3 and len(cells) == 2 and line == layout.lines[0].text:
        return by_interface("A list of edges is read by Graph.from_file.", "")
    if len(cells) == num_name and layout.weighted and form.columns is None and all(cells) and not is_number(cells[-1]):
        return f"To read the {_lines_of(layout)} without weights, give {setting('graph.weighted', False)}."
    return ""


def _lines_of(layout: Layout) -> str:
    return "edges" if layout.num_name == 2 else "triples"


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
    num_name = layout.num_name
    if alike and len(cells) > num_name and form.columns is None:
        return _which_columns(line, cells, layout, form)
    if blanks and not is_number(cells[-1]):
        return "If names contain blanks, write them in quotes."
    if len(first) == num_name and len(cells) == num_name + 1 and is_number(cells[-1]) and not layout.header:
        return f"To read the {_lines_of(layout)} without weights, give {setting('graph.weighted', False)}."
    if layout.cell and layout.quotes:
        return f"If a name contains {_named(layout.cell)}, write it in quotes."
    if layout.cell and '"' in line:
        return f"If cells are in quotes, give {setting('graph.quotes', True)}."
    return ""


def _which_columns(line: str, cells: list[str], layout: Layout, form: EdgeFormat) -> str:
    """Return how to say which columns of a wide table are read."""
    num_name = layout.num_name
    if len(cells) == num_name + 1:
        last = [layout.cut(other.text, form.comment)[num_name:] for other in layout.lines if other.text != line]
        if sum(bool(cell) and is_number(cell[0]) for cell in last) * 2 > len(last) > 0:
            return ""  # lines have weights there, but for this one
    if num_name == 3:
        if len(cells) == 4 and cells[3] == ".":
            return f"If it is N-Triples, give {setting('graph.format', 'n-triples')}."
        return f"Say which columns are head, relation and tail: give {setting('graph.columns', [1, 2, 3])}, or others."
    triples = ""
    if len(cells) == 3:
        ways = f"{setting('graph.columns', [1, 3])} if the second is no node, or {setting('graph.columns', [1, 2])} for no weights"
        if not is_number(cells[2]):
            triples = by_interface(
                " Triples of a knowledge graph are read by KnowledgeGraph.from_file.",
                " Triples are for models of knowledge graphs, such as ComplEx.",
            )
    elif is_number(cells[2]):
        ways = f"{setting('graph.columns', [1, 2, 3])} for the third as the weight, or {setting('graph.columns', [1, 2])} for none"
    else:
        return f"Say which columns are head and tail, and give {setting('graph.columns')} their numbers."
    return f"Say which columns are head, tail and weight: give {ways}.{triples}"
