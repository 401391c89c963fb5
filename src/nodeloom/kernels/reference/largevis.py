"""Moves of LargeVis (Tang et al., WWW 2016): the definition.

The score of a pair of points is p = 1 / (1 + a d^2). A point draws edges in proportion to their weights and goes down the gradient of
-log p for their other ends, 2 a p (y_i - y_j), and for each of them down that of -log(1 - p) for points drawn at random,
-2 (y_i - y_k) / ((epsilon + d^2) (1 + a d^2)) times their weight; epsilon, .1 as in GraphVite, keeps the latter finite. Each part is
clipped. All points move at once, from where they were at the beginning of the sweep: it does not matter who computes which.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.reference.rng import below, draw, item_key, unit

Array = npt.NDArray[Any]

EPSILON = 0.1
CLIP = 4.0


def sweep_points(
    first: int,
    last: int,
    indptr: Array,
    indices: Array,
    cumulative: Array,
    stream: int,
    sweep: int,
    num_positive: float,
    num_negative: int,
    negative_weight: float,
    sharpness: float,
    rate: float,
    coordinates: Array,
    out: Array,
) -> None:
    """Set rows of `out` to where points move in a sweep.

    Parameters
    ----------
    first, last : int
        Bounds of the points.
    indptr, indices : int64 [N + 1], int32 [nnz]
        Edges in compressed sparse rows.
    cumulative : float32 [nnz]
        Sums of the weights of the edges of a row up to each; the mean over all points of the last of a row is 1.
    stream : int
        Key of the random numbers; point i of a sweep is item ``sweep * N + i``. Draw 0 rounds the number of edges, then come an edge
        and its negatives, in turn.
    sweep : int
        Number of the sweep.
    num_positive : float
        Edges that a point draws, on average.
    num_negative : int
        Points drawn for each of them.
    negative_weight, sharpness, rate : float
        Weight of a negative; a; learning rate.
    coordinates : float32 [N, dim]
        Where all points are.
    out : float32 [N, dim]
        Written.
    """
    count = len(coordinates)
    for i in range(first, last):
        place = coordinates[i].copy()
        key = item_key(stream, sweep * count + i)
        begin, end = indptr[i], indptr[i + 1]
        total = float(cumulative[end - 1]) if end > begin else 0.0
        number = 0
        for _ in range(int(np.float32(total) * np.float32(num_positive) + np.float32(unit(draw(key, 0))))):
            number += 1
            level = np.float32(unit(draw(key, number))) * np.float32(total)
            edge = begin + int(np.searchsorted(cumulative[begin:end], level, side="right"))
            away = place - coordinates[indices[min(edge, end - 1)]]
            square = away @ away
            place = place - rate * np.clip(2 * sharpness * away / (1 + sharpness * square), -CLIP, CLIP)
            for _ in range(num_negative):
                number += 1
                other = int(below(draw(key, number), count))
                if other == i:
                    continue
                away = place - coordinates[other]
                square = away @ away
                push = 2 * negative_weight * away / ((EPSILON + square) * (1 + sharpness * square))
                place = place + rate * np.clip(push, -CLIP, CLIP)
        out[i] = place
