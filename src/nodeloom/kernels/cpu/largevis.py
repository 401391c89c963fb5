"""Moves of LargeVis; :mod:`nodeloom.kernels.reference.largevis` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.rng import below, draw, item_key, unit

EPSILON = 0.1
CLIP = 4.0

_EPSILON, _CLIP, _ONE, _TWO = np.float32(EPSILON), np.float32(CLIP), np.float32(1.0), np.float32(2.0)


@jit(inline=True)
def _clipped(value):
    return min(max(value, -_CLIP), _CLIP)


@jit
def sweep_points(
    first, last, indptr, indices, cumulative, stream, sweep, num_positive, num_negative, negative_weight, sharpness, rate,
    coordinates, out,
):  # fmt: skip
    """Set rows of `out` to where points move in a sweep.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    indptr, indices, cumulative : int64 [N + 1], int32 [nnz], float32 [nnz]
        Edges in compressed sparse rows, and sums of their weights up to each within its row.
    stream, sweep : uint64, int
        Key of the random numbers; number of the sweep.
    num_positive, num_negative : float32, int
        Edges that a point draws on average; points drawn for each of them.
    negative_weight, sharpness, rate : float32
        Weight of a negative; a; learning rate.
    coordinates, out : float32 [N, dim]
        Where all points are; where those of the rows go.
    """
    count, dim = coordinates.shape
    solid = dim == 3
    for i in range(first, last):
        key = item_key(stream, sweep * count + i)
        begin, end = indptr[i], indptr[i + 1]
        x, y = coordinates[i, 0], coordinates[i, 1]
        z = coordinates[i, dim - 1] if solid else np.float32(0)
        dz = np.float32(0)
        total = cumulative[end - 1] if end > begin else np.float32(0)
        draws = np.int64(total * num_positive + unit(draw(key, 0)))
        number = 0
        for _ in range(draws):
            number += 1
            level = unit(draw(key, number)) * total
            low, high = begin, end - 1
            while low < high:
                middle = (low + high) // 2
                if cumulative[middle] > level:
                    high = middle
                else:
                    low = middle + 1
            j = indices[low]
            dx, dy = x - coordinates[j, 0], y - coordinates[j, 1]
            if solid:
                dz = z - coordinates[j, 2]
            pull = _TWO * sharpness / (_ONE + sharpness * (dx * dx + dy * dy + dz * dz))
            x -= rate * _clipped(pull * dx)
            y -= rate * _clipped(pull * dy)
            z -= rate * _clipped(pull * dz)
            for _ in range(num_negative):
                number += 1
                k = below(draw(key, number), count)
                if k == i:
                    continue
                dx, dy = x - coordinates[k, 0], y - coordinates[k, 1]
                if solid:
                    dz = z - coordinates[k, 2]
                square = dx * dx + dy * dy + dz * dz
                push = _TWO * negative_weight / ((_EPSILON + square) * (_ONE + sharpness * square))
                x += rate * _clipped(push * dx)
                y += rate * _clipped(push * dy)
                z += rate * _clipped(push * dz)
        out[i, 0] = x
        out[i, 1] = y
        if solid:
            out[i, 2] = z
