"""Nearest nodes: exact, whatever the blocks, deterministic in ties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError
from nodeloom.tasks import nearest, neighbors

METRICS = ["cosine", "dot", "euclidean"]


def naive(vectors, query, k, metric, left_out=-1):
    """One query, one node at a time, in float64."""
    ranked = []
    for node, vector in enumerate(vectors.astype(np.float64)):
        if node == left_out:
            continue
        if metric == "dot":
            score = -(vector @ query)
        elif metric == "cosine":
            lengths = np.sqrt(vector @ vector) * np.sqrt(query @ query)
            score = -(vector @ query) / lengths if lengths else 0.0
        else:
            score = np.sqrt(((vector - query) ** 2).sum())
        ranked.append((round(score, 6), node))
    ranked.sort()
    scores = [score if metric == "euclidean" else -score for score, _ in ranked[:k]]
    return [node for _, node in ranked[:k]], scores


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(neighbors, "_SCORES", 30)
    monkeypatch.setattr(neighbors, "_NUMBERS", 60)
    monkeypatch.setattr(neighbors, "_QUERIES", 4)


@pytest.mark.parametrize("metric", METRICS)
def test_equals_the_definition(small_blocks, metric):
    vectors = np.random.default_rng(0).standard_normal((101, 7)).astype(np.float32)
    ids, scores = nearest(vectors, np.arange(9), 5, metric=metric)
    assert ids.dtype == np.int64
    assert scores.dtype == np.float32
    for query in range(9):
        expected, expected_scores = naive(vectors, vectors[query].astype(np.float64), 5, metric, query)
        assert ids[query].tolist() == expected
        np.testing.assert_allclose(scores[query], expected_scores, atol=1e-5)


@settings(deadline=None, max_examples=150)
@given(data=st.data(), metric=st.sampled_from(METRICS))
def test_ties_go_to_the_lower_id(data, metric):
    """Small integers: scores are exact, and most of them tie."""
    n, dim = data.draw(st.integers(2, 30)), data.draw(st.integers(1, 3))
    values = data.draw(st.lists(st.integers(-1, 1), min_size=n * dim, max_size=n * dim))
    vectors = np.array(values, dtype=np.float32).reshape(n, dim)
    queries = np.array(data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=5)))
    k = data.draw(st.integers(1, n - 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "_SCORES", data.draw(st.integers(1, 50)))
        patch.setattr(neighbors, "_QUERIES", data.draw(st.integers(1, 5)))
        ids, _ = nearest(vectors, queries, k, metric=metric)
    for row, query in enumerate(queries):
        assert ids[row].tolist() == naive(vectors, vectors[query].astype(np.float64), k, metric, query)[0]


@pytest.mark.parametrize("metric", METRICS)
def test_all_equal_vectors(metric):
    ids, _ = nearest(np.ones((1000, 4), np.float32), [500], 3, metric=metric)
    assert ids.tolist() == [[0, 1, 2]]


def test_equal_vectors_are_at_distance_zero():
    vectors = np.random.default_rng(0).standard_normal((50, 64)).astype(np.float32) * 1000
    vectors[[7, 30]] = vectors[3]
    ids, distances = nearest(vectors, 3, 3, metric="euclidean")
    assert ids[0, :2].tolist() == [7, 30]
    assert distances[0, :2].tolist() == [0, 0]


def test_what_is_left_out():
    vectors = np.eye(4, dtype=np.float32)
    assert 2 not in nearest(vectors, 2, 4)[0]
    assert nearest(vectors, 2, 4)[0].shape == (1, 3)
    assert nearest(vectors, 2, 4, exclude=None)[0][0, 0] == 2
    assert nearest(vectors, vectors[2], 4)[0].tolist() == [[2, 0, 1, 3]]
    assert nearest(vectors, vectors[[2, 3]], 1, exclude=np.array([2, -1]))[0].tolist() == [[0], [3]]


def test_one_node_has_no_neighbor():
    assert nearest(np.ones((1, 2), np.float32), 0, 3)[0].shape == (1, 0)


def test_zero_vectors_have_cosine_zero():
    vectors = np.array([[1, 0], [0, 0], [-1, 0]], dtype=np.float32)
    ids, scores = nearest(vectors, 0, 2)
    assert ids.tolist() == [[1, 2]]
    assert scores.tolist() == [[0, -1]]


@pytest.mark.parametrize(
    ("queries", "options", "error", "words"),
    [
        ([5], {}, DataError, "0 to 4, got 5"),
        ([-1], {}, DataError, "got -1"),
        (np.ones((1, 3)), {}, DataError, r"a vector of 2 numbers, or several of them, got an array of shape \[1, 3\]"),
        (np.array([np.nan, 0]), {}, DataError, "NaN"),
        ([0], {"k": 0}, ConfigError, "an integer >= 1"),
        ([0], {"metric": "l2"}, ConfigError, "'cosine'"),
        ([0], {"exclude": np.array([1, 2])}, DataError, "1 node ids"),
    ],
)
def test_bad_questions(queries, options, error, words):
    with pytest.raises(error, match=words):
        nearest(np.ones((5, 2), np.float32), queries, **options)


def test_vectors_that_are_no_numbers():
    with pytest.raises(DataError, match="diverged"):
        nearest(np.full((5, 2), np.nan, np.float32), np.ones(2, np.float32), 5)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("place", [3, 97])
def test_one_vector_that_is_no_number_is_told(small_blocks, metric, place):
    vectors = np.random.default_rng(0).standard_normal((101, 7)).astype(np.float32)
    vectors[place, 2] = np.nan
    with pytest.raises(DataError, match="diverged"):
        nearest(vectors, 0, 3, metric=metric)


@pytest.mark.parametrize("metric", ["cosine", "dot"])
@pytest.mark.parametrize("row", [0, 2])
def test_vectors_too_large_for_their_lengths(metric, row):
    vectors = np.ones((4, 3), np.float32)
    vectors[row] = 3e38
    with pytest.raises(DataError, match="vectors of finite numbers"):
        nearest(vectors, 0, 2, metric=metric)
