"""Small graphs drawn by their shortest paths, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.typing import DoubleArray

_STEPS = 60
_BLOCK = 1 << 20  # distances held at a time


def stress_maps(matrix: Any, members: Sequence[npt.NDArray[np.int64]], dim: int) -> list[DoubleArray]:
    """Draw connected graphs so that distances are like the lengths of shortest paths (Gansner, Koren and North 2004).

    From classical scaling on, the stress is majorized (SMACOF). Graphs of one size are computed together.

    Parameters
    ----------
    matrix : sparse [N, N]
        Edges, symmetric.
    members : sequence of int64 [s]
        Nodes of each graph, two at least; no node is in two graphs.
    dim : int
        Dimensions.

    Returns
    -------
    list of float64 [s, dim]
        Places of the nodes of each graph.
    """
    from threadpoolctl import threadpool_limits

    sizes = np.array([len(nodes) for nodes in members], np.int64)
    result: list[DoubleArray] = [np.empty((0, dim))] * len(members)
    with threadpool_limits(1):  # else the last bits depend on the number of threads
        for size in np.unique(sizes).tolist():
            which = np.flatnonzero(sizes == size)
            step = max(1, _BLOCK // size**2)
            for first in range(0, len(which), step):
                block = which[first : first + step]
                nodes = np.stack([members[k] for k in block])
                for k, places in zip(block.tolist(), _drawn(shortest_paths(_blocks(matrix, nodes)), dim), strict=True):
                    result[k] = places
    return result


def _blocks(matrix: Any, nodes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Return which nodes of each graph have an edge, bool [C, s, s]."""
    count, size = nodes.shape
    rows = matrix[nodes.ravel()].tocoo()
    graph, place = np.divmod(rows.row, size)
    position = np.zeros(matrix.shape[0], np.int64)
    position[nodes] = np.arange(size)
    linked = np.zeros((count, size, size), bool)
    linked[graph, place, position[rows.col]] = True
    return linked


def shortest_paths(linked: npt.NDArray[np.bool_]) -> DoubleArray:
    """Return the numbers of edges between nodes of connected graphs, float64 [C, s, s], by steps from all nodes at once."""
    size = linked.shape[1]
    edges = linked.astype(np.float32)
    reached = np.broadcast_to(np.eye(size, dtype=bool), linked.shape)
    lengths = np.zeros(linked.shape)
    for length in range(1, size):
        further = ((reached.astype(np.float32) @ edges) > 0) & ~reached
        if not further.any():
            break
        lengths[further] = length
        reached = reached | further
    return lengths


def _drawn(lengths: DoubleArray, dim: int) -> DoubleArray:
    """Return places whose distances are like the lengths, float64 [C, s, dim]."""
    count, size = lengths.shape[:2]
    square = lengths**2
    mean = square.mean(axis=1, keepdims=True)
    products = -0.5 * (square - mean - mean.transpose(0, 2, 1) + square.mean(axis=(1, 2), keepdims=True))
    values, vectors = np.linalg.eigh(products)
    number = min(dim, size)
    places = np.zeros((count, size, dim))
    places[..., :number] = (
        vectors[..., : -number - 1 : -1] * np.sqrt(np.maximum(values[:, : -number - 1 : -1], 0))[:, None]
    )
    # Nodes that paths do not tell apart, as leaves of a star, begin on a spiral around their place.
    turn = np.arange(size)[:, None] * np.pi * (3 - 5**0.5) + np.arange(dim) * np.pi / 2
    places += 0.1 * np.cos(turn) * np.sqrt((np.arange(size)[:, None] + 0.5) / size)
    for _ in range(_STEPS):
        away = places[:, :, None] - places[:, None]
        distance = np.sqrt((away**2).sum(axis=3))
        ratio = lengths / np.maximum(distance, 1e-9)
        places = (ratio[..., None] * away).sum(axis=2) / size
    return places
