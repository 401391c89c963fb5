"""Sparse matrices times tables: the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray


def multiply_rows(
    first: int,
    last: int,
    indptr: OffsetArray,
    indices: IndexArray,
    weights: FloatArray,
    factors: FloatArray,
    table: DoubleArray,
    out: DoubleArray,
) -> None:
    """Set rows ``first`` to ``last - 1`` of `out` [N, D] to those of a sparse matrix times `table`.

    Parameters
    ----------
    first, last : int
        Bounds of the rows.
    indptr, indices : int64 [N + 1], int32 or int64 [nnz]
        The matrix in compressed sparse rows.
    weights : float32 [nnz] or [0]
        Its entries; none: all are 1.
    factors : float32 [N]
        What each column of the matrix is multiplied by.
    table : float [N, D]
        The table.
    out : float [N, D]
        Written.
    """
    for row in range(first, last):
        entries = slice(indptr[row], indptr[row + 1])
        scale = factors[indices[entries]].astype(np.float64)
        if len(weights):
            scale = scale * weights[entries]
        out[row] = scale @ table[indices[entries]]


def normalize_rows(table: DoubleArray, length: float) -> None:
    """Scale each row of `table` [R, D] to a Euclidean length, in place; rows of zeros stay.

    Parameters
    ----------
    table : float [R, D]
        Changed.
    length : float
        The length.
    """
    sums = np.einsum("rd,rd->r", table, table)
    table *= np.where(sums > 0, length / np.sqrt(np.where(sums > 0, sums, 1.0)), 0.0)[:, None]
