"""LargeVis on a GPU."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.layout.largevis import cumulative_weights, loss_of_negatives
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

    def __init__(self, affinities: Affinities, start: FloatArray, plan: LayoutPlan) -> None:
        self.device, self.plan = Device(plan.device), plan
        self._given = affinities, start

    @contextmanager
    def running(self) -> Iterator[GpuLargeVis]:
        """Hold the tensors."""
        with explained(self.device.name):
            affinities, start = self._given
            self._indptr, self._indices = self.device.upload(affinities.indptr), self.device.upload(affinities.indices)
            self._weights = self.device.upload(affinities.weights)
            self._cumulative = self.device.upload(cumulative_weights(affinities))
            self.coordinates = self.device.upload(start).contiguous()
            self._next = torch.empty_like(self.coordinates)
            yield self

    def advance(self, plan: LayoutPlan, step: int, number: int) -> None:
        """Make the next sweeps of a plan."""
        key = stream(plan.seed, Purpose.NEGATIVE)
        for sweep in range(step, step + number):
            sweep_points(
                0, len(self.coordinates), self._indptr, self._indices, self._cumulative, key, sweep, 1.0, plan.num_negative,
                plan.negative_weight, plan.sharpness, plan.sweep_rate(sweep), self.coordinates, self._next,
            )  # fmt: skip
            self.coordinates, self._next = self._next, self.coordinates

    def loss(self, exaggeration: float) -> float:
        """Return the mean of log(1 + d^2) over edges, plus what negatives add to it."""
        del exaggeration
        y = self.coordinates
        stretched = stretch(0, len(y), self._indptr, self._indices, self._weights, y)
        return float(stretched) + loss_of_negatives(self.snapshot(), self.plan)

    def snapshot(self) -> FloatArray:
        """Return a copy of the coordinates."""
        array: FloatArray = self.coordinates.cpu().numpy().copy()
        return array

    def peak_memory(self) -> int:
        """Return the most bytes in use on the GPU so far."""
        return self.device.peak_memory()
