"""Questions to compressed sparse rows on the CPU: soundness, search, sums, loops, normalised weights."""

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


@jit(inline=True)
def _hash_of_pair(low, high, bits):
    x = np.uint64(low) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(high) * np.uint64(0xC2B2AE3D27D4EB4F)
    x += np.uint64(bits) * np.uint64(0x165667B19E3779F9)
    x ^= x >> np.uint64(32)
    x *= np.uint64(0xD6E8FEB86659FD93)
    return x ^ (x >> np.uint64(29))


@jit(inline=True)
def _is_weight(bits):
    # The bits of a float32 rise with it: 1 is the least above zero, and 0x7F800000 is infinity.
    return np.uint32(bits - np.uint32(1)) < np.uint32(0x7F7FFFFF)


@jit
def _check_rows(first, last, indptr, indices, bits, num_nodes, found):
    weighted = bits.size > 0
    num_loops = 0
    balance = np.uint64(0)
    weight = np.uint32(0)
    for u in range(first, last):
        start = indptr[u]
        end = indptr[u + 1]
        if start < 0 or end < start or end > indices.size:
            found[0] = 1
            found[1] = u
            return
        before = 0
        i = start
        # Entries below, on and above the diagonal, one after the other: no branch that cannot be foreseen.
        while i < end and indices[i] < u:
            v = indices[i]
            if v < before:
                break
            before = v
            if weighted:
                weight = bits[i]
                if not _is_weight(weight):
                    break
            balance -= _hash_of_pair(v, u, weight)
            i += 1
        while i < end and indices[i] == u:
            before = u
            if weighted and not _is_weight(bits[i]):
                break
            num_loops += 1
            i += 1
        while i < end:
            v = indices[i]
            if v < before or v >= num_nodes:
                break
            before = v
            if weighted:
                weight = bits[i]
                if not _is_weight(weight):
                    break
            balance += _hash_of_pair(u, v, weight)
            i += 1
        if i < end:
            v = indices[i]
            found[0] = 2 if v < before or v >= num_nodes else 3
            found[1] = i
            return
    found[2] = num_loops
    found[3] = np.int64(balance)


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


FAULTS = ("", "indptr", "indices", "weights")


def check_rows(indptr, indices, weights, num_nodes, *, num_thread=1):
    """Look for what would let a reader of rows leave its arrays, or lead it astray.

    Parameters
    ----------
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
    weights : float32 [nnz] or None
    num_nodes : int
        N.
    num_thread : int

    Returns
    -------
    fault : str
        "indptr": an offset below 0, below the one before, or beyond the entries. "indices": a neighbour that is no node, or
        less than the one before it in its row. "weights": not positive or not finite. Else "".
    where : int
        The first row, or entry, of that fault among those of the first slice that has one.
    num_loops : int
        Entries on the diagonal.
    symmetric : bool
        Whether each entry (u, v) has its like (v, u) of the same weight: sums of hashes of the two triangles are equal.
    """
    bits = np.empty(0, np.uint32) if weights is None else weights.view(np.uint32)

    def check(first, last):
        found = np.zeros(4, np.int64)
        _check_rows(first, last, indptr, indices, bits, num_nodes, found)
        return found

    slices = run_slices(check, num_nodes, num_thread)
    for fault, where, _, _ in slices:
        if fault:
            return FAULTS[fault], int(where), 0, False
    num_loops, balance = np.array(slices, np.int64).reshape(-1, 4)[:, 2:].sum(axis=0)
    return "", -1, int(num_loops), int(balance) == 0


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
