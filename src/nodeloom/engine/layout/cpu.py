"""t-SNE on the CPU: the same bytes with any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.layout.affinities import Affinities, Held
from nodeloom.engine.layout.field import Field, Run
from nodeloom.kernels.cpu.layout import attract, move, stretch
from nodeloom.kernels.cpu.parallel import collect, slices
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from nodeloom.engine.layout.plan import LayoutPlan

_ROWS = 4096  # points whose stretch is summed up at a time


def threads(number: int, pool: ThreadPoolExecutor | None) -> Run:
    """Return what runs work on slices of a range in some threads."""

    def run(work: Callable[[int, int], Any], count: int) -> list[Any]:
        parts = slices(count, number)
        if len(parts) == 1 or pool is None:
            return [work(first, last) for first, last in parts]
        return collect(pool, work, [*parts])

    return run


def stretch_of(run: Run, affinities: Affinities, coordinates: FloatArray) -> float:
    """Return the sum of w log(1 + d^2) over affinities, in sums that do not depend on the threads."""
    a = affinities
    bounds = slices(len(coordinates), -(-len(coordinates) // _ROWS))
    sums = np.empty(len(bounds))

    def add(first: int, last: int) -> None:
        for k in range(first, last):
            sums[k] = stretch(*bounds[k], a.indptr, a.indices, a.weights, coordinates)

    run(add, len(bounds))
    return float(sums.sum())


class CpuLayout:
    """Points under attraction and repulsion.

    Parameters
    ----------
    affinities : Affinities
        Who attracts whom.
    start : float32 [N, dim]
        Where points begin.
    held : Held
        Points that are held.
    num_thread : int
        Threads.
    """

    def __init__(self, affinities: Affinities, start: FloatArray, held: Held, num_thread: int) -> None:
        self.affinities, self.held, self.num_thread = affinities, held, num_thread
        self.coordinates = np.array(start, np.float32, order="C")
        self._velocity = np.zeros_like(self.coordinates)
        self._gains = np.ones_like(self.coordinates)
        self._pull, self._push = np.empty_like(self.coordinates), np.empty_like(self.coordinates)
        self._values = np.empty(len(self.coordinates), np.float32)
        self._run: Run = threads(1, None)

    @contextmanager
    def running(self) -> Iterator[CpuLayout]:
        """Hold the threads."""
        with ThreadPoolExecutor(self.num_thread) as pool:
            self._run = threads(self.num_thread, pool)
            self._field = Field(self.coordinates.shape[1], self.num_thread, self._run)
            yield self

    def advance(self, plan: LayoutPlan, step: int, number: int) -> None:
        """Make the next steps of a plan."""
        self.steps(number, *plan.forces(step))

    def steps(self, number: int, exaggeration: float, rate: float, momentum: float, limit: float) -> None:
        """Make some steps; what they are is said by :func:`nodeloom.kernels.reference.layout.move`."""
        a, y, held = self.affinities, self.coordinates, self.held
        numbers = [np.float32(value) for value in (exaggeration, rate, momentum, limit)]
        for _ in range(number):
            total = self._field.at(y, self._push, self._values) - len(y)
            share = np.array([1 / max(total, 1e-30)], np.float32)
            self._run(lambda i, j: attract(i, j, a.indptr, a.indices, a.weights, y, self._pull), len(y))

            def advance(i: int, j: int, share: FloatArray = share) -> None:
                move(
                    i, j, self._pull, self._push, share, *numbers, held.anchors, held.strength, y, self._velocity, self._gains
                )  # fmt: skip

            self._run(advance, len(y))

    def loss(self, exaggeration: float) -> float:
        """Return exaggeration times the sum of w log(1 + d^2), plus the logarithm of the sum of 1 / (1 + d^2) over all pairs."""
        a, y = self.affinities, self.coordinates
        total = self._field.at(y, self._push, self._values) - len(y)
        stretched = stretch_of(self._run, a, y)
        return exaggeration * stretched + float(np.log(max(total, 1e-30)))

    def snapshot(self) -> FloatArray:
        """Return a copy of the coordinates."""
        return self.coordinates.copy()

    def peak_memory(self) -> int:
        """Return 0: there is no device."""
        return 0
