"""The store: the tables that are trained, in node order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu.initial import uniform_rows
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.model.parts import Part
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import Purpose, stream
from nodeloom.typing import FloatArray

_LINE = 64  # bytes of a cache line


def aligned_zeros(num_rows: int, row: int) -> FloatArray:
    """Return zeros, float32 [num_rows, row], whose rows start on cache lines if `row` is a multiple of 16."""
    raw = np.zeros(num_rows * row * 4 + _LINE, np.uint8)
    skip = -raw.ctypes.data % _LINE
    return raw[skip : skip + num_rows * row * 4].view(np.float32).reshape(num_rows, row)


def within(values: FloatArray, most: float) -> bool:
    """Tell whether no value of a table with rows is NaN or beyond `most`."""
    return bool(values.min() >= -most and values.max() <= most)


@dataclass
class Store:
    """Tables of one part.

    Attributes
    ----------
    vertex, context : float32 [N, row]
        The tables; the same array for LINE's first order. Columns from the part's dim on are 0 and stay 0.
    vertex_moments, context_moments : tuple of float32 [N, row]
        State of the optimizer.
    """

    vertex: FloatArray
    context: FloatArray
    vertex_moments: tuple[FloatArray, ...]
    context_moments: tuple[FloatArray, ...]

    @property
    def tied(self) -> bool:
        """Whether vertex and context are one table."""
        return self.vertex is self.context

    @classmethod
    def allocate(cls, num_nodes: int, part: Part, num_moment: int) -> Store:
        """Return a store of zeros."""
        vertex = aligned_zeros(num_nodes, part.row)
        moments = tuple(aligned_zeros(num_nodes, part.row) for _ in range(num_moment))
        if part.order == 1:
            return cls(vertex, vertex, moments, moments)
        context = aligned_zeros(num_nodes, part.row)
        return cls(vertex, context, moments, tuple(aligned_zeros(num_nodes, part.row) for _ in range(num_moment)))

    def initialize(self, part: Part, num_thread: int) -> None:
        """Give the vertex table uniform first values (:func:`nodeloom.plan.defaults.initial_scale`); the context table starts at 0."""
        key, scale = np.uint64(stream(part.seed, Purpose.INITIAL_VERTEX)), np.float32(initial_scale(part.dim))
        run_slices(
            lambda first, last: uniform_rows(key, first, part.dim, scale, self.vertex[first:last]),
            len(self.vertex),
            num_thread,
        )

    def tables(self) -> dict[str, FloatArray]:
        """Return all distinct tables by name, as they are called in files."""
        found = {"vertex": self.vertex}
        found |= {f"vertex_moment{i}": moment for i, moment in enumerate(self.vertex_moments, 1)}
        if not self.tied:
            found["context"] = self.context
            found |= {f"context_moment{i}": moment for i, moment in enumerate(self.context_moments, 1)}
        return found

    def names(self) -> tuple[str, ...]:
        """Return the names of all distinct tables, as they are called in files."""
        return tuple(self.tables())

    def read(self, name: str) -> FloatArray:
        """Return a table by name, float32 [N, row]."""
        return self.tables()[name]

    def write(self, name: str, values: FloatArray, rows: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` [N] is true."""
        target = self.tables()[name][:, : values.shape[1]]
        if rows is None:
            target[:] = values
        else:
            target[rows] = values[rows]

    def is_sound(self) -> bool:
        """Tell whether all values are finite, and none of a table is beyond :data:`nodeloom.model.optimizer.LARGEST_VALUE`."""
        block = max(1, (1 << 22) // self.vertex.shape[1])
        return all(
            within(table[first : first + block], LARGEST_VALUE)
            for table in (self.vertex, self.context)
            for first in range(0, len(table), block)
        )
