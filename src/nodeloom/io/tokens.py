"""Small text tables: label files, link files, filter files. Lines of tokens, as Arrow columns.

Edge lists, which are far larger, have a reader of their own; this one takes the same delimiters and comments.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.source import open_source, read_text

if TYPE_CHECKING:
    import pyarrow as pa

DELIMITERS = " \t\r\n"
COMMENT = "#"
_BLANKS = " \t"  # no part of the ends of a token, even where they do not delimit


@dataclass(frozen=True)
class TokenTable:
    """Lines of a text file, cut into tokens.

    Attributes
    ----------
    path : str
        What to call the file in messages.
    columns : list of pyarrow.Array
        Text of each column; columns that a line lacks are null.
    lines : ndarray, int64 [rows]
        Number of the line of each row, from 1.
    """

    path: str
    columns: list[pa.Array]
    lines: npt.NDArray[np.int64]

    def where(self, row: int) -> str:
        """Return ``path:line`` of a row."""
        return f"{self.path}:{self.lines[row]}"


def read_tokens(
    path: str | Path,
    widths: tuple[int, int],
    form: str,
    *,
    delimiters: str = DELIMITERS,
    comment: str = COMMENT,
    encoding: str = "utf-8",
) -> TokenTable:
    """Read a text file of tokens.

    Parameters
    ----------
    path : str or Path
        The file, or "-" for the standard input; also compressed with gzip, bz2, xz or zstd.
    widths : (int, int)
        Fewest and most tokens of a line.
    form : str
        What a line looks like, for messages: ``'node label'``.
    delimiters : str
        Each of these characters ends a token; several in a row count as one. Lines end at line breaks in any case. Blanks at
        the ends of a token are no part of it.
    comment : str
        A line is read up to this text; empty for no comments.
    encoding : str
        As Python calls it.

    Returns
    -------
    TokenTable
        ``widths[1]`` columns. Lines without a token are left out.

    Raises
    ------
    DataError
        If the file cannot be read, is no text in `encoding`, holds no line with a token, or a line has too few or too many.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if comment and set(comment) <= set(delimiters):
        raise DataError(describe("comment", expected="text that is no delimiter", got=comment))
    name, text = _read_text(path, encoding)
    lines = pa.array(text.split("\n"), pa.large_string())
    if comment:
        lines = pc.list_element(pc.split_pattern(lines, comment, max_splits=1), 0)
    within = "".join(sorted(set(delimiters) - {"\n"} | {"\r"}))
    lines = pc.utf8_trim(lines, within + _BLANKS)
    numbers = np.flatnonzero(np.asarray(pc.not_equal(lines, "")))
    if not len(numbers):
        raise DataError(describe(name, expected=f"lines of the form {form}", got="none"))
    tokens = pc.split_pattern_regex(lines.take(pa.array(numbers)), _separator(within))
    counts = np.asarray(pc.list_value_length(tokens))
    wrong = np.flatnonzero((counts < widths[0]) | (counts > widths[1]))
    if len(wrong):
        row = int(wrong[0])
        hint = (
            "Set delimiters if names contain blanks." if counts[row] > widths[1] else "Set delimiters if they differ."
        )
        got = " ".join(tokens[row].as_py())
        raise DataError(describe(f"{name}:{numbers[row] + 1}", expected=form, got=got, hint=hint))
    starts = np.asarray(tokens.offsets)[:-1]
    flat = tokens.values
    columns = []
    for column in range(widths[1]):
        there = counts > column
        columns.append(flat.take(pa.array(np.where(there, starts + column, 0), mask=~there)))
    return TokenTable(name, columns, numbers.astype(np.int64) + 1)


def _separator(delimiters: str) -> str:
    """Return a pattern for one or more delimiters with the blanks around them."""
    one, blank = _any_of(delimiters), _any_of(_BLANKS)
    return f"{blank}*{one}(?:{one}|{blank})*"


def _any_of(characters: str) -> str:
    """Return a pattern for one of these characters."""
    return "[" + "".join(f"\\x{{{ord(character):x}}}" for character in characters) + "]"


def _read_text(path: str | Path, encoding: str) -> tuple[str, str]:
    """Return what to call a file, and its text, decompressed, without a byte order mark."""
    with open_source(path, content="lines of text") as source:
        if source.kind != "text":
            raise DataError(describe(source.name, expected="a text file", got=f"a {source.kind} file"))
        text = read_text(source, encoding)
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return source.name, text
