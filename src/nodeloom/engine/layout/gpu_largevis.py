"""LargeVis on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.layout.largevis import loss_of_negatives, negative_pairs
from nodeloom.kernels.gpu.largevis import sweep_points
from nodeloom.kernels.gpu.layout import stretch
from nodeloom.rng import Purpose, stream
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from nodeloom.engine.layout.affinities import Affinities
    from nodeloom.engine.layout.plan import LayoutPlan


class GpuLargeVis:
    """Points that edges draw together and negatives push apart; the twin of :class:`nodeloom.engine.layout.largevis.CpuLargeVis`.

    The parameters are those of it.
    """

    def __init__(self, affinities: Affinities, start: FloatArray, plan: LayoutPlan, *, use_graphs: bool = True) -> None:
        self.device, self.plan = Device(plan.device), plan
        self._use_graphs = use_graphs and self.device.is_real
        self._given = affinities, start

    @contextmanager
    def running(self) -> Iterator[GpuLargeVis]:
        """Hold the tensors."""
        with explained(self.device.name):
            affinities, start = self._given
            plan, upload = self.plan, self.device.upload
            self._indptr, self._indices = upload(affinities.indptr), upload(affinities.indices)
            self._weights = upload(affinities.weights)
            self._cumulative = _cumulative(self._indptr, self._weights)
            self.coordinates = upload(start).contiguous()
            self._next = torch.empty_like(self.coordinates)
            self._pairs = upload(negative_pairs(len(start), plan.seed))
            # Where the next sweep finds its number and its rate: so it is the same operation each time, and can be recorded.
            self._sweep = torch.zeros(1, dtype=torch.int64, device=self.coordinates.device)
            self._rate = torch.zeros(1, device=self.coordinates.device)
            rates = [plan.sweep_rate(sweep) for sweep in range(plan.num_iteration)]
            self._rates = upload(np.array([*rates, 0.0], np.float32))
            self._records = dict[int, Any]()
            self._is_compiled = False
            try:
                yield self
            finally:
                self._records.clear()

    def advance(self, plan: LayoutPlan, step: int, number: int) -> None:
        """Make the next sweeps of a plan."""
        del plan
        self._sweep.fill_(step)
        self._rate.copy_(self._rates[step : step + 1])
        while number:
            if self._use_graphs and self._is_compiled and number > 1:
                self._two_sweeps()
                number -= 2
            else:
                self._one_sweep()
                self._is_compiled = True
                number -= 1

    def _one_sweep(self) -> None:
        plan = self.plan
        sweep_points(
            0, len(self.coordinates), self._indptr, self._indices, self._cumulative, stream(plan.seed, Purpose.NEGATIVE), self._sweep,
            1.0, plan.num_negative, plan.negative_weight, plan.sharpness, self._rate, self.coordinates, self._next,
        )  # fmt: skip
        self._sweep.add_(1)
        torch.index_select(self._rates, 0, self._sweep, out=self._rate)
        self.coordinates, self._next = self._next, self.coordinates

    def _two_sweeps(self) -> None:
        """Repeat the record of two sweeps, after which the points are where they were in memory."""
        place = self.coordinates.data_ptr()
        if place not in self._records:
            self._records[place] = self.device.record(self._record_two)
        self._records[place].replay()

    def _record_two(self) -> None:
        self._one_sweep()
        self._one_sweep()

    def loss(self, exaggeration: float) -> float:
        """Return the mean of log(1 + d^2) over edges, plus what negatives add to it."""
        del exaggeration
        y = self.coordinates
        stretched = stretch(0, len(y), self._indptr, self._indices, self._weights, y)
        one, other = y[self._pairs].double()
        return float(stretched) + loss_of_negatives((one - other).cpu().numpy(), self.plan)

    def snapshot(self) -> FloatArray:
        """Return a copy of the coordinates."""
        array: FloatArray = self.coordinates.cpu().numpy().copy()
        return array

    def peak_memory(self) -> int:
        """Return the most bytes in use on the GPU so far."""
        return self.device.peak_memory()


def _cumulative(indptr: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Return what :func:`nodeloom.engine.layout.largevis.cumulative_weights` does."""
    sums = torch.cumsum(weights, 0, dtype=torch.float64)
    before = torch.cat([sums.new_zeros(1), sums])[indptr[:-1]]
    own = sums - torch.repeat_interleave(before, indptr.diff())
    return (own * ((len(indptr) - 1) / sums[-1])).float()
