"""Forces of a layout: the definition.

A layout places N points in two or three dimensions so that the similarities q_ij / Z of the points, q = 1 / (1 + |y_i - y_j|^2) and
Z their sum over all pairs, are near to given affinities w_ij that sum to 1. The gradient of the Kullback-Leibler divergence is
4 sum_j (w_ij - q_ij / Z) q_ij (y_i - y_j) (van der Maaten and Hinton, JMLR 2008, equation 5): attraction over the affinities,
repulsion over all pairs. The fast families sum up the repulsion on a grid; what a grid of three axes does is defined here, too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def similarities(coordinates: Array) -> tuple[Array, Array]:
    """Return q_ij = 1 / (1 + |y_i - y_j|^2), 0 for i = j, and the differences y_i - y_j: float64 [N, N], [N, N, dim]."""
    differences = coordinates[:, None, :].astype(np.float64) - coordinates[None, :, :]
    q = 1 / (1 + (differences**2).sum(axis=2))
    np.fill_diagonal(q, 0)
    return q, differences


def divergence(affinities: Array, coordinates: Array) -> float:
    """Return the Kullback-Leibler divergence of a layout from affinities, float64 [N, N] with a sum of 1."""
    q, _ = similarities(coordinates)
    some = affinities > 0
    return float((affinities[some] * np.log(affinities[some] / (q / q.sum())[some])).sum())


def gradient(affinities: Array, coordinates: Array, exaggeration: float) -> Array:
    """Return the gradient of the divergence by the coordinates, with attraction exaggerated, float64 [N, dim]."""
    q, differences = similarities(coordinates)
    force = (exaggeration * affinities - q / q.sum()) * q
    return 4 * (force[:, :, None] * differences).sum(axis=1)


def attract(
    first: int, last: int, indptr: Array, indices: Array, weights: Array, coordinates: Array, out: Array
) -> None:
    """Set rows of `out` to sum_j w_ij q_ij (y_i - y_j) over the entries of a sparse matrix of affinities."""
    for i in range(first, last):
        out[i] = 0
        for e in range(indptr[i], indptr[i + 1]):
            difference = coordinates[i] - coordinates[indices[e]]
            out[i] += weights[e] * difference / (1 + difference @ difference)


def stretch(first: int, last: int, indptr: Array, indices: Array, weights: Array, coordinates: Array) -> float:
    """Return sum_ij w_ij log(1 + |y_i - y_j|^2): what of the divergence the affinities contribute, beside log Z and their entropy."""
    total = 0.0
    for i in range(first, last):
        for e in range(indptr[i], indptr[i + 1]):
            difference = coordinates[i] - coordinates[indices[e]]
            total += weights[e] * np.log(1 + difference @ difference)
    return total


def repel(first: int, last: int, coordinates: Array, slopes: Array, values: Array) -> None:
    """Set rows of `values` to the sum of q_ij over all j, 1 for j = i, and rows of `slopes` to its gradient -2 sum_j q_ij^2 (y_i - y_j)."""
    q, differences = similarities(coordinates)
    values[first:last] = q[first:last].sum(axis=1) + 1
    slopes[first:last] = -2 * (q[first:last, :, None] ** 2 * differences[first:last]).sum(axis=1)


def move(
    first: int,
    last: int,
    pull: Array,
    push: Array,
    share: Array,
    exaggeration: float,
    rate: float,
    momentum: float,
    limit: float,
    anchors: Array,
    hold: Array,
    coordinates: Array,
    velocity: Array,
    gains: Array,
) -> None:
    """Move points down the gradient 4 (exaggeration pull + share push / 2 + hold (y - anchor)), with momentum and gains.

    Where the gradient and the last step have the same sign, that step went too far, and the gain shrinks by a fifth; else 0.2 is
    added to it (Jacobs 1988).
    """
    for i in range(first, last):
        slope = exaggeration * pull[i] + share[0] * push[i] / 2
        if len(hold):
            slope = slope + hold[i] * (coordinates[i] - anchors[i])
        agree = (slope > 0) != (velocity[i] > 0)
        gains[i] = np.where(agree, gains[i] + 0.2, np.maximum(gains[i] * 0.8, 0.01))
        velocity[i] = np.clip(momentum * velocity[i] - 4 * rate * gains[i] * slope, -limit, limit)
        coordinates[i] += velocity[i]


def sort_by_bands(coordinates: Array, origin: Array, inverse: Array, height: int, starts: Array, order: Array) -> None:
    """Order points by bands of `height` nodes of a grid along the first coordinate; points of a band stay in their order."""
    bands = np.minimum(((coordinates[:, 0] - origin[0]) * inverse[0]).astype(np.int64) // height, len(starts) - 2)
    order[:] = np.argsort(bands, kind="stable")
    starts[:] = np.searchsorted(bands[order], np.arange(len(starts)))


def spline(distance: Array) -> Array:
    """Return the cubic B-spline at distances from its center, in nodes."""
    distance = np.abs(distance)
    near = (4 - 6 * distance**2 + 3 * distance**3) / 6
    return np.where(distance < 1, near, np.where(distance < 2, (2 - distance) ** 3 / 6, 0))


def spline_slope(distance: Array) -> Array:
    """Return the derivative of the cubic B-spline."""
    length = np.abs(distance)
    near = (9 * length**2 - 12 * length) / 6
    return np.sign(distance) * np.where(length < 1, near, np.where(length < 2, -((2 - length) ** 2) / 2, 0))


def _on_axes(point: Array, origin: Array, inverse: Array, shape: tuple[int, ...], functions: list[Any]) -> list[Array]:
    """Return a function of the distance from a point at all nodes of a grid, for each axis; the only plane of a flat one counts once."""
    dim = len(point)
    axes = [np.ones(1)] if dim == 2 else []
    for d in range(dim):
        nodes = np.arange(shape[d + 3 - dim])
        axes.append(functions[d]((point[d] - origin[d]) * inverse[0] - nodes))
    return axes


def spread(first: int, last: int, order: Array, coordinates: Array, origin: Array, inverse: Array, grid: Array) -> None:
    """Add to all nodes of a grid [P, R, C] the cubic B-spline of their distances from points."""
    for i in order[first:last]:
        axes = _on_axes(coordinates[i], origin, inverse, grid.shape, [spline] * coordinates.shape[1])
        grid += np.einsum("a,b,c->abc", *axes)


def multiply_spectrum(first: int, last: int, spectrum: Array, kernel: Array, sums: Array) -> None:
    """Multiply rows of the half spectrum of a real grid by a kernel, and sum up |value|^2 times kernel over the whole rows."""
    for r in range(first, last):
        energy = np.abs(spectrum[r]) ** 2 * kernel[r]
        sums[r] = energy[0] + 2 * energy[1:-1].sum() + energy[-1]
        spectrum[r] *= kernel[r]


def sample(
    first: int, last: int, coordinates: Array, origin: Array, inverse: Array, grid: Array, slopes: Array, values: Array
) -> None:
    """Set rows of `values` and `slopes` to a field of B-splines with coefficients on a grid [P, R, C], and to its gradient."""
    dim = coordinates.shape[1]
    for i in range(first, last):
        point = coordinates[i]
        values[i] = np.einsum("abc,a,b,c", grid, *_on_axes(point, origin, inverse, grid.shape, [spline] * dim))
        for d in range(dim):
            functions = [spline_slope if d == k else spline for k in range(dim)]
            slopes[i, d] = inverse[0] * np.einsum(
                "abc,a,b,c", grid, *_on_axes(point, origin, inverse, grid.shape, functions)
            )
