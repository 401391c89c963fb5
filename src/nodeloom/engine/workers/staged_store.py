"""The tables of one part of a model over workers with GPUs that cannot hold their share: it lies in main memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.grid.tables import packed, unpacked
from nodeloom.engine.plan import Part
from nodeloom.engine.store import within
from nodeloom.engine.workers.group import Workers
from nodeloom.engine.workers.store import WorkerStore
from nodeloom.engine.workers.table import PartTable
from nodeloom.partition import Placement, Side
from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 22  # values that are looked at together: beside the tables there is little room


class StagedTable(PartTable):
    """Parts of a table in main memory, all in one array, so that a device can be told of it once.

    Parameters
    ----------
    rows, row : int
        Rows of a part; values of a row.
    count : int
        Parts that are there at a time, at most.
    dtype : dtype
        float32, or uint16 for bfloat16.

    Attributes
    ----------
    array : float32 or uint16 [count * rows, row]
        The memory of all parts.
    """

    def __init__(self, rows: int, row: int, count: int, dtype: npt.DTypeLike) -> None:
        super().__init__(rows, row)
        self.array: npt.NDArray[Any] = np.zeros((count * rows, row), dtype)
        self._free = [self.array[number * rows : (number + 1) * rows] for number in reversed(range(count))]

    def values(self, number: int) -> FloatArray:
        """Return the values of a part that is there, float32 [rows, row]: to be read."""
        return unpacked(self._parts[number])

    def put(self, number: int, places: IndexArray, values: FloatArray) -> None:
        """Set the first columns of some rows of a part, `values` being float32 [len(places), at most row]."""
        self._parts[number][places, : values.shape[1]] = packed(values, self.array.dtype)

    def is_within(self, most: float) -> bool:
        """Tell whether no value of a part that is there is NaN or beyond `most`."""
        rows = max(1, _BLOCK // self._shape[1])
        return all(
            within(unpacked(part[first : first + rows]), most)
            for part in self._parts.values()
            for first in range(0, len(part), rows)
        )

    def _new(self) -> Any:
        raise RuntimeError(f"all {len(self.array) // self._shape[0]} places for parts are taken")


class StagedStore(WorkerStore):
    """The share of a worker in main memory; the same methods as :class:`nodeloom.engine.workers.store.WorkerStore`.

    Parameters
    ----------
    part, placement, num_moment, workers, num_thread
        As there.
    table_dtype : {"fp32", "bf16"}
        Number format of the vectors; moments are fp32.
    """

    def __init__(
        self,
        part: Part,
        placement: Placement,
        num_moment: int,
        workers: Workers,
        *,
        table_dtype: str,
        num_thread: int = 1,
    ) -> None:
        self._dtype = np.float32 if table_dtype == "fp32" else np.uint16
        super().__init__(part, placement, num_moment, workers, num_thread=num_thread)

    def _table(self, side: Side, number: int) -> PartTable:
        num_worker = self.workers.num_worker
        count = self.placement.num_vertex_part // num_worker
        if side == "context":
            count = self.placement.num_context_part // num_worker + 1  # one may come before another one has gone
        return StagedTable(self.placement.rows(side), self._row, count, np.float32 if number else self._dtype)

    def is_here(self, part: int) -> bool:
        """Tell whether a context part is with this worker, and not on its way."""
        return self.where[part] == self.workers.rank and part not in self._coming
