"""Edge lists as text: blocks are cut into edges by several threads and collected in order."""

from __future__ import annotations

import re
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.source import Source, line_blocks
from nodeloom.io.weights import wrong_weight
from nodeloom.kernels.cpu import tokens as kernels
from nodeloom.typing import Auto, FloatArray

# What separates columns in files that are not what they were said to be.
_LIKELY_DELIMITERS = ",;|\t "


@dataclass(frozen=True, slots=True)
class TextFormat:
    """How a line is cut: a set of delimiters, a comment prefix, whether there are weights, and the encoding."""

    delimiters: str
    comment: str
    weighted: bool | Auto
    encoding: str
    ignore_rest: bool = False

    def kinds(self) -> npt.NDArray[np.uint8]:
        """Return what each byte is; uint8 [256]."""
        kinds = np.full(256, kernels.NAME, np.uint8)
        kinds[list(b" \t")] = kernels.BLANK
        if self.comment:
            kinds[self.comment.encode()[0]] = kernels.COMMENT
        kinds[list(self.delimiters.encode())] = kernels.DELIMITER
        kinds[list(b"\r\n")] = kernels.LINE_END
        return kinds


@dataclass(slots=True)
class _Block:
    """The edges of one block, or why there are none."""

    text: bytes
    ends: npt.NDArray[np.int64]
    weights: FloatArray | None
    integers: bool
    num_line: int
    num_column: int
    status: int = kernels.OK
    where: int = 0
    bad_byte: int = -1


