"""Scores of pairs of nodes: the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray, IndexArray


def score_pairs(
    vertex: DoubleArray, context: DoubleArray, heads: IndexArray, tails: IndexArray, out: DoubleArray
) -> None:
    """Fill `out` [M] with the dot products of rows of two tables.

    Parameters
    ----------
    vertex, context : float [N, D]
        The tables; they may be the same.
    heads, tails : int32 or int64 [M]
        Rows of `vertex`, and the rows of `context` they are multiplied by.
    out : float [M]
        Written.
    """
    for m, (head, tail) in enumerate(zip(heads, tails, strict=True)):
        out[m] = np.dot(vertex[head].astype(np.float64), context[tail].astype(np.float64))
