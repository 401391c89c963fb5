"""Tables of which a grid brings parts to where they are trained: in main memory, or in files that nobody can leave behind."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.memory import MainMemory
from nodeloom.engine.rows import RowOrder
from nodeloom.engine.storage import Storage, row_blocks
from nodeloom.engine.tables import Tables
from nodeloom.errors import OutputError, describe
from nodeloom.plan.mode import Blocks
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.model.stage import Stage
    from nodeloom.model.tables import TableSpec, Uniform
    from nodeloom.partition import Placement
    from nodeloom.plan.plan import Plan


class FileStorage(Storage):
    """Rows in a temporary file without a name: it goes when the process ends, however that happens.

    Rows are read and written, not mapped, so that they take the memory of their buffers and no more.

    Raises
    ------
    OutputError
        If the folder for temporary files has no room.
    """

    def __init__(self, memory: MainMemory, order: RowOrder, row: int) -> None:
        self._dtype, self._row_bytes = memory.dtype, row * memory.dtype.itemsize
        super().__init__(memory, order, row)

    def _zeros(self, num_rows: int, row: int) -> npt.NDArray[Any]:
        with _open(tempfile.gettempdir(), num_rows * self._row_bytes) as file:
            array: npt.NDArray[Any] = np.memmap(file, dtype=self._dtype, mode="r+", shape=(num_rows, row))
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)
        return array

    def _fill(self, rows: slice, init: Uniform, dim: int) -> None:
        block = self.memory.zeros(rows.stop - rows.start, self.row)
        self.memory.fill(block, rows.start, init.key, dim, init.scale)
        self.store(rows.start, block)

    def blocks(self) -> Iterator[Any]:
        """Yield all rows, some at a time, to be read: in a buffer that is used again."""
        bounds = list(row_blocks(0, len(self.array), self.row))
        buffer = self.memory.zeros(max((last - first for first, last in bounds), default=0), self.row)
        for first, last in bounds:
            self.load(first, buffer[: last - first])
            yield buffer[: last - first]

    def load(self, first: int, out: npt.NDArray[Any]) -> None:
        """Read rows ``first ...`` as they are stored into `out`, contiguous."""
        if not hasattr(os, "preadv"):  # Windows
            out[:] = self.array[first : first + len(out)]
            return
        view, at = memoryview(out.data).cast("B"), first * self._row_bytes
        done = 0
        while done < len(view):
            count = os.preadv(self._file, [view[done:]], at + done)
            if count <= 0:
                raise OSError(errno.EIO, "a temporary file ends early")
            done += count

    def store(self, first: int, rows: npt.NDArray[Any]) -> None:
        """Write `rows`, contiguous and as they are stored, as rows ``first ...``."""
        if not hasattr(os, "pwritev"):
            self.array[first : first + len(rows)] = rows
            return
        view, at = memoryview(rows.data).cast("B"), first * self._row_bytes
        done = 0
        while done < len(view):
            done += os.pwritev(self._file, [view[done:]], at + done)


def _open(folder: str, length: int) -> IO[bytes]:
    try:
        file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  the caller closes it
        if hasattr(os, "posix_fallocate"):  # a full disk shows now, not in the middle of a training
            os.posix_fallocate(file.fileno(), 0, length)
        else:
            file.truncate(length)
    except OSError as error:
        raise OutputError(
            describe(
                folder,
                expected=f"room for a table of {size(length)}",
                got=os.strerror(error.errno or 0),
                hint="Set TMPDIR to a folder on a larger disk, "
                f"raise {setting('resource.memory_limit')}, or lower {setting('resource.dim')}.",
            )
        ) from error
    return file


def grid_tables(plan: Plan, stage: Stage, placement: Placement) -> Tables:
    """Return the tables of a part in the order of the slots of a grid, of zeros."""
    in_files = isinstance(plan.mode, Blocks) and plan.mode.storage == "file"
    order, kind = RowOrder.of(placement), FileStorage if in_files else Storage
    is_rounded = plan.device != "cpu" and plan.table_dtype == "bf16"
    moments = MainMemory(plan.num_thread)
    vectors = MainMemory(plan.num_thread, np.uint16) if is_rounded else moments

    def storage(spec: TableSpec, is_moment: bool) -> Storage:
        return kind(moments if is_moment else vectors, order, spec.row)

    return Tables(stage.objective.tables, plan.optimizer.num_moment, storage, placement=placement)
