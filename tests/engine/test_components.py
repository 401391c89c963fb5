"""Components of a graph: small ones drawn by their shortest paths, all packed beside each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist, pdist

from nodeloom.engine.layout import Affinities
from nodeloom.engine.layout.components import FEW, Components, packed
from nodeloom.engine.layout.stress import shortest_paths, stress_maps

DIMS = pytest.mark.parametrize("dim", [2, 3])


def affinities_of(edges, count):
    matrix = np.zeros((count, count), np.float32)
    for a, b in edges:
        matrix[a, b] = matrix[b, a] = 1
    sparse = csr_array(matrix / matrix.sum())
    return Affinities(sparse.indptr.astype(np.int64), sparse.indices.astype(np.int32), sparse.data)


def ring(first, size):
    return [(first + i, first + (i + 1) % size) for i in range(size)]


@DIMS
@pytest.mark.parametrize("kind", ["alone", "mixed", "equal", "one large", "two"])
def test_balls_do_not_overlap_and_stay_near(dim, kind):
    rng = np.random.default_rng(0)
    radii = {
        "alone": np.r_[5.0, np.zeros(300)],
        "mixed": np.r_[9.0, rng.random(200) ** 4 * 3],
        "equal": np.ones(150),
        "one large": np.r_[1.0, 8.0, np.full(50, 0.5)],
        "two": np.ones(2),
    }[kind]
    centers = packed(radii, 0.5, dim)
    space = cdist(centers, centers) - radii[:, None] - radii
    assert space[np.triu_indices(len(radii), 1)].min() >= 0.5 - 1e-9
    assert (centers[0] == 0).all()
    if kind not in ("one large", "two"):  # of the ball around all, a part is filled
        whole = (np.linalg.norm(centers, axis=1) + radii).max() + 0.25
        assert ((radii + 0.25) ** dim).sum() > (0.3 if dim == 2 else 0.08) * whole**dim


@pytest.mark.parametrize("size", [2, 3, 9])
def test_shortest_paths_of_many_graphs(size):
    rng = np.random.default_rng(size)
    linked = np.zeros((20, size, size), bool)
    for graph in linked:
        for i in range(1, size):
            graph[i, rng.integers(i)] = True
    linked |= linked.transpose(0, 2, 1)
    for graph, found in zip(linked, shortest_paths(linked), strict=True):
        np.testing.assert_array_equal(found, shortest_path(csr_array(graph.astype(float)), unweighted=True))


@DIMS
def test_drawings_have_the_lengths_of_paths(dim):
    members = [np.array([4, 0, 2]), np.arange(5, 9), np.arange(9, 16)]
    matrix = csr_array((16, 16)).tolil()
    for a, b in [(4, 0), (0, 2), *ring(5, 4), *((9, i) for i in range(10, 16))]:
        matrix[a, b] = matrix[b, a] = 1.0
    path, circle, star = stress_maps(matrix.tocsr(), members, dim)
    np.testing.assert_allclose(pdist(path), [1, 2, 1], atol=1e-2)
    assert np.ptp(pdist(circle)) < 0.7 and pdist(circle).min() > 0.8
    leaves = pdist(star[1:])
    assert np.linalg.norm(star[1:] - star[0], axis=1).min() > 0.7 and leaves.min() > 0.5


@DIMS
def test_components_are_packed(dim):
    edges = [*ring(0, 50), *ring(60, 40), *ring(50, 10), (100, 101), (102, 103)]
    affinities = affinities_of(edges, 120)
    parts = Components.of(affinities)
    assert parts.sizes.tolist() == [50, 40, 10, 2, 2, *[1] * 16] and FEW == 30
    assert parts.laid.tolist() == [*range(50), *range(60, 100)]
    laid = parts.of_laid()
    assert len(laid) == 90 and len(laid.indices) == 180 and abs(laid.weights.sum() - 1) < 1e-6
    places = np.random.default_rng(0).normal(size=(90, dim)).astype(np.float32)
    whole = parts.whole(places)
    assert whole.dtype == np.float32 and np.isfinite(whole).all() and len(np.unique(whole, axis=0)) == 120
    np.testing.assert_allclose(whole[:50], places[:50], atol=1e-5)  # the largest stays
    middle = (places[:50].min(axis=0) + places[:50].max(axis=0)) / 2
    away = np.linalg.norm(whole - middle, axis=1)
    assert away[:50].max() < away[50:].min()
    inner = cdist(whole, whole) + np.eye(120) * 1e9
    inner[parts.labels[:, None] == parts.labels] = np.inf
    closest = cdist(whole[:50], whole[:50])[np.triu_indices(50, 1)]
    assert inner.min() > np.median(np.sort(cdist(places, places), axis=1)[:, 1]) > 0 < closest.min()


def test_one_component_is_left_as_it_is():
    parts = Components.of(affinities_of(ring(0, 50), 50))
    places = np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32)
    assert len(parts) == 1 and len(parts.laid) == 50
    np.testing.assert_array_equal(parts.whole(places), places)
    assert parts.of_laid() is parts.affinities


def test_points_left_in_one_place_are_drawn():
    edges = [(i, j) for i in range(9) for j in range(i)]
    found = Components.of(affinities_of(edges, 9)).whole(np.full((9, 2), 3, np.float32))
    assert pdist(found).min() > 0.3 and np.abs(found.mean(axis=0) - 3).max() < 1e-5


def test_together_all_that_have_affinities_are_laid_out():
    parts = Components.of(affinities_of([*ring(0, 8), *ring(10, 5)], 16), together=True)
    assert parts.sizes.tolist() == [13, 1, 1, 1] and parts.laid.tolist() == [*range(8), *range(10, 15)]
