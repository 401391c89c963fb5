"""Forces of a layout in two or three dimensions; :mod:`nodeloom.kernels.reference.layout` is the definition.

A grid has three axes: planes, rows and columns. In two dimensions there is one plane.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

_ONE, _HALF, _SIXTH = np.float32(1.0), np.float32(0.5), np.float32(1.0 / 6.0)


@jit(inline=True)
def _spline(p, w):
    """Set w[0:4] to the cubic B-spline at the four nodes around a fraction `p` of a cell."""
    r = _ONE - p
    w[0] = r * r * r * _SIXTH
    w[1] = (np.float32(3) * p * p * (p - np.float32(2)) + np.float32(4)) * _SIXTH
    w[2] = (np.float32(3) * r * r * (r - np.float32(2)) + np.float32(4)) * _SIXTH
    w[3] = p * p * p * _SIXTH


@jit(inline=True)
def _slope(p, w):
    """Set w[0:4] to the derivative of the cubic B-spline by `p`."""
    r = _ONE - p
    w[0] = -r * r * _HALF
    w[1] = (np.float32(1.5) * p - np.float32(2)) * p
    w[2] = (np.float32(2) - np.float32(1.5) * r) * r
    w[3] = p * p * _HALF


@jit
def sort_by_bands(coordinates, origin, inverse, height, starts, order):
    """Order points by bands of the grid along the first coordinate, as they come within each.

    Parameters
    ----------
    coordinates : float32 [N, dim]
        The points.
    origin : float32 [dim]
        Place of node 0 of the grid.
    inverse : float32 [1]
        Nodes of the grid per unit of length.
    height : int
        Nodes in a band.
    starts : int64 [B + 1]
        Written: where each band begins in `order`.
    order : int32 [N]
        Written: the points.
    """
    starts[:] = 0
    bands = starts.size - 1
    for i in range(coordinates.shape[0]):
        band = min(np.int64((coordinates[i, 0] - origin[0]) * inverse[0]) // height, bands - 1)
        starts[band + 1] += 1
    for band in range(bands):
        starts[band + 1] += starts[band]
    for i in range(coordinates.shape[0]):
        band = min(np.int64((coordinates[i, 0] - origin[0]) * inverse[0]) // height, bands - 1)
        order[starts[band]] = i
        starts[band] += 1
    for band in range(bands, 0, -1):
        starts[band] = starts[band - 1]
    starts[0] = 0


@jit
def spread(first, last, order, coordinates, origin, inverse, grid):
    """Add the cubic B-spline of each point ``order[first]`` to ``order[last - 1]`` to the nodes of a grid around it.

    Parameters
    ----------
    first, last : int
        Bounds in `order`.
    order : int32 [N]
        Points.
    coordinates, origin, inverse
        As in :func:`sort_by_bands`; every point is at least a cell from the edges of the grid.
    grid : float32 [P, R, C]
        Added to.
    """
    dim = coordinates.shape[1]
    flat = dim == 2
    weight = np.empty((3, 4), np.float32)
    weight[0, 0] = _ONE  # of the only plane
    at = np.zeros(3, np.int64)
    for k in range(first, last):
        i = order[k]
        for d in range(dim):
            axis = d + 3 - dim
            u = (coordinates[i, d] - origin[d]) * inverse[0]
            cell = np.int64(u)
            at[axis] = cell - 1
            _spline(u - np.float32(cell), weight[axis])
        for a in range(1 if flat else 4):
            for b in range(4):
                w = weight[0, a] * weight[1, b]
                row = grid[at[0] + a, at[1] + b]
                for c in range(4):
                    row[at[2] + c] += w * weight[2, c]


@jit
def multiply_spectrum(first, last, spectrum, kernel, sums):
    """Multiply rows ``first`` to ``last - 1`` of a half spectrum by a real kernel, and sum up the energy of each.

    Parameters
    ----------
    first, last : int
        Bounds of the rows.
    spectrum : complex64 [R, C]
        Changed. Columns but the first and the last stand for two of the whole spectrum; C - 1 is half of its length.
    kernel : float32 [R, C]
        The kernel.
    sums : float64 [R]
        Written: sum of |value|^2 times kernel over the whole rows, before.
    """
    columns = spectrum.shape[1]
    for r in range(first, last):
        row, k = spectrum[r], kernel[r]
        ends, total = 0.0, 0.0
        for c in range(columns):
            value = row[c]
            energy = (value.real * value.real + value.imag * value.imag) * k[c]
            if c == 0 or c == columns - 1:
                ends += energy
            total += energy
            row[c] = value * k[c]
        sums[r] = 2.0 * total - ends


@jit
def sample(first, last, coordinates, origin, inverse, grid, slopes, values):
    """Interpolate a field on a grid, and its gradient, at points.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    coordinates, origin, inverse
        As in :func:`spread`.
    grid : float32 [P, R, C]
        Coefficients of the B-splines.
    slopes : float32 [N, dim]
        Written: the gradient.
    values : float32 [N]
        Written: the field.
    """
    dim = coordinates.shape[1]
    flat = dim == 2
    weight, slope = np.empty((3, 4), np.float32), np.empty((3, 4), np.float32)
    weight[0, 0] = _ONE
    slope[0, 0] = np.float32(0)
    at = np.zeros(3, np.int64)
    for i in range(first, last):
        for d in range(dim):
            axis = d + 3 - dim
            u = (coordinates[i, d] - origin[d]) * inverse[0]
            cell = np.int64(u)
            at[axis] = cell - 1
            _spline(u - np.float32(cell), weight[axis])
            _slope(u - np.float32(cell), slope[axis])
        value = np.float32(0)
        x = y = z = np.float32(0)
        for a in range(1 if flat else 4):
            for b in range(4):
                row = grid[at[0] + a, at[1] + b]
                along = across = np.float32(0)
                for c in range(4):
                    along += weight[2, c] * row[at[2] + c]
                    across += slope[2, c] * row[at[2] + c]
                w = weight[0, a] * weight[1, b]
                value += w * along
                x += w * across
                y += weight[0, a] * slope[1, b] * along
                z += slope[0, a] * weight[1, b] * along
        values[i] = value
        slopes[i, dim - 1] = x * inverse[0]
        slopes[i, dim - 2] = y * inverse[0]
        if not flat:
            slopes[i, 0] = z * inverse[0]


@jit
def attract(first, last, indptr, indices, weights, coordinates, out):
    """Set rows of `out` to the attraction of points by their neighbors: sum of w (y_i - y_j) / (1 + |y_i - y_j|^2).

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    indptr, indices, weights : int64 [N + 1], int32 [nnz], float32 [nnz]
        Affinities in compressed sparse rows.
    coordinates : float32 [N, dim]
        The points.
    out : float32 [N, dim]
        Written.
    """
    flat = coordinates.shape[1] == 2
    for i in range(first, last):
        x, y = coordinates[i, 0], coordinates[i, 1]
        ax = ay = az = np.float32(0)
        if flat:
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                dx, dy = x - coordinates[j, 0], y - coordinates[j, 1]
                g = weights[e] / (_ONE + dx * dx + dy * dy)
                ax += g * dx
                ay += g * dy
        else:
            z = coordinates[i, 2]
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                dx, dy, dz = x - coordinates[j, 0], y - coordinates[j, 1], z - coordinates[j, 2]
                g = weights[e] / (_ONE + dx * dx + dy * dy + dz * dz)
                ax += g * dx
                ay += g * dy
                az += g * dz
            out[i, 2] = az
        out[i, 0] = ax
        out[i, 1] = ay


@jit
def stretch(first, last, indptr, indices, weights, coordinates):
    """Return the sum of w log(1 + |y_i - y_j|^2) over the affinities of some points.

    Parameters
    ----------
    first, last, indptr, indices, weights, coordinates
        As in :func:`attract`.
    """
    total = 0.0
    for i in range(first, last):
        for e in range(indptr[i], indptr[i + 1]):
            square = np.float32(0)
            for d in range(coordinates.shape[1]):
                difference = coordinates[i, d] - coordinates[indices[e], d]
                square += difference * difference
            total += weights[e] * np.log1p(square)
    return total


@jit
def repel(first, last, coordinates, slopes, values):
    """Sum up the kernel 1 / (1 + d^2) and its gradient over all points, themselves among them, for some of the points.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    coordinates : float32 [N, dim]
        The points.
    slopes, values : float32 [N, dim], float32 [N]
        Written.
    """
    dim = coordinates.shape[1]
    flat = dim == 2
    columns = np.ascontiguousarray(coordinates.T)
    xs, ys, zs = columns[0], columns[1], columns[dim - 1]
    for i in range(first, last):
        x, y, z = xs[i], ys[i], zs[i]
        value = sx = sy = sz = np.float32(0)
        if flat:
            for j in range(xs.size):
                dx, dy = x - xs[j], y - ys[j]
                q = _ONE / (_ONE + dx * dx + dy * dy)
                value += q
                sx += q * q * dx
                sy += q * q * dy
        else:
            for j in range(xs.size):
                dx, dy, dz = x - xs[j], y - ys[j], z - zs[j]
                q = _ONE / (_ONE + dx * dx + dy * dy + dz * dz)
                value += q
                sx += q * q * dx
                sy += q * q * dy
                sz += q * q * dz
            slopes[i, 2] = np.float32(-2) * sz
        slopes[i, 0] = np.float32(-2) * sx
        slopes[i, 1] = np.float32(-2) * sy
        values[i] = value


@jit
def move(
    first, last, pull, push, share, exaggeration, rate, momentum, limit, anchors, hold, coordinates, velocity, gains
):
    """Move points down the gradient, with momentum and gains.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    pull : float32 [N, dim]
        Attraction, as :func:`attract` gives it.
    push : float32 [N, dim]
        Gradient of the sum of the kernel, as :func:`sample` and :func:`repel` give it.
    share : float32 [1]
        One over the sum of the kernel over all pairs of points.
    exaggeration, rate, momentum, limit : float32
        What attraction is multiplied by; learning rate; part of the last step that is made again; most that a point moves along an axis.
    anchors : float32 [N, dim] or [0, dim]
        Where points are held, if they are.
    hold : float32 [N] or [0]
        How much.
    coordinates, velocity, gains : float32 [N, dim]
        Changed.
    """
    held = hold.size > 0
    for i in range(first, last):
        for d in range(coordinates.shape[1]):
            gradient = exaggeration * pull[i, d] + _HALF * share[0] * push[i, d]
            if held:
                gradient += hold[i] * (coordinates[i, d] - anchors[i, d])
            before = velocity[i, d]
            if (gradient > 0) != (before > 0):
                gain = gains[i, d] + np.float32(0.2)
            else:
                gain = max(gains[i, d] * np.float32(0.8), np.float32(0.01))
            gains[i, d] = gain
            after = momentum * before - np.float32(4) * rate * gain * gradient
            after = min(max(after, -limit), limit)
            velocity[i, d] = after
            coordinates[i, d] += after
