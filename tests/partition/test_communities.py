"""Parts of communities: what is planted is found, and parts are equal whatever the graph."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodeloom.datasets import planted_partition
from nodeloom.graph import Graph
from nodeloom.kernels.cpu import parts as kernel
from nodeloom.partition import assign, communities
from placements import node_of, parts_of

SLACK = 0.02


def divide(graph, num_part, **keywords):
    return communities(graph.indptr, graph.indices, graph.weights, graph.strengths, num_part, **keywords)


def inner_share(graph, parts):
    heads = np.repeat(parts, graph.degrees)
    weights = np.ones(len(heads)) if graph.weights is None else graph.weights
    return weights[heads == parts[graph.indices]].sum() / weights.sum()


def assert_balanced(parts, strengths, num_part):
    assert parts.dtype == np.int32
    assert len(parts) == len(strengths)
    assert not len(parts) or 0 <= parts.min() <= parts.max() < num_part
    counts = np.bincount(parts, minlength=num_part)
    assert counts.max() - counts.min() <= 1
    found = np.bincount(parts, strengths, minlength=num_part)
    mean = found.mean()
    assert found.max() <= mean * (1 + 1e-9) + max(SLACK * mean, strengths.max(initial=0))


@pytest.fixture(scope="module")
def planted():
    """20 000 nodes in 32 communities, which keep 80 % of their edges and what chance brings home of the rest."""
    edges, community = planted_partition(20_000, 160_000, 32, mixing=0.2, seed=1)
    return Graph.from_edges(edges), community


@pytest.fixture(scope="module")
def chance():
    """As large and as skewed, without communities."""
    return Graph.from_edges(planted_partition(20_000, 160_000, 32, mixing=1.0, seed=1)[0])


@pytest.mark.parametrize("num_part", [2, 4, 8])
def test_planted_communities_stay_together(planted, num_part):
    graph, community = planted
    parts = divide(graph, num_part, num_thread=2)
    assert_balanced(parts, graph.strengths, num_part)
    best = 0.8 + 0.2 / num_part  # if parts could be unions of communities
    assert inner_share(graph, parts) > best - 0.05
    # Most of a community is in one part.
    found = np.zeros((32, num_part))
    np.add.at(found, (community, parts), 1)
    assert found.max(axis=1).sum() > 0.75 * len(parts)


@pytest.mark.parametrize("num_part", [2, 8])
def test_where_there_are_no_communities_few_edges_are_inside(chance, num_part):
    # More than of parts by chance, since even such a graph has better and worse cuts, but far less than of a planted one.
    parts = divide(chance, num_part, num_thread=2)
    assert_balanced(parts, chance.strengths, num_part)
    assert 1.2 / num_part < inner_share(chance, parts) < 0.25 + 0.9 / num_part


def test_two_cliques_are_told_apart():
    edges = [(a + first, b + first) for first in (0, 10) for a in range(10) for b in range(a)]
    parts = divide(Graph.from_edges(np.array([*edges, (3, 14)])), 2)
    assert set(parts[:10]) ^ set(parts[10:]) == {0, 1}


def test_weights_are_heeded():
    # A ring of 24: two arcs, cut at its two weak edges, though others would do as well if all weighed the same.
    edges = np.array([(i, (i + 1) % 24) for i in range(24)])
    weights = np.where(np.isin(np.arange(24), [4, 16]), 0.01, 1.0).astype(np.float32)
    graph = Graph.from_edges(edges, weights=weights)
    parts = divide(graph, 2)
    assert inner_share(graph, parts) > 0.99


def test_coarser_parts_are_unions_of_neighbors(planted):
    graph = planted[0]
    parts = divide(graph, 8)
    assert inner_share(graph, parts // 4) > 0.8
    # Other unions keep less together.
    others = [inner_share(graph, np.random.default_rng(seed).permutation(8)[parts] // 4) for seed in range(5)]
    assert inner_share(graph, parts // 4) > max(others)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_number_of_threads_does_not_matter(planted, weighted, monkeypatch):
    monkeypatch.setattr(sys.modules["nodeloom.kernels.cpu.clusters"], "_ALONE", 16)  # else so few nodes get one thread
    graph = planted[0]
    if weighted:
        rng = np.random.default_rng(0)
        heads, tails, _ = graph.edge_columns()
        weights = rng.random(len(heads)).astype(np.float32) + np.float32(0.1)
        graph = Graph.from_edges(np.column_stack([heads, tails]), weights=weights)
    one = divide(graph, 6, num_thread=1, seed=5)
    np.testing.assert_array_equal(divide(graph, 6, num_thread=3, seed=5), one)
    assert (divide(graph, 6, num_thread=3, seed=6) != one).any()


EDGES = st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), min_size=1, max_size=120)
STAR = [(0, leaf) for leaf in range(1, 40)]


@given(edges=EDGES, num_part=st.integers(1, 9), seed=st.integers(0, 3), spare=st.integers(0, 30))
@example(edges=STAR, num_part=4, seed=0, spare=0)
@example(edges=STAR, num_part=2, seed=0, spare=30)
@example(edges=[(0, 1)], num_part=9, seed=0, spare=0)  # fewer nodes than parts
@example(edges=[(0, 1), (2, 3), (4, 5), (6, 7)], num_part=3, seed=0, spare=0)
@example(edges=[(0, 0), (1, 1), (0, 1), (0, 1)], num_part=2, seed=1, spare=1)
@example(edges=[(a, b) for a in range(12) for b in range(a)], num_part=5, seed=0, spare=3)
def test_parts_are_equal_on_odd_graphs(edges, num_part, seed, spare):
    edges = np.array(edges)
    graph = Graph.from_edges(edges, num_nodes=int(edges.max()) + 1 + spare)
    assert_balanced(divide(graph, num_part, seed=seed), graph.strengths, num_part)


def hubs(num_hub, num_leaf):
    heads = np.arange(num_hub).repeat(num_leaf)
    return np.column_stack([heads, np.arange(num_hub * num_leaf) + num_hub])


@pytest.mark.parametrize("num_part", [2, 3, 8])
@pytest.mark.parametrize(
    ("edges", "num_nodes"),
    [
        (hubs(1, 20_000), 20_001),  # a star
        (hubs(40, 500), 30_000),  # stars, and a third of the nodes alone
        (np.arange(40_000).reshape(-1, 2), 40_000),  # pairs
        (np.zeros((0, 2), np.int64), 20_000),
        (np.column_stack([np.arange(30_000), np.arange(1, 30_001)]), 30_001),  # a path
    ],
    ids=["star", "stars", "pairs", "empty", "path"],
)
def test_large_odd_graphs_are_merged_too(edges, num_nodes, num_part, monkeypatch):
    # Nodes whose neighbours are full, and those without any, have to be put together, or the first division takes forever.
    grow = kernel.grow
    sizes = []

    def counted(order, *arguments):
        sizes.append(len(order))
        return grow(order, *arguments)

    monkeypatch.setattr(kernel, "grow", counted)
    graph = Graph.from_edges(edges, num_nodes=num_nodes)
    parts = divide(graph, num_part, num_thread=2)
    assert_balanced(parts, graph.strengths, num_part)
    assert max(sizes) < 3000
    if len(edges) == 20_000 and num_nodes == 40_000:
        assert inner_share(graph, parts) > 0.999
    if num_nodes == 30_001:
        assert inner_share(graph, parts) > 0.99


def test_directed_graphs_and_hubs_are_balanced():
    rng = np.random.default_rng(2)
    edges = (5000 * rng.random((40_000, 2)) ** 3).astype(np.int64)
    graph = Graph.from_edges(edges, num_nodes=5000, directed=True)
    assert_balanced(divide(graph, 4), graph.strengths, 4)


def test_no_nodes_and_one_part():
    empty = communities(np.zeros(1, np.int64), np.empty(0, np.int32), None, np.empty(0), 4)
    assert empty.shape == (0,)
    assert not divide(Graph.from_edges(np.array([[0, 1], [1, 2]])), 1).any()


@pytest.mark.parametrize("num_part", [0, -1, 257])
def test_numbers_of_parts_out_of_range_are_refused(num_part):
    with pytest.raises(ValueError, match="expected 1 to 256"):
        communities(np.zeros(5, np.int64), np.empty(0, np.int32), None, np.zeros(4), num_part)


def test_parts_become_a_placement(planted):
    graph = planted[0]
    parts = divide(graph, 8)
    placement = assign(graph.strengths, 2, 8, parts)
    nodes = node_of(placement)
    for number, part in enumerate(parts_of(placement, "context")):
        found = nodes[part][nodes[part] >= 0]
        assert set(parts[found]) == {number}
        assert (np.diff(graph.strengths[found]) <= 0).all()
