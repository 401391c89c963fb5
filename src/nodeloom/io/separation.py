"""Separation: what stands between the columns of a text file, told by its first lines where the user does not say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from nodeloom.errors import DataError, describe
from nodeloom.kernels.reference.tokens import split_line
from nodeloom.words import setting

DELIMITERS = " \t\r\n"
"""Blanks and tabs; where the first lines show that each is cut by a comma, semicolon, bar or tab, it is this alone."""

COMMENT = "#"

MISSING = {"nan", "null", "none", "n/a", "<na>", "nil", "\\n"}
"""What stands for a value that is not there, in files of pandas, R and databases; in small letters."""

_CELLS = "\t,;|"
_PLAIN = tuple(_CELLS)
_TOKEN = re.compile(r"[^ \t\r\n]+")
_MOST = 0.6  # of the lines that must have as many columns as the first, for a delimiter to be taken


def cut(line: str, delimiters: str, comment: str, num_column: int = 2, *, strict: bool = False) -> list[str]:
    """Return the cells of a line; where quotes have no end none, or (`strict`) a ValueError."""
    if '"' not in line and not (comment and comment in line):  # most lines; the definition takes its time
        if delimiters == DELIMITERS:
            return _TOKEN.findall(line)
        if delimiters in _PLAIN:
            cells = [cell.strip(" \t") for cell in line.split(delimiters)]
            return cells if any(cells) or len(cells) > 1 else []
    try:
        return split_line(line, delimiters, comment, num_column)
    except ValueError:
        if strict:
            raise
        return []


def is_number(text: str) -> bool:
    """Tell whether a text is a number, NaN and infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def is_integer(text: str) -> bool:
    """Tell whether a text is what an integer of 64 bits is written like."""
    digits = text.removeprefix("-")
    written = digits.isascii() and digits.isdecimal() and (digits[0] != "0" or text == "0")
    return written and len(digits) < 20 and -(2**63) <= int(text) < 2**63


def usual_width(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of columns that most rows have."""
    return Counter(len(row) for row in rows).most_common(1)[0][0] if rows else 0


def share_alike(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Return the share of rows with as many columns as the first, empty ones at the end aside, and that number."""
    if not rows:
        return 0.0, 0
    width = len(rows[0])
    while width and not rows[0][width - 1]:
        width -= 1
    alike = sum(len(row) >= width and not any(row[width:]) for row in rows)
    return alike / len(rows), width


def _are_edges(rows: Sequence[Sequence[str]], above: int) -> bool:
    """Tell whether rows are alike and, below the first `above`, of two names or of two names and a number."""
    share, width = share_alike(rows)
    if share < 0.9 or width not in (2, 3):
        return False
    return width == 2 or all(is_number(row[2]) for row in rows[above:] if len(row) > 2)


def find_delimiters(
    lines: Sequence[str], comment: str, where: str, number: int, wanted: Sequence[str] = (), *, all_columns: bool = True
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

    Raises
    ------
    DataError
        The lines can be cut in two ways, into different edges.
    """
    rows = {d: [cut(line, d, comment) for line in lines] for d in _CELLS if d not in comment and d in "\n".join(lines)}
    if wanted:
        for delimiter in (*_CELLS, DELIMITERS):
            names = cut(lines[0], delimiter, comment, len(lines[0]))
            if set(wanted) <= set(names):
                return delimiter
    found = []
    for d, cells in rows.items():
        share, width = share_alike(cells)
        if width >= 2 and share >= _MOST:
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
    around = re.compile(rf"[ \t]*{re.escape(delimiter)}[ \t]*")
    blanks = [cut(around.sub(delimiter, line), DELIMITERS, comment) for line in lines]
    if delimiter == "\t" and not inner and all_columns and all(all(row[:width]) for row in cells):
        return DELIMITERS
    if not inner or not _are_edges(blanks, 0) or any('"' in line for line in lines):
        return delimiter
    from nodeloom.io.header import header_of

    if header_of(cells) == "certain":
        return delimiter
    if delimiter == "\t" and all(is_integer(cell) for row in blanks for cell in row[:2]):
        return DELIMITERS
    numbers = width == 2 and all(is_number(row[1]) and not is_integer(row[1]) for row in cells)
    if not _are_edges(cells, 0) or numbers:
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


def other_delimiter(lines: Sequence[str], line: str, delimiters: str, comment: str) -> str:
    """Return a delimiter that cuts a line, and most of the first lines, into edges, where `delimiters` do not; or "".

    The first lines do not count where `delimiters` do not cut this line at all.
    """
    whole = len(cut(line, delimiters, comment)) < 2
    for d in ("\t", ",", ";", "|", ":", " "):
        if d not in line.strip() or d in comment or (d in delimiters and (d != "\t" or " " not in delimiters)):
            continue
        rows = [cut(text, d, comment) for text in (line, *lines)]
        while rows[0] and not rows[0][-1]:
            rows[0].pop()
        width = len(rows[0])
        if width < 2 or (width == 3 and not is_number(rows[0][2])) or not all(rows[0][:2]):
            continue
        if whole or sum(len(row) == width for row in rows) >= _MOST * len(rows):
            return d
    return ""
