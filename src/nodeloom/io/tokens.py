"""Small text tables: label files, link files, filter files. Lines of tokens, as Arrow columns.

Edge lists, which are far larger, have a reader of their own; this one takes the same delimiters and comments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import COMMENT, DELIMITERS, cut
from nodeloom.io.layout import Line, check_comments, first_lines
from nodeloom.io.separation import find_delimiters, other_delimiter
from nodeloom.io.source import open_source, read_text
from nodeloom.kernels.reference.tokens import cell_delimiter
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

_BLANKS = " \t"  # no part of the ends of a token, even where they do not delimit


_SAMPLE = 1 << 18  # characters that are looked at


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
    widths: tuple[int, int | None],
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
    widths : (int, int or None)
        Fewest and most tokens of a line. None for any number: every token behind the first is a row with the first then.
    form : str
        What a line looks like, for messages: ``'node label'``.
    delimiters : str
        What stands between tokens, as in lists of edges; there and here, the first lines tell a comma or the like.
    comment : str
        A token that begins with it, and the rest of its line, is a comment; empty for no comments.
    encoding : str
        As Python calls it.

    Returns
    -------
    TokenTable
        ``widths[1]`` columns, or two. Lines without a token are left out.

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
    first, _ = first_lines(text[:_SAMPLE].encode("utf-8", "replace"), comment)
    if first:
        check_comments(first, comment, name)
    if set(delimiters) == set(DELIMITERS) and first:
        delimiters = find_delimiters([line.text for line in first], comment, name, first[0].number)
    if '"' in text or cell_delimiter(delimiters):
        numbers, tokens = _cut_quoted(text, delimiters, comment, name)
    else:
        numbers, tokens = _cut_plain(text, delimiters, comment)
    if not len(numbers):
        raise DataError(describe(name, expected=f"lines of the form {form}", got="none"))
    counts = np.asarray(pc.list_value_length(tokens))
    flat = tokens.values
    starts = np.asarray(tokens.offsets)[:-1]
    empty = np.asarray(pc.equal(flat, "")).astype(np.bool_)
    wrong = np.flatnonzero(
        (counts < widths[0])
        | (counts > (widths[1] or np.iinfo(np.int64).max))
        | np.isin(starts, np.flatnonzero(empty))
        | (np.isin(starts + 1, np.flatnonzero(empty)) & (widths[1] is not None))
    )
    if len(wrong):
        row = int(wrong[0])
        got = " ".join(tokens[row].as_py())
        raise DataError(
            describe(f"{name}:{numbers[row] + 1}", expected=form, got=got, hint=_hint(first, got, delimiters, comment))
        )
    lines = numbers.astype(np.int64) + 1
    if widths[1] is None:
        return _repeated(name, flat, starts, counts, empty, lines, delimiters)
    columns = []
    for column in range(widths[1]):
        there = counts > column
        columns.append(flat.take(pa.array(np.where(there, starts + column, 0), mask=~there)))
    return TokenTable(name, columns, lines)


def _repeated(
    name: str,
    flat: pa.Array,
    starts: npt.NDArray[np.int64],
    counts: npt.NDArray[np.int64],
    empty: npt.NDArray[np.bool_],
    lines: npt.NDArray[np.int64],
    delimiters: str,
) -> TokenTable:
    """Return a row for every token behind the first of its line; say so where blanks stand between them."""
    import pyarrow as pa

    rows = np.repeat(np.arange(len(counts)), counts - 1)
    behind = np.ones(len(flat), np.bool_)
    behind[starts] = False
    others = np.flatnonzero(behind)
    rows, others = rows[~empty[others]], others[~empty[others]]
    several = np.flatnonzero(counts > 2)
    if len(several) and not cell_delimiter(delimiters):
        row = int(several[0])
        logger.warning(
            "%s: %d lines have several labels, such as line %d: %r. A label with blanks is written in quotes.",
            name, len(several), lines[row], " ".join(flat[int(starts[row]) : int(starts[row] + counts[row])].to_pylist()),
        )  # fmt: skip
    return TokenTable(name, [flat.take(pa.array(starts[rows])), flat.take(pa.array(others))], lines[rows])


def _hint(first: list[Line], line: str, delimiters: str, comment: str) -> str:
    """Return delimiters that cut a line, where those that are set do not."""
    other = other_delimiter([each.text for each in first], line, delimiters, comment)
    return f"If {other!r} separates them, give {setting('format.delimiters', other)}." if other else ""


def _cut_plain(text: str, delimiters: str, comment: str) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Return the numbers of lines that have tokens, and these, where each delimiter is like a blank."""
    import pyarrow as pa
    import pyarrow.compute as pc

    within = "".join(sorted(set(delimiters) - {"\n"} | {"\r"}))
    lines = pa.array(text.split("\n"), pa.large_string())
    if comment:
        quoted = "".join(f"\\x{{{ord(character):x}}}" for character in comment)
        # A comment begins a line, perhaps after blanks, or a token.
        lines = pc.replace_substring_regex(
            lines, f"(?:^{_any_of(_BLANKS)}*|{_any_of(within)}{_any_of(_BLANKS)}*){quoted}.*$", ""
        )
    lines = pc.utf8_trim(lines, within + _BLANKS)
    numbers = np.flatnonzero(np.asarray(pc.not_equal(lines, "")))
    return numbers, pc.split_pattern_regex(lines.take(pa.array(numbers)), _separator(within))


def _cut_quoted(text: str, delimiters: str, comment: str, name: str) -> tuple[npt.NDArray[np.int64], pa.Array]:
    """Return the numbers of lines that have tokens, and these: with quotes, and with empty cells between others.

    Raises
    ------
    DataError
        A quote does not end its cell.
    """
    import pyarrow as pa

    numbers, rows = [], []
    for number, line in enumerate(text.split("\n")):
        try:
            cells = cut(line, delimiters, comment, strict=True)
        except ValueError:
            hint = "Write two quotes for one within quotes, and end a cell where its quotes end."
            raise DataError(
                describe(f"{name}:{number + 1}", expected="cells in whole quotes", got=line, hint=hint)
            ) from None
        while cells and not cells[-1]:
            cells.pop()
        if cells:
            numbers.append(number)
            rows.append(cells)
    return np.array(numbers, np.int64), pa.array(rows, pa.large_list(pa.large_string()))


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
