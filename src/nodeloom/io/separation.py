"""Separation: what stands between the columns of a text file, told by its first lines where the user does not say."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import DELIMITERS, SEPARATORS, cut, is_integer, is_number, share_alike
from nodeloom.io.header import header_of
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

_WITH_COMMA = re.compile(r"[-+]?\d+,\d+")
_MOST = 0.6  # of the lines that must have as many columns as the first, for a delimiter to be taken


def _are_edges(rows: Sequence[Sequence[str]], above: int, num_name: int) -> bool:
    """Tell whether rows are alike and, below the first `above`, of some names, or of these and a number."""
    share, width = share_alike(rows)
    if share < 0.9 or width not in (num_name, num_name + 1):
        return False
    return width == num_name or all(is_number(row[num_name]) for row in rows[above:] if len(row) > num_name)


def _are_weights_with_comma(lines: Sequence[str], comment: str, num_name: int) -> bool:
    """Tell whether commas only stand in the column behind the names, as those of decimals do."""
    rows = [cut(line, DELIMITERS, comment) for line in lines]
    rows = [row for row in rows if row]
    return sum(
        len(row) == num_name + 1 and "," not in "".join(row[:-1]) and bool(_WITH_COMMA.fullmatch(row[-1]))
        for row in rows
    ) >= max(1, len(rows) - 1)


def find_delimiters(
    lines: Sequence[str],
    comment: str,
    where: str,
    number: int,
    wanted: Sequence[str] = (),
    *,
    all_columns: bool = True,
    num_name: int = 2,
) -> str:
    """Return what stands between columns.

    A comma, semicolon, bar or tab is taken where it cuts the lines alike and blanks do not, or where blanks only stand
    around it; else blanks and tabs.

    Parameters
    ----------
    lines : sequence of str
        The first lines, without comments.
    comment : str
        The prefix of comments.
    where : str
        The file, for messages.
    number : int
        The number of the first line.
    wanted : sequence of str
        Names of columns that the first line has.
    all_columns : bool
        Whether a line has no more than the columns of edges. Then a tab that has no blank beside it is a blank like others.
    num_name : int
        Names in a line: 2 of edges, 3 of triples. Tabs between these are always tabs, and quotes beside them part of a name.

    Raises
    ------
    DataError
        The lines can be cut in two ways, into different edges.
    """
    rows = {
        d: [cut(line, d, comment, quotes=num_name == 2 or d != "\t") for line in lines]
        for d in SEPARATORS
        if d not in comment and d in "\n".join(lines)
    }
    if wanted:
        for delimiter in (*SEPARATORS, DELIMITERS):
            names = cut(lines[0], delimiter, comment, len(lines[0]))
            if set(wanted) <= set(names):
                return delimiter
    found = []
    for d, cells in rows.items():
        share, width = share_alike(cells)
        if width >= num_name and share >= _MOST:
            found.append((d == "\t", share, width, d))
    if not found:
        return DELIMITERS
    delimiter = max(found)[3]
    cells = [row for row in rows[delimiter] if row]
    width = share_alike(cells)[1]
    # Behind a tab and a blank a comment may begin.
    names = [
        cell.partition(f" {comment}")[0] if comment and delimiter == "\t" else cell
        for row in cells
        for cell in row[:width]
    ]
    inner = any(" " in name.strip() or "\t" in name for name in names)
    if delimiter == "," and inner and _are_weights_with_comma(lines, comment, num_name):
        return DELIMITERS  # and the weights are refused
    around = re.compile(rf"[ \t]*{re.escape(delimiter)}[ \t]*")
    blanks = [cut(around.sub(delimiter, line), DELIMITERS, comment) for line in lines]
    if delimiter == "\t" and num_name == 3:
        return delimiter
    if delimiter == "\t" and not inner and all_columns and all(all(row[:width]) for row in cells):
        return DELIMITERS
    if not inner or not _are_edges(blanks, 0, num_name) or any('"' in line for line in lines):
        return delimiter
    if header_of(cells, num_name=num_name) == "certain":
        return delimiter
    if delimiter == "\t" and all(is_integer(cell) for row in blanks for cell in row[:2]):
        return DELIMITERS
    numbers = width == num_name == 2 and all(is_number(row[1]) and not is_integer(row[1]) for row in cells)
    if not _are_edges(cells, 0, num_name) or numbers:
        return DELIMITERS
    both = " or ".join(setting("format.delimiters", d) for d in (delimiter, " " if delimiter != "\t" else " \t"))
    raise DataError(
        describe(
            f"{where}:{number}",
            expected="lines that can be cut in one way",
            got=lines[0].strip(),
            hint=f"It has {'tabs' if delimiter == chr(9) else repr(delimiter)} and blanks: say which separates the columns. Give {both}.",
        )
    )


def other_delimiter(lines: Sequence[str], line: str, delimiters: str, comment: str, num_name: int = 2) -> str:
    """Return a delimiter that cuts a line, and most of the first lines, into edges, where `delimiters` do not; or "".

    The first lines do not count where `delimiters` do not cut this line at all.
    """
    whole = len(cut(line, delimiters, comment)) < num_name
    for d in ("\t", ",", ";", "|", ":", " "):
        if d not in line.strip() or d in comment or (d in delimiters and (d != "\t" or " " not in delimiters)):
            continue
        rows = [cut(text, d, comment) for text in (line, *lines)]
        while rows[0] and not rows[0][-1]:
            rows[0].pop()
        width = len(rows[0])
        weighted = width == num_name + 1
        if width < num_name or (weighted and not is_number(rows[0][-1])) or not all(rows[0][:num_name]):
            continue
        if whole or sum(len(row) == width for row in rows) >= _MOST * len(rows):
            return d
    return ""
