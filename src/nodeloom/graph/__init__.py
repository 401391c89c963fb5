"""The graph: nodes, edges, weights and names in compressed sparse rows; and the knowledge graph: triples with names."""

from nodeloom.graph.graph import Graph
from nodeloom.graph.knowledge import KnowledgeGraph

__all__ = ["Graph", "KnowledgeGraph"]
