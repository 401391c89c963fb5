"""The graph: nodes, edges, weights and names in compressed sparse rows."""

from nodeloom.graph.graph import Graph

__all__ = ["Graph"]
