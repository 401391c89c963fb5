"""Sparse matrices times tables; :mod:`nodeloom.kernels.reference.products` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd.rows import prefetch_row

_AHEAD = 8  # entries that are fetched before their turn


@jit
def multiply_rows(first, last, indptr, indices, weights, factors, table, out):
    """Set rows ``first`` to ``last - 1`` of `out` [N, D] to those of a sparse matrix times `table`.

    Each row is summed in the order of its entries, so the result does not depend on how rows are shared out to threads.

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
    table : float32 [N, D]
        The table.
    out : float32 [N, D]
        Written.
    """
    dim = table.shape[1]
    weighted = weights.size > 0
    address = table.ctypes.data
    end_of_all = indptr[last]
    scale = np.ones(4, np.float32)
    for row in range(first, last):
        target = out[row]
        target[:] = np.float32(0.0)
        i, end = indptr[row], indptr[row + 1]
        # Four entries at a time: the row that is summed up is read and written once for all of them.
        while i + 4 <= end:
            for k in range(4):
                if i + k + _AHEAD < end_of_all:
                    prefetch_row(address + np.int64(indices[i + k + _AHEAD]) * dim * 4, dim)
                scale[k] = factors[indices[i + k]]
                if weighted:
                    scale[k] *= weights[i + k]
            a, b, c, e = scale[0], scale[1], scale[2], scale[3]
            x, y, z, w = table[indices[i]], table[indices[i + 1]], table[indices[i + 2]], table[indices[i + 3]]
            for d in range(dim):
                target[d] += a * x[d] + b * y[d] + c * z[d] + e * w[d]
            i += 4
        while i < end:
            if i + _AHEAD < end_of_all:
                prefetch_row(address + np.int64(indices[i + _AHEAD]) * dim * 4, dim)
            a = factors[indices[i]]
            if weighted:
                a *= weights[i]
            x = table[indices[i]]
            for d in range(dim):
                target[d] += a * x[d]
            i += 1


@jit
def normalize_rows(table, length):
    """Scale each row of `table` [R, D] to a Euclidean length, in place; rows of zeros stay.

    Parameters
    ----------
    table : float32 [R, D]
        Changed.
    length : float32
        The length.
    """
    for r in range(table.shape[0]):
        row = table[r]
        total = np.float32(0.0)
        for d in range(row.size):
            total += row[d] * row[d]
        factor = np.float32(length) / np.sqrt(total) if total > 0.0 else np.float32(0.0)
        for d in range(row.size):
            row[d] *= factor
