"""Affinities: symmetric, of a sum of 1, from neighbors, from edges, from both."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.errors import ConfigError, DataError, GraphError
from nodeloom.graph.affinity import affinities, affinities_of_graph, join
from nodeloom.graph.neighbors import NeighborGraph


def points(count=50, dim=4, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def check(matrix):
    assert matrix.dtype == np.float32 and matrix.has_sorted_indices
    assert abs(matrix.sum(dtype=np.float64) - 1) < 1e-5
    assert (matrix.data > 0).all()
    assert abs(matrix - matrix.T).max() < 1e-9
    return matrix.toarray()


def test_of_neighbors_both_directions_are_averaged():
    near = NeighborGraph.of(points(), 6)
    found = check(affinities(near, 3))
    one_way = np.zeros((50, 50))
    for i in range(50):
        energy = near.distances[i].astype(np.float64) ** 2
        betas = np.exp(np.linspace(-10, 10, 200_001))
        p = np.exp(-betas[:, None] * (energy - energy[0]))
        p /= p.sum(1, keepdims=True)
        entropy = -(p * np.log(np.maximum(p, 1e-300))).sum(1)
        one_way[i, near.indices[i]] = p[np.abs(entropy - np.log(3)).argmin()]
    np.testing.assert_allclose(found, (one_way + one_way.T) / 100, atol=1e-6)


def test_perplexity_acts_and_threads_do_not():
    near = NeighborGraph.of(points(), 10)
    two, nine = affinities(near, 2), affinities(near, 9)
    assert two.max() > 2 * nine.max()
    for threads in (1, 2, 8):
        assert (affinities(near, 2, num_threads=threads) != two).nnz == 0


def test_on_a_gpu_they_are_the_same(monkeypatch):
    torch = pytest.importorskip("torch", reason="torch is not installed")
    pytest.importorskip("triton", reason="triton is not installed")
    from nodeloom.kernels.gpu import affinity
    from nodeloom.kernels.gpu._triton import INTERPRETED

    if not INTERPRETED and not torch.cuda.is_available():
        pytest.skip("there is no GPU, and TRITON_INTERPRET is not 1")
    device = "cpu" if INTERPRETED else "cuda:0"
    for near in (NeighborGraph.of(points(300), 7), NeighborGraph.of(np.repeat(points(5), 20, axis=0), 15)):
        here = affinities(near, 4)
        found = affinity.affinities_on(device, near.indices, near.energies(), np.log(4))
        indptr, indices, weights = found
        assert (indptr.dtype, indices.dtype, weights.dtype) == (np.int64, np.int32, np.float32)
        np.testing.assert_array_equal(indptr, here.indptr)
        np.testing.assert_array_equal(indices, here.indices)
        np.testing.assert_allclose(weights, here.data, rtol=1e-6)
        monkeypatch.setattr(affinity, "affinities_on", lambda device, *given, found=found: found)
        there = affinities(near, 4, device="cuda:0")
        check(there)
        assert abs(there - here).max() < 1e-8
        monkeypatch.setattr(affinity, "affinities_on", lambda device, *given: None)  # no room
        assert (affinities(near, 4, device="cuda:0") != here).nnz == 0
        monkeypatch.undo()


@pytest.mark.parametrize("perplexity", [0.5, 7, -1, np.nan, "3", True])
def test_perplexity_is_from_1_to_the_number_of_neighbors(perplexity):
    near = NeighborGraph.of(points(), 6)
    with pytest.raises(ConfigError, match="perplexity: expected a number from 1 to 6, the number of neighbors, got"):
        affinities(near, perplexity)


def test_points_that_are_the_same_are_finite():
    near = NeighborGraph.of(np.repeat(points(5), 20, axis=0), 15)
    check(affinities(near, 10))


def test_of_edges():
    found = check(affinities_of_graph(Graph.from_edges([[0, 1], [1, 2], [2, 2]], num_nodes=4)))
    assert found[0, 1] == found[1, 2] == 0.25 and not found[3].any()
    weighted = Graph.from_edges([[0, 1], [1, 2]], weights=[1.0, 3.0])
    found = check(affinities_of_graph(weighted))
    np.testing.assert_allclose(found[0, 1] / found[1, 2], (1 / np.sqrt(4)) / (3 / np.sqrt(12)), rtol=1e-6)


def test_of_arcs_both_directions_are_one_edge():
    arcs = Graph.from_edges([[0, 1], [1, 0], [1, 2]], directed=True)
    edges = Graph.from_edges([[0, 1], [1, 2]], weights=[2.0, 1.0])
    np.testing.assert_allclose(check(affinities_of_graph(arcs)), check(affinities_of_graph(edges)), rtol=1e-6)


def test_of_weights_of_any_size():
    for weights in ([1e-30, 2e-30], [1e30, 2e30]):
        check(affinities_of_graph(Graph.from_edges([[0, 1], [1, 2]], weights=weights)))


def test_a_graph_without_edges_is_refused():
    with pytest.raises(GraphError, match="expected an edge between two different nodes"):
        affinities_of_graph(Graph.from_edges([[0, 0], [1, 1]]))


def test_joined_affinities_count_by_their_part():
    a = affinities_of_graph(Graph.from_edges([[0, 1], [1, 2], [2, 3], [3, 0]]))
    b = affinities(NeighborGraph.of(points(4), 2), 1.5)
    found = check(join(a, b, 0.25))
    np.testing.assert_allclose(found, 0.25 * a.toarray() + 0.75 * b.toarray(), atol=1e-7)
    np.testing.assert_allclose(check(join(a * 100, b, 0.25)), found, atol=1e-7)
    with pytest.raises(ConfigError, match="weight: expected a number from 0 to 1, got 2"):
        join(a, b, 2)
    with pytest.raises(DataError, match="expected affinities of the same points, 4"):
        join(a, affinities(NeighborGraph.of(points(5), 2), 1.5))
