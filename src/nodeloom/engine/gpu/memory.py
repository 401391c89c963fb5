"""The memory of a device as a place for rows of tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.kernels.cpu.parallel import available_threads, run_slices
from nodeloom.kernels.gpu.initial import uniform_rows

if TYPE_CHECKING:
    from nodeloom.engine.memory import Rows
    from nodeloom.typing import FloatArray

_PIECE = 4 << 20  # bytes of a pinned buffer
_NUM_THREAD = 8

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


class DeviceMemory:
    """The memory of a device; the counterpart of :class:`nodeloom.engine.memory.MainMemory`, and waited for like that.

    Parameters
    ----------
    device : Device
        The device.
    dtype : torch.dtype
        Number format.

    Raises
    ------
    MemoryLimitError
        From all methods, if the device has not enough memory after all.
    """

    num_thread = 1

    def __init__(self, device: Device, dtype: torch.dtype) -> None:
        self.device, self.dtype = device, dtype

    def zeros(self, num_rows: int, row: int) -> torch.Tensor:
        """Return rows of zeros, [num_rows, row]."""
        with explained(self.device.name):
            return torch.zeros(num_rows, row, dtype=self.dtype, device=self.device.torch)

    def no_rows(self, row: int) -> torch.Tensor:
        """Return a tensor without rows, float32 [0, row]."""
        return torch.empty(0, row, device=self.device.torch)

    def read(self, array: torch.Tensor, rows: Rows) -> FloatArray:
        """Return a copy of rows in main memory, float32 [R, row]."""
        with explained(self.device.name):
            source = array[rows]
            self.device.synchronize()  # the kernels that train or gather the rows have ended
            out = np.empty(source.shape, np.float32)
            self._copy(source, torch.from_numpy(out))
        return out

    def _copy(self, source: torch.Tensor, out: torch.Tensor) -> None:
        """Copy rows to main memory in several threads, each by way of a pinned buffer.

        Fresh pages of main memory hold up one thread: it copies 1.6 GB/s of what the device sends at 50.
        """
        length = max(1, _PIECE // (source.shape[1] * source.element_size()))

        def copy(begin: int, end: int) -> None:
            buffer, stream = self.device.pinned(length, source.shape[1], dtype=source.dtype), self.device.stream()
            for first in range(begin, end, length):
                last = min(first + length, end)
                with self.device.on(stream):
                    buffer[: last - first].copy_(source[first:last], non_blocking=True)
                self.device.wait_for(stream)
                out[first:last].copy_(buffer[: last - first])

        run_slices(copy, len(source), min(_NUM_THREAD, available_threads(), -(-len(source) // length)))

    def write(self, array: torch.Tensor, rows: Rows, values: FloatArray) -> None:
        """Set the first columns of rows; `values` is float32 [R, at most row]."""
        target = array[:, : values.shape[1]]
        with explained(self.device.name):
            piece = self.device.upload(np.ascontiguousarray(values)).to(self.dtype)
            if isinstance(rows, slice):
                target[rows].copy_(piece)
            else:
                target.index_copy_(0, self.device.upload(rows).long(), piece)
            self.device.synchronize()

    def fill(self, array: torch.Tensor, first: int, key: int, dim: int, scale: float) -> None:
        """Set rows to the uniform numbers of items ``first ...`` of a random stream, and columns from `dim` on to 0."""
        with explained(self.device.name):
            uniform_rows(key, first, dim, float(np.float32(scale)), array)
            self.device.synchronize()

    def copy(self, source: torch.Tensor, chosen: Rows, target: torch.Tensor, rows: Rows) -> None:
        """Copy the `chosen` rows of one tensor to `rows` of another one; both are arrays of indices."""
        with explained(self.device.name):
            taken, there = (self.device.upload(index).long() for index in (chosen, rows))
            target.index_copy_(0, there, source.index_select(0, taken))

    def is_within(self, array: torch.Tensor, most: float) -> bool:
        """Tell whether no value is NaN or beyond `most`, without a copy."""
        with explained(self.device.name):
            low, high = torch.aminmax(array)
            return bool((low >= -most) & (high <= most))


def memories_of(device: str, table_dtype: str) -> tuple[DeviceMemory, DeviceMemory]:
    """Return the memory of a device for tables of a number format, and that for moments, which are float32."""
    place = Device(device)
    return DeviceMemory(place, DTYPES[table_dtype]), DeviceMemory(place, torch.float32)
