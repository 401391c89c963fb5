"""Normalised weights of a graph that is not in memory: the sums of its rows and columns first, then entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.cpu import adjacency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.graph.writing import GraphWriter
    from nodeloom.typing import FloatArray, IndexArray, OffsetArray

_ROWS = 1 << 16
# Chunks of a long row begin at multiples of this, so that vector code meets the entries where it meets them in memory.
_ALIGNED = 1 << 12


class Normalizer:
    """Gathers the weights out of and into each node while rows are built; then gives the weights of all entries.

    Parameters
    ----------
    num_nodes : int
        N. 8 bytes of each are held, 16 in a directed graph.
    directed : bool
        Whether the weights into a node are others than those out of it.
    num_thread : int
        Threads that compute.
    """

    def __init__(self, num_nodes: int, directed: bool, num_thread: int) -> None:
        self._out = np.zeros(num_nodes, np.float64)
        self._in = np.zeros(num_nodes, np.float64) if directed else self._out
        self._directed = directed
        self._num_thread = num_thread
        self._long: list[tuple[int, int, int]] = []

    def add_rows(self, first: int, indptr: OffsetArray, indices: IndexArray, weights: FloatArray | None) -> None:
        """Take whole rows from `first` on."""
        here = slice(first, first + len(indptr) - 1)
        self._out[here] = (
            np.diff(indptr) if weights is None else adjacency.row_sums(indptr, weights, num_thread=self._num_thread)
        )
        self.add_entries(indices, weights)

    def add_entries(self, indices: IndexArray, weights: FloatArray | None) -> None:
        """Take the next entries, in their order, for the sums of the columns."""
        if self._directed:
            adjacency.add_column_sums(indices, weights, self._in)

    def add_long_row(self, row: int, first: int, last: int) -> None:
        """Take note that the entries ``first`` to ``last`` are one row, which was built in parts."""
        self._long.append((row, first, last))

    def weights(self, writer: GraphWriter, weighted: bool, capacity: int) -> Iterator[FloatArray]:
        """Yield the float32 weights of all entries, in parts.

        Parameters
        ----------
        writer : GraphWriter
            Has been given all entries.
        weighted : bool
            Whether they had weights.
        capacity : int
            Bytes that a part may take.
        """
        writer.flush()
        most = max(_ALIGNED, capacity // 16 // _ALIGNED * _ALIGNED)
        for row, first, last in self._long:
            # Summed as one row, as it would be in memory; a map lets the system drop what was read.
            whole = np.memmap(writer.weights_path, np.float32, "r") if weighted else None
            indptr = np.array([0, last - first])
            self._out[row] = last - first if whole is None else adjacency.row_sums(indptr, whole[first:last])[0]
        for row in range(0, len(self._out), _ROWS):
            num_row = min(_ROWS, len(self._out) - row)
            indptr = np.fromfile(
                writer.path, "<i8", num_row + 1, offset=writer.indices_at - 8 * (len(self._out) + 1 - row)
            )
            yield from self._piece(writer, weighted, row, indptr, most)

    def _piece(
        self, writer: GraphWriter, weighted: bool, row: int, indptr: OffsetArray, most: int
    ) -> Iterator[FloatArray]:
        """Yield the weights of some rows, as many at a time as there is memory for."""
        start = 0
        while start < len(indptr) - 1:
            stop = int(np.searchsorted(indptr, indptr[start] + most, side="right")) - 1
            if stop > start:
                inner = indptr[start : stop + 1]
                yield self._part(writer, weighted, row + start, inner)
            else:
                stop = start + 1
                for first in range(int(indptr[start]), int(indptr[stop]), most):
                    inner = np.array([first, min(first + most, int(indptr[stop]))])
                    yield self._part(writer, weighted, row + start, inner)
            start = stop

    def _part(self, writer: GraphWriter, weighted: bool, row: int, indptr: OffsetArray) -> FloatArray:
        count, first = int(indptr[-1] - indptr[0]), int(indptr[0])
        indices = np.fromfile(writer.path, "<i4", count, offset=writer.indices_at + 4 * first)
        weights = np.fromfile(writer.weights_path, np.float32, count, offset=4 * first) if weighted else None
        out = self._out[row : row + len(indptr) - 1]
        return adjacency.normalize(indptr - first, indices, weights, out, self._in, num_thread=self._num_thread)
