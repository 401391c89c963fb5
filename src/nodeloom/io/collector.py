"""Collector: blocks of rows with names in, columns of ids and a vocabulary out."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.io.columns import EdgeColumns
from nodeloom.io.interning import IntegerInterner, TextInterner, check_count
from nodeloom.io.vocabulary import Vocabulary, text_buffers
from nodeloom.memory import resident_memory, total_memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from nodeloom.typing import FloatArray

# A table with an entry for every number up to the largest is used while it has at most this many entries for each end
# of an edge.
_SPREAD = 4
_ROWS = 1 << 18  # edges between names of an Arrow array taken at a time


class NameCollector:
    """Takes blocks of names, some in each row, in order, and numbers the names.

    While all names are integers the blocks are kept as they are, and at the end the names are the distinct integers
    in ascending order. With the first name that is text all names become text, in the order of their first appearance:
    row by row.

    Parameters
    ----------
    num_column : int
        C: names in a row; two for the ends of edges.
    num_thread : int
        Threads that look names up.
    """

    def __init__(self, num_column: int, num_thread: int = 1) -> None:
        self.num_column = num_column
        self.num_thread = num_thread
        self._blocks: deque[npt.NDArray] = deque()
        self._weights: deque[FloatArray] = deque()
        self._nodes: deque[npt.NDArray[np.int64]] = deque()
        self._text: TextInterner | None = None
        self.num_edges = 0
        self.num_weights = 0

    @property
    def room(self) -> int | None:
        """Bytes of memory that a reader may still take; None if that is not known."""
        total = total_memory()
        return None if total is None else max(0, total - resident_memory())

    @property
    def is_text(self) -> bool:
        """Whether a name that is not an integer has come."""
        return self._text is not None

    def add_nodes(self, names: pa.Array) -> None:
        """Add nodes that may have no edges: int64, string or large_string, without nulls."""
        import pyarrow as pa

        if not len(names):
            return
        if self._text is None and names.type == pa.int64():
            # A copy, which can be written to: one kind of array, one compilation.
            self._nodes.append(np.array(names.to_numpy()))
            return
        text = self._to_text()
        for first in range(0, len(names), _ROWS):
            self._intern_names(text, names[first : first + _ROWS])

    def add_integers(self, ends: npt.NDArray[np.integer], weights: FloatArray | None = None) -> None:
        """Add integer names: int64 or int32 [C, E]; of edges heads, then tails."""
        if not ends.shape[1]:
            return
        if self._text is not None:
            self._keep(self._intern(self._text, ends))
        else:
            small = ends.dtype == np.int32 or (ends.min() >= -(2**31) and ends.max() < 2**31)
            self._keep(ends.astype(np.int32) if small else ends)
        self._add_weights(weights, ends.shape[1])

    def add_text(
        self, block: npt.NDArray[np.uint8], tokens: npt.NDArray[np.int64], weights: FloatArray | None = None
    ) -> None:
        """Add text names: tokens int64 [C, E], ``start << 32 | length`` in the read-only `block`."""
        if not tokens.shape[1]:
            return
        self._keep(self._to_text().add(block, tokens))
        self._add_weights(weights, tokens.shape[1])

    def add_arrow(self, *columns: pa.Array, weights: FloatArray | None = None) -> None:
        """Add names of C Arrow arrays, each int64, string or large_string, without nulls."""
        import pyarrow as pa

        if all(column.type == pa.int64() for column in columns):
            self.add_integers(np.stack([column.to_numpy() for column in columns]), weights)
            return
        # A token has 31 bits for where it starts, so a large array is taken in parts.
        for first in range(0, len(columns[0]), _ROWS):
            rows = slice(first, first + _ROWS)
            part = [column[rows] for column in columns]
            self._add_arrow_text(part, None if weights is None else weights[rows])

    def _add_arrow_text(self, columns: Sequence[pa.Array], weights: FloatArray | None) -> None:
        starts, parts, base = [], [], 0
        for array in columns:
            offsets, data = text_buffers(array)
            # Of a slice only its own bytes.
            data = data[offsets[0] : offsets[-1]]
            starts.append((base + offsets[:-1] - offsets[0]) << 32 | np.diff(offsets))
            parts.append(data)
            base += len(data)
        block = np.concatenate([*parts, np.zeros(1, np.uint8)])
        block.flags.writeable = False
        self.add_text(block, np.stack(starts), weights)

    def _add_weights(self, weights: FloatArray | None, count: int) -> None:
        self.num_edges += count
        if weights is not None:
            self.num_weights += count
            self._keep_weights(weights)

    def _keep(self, ends: npt.NDArray) -> None:
        """Put away a block of integers, or of ids of names; [C, E]."""
        self._blocks.append(ends)

    def _keep_weights(self, weights: FloatArray) -> None:
        self._weights.append(weights)

    def _to_text(self) -> TextInterner:
        if self._text is None:
            import pyarrow as pa

            self._text = TextInterner(self.num_thread)
            while self._nodes:
                self._intern_names(self._text, pa.array(self._nodes.popleft()))
            self._name_blocks(self._text)
        return self._text

    @staticmethod
    def _intern_names(text: TextInterner, names: pa.Array) -> None:
        offsets, data = text_buffers(names)
        tokens = (offsets[:-1] - offsets[0]) << 32 | np.diff(offsets)
        text.add(data[offsets[0] :], tokens.reshape(1, -1))

    def _name_blocks(self, text: TextInterner) -> None:
        """Turn the integers that were put away into ids of names."""
        for _ in range(len(self._blocks)):
            self._blocks.append(self._intern(text, self._blocks.popleft()))

    def _intern(self, text: TextInterner, ends: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        import pyarrow as pa

        # Line by line, so that the order of first appearance is that of the file.
        offsets, data = text_buffers(pa.array(ends.T.ravel()).cast(pa.string()))
        tokens = (offsets[:-1] << 32 | np.diff(offsets)).reshape(-1, self.num_column).T
        return text.add(data, np.ascontiguousarray(tokens))

    def finish_columns(self) -> tuple[list[npt.NDArray[np.int32]], FloatArray | None, Vocabulary]:
        """Return the C columns of ids [E], the weights and the names; the collector is empty afterwards."""
        if self._text is not None:
            names = Vocabulary.from_arrow(self._text.to_arrow(), check=False)
            self._text = None
        else:
            names = self._number_integers()
        columns = self._join_blocks()
        weights = np.concatenate(self._weights) if self._weights else None
        self._weights.clear()
        self.num_edges = self.num_weights = 0
        return columns, weights, names

    def _join_blocks(self) -> list[npt.NDArray[np.int32]]:
        total = sum(block.shape[1] for block in self._blocks)
        columns = [np.empty(total, np.int32) for _ in range(self.num_column)]
        start = 0
        while self._blocks:
            # A block goes as soon as it has been copied: in the end only one copy of the ids remains.
            block = self._blocks.popleft()
            for column, ids in zip(columns, block, strict=True):
                column[start : start + block.shape[1]] = ids
            start += block.shape[1]
        return columns

    def _number_integers(self) -> Vocabulary:
        """Turn the integers of all blocks into node ids; return the vocabulary."""
        if not self._blocks and not self._nodes:
            return Vocabulary.range(0)
        low = min(int(block.min()) for block in (*self._blocks, *self._nodes))
        high = max(int(block.max()) for block in (*self._blocks, *self._nodes))
        num_name = self.num_column * self.num_edges + sum(map(len, self._nodes))
        if low < 0 or high >= _SPREAD * num_name + 1024:
            return self._number_sparse()
        present = np.zeros(high + 1, np.bool_)
        while self._nodes:
            present[self._nodes.popleft()] = True
        for block in self._blocks:
            for column in block:
                present[column] = True
        # Before ids are made: int32 would wrap without a word.
        check_count(int(np.count_nonzero(present)))
        if present.all():
            return Vocabulary.range(high + 1)
        node = np.cumsum(present, dtype=np.int32) - np.int32(1)
        for _ in range(len(self._blocks)):
            self._blocks.append(node[self._blocks.popleft()])
        return integer_vocabulary(np.flatnonzero(present))

    def _number_sparse(self) -> Vocabulary:
        interner = IntegerInterner()
        while self._nodes:
            interner.add(self._nodes.popleft().reshape(1, -1))
        for _ in range(len(self._blocks)):
            self._blocks.append(interner.add(np.ascontiguousarray(self._blocks.popleft(), np.int64)))
        names = interner.names()
        check_count(len(names))
        order = np.argsort(names)
        node = np.empty(len(names), np.int32)
        node[order] = np.arange(len(names), dtype=np.int32)
        for _ in range(len(self._blocks)):
            self._blocks.append(node[self._blocks.popleft()])
        return integer_vocabulary(names[order])


class EdgeCollector(NameCollector):
    """Takes blocks of edges in order, heads before tails, and numbers the nodes."""

    def __init__(self, num_thread: int = 1) -> None:
        super().__init__(2, num_thread)

    def finish(self) -> EdgeColumns:
        """Return all edges; the collector is empty afterwards."""
        (heads, tails), weights, names = self.finish_columns()
        return EdgeColumns(heads, tails, weights, names)


def integer_vocabulary(names: npt.NDArray[np.int64]) -> Vocabulary:
    """Return the vocabulary of different integers, int64 [N]."""
    import pyarrow as pa

    return Vocabulary.from_arrow(pa.array(names), check=False)
