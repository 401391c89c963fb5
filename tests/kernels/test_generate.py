"""Edges of a planted partition: the CPU kernels against their definition, number by number."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.kernels.cpu import generate as cpu
from nodeloom.kernels.reference import generate as reference
from nodeloom.kernels.reference.generate import _node_at

STREAM, SHUFFLE = 11, 13


def bounds_of(num_nodes, num_communities, seed=0):
    cuts = np.random.default_rng(seed).choice(np.arange(1, num_nodes), num_communities - 1, replace=False)
    return np.concatenate([[0], np.sort(cuts), [num_nodes]]).astype(np.int64)


def drawn(family, bounds, num_edges, parts=((0, None),), *, mixing=0.3, offset=2.5, power=0.3):
    edges = np.full((num_edges, 2), -1, np.int32)
    for first, last in parts:
        last = num_edges if last is None else last
        family.draw_edges(np.uint64(STREAM), np.uint64(SHUFFLE), first, last, mixing, offset, power, bounds, edges)
    return edges


@pytest.mark.parametrize(
    ("num_nodes", "num_communities", "num_edges"),
    [(2, 1, 1), (2, 2, 9), (37, 5, 20), (64, 64, 200), (65, 3, 65), (1000, 30, 3500), (5000, 700, 2000)],
)
@pytest.mark.parametrize("mixing", [0.0, 0.3, 1.0])
def test_edges_equal_the_definition(num_nodes, num_communities, num_edges, mixing):
    bounds = bounds_of(num_nodes, num_communities)
    ours = drawn(cpu, bounds, num_edges, mixing=mixing)
    np.testing.assert_array_equal(ours, drawn(reference, bounds, num_edges, mixing=mixing))
    assert ours.min() >= 0
    assert ours.max() < num_nodes


@pytest.mark.parametrize(("offset", "power"), [(1e-3, 0.5), (0.7, 0.02), (40.0, 0.9)])
def test_laws_of_weights_equal_the_definition(offset, power):
    bounds = bounds_of(800, 9)
    ours = drawn(cpu, bounds, 2000, offset=offset, power=power)
    np.testing.assert_array_equal(ours, drawn(reference, bounds, 2000, offset=offset, power=power))


@pytest.mark.parametrize("family", [cpu, reference])
def test_edges_do_not_depend_on_slices(family):
    bounds = bounds_of(300, 12)
    whole = drawn(family, bounds, 900)
    np.testing.assert_array_equal(whole, drawn(family, bounds, 900, [(500, 900), (0, 1), (1, 500)]))
    part = drawn(family, bounds, 900, [(100, 200)])
    assert (part[:100] == -1).all() and (part[200:] == -1).all()  # what is not asked for is not written
    np.testing.assert_array_equal(part[100:200], whole[100:200])


@pytest.mark.parametrize("num_nodes", [2, 3, 64, 65, 1000])
def test_communities_equal_the_definition(num_nodes):
    bounds = bounds_of(num_nodes, min(num_nodes, 7))
    ours, theirs = (np.full(num_nodes, -1, np.int32) for _ in range(2))
    for first, last in ((num_nodes // 2, num_nodes), (0, num_nodes // 2)):
        cpu.place_communities(np.uint64(SHUFFLE), first, last, bounds, ours)
    reference.place_communities(SHUFFLE, 0, num_nodes, bounds, theirs)
    np.testing.assert_array_equal(ours, theirs)
    np.testing.assert_array_equal(np.bincount(ours, minlength=len(bounds) - 1), np.diff(bounds))


@pytest.mark.parametrize("num_nodes", [2, 3, 5, 127, 128, 129, 1000, 4097])
def test_places_are_shuffled_and_none_is_lost(num_nodes):
    for shuffle in range(5):
        assert sorted(_node_at(np.arange(num_nodes), num_nodes, shuffle)) == list(range(num_nodes))


def test_the_order_of_nodes_looks_drawn():
    num_nodes = 50_000
    places = np.arange(num_nodes)
    orders = [_node_at(places, num_nodes, shuffle) for shuffle in (1, 2)]
    bound = 4 / np.sqrt(num_nodes)
    for order in orders:
        assert abs(np.corrcoef(places, order)[0, 1]) < bound
        assert abs(np.corrcoef(order[:-1], order[1:])[0, 1]) < bound
        assert abs((np.diff(order) > 0).mean() - 0.5) < bound
        for bit in range(12):  # no bit of a place shows in a bit of its node
            for other in range(12):
                assert abs(((places >> bit) & 1 == (order >> other) & 1).mean() - 0.5) < 5 / 2 / np.sqrt(num_nodes)
    assert abs(np.corrcoef(*orders)[0, 1]) < bound


def test_ends_follow_the_law():
    # One community: node at place j has the share of the density of weights between j and j + 1.
    num_nodes, num_edges, offset, power = 40, 200_000, 1.5, 0.3
    bounds = np.array([0, num_nodes])
    edges = drawn(cpu, np.r_[bounds], num_edges, offset=offset, power=power)
    place_of = np.empty(num_nodes, np.int64)
    place_of[_node_at(np.arange(num_nodes), num_nodes, SHUFFLE)] = np.arange(num_nodes)
    edge_of_its_own = np.zeros(num_edges, np.bool_)
    edge_of_its_own[: num_nodes * (num_edges // num_nodes) : num_edges // num_nodes] = True
    heads = np.bincount(place_of[edges[~edge_of_its_own, 0]], minlength=num_nodes)
    share = np.diff((np.arange(num_nodes + 1) + offset) ** power)
    share /= share.sum()
    expected = share * heads.sum()
    assert (((heads - expected) ** 2 / expected).sum()) < num_nodes + 5 * np.sqrt(2 * num_nodes)
    assert sorted(place_of[edges[edge_of_its_own, 0]]) == list(range(num_nodes))
    # Tails are redrawn where they are the head.
    joint = np.outer(share, share)
    np.fill_diagonal(joint, 0)
    expected = (joint / joint.sum(axis=1, keepdims=True) * share[:, None]).sum(axis=0) * heads.sum()
    tails = np.bincount(place_of[edges[~edge_of_its_own, 1]], minlength=num_nodes)
    assert (((tails - expected) ** 2 / expected).sum()) < num_nodes + 5 * np.sqrt(2 * num_nodes)
