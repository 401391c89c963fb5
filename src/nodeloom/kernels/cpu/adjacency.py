"""Questions to compressed sparse rows on the CPU: search, sums, loops, normalised weights."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.parallel import run_slices


@jit
def _count_loops(first, last, indptr, indices):
    count = 0
    for u in range(first, last):
        for i in range(indptr[u], indptr[u + 1]):
            if indices[i] == u:
                count += 1
    return count


@jit
def _find(first, last, indptr, indices, heads, tails, positions):
    for q in range(first, last):
        tail = tails[q]
        low = indptr[heads[q]]
        end = indptr[heads[q] + 1]
        high = end
        while low < high:
            middle = (low + high) >> 1
            if indices[middle] < tail:
                low = middle + 1
            else:
                high = middle
        positions[q] = low if low < end and indices[low] == tail else -1


@jit
def _row_sums(first, last, indptr, weights, sums):
    for u in range(first, last):
        total = 0.0
        for i in range(indptr[u], indptr[u + 1]):
            total += weights[i]
        sums[u] = total


@jit
def _column_sums(indices, weights, sums):
    if weights.size > 0:
        for i in range(indices.size):
            sums[indices[i]] += weights[i]
    else:
        for i in range(indices.size):
            sums[indices[i]] += 1.0


@jit
def _normalize(first, last, indptr, indices, weights, row_sums, column_sums, out):
    weighted = weights.size > 0
    for u in range(first, last):
        for i in range(indptr[u], indptr[u + 1]):
            w = np.float64(weights[i]) if weighted else 1.0
            out[i] = w / np.sqrt(row_sums[u] * column_sums[indices[i]])


def count_loops(indptr, indices, *, num_thread=1):
    """Return the number of entries on the diagonal.

    Parameters
    ----------
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
    num_thread : int
    """
    return int(sum(run_slices(lambda a, b: _count_loops(a, b, indptr, indices), len(indptr) - 1, num_thread)))


def find_edges(indptr, indices, heads, tails, *, num_thread=1):
    """Return for each pair the position of its first entry in `indices`, or -1, by binary search in the sorted rows.

    Parameters
    ----------
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
        Sorted within each row.
    heads, tails : int64 [k]
        Node ids in ``[0, N)``.
    num_thread : int

    Returns
    -------
    int64 [k]
    """
    positions = np.empty(len(heads), np.int64)
    run_slices(lambda a, b: _find(a, b, indptr, indices, heads, tails, positions), len(heads), num_thread)
    return positions


def row_sums(indptr, weights, *, num_thread=1):
    """Return the float64 [N] sums of `weights` (float32 [nnz]) by row."""
    sums = np.empty(len(indptr) - 1, np.float64)
    run_slices(lambda a, b: _row_sums(a, b, indptr, weights, sums), len(sums), num_thread)
    return sums


def column_sums(indices, weights, num_nodes):
    """Return the float64 [N] sums of `weights` (float32 [nnz], or None for ones) by column."""
    sums = np.zeros(num_nodes, np.float64)
    add_column_sums(indices, weights, sums)
    return sums


def add_column_sums(indices, weights, sums):
    """Add the next entries to `sums`, float64 [N], of :func:`column_sums`."""
    _column_sums(indices, np.empty(0, np.float32) if weights is None else weights, sums)


def normalize(indptr, indices, weights, row_sums, column_sums, *, num_thread=1):
    """Return the float32 [nnz] weights ``w / sqrt(row_sums[u] * column_sums[v])`` of the entries (u, v).

    Parameters
    ----------
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
    weights : float32 [nnz] or None
        None for ones.
    row_sums, column_sums : float64 [N]
    num_thread : int
    """
    out = np.empty(len(indices), np.float32)
    weights = np.empty(0, np.float32) if weights is None else weights
    run_slices(
        lambda a, b: _normalize(a, b, indptr, indices, weights, row_sums, column_sums, out), len(indptr) - 1, num_thread
    )
    return out
