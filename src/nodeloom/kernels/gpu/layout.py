"""Forces of a layout; :mod:`nodeloom.kernels.reference.layout` is the definition.

Points are added to a grid by atomic additions: sums are not the same to the last bit from run to run.
"""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl

_POINTS = 128  # of a program that works on grids
_ROWS, _ENTRIES = 32, 8  # points of a program that sums up affinities, and their entries that it reads at a time


@jit
def _spline(distance):
    """Return the cubic B-spline at a distance from its center."""
    x = tl.abs(distance)
    near = (4.0 - 6.0 * x * x + 3.0 * x * x * x) / 6.0
    r = tl.maximum(2.0 - x, 0.0)
    return tl.where(x < 1.0, near, r * r * r / 6.0)


@jit
def _slope(distance):
    """Return the derivative of the cubic B-spline."""
    x = tl.abs(distance)
    r = tl.maximum(2.0 - x, 0.0)
    size = tl.where(x < 1.0, (1.5 * x - 2.0) * x, -0.5 * r * r)
    return tl.where(distance < 0.0, -size, size)


@jit
def _place(coordinates, point, live, origin, inverse, axis, DIM: tl.constexpr):
    """Return where points are along an axis of a grid, in nodes."""
    y = tl.load(coordinates + point * DIM + axis, mask=live, other=0.0)
    return (y - tl.load(origin + axis)) * tl.load(inverse)


@jit
def _spread(first, last, order, coordinates, origin, inverse, grid, rows, columns, DIM: tl.constexpr, P: tl.constexpr):
    k = first + tl.program_id(0) * P + tl.arange(0, P)
    live = k < last
    point = tl.load(order + k, mask=live, other=0).to(tl.int64)
    u = _place(coordinates, point, live, origin, inverse, DIM - 2, DIM)
    v = _place(coordinates, point, live, origin, inverse, DIM - 1, DIM)
    row, column = tl.floor(u).to(tl.int32) - 1, tl.floor(v).to(tl.int32) - 1
    depth = tl.zeros_like(u)
    plane = tl.zeros_like(row)
    if DIM == 3:
        depth = _place(coordinates, point, live, origin, inverse, 0, DIM)
        plane = tl.floor(depth).to(tl.int32) - 1
    for a in tl.static_range(0, 4 if DIM == 3 else 1):
        of_plane = tl.zeros_like(u) + 1.0
        if DIM == 3:
            of_plane = _spline(depth - (plane + a).to(tl.float32))
        for b in tl.static_range(0, 4):
            weight = of_plane * _spline(u - (row + b).to(tl.float32))
            at = ((plane + a).to(tl.int64) * rows + row + b) * columns + column
            for c in tl.static_range(0, 4):
                tl.atomic_add(
                    grid + at + c, weight * _spline(v - (column + c).to(tl.float32)), mask=live, sem="relaxed"
                )


def spread(first, last, order, coordinates, origin, inverse, grid):
    """Add the cubic B-spline of each point ``order[first]`` to ``order[last - 1]`` to the nodes of a grid around it.

    Parameters
    ----------
    first, last : int
        Bounds in `order`.
    order : int32 [N]
        Points.
    coordinates : float32 [N, dim]
        The points, at least a cell from the edges of the grid.
    origin : float32 [dim]
        Place of node 0 of the grid.
    inverse : float32 [1]
        Nodes of the grid per unit of length.
    grid : float32 [P, R, C]
        Added to.
    """
    with on_device_of(grid):
        _spread[(ceil_div(last - first, _POINTS),)](
            first, last, order, coordinates, origin, inverse, grid, grid.shape[1], grid.shape[2],
            DIM=coordinates.shape[1], P=_POINTS, num_warps=4,
        )  # fmt: skip


