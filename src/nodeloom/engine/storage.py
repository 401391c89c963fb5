"""Where the rows of one table are: in one array of some memory, in the order of the nodes or in that of slots."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.memory import Memory, Rows
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.model.tables import Uniform
from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 22  # values that are handled together: beside the tables there is little room
_ALL = slice(None)


def row_blocks(first: int, last: int, row: int) -> Iterator[tuple[int, int]]:
    """Yield bounds of rows ``first ... last``, each of `row` values, that are handled together."""
    return itertools.pairwise([*range(first, last, max(1, _BLOCK // row)), last])


class Storage:
    """The rows of one table.

    Parameters
    ----------
    memory : Memory
        Where they are.
    num_rows, row : int
        Rows; values of each, padding included.

    Attributes
    ----------
    array : [num_rows, row]
        The rows themselves.
    """

    def __init__(self, memory: Memory, num_rows: int, row: int) -> None:
        self.memory, self.num_rows, self.row = memory, num_rows, row
        self.array = memory.zeros(num_rows, row)

    def part(self, rows: slice) -> Any:
        """Return rows as they are stored, where they are trained."""
        return self.array[rows]

    def pieces(self, first: int, last: int) -> Iterator[tuple[Any, Rows, Rows]]:
        """Yield each array that has some of the nodes ``first ... last``, which of them these are, and their rows."""
        yield self.array, _ALL, slice(first, last)

    def initialize(self, init: Uniform, dim: int) -> None:
        """Set the rows to their first values."""
        memory = self.memory

        def fill(first: int, last: int) -> None:
            for start, end in row_blocks(first, last, self.row):
                block = None
                for array, here, rows in self.pieces(start, end):
                    if here is _ALL and isinstance(rows, slice):
                        memory.fill(array[rows], start, init.key, dim, init.scale)
                        continue
                    if block is None:
                        block = memory.zeros(end - start, self.row)
                        memory.fill(block, start, init.key, dim, init.scale)
                    memory.copy(block, here, array, rows)

        run_slices(fill, self.num_rows, memory.num_thread)

    def read(self) -> FloatArray | None:
        """Return all rows in the order of the nodes, float32 [N, row]: the memory itself where that is possible."""
        return self.memory.read(self.array, _ALL)

    def write(self, values: FloatArray, chosen: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns, of all rows or of those where the mask `chosen` [N] is true; `values` is [N, at most row]."""
        for first, last in row_blocks(0, len(values), self.row):
            for array, here, rows in self.pieces(first, last):
                if chosen is not None:
                    wanted = np.flatnonzero(chosen[first:last][here])
                    here, rows = _chosen(here, wanted), _chosen(rows, wanted)
                self.memory.write(array, rows, np.asarray(values[first:last][here], np.float32))

    def is_within(self, most: float) -> bool:
        """Tell whether no value is NaN or beyond `most`."""
        return all(self.memory.is_within(block, most) for block in self.blocks())

    def blocks(self) -> Iterator[Any]:
        """Yield all rows, some at a time, to be read."""
        for first, last in row_blocks(0, len(self.array), self.row):
            yield self.array[first:last]


def _chosen(rows: Rows, wanted: IndexArray) -> IndexArray:
    return wanted + (rows.start or 0) if isinstance(rows, slice) else rows[wanted]
