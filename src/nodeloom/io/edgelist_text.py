"""Edge lists as text: blocks are cut into edges by several threads and collected in order."""

from __future__ import annotations

import itertools
import re
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.cells import MISSING, is_integer
from nodeloom.io.layout import Layout, lay_out, sample_of, tell_of_sizes
from nodeloom.io.line_errors import bad_line
from nodeloom.io.source import HEAD, Source, line_blocks
from nodeloom.io.triples import TripleCollector
from nodeloom.kernels.cpu import tokens as kernels
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.io.collector import EdgeCollector
    from nodeloom.io.edge_format import EdgeFormat
    from nodeloom.typing import FloatArray


def kinds_of(layout: Layout, comment: str) -> npt.NDArray[np.uint8]:
    """Return what each byte is; uint8 [256]."""
    kinds = np.full(256, kernels.NAME, np.uint8)
    kinds[list(b" \t")] = kernels.BLANK
    if layout.quotes:
        kinds[ord('"')] = kernels.QUOTE
    if comment:
        kinds[comment.encode()[0]] = kernels.COMMENT
    kinds[list(layout.delimiters.encode())] = kernels.DELIMITER
    if layout.cell:
        kinds[ord(layout.cell)] = kernels.CELL
    kinds[list(b"\r\n")] = kernels.LINE_END
    return kinds


@dataclass(slots=True)
class _Block:
    """The edges of one block, or why there are none."""

    text: bytes
    ends: npt.NDArray[np.int64]
    weights: FloatArray | None
    integers: bool
    num_line: int = 0
    status: int = kernels.OK
    where: int = 0
    hidden: int = -1
    bad_byte: int = -1
    odd: int = -1  # where the line begins that has the first name that is no integer
    num_before: int = 0  # edges between integers before it


