"""The tables of one part on a device."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.kernels.gpu.initial import uniform_rows
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.model.parts import Part
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import Purpose, stream
from nodeloom.typing import FloatArray

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}

_BLOCK = 1 << 24  # values that are copied or looked at together: beside the tables there is little room


def within(values: torch.Tensor, most: float) -> bool:
    """Tell whether no value of a table with rows is NaN or beyond `most`, without a copy of it."""
    low, high = torch.aminmax(values)
    return bool(low >= -most) and bool(high <= most)


@dataclass
class GpuStore:
    """Tables of one part; the same methods as :class:`nodeloom.engine.tables.Tables`.

    Attributes
    ----------
    device : Device
        Where they are.
    vertex, context : float32 or bfloat16 [N, row]
        The tables; the same tensor for LINE's first order.
    vertex_moments, context_moments : tuple of float32 [N, row]
        State of the optimizer.
    """

    device: Device
    vertex: torch.Tensor
    context: torch.Tensor
    vertex_moments: tuple[torch.Tensor, ...]
    context_moments: tuple[torch.Tensor, ...]

    _part: Part = field(init=False)

    @property
    def tied(self) -> bool:
        """Whether vertex and context are one table."""
        return self.vertex is self.context

    @classmethod
    def allocate(cls, num_nodes: int, part: Part, num_moment: int, *, device: str, table_dtype: str) -> GpuStore:
        """Return a store of zeros.

        Raises
        ------
        MemoryLimitError
            If the device has not enough memory after all.
        """
        place = Device(device)

        def zeros(dtype: torch.dtype) -> torch.Tensor:
            return torch.zeros(num_nodes, part.row, dtype=dtype, device=place.torch)

        def moments() -> tuple[torch.Tensor, ...]:
            return tuple(zeros(torch.float32) for _ in range(num_moment))

        with explained(device):
            vertex, vertex_moments = zeros(DTYPES[table_dtype]), moments()
            if part.order == 1:
                store = cls(place, vertex, vertex, vertex_moments, vertex_moments)
            else:
                store = cls(place, vertex, zeros(DTYPES[table_dtype]), vertex_moments, moments())
        store._part = part
        return store

    def initialize(self) -> None:
        """Give the vertex table its first values, those of the CPU; the context table starts at 0."""
        part = self._part
        key, scale = stream(part.seed, Purpose.INITIAL_VERTEX), float(np.float32(initial_scale(part.dim)))
        with explained(self.device.name):
            uniform_rows(key, 0, part.dim, scale, self.vertex)
            self.device.synchronize()

    def _tensors(self) -> dict[str, torch.Tensor]:
        found = {"vertex": self.vertex}
        found |= {f"vertex_moment{i}": moment for i, moment in enumerate(self.vertex_moments, 1)}
        if not self.tied:
            found["context"] = self.context
            found |= {f"context_moment{i}": moment for i, moment in enumerate(self.context_moments, 1)}
        return found

    def names(self) -> tuple[str, ...]:
        """Return the names of all distinct tables, as they are called in files."""
        return tuple(self._tensors())

    def read(self, name: str) -> FloatArray:
        """Return a copy of a table in main memory, float32 [N, row]."""
        with explained(self.device.name):
            self.device.synchronize()
            table: FloatArray = self._tensors()[name].cpu().float().numpy()
        return table if self.device.is_real else table.copy()  # there the table itself would be given away

    def tables(self) -> dict[str, FloatArray]:
        """Return copies of all distinct tables in main memory by name."""
        return {name: self.read(name) for name in self.names()}

    def write(self, name: str, values: FloatArray, rows: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` [N] is true."""
        table = self._tensors()[name]
        block = max(1, _BLOCK // max(1, values.shape[1]))
        with explained(self.device.name):
            for first in range(0, len(values), block):
                piece = self.device.upload(np.ascontiguousarray(values[first : first + block]))
                target = table[first : first + block, : values.shape[1]]
                if rows is None:
                    target.copy_(piece)
                else:
                    mask = self.device.upload(np.ascontiguousarray(rows[first : first + block]))
                    target[mask] = piece[mask].to(table.dtype)

    def is_sound(self) -> bool:
        """Tell whether all values are finite, and none of a table is beyond :data:`nodeloom.model.optimizer.LARGEST_VALUE`."""
        block = max(1, _BLOCK // self.vertex.shape[1])
        with explained(self.device.name):
            return all(
                within(table[first : first + block], LARGEST_VALUE)
                for table in (self.vertex, self.context)
                for first in range(0, len(table), block)
            )
