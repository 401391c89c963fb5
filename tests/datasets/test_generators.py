"""The planted partition: exact counts, communities, a heavy tail, and repeatability."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.datasets import planted_partition
from nodeloom.errors import DataError


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
    start = time.perf_counter()
    edges, community = planted_partition(1_138_499, 4_945_382, 100)
    assert time.perf_counter() - start < 30
    degrees = np.bincount(edges.ravel(), minlength=len(community))
    assert 10_000 < degrees.max() < 60_000
    assert degrees.min() >= 1
    tail = np.sort(degrees)[-1000:].astype(float)
    assert 1 + 1 / np.log(tail / tail[0]).mean() == pytest.approx(2.3, abs=0.3)  # Hill's estimate of the exponent