class TextReader:
    """Reads text files, one after the other, into a collector.

    Parameters
    ----------
    form : EdgeFormat
        What the user says about them.
    collector : EdgeCollector or TripleCollector
        Takes the edges, or the triples.
    num_thread : int
        Number of threads that cut.

    Attributes
    ----------
    num_lines : int
        Lines read, of all files.
    num_headers : int
        Files that have a header.
    """

    def __init__(self, form: EdgeFormat, collector: EdgeCollector | TripleCollector, num_thread: int) -> None:
        self._form = form
        self._comment = np.frombuffer(form.comment.encode() or b"\0", np.uint8)
        self._collector = collector
        self._num_thread = num_thread
        self._first_lines: set[str] = set()
        self.num_lines = 0
        self.num_headers = 0

    def read(self, source: Source) -> None:
        """Read all edges of a source.

        Raises
        ------
        DataError
            A line is not an edge, it is not clear what its columns are, or the file cannot be read.
        """
        blocks = line_blocks(source, self._form.encoding)
        read, lines, num_comment = sample_of(blocks, self._form.comment)
        if not lines:
            self.num_lines += sum(map(len, read))
            return
        for block, at in ((block, block.find(b"\0")) for block in read):
            if at >= 0:
                raise bad_byte(source, block, at, 1)
        layout = lay_out(lines, self._form, source.name, num_comment)
        self.num_headers += bool(layout.header)
        self._tell_of_first_line(layout, source)
        reading = _Reading(source, layout, kinds_of(layout, self._form.comment))
        before = self._collector.num_edges
        pending: deque[Future[_Block]] = deque()
        with ThreadPoolExecutor(self._num_thread) as pool:
            for text in itertools.chain(read, blocks):
                if reading.line == 1 and len(text) <= HEAD:  # a thread takes longer to start
                    self._collect(reading, self._cut(reading, text, not self._collector.is_text))
                    continue
                pending.append(pool.submit(self._cut, reading, text, not self._collector.is_text))
                if len(pending) > self._num_thread:
                    self._collect(reading, pending.popleft().result())
            while pending:
                self._collect(reading, pending.popleft().result())
        tell_of_sizes(layout, self._form.comment, self._collector.num_edges - before, source.name)

    def _tell_of_first_line(self, layout: Layout, source: Source) -> None:
        """Say that a first line may be a header, where another file begins with the same."""
        line = layout.lines[0]
        if not layout.header and line.text in self._first_lines and not any(map(str.isdigit, line.text)):
            logger.warning(
                "%s:%d: %r is taken as %s, but another file begins with it: is it a header? If so, name its columns: %s.",
                source.name, line.number, line.text, self._form.what, setting("graph.columns", ["..."] * layout.num_name),
            )  # fmt: skip
        self._first_lines.add(line.text)

    def _cut(self, reading: _Reading, text: bytes, integers: bool) -> _Block:
        """Cut a block (in a thread); as text if it turns out to have names that are not integers."""
        if b"\0" in text:
            return _Block(text, np.empty((2, 0), np.int64), None, integers, bad_byte=text.index(b"\0"))
        layout = reading.layout
        count = _most_lines(text)
        ends = np.empty((layout.num_name, count), np.int64)
        weights = np.empty(count if layout.weighted else 0, np.float32)
        header = np.frombuffer(layout.header or b"\0", np.uint8)[: len(layout.header)]

        def cut(integers: bool) -> tuple[int, int, int, int, int]:
            return kernels.read_edges(
                np.frombuffer(text, np.uint8), reading.kinds, self._comment, header, layout.places, layout.width,
                bool(layout.cell), integers, ends, weights,
            )  # fmt: skip

        status, num_edge, num_line, where, hidden = cut(integers)
        odd, num_before = -1, 0
        escaped = status == kernels.ESCAPE
        if escaped:
            text = hide_escapes(text)
            status, num_edge, num_line, where, hidden = cut(integers)
        if status == kernels.NOT_INTEGER:
            integers = False
            odd, num_before = where, num_edge
            status, num_edge, num_line, where, hidden = cut(integers)
        if status == kernels.ESCAPE and not escaped:
            escaped = True
            text = hide_escapes(text)
            status, num_edge, num_line, where, hidden = cut(integers)
        if escaped:
            text = text.replace(b"\0", b'"')
        ends = ends[:, :num_edge]
        result = _Block(text, ends, None, integers, num_line, status, where, hidden, odd=odd, num_before=num_before)
        if layout.weighted:
            result.weights = weights[:num_edge].copy()
        if not integers:
            result.bad_byte = _undecodable(text, ends)
        return result

    def _collect(self, reading: _Reading, block: _Block) -> None:
        """Hand the edges of a block to the collector."""
        source, line = reading.source, reading.line
        if block.bad_byte >= 0:
            raise bad_byte(source, block.text, block.bad_byte, line)
        if block.odd >= 0 and not self._collector.is_text:
            self._check_change(reading, block, block.odd, (0, 1), self._collector.num_edges + block.num_before > 0)
        if block.status != kernels.OK:
            place = f"{source.name}:{line + block.num_line}"
            raise bad_line(place, block.status, _line_at(block.text, block.where), reading.layout, self._form)
        if block.hidden >= 0:
            self._tell_of_comment(reading, block)
        # Contiguous: one kind of array, one compilation.
        if isinstance(self._collector, TripleCollector):
            self._add_triples(self._collector, reading, block, np.ascontiguousarray(block.ends))
        elif block.integers:
            self._collector.add_integers(block.ends, block.weights)
        else:
            text = np.frombuffer(block.text, np.uint8)
            self._collector.add_text(text, np.ascontiguousarray(block.ends), block.weights)
        self.num_lines += block.num_line
        reading.line += block.num_line

    def _add_triples(
        self, collector: TripleCollector, reading: _Reading, block: _Block, tokens: npt.NDArray[np.int64]
    ) -> None:
        """Hand over triples; each kind of names is of integers until one is not."""
        before = collector.num_edges

        def changed(row: int, columns: Sequence[int]) -> None:
            at = 1 + max(block.text.rfind(end, 0, int(tokens[:, row].min()) >> 32) for end in (b"\n", b"\r"))
            self._check_change(reading, block, at, columns, before + row > 0)

        collector.add_text(np.frombuffer(block.text, np.uint8), tokens, block.weights, changed)

    def _check_change(self, reading: _Reading, block: _Block, at: int, columns: Sequence[int], before: bool) -> None:
        """Say which line has the first name that is no integer, where there were integers before; refuse a missing value.

        Parameters
        ----------
        reading, block
            What is read.
        at : int
            Where in the block the line begins.
        columns : sequence of int
            Which of the names are of the kind that was integers.
        before : bool
            Whether there are lines before it.
        """
        line = _line_at(block.text, at)
        number = reading.line + _count_lines(block.text[:at])
        place = f"{reading.source.name}:{number}"
        names = reading.names_of(line, self._form.comment)
        cells = [names[i] for i in columns if i < len(names)]
        missing = next((cell for cell in cells if cell.lower() in MISSING or cell == "NA"), None)
        if missing is not None and (before or any(map(is_integer, cells))):
            raise DataError(
                describe(place, expected="names", got=line, hint=f"{missing!r} stands for none. Leave the line out.")
            )
        if before:
            odd = next((cell for cell in cells if not is_integer(cell)), line)
            logger.warning(
                "%s: %r is not written as an integer is, unlike the names before: all names are text.", place, odd
            )

    def _tell_of_comment(self, reading: _Reading, block: _Block) -> None:
        """Say that a line was taken as a comment, once in a file, where it has the columns of an edge."""
        if reading.told:
            return
        line = _line_at(block.text, block.hidden).strip()
        layout, prefix = reading.layout, self._form.comment
        cells = reading.names_of(line, "")
        width = max(layout.width, int(layout.places.max()) + 1)
        if len(cells) < layout.num_name or (
            len(reading.cells(line, "")) != width if layout.cell else not cells[1].startswith(prefix)
        ):
            return
        reading.told = True
        logger.warning(
            "%s:%d: %r is taken as a comment, as are other lines that begin with %r. If it is %s, give %s.",
            reading.source.name, reading.line + _count_lines(block.text[: block.hidden]), line, prefix, self._form.what,
            setting("format.comment", ""),
        )  # fmt: skip


