"""Small graphs with everything that a walk kernel takes, and walks on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from gpu_calls import INTERPRETED
from scipy import stats

from nodeloom.kernels.reference.negatives import build_alias


def how(backend, num_walk):
    """Return options for the interpreter: small blocks, so that there are several, but one for many walks, which is faster."""
    if backend.name != "gpu" or not INTERPRETED:
        return {}
    return {"block": 32 if num_walk < 100 else 1 << (num_walk - 1).bit_length()}


@dataclass
class WalkGraph:
    """A graph as the kernels take it; `weights`, `prob`, `alias` are empty on an unweighted graph."""

    indptr: np.ndarray
    indices: np.ndarray
    weights: np.ndarray
    prob: np.ndarray
    alias: np.ndarray
    start_prob: np.ndarray
    start_alias: np.ndarray
    start_weights: np.ndarray

    @property
    def num_nodes(self):
        return len(self.indptr) - 1

    def row(self, node):
        return self.indices[self.indptr[node] : self.indptr[node + 1]]

    def row_weights(self, node):
        if not self.weights.size:
            return np.ones(len(self.row(node)))
        return self.weights[self.indptr[node] : self.indptr[node + 1]].astype(np.float64)

    def hubs(self, nodes):
        """Return `hub_row` and `hub_bits` with the adjacency of `nodes` as bits."""
        row = np.full(self.num_nodes, -1, np.int32)
        bits = np.zeros((len(nodes), (self.num_nodes + 63) // 64), np.uint64)
        for h, node in enumerate(nodes):
            row[node] = h
            for target in self.row(node):
                bits[h, target // 64] |= np.uint64(1) << np.uint64(target % 64)
        return row, bits

    def first_order(self, backend, num_walk, length, *, stream=77, first_walk=0, dtype=np.int32, out=None):
        out = np.empty((num_walk, length), dtype) if out is None else out
        out[:] = -99  # what is not written shows
        backend.walks.first_order_walks(
            self.indptr, self.indices, self.prob, self.alias, self.start_prob, self.start_alias,
            np.uint64(stream), first_walk, out, **how(backend, num_walk),
        )  # fmt: skip
        return out

    def second_order(
        self, backend, num_walk, length, p, q, *, fold=False, hubs=(), stream=77, first_walk=0, dtype=np.int32, out=None
    ):
        out = np.empty((num_walk, length), dtype) if out is None else out
        out[:] = -99
        hub_row, hub_bits = self.hubs(hubs)
        if not len(hubs):
            hub_row = hub_row[:0]
        backend.walks.second_order_walks(
            self.indptr, self.indices, self.weights, self.prob, self.alias, self.start_prob, self.start_alias,
            hub_row, hub_bits, float(p), float(q), fold, np.uint64(stream), first_walk, out,
            **how(backend, num_walk),
        )  # fmt: skip
        return out

    def walk(self, order, backend, num_walk, length, **options):
        """Return walks of the first, or of the second order (p = 0.3, q = 3)."""
        if order == "first":
            return self.first_order(backend, num_walk, length, **options)
        return self.second_order(backend, num_walk, length, 0.3, 3.0, hubs=[0], **options)


def from_adjacency(adjacency, *, weighted, dtype=np.int32, start_weights=None):
    """Build a graph from a dense matrix of weights, 0 for no edge; an unweighted graph forgets them."""
    adjacency = np.asarray(adjacency)
    num_nodes = len(adjacency)
    rows, columns = np.nonzero(adjacency)
    indptr = np.searchsorted(rows, np.arange(num_nodes + 1)).astype(np.int64)
    weights = adjacency[rows, columns].astype(np.float32) if weighted else np.empty(0, np.float32)
    prob, alias = np.empty_like(weights), np.empty(weights.size, np.int32)
    if weighted:
        build_alias(weights, indptr, 0, num_nodes, prob, alias)
    if start_weights is None:
        start_weights = np.add.reduceat(np.r_[weights, 0.0], indptr[:-1]) if weighted else np.diff(indptr)
        start_weights = np.where(np.diff(indptr) > 0, start_weights, 0.0)
    start_weights = np.asarray(start_weights, np.float64)
    start_prob, start_alias = np.empty(num_nodes, np.float32), np.empty(num_nodes, dtype)
    build_alias(start_weights, np.array([0, num_nodes]), 0, 1, start_prob, start_alias)
    return WalkGraph(indptr, columns.astype(dtype), weights, prob, alias, start_prob, start_alias, start_weights)


def random_graph(
    seed, num_nodes, *, weighted=False, directed=False, density=0.2, loops=True, dtype=np.int32, **options
):
    """Build a graph in which node 0 is a hub and, if `directed`, some rows are empty."""
    rng = np.random.default_rng(seed)
    adjacency = (rng.random((num_nodes, num_nodes)) < density) * rng.choice(
        [0.25, 0.5, 1.0, 3.0, 8.0], (num_nodes,) * 2
    )
    adjacency[0, 1:] = 1.0
    if not directed:
        adjacency = np.triu(adjacency)
        adjacency = adjacency + np.triu(adjacency, 1).T
    if not loops:
        np.fill_diagonal(adjacency, 0.0)
    if directed:
        adjacency[-3:] = 0.0
    return from_adjacency(adjacency, weighted=weighted, dtype=dtype, **options)


def chi_square(counts, shares):
    """Return the p-value of observed counts given expected shares; what has no share must not be observed."""
    counts, shares = np.asarray(counts, np.float64), np.asarray(shares, np.float64)
    assert not counts[shares == 0.0].any()
    counts, shares = counts[shares > 0.0], shares[shares > 0.0]
    if len(counts) < 2:
        return 1.0
    return stats.chisquare(counts, counts.sum() * shares / shares.sum()).pvalue
