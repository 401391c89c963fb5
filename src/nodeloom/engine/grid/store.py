"""The tables of one part of a model, as a grid needs them: rows in the order of slots, in memory or in files."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from nodeloom.engine.grid.tables import FileTable, HostTable
from nodeloom.engine.memory import packed, unpacked, within
from nodeloom.kernels.cpu.initial import uniform_rows
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.kernels.cpu.permute import permute_rows
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.model.parts import Part
from nodeloom.partition import Placement
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import Purpose, stream
from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 22  # values that are handled together: beside the tables there is little room


class GridStore:
    """Tables of one part; the same methods as :class:`nodeloom.engine.tables.Tables`.

    Rows lie in the order of slots while they are trained, and in that of nodes once :meth:`read` was called: they are moved in place,
    so that there is never a second copy.

    Parameters
    ----------
    part : Part
        The part.
    placement : Placement
        Slots of the nodes.
    num_moment : int
        Tables of the optimizer beside each table.
    table_dtype : {"fp32", "bf16"}
        Number format.
    in_files : bool
        Whether tables lie in temporary files.
    num_thread : int
        Threads.

    Attributes
    ----------
    num_nodes, num_thread : int
        Nodes; threads.
    in_files, moved : bool
        Whether tables lie in files; whether slots are others than nodes.
    sides : dict of str to list of HostTable
        "vertex" and "context": the table of that side and its moments; one list for both in LINE's first order.
    """

    def __init__(
        self,
        part: Part,
        placement: Placement,
        num_moment: int,
        *,
        table_dtype: str = "fp32",
        in_files: bool = False,
        num_thread: int = 1,
    ) -> None:
        self.in_files = in_files
        self.placement, self.num_nodes = placement, len(placement.slot)
        self.num_thread, self._part = num_thread, part
        self._in_slots = True
        # Nodes stay where they are if every slot is that of its node: then there is nothing to move.
        self.moved = not _is_identity(placement.slot)

        def table(dtype: npt.DTypeLike) -> HostTable:
            if in_files:
                return FileTable(placement.num_slot, part.row, dtype, tempfile.gettempdir())
            return HostTable(placement.num_slot, part.row, dtype)

        def side() -> list[HostTable]:
            first = table(np.float32 if table_dtype == "fp32" else np.uint16)
            return [first, *(table(np.float32) for _ in range(num_moment))]

        vertex = side()
        self.sides = {"vertex": vertex, "context": vertex if part.order == 1 else side()}

    @property
    def tied(self) -> bool:
        """Whether vertex and context are one table."""
        return self.sides["vertex"] is self.sides["context"]

    def _tables(self) -> dict[str, HostTable]:
        found = {}
        for name in ("vertex",) if self.tied else ("vertex", "context"):
            first, *moments = self.sides[name]
            found[name] = first
            found |= {f"{name}_moment{number}": moment for number, moment in enumerate(moments, 1)}
        return found

    def names(self) -> tuple[str, ...]:
        """Return the names of all distinct tables, as they are called in files."""
        return tuple(self._tables())

    def initialize(self) -> None:
        """Give the vertex table the first values of :class:`nodeloom.engine.tables.Tables`; the context table starts at 0."""
        part = self._part
        key, scale = np.uint64(stream(part.seed, Purpose.INITIAL_VERTEX)), np.float32(initial_scale(part.dim))
        table = self.sides["vertex"][0]

        def fill(first: int, last: int) -> None:
            for start, end in _blocks(first, last, part.row):
                rows = np.zeros((end - start, part.row), np.float32)
                uniform_rows(key, start, part.dim, scale, rows)
                places = self._rows_of(start, end)
                if isinstance(places, slice):
                    table.store(start, packed(rows, table.array.dtype))
                else:
                    table.array[places] = packed(rows, table.array.dtype)

        run_slices(fill, self.num_nodes, self.num_thread)

    def read(self, name: str) -> FloatArray:
        """Return a table by name in the order of the nodes, float32 [N, row]: itself, moved in place, or a copy if it is bfloat16."""
        self._order(in_slots=False)
        return unpacked(self._tables()[name].array[: self.num_nodes])

    def write(self, name: str, values: FloatArray, rows: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` [N] is true."""
        table = self._tables()[name].array
        for first, last in _blocks(0, self.num_nodes, table.shape[1]):
            places = self._rows_of(first, last)
            block = packed(np.asarray(values[first:last], np.float32), table.dtype)
            if isinstance(places, slice):
                target = table[places, : values.shape[1]]
                if rows is None:
                    target[:] = block
                else:
                    target[rows[first:last]] = block[rows[first:last]]
            elif rows is None:
                table[places, : values.shape[1]] = block
            else:
                table[places[rows[first:last]], : values.shape[1]] = block[rows[first:last]]

    def is_sound(self) -> bool:
        """Tell whether all values are finite, and none of a table is beyond :data:`nodeloom.model.optimizer.LARGEST_VALUE`."""
        for name, table in self._tables().items():
            most = float(np.finfo(np.float32).max) if "moment" in name else LARGEST_VALUE
            shape = table.array.shape
            buffer = np.empty((max(1, _BLOCK // shape[1]), shape[1]), table.array.dtype)  # files are read, not mapped
            for first, last in _blocks(0, *shape):
                rows = buffer[: last - first]
                table.load(first, rows)
                if not within(unpacked(rows), most):
                    return False
        return True

    def to_slots(self) -> None:
        """Bring the rows into the order of slots, for training."""
        self._order(in_slots=True)

    def _rows_of(self, first: int, last: int) -> slice | IndexArray:
        """Return where the rows of nodes ``first ... last`` are now."""
        if self._in_slots and self.moved:
            return self.placement.slot[first:last]
        return slice(first, last)

    def _order(self, *, in_slots: bool) -> None:
        if in_slots == self._in_slots:
            return
        if self.moved:
            slots = self.placement.slot
            count = self.placement.num_slot
            free = np.ones(count, np.bool_)
            free[slots] = False
            # Behind the rows of the nodes come those of slots without one.
            order = np.concatenate([slots, np.flatnonzero(free).astype(slots.dtype)])
            if in_slots:
                inverse = np.empty_like(order)
                inverse[order] = np.arange(count, dtype=order.dtype)
                order = inverse
            tables = [table.array for table in self._tables().values()]
            run_slices(
                lambda first, last: [permute_rows(table, order) for table in tables[first:last]],
                len(tables),
                self.num_thread,
            )
        self._in_slots = in_slots


def _is_identity(slot: IndexArray) -> bool:
    block = 1 << 20
    return all(
        bool((slot[first : first + block] == np.arange(first, min(first + block, len(slot)))).all())
        for first in range(0, len(slot), block)
    )


def _blocks(first: int, last: int, row: int) -> Iterator[tuple[int, int]]:
    edges = [*range(first, last, max(1, _BLOCK // row)), last]
    return itertools.pairwise(edges)
