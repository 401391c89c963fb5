"""The repulsion of all points of a layout by convolution on a grid, on the CPU.

Every point is spread over the nodes around it, the grid is convolved with the kernel 1 / (1 + d^2) by FFT, and the result is
interpolated at the points. Spreading and interpolation are cubic B-splines, and what these smooth is put back in the spectrum of the
kernel, as in smooth particle-mesh Ewald sums (Essmann et al. 1995); Linderman et al. (2019) do the same with polynomials on
intervals. The force is the gradient of the interpolated field, so that one transform forth and one back suffice in place of one
forth and three back. The sum of the kernel over all pairs comes from the spectrum (Parseval).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

from nodeloom.kernels.cpu.layout import multiply_spectrum, repel, sample, sort_by_bands, spread
from nodeloom.typing import FloatArray

STEP = {2: 0.5, 3: 0.7}
"""Distance of two nodes of the grid, where it may be as fine, by dimensions."""

LEAST_NODES = {2: 56, 3: 24}
MOST_NODES = {2: 2048, 3: 128}
"""Nodes along an axis of the grid; beyond the nodes are further apart."""

PAIRS_PER_NODE = 50
"""Pairs of points that take as long as a node of the grid that is transformed."""

_MARGIN = 6  # nodes beyond the points
_BAND = 8  # rows of a band: bands that are not neighbors share no node

Run = Callable[[Callable[[int, int], Any], int], list[Any]]


def grid_sizes(dim: int) -> list[int]:
    """Return the numbers of nodes along an axis that grids may have: those that transforms are quick for."""
    sizes, size = set[int](), LEAST_NODES[dim] / 1.1
    while size < MOST_NODES[dim] * 1.1:
        size *= 1.08
        sizes.add(scipy.fft.next_fast_len(math.ceil(size), real=True))
    return sorted(sizes)


def grid_of(span: float, dim: int) -> tuple[int, float]:
    """Return how many nodes along an axis a grid has, and their distance, for points that span a length."""
    step = STEP[dim]
    least, most = LEAST_NODES[dim] - _MARGIN, MOST_NODES[dim] - _MARGIN
    if span < least * step:  # finer, by steps, so that the kernel is not new each time
        step *= 1.25 ** math.floor(math.log(max(span, 1e-7) / (least * step)) / math.log(1.25))
    elif span > most * step:
        step *= 1.1 ** math.ceil(math.log(span / (most * step)) / math.log(1.1))
    want = int(span / step) + _MARGIN
    return next(size for size in grid_sizes(dim) if size >= want), step


NARROW = 2.0
"""Maps below this width are computed with the kernel minus 1: float32 cannot tell sums of numbers that are nearly 1 apart."""


def kernel_spectrum(size: int, step: float, dim: int, shift: bool) -> FloatArray:
    """Return the spectrum of the kernel on a periodic grid twice as long along every axis, without what B-splines smooth.

    Parameters
    ----------
    size, step, dim : int, float, int
        Nodes along an axis, their distance, axes.
    shift : bool
        Take the kernel minus 1.

    Returns
    -------
    float32 [1 or 2 size, 2 size, size + 1]
        The half that a real transform has.
    """
    square = (np.arange(size + 1, dtype=np.float64) * step) ** 2
    smooth = ((4 + 2 * np.cos(np.pi * np.arange(size + 1) / size)) / 6) ** 2
    distance, factor = square, smooth
    for _ in range(dim - 1):
        distance = distance[..., None] + square
        factor = factor[..., None] * smooth
    kernel = (-distance if shift else 1.0) / (1 + distance)
    half = scipy.fft.dctn(kernel.astype(np.float32), type=1) / factor.astype(np.float32)
    mirror = np.concatenate([np.arange(size + 1), np.arange(size - 1, 0, -1)])
    for axis in range(dim - 1):
        half = np.take(half, mirror, axis=axis)
    return np.ascontiguousarray(half.reshape((-1, *half.shape[-2:]) if dim == 3 else (1, *half.shape)), np.float32)


class Field:
    """The sum of the kernel at points, and its gradient.

    Parameters
    ----------
    dim : int
        Dimensions of the layout.
    num_thread : int
        Threads.
    run : callable
        ``run(work, count)`` calls ``work(first, last)`` on slices of ``range(count)`` in threads.
    """

    def __init__(self, dim: int, num_thread: int, run: Run) -> None:
        self.dim, self.num_thread, self.run = dim, num_thread, run
        self._shape = (0, 0.0, False)
        self._constant = 0.0
        self._spectrum = np.empty(0, np.float32)
        self._grid = np.empty(0, np.float32)

    def at(self, coordinates: FloatArray, slopes: FloatArray, values: FloatArray) -> float:
        """Interpolate the field of points at the points themselves, and return its sum over them.

        Parameters
        ----------
        coordinates : float32 [N, dim]
            The points; finite.
        slopes, values : float32 [N, dim], float32 [N]
            Written: gradient and field.
        """
        if self._is_quicker_by_pairs(coordinates):
            self.run(lambda a, b: repel(a, b, coordinates, slopes, values), len(coordinates))
            return float(values.sum(dtype=np.float64))
        total = self.solve(coordinates)
        self.sample(coordinates, slopes, values)
        return total

    def _is_quicker_by_pairs(self, coordinates: FloatArray) -> bool:
        """Tell whether a sum over all pairs takes less time than a grid: few points that are far apart."""
        span = float((coordinates.max(axis=0) - coordinates.min(axis=0)).max())
        nodes = (2.0 * grid_of(span, self.dim)[0]) ** self.dim
        return len(coordinates) ** 2 < PAIRS_PER_NODE * nodes

    def solve(self, coordinates: FloatArray) -> float:
        """Compute the field of points; return its sum over them."""
        low = coordinates.min(axis=0)
        span = float((coordinates.max(axis=0) - low).max())
        size, step = grid_of(span, self.dim)
        shift = span < NARROW
        if self._shape != (size, step, shift):
            self._spectrum = kernel_spectrum(size, step, self.dim, shift)
            self._grid = np.empty((1 if self.dim == 2 else size, size, size), np.float32)
            self._shape = (size, step, shift)
        self.origin = (low - 1.5 * step).astype(np.float32)
        self.inverse = np.array([1 / step], np.float32)
        self._constant = float(len(coordinates)) if shift else 0.0
        self._spread(coordinates, size)
        return self._convolve(size) + self._constant * len(coordinates)

    def sample(self, coordinates: FloatArray, slopes: FloatArray, values: FloatArray) -> None:
        """Interpolate the field at points, which are within its grid."""
        self.run(
            lambda a, b: sample(a, b, coordinates, self.origin, self.inverse, self._coefficients, slopes, values),
            len(coordinates),
        )
        if self._constant:
            values += np.float32(self._constant)

    def _spread(self, coordinates: FloatArray, size: int) -> None:
        starts = np.empty(-(-size // _BAND) + 1, np.int64)
        order = np.empty(len(coordinates), np.int32)
        sort_by_bands(coordinates, self.origin, self.inverse, _BAND, starts, order)
        self._grid[...] = 0.0
        for parity in (0, 1):  # a band writes into the first nodes of the next one

            def work(first: int, last: int, parity: int = parity) -> None:
                for band in range(2 * first + parity, min(2 * last + parity, len(starts) - 1), 2):
                    spread(starts[band], starts[band + 1], order, coordinates, self.origin, self.inverse, self._grid)

            self.run(work, len(starts) // 2)

    def _convolve(self, size: int) -> float:
        """Turn the grid into the coefficients of the field, and return the sum of the field over the points."""
        length, workers = 2 * size, self.num_thread
        axes = (1,) if self.dim == 2 else (1, 0)
        spectrum = scipy.fft.rfft(self._grid, length, axis=2, workers=workers)
        for axis in axes:
            spectrum = scipy.fft.fft(spectrum, length, axis=axis, overwrite_x=True, workers=workers)
        rows, kernel = spectrum.reshape(-1, size + 1), self._spectrum.reshape(-1, size + 1)
        sums = np.empty(len(rows))
        self.run(lambda a, b: multiply_spectrum(a, b, rows, kernel, sums), len(rows))
        for axis in reversed(axes):
            spectrum = scipy.fft.ifft(spectrum, axis=axis, overwrite_x=True, workers=workers)
            spectrum = spectrum[:, :size] if axis == 1 else spectrum[:size]
        self._coefficients: FloatArray = scipy.fft.irfft(spectrum, length, axis=2, workers=workers)[..., :size]
        return float(sums.sum()) / float(length) ** self.dim
