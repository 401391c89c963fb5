"""Spill: columns of numbers that wait on the disk until there is memory for them."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Columns = tuple[npt.NDArray[Any], ...]


class SpillFolder:
    """A hidden folder beside a file that is being written; a context that removes it with all that is in it.

    Parameters
    ----------
    output : Path
        The file. There must be space for it anyway, while ``/tmp`` may be small, or memory itself.

    Attributes
    ----------
    path : Path
        The folder.
    """

    def __init__(self, output: Path) -> None:
        self._temporary = Temporary(output, folder=True)
        self.path = self._temporary.path
        self._runs: list[Run] = []
        self._count = 0

    def new_run(self) -> Run:
        """Return a run that is deleted with the folder at the latest."""
        self._count += 1
        self._runs = [run for run in self._runs if not run.removed]
        self._runs.append(Run(self.path / f"run{self._count}"))
        return self._runs[-1]

    def __enter__(self) -> SpillFolder:
        return self

    def __exit__(self, *error: object) -> None:
        for run in self._runs:
            # What was not written any more, for lack of space, is of no use.
            with contextlib.suppress(OSError):
                run.remove()
        self._temporary.remove()


class Run:
    """Columns on the disk: appended in blocks, read back in blocks or as a whole, in their order.

    Parameters
    ----------
    path : Path
        A file that does not exist yet.

    Attributes
    ----------
    num_rows : int
        Rows appended so far.
    """

    def __init__(self, path: Path) -> None:
        self.num_rows = 0
        self._path = path
        self._file = path.open("xb")
        self._blocks: list[tuple[int, tuple[np.dtype[Any], ...]]] = []

    def append(self, *columns: npt.NDArray[Any]) -> None:
        """Append one block: columns of one length, of any dtype of fixed size."""
        if not len(columns[0]):
            return
        for column in columns:
            self._file.write(np.ascontiguousarray(column).data)
        self._blocks.append((len(columns[0]), tuple(column.dtype for column in columns)))
        self.num_rows += len(columns[0])

    def blocks(self, rows: int) -> Iterator[Columns]:
        """Yield all rows, `rows` at a time, however they were appended."""
        gathered: list[Columns] = []
        count = base = 0
        self._file.flush()
        with self._path.open("rb") as file:
            for length, dtypes in self._blocks:
                start = 0
                while start < length:
                    taken = min(length - start, rows - count)
                    gathered.append(_part(file, base, length, dtypes, start, taken))
                    start, count = start + taken, count + taken
                    if count == rows:
                        yield _joined(gathered)
                        gathered, count = [], 0
                base += length * sum(dtype.itemsize for dtype in dtypes)
        if gathered:
            yield _joined(gathered)

    def read(self) -> Columns:
        """Return all rows of a run whose blocks all have the same dtypes."""
        dtypes = self._blocks[0][1] if self._blocks else ()
        columns = tuple(np.empty(self.num_rows, dtype) for dtype in dtypes)
        start = 0
        self._file.flush()
        with self._path.open("rb") as file:
            for length, _ in self._blocks:
                for column in columns:
                    _filled(file, column[start : start + length])
                start += length
        return columns

    @property
    def removed(self) -> bool:
        """Whether the file has been deleted."""
        return self._file.closed

    def remove(self) -> None:
        """Close and delete the file."""
        self._file.close()
        self._path.unlink(missing_ok=True)


def _part(file: Any, base: int, length: int, dtypes: tuple[np.dtype[Any], ...], start: int, count: int) -> Columns:
    """Read some rows of a block of `length` rows that begins at the byte `base`."""
    columns = []
    for dtype in dtypes:
        file.seek(base + start * dtype.itemsize)
        columns.append(_filled(file, np.empty(count, dtype)))
        base += length * dtype.itemsize
    return tuple(columns)


def _joined(blocks: list[Columns]) -> Columns:
    return blocks[0] if len(blocks) == 1 else tuple(np.concatenate(columns) for columns in zip(*blocks, strict=True))


def _filled(file: Any, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Read an array from where a file stands."""
    view = memoryview(array).cast("B")  # type: ignore[arg-type]
    if file.readinto(view) != len(view):
        raise OSError(None, "a temporary file was cut", os.fspath(file.name))
    return array
