"""LargeVis on the CPU: edges drawn by their weights with negatives, all points of a sweep at once.

All points move from where they were at the beginning of a sweep, in which each draws one edge on average: the bytes do not depend on the
threads, and the map is as good as with moves that others see at once (MNIST, 15 neighbors, 800 edges a point: .12 of the neighbors are kept
with negatives of weight 1, .18 with 7, in 5 CPU seconds). With four edges a sweep it is worse.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.engine.layout.affinities import Affinities
from nodeloom.engine.layout.cpu import stretch_of, threads
from nodeloom.engine.layout.field import Run
from nodeloom.kernels.cpu.largevis import EPSILON, sweep_points
from nodeloom.rng import Purpose, stream
from nodeloom.typing import DoubleArray, FloatArray

if TYPE_CHECKING:
    from nodeloom.engine.layout.plan import LayoutPlan

PAIRS = 10_000
"""Pairs of points from which the loss of negatives is estimated."""

_LEAST = 512  # points of a thread: a sweep of fewer takes less time than to wake one


def cumulative_weights(affinities: Affinities) -> FloatArray:
    """Return the sums of the weights of each row up to each entry, float32 [nnz], of which the last are 1 in the mean."""
    sums = np.cumsum(affinities.weights, dtype=np.float64)
    before = np.concatenate([[0.0], sums])[affinities.indptr[:-1]]
    own = sums - np.repeat(before, np.diff(affinities.indptr))
    return (own * (len(affinities) / sums[-1])).astype(np.float32)


def widened(start: FloatArray) -> FloatArray:
    """Return first places as far apart as LargeVis begins best: at a standard deviation of 10 for MNIST, less for fewer points."""
    deviation = float(start.std(axis=0).max())
    wanted = min(10.0, len(start) ** 0.5 / 20)
    return start if deviation > wanted else (start * (wanted / max(deviation, 1e-30))).astype(np.float32)


def negative_pairs(count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return random pairs of different points, from which the loss of negatives is estimated, int64 [2, at most PAIRS]."""
    pairs = np.random.default_rng(seed).integers(count, size=(2, PAIRS))
    return pairs[:, pairs[0] != pairs[1]]


def loss_of_negatives(differences: DoubleArray, plan: LayoutPlan) -> float:
    """Estimate the part of the loss that negatives have, for each edge, from the differences of random pairs, float64 [P, dim]."""
    square: DoubleArray = (differences**2).sum(axis=1)
    potential = np.log((1 + plan.sharpness * square) / (EPSILON + square))
    return float(plan.num_negative * plan.negative_weight * potential.mean())


class CpuLargeVis:
    """Points that edges draw together and negatives push apart.

    Parameters
    ----------
    affinities : Affinities
        Weights of the edges.
    start : float32 [N, dim]
        Where points begin.
    plan : LayoutPlan
        Threads and weights.
    """

    def __init__(self, affinities: Affinities, start: FloatArray, plan: LayoutPlan) -> None:
        self.affinities, self.plan = affinities, plan
        self.coordinates = np.array(start, np.float32, order="C")
        self._next = np.empty_like(self.coordinates)
        self._cumulative = cumulative_weights(affinities)
        self._run: Run = threads(1, None)

    @contextmanager
    def running(self) -> Iterator[CpuLargeVis]:
        """Hold the threads."""
        number = min(self.plan.num_thread, -(-len(self.coordinates) // _LEAST))
        with ThreadPoolExecutor(number) as pool:
            self._run = threads(number, pool)
            yield self

    def advance(self, plan: LayoutPlan, step: int, number: int) -> None:
        """Make the next sweeps of a plan."""
        a, key = self.affinities, np.uint64(stream(plan.seed, Purpose.NEGATIVE))
        weights = np.float32(plan.negative_weight), np.float32(plan.sharpness)
        for sweep in range(step, step + number):
            rate = np.float32(plan.sweep_rate(sweep))

            def work(first: int, last: int, sweep: int = sweep, rate: np.float32 = rate) -> None:
                sweep_points(
                    first, last, a.indptr, a.indices, self._cumulative, key, sweep, np.float32(1.0), plan.num_negative, *weights, rate,
                    self.coordinates, self._next,
                )  # fmt: skip

            self._run(work, len(self.coordinates))
            self.coordinates, self._next = self._next, self.coordinates

    def loss(self, exaggeration: float) -> float:
        """Return the mean of log(1 + d^2) over edges, plus what negatives add to it."""
        del exaggeration
        one, other = self.coordinates[negative_pairs(len(self.coordinates), self.plan.seed)].astype(np.float64)
        return stretch_of(self._run, self.affinities, self.coordinates) + loss_of_negatives(one - other, self.plan)

    def snapshot(self) -> FloatArray:
        """Return a copy of the coordinates."""
        return self.coordinates.copy()

    def peak_memory(self) -> int:
        """Return 0: there is no device."""
        return 0