class _Reading:
    """A file as it is being read: its layout, and the number of the next line."""

    def __init__(self, source: Source, layout: Layout, kinds: npt.NDArray[np.uint8]) -> None:
        self.source = source
        self.layout = layout
        self.kinds = kinds
        self.line = 1
        self.told = False

    def cells(self, line: str, comment: str) -> list[str]:
        """Return the cells of a line."""
        return self.layout.cut(line, comment)

    def names_of(self, line: str, comment: str) -> list[str]:
        """Return the names in a line: those of head and tail; of a triple that of the relation between."""
        cells = self.cells(line, comment)
        return [cells[i] for i in self.layout.places[: self.layout.num_name] if i < len(cells)]


def _most_lines(text: bytes) -> int:
    """Return a number of lines that a text does not exceed: ten times as fast as to count in bytes."""
    block = np.frombuffer(text, np.uint8)
    return int(1 + np.count_nonzero(block == 10) + (np.count_nonzero(block == 13) if b"\r" in text else 0))


def _line_at(text: bytes, start: int) -> str:
    return re.split(b"[\r\n]", text[start : start + (1 << 16)], maxsplit=1)[0].decode("utf-8", "replace")


def _count_lines(text: bytes) -> int:
    return len(re.findall(b"\r\n|\r|\n", text))


def hide_escapes(text: bytes) -> bytes:
    """Return text with the byte 0 for two quotes within quotes: a name is a piece of the text, and has one for them."""
    quoted = re.compile(rb'(?:(?<![^\s,;|])|(?<=^))"(?:[^"\r\n]|"")*"')
    return quoted.sub(lambda found: b'"' + found[0][1:-1].replace(b'""', b"\0") + b'"', text)


def bad_byte(source: Source, text: bytes, at: int, line: int) -> DataError:
    """Return the error for a byte of a text that begins at `line`: a zero, or one that is not UTF-8."""
    """Return the error for a byte of a text that begins at `line`: a zero, or one that is not UTF-8."""
    where = f"{source.name}:{line + _count_lines(text[:at])}"
    got = re.split(b"[\r\n]", text[:at])[-1] + re.split(b"[\r\n]", text[at:], maxsplit=1)[0]
    got = got[:80]
    if text[at] == 0:
        return DataError(
            describe(
                where,
                expected="lines of text",
                got=got,
                hint="The byte 0 does not occur in text: is this file binary?",
            )
        )
    hint = f"Give {setting('format.encoding', 'latin-1')}, or what the file is written in, or re-encode it."
    return DataError(describe(where, expected="text in UTF-8", got=got, hint=hint))


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
