"""Questions to compressed sparse rows in plain NumPy, in float64: what the CPU kernels of this name are to give."""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray, IndexArray, OffsetArray


def count_loops(indptr: OffsetArray, indices: IndexArray, *, num_thread: int = 1) -> int:
    """Return the number of entries on the diagonal."""
    del num_thread
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return int((rows == indices).sum())


def check_rows(
    indptr: OffsetArray, indices: IndexArray, weights: DoubleArray | None, num_nodes: int, *, num_thread: int = 1
) -> tuple[str, int, int, bool]:
    """Return the first fault ("indptr", "indices", "weights" or "") of the rows, its row or entry, loops, and symmetry."""
    del num_thread
    entries = []
    for u in range(num_nodes):
        start, end = int(indptr[u]), int(indptr[u + 1])
        if not 0 <= start <= end <= len(indices):
            return "indptr", u, 0, False
        for i in range(start, end):
            if not (0 <= indices[i] < num_nodes and (i == start or indices[i - 1] <= indices[i])):
                return "indices", i, 0, False
            w = 1.0 if weights is None else float(weights[i])
            if not 0 < w < np.inf:
                return "weights", i, 0, False
            entries.append((u, int(indices[i]), w))
    num_loops = sum(u == v for u, v, _ in entries)
    return "", -1, num_loops, sorted(entries) == sorted((v, u, w) for u, v, w in entries)


def find_edges(
    indptr: OffsetArray, indices: IndexArray, heads: IndexArray, tails: IndexArray, *, num_thread: int = 1
) -> OffsetArray:
    """Return for each pair the position of its first entry in `indices`, or -1; int64 [k]."""
    del num_thread
    positions = np.full(len(heads), -1, np.int64)
    for q, (h, t) in enumerate(zip(heads, tails, strict=True)):
        hits = np.flatnonzero(indices[indptr[h] : indptr[h + 1]] == t)
        if len(hits):
            positions[q] = indptr[h] + hits[0]
    return positions


def row_sums(indptr: OffsetArray, weights: DoubleArray, *, num_thread: int = 1) -> DoubleArray:
    """Return the sums of `weights` by row; float64 [N]."""
    del num_thread
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return np.bincount(rows, np.asarray(weights, np.float64), minlength=len(indptr) - 1).astype(np.float64)


def column_sums(indices: IndexArray, weights: DoubleArray | None, num_nodes: int) -> DoubleArray:
    """Return the sums of `weights` (None: ones) by column; float64 [N]."""
    values = np.ones(len(indices)) if weights is None else np.asarray(weights, np.float64)
    return np.bincount(indices, values, minlength=num_nodes).astype(np.float64)


def add_column_sums(indices: IndexArray, weights: DoubleArray | None, sums: DoubleArray) -> None:
    """Add the next entries to the sums of :func:`column_sums`."""
    sums += column_sums(indices, weights, len(sums))


def normalize(
    indptr: OffsetArray,
    indices: IndexArray,
    weights: DoubleArray | None,
    row_sums: DoubleArray,
    column_sums: DoubleArray,
    *,
    num_thread: int = 1,
) -> DoubleArray:
    """Return ``w / sqrt(row_sums[u] * column_sums[v])`` of the entries (u, v); float64 [nnz]."""
    del num_thread
    values = np.ones(len(indices)) if weights is None else np.asarray(weights, np.float64)
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return values / np.sqrt(row_sums[rows] * column_sums[indices])
