"""Nearest other rows of each row by filter and refinement; :mod:`nodeloom.kernels.reference.neighbors` is the definition.

Rows are filtered by short vectors, whose products say a bound below the distance. What passes is measured in float64, on the
rows themselves: so results do not depend on the filter, on the order of the work or on the number of threads.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

_CHUNK = 64  # pairs looked at together

EUCLIDEAN, COSINE, INNER_PRODUCT = 0, 1, 2


@jit(inline=True)
def _distance(vectors, lengths, metric, i, j):
    """Return the squared distance, 1 minus the cosine, or minus the product of rows: the same number for (i, j) and (j, i)."""
    if i > j:
        i, j = j, i
    x, y = vectors[i], vectors[j]
    total = 0.0
    if metric == 0:
        for c in range(x.size):
            difference = np.float64(x[c]) - np.float64(y[c])
            total += difference * difference
        return total
    if metric == 2:
        for c in range(x.size):
            total += np.float64(x[c]) * np.float64(y[c])
        return -total
    if lengths[i] == 0 or lengths[j] == 0:
        return 1.0
    a, b = 1 / lengths[i], 1 / lengths[j]
    for c in range(x.size):
        difference = np.float64(x[c]) * a - np.float64(y[c]) * b
        total += difference * difference
    return total * 0.5


@jit(inline=True)
def _is_after(v, i, w, j):
    return v > w or (v == w and i > j)


@jit
def _sink(values, ids, v, i, size):
    """Put an entry in place of the first of a heap, whose first entry is the last in order, and restore the heap."""
    p = 0
    while True:
        c = 2 * p + 1
        if c >= size:
            break
        if c + 1 < size and _is_after(values[c + 1], ids[c + 1], values[c], ids[c]):
            c += 1
        if not _is_after(values[c], ids[c], v, i):
            break
        values[p], ids[p] = values[c], ids[c]
        p = c
    values[p], ids[p] = v, i


@jit(inline=True)
def _bound(v, scale):
    """Return what the filter of a row lets pass: a thousandth above the value, which more than covers the rounding of the filter."""
    t = np.float32(v * scale)
    return t + abs(t) * np.float32(1e-3) + np.float32(1e-37)


@jit
def seed_bounds(products, first, k, bias, order, vectors, lengths, metric, scale, bounds):
    """Lower the bounds of a few rows to the k-th of their distances to those of the others that the filter says to be nearest.

    Parameters
    ----------
    products : float32 [R, R]
        Products of the filter's vectors of the rows ``first ...``; R is above k.
    first, k : int
        The first row; neighbors of each.
    bias : float32 [R]
        As in :func:`refine_pairs`.
    order, vectors, lengths, metric, scale, bounds
        As in :func:`refine_pairs`.
    """
    count = bias.size
    values, places = np.empty(k), np.empty(k, np.int32)
    for a in range(count):
        values[:] = np.inf
        places[:] = -1
        for c in range(count):
            v = np.float64(bias[c] - np.float32(2) * products[a, c])
            if c != a and (v < values[0] or places[0] < 0):
                _sink(values, places, v, c, k)
        worst = -np.inf
        for p in range(k):
            worst = max(worst, _distance(vectors, lengths, metric, order[first + a], order[first + places[p]]))
        bounds[first + a] = min(bounds[first + a], _bound(worst, scale))


@jit(inline=True)
def _any_passes(product, bias, bounds, own, here):
    """Tell whether a pair of one row with a chunk of rows passes; without a branch, so that it vectorises."""
    found = np.int32(0)
    for c in range(_CHUNK):
        most = bounds[c]
        if here > most:
            most = here
        found = np.int32(found | np.int32(bias[c] + own - np.float32(2) * product[c] <= most))
    return found


@jit
def refine_pairs(
    products,
    first,
    second,
    bias,
    other_bias,
    longer,
    slack,
    order,
    vectors,
    lengths,
    metric,
    scale,
    bounds,
    values,
    ids,
):
    """Measure the pairs of two ranges of rows that pass the filter, and keep the nearest of each row.

    Rows are in the order of the filter.

    Parameters
    ----------
    products : float32 [A, B]
        Products of the filter's vectors of the ranges.
    first, second : int
        Where the ranges begin. Where they are the same, each pair is looked at once; else they do not overlap.
    bias, other_bias : float32 [A], float32 [B]
        A pair is not nearer than ``bias[a] + other_bias[b] - 2 product``; -infinity for rows that pass with all others.
    longer : float32 [N, Q] or [N, 0]
        Longer vectors, whose distances are below those of the rows as well.
    slack : float32 [N]
        What their squared distances may be wrong by, in two parts; infinity for rows that pass with all others.
    order : int32 [N]
        Numbers of the rows in `vectors`.
    vectors : [N, D]
        The rows that are measured.
    lengths : float64 [N]
        Their lengths, for cosines.
    metric : int
        EUCLIDEAN, COSINE or INNER_PRODUCT.
    scale : float
        From what is measured to the squared distances of the filter.
    bounds : float32 [N]
        Changed: what the filter of a row lets pass.
    values, ids : float64 [N, k], int32 [N, k]
        Changed: heaps of the nearest so far.

    Returns
    -------
    int
        Pairs that were measured.
    """
    k = values.shape[1]
    measured = 0
    for a in range(bias.size):
        i = first + a
        own = bias[a]
        begin = a + 1 if first == second else 0
        while begin < other_bias.size:
            end = min(begin + _CHUNK, other_bias.size)
            passing = np.int32(1)
            if end - begin == _CHUNK:
                passing = _any_passes(
                    products[a, begin:end], other_bias[begin:end], bounds[second + begin : second + end], own, bounds[i]
                )
            if passing > 0:
                for c in range(begin, end):
                    j = second + c
                    if other_bias[c] + own - np.float32(2) * products[a, c] > max(bounds[i], bounds[j]):
                        continue
                    if longer.shape[1] > 0:
                        square = np.float32(0)
                        for q in range(longer.shape[1]):
                            difference = longer[i, q] - longer[j, q]
                            square += difference * difference
                        if square > max(bounds[i], bounds[j]) + slack[i] + slack[j]:
                            continue
                    measured += 1
                    d = _distance(vectors, lengths, metric, order[i], order[j])
                    if _is_after(values[i, 0], ids[i, 0], d, order[j]):
                        _sink(values[i], ids[i], d, order[j], k)
                        bounds[i] = min(bounds[i], _bound(values[i, 0], scale))
                    if _is_after(values[j, 0], ids[j, 0], d, order[i]):
                        _sink(values[j], ids[j], d, order[i], k)
                        bounds[j] = min(bounds[j], _bound(values[j, 0], scale))
            begin = end
    return measured


@jit
def sort_neighbors(first, last, order, values, ids, metric, indices, distances):
    """Write heaps of neighbors as ascending distances.

    Parameters
    ----------
    first, last : int
        Bounds of the rows, in the order of the filter.
    order, values, ids, metric
        As in :func:`refine_pairs`; heaps are used up.
    indices, distances : int32 [N, k], float32 [N, k]
        Written.
    """
    k = values.shape[1]
    for i in range(first, last):
        row = order[i]
        for size in range(k, 0, -1):
            v = values[i, 0]
            indices[row, size - 1] = ids[i, 0]
            distances[row, size - 1] = np.sqrt(v) if metric == 0 else v
            _sink(values[i], ids[i], values[i, size - 1], ids[i, size - 1], size - 1)
