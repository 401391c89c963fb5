"""Random walks over a graph, online: nothing is stored beyond the walks asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu.walks import first_order_walks, second_order_walks
from nodeloom.rng import Purpose, stream
from nodeloom.sampling.alias import AliasTable, over_nodes, over_rows

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.typing import FloatArray, IndexArray


@dataclass(frozen=True)
class HubRows:
    """Adjacency of hubs as bits, for membership tests in one access.

    A node is a hub if its bits, one per node of the graph, take no more memory than its row; so all of it stays linear in
    the edges.
    """

    row: npt.NDArray[np.int32]
    bits: npt.NDArray[np.uint64]

    @classmethod
    def none(cls) -> HubRows:
        """Return the empty structure."""
        return cls(np.empty(0, np.int32), np.empty((0, 1), np.uint64))

    @classmethod
    def of(cls, graph: Graph) -> HubRows:
        """Return the hubs of a graph."""
        num_nodes = graph.num_nodes
        hubs = np.flatnonzero(cls._is_hub(graph))
        row = np.full(num_nodes, -1, np.int32)
        row[hubs] = np.arange(len(hubs))
        flags = np.zeros((num_nodes + 63) // 64 * 64, np.bool_)
        bits = np.zeros((len(hubs), len(flags) // 64), np.uint64)
        for number, node in enumerate(hubs):
            neighbors = graph.indices[graph.indptr[node] : graph.indptr[node + 1]]
            flags[neighbors] = True
            bits[number] = np.packbits(flags, bitorder="little").view(np.dtype(np.uint64).newbyteorder("<"))
            flags[neighbors] = False
        return cls(row, bits)

    @classmethod
    def size(cls, graph: Graph) -> int:
        """Return the bytes that the hubs of a graph will take."""
        num_nodes = graph.num_nodes
        return num_nodes * 4 + int(np.count_nonzero(cls._is_hub(graph))) * ((num_nodes + 63) // 64 * 8)

    @staticmethod
    def _is_hub(graph: Graph) -> npt.NDArray[np.bool_]:
        return graph.degrees * (8 * graph.indices.itemsize) >= graph.num_nodes

    @property
    def nbytes(self) -> int:
        """Bytes of both arrays."""
        return self.row.nbytes + self.bits.nbytes


@dataclass(frozen=True)
class WalkSampler:
    """Draws walks: the first node in proportion to the weight of its edges, each next one to the weight of the edge to it.

    So the first edge of a walk is any edge of the graph, in proportion to its weight, as in GraphVite and LINE. With
    p or q other than 1 steps are biased as in node2vec. A walk that meets a node without edges out of it ends there; -1
    fills the rest.

    Attributes
    ----------
    graph : Graph
        The graph.
    bounds : int32 or int64 [N + 1]
        Bounds of its rows: for first-order walks in 32 bits if they fit, so that more of them stay in the caches.
    start, steps : AliasTable
        Distribution of the first node; of each step (empty on an unweighted graph).
    hubs : HubRows
        For membership tests of second-order walks.
    p, q : float
        node2vec's return and in-out parameter.
    fold : bool
        Whether each step can be taken back by exactly one entry.
    key : int
        Random stream.
    """

    graph: Graph
    bounds: IndexArray
    start: AliasTable
    steps: AliasTable
    hubs: HubRows
    p: float
    q: float
    fold: bool
    key: int

    @classmethod
    def of(cls, graph: Graph, *, p: float = 1.0, q: float = 1.0, seed: int = 0, num_thread: int = 1) -> WalkSampler:
        """Return the sampler of a graph.

        Parameters
        ----------
        graph : Graph
            The graph.
        p, q : float
            node2vec's parameters; 1 and 1 make first-order walks.
        seed : int
            Seed of the walks.
        num_thread : int
            Threads that build the tables.
        """
        second_order = (p, q) != (1.0, 1.0)
        fold = False
        if second_order and not graph.directed and not graph.is_weighted:
            rows = graph.indices
            repeats = rows[1:] == rows[:-1]
            # The last entry of a row and the first of the next may be equal without being parallel edges.
            inner = graph.indptr[1:-1]
            repeats[inner[(inner > 0) & (inner < len(rows))] - 1] = False
            fold = not bool(repeats.any())
        return cls(
            graph,
            graph.indptr if second_order or not cls.has_own_bounds(graph) else graph.indptr.astype(np.int32),
            over_nodes(graph.strengths),
            over_rows(graph.weights, graph.indptr, num_thread),
            HubRows.of(graph) if second_order else HubRows.none(),
            p,
            q,
            fold,
            stream(seed, Purpose.WALK),
        )

    @staticmethod
    def has_own_bounds(graph: Graph) -> bool:
        """Tell whether first-order walks keep the bounds of the rows in 32 bits beside the graph."""
        return len(graph.indices) <= np.iinfo(np.int32).max

    @property
    def nbytes(self) -> int:
        """Bytes of the tables, the graph not counted."""
        bounds = 0 if self.bounds is self.graph.indptr else self.bounds.nbytes
        return bounds + self.start.nbytes + self.steps.nbytes + self.hubs.nbytes

    def sample(self, first_walk: int, out: IndexArray) -> None:
        """Fill `out` [W, L + 1] (the dtype of the graph's indices) with walks number ``first_walk ...``."""
        graph = self.graph
        if (self.p, self.q) == (1.0, 1.0):
            first_order_walks(
                self.bounds, graph.indices, self.steps.prob, self.steps.alias, self.start.prob, self.start.alias,
                np.uint64(self.key), first_walk, out,
            )  # fmt: skip
            return
        weights: FloatArray = np.empty(0, np.float32) if graph.weights is None else graph.weights
        second_order_walks(
            graph.indptr, graph.indices, weights, self.steps.prob, self.steps.alias, self.start.prob, self.start.alias,
            self.hubs.row, self.hubs.bits, float(self.p), float(self.q), self.fold, np.uint64(self.key), first_walk, out,
        )  # fmt: skip
