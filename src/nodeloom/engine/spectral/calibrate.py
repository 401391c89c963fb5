"""Measures how fast this machine multiplies, before the work."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.spectral.plan import SVD_STEPS, SpectralPlan
from nodeloom.engine.spectral.tables import CpuTables, Matrix

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.graph import Graph

_VALUES = 1 << 23  # of the tables that are multiplied
_ENTRIES = 1 << 19


def with_seconds(plan: SpectralPlan, graph: Graph) -> SpectralPlan:
    """Return the plan with its time, from a product and a whitening of a few thousand rows of the graph's shape.

    Kernels are compiled here if they are not in the cache. A GPU is not measured: it is too fast for a sample to tell.
    """
    if plan.device != "cpu":
        return plan
    nnz = len(graph.indices)
    rows = max(1, min(plan.num_nodes, _VALUES // plan.width, max(256, plan.num_nodes * _ENTRIES // max(nnz, 1))))
    # The first rows as they are, with columns folded into the sample.
    indptr = graph.indptr[: rows + 1]
    indices = graph.indices[: min(int(indptr[-1]), _ENTRIES)] % rows
    indptr = np.minimum(indptr, len(indices))
    sample = Matrix(indptr, indices, np.empty(0, np.float32), np.ones(rows, np.float32))
    with CpuTables(plan.num_thread).running() as backend:
        table = backend.random(1, rows, plan.width)
        out = backend.empty_like(table)
        turn = np.eye(plan.width)

        def product() -> None:
            backend.product(sample, table, out)

        def whitening() -> None:
            backend.transform(table, np.zeros(plan.width), np.eye(plan.width))
            np.linalg.eigh(backend.moments(table, 1.0)[1] + turn)

        product_seconds, whitening_seconds = _best(product), _best(whitening)
    per_entry = product_seconds / max(1, len(indices))
    per_row = whitening_seconds / rows
    whitenings = 2 * SVD_STEPS + 4 if plan.model == "ProNE" else plan.num_iteration
    sums = 6 * plan.num_iteration * 0.2 if plan.model == "ProNE" else 0.0
    seconds = plan.num_product * nnz * per_entry + plan.num_nodes * per_row * (whitenings + sums)
    return dataclasses.replace(plan, seconds=seconds)


def _best(work: Callable[[], None]) -> float:
    work()  # compiles, and touches the pages
    times = []
    for _ in range(2):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)
