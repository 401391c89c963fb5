"""Moves of LargeVis; :mod:`nodeloom.kernels.reference.largevis` is the definition."""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._triton import ceil_div, jit, key_bits, on_device_of, tl
from nodeloom.kernels.gpu.rng import below, draw, item_key, unit

EPSILON = 0.1
CLIP = 4.0

_EPSILON = tl.constexpr(EPSILON)
_CLIP = tl.constexpr(CLIP)
_POINTS = 64


@jit
def _clipped(value):
    return tl.minimum(tl.maximum(value, -_CLIP), _CLIP)


@jit(varying=("stream",))
def _sweep_points(
    first, last, indptr, indices, cumulative, stream: tl.int64, sweeps, num_positive, num_negative, negative_weight,
    sharpness, rates, coordinates, out, count, DIM: tl.constexpr, P: tl.constexpr,
):  # fmt: skip
    point = (first + tl.program_id(0) * P + tl.arange(0, P)).to(tl.int64)
    live = point < last
    rate = tl.load(rates)
    key = item_key(tl.cast(stream, tl.uint64), tl.load(sweeps) * count + point)
    begin = tl.load(indptr + point, mask=live, other=0)
    end = tl.load(indptr + point + 1, mask=live, other=0)
    x = tl.load(coordinates + point * DIM, mask=live, other=0.0)
    y = tl.load(coordinates + point * DIM + 1, mask=live, other=0.0)
    z = tl.zeros_like(x)
    if DIM == 3:
        z = tl.load(coordinates + point * DIM + 2, mask=live, other=0.0)
    total = tl.load(cumulative + end - 1, mask=live & (end > begin), other=0.0)
    draws = (total * num_positive + unit(draw(key, tl.zeros_like(point)))).to(tl.int32)
    longest = tl.max(end - begin, 0)
    number = tl.zeros_like(point)
    for turn in range(tl.max(draws, 0)):
        goes = live & (turn < draws)
        number += 1
        level = unit(draw(key, number)) * total
        low = begin
        high = end - 1
        left = longest - 1
        while left > 0:
            left = left // 2
            middle = (low + high) // 2
            above = tl.load(cumulative + middle, mask=goes & (low < high), other=0.0) > level
            searching = low < high
            high = tl.where(searching & above, middle, high)
            low = tl.where(searching & (above == 0), middle + 1, low)
        other = tl.load(indices + low, mask=goes, other=0).to(tl.int64) * DIM
        dx = x - tl.load(coordinates + other, mask=goes, other=0.0)
        dy = y - tl.load(coordinates + other + 1, mask=goes, other=0.0)
        dz = tl.zeros_like(dx)
        if DIM == 3:
            dz = z - tl.load(coordinates + other + 2, mask=goes, other=0.0)
        pull = 2.0 * sharpness / (1.0 + sharpness * (dx * dx + dy * dy + dz * dz))
        x = tl.where(goes, x - rate * _clipped(pull * dx), x)
        y = tl.where(goes, y - rate * _clipped(pull * dy), y)
        if DIM == 3:
            z = tl.where(goes, z - rate * _clipped(pull * dz), z)
        for _ in range(num_negative):
            number += 1
            drawn = below(draw(key, number), count)
            acts = goes & (drawn != point)
            dx = x - tl.load(coordinates + drawn * DIM, mask=acts, other=0.0)
            dy = y - tl.load(coordinates + drawn * DIM + 1, mask=acts, other=0.0)
            if DIM == 3:
                dz = z - tl.load(coordinates + drawn * DIM + 2, mask=acts, other=0.0)
            square = dx * dx + dy * dy + dz * dz
            push = 2.0 * negative_weight / ((_EPSILON + square) * (1.0 + sharpness * square))
            x = tl.where(acts, x + rate * _clipped(push * dx), x)
            y = tl.where(acts, y + rate * _clipped(push * dy), y)
            if DIM == 3:
                z = tl.where(acts, z + rate * _clipped(push * dz), z)
    tl.store(out + point * DIM, x, mask=live)
    tl.store(out + point * DIM + 1, y, mask=live)
    if DIM == 3:
        tl.store(out + point * DIM + 2, z, mask=live)


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
    stream, sweep : int, int or int64 tensor [1]
        Key of the random numbers; number of the sweep.
    num_positive, num_negative : float, int
        Edges that a point draws on average; points drawn for each of them.
    negative_weight, sharpness, rate : float, float, float or float32 tensor [1]
        Weight of a negative; a; learning rate.
    coordinates, out : float32 [N, dim]
        Where all points are; where those of the rows go.
    """
    count, dim = coordinates.shape
    sweeps = torch.as_tensor(sweep, dtype=torch.int64, device=coordinates.device)
    rates = torch.as_tensor(rate, dtype=torch.float32, device=coordinates.device)
    with on_device_of(coordinates):
        _sweep_points[(ceil_div(last - first, _POINTS),)](
            first, last, indptr, indices, cumulative, key_bits(stream), sweeps, float(num_positive), num_negative,
            float(negative_weight), float(sharpness), rates, coordinates, out, count, DIM=dim, P=_POINTS, num_warps=2,
        )  # fmt: skip
