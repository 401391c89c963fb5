"""The rows of one table: in one array of some memory, in the order of the nodes or in that of slots."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nodeloom.engine.rows import RowOrder
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.kernels.cpu.permute import permute_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nodeloom.engine.memory import Memory, Rows
    from nodeloom.model.tables import TableSpec, Uniform
    from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 22  # values that are handled together: beside the tables there is little room
_ALL = slice(None)

MakeStorage: TypeAlias = "Callable[[TableSpec, bool], Storage]"
"""Returns where the rows of a table are, or those of a moment of it."""


def row_blocks(first: int, last: int, row: int) -> Iterator[tuple[int, int]]:
    """Yield bounds of rows ``first ... last``, each of `row` values, that are handled together."""
    return itertools.pairwise([*range(first, last, max(1, _BLOCK // row)), last])


class Storage:
    """The rows of one table.

    Parameters
    ----------
    memory : Memory
        Where they are.
    order : RowOrder
        Where the row of each node is while they are trained.
    row : int
        Values of a row, padding included.
    is_copy : bool
        Whether worker 0 has the same rows, and those here need not be read.

    Attributes
    ----------
    array : [num_rows, row]
        The rows themselves.
    order : RowOrder
        Where the row of each node is now.
    """

    def __init__(self, memory: Memory, order: RowOrder, row: int, *, is_copy: bool = False) -> None:
        self.memory, self.order, self.row, self._is_copy = memory, order, row, is_copy
        self.array = self._zeros(order.num_rows, row)

    def _zeros(self, num_rows: int, row: int) -> Any:
        return self.memory.zeros(num_rows, row)

    def part(self, rows: slice | None = None) -> Any:
        """Return all rows or some, as they are stored, where they are trained."""
        return self.array if rows is None else self.array[rows]

    def pieces(self, first: int, last: int) -> Iterator[tuple[Any, Rows, Rows]]:
        """Yield each array that has some of the nodes ``first ... last``, which of them these are, and their rows."""
        yield self.array, _ALL, self.order.rows(first, last)

    def initialize(self, init: Uniform, dim: int) -> None:
        """Set the rows to their first values."""
        memory = self.memory

        def fill(first: int, last: int) -> None:
            for start, end in row_blocks(first, last, self.row):
                block = None
                for array, here, rows in self.pieces(start, end):
                    if isinstance(rows, slice):  # in one piece
                        self._fill(rows, init, dim)
                        continue
                    if block is None:
                        block = memory.zeros(end - start, self.row)
                        memory.fill(block, start, init.key, dim, init.scale)
                    memory.copy(block, here, array, rows)

        run_slices(fill, self.order.num_nodes, memory.num_thread)

    def _fill(self, rows: slice, init: Uniform, dim: int) -> None:
        self.memory.fill(self.array[rows], rows.start, init.key, dim, init.scale)

    def read(self) -> FloatArray | None:
        """Return all rows in the order of the nodes, float32 [N, row]: the memory itself where that is possible. None for a copy.

        That is possible for float32 in main memory, in this order.
        """
        if self._is_copy:
            return None
        order = self.order
        if order.slot is None:
            return self.memory.read(self.array, slice(0, order.num_nodes))
        found = np.empty((order.num_nodes, self.row), np.float32)
        for first, last in row_blocks(0, order.num_nodes, self.row):
            found[first:last] = self.memory.read(self.array, order.rows(first, last))
        return found

    @property
    def is_movable(self) -> bool:
        """Whether :meth:`read` needs a copy because of the order of the rows alone."""
        return self.order.slot is not None and isinstance(self.array, np.ndarray) and self.array.dtype == np.float32

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


def move_rows(storages: Sequence[Storage], slots: RowOrder, *, by_node: bool) -> None:
    """Move rows in place, from the order `slots` to that of the nodes or back."""
    if not storages:
        return
    place = slots.permutation()
    if not by_node:
        inverse = np.empty_like(place)
        inverse[place] = np.arange(len(place), dtype=place.dtype)
        place = inverse
    run_slices(
        lambda first, last: [permute_rows(storage.array, place) for storage in storages[first:last]],
        len(storages),
        storages[0].memory.num_thread,
    )
    for storage in storages:
        storage.order = RowOrder(slots.num_nodes, slots.num_rows) if by_node else slots


def storage_in(memory: Memory, moments: Memory | None = None, *, is_copy: bool = False) -> MakeStorage:
    """Return what makes the storages of tables in a memory; moments may be in another one."""
    memories = memory, moments or memory
    return lambda spec, is_moment: Storage(
        memories[is_moment], RowOrder(spec.num_rows, spec.num_rows), spec.row, is_copy=is_copy
    )


def _chosen(rows: Rows, wanted: IndexArray) -> IndexArray:
    return wanted + (rows.start or 0) if isinstance(rows, slice) else rows[wanted]
