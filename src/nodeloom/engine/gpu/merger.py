"""Merging on GPUs; the counterpart of :mod:`nodeloom.engine.cpu.merger`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.kernels.gpu.merge import apply, changes
from nodeloom.plan.merges import buffer_rows, num_buffer, sent_share
from nodeloom.rng import MASK, mix
from nodeloom.transport.nccl import transport_of_device

if TYPE_CHECKING:
    from nodeloom.engine.tables import Tables
    from nodeloom.transport.base import Transport


class _Buffer(NamedTuple):
    """Rows on their way to all workers, and the stream that they are on."""

    changes: torch.Tensor  # [R, row]
    squares: torch.Tensor  # [R]
    stream: Any


class GpuMerger:
    """Merges the tables of workers on their devices. All workers have to make one.

    Parameters
    ----------
    tables : Tables
        The tables of this worker; changed.
    transport : Transport
        All workers.
    device : Device
        Where the tables are.

    Attributes
    ----------
    base : dict of str to float32 or bfloat16 [N, row]
        The tables as they were when all workers had the same.
    sent : list of int
        The bytes that this worker has sent to others in each merge.

    Raises
    ------
    MemoryLimitError
        If the device has not enough memory after all.
    """

    def __init__(self, tables: Tables, transport: Transport, device: Device) -> None:
        self._tables = {name: storage.array for name, storage in tables.storages().items()}
        self._device, self._transport = device, transport
        self.sent: list[int] = []
        with explained(device.name):
            self.base = {name: torch.zeros_like(self._tables[name]) for name in tables.specs}
            first = next(iter(self._tables.values()))
            num_rows, row = first.shape
            rows = buffer_rows(num_rows, row, first.element_size())
            dtype = first.dtype
            self._buffers = [
                _Buffer(device.empty(rows, row, dtype=dtype), device.empty(rows, dtype=torch.float32), device.stream())
                for _ in range(num_buffer(num_rows, rows))
            ]
        self._on_device = transport_of_device(transport, device.torch)

    def prepare(self) -> None:
        """Take the tables, which are the same with all workers, as the base; compile what is not in the cache. All have to call it."""
        with explained(self._device.name):
            for name, base in self.base.items():
                base.copy_(self._tables[name])
                self._merge_rows(name, self._tables[name], 0, 1, self._buffers[0], 0)
            self._device.synchronize()

    def merge(self, number: int) -> None:
        """Make the tables of all workers the same: the base and what they have changed. All of them have to call it.

        One piece is computed while another is on its way.

        Parameters
        ----------
        number : int
            Of the merge, the same for all workers: from it comes how rows are rounded.
        """
        sent = 0
        with explained(self._device.name):
            for place, (name, table) in enumerate(self._tables.items()):
                seed = mix((number * len(self._tables) + place) & MASK)
                rows = len(self._buffers[0].changes)
                for piece, first in enumerate(range(0, len(table), rows)):
                    buffer = self._buffers[piece % len(self._buffers)]
                    with self._device.on(buffer.stream):
                        count = min(rows, len(table) - first)
                        if name in self.base:
                            sent += self._merge_rows(name, table, first, count, buffer, seed)
                        else:
                            sent += self._average(table[first : first + count])
            self._device.synchronize()
        self.sent.append(round(sent * sent_share(self._transport.size)))

    def _merge_rows(self, name: str, table: torch.Tensor, first: int, count: int, buffer: _Buffer, seed: int) -> int:
        found, squares = buffer.changes[:count], buffer.squares[:count]
        changes(table, self.base[name], first, found, squares)
        self._on_device.all_reduce(found)
        self._on_device.all_reduce(squares)
        apply(table, self.base[name], first, found, squares, self._transport.size, seed)
        return found.numel() * found.element_size() + squares.numel() * squares.element_size()

    def _average(self, moments: torch.Tensor) -> int:
        self._on_device.all_reduce(moments)
        moments *= 1.0 / self._transport.size
        return moments.numel() * moments.element_size()
