"""Quality of maps: as other libraries measure it, and at chance for the control."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from nodeloom import Graph
from nodeloom.errors import ConfigError, DataError
from nodeloom.tasks import graph_map_quality, map_quality


def data(count=300, dim=8, seed=0):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, count)
    vectors = rng.normal(size=(4, dim))[labels] * 3 + rng.normal(size=(count, dim))
    return vectors.astype(np.float32), labels


def kept(vectors, places, k, metric="euclidean"):
    near = [
        NearestNeighbors(n_neighbors=k, metric=m).fit(x).kneighbors()[1]
        for x, m in ((vectors, metric), (places, "euclidean"))
    ]
    return np.mean([len(np.intersect1d(a, b)) / k for a, b in zip(*near, strict=True)])


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_measures_are_those_of_scikit_learn(metric):
    vectors, labels = data()
    places = vectors[:, :2]
    found = map_quality(places, vectors, labels=labels, k=(10, 30), metric=metric, num_triplets=20_000)
    assert found.num_points == found.num_sampled == 300
    for k in (10, 30):
        np.testing.assert_allclose(found.scores[f"recall@{k}"], kept(vectors, places, k, metric), rtol=1e-9)
    expected = trustworthiness(vectors, places, n_neighbors=10, metric=metric)
    np.testing.assert_allclose(found.scores["trustworthiness@10"], expected, rtol=1e-5)
    right = KNeighborsClassifier(10).fit(places, labels)
    alone = [np.bincount(labels[n], minlength=4).argmax() for n in right.kneighbors()[1]]
    np.testing.assert_allclose(found.scores["accuracy@10"], np.mean(alone == labels), rtol=1e-9)


def test_a_perfect_map_and_its_control():
    places = np.random.default_rng(0).normal(size=(400, 2)).astype(np.float32)
    found = map_quality(places, places, labels=places[:, 0] > 0)
    assert found.scores["recall@15"] == found.scores["trustworthiness@15"] == found.scores["triplets"] == 1
    assert abs(found.control["recall@15"] - 15 / 399) < 0.02
    assert abs(found.control["trustworthiness@15"] - 0.5) < 0.05
    assert abs(found.control["triplets"] - 0.5) < 0.02
    assert found.scores["accuracy@10"] > 0.95 and found.control["accuracy@10"] < 0.65
    assert [row[0] for row in found.rows()] == list(found.metrics())
    assert found.to_dict()["control"] == found.control


def test_inner_products_are_measured_as_such():
    vectors, _ = data()
    products = -(vectors @ vectors.T)
    np.fill_diagonal(products, np.inf)
    near = np.argsort(products, axis=1)[:, :15]
    places = vectors[:, :2]
    in_map = NearestNeighbors(n_neighbors=15).fit(places).kneighbors()[1]
    expected = np.mean([len(np.intersect1d(a, b)) / 15 for a, b in zip(near, in_map, strict=True)])
    found = map_quality(places, vectors, metric="inner_product").scores["recall@15"]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_samples_are_near_to_the_whole_and_seeded():
    vectors, labels = data(2000)
    whole = map_quality(vectors[:, :2], vectors, labels=labels).scores
    part = map_quality(vectors[:, :2], vectors, labels=labels, num_sampled=500)
    assert part.num_sampled == 500
    for name, score in whole.items():
        assert abs(part.scores[name] - score) < 0.05, name
    again = map_quality(vectors[:, :2], vectors, labels=labels, num_sampled=500)
    assert again == part
    assert map_quality(vectors[:, :2], vectors, labels=labels, num_sampled=500, seed=1) != part


def test_points_without_labels_are_left_out():
    vectors, labels = data()
    some = np.where(np.arange(300) % 3, -1, labels)
    by_part = map_quality(vectors[::3, :2], vectors[::3], labels=labels[::3], k=(5,)).scores["accuracy@10"]
    assert map_quality(vectors[:, :2], vectors, labels=some).scores["accuracy@10"] == by_part
    with pytest.raises(DataError, match="labels: expected labels of 2 points at least, got 'of 0'"):
        map_quality(vectors[:, :2], vectors, labels=np.full(300, -1))


def test_many_points_at_one_place_are_no_neighbors_of_themselves():
    vectors, _ = data()
    found = map_quality(np.zeros((300, 2)), vectors)
    assert 0 <= found.scores["recall@15"] < 0.2


def test_an_outlier_does_not_hide_the_others():
    vectors, _ = data()
    expected = map_quality(vectors[:, :2], vectors).scores["recall@15"]
    vectors[7] = 1e18
    found = map_quality(np.asarray(vectors[:, :2], np.float64), vectors).scores["recall@15"]
    assert abs(found - expected) < 0.05


def test_of_a_graph():
    side = 20
    grid = np.arange(side * side).reshape(side, side)
    edges = np.vstack([np.c_[grid[:, :-1].ravel(), grid[:, 1:].ravel()], np.c_[grid[:-1].ravel(), grid[1:].ravel()]])
    graph = Graph.from_edges(np.vstack([edges, [[0, 0]]]), num_nodes=side * side + 1)
    places = np.vstack([np.argwhere(grid >= 0), [[50, 50]]])
    found = graph_map_quality(places, graph, labels=np.arange(side * side + 1) // 200)
    assert found.num_sampled == 400
    assert found.scores["neighbor recall"] > 0.99 and found.control["neighbor recall"] < 0.1
    assert found.scores["edge AUC"] > 0.98 and abs(found.control["edge AUC"] - 0.5) < 0.05
    assert found.scores["accuracy@10"] > 0.9


def test_what_is_no_map_is_refused():
    vectors, _ = data()
    bad = vectors[:, :2].copy()
    bad[3] = np.nan
    for places, words in (
        (bad, "map, row 3: expected finite numbers"),
        (vectors, r"map: expected coordinates \[N, 2\] or \[N, 3\]"),
        (vectors[:100, :2], "map: expected coordinates of 300 vectors, got 'of 100'"),
        (vectors[:3, :2], "map: expected 4 points at least"),
    ):
        with pytest.raises(DataError, match=words):
            map_quality(places, vectors)
    with pytest.raises(ConfigError, match="k: expected numbers from 1 to 149, less than half of the 300 points"):
        map_quality(vectors[:, :2], vectors, k=(200,))
    with pytest.raises(DataError, match="map: expected coordinates of 3 nodes, got 'of 300'"):
        graph_map_quality(vectors[:, :2], Graph.from_edges([[0, 1], [1, 2]]))
    with pytest.raises(DataError, match="graph: expected an edge between two different nodes"):
        graph_map_quality(vectors[:, :2], Graph.from_edges([[0, 0]], num_nodes=300))
