"""First-order walks: the same on every family, and what they claim to be."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from backends import BACKENDS, CPU, GPU, REFERENCE, having
from hypothesis import given, settings
from hypothesis import strategies as st
from walk_graphs import chi_square, from_adjacency, random_graph

NEEDS = ("walks",)


@pytest.mark.covering(2)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_walks_equal_the_reference(fast, weighted, directed, dtype):
    graph = random_graph(1, 40, weighted=weighted, directed=directed, density=0.1, dtype=dtype)
    # More walks than two groups, and not a whole number of them.
    got = graph.first_order(fast, 75, 12, dtype=dtype)
    np.testing.assert_array_equal(got, graph.first_order(REFERENCE, 75, 12, dtype=dtype))
    assert (got == -1).any() == directed


@pytest.mark.parametrize("length", [1, 2, 3, 64, 131])
def test_walks_of_any_length_equal_the_reference(fast, length):
    graph = random_graph(2, 30, weighted=True, directed=True)
    got = graph.first_order(fast, 9, length)
    np.testing.assert_array_equal(got, graph.first_order(REFERENCE, 9, length))
    # A longer walk goes on where the shorter one stopped.
    np.testing.assert_array_equal(got, graph.first_order(fast, 9, 140)[:, :length])


@pytest.mark.parametrize("first_walk", [2**31 - 3, 2**32 - 1, 2**40])
def test_numbers_of_walks_beyond_32_bits(fast, first_walk):
    graph = random_graph(2, 30)
    got = graph.first_order(fast, 6, 5, first_walk=first_walk)
    np.testing.assert_array_equal(got, graph.first_order(REFERENCE, 6, 5, first_walk=first_walk))
    assert not np.array_equal(got, graph.first_order(fast, 6, 5))


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("weighted", [False, True])
def test_offsets_into_large_graphs_give_the_same_walks(order, weighted, monkeypatch):
    if GPU.missing:
        pytest.skip(f"gpu: {GPU.missing}")
    graph = random_graph(8, 40, weighted=weighted, directed=True, density=0.1)
    narrow = graph.walk(order, GPU, 50, 8)
    monkeypatch.setattr("nodeloom.kernels.gpu.walks._NARROW", 0)  # as if every graph had more than 2^32 entries
    np.testing.assert_array_equal(graph.walk(order, GPU, 50, 8), narrow)
    np.testing.assert_array_equal(graph.walk(order, CPU, 50, 8), narrow)


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("place", ["transpose", "every other column", "rows apart"])
def test_walks_go_where_they_are_wanted(order, place):
    if GPU.missing:
        pytest.skip(f"gpu: {GPU.missing}")
    graph = random_graph(9, 40, directed=True, density=0.1)
    memory = np.full((80, 80), -7, np.int32)
    out = {"transpose": memory[:8, :45].T, "every other column": memory[:45, 3:19:2], "rows apart": memory[:45, 5:13]}[
        place
    ]
    graph.walk(order, GPU, 45, 8, out=out)
    np.testing.assert_array_equal(out, graph.walk(order, CPU, 45, 8))
    assert (out == -1).any()
    out[:] = -7
    assert (memory == -7).all()  # and nothing beside


GRAPHS = {
    (weighted, directed): random_graph(3, 25, weighted=weighted, directed=directed)
    for weighted in (False, True)
    for directed in (False, True)
}


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(sorted(GRAPHS)),
    order=st.sampled_from(["first", "second"]),
    cuts=st.lists(st.integers(0, 90), max_size=6),
    stream=st.integers(0, 2**64 - 1),
)
def test_a_walk_does_not_depend_on_its_slice(kind, order, cuts, stream):
    graph = GRAPHS[kind]
    parts = [
        graph.walk(order, CPU, b - a, 8, stream=stream, first_walk=1000 + a)
        for a, b in pairwise(sorted({0, 90, *cuts}))
    ]
    whole = graph.walk(order, CPU, 90, 8, stream=stream, first_walk=1000)
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_different_streams_give_different_walks(backend):
    graph = random_graph(4, 50)
    assert not np.array_equal(
        graph.first_order(backend, 20, 10, stream=1), graph.first_order(backend, 20, 10, stream=2)
    )
    one = graph.first_order(backend, 20, 10, stream=1)
    assert len(np.unique(one, axis=0)) == 20


@pytest.mark.parametrize("directed", [False, True])
@pytest.mark.parametrize("order", ["first", "second"])
def test_every_step_is_an_edge_and_ends_are_dead_ends(backend, directed, order):
    graph = random_graph(5, 30, directed=directed, weighted=True, density=0.08)
    num_walk = 40 if backend is REFERENCE else 500
    walks = graph.walk(order, backend, num_walk, 15)
    num_end = 0
    for walk in walks:
        nodes = walk[: np.argmax(walk == -1)] if (walk == -1).any() else walk
        assert (walk[len(nodes) :] == -1).all() and (nodes >= 0).all() and len(nodes) > 0
        for u, v in pairwise(nodes):
            assert v in graph.row(u)
        if len(nodes) < len(walk):
            num_end += 1
            assert len(graph.row(nodes[-1])) == 0
    assert (num_end > 0) == directed


@pytest.mark.parametrize("order", ["first", "second"])
def test_a_walk_from_an_isolated_node_is_that_node(backend, order):
    graph = from_adjacency(np.zeros((3, 3)), weighted=False, start_weights=[0, 0, 1])
    np.testing.assert_array_equal(graph.walk(order, backend, 4, 3), [[2, -1, -1]] * 4)


@pytest.mark.parametrize("weighted", [False, True])
def test_first_nodes_follow_the_start_distribution(weighted):
    graph = random_graph(6, 30, weighted=weighted, directed=True)
    starts = graph.first_order(CPU, 100_000, 1)[:, 0]
    counts = np.bincount(starts, minlength=30)
    assert chi_square(counts, graph.start_weights) > 1e-4
    positive = np.where(graph.start_weights > 0, 1.0, 0.0)
    assert chi_square(counts, positive) < 1e-10  # the test can tell a wrong distribution


@pytest.mark.parametrize("weighted", [False, True])
def test_steps_follow_the_weights(weighted):
    graph = random_graph(7, 12, weighted=weighted, density=0.4)
    walks = graph.first_order(CPU, 4000, 26)
    pvalues, wrong = [], []
    for node in range(graph.num_nodes):
        at = walks[:, :-1] == node
        counts = np.bincount(walks[:, 1:][at], minlength=graph.num_nodes)[graph.row(node)]
        assert counts.sum() == at.sum()
        pvalues.append(chi_square(counts, graph.row_weights(node)))
        wrong.append(chi_square(counts, 1.0 + np.arange(len(counts))))
    assert min(pvalues) > 1e-4
    assert np.median(wrong) < 1e-10


def test_steps_of_a_long_row_reach_its_ends(fast):
    # A star: from the hub every leaf is equally likely, the first and the last too.
    adjacency = np.zeros((300, 300))
    adjacency[0, 1:] = adjacency[1:, 0] = 1.0
    graph = from_adjacency(adjacency, weighted=False)
    walks = graph.first_order(fast, 20_000, 3)
    leaves = walks[:, 1:][walks[:, :-1] == 0]
    assert chi_square(np.bincount(leaves, minlength=300)[1:], np.ones(299)) > 1e-4


@given(
    row=st.lists(st.integers(0, 40), max_size=40).map(sorted),
    before=st.lists(st.integers(0, 40), max_size=3),
    after=st.lists(st.integers(0, 40), max_size=3),
    node=st.integers(-1, 41),
    dtype=st.sampled_from([np.int32, np.int64]),
)
def test_contains_looks_at_the_row_only(row, before, after, node, dtype):
    indices = np.array([*before, *row, *after], dtype)
    first, last = len(before), len(before) + len(row)
    for backend in having(BACKENDS, "walks.contains"):
        assert bool(backend.walks.contains(indices, first, last, node)) == (node in row)
