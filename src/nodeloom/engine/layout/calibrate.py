"""Measures how long an iteration of a layout takes on this machine, before the work."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from nodeloom.engine.layout.affinities import Affinities, Held
from nodeloom.engine.layout.cpu import CpuLayout
from nodeloom.engine.layout.plan import LayoutPlan, expected_span
from nodeloom.graph.exact_neighbors import expected_seconds
from nodeloom.kernels.cpu.layout import attract, move, sample, sort_by_bands, spread, stretch

_POINTS = 10_000
_ENTRIES = 30  # affinities of a point: fifteen neighbors, in both directions
_SHARE = 0.6  # of the time of an iteration at the end, in the mean of all: grids begin small


def with_seconds(plan: LayoutPlan, num_value: int, *, compiled_only: bool = False) -> LayoutPlan:
    """Return the plan with the time of its iterations, from some of a few thousand points that span what all of them will.

    A GPU is not measured: it is too fast for a sample to tell. Nor is LargeVis.

    Parameters
    ----------
    plan : LayoutPlan
        The plan.
    num_value : int
        Values of a vector.
    compiled_only : bool
        Leave the time out if a kernel would have to be compiled.
    """
    if plan.device != "cpu" or plan.num_epoch or (compiled_only and not _is_compiled(plan.dim)):
        return plan
    seconds = [_seconds(plan, min(plan.num_points, count)) for count in (_POINTS // 4, _POINTS)]
    counts = [min(plan.num_points, count) for count in (_POINTS // 4, _POINTS)]
    of_point = max(0.0, (seconds[1] - seconds[0]) / max(1, counts[1] - counts[0]))
    entries = (2 * plan.num_neighbor or _ENTRIES) / _ENTRIES
    one = seconds[0] + of_point * (plan.num_points - counts[0]) * (1 + entries) / 2
    search = expected_seconds(plan.num_points, num_value, plan.num_thread) if plan.metric else 0.0
    return dataclasses.replace(plan, seconds=search + one * plan.num_iteration * _SHARE)


def _seconds(plan: LayoutPlan, count: int) -> float:
    """Return the seconds of an iteration of some points, at best."""
    rng = np.random.default_rng(0)
    span = expected_span(plan.num_points, plan.dim)
    start = (rng.random((count, plan.dim)) * span).astype(np.float32)
    start[0], start[-1] = 0.0, span
    indptr = np.arange(count + 1, dtype=np.int64) * _ENTRIES
    indices = rng.integers(count, size=count * _ENTRIES).astype(np.int32)
    affinities = Affinities(indptr, indices, np.full(len(indices), 1 / len(indices), np.float32))
    times = []
    with CpuLayout(affinities, start, Held.nothing(plan.dim), plan.num_thread).running() as points:
        for _ in range(3):
            begin = time.perf_counter()
            points.steps(1, 1.0, 1e-6, 0.5, 1e-6)
            times.append(time.perf_counter() - begin)
    return min(times[1:])


def _is_compiled(dim: int) -> bool:
    """Tell whether all kernels are compiled, or in the cache."""
    from nodeloom.kernels.cpu._jit import is_compiled

    y, column = np.zeros((4, dim), np.float32), np.zeros(4, np.float32)
    one, order = np.zeros(1, np.float32), np.zeros(4, np.int32)
    offsets, grid, number = np.zeros(5, np.int64), np.zeros((4, 4, 4), np.float32), np.float32(1)
    return (
        is_compiled(sort_by_bands, y, y[0], one, 8, offsets, order)
        and is_compiled(spread, np.int64(0), np.int64(1), order, y, y[0], one, grid)
        and is_compiled(sample, 0, 1, y, y[0], one, grid, y, column)
        and is_compiled(attract, 0, 1, offsets, order, column, y, y)
        and is_compiled(stretch, 0, 1, offsets, order, column, y)
        and is_compiled(move, 0, 1, y, y, one, number, number, number, number, y, column, y, y, y)
    )
