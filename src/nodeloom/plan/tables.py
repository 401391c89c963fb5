"""The tables of a part of a model."""

from __future__ import annotations

from nodeloom.kernels.cpu.simd import ROW_ALIGNMENT
from nodeloom.model.parts import Part
from nodeloom.model.tables import TableSpec, Uniform
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import Purpose, stream


def tables_of(part: Part, num_nodes: int) -> tuple[TableSpec, ...]:
    """Return the tables of a part: "vertex" with random first values and, unless both are one, "context" of zeros."""
    init = Uniform(stream(part.seed, Purpose.INITIAL_VERTEX), initial_scale(part.dim))
    vertex = TableSpec("vertex", num_nodes, part.dim, init, ROW_ALIGNMENT)
    return (vertex,) if part.order == 1 else (vertex, TableSpec("context", num_nodes, part.dim, None, ROW_ALIGNMENT))
