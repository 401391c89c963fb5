"""Walks over a graph: they follow edges, in the right proportions, and are the same however they are cut up."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.sampling import WalkSampler
from nodeloom.sampling.walks import HubRows

EDGES = planted_partition(120, 500, 4, seed=1)[0]
WEIGHTS = np.random.default_rng(2).random(len(EDGES)).astype(np.float32) + 0.1

GRAPHS = {
    "plain": Graph.from_edges(EDGES),
    "weighted": Graph.from_edges(EDGES, weights=WEIGHTS),
    "directed": Graph.from_edges(EDGES, directed=True),
    "directed weighted": Graph.from_edges(EDGES, weights=WEIGHTS, directed=True),
    "parallel edges": Graph.from_edges(np.concatenate([EDGES, EDGES[:50]]), duplicates="keep"),
}
BIASES = [(1.0, 1.0), (0.25, 4.0), (4.0, 0.5)]


def walks(graph, count, length, first=0, **options):
    out = np.full((count, length + 1), -2, graph.indices.dtype)
    WalkSampler.of(graph, **options).sample(first, out)
    return out


@pytest.mark.parametrize(("p", "q"), BIASES)
@pytest.mark.parametrize("name", GRAPHS)
def test_every_step_is_an_edge_and_only_dead_ends_end(name, p, q):
    graph = GRAPHS[name]
    out = walks(graph, 500, 12, p=p, q=q)
    assert out.min() >= -1
    assert (out[:, 0] >= 0).all()
    heads, tails = out[:, :-1].ravel(), out[:, 1:].ravel()
    went = tails >= 0
    assert graph.has_edges(heads[went], tails[went], ids=True).all()
    stopped = ~went & (heads >= 0)
    assert (graph.degrees[heads[stopped]] == 0).all()
    assert (tails[heads < 0] < 0).all()  # nothing comes after an end
    assert graph.directed == bool(stopped.any())


@pytest.mark.parametrize(("p", "q"), BIASES[:2])
@pytest.mark.parametrize("name", GRAPHS)
def test_walks_do_not_depend_on_slices(name, p, q):
    graph = GRAPHS[name]
    sampler = WalkSampler.of(graph, p=p, q=q, seed=3)
    whole = walks(graph, 97, 9, p=p, q=q, seed=3)

    @given(cuts=st.lists(st.integers(0, 97), max_size=6))
    @settings(deadline=None, max_examples=15)
    def check(cuts):
        bounds = [0, *sorted(cuts), 97]
        for first, last in itertools.pairwise(bounds):
            part = np.empty((last - first, 10), whole.dtype)
            sampler.sample(first, part)
            assert (part == whole[first:last]).all()

    check()


def test_walks_have_a_seed():
    graph = GRAPHS["plain"]
    assert (walks(graph, 100, 9, seed=5) == walks(graph, 100, 9, seed=5)).all()
    assert (walks(graph, 100, 9, seed=5) == walks(graph, 100, 9, seed=6)).mean() < 0.2


def test_longer_walks_begin_like_shorter_ones():
    for p, q in BIASES:
        graph = GRAPHS["plain"]
        assert (walks(graph, 50, 20, p=p, q=q)[:, :6] == walks(graph, 50, 5, p=p, q=q)).all()


@pytest.mark.parametrize("name", ["weighted", "directed weighted", "directed", "plain"])
def test_first_edges_come_in_proportion_to_their_weights(name):
    graph = GRAPHS[name]
    count = 400_000
    out = walks(graph, count, 1)
    found = np.bincount(out[:, 0].astype(np.int64) * graph.num_nodes + out[:, 1], minlength=graph.num_nodes**2)
    heads = np.repeat(np.arange(graph.num_nodes), graph.degrees)
    weights = np.ones(len(graph.indices)) if graph.weights is None else graph.weights.astype(np.float64)
    expected = np.zeros(graph.num_nodes**2)
    expected[heads * graph.num_nodes + graph.indices] = weights / weights.sum() * count
    edges = expected > 0
    assert found[~edges].sum() == 0
    chi2 = ((found[edges] - expected[edges]) ** 2 / expected[edges]).sum()
    freedom = edges.sum() - 1
    assert abs(chi2 - freedom) < 5 * np.sqrt(2 * freedom)


def test_p_and_q_steer():
    graph = GRAPHS["plain"]

    def returns(p, q):
        out = walks(graph, 4000, 10, p=p, q=q)
        return (out[:, 2:] == out[:, :-2]).mean()

    def spread(q):
        # Share of third nodes that are neither the first nor a neighbour of it.
        out = walks(graph, 20_000, 2, p=1.0, q=q)
        return (~graph.has_edges(out[:, 0], out[:, 2], ids=True) & (out[:, 0] != out[:, 2])).mean()

    assert returns(0.05, 1.0) > 2 * returns(1.0, 1.0) > 4 * returns(50.0, 1.0)
    assert spread(0.1) > spread(1.0) > spread(10.0)


def test_isolated_nodes_are_never_visited():
    graph = Graph.from_edges([[1, 3], [3, 5]], num_nodes=8)
    assert set(walks(graph, 300, 5).ravel().tolist()) == {1, 3, 5}


def test_directed_dead_ends():
    graph = Graph.from_edges([[0, 1], [1, 2]], directed=True)
    out = walks(graph, 200, 4)
    assert {tuple(row) for row in out.tolist()} == {(0, 1, 2, -1, -1), (1, 2, -1, -1, -1)}


def test_self_loops_are_steps():
    out = walks(Graph.from_edges([[0, 0], [0, 1]]), 2000, 1)
    assert {tuple(row) for row in out.tolist()} == {(0, 0), (0, 1), (1, 0)}


@pytest.mark.parametrize(
    ("edges", "options", "fold"),
    [
        ([[0, 1], [1, 2]], {}, True),
        # Row 0 ends with node 2 and row 1 begins with it: no parallel edges.
        ([[0, 2], [1, 2]], {}, True),
        ([[0, 1], [0, 1]], {"duplicates": "keep"}, False),
        ([[0, 1], [1, 2]], {"directed": True}, False),
        ([[0, 1], [1, 2]], {"weights": [1.0, 2.0]}, False),
        ([[0, 3], [1, 2]], {"num_nodes": 9}, True),
    ],
)
def test_folding_is_for_plain_graphs_alone(edges, options, fold):
    graph = Graph.from_edges(edges, **options)
    assert WalkSampler.of(graph, p=0.5).fold is fold
    assert WalkSampler.of(graph).fold is False  # first-order walks do not ask


def test_hub_rows_are_the_adjacency_of_hubs():
    edges = [[0, i] for i in range(1, 300)] + [[i, i + 1] for i in range(1, 299)]
    graph = Graph.from_edges(edges, num_nodes=700)
    hubs = HubRows.of(graph)
    assert np.flatnonzero(hubs.row >= 0).tolist() == [0]  # 299 * 32 bits >= 700; the others have 3 neighbours
    bits = (hubs.bits[:, np.arange(700) // 64] >> (np.arange(700) % 64).astype(np.uint64)) & np.uint64(1)
    assert np.flatnonzero(bits[0]).tolist() == list(range(1, 300))
    assert hubs.nbytes == HubRows.size(graph)


@pytest.mark.parametrize("name", GRAPHS)
def test_hub_rows_are_linear_in_the_edges(name):
    graph = GRAPHS[name]
    assert HubRows.size(graph) == HubRows.of(graph).nbytes <= graph.num_nodes * 12 + graph.indices.nbytes * 2


def test_tables_do_not_depend_on_threads():
    graph = GRAPHS["weighted"]
    expected = walks(graph, 100, 8)
    for num_thread in (2, 3, 5):
        assert (walks(graph, 100, 8, num_thread=num_thread) == expected).all()


def test_nbytes_counts_the_tables():
    graph = GRAPHS["weighted"]
    sampler = WalkSampler.of(graph, p=0.5)
    assert sampler.nbytes == 8 * graph.num_nodes + 8 * len(graph.indices) + HubRows.size(graph)
    first_order = WalkSampler.of(graph)
    assert first_order.nbytes == 8 * graph.num_nodes + 8 * len(graph.indices) + 4 * (graph.num_nodes + 1)


@pytest.mark.parametrize("name", GRAPHS)
def test_walks_are_the_same_whatever_the_width_of_the_bounds(monkeypatch, name):
    graph = GRAPHS[name]
    narrow = walks(graph, 80, 7)
    assert WalkSampler.of(graph).bounds.dtype == np.int32
    monkeypatch.setattr(WalkSampler, "has_own_bounds", staticmethod(lambda graph: False))
    assert WalkSampler.of(graph).bounds is graph.indptr
    assert (walks(graph, 80, 7) == narrow).all()
