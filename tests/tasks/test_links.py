"""Link prediction: exact with ties, filters that filter, controls that fail."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError
from nodeloom.tasks import filter_pairs, link_prediction, links, score_pairs


def naive_auc(scores, labels):
    """Every edge against every non-edge."""
    pairs = itertools.product(scores[labels == 1], scores[labels == 0])
    return np.mean([1.0 if up > down else 0.5 if up == down else 0.0 for up, down in pairs])


def naive_ap(scores, labels):
    """Precision at each distinct threshold times the recall that it adds."""
    total = 0.0
    for threshold in sorted(set(scores.tolist()), reverse=True):
        taken = scores >= threshold
        gained = np.sum(labels[scores == threshold]) / labels.sum()
        total += labels[taken].mean() * gained
    return total


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=40), st.randoms())
def test_equals_the_definitions_also_in_ties(pairs, random):
    if len({label for _, label in pairs}) < 2:
        pairs = [*pairs, (0, not pairs[0][1])]
    scores, labels = np.array([p[0] for p in pairs], float), np.array([p[1] for p in pairs], int)
    result = link_prediction(scores, labels)
    assert result.auc == pytest.approx(naive_auc(scores, labels))
    assert result.ap == pytest.approx(naive_ap(scores, labels))
    order = list(range(len(pairs)))
    random.shuffle(order)
    shuffled = link_prediction(scores[order], labels[order])
    assert shuffled.auc == pytest.approx(result.auc)
    assert shuffled.ap == pytest.approx(result.ap)


def test_constant_scores_know_nothing():
    result = link_prediction(np.zeros(100), np.arange(100) < 50)
    assert (result.auc, result.ap) == (0.5, 0.5)


def test_filter_leaves_out_exactly_these_pairs():
    heads, tails = np.array([0, 1, 2, 3]), np.array([1, 0, 3, 2])
    keep = filter_pairs(heads, tails, np.array([0, 3, 9]), np.array([1, 2, 9]))
    assert keep.tolist() == [False, True, True, False]
    result = link_prediction(np.array([9.0, 1, 0, 9]), np.array([0, 1, 0, 0]), keep=keep)
    assert (result.auc, result.num_positive, result.num_negative, result.num_filtered) == (1.0, 1, 1, 2)


def test_scores_are_vertex_times_context(monkeypatch):
    monkeypatch.setattr(links, "_BLOCK", 20)
    rng = np.random.default_rng(0)
    vertex, context = rng.standard_normal((2, 30, 5)).astype(np.float32)
    heads, tails = rng.integers(0, 30, (2, 77))
    expected = [float(vertex[h].astype(float) @ context[t]) for h, t in zip(heads, tails, strict=True)]
    scores = score_pairs(vertex, context, heads, tails)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    own = score_pairs(vertex, None, heads, tails, metric="cosine")
    unit = vertex / np.linalg.norm(vertex, axis=1, keepdims=True)
    np.testing.assert_allclose(own, (unit[heads] * unit[tails]).sum(1), atol=1e-5)


def test_cosine_with_nothing_is_zero():
    assert score_pairs(np.zeros((2, 3), np.float32), None, np.array([0]), np.array([1]), metric="cosine").tolist() == [
        0
    ]


def test_vectors_beat_a_random_control():
    """Two cliques: vectors that know them find edges, random vectors do not."""
    rng = np.random.default_rng(0)
    side = np.repeat([0, 1], 50)
    vectors = np.eye(2, dtype=np.float32)[side]
    heads, tails = rng.integers(0, 100, (2, 2000))
    labels = side[heads] == side[tails]
    random = rng.standard_normal((100, 2)).astype(np.float32)
    assert link_prediction(score_pairs(vectors, None, heads, tails), labels).auc == 1
    assert abs(link_prediction(score_pairs(random, None, heads, tails), rng.permutation(labels)).auc - 0.5) < 0.05


def test_result_is_json_and_a_table():
    result = link_prediction(np.array([1.0, 0]), np.array([1, 0]))
    assert json.loads(json.dumps(result.to_dict()))["metrics"] == {"AUC": 1.0, "AP": 1.0}
    assert [len(row) for row in result.rows()] == [len(result.columns)]


@pytest.mark.parametrize(
    ("scores", "labels", "words"),
    [
        ([1.0, 2], [1, 1], "2 edges and 0 non-edges"),
        ([], [], "0 edges and 0 non-edges"),
        ([1.0, 2], [1, 2], "labels 0 or 1"),
        ([1.0, np.nan], [1, 0], "NaN"),
        ([1.0], [1, 0], "as many labels as scores"),
    ],
)
def test_what_cannot_be_judged(scores, labels, words):
    with pytest.raises(DataError, match=words):
        link_prediction(np.array(scores), np.array(labels))


def test_pairs_out_of_range():
    table = np.ones((3, 2), np.float32)
    with pytest.raises(DataError, match="0 to 2, got 3"):
        score_pairs(table, None, np.array([0]), np.array([3]))
    with pytest.raises(DataError, match="got -1"):
        score_pairs(table, None, np.array([-1]), np.array([0]))
    with pytest.raises(DataError, match="as many tails"):
        score_pairs(table, None, np.array([0]), np.array([0, 1]))
    with pytest.raises(DataError, match="2 columns"):
        score_pairs(table, np.ones((3, 1), np.float32), np.array([0]), np.array([0]))
    with pytest.raises(ConfigError, match="'dot' or 'cosine'"):
        score_pairs(table, None, np.array([0]), np.array([0]), metric="l2")
