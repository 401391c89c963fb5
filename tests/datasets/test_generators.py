"""The planted partition: exact counts, communities, a heavy tail, and repeatability."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.datasets import planted_partition, planted_partition_edges
from nodeloom.errors import DataError
from nodeloom.graph import Graph


@settings(max_examples=40, deadline=None)
@given(
    num_nodes=st.integers(10, 400),
    density=st.floats(0, 0.08),
    num_communities=st.integers(1, 8),
    exponent=st.floats(2.05, 4),
    mixing=st.floats(0.05, 1),
    seed=st.integers(0, 2**32),
)
def test_edges_are_simple_and_exactly_as_many_as_asked(num_nodes, density, num_communities, exponent, mixing, seed):
    num_edges = int(density * num_nodes * (num_nodes - 1) / 2)
    edges, community = planted_partition(
        num_nodes, num_edges, num_communities, exponent=exponent, mixing=mixing, seed=seed
    )
    assert edges.shape == (num_edges, 2)
    assert edges.dtype == community.dtype == np.int32
    assert (edges[:, 0] < edges[:, 1]).all()
    assert len(np.unique(edges, axis=0)) == num_edges
    if num_edges:
        assert edges.min() >= 0 and edges.max() < num_nodes
    assert community.shape == (num_nodes,)
    assert len(np.unique(community)) == num_communities


def test_seed_decides():
    first, _ = planted_partition(1000, 5000, 5, seed=1)
    again, _ = planted_partition(1000, 5000, 5, seed=1)
    other, _ = planted_partition(1000, 5000, 5, seed=2)
    assert (first == again).all()
    assert (first != other).any()


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_mixing_is_the_share_of_edges_that_leave_home(mixing):
    edges, community = planted_partition(20_000, 100_000, 10, mixing=mixing)
    sizes = np.bincount(community) / len(community)
    outside = (community[edges[:, 0]] != community[edges[:, 1]]).mean()
    # An edge that may go anywhere still stays at home by chance, about as often as two nodes share a community.
    assert outside == pytest.approx(mixing * (1 - (sizes**2).sum()), abs=0.03)


@pytest.mark.parametrize("num_communities", [7, 500])
def test_every_node_has_an_edge_where_there_are_enough(num_communities):
    # In communities of ten nodes many a node draws itself as its partner.
    for seed in range(3):
        edges, _ = planted_partition(5000, 6000, num_communities, mixing=0.2, seed=seed)
        assert np.bincount(edges.ravel(), minlength=5000).min() >= 1


def test_smaller_exponent_gives_larger_hubs():
    hubs = [
        np.bincount(planted_partition(20_000, 100_000, 4, exponent=exponent)[0].ravel()).max()
        for exponent in (2.1, 2.5, 3.5)
    ]
    assert hubs[0] > 1.5 * hubs[1] > 1.5 * 1.5 * hubs[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 0, 1), "num_nodes"),
        ((10, 46, 1), "num_edges: expected 0 to 45"),
        ((10, -1, 1), "num_edges"),
        ((10, 5, 0), "num_communities"),
        ((10, 5, 11), "num_communities"),
    ],
)
def test_arguments_out_of_range(arguments, message):
    with pytest.raises(DataError, match=message):
        planted_partition(*arguments)
    with pytest.raises(DataError, match="exponent"):
        planted_partition(10, 5, 1, exponent=2.0)
    with pytest.raises(DataError, match="mixing"):
        planted_partition(10, 5, 1, mixing=1.1)


def test_no_room_in_the_communities_is_told_not_waited_for():
    with pytest.raises(DataError, match="have room for"):
        planted_partition(60, 1500, 30, mixing=0.0)


@pytest.mark.slow
def test_youtube_in_size_and_tail():
    start = time.process_time()
    edges, community = planted_partition(1_138_499, 4_945_382, 100)
    assert time.process_time() - start < 30
    degrees = np.bincount(edges.ravel(), minlength=len(community))
    assert 10_000 < degrees.max() < 60_000
    assert degrees.min() >= 1
    tail = np.sort(degrees)[-1000:].astype(float)
    assert 1 + 1 / np.log(tail / tail[0]).mean() == pytest.approx(2.3, abs=0.3)  # Hill's estimate of the exponent


@pytest.mark.parametrize("num_edges", [3000, 20_000])
def test_edges_one_by_one_do_not_depend_on_threads(num_edges):
    first, community = planted_partition_edges(5000, num_edges, 20, seed=4, num_thread=1)
    assert first.shape == (num_edges, 2)
    assert first.dtype == community.dtype == np.int32
    assert len(np.unique(community)) == 20
    for num_thread in (2, 5, "auto"):
        again, same = planted_partition_edges(5000, num_edges, 20, seed=4, num_thread=num_thread)
        np.testing.assert_array_equal(again, first)
        np.testing.assert_array_equal(same, community)
    other, elsewhere = planted_partition_edges(5000, num_edges, 20, seed=5)
    assert (other != first).any(axis=1).mean() > 0.9
    assert (elsewhere != community).any()


@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_edges_one_by_one_have_communities_like_those_of_simple_graphs(mixing):
    outside, sizes = [], []
    for draw in (planted_partition, planted_partition_edges):
        edges, community = draw(20_000, 100_000, 10, mixing=mixing)
        outside.append((community[edges[:, 0]] != community[edges[:, 1]]).mean())
        sizes.append(np.bincount(community) / len(community))
    assert outside[1] == pytest.approx(mixing * (1 - (sizes[1] ** 2).sum()), abs=0.01)
    assert outside[1] == pytest.approx(outside[0], abs=0.03)
    np.testing.assert_allclose(sizes[1], sizes[0], atol=0.02)


@pytest.mark.parametrize("exponent", [2.2, 2.5, 3.0])
def test_edges_one_by_one_have_degrees_like_those_of_simple_graphs(exponent):
    degrees = []
    for draw in (planted_partition, planted_partition_edges):
        edges, _ = draw(100_000, 500_000, 3, exponent=exponent)
        degrees.append(np.sort(Graph.from_edges(edges, num_nodes=100_000).degrees)[::-1].astype(float))
    for rank in (0, 10, 100, 1000, 10_000, 50_000, 99_999):
        assert degrees[1][rank] == pytest.approx(degrees[0][rank], rel=0.35, abs=1)
    hill = [1 + 1 / np.log(d[:2000] / d[2000]).mean() for d in degrees]
    assert hill[1] == pytest.approx(hill[0], abs=0.15)


def test_edges_one_by_one_seldom_come_again_and_never_are_loops():
    edges, _ = planted_partition_edges(200_000, 2_000_000, 3, exponent=3.0)
    graph = Graph.from_edges(edges, num_nodes=200_000)
    assert graph.num_loops == 0
    assert graph.degrees.min() >= 1
    assert 0.99 * len(edges) < graph.num_edges < len(edges)


def test_edges_one_by_one_of_a_lone_node_are_loops():
    edges, community = planted_partition_edges(2, 1, 2, mixing=0.0)
    assert edges[0, 0] == edges[0, 1]
    assert sorted(community) == [0, 1]


def test_edges_one_by_one_refuse_what_is_out_of_range():
    with pytest.raises(DataError, match=r"planted_partition_edges\.num_nodes"):
        planted_partition_edges(1, 0, 1)
    with pytest.raises(DataError, match=r"planted_partition_edges\.exponent"):
        planted_partition_edges(10, 5, 1, exponent=2.0)


def test_edges_one_by_one_can_be_none():
    edges, community = planted_partition_edges(10, 0, 2)
    assert edges.shape == (0, 2)
    assert len(community) == 10
