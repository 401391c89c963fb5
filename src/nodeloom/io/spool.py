"""Spool: a collector that keeps the edges on the disk, and numbers the nodes in little memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import MemoryLimitError
from nodeloom.io.collector import EdgeCollector, integer_vocabulary
from nodeloom.io.interning import IntegerInterner, TextInterner, check_count
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.kernels.cpu import runs as kernels
from nodeloom.typing import FloatArray, IndexArray
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.io.spill import SpillFolder

Numbering = Callable[[npt.NDArray[np.integer]], IndexArray]
"""From integers as they were read, of any shape, to int32 ids of nodes."""

_ROWS = 1 << 18


class EdgeSpool(EdgeCollector):
    """Takes blocks of edges as :class:`EdgeCollector` does, and keeps them in two files.

    Only the names stay in memory, and only where they are text: each then takes its bytes and 20 to 32 more, twice that
    while the tables grow.

    Parameters
    ----------
    folder : SpillFolder
        Where the files go.
    num_thread : int
        Threads that look up names.
    room : int
        Bytes that names, or what numbers the nodes, may take.
    report : callable
        Called with the number of edges so far, at every block.
    """

    def __init__(self, folder: SpillFolder, num_thread: int, room: int, report: Callable[[int], None]) -> None:
        super().__init__(num_thread)
        self._folder = folder
        self._room = room
        self._report = report
        self._ends = folder.new_run()
        self._values = folder.new_run()
        self._low, self._high = 2**63, -(2**63)

    @property
    def room(self) -> int:
        """Bytes of memory that a reader may take."""
        return self._room

    def _keep(self, ends: npt.NDArray[np.integer]) -> None:
        if self._text is None:
            self._low = min(self._low, int(ends.min()))
            self._high = max(self._high, int(ends.max()))
        else:
            self._check(self._text.peak_bytes, len(self._text))
        self._ends.append(*ends)

    def _add_weights(self, weights: FloatArray | None, count: int) -> None:
        super()._add_weights(weights, count)
        self._report(self.num_edges)

    def _keep_weights(self, weights: FloatArray) -> None:
        self._values.append(weights)

    def _name_blocks(self, text: TextInterner) -> None:
        integers, self._ends = self._ends, self._folder.new_run()
        for heads, tails in integers.blocks(_ROWS):
            self._ends.append(*self._intern(text, np.stack([heads, tails])))
            self._check(text.peak_bytes, len(text))
        integers.remove()

    def blocks(self, rows: int) -> Iterator[tuple[npt.NDArray[np.integer], npt.NDArray[np.integer], FloatArray]]:
        """Yield heads, tails (integers as they were read, or ids of text names) and weights ([0] for none)."""
        weights = self._values.blocks(rows) if self._values.num_rows else None
        none = np.empty(0, np.float32)
        for heads, tails in self._ends.blocks(rows):
            yield heads, tails, none if weights is None else next(weights)[0]

    def number(self) -> tuple[Vocabulary, Numbering]:
        """Return the names of the nodes, and what makes ids of the integers that :meth:`blocks` yields.

        Raises
        ------
        DataError
            There are more names than int32 can count.
        MemoryLimitError
            The names alone take more memory than there may be.
        """
        if self._text is not None:
            names = Vocabulary.from_arrow(self._text.to_arrow(), check=False)
            self._text = None
            return names, _as_int32
        for nodes in self._nodes:
            self._low, self._high = min(self._low, int(nodes.min())), max(self._high, int(nodes.max()))
        # A bit for each number between the smallest and the largest, and a count for each 64 of them.
        num_word = (self._high - self._low) // 64 + 1
        if 16 * num_word <= self._room // 2:
            return self._number_dense(num_word)
        return self._number_scattered()

    def _number_dense(self, num_word: int) -> tuple[Vocabulary, Numbering]:
        low = self._low
        words, ranks = np.zeros(num_word, np.uint64), np.empty(num_word, np.int64)
        for nodes in self._nodes:
            kernels.set_bits(nodes, low, words)
        for heads, tails, _ in self.blocks(_ROWS):
            kernels.set_bits(heads, low, words)
            kernels.set_bits(tails, low, words)
        count = int(kernels.rank_words(words, ranks))
        check_count(count)
        if low == 0 and count == self._high + 1:
            return Vocabulary.range(count), _as_int32
        self._check(16 * num_word + 8 * count, count)
        names = np.empty(count, np.int64)
        kernels.list_bits(words, low, names)

        def rank(values: npt.NDArray[np.integer]) -> IndexArray:
            out = np.empty(len(values), np.int32)
            kernels.rank_values(values, low, words, ranks, out)
            return out

        return integer_vocabulary(names), rank

    def _number_scattered(self) -> tuple[Vocabulary, Numbering]:
        interner = IntegerInterner()
        for nodes in self._nodes:
            interner.add(nodes.reshape(1, -1))
        for heads, tails, _ in self.blocks(_ROWS):
            interner.add(np.stack([heads, tails]).astype(np.int64, copy=False))
            # To put the names in order takes 20 bytes of each.
            self._check(interner.peak_bytes + 20 * len(interner), len(interner))
        names = interner.names()
        check_count(len(names))
        order = np.argsort(names)
        node = np.empty(len(names), np.int32)
        node[order] = np.arange(len(names), dtype=np.int32)

        def find(values: npt.NDArray[np.integer]) -> IndexArray:
            return node[interner.add(values.astype(np.int64, copy=False).reshape(1, -1))[0]]

        return integer_vocabulary(names[order]), find

    def _check(self, need: int, count: int) -> None:
        if need > self._room:
            raise MemoryLimitError(
                f"graph: the names of {count:,} nodes alone need {size(need)} of memory, and {setting('resource.memory_limit')} leaves "
                f"{size(self._room)} for them. Raise it, or number the nodes 0 to N - 1."
            )

    def remove(self) -> None:
        """Delete the files."""
        self._ends.remove()
        self._values.remove()


def _as_int32(values: npt.NDArray[np.integer]) -> IndexArray:
    return values.astype(np.int32, copy=False)
