"""Merging on GPUs: each buffer has a stream of its own, tensors are summed by NCCL where it reaches all workers."""

from __future__ import annotations

from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.memory import DTYPES
from nodeloom.kernels.gpu.merge import apply, changes
from nodeloom.plan.memory import buffer_rows, num_buffer
from nodeloom.transport.nccl import transport_of_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.transport.base import Transport


class _Buffer(NamedTuple):
    """Rows on their way to all workers, and the stream that they are on."""

    changes: torch.Tensor  # [R, row]
    squares: torch.Tensor  # [R]
    stream: Any


class GpuLane:
    """Computes on rows of a device; see :class:`nodeloom.engine.merger.Lane`. All workers have to make one.

    Parameters
    ----------
    transport : Transport
        All workers.
    num_nodes, row : int
        Rows of a table, and values of each.
    device : str
        Where the tables are, "cuda:N".
    table_dtype : {"fp32", "bf16"}
        Number format of the tables.

    Raises
    ------
    MemoryLimitError
        From all methods, if the device has not enough memory after all.
    """

    def __init__(self, transport: Transport, num_nodes: int, row: int, device: str, table_dtype: str) -> None:
        self._device, dtype = Device(device), DTYPES[table_dtype]
        self.rows = buffer_rows(num_nodes, row, dtype.itemsize)
        with explained(device):
            self.buffers = [
                _Buffer(
                    self._device.empty(self.rows, row, dtype=dtype),
                    self._device.empty(self.rows, dtype=torch.float32),
                    self._device.stream(),
                )
                for _ in range(num_buffer(num_nodes, self.rows))
            ]
        self.transport: Transport = transport_of_device(transport, self._device.torch)

    def zeros_like(self, table: torch.Tensor) -> torch.Tensor:
        """Return room for the base of a table."""
        with explained(self._device.name):
            return torch.zeros_like(table)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Wait for all streams at the end."""
        with explained(self._device.name):
            yield
            self._device.synchronize()

    def on(self, buffer: _Buffer) -> AbstractContextManager[Any]:
        """Return a context in which work is put on the stream of a buffer."""
        return self._device.on(buffer.stream)

    def changes(
        self, table: torch.Tensor, base: torch.Tensor, first: int, count: int, buffer: _Buffer
    ) -> list[torch.Tensor]:
        """Compute what has changed in rows; return changes and squares."""
        found, squares = buffer.changes[:count], buffer.squares[:count]
        changes(table, base, first, found, squares)
        return [found, squares]

    def apply(
        self, table: torch.Tensor, base: torch.Tensor, first: int, count: int, buffer: _Buffer, seed: int
    ) -> None:
        """Set rows of a table and of its base to what the sums give."""
        apply(table, base, first, buffer.changes[:count], buffer.squares[:count], self.transport.size, seed)