@jit
def _sample(
    first,
    last,
    coordinates,
    origin,
    inverse,
    grid,
    slopes,
    values,
    plane_stride,
    row_stride,
    DIM: tl.constexpr,
    P: tl.constexpr,
):
    point = (first + tl.program_id(0) * P + tl.arange(0, P)).to(tl.int64)
    live = point < last
    u = _place(coordinates, point, live, origin, inverse, DIM - 2, DIM)
    v = _place(coordinates, point, live, origin, inverse, DIM - 1, DIM)
    row, column = tl.floor(u).to(tl.int32) - 1, tl.floor(v).to(tl.int32) - 1
    depth = tl.zeros_like(u)
    plane = tl.zeros_like(row)
    if DIM == 3:
        depth = _place(coordinates, point, live, origin, inverse, 0, DIM)
        plane = tl.floor(depth).to(tl.int32) - 1
    value = tl.zeros_like(u)
    x = tl.zeros_like(u)
    y = tl.zeros_like(u)
    z = tl.zeros_like(u)
    for a in tl.static_range(0, 4 if DIM == 3 else 1):
        of_plane = tl.zeros_like(u) + 1.0
        of_slope = tl.zeros_like(u)
        if DIM == 3:
            of_plane = _spline(depth - (plane + a).to(tl.float32))
            of_slope = _slope(depth - (plane + a).to(tl.float32))
        for b in tl.static_range(0, 4):
            at = (plane + a).to(tl.int64) * plane_stride + (row + b).to(tl.int64) * row_stride + column
            along = tl.zeros_like(u)
            across = tl.zeros_like(u)
            for c in tl.static_range(0, 4):
                entry = tl.load(grid + at + c, mask=live, other=0.0)
                along += entry * _spline(v - (column + c).to(tl.float32))
                across += entry * _slope(v - (column + c).to(tl.float32))
            weight = _spline(u - (row + b).to(tl.float32))
            value += of_plane * weight * along
            x += of_plane * weight * across
            y += of_plane * _slope(u - (row + b).to(tl.float32)) * along
            z += of_slope * weight * along
    factor = tl.load(inverse)
    tl.store(values + point, value, mask=live)
    tl.store(slopes + point * DIM + DIM - 1, x * factor, mask=live)
    tl.store(slopes + point * DIM + DIM - 2, y * factor, mask=live)
    if DIM == 3:
        tl.store(slopes + point * DIM, z * factor, mask=live)


def sample(first, last, coordinates, origin, inverse, grid, slopes, values):
    """Interpolate a field on a grid, and its gradient, at points.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    coordinates, origin, inverse
        As in :func:`spread`.
    grid : float32 [P, R, C], rows of any stride
        Coefficients of the B-splines.
    slopes, values : float32 [N, dim], float32 [N]
        Written: the gradient and the field.
    """
    with on_device_of(grid):
        _sample[(ceil_div(last - first, _POINTS),)](
            first, last, coordinates, origin, inverse, grid, slopes, values, grid.stride(0), grid.stride(1),
            DIM=coordinates.shape[1], P=_POINTS, num_warps=4,
        )  # fmt: skip


@jit
def _attract(
    first,
    last,
    indptr,
    indices,
    weights,
    coordinates,
    out,
    lengths,
    DIM: tl.constexpr,
    R: tl.constexpr,
    E: tl.constexpr,
):
    point = (first + tl.program_id(0) * R + tl.arange(0, R)).to(tl.int64)
    live = point < last
    begin = tl.load(indptr + point, mask=live, other=0)
    end = tl.load(indptr + point + 1, mask=live, other=0)
    x = tl.load(coordinates + point * DIM, mask=live, other=0.0)[:, None]
    y = tl.load(coordinates + point * DIM + 1, mask=live, other=0.0)[:, None]
    z = tl.load(coordinates + point * DIM + DIM - 1, mask=live, other=0.0)[:, None]
    ax = tl.zeros([R, E], tl.float32)
    ay = tl.zeros([R, E], tl.float32)
    az = tl.zeros([R, E], tl.float32)
    length = tl.zeros([R, E], tl.float32)
    for k in range(0, tl.max(end - begin, 0), E):
        entry = begin[:, None] + k + tl.arange(0, E)[None, :]
        there = entry < end[:, None]
        other = tl.load(indices + entry, mask=there, other=0).to(tl.int64) * DIM
        weight = tl.load(weights + entry, mask=there, other=0.0)
        dx = x - tl.load(coordinates + other, mask=there, other=0.0)
        dy = y - tl.load(coordinates + other + 1, mask=there, other=0.0)
        square = 1.0 + dx * dx + dy * dy
        dz = tl.zeros_like(dx)
        if DIM == 3:
            dz = z - tl.load(coordinates + other + 2, mask=there, other=0.0)
            square += dz * dz
        g = weight / square
        ax += g * dx
        ay += g * dy
        az += g * dz
        length += weight * tl.log(square)
    tl.store(out + point * DIM, tl.sum(ax, 1), mask=live)
    tl.store(out + point * DIM + 1, tl.sum(ay, 1), mask=live)
    if DIM == 3:
        tl.store(out + point * DIM + 2, tl.sum(az, 1), mask=live)
    tl.store(lengths + point, tl.sum(length, 1), mask=live)


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
    _attracted(first, last, indptr, indices, weights, coordinates, out)


def stretch(first, last, indptr, indices, weights, coordinates):
    """Return the sum of w log(1 + |y_i - y_j|^2) over the affinities of some points.

    Parameters
    ----------
    first, last, indptr, indices, weights, coordinates
        As in :func:`attract`.
    """
    out = torch.empty_like(coordinates)
    return _attracted(first, last, indptr, indices, weights, coordinates, out)[first:last].sum(dtype=torch.float64)


