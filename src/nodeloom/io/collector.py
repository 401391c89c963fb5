"""Collector: blocks of edges with names in, edge columns with node ids and a vocabulary out."""

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
    import pyarrow as pa

    from nodeloom.typing import FloatArray

# A table with an entry for every number up to the largest is used while it has at most this many entries for each end
# of an edge.
_SPREAD = 4
_ROWS = 1 << 18  # edges between names of an Arrow array taken at a time


class EdgeCollector:
    """Takes blocks of edges in order, and numbers the nodes.

    While all names are integers the blocks are kept as they are, and at the end the nodes are the distinct integers
    in ascending order. With the first name that is text all names become text, in the order of their first appearance
    (head before tail).
    """

    def __init__(self, num_thread: int = 1) -> None:
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
        """Add edges between integer names: int64 or int32 [2, E], heads then tails."""
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
        """Add edges between text names: tokens int64 [2, E], ``start << 32 | length`` in the read-only `block`."""
        if not tokens.shape[1]:
            return
        self._keep(self._to_text().add(block, tokens))
        self._add_weights(weights, tokens.shape[1])

    def add_arrow(self, heads: pa.Array, tails: pa.Array, weights: FloatArray | None = None) -> None:
        """Add edges of two Arrow arrays, each int64, string or large_string, without nulls."""
        import pyarrow as pa

        if heads.type == pa.int64() and tails.type == pa.int64():
            self.add_integers(np.stack([heads.to_numpy(), tails.to_numpy()]), weights)
            return
        # A token has 31 bits for where it starts, so a large array is taken in parts.
        for first in range(0, len(heads), _ROWS):
            rows = slice(first, first + _ROWS)
            self._add_arrow_text(heads[rows], tails[rows], None if weights is None else weights[rows])

    def _add_arrow_text(self, heads: pa.Array, tails: pa.Array, weights: FloatArray | None) -> None:
        starts, parts, base = [], [], 0
        for array in (heads, tails):
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
        """Put away a block of integers, or of ids of names; [2, E]."""
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

    @staticmethod
    def _intern(text: TextInterner, ends: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        import pyarrow as pa

        # Line by line, so that the order of first appearance is that of the file.
        offsets, data = text_buffers(pa.array(ends.T.ravel()).cast(pa.string()))
        tokens = (offsets[:-1] << 32 | np.diff(offsets)).reshape(-1, 2).T
        return text.add(data, np.ascontiguousarray(tokens))

    def finish(self) -> EdgeColumns:
        """Return all edges; the collector is empty afterwards."""
        if self._text is not None:
            names = Vocabulary.from_arrow(self._text.to_arrow(), check=False)
            self._text = None
        else:
            names = self._number_integers()
        heads, tails = self._join_ends()
        weights = np.concatenate(self._weights) if self._weights else None
        self._weights.clear()
        self.num_edges = self.num_weights = 0
        return EdgeColumns(heads, tails, weights, names)

    def _join_ends(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        total = sum(block.shape[1] for block in self._blocks)
        heads, tails = np.empty(total, np.int32), np.empty(total, np.int32)
        start = 0
        while self._blocks:
            # A block goes as soon as it has been copied: in the end only one copy of the edges remains.
            block = self._blocks.popleft()
            heads[start : start + block.shape[1]] = block[0]
            tails[start : start + block.shape[1]] = block[1]
            start += block.shape[1]
        return heads, tails

    def _number_integers(self) -> Vocabulary:
        """Turn the integers of all blocks into node ids; return the vocabulary."""
        if not self._blocks and not self._nodes:
            return Vocabulary.range(0)
        low = min(int(block.min()) for block in (*self._blocks, *self._nodes))
        high = max(int(block.max()) for block in (*self._blocks, *self._nodes))
        num_name = 2 * self.num_edges + sum(map(len, self._nodes))
        if low < 0 or high >= _SPREAD * num_name + 1024:
            return self._number_sparse()
        present = np.zeros(high + 1, np.bool_)
        while self._nodes:
            present[self._nodes.popleft()] = True
        for block in self._blocks:
            present[block[0]] = True
            present[block[1]] = True
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


def integer_vocabulary(names: npt.NDArray[np.int64]) -> Vocabulary:
    """Return the vocabulary of different integers, int64 [N]."""
    import pyarrow as pa

    return Vocabulary.from_arrow(pa.array(names), check=False)
