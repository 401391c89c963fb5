"""The tables of one part of a model over the GPUs of several workers: parts travel from GPU to GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.memory import DTYPES, DeviceMemory
from nodeloom.engine.workers.group import Workers
from nodeloom.engine.workers.links import Links
from nodeloom.engine.workers.store import Travel, WorkerStore, node_blocks
from nodeloom.engine.workers.table import PartTable
from nodeloom.kernels.gpu.initial import uniform_rows
from nodeloom.model.parts import Part
from nodeloom.partition import Placement, Side
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import Purpose, stream
from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 24  # values that are looked at together: beside the tables there is little room


class GpuPartTable(PartTable):
    """Parts of a table on a device.

    Parameters
    ----------
    rows, row : int
        Rows of a part; values of a row.
    device : Device
        Where they are.
    dtype : torch.dtype
        Their number format.
    """

    def __init__(self, rows: int, row: int, device: Device, dtype: torch.dtype) -> None:
        super().__init__(rows, row)
        self._device, self._dtype, self._memory = device, dtype, DeviceMemory(device, dtype)

    def _new(self) -> torch.Tensor:
        return torch.zeros(self._shape, dtype=self._dtype, device=self._device.torch)

    def values(self, number: int) -> FloatArray:
        """Return the values of a part that is there, float32 [rows, row], in main memory: to be read."""
        found: FloatArray = self._parts[number].cpu().float().numpy()
        return found

    def put(self, number: int, places: IndexArray, values: FloatArray) -> None:
        """Set the first columns of some rows of a part, `values` being float32 [len(places), at most row]."""
        rows = self._device.upload(values).to(self._dtype)
        self._parts[number][:, : values.shape[1]].index_copy_(0, self._device.upload(places).long(), rows)

    def is_within(self, most: float) -> bool:
        """Tell whether no value of a part that is there is NaN or beyond `most`."""
        rows = max(1, _BLOCK // self._shape[1])
        return all(self._memory.is_within(block, most) for part in self._parts.values() for block in part.split(rows))


class GpuWorkerStore(WorkerStore):
    """The share of a worker on its device; the same methods as :class:`nodeloom.engine.workers.store.WorkerStore`.

    Parameters
    ----------
    part, placement, num_moment, workers, num_thread
        As there.
    device : str
        "cuda:N", of this worker.
    table_dtype : {"fp32", "bf16"}
        Number format of the vectors; moments are fp32.

    Attributes
    ----------
    device : Device
        Where the parts are.
    links : Links
        How they get to other workers.
    """

    def __init__(
        self,
        part: Part,
        placement: Placement,
        num_moment: int,
        workers: Workers,
        *,
        device: str,
        table_dtype: str,
        num_thread: int = 1,
    ) -> None:
        self.device, self._dtype = Device(device), DTYPES[table_dtype]
        self._stream = self.device.stream()
        with explained(device):
            self.links = Links.of(workers, self.device.torch)
            super().__init__(part, placement, num_moment, workers, num_thread=num_thread)
            self.device.synchronize()

    def _table(self, side: Side, number: int) -> PartTable:
        return GpuPartTable(self.placement.rows(side), self._row, self.device, torch.float32 if number else self._dtype)

    def _exchange(self, outgoing: list[tuple[Any, int]], incoming: list[tuple[Any, int]]) -> Travel:
        """Begin to send and receive on a stream of its own: other parts are trained meanwhile."""
        with explained(self.device.name):
            self.device.synchronize()  # what is sent is trained
            with self.device.on(self._stream):
                return _OnStream(self.links.exchange(outgoing, incoming), self.device, self._stream)

    def initialize(self) -> None:
        """Give the vertex table its first values, those of the CPU; the context table starts at 0."""
        part = self._part
        key, scale = stream(part.seed, Purpose.INITIAL_VERTEX), float(np.float32(initial_scale(part.dim)))
        with explained(self.device.name):
            for start, end in node_blocks(self.num_nodes, part.row):
                rows = self.device.empty(end - start, part.row, dtype=self._dtype)
                uniform_rows(key, start, part.dim, scale, rows)
                for number, here, places in self._places("vertex", start, end):
                    ours, there = (self.device.upload(index).long() for index in (here, places))
                    self.sides["vertex"][0].part(number).index_copy_(0, there, rows.index_select(0, ours))
            self.device.synchronize()

    def read(self, name: str) -> FloatArray | None:
        """Return a table by name in the order of the nodes, float32 [N, row], to worker 0, and None to the others."""
        with explained(self.device.name):
            return super().read(name)

    def write(self, name: str, values: FloatArray, rows: Any = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` [N] is true; each worker those that it has."""
        with explained(self.device.name):
            super().write(name, values, rows)
            self.device.synchronize()

    def is_sound(self) -> bool:
        """Tell whether no table of any worker holds NaN or infinity; all workers have to call it."""
        with explained(self.device.name):
            return super().is_sound()


class _OnStream:
    """Parts that travel on a stream of their own."""

    def __init__(self, works: Sequence[Any], device: Device, stream: Any) -> None:
        self._works, self._device, self._stream = list(works), device, stream

    def wait(self) -> None:
        """Wait until all have arrived."""
        if not self._works:
            return
        with explained(self._device.name), self._device.on(self._stream):
            while self._works:
                self._works.pop(0).wait()
            self._device.wait_for(self._stream)