def _attracted(first, last, indptr, indices, weights, coordinates, out):
    lengths = torch.empty(len(coordinates), dtype=torch.float32, device=coordinates.device)
    with on_device_of(coordinates):
        _attract[(ceil_div(last - first, _ROWS),)](
            first, last, indptr, indices, weights, coordinates, out, lengths,
            DIM=coordinates.shape[1], R=_ROWS, E=_ENTRIES, num_warps=4,
        )  # fmt: skip
    return lengths


@jit
def _repel(first, last, count, coordinates, slopes, values, DIM: tl.constexpr, P: tl.constexpr, Q: tl.constexpr):
    point = (first + tl.program_id(0) * P + tl.arange(0, P)).to(tl.int64)
    live = point < last
    x = tl.load(coordinates + point * DIM, mask=live, other=0.0)[:, None]
    y = tl.load(coordinates + point * DIM + 1, mask=live, other=0.0)[:, None]
    z = tl.load(coordinates + point * DIM + DIM - 1, mask=live, other=0.0)[:, None]
    value = tl.zeros([P, Q], tl.float32)
    sx = tl.zeros([P, Q], tl.float32)
    sy = tl.zeros([P, Q], tl.float32)
    sz = tl.zeros([P, Q], tl.float32)
    for begin in range(0, count, Q):
        other = begin + tl.arange(0, Q)
        there = other < count
        # What is not there is so far away that it counts for nothing.
        dx = x - tl.load(coordinates + other * DIM, mask=there, other=1e15)[None, :]
        dy = y - tl.load(coordinates + other * DIM + 1, mask=there, other=0.0)[None, :]
        square = 1.0 + dx * dx + dy * dy
        dz = tl.zeros_like(dx)
        if DIM == 3:
            dz = z - tl.load(coordinates + other * DIM + 2, mask=there, other=0.0)[None, :]
            square += dz * dz
        q = 1.0 / square
        value += q
        q = q * q
        sx += q * dx
        sy += q * dy
        if DIM == 3:
            sz += q * dz
    tl.store(values + point, tl.sum(value, 1), mask=live)
    tl.store(slopes + point * DIM, -2.0 * tl.sum(sx, 1), mask=live)
    tl.store(slopes + point * DIM + 1, -2.0 * tl.sum(sy, 1), mask=live)
    if DIM == 3:
        tl.store(slopes + point * DIM + 2, -2.0 * tl.sum(sz, 1), mask=live)


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
    with on_device_of(coordinates):
        _repel[(ceil_div(last - first, 64),)](
            first, last, len(coordinates), coordinates, slopes, values, DIM=coordinates.shape[1], P=64, Q=64, num_warps=8,
        )  # fmt: skip


@jit
def _move(
    first, last, pull, push, share, exaggeration, rate, momentum, limit, anchors, hold, coordinates, velocity, gains,
    HELD: tl.constexpr, DIM: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    k = first * DIM + tl.program_id(0).to(tl.int64) * P + tl.arange(0, P)
    live = k < last * DIM
    y = tl.load(coordinates + k, mask=live, other=0.0)
    gradient = exaggeration * tl.load(pull + k, mask=live, other=0.0)
    gradient += 0.5 * tl.load(share) * tl.load(push + k, mask=live, other=0.0)
    if HELD:
        held = tl.load(hold + k // DIM, mask=live, other=0.0)
        gradient += held * (y - tl.load(anchors + k, mask=live, other=0.0))
    before = tl.load(velocity + k, mask=live, other=0.0)
    gain = tl.load(gains + k, mask=live, other=0.0)
    gain = tl.where((gradient > 0) != (before > 0), gain + 0.2, tl.maximum(gain * 0.8, 0.01))
    after = momentum * before - 4.0 * rate * gain * gradient
    after = tl.minimum(tl.maximum(after, -limit), limit)
    tl.store(gains + k, gain, mask=live)
    tl.store(velocity + k, after, mask=live)
    tl.store(coordinates + k, y + after, mask=live)


def move(
    first, last, pull, push, share, exaggeration, rate, momentum, limit, anchors, hold, coordinates, velocity, gains
):
    """Move points down the gradient, with momentum and gains.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    pull, push : float32 [N, dim]
        Attraction, and gradient of the sum of the kernel.
    share : float32 [1]
        One over the sum of the kernel over all pairs of points.
    exaggeration, rate, momentum, limit : float
        What attraction is multiplied by; learning rate; part of the last step that is made again; most that a point moves along an axis.
    anchors, hold : float32 [N, dim] or [0, dim], float32 [N] or [0]
        Where points are held, and how much, if they are.
    coordinates, velocity, gains : float32 [N, dim]
        Changed.
    """
    dim = coordinates.shape[1]
    with on_device_of(coordinates):
        _move[(ceil_div((last - first) * dim, 512),)](
            first, last, pull, push, share, float(exaggeration), float(rate), float(momentum), float(limit), anchors, hold,
            coordinates, velocity, gains, HELD=hold.numel() > 0, DIM=dim, P=512, num_warps=4,
        )  # fmt: skip
