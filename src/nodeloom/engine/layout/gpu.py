"""A layout on a GPU: the field by FFT on a grid whose cells grow with the map, without waiting for the host."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.layout.field import NARROW, STEP
from nodeloom.kernels.gpu.layout import attract, move, repel, sample, spread, stretch
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from nodeloom.engine.layout.affinities import Affinities, Held
    from nodeloom.engine.layout.plan import LayoutPlan

SIZES = {2: (128, 192, 256, 384, 512, 768, 1024, 1536, 2048), 3: (32, 48, 64, 96, 128)}
"""Nodes along an axis that a grid may have; twice as many are transformed."""

PAIRS = {2: 4096, 3: 100_000}
"""Up to so many points all pairs are summed up: that is exact, and as quick as a grid."""

_MARGIN = 7
_GROWTH = 1.5  # of the map between two looks at its size


class GpuLayout:
    """Points under attraction and repulsion; the twin of :class:`nodeloom.engine.layout.cpu.CpuLayout`.

    Parameters
    ----------
    affinities, start, held
        As there.
    device : str
        "cuda:N".
    use_graphs : bool
        Record the operations of a step once for each size of the grid, and repeat the record: steps of small maps take less time than to
        launch them one by one.
    """

    def __init__(
        self, affinities: Affinities, start: FloatArray, held: Held, device: str, *, use_graphs: bool = True
    ) -> None:
        self.device = Device(device)
        self._use_graphs = use_graphs and self.device.is_real
        self._given = affinities, start, held

    @contextmanager
    def running(self) -> Iterator[GpuLayout]:
        """Hold the tensors."""
        with explained(self.device.name):
            affinities, start, held = self._given
            self._indptr, self._indices = self.device.upload(affinities.indptr), self.device.upload(affinities.indices)
            self._weights = self.device.upload(affinities.weights)
            self.coordinates = self.device.upload(start).contiguous()
            self._anchors, self._strength = self.device.upload(held.anchors), self.device.upload(held.strength)
            y = self.coordinates
            self._velocity, self._gains = torch.zeros_like(y), torch.ones_like(y)
            self._pull, self._push = torch.empty_like(y), torch.empty_like(y)
            self._values = torch.empty(len(y), device=y.device)
            self._order = torch.arange(len(y), dtype=torch.int32, device=y.device)
            self._origin = torch.zeros(y.shape[1], device=y.device)
            self._inverse, self._share = torch.ones(1, device=y.device), torch.ones(1, device=y.device)
            self._size, self._records = 0, dict[tuple[Any, ...], Any]()
            try:
                yield self
            finally:
                self._records.clear()

    def _fit(self) -> None:
        """Choose the grid for the map as it is now, with room to grow."""
        y = self.coordinates
        dim = y.shape[1]
        span = float((y.amax(0) - y.amin(0)).amax())
        sizes = SIZES[dim]
        want = span * _GROWTH / STEP[dim] + _MARGIN
        size = next((size for size in sizes if size >= want), sizes[-1])
        if size == self._size:
            return
        self._size = size
        self._records.clear()
        length = 2 * size
        index = torch.arange(length, device=y.device, dtype=torch.float32)
        square = torch.minimum(index, length - index) ** 2
        smooth = ((4 + 2 * torch.cos(torch.pi * torch.arange(length, device=y.device) / size)) / 6) ** 2
        distance, factor = square, smooth
        for _ in range(dim - 1):
            distance, factor = distance[..., None] + square, factor[..., None] * smooth
        self._distance = distance
        self._sharpen = (1 / factor[..., : size + 1]).contiguous()
        twice = torch.full((size + 1,), 2.0, device=y.device)
        twice[0] = twice[-1] = 1.0
        self._twice = twice / float(length) ** dim
        self._grid = torch.zeros((1, size, size) if dim == 2 else (size,) * 3, device=y.device)

    def _solve(self) -> None:
        """Set the coefficients of the field, and one over its sum over the points without themselves."""
        y, dim, size = self.coordinates, self.coordinates.shape[1], self._size
        low = y.amin(0)
        span = (y.amax(0) - low).amax()
        narrow = span < NARROW
        step = (span / (size - _MARGIN)).clamp_min(1e-9)
        self._origin.copy_(low - 1.5 * step)
        self._inverse.copy_(1 / step)
        self._grid.zero_()
        spread(0, len(y), self._order, y, self._origin, self._inverse, self._grid)
        axes = tuple(range(3 - dim, 3))
        distance = self._distance * (step * step)
        kernel = torch.fft.rfftn(torch.where(narrow, -distance, 1.0) / (1 + distance)).real * self._sharpen
        spectrum = torch.fft.rfftn(self._grid, s=(2 * size,) * dim, dim=axes)
        found = torch.view_as_real(spectrum)
        total = ((found * found).sum(-1) * kernel * self._twice).sum(dtype=torch.float64)
        total += narrow * float(len(y)) ** 2 - len(y)
        self._share.copy_(1 / total.clamp_min(1e-30))
        field = torch.fft.irfftn(spectrum * kernel, s=(2 * size,) * dim, dim=axes)
        self._coefficients = field[..., :size, :size] if dim == 2 else field[:size, :size, :size]

    def _repel(self) -> None:
        """Set the gradient of the field at the points, and one over its sum over the points without themselves."""
        y = self.coordinates
        if len(y) > PAIRS[y.shape[1]]:
            self._solve()
            sample(0, len(y), y, self._origin, self._inverse, self._coefficients, self._push, self._values)
            return
        repel(0, len(y), y, self._push, self._values)
        self._share.copy_(1 / (self._values.sum(dtype=torch.float64) - len(y)).clamp_min(1e-30))

    def _step(self, exaggeration: float, rate: float, momentum: float, limit: float) -> None:
        y = self.coordinates
        self._repel()
        attract(0, len(y), self._indptr, self._indices, self._weights, y, self._pull)
        move(
            0, len(y), self._pull, self._push, self._share, exaggeration, rate, momentum, limit, self._anchors, self._strength,
            y, self._velocity, self._gains,
        )  # fmt: skip

    def advance(self, plan: LayoutPlan, step: int, number: int) -> None:
        """Make the next steps of a plan."""
        self.steps(number, *plan.forces(step))

    def steps(self, number: int, exaggeration: float, rate: float, momentum: float, limit: float) -> None:
        """Make some steps; what they are is said by :func:`nodeloom.kernels.reference.layout.move`."""
        self._fit()
        numbers = exaggeration, rate, momentum, limit
        if not self._use_graphs or number < 4:
            for _ in range(number):
                self._step(*numbers)
            return
        if numbers not in self._records:
            for _ in range(
                2
            ):  # what is made at the first call is no part of a record: compiled kernels, plans of transforms
                self._step(*numbers)
            number -= 2
            self._records[numbers] = self.device.record(lambda: self._step(*numbers))
        for _ in range(number):
            self._records[numbers].replay()

    def loss(self, exaggeration: float) -> float:
        """Return exaggeration times the sum of w log(1 + d^2), plus the logarithm of the sum of 1 / (1 + d^2) over all pairs."""
        self._fit()
        self._repel()
        y = self.coordinates
        stretched = stretch(0, len(y), self._indptr, self._indices, self._weights, y)
        return float(exaggeration * stretched - torch.log(self._share.double())[0])

    def snapshot(self) -> FloatArray:
        """Return a copy of the coordinates."""
        array: FloatArray = self.coordinates.cpu().numpy().copy()
        return array

    def peak_memory(self) -> int:
        """Return the most bytes in use on the GPU so far."""
        return self.device.peak_memory()
