"""A graph that trains in milliseconds."""

from __future__ import annotations

import pytest

from nodeloom import Graph
from nodeloom.datasets import planted_partition


@pytest.fixture(scope="session")
def graph():
    """Return a graph of 300 named nodes in six communities."""
    edges = planted_partition(300, 1500, 6, seed=1)[0]
    return Graph.from_edges(edges, names=[f"n{i}" for i in range(300)])
