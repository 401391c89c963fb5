"""Cells: a line of a text file cut into its columns, and what a cell can be."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from nodeloom.kernels.reference.tokens import split_line

if TYPE_CHECKING:
    from collections.abc import Sequence

DELIMITERS = " \t\r\n"
"""Blanks and tabs; where the first lines show that each is cut by a comma, semicolon, bar or tab, it is this alone."""

COMMENT = "#"

MISSING = {"nan", "null", "none", "n/a", "<na>", "nil", "\\n"}
"""What stands for a value that is not there, in files of pandas, R and databases; in small letters."""

SEPARATORS = "\t,;|"
"""Characters that can stand between columns, other than blanks."""

_PLAIN = tuple(SEPARATORS)
_TOKEN = re.compile(r"[^ \t\r\n]+")


def cut(
    line: str, delimiters: str, comment: str, num_column: int = 2, *, strict: bool = False, quotes: bool = True
) -> list[str]:
    """Return the cells of a line; where quotes have no end none, or (`strict`) a ValueError."""
    if ('"' not in line or not quotes) and not (
        comment and comment in line
    ):  # most lines; the definition takes its time
        if delimiters == DELIMITERS:
            return _TOKEN.findall(line)
        if delimiters in _PLAIN:
            cells = [cell.strip(" \t") for cell in line.split(delimiters)]
            return cells if any(cells) or len(cells) > 1 else []
    try:
        return split_line(line, delimiters, comment, num_column, quotes=quotes)
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
