"""Which rows of the tables a training can reach: a node is trained as a vertex by its outgoing edges, as a context by its incoming ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nodeloom.graph import Graph

Mask = npt.NDArray[np.bool_]


def without_edges_out(graph: Graph) -> Mask:
    """Return the nodes that no edge leaves for another node, bool [N]: no pair has them as its vertex."""
    return (graph.strengths == 0) | _own_only(graph)


def isolated(graph: Graph) -> Mask:
    """Return the nodes without any edge to or from another node, bool [N]."""
    own = _own_only(graph)
    alone = (graph.strengths == 0) | own
    if graph.directed:
        alone &= graph.in_strengths <= np.where(own, graph.strengths, 0.0)
    return alone


def _own_only(graph: Graph) -> Mask:
    """Return the nodes whose edges are all loops, bool [N]."""
    if graph.num_loops == 0:
        return np.zeros(graph.num_nodes, np.bool_)
    nodes = np.flatnonzero(graph.degrees > 0)
    found = np.zeros(graph.num_nodes, np.bool_)
    first, last = graph.indptr[nodes], graph.indptr[nodes + 1] - 1
    found[nodes] = (graph.indices[first] == nodes) & (graph.indices[last] == nodes)  # neighbours ascend
    return found


def unlinked(graph: Graph, direction: str) -> Mask:
    """Return the nodes that have nobody to collect from when vectors go along edges "out", "in" or both ways, bool [N]."""
    if direction == "out" and graph.directed:
        return np.asarray(graph.strengths == 0)
    if direction == "in" and graph.directed:
        return np.asarray(graph.in_strengths == 0)
    return np.asarray(graph.strengths + graph.in_strengths == 0)


@dataclass(frozen=True)
class Reach:
    """How many nodes a training does not reach.

    Attributes
    ----------
    num_nodes : int
        All nodes.
    num_isolated : int
        Nodes without edges to or from others.
    num_sink : int
        Nodes that edges of others lead to and none leaves (directed graphs).
    """

    num_nodes: int
    num_isolated: int = 0
    num_sink: int = 0

    @classmethod
    def of(cls, graph: Graph) -> Reach:
        """Count the nodes of a graph."""
        alone = int(np.count_nonzero(isolated(graph)))
        sinks = int(np.count_nonzero(without_edges_out(graph))) - alone if graph.directed else 0
        return cls(graph.num_nodes, alone, sinks)

    def isolated_sentence(self) -> str:
        """Return what comes of nodes without edges; empty if there are none."""
        if not self.num_isolated:
            return ""
        return f"{self._have(self.num_isolated)} no edge to another node: their vectors are zeros."

    def sentences(self) -> list[str]:
        """Return what a training by pairs makes of the nodes that it does not reach, a sentence for each kind."""
        found = [self.isolated_sentence()] if self.num_isolated else []
        if self.num_sink:
            found.append(
                f"{self._have(self.num_sink)} no outgoing edges: their vertex vectors are not trained and stay zeros, their context "
                "vectors are trained. The table 'joined' holds both; or train the graph as undirected."
            )
        return found

    def _have(self, number: int) -> str:
        return f"{number:,} of {self.num_nodes:,} nodes {'has' if number == 1 else 'have'}"


def untrained(graph: Graph, *, tied: bool) -> Mask:
    """Return the nodes whose rows in the vertex table no training reaches, bool [N]; tied, it is the only table."""
    return isolated(graph) if tied else without_edges_out(graph)
