"""Main memory as a place for rows of tables, float32 or bfloat16 in uint16."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu.initial import uniform_rows

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray, IndexArray

Rows: TypeAlias = "slice | IndexArray"

_LINE = 64  # bytes of a cache line


class Memory(Protocol):
    """What a table needs of the memory where its rows are. All values come and go as float32 in main memory."""

    num_thread: int
    """Threads that may fill it at a time."""

    def zeros(self, num_rows: int, row: int) -> Any:
        """Return rows of zeros, [num_rows, row]."""

    def no_rows(self, row: int) -> Any:
        """Return an array without rows, float32 [0, row], in place of a moment that there is not."""

    def read(self, array: Any, rows: Rows) -> FloatArray:
        """Return rows, float32 [R, row]: the memory itself if they can be read there."""

    def write(self, array: Any, rows: Rows, values: FloatArray) -> None:
        """Set the first columns of rows; `values` is float32 [R, at most row]."""

    def fill(self, array: Any, first: int, key: int, dim: int, scale: float) -> None:
        """Set rows to the uniform numbers of items ``first ...`` of a random stream, and columns from `dim` on to 0."""

    def copy(self, source: Any, chosen: Rows, target: Any, rows: Rows) -> None:
        """Copy the `chosen` rows of one array of this memory to `rows` of another one."""

    def is_within(self, array: Any, most: float) -> bool:
        """Tell whether no value is NaN or beyond `most`."""


class MainMemory:
    """Main memory.

    Parameters
    ----------
    num_thread : int
        Threads that may fill it at a time.
    dtype : float32, or uint16 for bfloat16
        Number format.
    """

    def __init__(self, num_thread: int = 1, dtype: npt.DTypeLike = np.float32) -> None:
        self.num_thread, self.dtype = num_thread, np.dtype(dtype)

    def zeros(self, num_rows: int, row: int) -> npt.NDArray[Any]:
        """Return rows of zeros, [num_rows, row]."""
        return aligned_zeros(num_rows, row, self.dtype)

    def no_rows(self, row: int) -> FloatArray:
        """Return an array without rows, float32 [0, row]."""
        return np.empty((0, row), np.float32)

    def read(self, array: npt.NDArray[Any], rows: Rows) -> FloatArray:
        """Return rows, float32 [R, row]: the memory itself for a slice of float32."""
        return unpacked(array[rows])

    def write(self, array: npt.NDArray[Any], rows: Rows, values: FloatArray) -> None:
        """Set the first columns of rows; `values` is float32 [R, at most row]."""
        array[rows, : values.shape[1]] = packed(values, self.dtype)

    def fill(self, array: npt.NDArray[Any], first: int, key: int, dim: int, scale: float) -> None:
        """Set rows to the uniform numbers of items ``first ...`` of a random stream, and columns from `dim` on to 0."""
        out = array if self.dtype == np.float32 else np.empty(array.shape, np.float32)
        uniform_rows(np.uint64(key), first, dim, np.float32(scale), out)
        if out is not array:
            array[:] = packed(out, self.dtype)

    def copy(self, source: npt.NDArray[Any], chosen: Rows, target: npt.NDArray[Any], rows: Rows) -> None:
        """Copy the `chosen` rows of one array to `rows` of another one."""
        target[rows] = source[chosen]

    def is_within(self, array: npt.NDArray[Any], most: float) -> bool:
        """Tell whether no value is NaN or beyond `most`."""
        return not array.size or within(unpacked(array), most)


def aligned_zeros(num_rows: int, row: int, dtype: npt.DTypeLike = np.float32) -> npt.NDArray[Any]:
    """Return zeros [num_rows, row], whose rows start on cache lines if they are multiples of these."""
    size = num_rows * row * np.dtype(dtype).itemsize
    raw = np.zeros(size + _LINE, np.uint8)
    skip = -raw.ctypes.data % _LINE
    return raw[skip : skip + size].view(dtype).reshape(num_rows, row)


def within(values: FloatArray, most: float) -> bool:
    """Tell whether no value of a table with rows is NaN or beyond `most`."""
    return bool(values.min() >= -most and values.max() <= most)


def packed(values: FloatArray, dtype: npt.DTypeLike) -> npt.NDArray[np.generic]:
    """Return float32 values as they are, or rounded to bfloat16 in uint16."""
    if np.dtype(dtype) == np.float32:
        return values
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded: npt.NDArray[np.generic] = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)  # to nearest even
    return rounded


def unpacked(values: npt.NDArray[np.generic]) -> FloatArray:
    """Return float32 values as they are, those of bfloat16 as a copy."""
    if values.dtype == np.float32:
        return values  # type: ignore[return-value]
    return (values.astype(np.uint32) << 16).view(np.float32)
