"""Pairs of words: counted block by block, in a table where they are frequent, and handed to a collector."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import MemoryLimitError
from nodeloom.kernels.cpu import words as kernels
from nodeloom.units import size
from nodeloom.words import by_interface, setting

if TYPE_CHECKING:
    from nodeloom.io.collector import EdgeCollector

BYTES_PAIR = 36
"""Of a pair of words while the graph is built in memory: as an edge, and in the rows of both words."""

KEYS = 1 << 22
"""Pairs that are sorted and counted at a time, at most."""

_TABLE = 1 << 26  # cells of the table of frequent pairs, at most
_COMPILE = by_interface("Graph.compile_corpus(paths, output).", "nodeloom convert --corpus.")


class WordPairs:
    """Counts pairs of words, and hands them to a collector.

    Parameters
    ----------
    window : int
        Words at most so far apart are a pair.
    num_word : int
        Words, which are numbered by falling count.
    collector : EdgeCollector
        Takes the pairs. A pair may come several times; its counts are to be added.
    room : int
        Bytes of memory.
    most : int or None
        Different pairs that there may be.

    Attributes
    ----------
    num_pair : int
        Pairs handed over, each as often as it is there.
    """

    def __init__(self, window: int, num_word: int, collector: EdgeCollector, room: int, most: int | None) -> None:
        import pyarrow as pa

        self.num_pair = 0
        self._window = window
        self._collector = collector
        self._most = most
        collector.add_nodes(pa.array(np.arange(num_word)))  # a word may be alone in its sentences
        self._widths, self._starts, num_cell = cells_of(num_word, max(1 << 16, min(_TABLE, room // 16)))
        self._table = np.zeros(num_cell, np.uint32)
        self._keys = np.empty(max(min(KEYS, room // 128), 2 * window), np.uint64)
        self._num_key = self._num_in_table = 0
        self._kept = np.empty(window, np.int32)
        self._carried = 0

    def add(self, ids: npt.NDArray[np.int32], numbers: npt.NDArray[np.int32]) -> None:
        """Count the pairs whose second word is in a block."""
        before, window = self._carried, self._window
        kept = np.empty(before + len(ids), np.int32)
        kept[:before] = self._kept[:before]
        last = kernels.keep_words(ids, numbers, kept, before)
        if self._num_in_table + (last - before) * window >= 2**32:
            self._empty_table()
        self._num_in_table += (last - before) * window
        where = before
        while where < last:
            where, self._num_key = kernels.count_pairs(
                kept, where, last, window, self._widths, self._starts, self._table, self._keys, self._num_key
            )
            if where < last:
                self._empty_keys()
        self._carried = min(window, last)
        self._kept[: self._carried] = kept[last - self._carried : last]

    def finish(self) -> None:
        """Hand over what is left."""
        self._empty_keys()
        self._empty_table()

    def _empty_keys(self) -> None:
        keys = self._keys[: self._num_key]
        keys.sort()
        heads, tails = np.empty(len(keys), np.int32), np.empty(len(keys), np.int32)
        counts = np.empty(len(keys), np.uint32)
        self._hand_over(heads, tails, counts, kernels.count_runs(keys, heads, tails, counts))
        self._num_key = 0

    def _empty_table(self) -> None:
        row = 0
        length = max(len(self._keys), int((self._widths - np.arange(len(self._widths))).max(initial=0)))
        heads, tails = np.empty(length, np.int32), np.empty(length, np.int32)
        counts = np.empty(length, np.uint32)
        while row < len(self._widths):
            row, num = kernels.list_cells(self._table, self._widths, self._starts, row, heads, tails, counts)
            self._hand_over(heads, tails, counts, num)
        self._table[:] = 0
        self._num_in_table = 0

    def _hand_over(
        self, heads: npt.NDArray[np.int32], tails: npt.NDArray[np.int32], counts: npt.NDArray[np.uint32], num: int
    ) -> None:
        if not num:
            return
        self._collector.add_integers(np.stack([heads[:num], tails[:num]]), counts[:num].astype(np.float32))
        self.num_pair += int(counts[:num].sum())
        if self._most is not None and self._collector.num_edges > self._most:
            raise MemoryLimitError(
                f"corpus: more than {self._most:,} different pairs of words need {size(self._most * BYTES_PAIR)} of memory, which is "
                f"what there is. Raise {setting('graph.min_count')} or lower {setting('graph.window')}, or "
                f"compile the graph to a file: {_COMPILE}"
            )


def cells_of(num_word: int, most: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64], int]:
    """Return which pairs have a cell of a table of at most `most` cells: those with the smallest product of numbers.

    Returns
    -------
    widths : int32 [R]
        Pairs (u, v), u <= v < widths[u], have one.
    starts : int64 [R]
        The cell of (u, v) is ``starts[u] + v``.
    num_cell : int
    """

    def widths_for(product: int) -> npt.NDArray[np.int64]:
        rows = np.arange(min(num_word, math.isqrt(product)), dtype=np.int64)
        return np.minimum(num_word, product // (rows + 1))

    def lengths(widths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        return widths - np.arange(len(widths))

    low, high = 1, num_word * num_word
    while low < high:  # the largest product whose table is not too large
        middle = (low + high + 1) // 2
        low, high = (middle, high) if int(lengths(widths_for(middle)).sum()) <= most else (low, middle - 1)
    widths = widths_for(low)
    ends = np.cumsum(lengths(widths))
    starts = ends - lengths(widths) - np.arange(len(widths))
    return widths.astype(np.int32), starts, int(ends[-1])
