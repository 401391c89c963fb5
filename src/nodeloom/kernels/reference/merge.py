"""Merging the tables of several workers, row by row: the definition.

All had the same table, the base, and each has trained its own since. What a worker has changed in a row is D = table - base. Changes that
agree went to the same place and are averaged, those that have nothing to do with each other are added: the merged row is base + a * sum(D),
where a = sum(|D|^2) / |sum(D)|^2, between 1 / W and 1. With W equal changes that is 1 / W, with orthogonal ones 1. This is in the spirit
of Adasum (Maleki et al., "Scaling Distributed Training with Adaptive Summation", 2020), in a form that needs two sums over all workers
however many there are.
"""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray


def changes(table: DoubleArray, base: DoubleArray, first: int, out: DoubleArray, squares: DoubleArray) -> None:
    """Write what has changed in rows ``first ...``.

    Parameters
    ----------
    table, base : float [N, D]
        The table of a worker, and what it was before.
    first : int
        Number of the first row.
    out : float [R, D]
        Written: ``table - base`` of R rows.
    squares : float [R]
        Written: squared lengths of the rows of `out`.
    """
    rows = slice(first, first + len(out))
    out[:] = table[rows] - base[rows]
    squares[:] = (out * out).sum(axis=1)


def apply(
    table: DoubleArray,
    base: DoubleArray,
    first: int,
    sums: DoubleArray,
    squares: DoubleArray,
    num_worker: int,
    seed: int,
) -> None:
    """Set rows ``first ...`` of a table and of its base to the merged rows.

    Parameters
    ----------
    table, base : float [N, D]
        Changed. Of `base` alone it depends what is written.
    first : int
        Number of the first row.
    sums : float [R, D]
        Changes of R rows, summed over the workers.
    squares : float [R]
        Their squared lengths, summed over the workers.
    num_worker : int
        Workers.
    seed : int
        Of the rounding, for tables that need it.
    """
    del seed
    rows = slice(first, first + len(sums))
    lengths = (sums * sums).sum(axis=1)
    # Where the changes cancel out, any share of nothing will do.
    share = np.divide(squares, lengths, out=np.ones_like(lengths), where=lengths > 0)
    merged = base[rows] + np.clip(share, 1.0 / num_worker, 1.0)[:, None] * sums
    table[rows] = merged
    base[rows] = merged