class TextReader:
    """Reads text files, one after the other, into a collector.

    Parameters
    ----------
    form : TextFormat
        How a line is cut.
    collector : EdgeCollector
        Takes the edges.
    num_thread : int
        Number of threads that cut.

    Attributes
    ----------
    num_lines : int
        Lines read, of all files.
    """

    def __init__(self, form: TextFormat, collector: EdgeCollector, num_thread: int) -> None:
        self._form = form
        self._kinds = form.kinds()
        self._comment = np.frombuffer(form.comment.encode() or b"\0", np.uint8)
        self._collector = collector
        self._num_thread = num_thread
        self._num_column = {True: 3, False: 2, "auto": 0}[form.weighted]
        self.num_lines = 0

    def read(self, source: Source) -> None:
        """Read all edges of a source.

        Raises
        ------
        DataError
            A line is not an edge, or the file cannot be read.
        """
        line = 1
        pending: deque[Future[_Block]] = deque()
        with ThreadPoolExecutor(self._num_thread) as pool:
            for text in line_blocks(source, self._form.encoding):
                pending.append(pool.submit(self._cut, text, not self._collector.is_text, self._num_column))
                # Until the number of columns is known, one at a time.
                if len(pending) > self._num_thread or self._num_column == 0:
                    line = self._collect(source, pending.popleft().result(), line)
            while pending:
                line = self._collect(source, pending.popleft().result(), line)

    def _cut(self, text: bytes, integers: bool, num_column: int) -> _Block:
        """Cut a block (in a thread); as text if it turns out to have names that are not integers."""
        if b"\0" in text:
            return _Block(text, np.empty((2, 0), np.int64), None, integers, 0, 0, bad_byte=text.index(b"\0"))
        block = np.frombuffer(text, np.uint8)
        count = text.count(b"\n") + text.count(b"\r") + 1
        ends = np.empty((2, count), np.int64)
        weights = np.empty(count if num_column != 2 else 0, np.float32)
        ignore_rest = self._form.weighted is False or self._form.ignore_rest

        def cut(integers: bool) -> tuple[int, int, int, int, int]:
            return kernels.read_edges(
                block, self._kinds, self._comment, integers, num_column, ignore_rest, ends, weights
            )

        status, num_edge, num_line, num_column, where = cut(integers)
        if status == kernels.NOT_INTEGER:
            integers = False
            status, num_edge, num_line, num_column, where = cut(integers)
        ends = ends[:, :num_edge]
        result = _Block(text, ends, None, integers, num_line, num_column, status, where)
        if num_column == 3:
            result.weights = weights[:num_edge].copy()
        if not integers:
            result.bad_byte = _undecodable(text, ends)
        return result

    def _collect(self, source: Source, block: _Block, line: int) -> int:
        """Hand the edges of a block to the collector; return the number of the line after it."""
        if block.bad_byte >= 0:
            raise self._bad_byte(source, block, line)
        if block.status != kernels.OK:
            raise self._bad_line(source, block, line + block.num_line)
        if self._num_column == 0:
            self._num_column = block.num_column
        if block.integers:
            self._collector.add_integers(block.ends, block.weights)
        else:
            # Contiguous: one kind of array, one compilation.
            tokens = np.ascontiguousarray(block.ends)
            self._collector.add_text(np.frombuffer(block.text, np.uint8), tokens, block.weights)
        self.num_lines += block.num_line
        return line + block.num_line

    def _bad_byte(self, source: Source, block: _Block, line: int) -> DataError:
        at = block.bad_byte
        line += block.text.count(b"\n", 0, at)
        where = f"{source.name}:{line}"
        got = block.text[block.text.rfind(b"\n", 0, at) + 1 :].split(b"\n", 1)[0][:80]
        if block.text[at] == 0:
            return DataError(
                describe(
                    where,
                    expected="lines of text",
                    got=got,
                    hint="The byte 0 does not occur in text: is this file binary?",
                )
            )
        return DataError(
            describe(
                where,
                expected="text in UTF-8",
                got=got,
                hint="Set encoding (such as 'latin-1') to what the file is written in, or re-encode it.",
            )
        )

    def _bad_line(self, source: Source, block: _Block, line: int) -> DataError:
        where = f"{source.name}:{line}"
        text = re.split(b"[\r\n]", block.text[block.where :], maxsplit=1)[0].decode("utf-8", "replace")
        tokens = self._split(text)
        if block.status == kernels.BAD_WEIGHT:
            try:
                weight = float(np.float64(tokens[2]))
            except ValueError:
                return DataError(
                    describe(where, expected="a number as the weight", got=tokens[2], hint=self._rest_hint(2))
                )
            with np.errstate(over="ignore", under="ignore"):
                fits = 0 < np.float32(weight) < np.inf
            # It is a number to Python, but not one in plain digits.
            return DataError(f"{where}: {_not_plain(tokens[2]) if fits else wrong_weight(weight)}")
        columns = {0: "'head tail [weight]'", 2: "'head tail'", 3: "'head tail weight'"}[block.num_column]
        if block.num_column and self._form.weighted == "auto":
            columns += " as in the lines before"
        if block.status == kernels.TOO_FEW:
            return DataError(describe(where, expected=columns, got=text, hint=self._few_hint(text, len(tokens))))
        return DataError(describe(where, expected=columns, got=text, hint=self._rest_hint(block.num_column)))

    def _split(self, line: str) -> list[str]:
        if self._form.comment:
            line = line.split(self._form.comment, 1)[0]
        line = line.translate({ord(c): "\n" for c in self._form.delimiters + "\r"})
        return [token for token in (t.strip(" \t") for t in line.split("\n")) if token]

    def _few_hint(self, line: str, num_token: int) -> str:
        if num_token == 2:
            return "Set weighted to False to read the edges without weights."
        for delimiter in _LIKELY_DELIMITERS:
            if delimiter not in self._form.delimiters and delimiter in line.strip():
                return f"Set format.delimiters to {delimiter!r} if this separates the columns."
        if self._form.comment and self._form.comment in line:
            return "Set format.comment to another prefix if this one occurs in names."
        return ""

    def _rest_hint(self, num_column: int) -> str:
        if num_column == 2 and self._form.weighted == "auto":
            return "Set format.delimiters if names contain blanks, or weighted to False to ignore further columns."
        return "Set format.delimiters if names contain blanks, or weighted to False to read the first two columns only."


def _not_plain(token: str) -> str:
    return f"expected a weight in decimal digits such as 0.5 or 1e-3, got {token!r}"


def _undecodable(text: bytes, ends: npt.NDArray[np.int64]) -> int:
    """Return the position of the first byte within a name that is not UTF-8, or -1."""
    if text.isascii():
        return -1
    try:
        text.decode()
    except UnicodeDecodeError:
        pass
    else:
        return -1
    # Rare: look at the names with such bytes one by one, for bytes in comments do not matter.
    tokens = np.sort(ends.ravel())
    if not len(tokens):
        return -1
    bad = np.flatnonzero(np.frombuffer(text, np.uint8) >= 128)
    for token in tokens[np.unique(np.searchsorted(tokens >> 32, bad, side="right") - 1)].tolist():
        start, length = token >> 32, token & 0xFFFFFFFF
        try:
            text[start : start + length].decode()
        except UnicodeDecodeError as error:
            return start + error.start
    return -1
