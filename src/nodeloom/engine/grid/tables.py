"""Tables of the host that a grid is cut from: in memory, or in files that nobody can leave behind."""

from __future__ import annotations

import errno
import os
import tempfile
import weakref
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import OutputError, describe
from nodeloom.units import size
from nodeloom.words import setting


class HostTable:
    """A table in main memory.

    Attributes
    ----------
    array : float32, or uint16 for bfloat16 [num_slot, row]
        Its rows; for a table in a file a memory map.
    """

    def __init__(self, num_rows: int, row: int, dtype: npt.DTypeLike) -> None:
        # Zeros that the system hands out when they are first touched; rows start on pages.
        self.array: npt.NDArray[Any] = np.zeros((num_rows, row), dtype)

    def part(self, number: int, rows: int) -> npt.NDArray[Any]:
        """Return a part, [rows, row]: the memory itself."""
        return self.array[number * rows : (number + 1) * rows]

    def load(self, first: int, out: npt.NDArray[Any]) -> None:
        """Copy rows ``first ...`` to `out`."""
        out[:] = self.array[first : first + len(out)]

    def store(self, first: int, rows: npt.NDArray[Any]) -> None:
        """Copy `rows` to rows ``first ...``."""
        self.array[first : first + len(rows)] = rows


class FileTable(HostTable):
    """A table in a temporary file without a name: it goes when the process ends, however that happens.

    Parts are read and written, not mapped, so that they take the memory of their buffers and no more.

    Raises
    ------
    OutputError
        If the folder has no room for it.
    """

    def __init__(self, num_rows: int, row: int, dtype: npt.DTypeLike, folder: str) -> None:
        self._dtype, self._row = np.dtype(dtype), row
        self._row_bytes = row * self._dtype.itemsize
        length = num_rows * self._row_bytes
        with _open(folder, length) as file:
            self.array = np.memmap(file, dtype=dtype, mode="r+", shape=(num_rows, row))
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)

    def load(self, first: int, out: npt.NDArray[Any]) -> None:
        """Read rows ``first ...`` into `out`, contiguous."""
        if not hasattr(os, "preadv"):  # Windows
            super().load(first, out)
            return
        view, at = memoryview(out.data).cast("B"), first * self._row_bytes
        done = 0
        while done < len(view):
            count = os.preadv(self._file, [view[done:]], at + done)
            if count <= 0:
                raise OSError(errno.EIO, "a temporary file ends early")
            done += count

    def store(self, first: int, rows: npt.NDArray[Any]) -> None:
        """Write `rows`, contiguous, as rows ``first ...``."""
        if not hasattr(os, "pwritev"):
            super().store(first, rows)
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
