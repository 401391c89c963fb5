"""Pairs of nodes that are no edges, for link prediction to tell edges from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, GraphError, describe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.graph import Graph
    from nodeloom.typing import IndexArray

Ids = npt.NDArray[np.int64]

_BLOCK = 1 << 22  # entries of the graph looked at at a time
_SMALL = 1 << 13  # nodes of a graph whose pairs may all be listed


def sample_negatives(
    heads: IndexArray,
    tails: IndexArray,
    *,
    num_nodes: int,
    count: int | None = None,
    known: Sequence[tuple[IndexArray, IndexArray]] = (),
    graph: Graph | None = None,
    directed: bool = False,
    seed: int = 0,
) -> tuple[Ids, Ids]:
    """Draw pairs of nodes to compare given edges with: pairs that are not known to be edges.

    Parameters
    ----------
    heads, tails : ndarray, int [k]
        Ends of the edges that are judged.
    num_nodes : int
        Number of nodes N: ids are below it.
    count : int, optional
        How many to draw; as many as there are edges by default.
    known : sequence of (ndarray int [m], ndarray int [m])
        More edges that must not be drawn, heads and tails, such as those of a filter.
    graph : Graph, optional
        A graph of the same N nodes whose edges must not be drawn, mostly the one trained on.
    directed : bool
        Whether a pair is another pair than the one the other way round; that of `graph`, if there is one.
    seed : int
        Seed of the choice. The same arguments give the same pairs.

    Returns
    -------
    heads, tails : ndarray, int64 [count]
        Distinct pairs of different nodes, uniformly from all that are in none of the edges given. In an undirected
        graph a pair is drawn once, either way round with equal chance, and an edge forbids both.

    Raises
    ------
    ConfigError
        If `count` is negative.
    DataError
        If an id is out of range.
    GraphError
        If there are not enough such pairs, or `graph` has another number of nodes.
    """
    from nodeloom.graph import Graph

    count = len(heads) if count is None else count
    if count < 0:
        raise ConfigError(describe("sample_negatives", expected="a count of at least 0", got=count))
    if graph is not None and graph.num_nodes != num_nodes:
        got = f"one of {graph.num_nodes}"
        raise GraphError(describe("sample_negatives", expected=f"a graph of {num_nodes} nodes", got=got))
    directed = directed if graph is None else graph.directed
    columns = [(heads, tails), *known]
    given = np.stack([np.concatenate([np.asarray(pair[end], np.int64) for pair in columns]) for end in (0, 1)], axis=1)
    edges = Graph.from_edges(given, num_nodes=num_nodes, directed=directed)
    rng = np.random.default_rng([seed, 0x4E6])
    hint = "The graph is too dense for this many negatives: lower num_negative."
    drawn = draw_non_edges([edges] if graph is None else [edges, graph], count, rng, "sample_negatives", hint)
    if directed:
        return drawn
    # The two ends have different vectors, and ids may go by age or degree: neither end gets the smaller one always.
    swap = rng.random(count) < 0.5
    return np.where(swap, drawn[1], drawn[0]), np.where(swap, drawn[0], drawn[1])


def draw_non_edges(
    graphs: Sequence[Graph], count: int, rng: np.random.Generator, where: str, hint: str
) -> tuple[Ids, Ids]:
    """Draw distinct pairs of different nodes that are edges of none of the graphs, uniformly.

    Parameters
    ----------
    graphs : sequence of Graph
        At least one; all with the same number of nodes, and all directed or none.
    count : int
        How many to draw.
    rng : numpy.random.Generator
        Its state decides which.
    where, hint : str
        What the message about too few pairs names and advises.

    Returns
    -------
    heads, tails : ndarray, int64 [count]
        The smaller node of an unordered pair is the head, in undirected graphs.

    Raises
    ------
    GraphError
        If there are fewer than `count` such pairs.
    """
    n, directed = graphs[0].num_nodes, graphs[0].directed
    num_pairs = n * (n - 1) // (1 if directed else 2)
    # Parallel edges, loops and edges of several graphs count more than once: at least this many pairs are free.
    available = num_pairs - sum(graph.num_edges for graph in graphs)
    free = None
    if n <= _SMALL and (available < 4 * count or available < num_pairs // 16):
        # Few pairs are free: list them all instead of hoping to hit them.
        free = _all_non_edges(graphs)
        available = len(free)
    elif available < count:
        available = num_pairs - _count_distinct(graphs)
    if count > available:
        raise GraphError(
            describe(where, expected=f"{count} negatives", got=f"{available} pairs that are no edges", hint=hint)
        )
    if free is not None:
        keys = rng.choice(free, size=count, replace=False)
        return keys // n, keys % n
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < count:
        heads, tails = rng.integers(0, n, size=(2, 2 * (count - len(keys)) + 16), dtype=np.int64)
        if not directed:
            heads, tails = np.minimum(heads, tails), np.maximum(heads, tails)
        allowed = heads != tails
        for graph in graphs:
            allowed &= ~graph.has_edges(heads, tails, ids=True)
        drawn = np.concatenate([keys, heads[allowed] * n + tails[allowed]])
        # Keep the first time a pair was drawn, in the order of drawing: sorting would favour low ids when cut.
        keys = drawn[np.sort(np.unique(drawn, return_index=True)[1])]
    return keys[:count] // n, keys[:count] % n


def distinct_edges(graph: Graph) -> Ids:
    """Return the position in ``indices`` of each edge once, without self-loops: int64 [E]."""
    found = []
    for begin in range(0, len(graph.indices), _BLOCK):
        positions = np.arange(begin, min(begin + _BLOCK, len(graph.indices)), dtype=np.int64)
        heads, tails = ends_of(graph, positions)
        wanted = (heads != tails) if graph.directed else (heads < tails)
        before = np.maximum(positions - 1, 0)
        # Rows are sorted, so parallel edges lie side by side.
        parallel = (positions > graph.indptr[heads]) & (graph.indices[before] == tails)
        found.append(positions[wanted & ~parallel])
    return np.concatenate(found) if found else np.empty(0, dtype=np.int64)


def ends_of(graph: Graph, positions: Ids) -> tuple[Ids, Ids]:
    """Return heads and tails of entries of the graph, int64."""
    heads = np.searchsorted(graph.indptr, positions, side="right") - 1
    return heads.astype(np.int64), graph.indices[positions].astype(np.int64)


def _count_distinct(graphs: Sequence[Graph]) -> int:
    """Return how many pairs of different nodes are an edge of one of the graphs."""
    total = 0
    for index, graph in enumerate(graphs):
        heads, tails = ends_of(graph, distinct_edges(graph))
        fresh = np.ones(len(heads), dtype=bool)
        for earlier in graphs[:index]:
            fresh &= ~earlier.has_edges(heads, tails, ids=True)
        total += int(np.count_nonzero(fresh))
    return total


def _all_non_edges(graphs: Sequence[Graph]) -> Ids:
    """Return head * N + tail of every pair of different nodes that is an edge of none of the graphs."""
    n, directed = graphs[0].num_nodes, graphs[0].directed
    free = []
    for head in range(n):
        row = np.ones(n, dtype=bool)
        for graph in graphs:
            row[graph.indices[graph.indptr[head] : graph.indptr[head + 1]]] = False
        row[head if directed else slice(head + 1)] = False
        free.append(head * n + np.flatnonzero(row))
    return np.concatenate(free)
