"""Compressed sparse rows in plain NumPy, in float64: the definition of :mod:`nodeloom.kernels.cpu.csr`."""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray, IndexArray, OffsetArray


def build_csr(
    heads: IndexArray,
    tails: IndexArray,
    weights: DoubleArray | None,
    num_nodes: int,
    *,
    symmetric: bool,
    keep_loops: bool,
    merge: str,
    num_thread: int = 1,
) -> tuple[OffsetArray, IndexArray, DoubleArray | None]:
    """Build compressed sparse rows, sorted by column, from a list of edges; see the CPU kernel.

    Parallel entries stand in the order of the edges. `num_thread` has no effect.
    """
    del num_thread
    weighted = weights is not None
    w = np.asarray(weights, np.float64) if weighted else np.ones(len(heads))
    number = np.arange(len(heads))
    h, t = np.asarray(heads), np.asarray(tails)
    if symmetric:
        again = h != t
        h, t, w, number = (
            np.concatenate([h, t[again]]),
            np.concatenate([t, h[again]]),
            np.concatenate([w, w[again]]),
            np.concatenate([number, number[again]]),
        )
    if not keep_loops:
        keep = h != t
        h, t, w, number = h[keep], t[keep], w[keep], number[keep]
    order = np.lexsort((number, t, h))
    h, t, w = h[order], t[order], w[order]
    if merge != "keep" and len(h):
        starts = np.flatnonzero(np.r_[True, (h[1:] != h[:-1]) | (t[1:] != t[:-1])])
        merged = {"first": w[starts], "sum": np.add.reduceat(w, starts), "max": np.maximum.reduceat(w, starts)}
        h, t, w = h[starts], t[starts], merged[merge]
    indptr = np.zeros(num_nodes + 1, np.int64)
    np.cumsum(np.bincount(h, minlength=num_nodes), out=indptr[1:])
    return indptr, t.astype(np.asarray(heads).dtype), w if weighted else None
