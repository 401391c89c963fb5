"""Merging the tables of several workers; :mod:`nodeloom.kernels.reference.merge` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit


@jit
def changes(table, base, first, out, squares):
    """Write what has changed in rows ``first ...``.

    Parameters
    ----------
    table, base : float32 [N, D]
        The table of a worker, and what it was before.
    first : int
        Number of the first row.
    out : float32 [R, D]
        Written: ``table - base`` of R rows.
    squares : float32 [R]
        Written: squared lengths of the rows of `out`.
    """
    for r in range(out.shape[0]):
        new, old, change = table[first + r], base[first + r], out[r]
        square = np.float32(0.0)
        for d in range(out.shape[1]):
            difference = new[d] - old[d]
            change[d] = difference
            square += difference * difference
        squares[r] = square


@jit
def apply(table, base, first, sums, squares, num_worker, seed):
    """Set rows ``first ...`` of a table and of its base to the merged rows.

    Parameters
    ----------
    table, base : float32 [N, D]
        Changed, to the same values.
    first : int
        Number of the first row.
    sums : float32 [R, D]
        Changes of R rows, summed over the workers.
    squares : float32 [R]
        Their squared lengths, summed over the workers.
    num_worker : int
        Workers.
    seed : int
        Not used: fp32 tables are rounded to nearest.
    """
    least = np.float32(1.0) / np.float32(num_worker)
    for r in range(sums.shape[0]):
        new, old, change = table[first + r], base[first + r], sums[r]
        length = np.float32(0.0)
        for d in range(sums.shape[1]):
            length += change[d] * change[d]
        share = np.float32(1.0)  # where changes cancel out, or have diverged
        if np.float32(0.0) < length < np.float32(np.inf):
            share = min(max(squares[r] / length, least), np.float32(1.0))
        for d in range(sums.shape[1]):
            merged = old[d] + share * change[d]
            new[d] = merged
            old[d] = merged
