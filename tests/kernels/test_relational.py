"""Queries, scores and losses of triples: the formulas against finite differences and against what defines the models."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.kernels.reference import relational, relational_loss
from nodeloom.model.relational import RELATIONAL, Relational

OPERATORS = sorted({model.operator for model in RELATIONAL.values()})
COMPARATORS = ["dot", "l1", "l2", "squared", "modulus"]
DIM, BATCH, COUNT = 8, 5, 7


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def slope_of(function, values, chosen, h=1e-6):
    """Return the slope of a number in a value of an array, by central differences."""
    up, down = values.copy(), values.copy()
    up[chosen] += h
    down[chosen] -= h
    return (function(up) - function(down)) / (2 * h)


def check(function, values, gradient):
    """Compare a gradient with finite differences, at every value."""
    for chosen in np.ndindex(values.shape):
        assert gradient[chosen] == pytest.approx(slope_of(function, values, chosen), abs=1e-6, rel=1e-5)


@pytest.mark.parametrize("operator", OPERATORS)
def test_gradients_of_queries(operator, rng):
    width = Relational(operator, "dot").relation_dim(DIM)
    heads, relations = rng.normal(size=(BATCH, DIM)), rng.normal(size=(BATCH, width))
    d_queries = rng.normal(size=(BATCH, DIM))
    d_heads, d_relations = relational.query_gradients(operator, heads, relations, d_queries)
    check(lambda rows: (relational.queries(operator, rows, relations) * d_queries).sum(), heads, d_heads)
    check(lambda rows: (relational.queries(operator, heads, rows) * d_queries).sum(), relations, d_relations)


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_gradients_of_scores(comparator, rng):
    asked, candidates = rng.normal(size=(BATCH, DIM)), rng.normal(size=(COUNT, DIM))
    d_scores = rng.normal(size=(BATCH, COUNT))
    d_queries, d_candidates = relational.score_gradients(comparator, asked, candidates, d_scores)
    check(lambda rows: (relational.scores(comparator, rows, candidates) * d_scores).sum(), asked, d_queries)
    check(lambda rows: (relational.scores(comparator, asked, rows) * d_scores).sum(), candidates, d_candidates)


@pytest.mark.parametrize("comparator", COMPARATORS)
def test_the_gradient_at_the_place_of_the_query_is_zero(comparator, rng):
    rows = rng.normal(size=(1, DIM))
    d_queries, d_candidates = relational.score_gradients(comparator, rows, rows.copy(), np.ones((1, 1)))
    if comparator == "dot":
        assert np.array_equal(d_queries, rows)
        return
    assert not d_queries.any() and not d_candidates.any()


LOSSES = {
    "cross_entropy": relational_loss.cross_entropy,
    "logistic": relational_loss.logistic,
    "margin": lambda positive, negative: relational_loss.margin(positive, negative, 1.0),
    "self_adversarial": lambda positive, negative: relational_loss.self_adversarial(positive, negative, 2.0, 0.0),
}


@pytest.mark.parametrize("loss", sorted(LOSSES))
def test_gradients_of_losses_and_negatives_left_out(loss, rng):
    function = LOSSES[loss]
    positive, negative = rng.normal(size=BATCH), rng.normal(size=(BATCH, COUNT))
    negative[1, 2] = -np.inf
    value, d_positive, d_negative = function(positive, negative)
    assert np.isfinite(value) and d_negative[1, 2] == 0.0
    check(lambda scores: function(scores, negative)[0], positive, d_positive)
    for chosen in np.ndindex(negative.shape):
        if np.isfinite(negative[chosen]):
            slope = slope_of(lambda scores: function(positive, scores)[0], negative, chosen)
            assert d_negative[chosen] == pytest.approx(slope, abs=1e-6)
    shorter = np.delete(negative[1:2], 2, axis=1)
    alone, without = function(positive[1:2], negative[1:2]), function(positive[1:2], shorter)
    assert alone[0] == pytest.approx(without[0])


def test_self_adversarial_weights_are_not_differentiated(rng):
    positive, negative = rng.normal(size=BATCH), rng.normal(size=(BATCH, COUNT))
    _, _, hot = relational_loss.self_adversarial(positive, negative, 2.0, 1.5)
    weights = np.exp(1.5 * negative)
    weights /= weights.sum(axis=1, keepdims=True)
    assert np.allclose(hot, 0.5 * weights / (1.0 + np.exp(-2.0 - negative)) / BATCH)


@pytest.mark.parametrize("num_part", [1, 2, 4])
def test_n3(num_part, rng):
    rows = rng.normal(size=(BATCH, DIM))
    value, gradient = relational_loss.n3(rows, num_part)
    check(lambda changed: relational_loss.n3(changed, num_part)[0], rows, gradient)
    if num_part == 1:
        assert value == pytest.approx((np.abs(rows) ** 3).sum() / BATCH)


def test_models_score_as_their_papers_say(rng):
    head, tail = rng.normal(size=(1, DIM)), rng.normal(size=(1, DIM))

    def score(name, relation):
        model = RELATIONAL[name]
        return relational.scores(model.comparator, relational.queries(model.operator, head, relation), tail)[0, 0]

    relation = rng.normal(size=(1, DIM))
    assert score("TransE", relation) == pytest.approx(-np.abs(head + relation - tail).sum())
    assert score("DistMult", relation) == pytest.approx((head * relation * tail).sum())
    h, r, t = (rows[0, : DIM // 2] + 1j * rows[0, DIM // 2 :] for rows in (head, relation, tail))
    assert score("ComplEx", relation) == pytest.approx((h * r * t.conj()).sum().real)
    phases = rng.normal(size=(1, DIM // 2))
    assert score("RotatE", phases) == pytest.approx(-np.abs(h * np.exp(1j * phases[0]) - t).sum())
    (h1, h2), (r1, r2), (t1, t2) = (np.split(rows[0], 2) for rows in (head, relation, tail))
    assert score("SimplE", relation) == pytest.approx((h1 * r1 * t2 + h2 * r2 * t1).sum())


def test_hamilton_products_multiply_norms(rng):
    heads, relations = rng.normal(size=(BATCH, 4)), rng.normal(size=(BATCH, 4))
    product = relational.queries("hamilton", heads, relations)
    norms = np.linalg.norm(heads, axis=1) * np.linalg.norm(relations, axis=1)
    assert np.allclose(np.linalg.norm(product, axis=1), norms)
    i, j = np.eye(4)[1:2], np.eye(4)[2:3]
    assert np.array_equal(relational.queries("hamilton", i, j), np.eye(4)[3:4])
