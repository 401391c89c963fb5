"""Negatives: which nodes, how often, and that nothing but the seed and the item decides."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.sampling import NegativeSampler

STAR = [[0, 1], [0, 2], [0, 3], [1, 2]]


def drawn(graph, exponent, count=200_000, **options):
    sampler = NegativeSampler.of(graph, exponent=exponent, seed=options.pop("seed", 0))
    out = np.empty((count // 8, 8), np.int32)
    sampler.sample(0, out, **options)
    return out


def shares(graph, exponent):
    return np.bincount(drawn(graph, exponent).ravel(), minlength=graph.num_nodes) / 200_000


@pytest.mark.parametrize("exponent", [0.75, 1.0, 0.0, -1.0])
def test_distribution_is_a_power_of_the_strength(exponent):
    graph = Graph.from_edges(STAR, weights=[1.0, 2.0, 4.0, 8.0], num_nodes=6)
    strengths = np.array([7.0, 9.0, 10.0, 4.0])
    expected = strengths**exponent / (strengths**exponent).sum()
    found = shares(graph, exponent)
    np.testing.assert_allclose(found[:4], expected, atol=0.006)
    assert (found[4:] == 0).all()  # isolated nodes are never negatives


def test_directed_negatives_are_tails():
    graph = Graph.from_edges([[0, 1], [0, 2], [3, 2], [4, 2]], directed=True)
    np.testing.assert_allclose(shares(graph, 1.0), [0, 0.25, 0.75, 0, 0], atol=0.006)


@pytest.mark.parametrize(("exponent", "winner"), [(400.0, 0), (5000.0, 0), (-400.0, 3), (-5000.0, 3)])
def test_extreme_exponents_leave_the_extreme_nodes(exponent, winner):
    # The power itself overflows a double: regression, the table was built from infinities.
    edges = [[0, i] for i in range(1, 40)] + [[1, 2]]
    graph = Graph.from_edges(edges)
    found = shares(graph, exponent)
    assert np.isfinite(found).all()
    assert found[winner] > 0.02
    assert found[0] in (0.0, 1.0)


def test_an_item_has_its_own_numbers_in_any_slice():
    graph = Graph.from_edges(STAR)
    whole = drawn(graph, 0.75, 8000)
    sampler = NegativeSampler.of(graph, exponent=0.75, seed=0)
    for first, last in [(0, 1), (1, 10), (10, 999), (999, 1000)]:
        part = np.empty((last - first, 8), np.int32)
        sampler.sample(first, part)
        assert (part == whole[first:last]).all()


def test_seed_and_reuse_change_the_numbers():
    graph = Graph.from_edges([[i, (i * 3 + 1) % 50] for i in range(50)])
    first = drawn(graph, 0.75, 8000)
    assert (first == drawn(graph, 0.75, 8000)).all()
    for other in (
        drawn(graph, 0.75, 8000, seed=1),
        drawn(graph, 0.75, 8000, reuse=1),
        drawn(graph, 0.75, 8000, reuse=2),
    ):
        assert (first == other).mean() < 0.2
    assert (drawn(graph, 0.75, 8000, reuse=1) == drawn(graph, 0.75, 8000, reuse=2)).mean() < 0.2
