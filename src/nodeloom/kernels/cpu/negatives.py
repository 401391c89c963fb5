"""Alias tables and draws from them; :mod:`nodeloom.kernels.reference.negatives` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.rng import below, draw, item_key, unit


@jit(fastmath=False)
def _build_alias(weights, first, last, prob, alias, small, large):
    """Vose's construction for ``weights[first:last]``; alias entries count from `first`."""
    count = last - first
    total = 0.0
    for i in range(first, last):
        total += weights[i]
    num_small = 0
    num_large = 0
    for i in range(count):
        prob[first + i] = 1.0
        alias[first + i] = i
    if not total > 0.0:
        return
    # Scaled shares live in float64 in `prob`'s place of work, so that a long row keeps its precision.
    share = np.empty(count, np.float64)
    for i in range(count):
        share[i] = weights[first + i] * (count / total)
        if share[i] < 1.0:
            small[num_small] = i
            num_small += 1
        else:
            large[num_large] = i
            num_large += 1
    while num_small > 0 and num_large > 0:
        num_small -= 1
        s = small[num_small]
        g = large[num_large - 1]
        prob[first + s] = share[s]
        alias[first + s] = g
        share[g] -= 1.0 - share[s]
        if share[g] < 1.0:
            num_large -= 1
            small[num_small] = g
            num_small += 1
    # Rounding leaves shares next to 1: they keep their own entry, except that a weight of zero must never be drawn.
    heaviest = 0
    for i in range(1, count):
        if weights[first + i] > weights[first + heaviest]:
            heaviest = i
    while num_small > 0:
        num_small -= 1
        s = small[num_small]
        if weights[first + s] == 0.0:
            prob[first + s] = 0.0
            alias[first + s] = heaviest


@jit(fastmath=False)
def build_alias(weights, indptr, first_row, last_row, prob, alias):
    """Build one alias table per row of `weights` (Vose, IEEE TSE 1991), in linear time.

    Parameters
    ----------
    weights : float32 or float64 [nnz]
        Non-negative weights. A row whose weights are all zero is drawn from uniformly.
    indptr : int64 [N + 1]
        Bounds of the rows.
    first_row, last_row : int
        The rows to build.
    prob, alias : float32 [nnz], int32 or int64 [nnz]
        Written. Entry i of a row is kept with ``prob``, else exchanged for entry ``alias`` of the row.
    """
    longest = 0
    for row in range(first_row, last_row):
        longest = max(longest, indptr[row + 1] - indptr[row])
    small = np.empty(longest, alias.dtype)
    large = np.empty(longest, alias.dtype)
    for row in range(first_row, last_row):
        _build_alias(weights, indptr[row], indptr[row + 1], prob, alias, small, large)


@jit
def draw_negatives(prob, alias, stream, first_item, out):
    """Fill `out` [M, K] with draws from an alias table; row m belongs to item ``first_item + m`` of the stream.

    Parameters
    ----------
    prob, alias : float32 [N], int32 or int64 [N]
        Alias table.
    stream : uint64
        Key of the random stream.
    first_item : int
        Number of the first row.
    out : int32 or int64 [M, K]
        Written.
    """
    for m in range(out.shape[0]):
        key = item_key(stream, first_item + m)
        for k in range(out.shape[1]):
            bits = draw(key, k)
            entry = below(bits, prob.size)
            out[m, k] = entry if unit(bits) < prob[entry] else alias[entry]
