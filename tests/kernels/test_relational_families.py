"""Queries, scores and losses of triples on every family of kernels, compared with the reference."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE

from nodeloom.model.relational import RELATIONAL, Relational

NEEDS = ("relational", "relational_loss")
OPERATORS = sorted({model.operator for model in RELATIONAL.values()})
COMPARATORS = ["dot", "l1", "l2", "squared", "modulus"]
LOSSES = {"cross_entropy": (), "logistic": (), "margin": (1.0,), "self_adversarial": (2.0, 1.5)}


def close(got, expected):
    np.testing.assert_allclose(got, expected, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(expected).max())))


def values(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.covering(1)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize(("num", "dim"), [(1, 4), (3, 100), (2, 4100)])
def test_queries(fast, operator, num, dim):
    width = Relational(operator, "dot").relation_dim(dim)
    heads, relations, slopes = values(0, num, dim), values(1, num, width), values(2, num, dim)
    close(fast.relational.queries(operator, heads, relations), REFERENCE.relational.queries(operator, heads, relations))
    for got, expected in zip(
        fast.relational.query_gradients(operator, heads, relations, slopes),
        REFERENCE.relational.query_gradients(operator, *(a.astype(np.float64) for a in (heads, relations, slopes))),
        strict=True,
    ):
        close(got, expected)


@pytest.mark.covering(1)
@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize(("num_query", "num_row", "dim"), [(1, 1, 2), (5, 3, 8), (66, 130, 10)])
def test_scores(fast, comparator, num_query, num_row, dim):
    asked, rows, slopes = values(0, num_query, dim), values(1, num_row, dim), values(2, num_query, num_row)
    rows[-1] = asked[0]  # at a distance of 0 the slope is 0
    precise = [a.astype(np.float64) for a in (asked, rows, slopes)]
    close(fast.relational.scores(comparator, asked, rows), REFERENCE.relational.scores(comparator, *precise[:2]))
    for got, expected in zip(
        fast.relational.score_gradients(comparator, asked, rows, slopes),
        REFERENCE.relational.score_gradients(comparator, *precise),
        strict=True,
    ):
        close(got, expected)


@pytest.mark.covering(1)
@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("num_row", [1, 7, 5000])
def test_losses(fast, loss, num_row):
    positive, negative = 3 * values(0, 4), 3 * values(1, 4, num_row)
    if num_row > 1:
        negative[1, 1] = -np.inf
    got = getattr(fast.relational_loss, loss)(positive, negative, *LOSSES[loss])
    expected = getattr(REFERENCE.relational_loss, loss)(positive, negative, *LOSSES[loss])
    for a, b in zip(got, expected, strict=True):
        close(a, b)


@pytest.mark.covering(1)
@pytest.mark.parametrize("num_part", [1, 2, 4])
def test_n3(fast, num_part):
    rows = values(0, 3, 12)
    for a, b in zip(fast.relational_loss.n3(rows, num_part), REFERENCE.relational_loss.n3(rows, num_part), strict=True):
        close(a, b)
