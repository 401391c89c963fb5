"""Counts of better and equal rows are exact: those of the definition, whatever the blocks, with ties, NaN and infinity."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE, needs

NEEDS = ("ranking",)
COMPARATORS = ["dot", "l1", "l2", "squared", "modulus"]


def tables(rng, num_query, num_row, dim):
    asked = rng.normal(size=(num_query, dim)).astype(np.float32)
    candidates = rng.normal(size=(num_row, dim)).astype(np.float32)
    candidates[rng.integers(num_row, size=num_row // 4)] = candidates[rng.integers(num_row, size=num_row // 4)]
    return asked, candidates


def ranks(backend, comparator, asked, candidates, answers, **how):
    """Count for one answer of each query, and return scores, better and equal."""
    n = len(asked)
    truth, better, equal = np.full(n, np.nan), np.full(n, -9), np.full(n, -9)
    backend.ranking.pair_scores(comparator, asked, np.arange(n), candidates, answers, truth)
    backend.ranking.count_rows(comparator, asked, candidates, np.arange(n + 1), truth, better, equal, **how)
    return truth, better, equal


@pytest.mark.covering(1)
@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize(("num_row", "dim"), [(1, 2), (127, 6), (128, 64), (300, 100)])
def test_counts_are_those_of_the_definition(fast, comparator, num_row, dim):
    rng = np.random.default_rng([num_row, dim])
    asked, candidates = tables(rng, 40, num_row, dim)
    answers = rng.integers(num_row, size=40)
    for scale in (1.0, 1e-30, 1e15):
        q, e = asked * np.float32(scale), candidates * np.float32(scale)
        expected = ranks(REFERENCE, comparator, q, e, answers)
        got = ranks(fast, comparator, q, e, answers)
        if fast.name == "cpu":
            np.testing.assert_array_equal(got[0], expected[0])  # to the last bit
        np.testing.assert_allclose(got[0], expected[0], rtol=1e-12, atol=0)
        np.testing.assert_array_equal(got[1:], expected[1:])
        got = ranks(fast, comparator, q, e, answers, num_query=7, num_row=33)
        np.testing.assert_array_equal(got[1:], expected[1:])


@pytest.mark.covering(1)
@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("num_row", [2048, 2049])
def test_rows_of_the_same_values_tie_wherever_they_are(fast, comparator, num_row):
    rng = np.random.default_rng(5)
    asked = rng.normal(size=(4, 24)).astype(np.float32)
    candidates = rng.normal(size=(num_row, 24)).astype(np.float32)
    answers = np.array([3, 2047, 3, num_row - 1])
    candidates[[2047, num_row - 1, 130]] = candidates[3]
    same = len({3, 2047, num_row - 1, 130})
    for how in ({}, {"num_row": 1000, "num_query": 3}):
        truth, better, equal = ranks(fast, comparator, asked, candidates, answers, **how)
        assert (equal == same).all()
        scores = REFERENCE.relational.scores(comparator, asked.astype(float), candidates.astype(float))
        np.testing.assert_array_equal(better, (scores > truth[:, None] + 1e-9).sum(1))


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")  # of NumPy, by which Triton is interpreted
@pytest.mark.parametrize("comparator", COMPARATORS)
def test_values_that_float32_cannot_hold_are_scored_all_the_same(fast, comparator):
    rng = np.random.default_rng(1)
    asked, candidates = tables(rng, 12, 200, 8)
    asked[3], asked[4, 2], asked[5, 0] = 0.0, np.nan, np.inf
    asked[6], asked[7] = asked[6] * np.float32(1e30), asked[7] * np.float32(1e-40)
    candidates[10, 1], candidates[20, 0], candidates[30] = np.nan, -np.inf, 0.0
    candidates[40], candidates[50] = candidates[40] * np.float32(1e30), candidates[50] * np.float32(1e-40)
    answers = np.array([0, 10, 20, 3, 4, 5, 40, 50, 40, 30, 6, 7])
    expected = ranks(REFERENCE, comparator, asked, candidates, answers)
    got = ranks(fast, comparator, asked, candidates, answers)
    np.testing.assert_array_equal(got[1], expected[1])
    np.testing.assert_array_equal(got[2], expected[2])
    assert got[0][1] == -np.inf  # NaN: behind all others
    assert got[1][1] >= 190


def test_vectors_of_zeros_tie_with_each_other(backend):
    zeros = np.zeros((300, 16), np.float32)
    _, better, equal = ranks(backend, "dot", zeros[:5], zeros, np.arange(5))
    assert (better == 0).all() and (equal == 300).all()


def test_several_answers_of_one_query(fast):
    rng = np.random.default_rng(2)
    asked, candidates = tables(rng, 3, 150, 10)
    indptr, rows = np.array([0, 4, 4, 6]), np.array([0, 0, 0, 0, 2, 2])
    answers = np.array([5, 6, 7, 5, 0, 149])
    result = []
    for backend in (fast, REFERENCE):
        truth, better, equal = np.empty(6), np.empty(6, np.int64), np.empty(6, np.int64)
        backend.ranking.pair_scores("dot", asked, rows, candidates, answers, truth)
        backend.ranking.count_rows("dot", asked, candidates, indptr, truth, better, equal)
        result.append((better, equal))
    np.testing.assert_array_equal(result[0], result[1])


@needs("ranking.leave_out")
def test_known_rows_are_left_out_but_the_answer_itself(backend):
    indptr, answers, truth = np.array([0, 2, 3]), np.array([4, 5, 1]), np.array([1.0, 2.0, 0.0])
    known_indptr, known, scores = np.array([0, 3, 3]), np.array([2, 4, 9]), np.array([2.0, 1.0, 3.0])
    better, equal = np.array([10, 10, 10]), np.array([3, 3, 3])
    backend.ranking.leave_out(indptr, answers, truth, known_indptr, known, scores, better, equal)
    assert better.tolist() == [8, 9, 10]  # 2 and 9 are above the first; 9 above the second
    assert equal.tolist() == [3, 2, 3]  # 4 is the first answer itself; 2 is as good as the second


@needs("ranking.best_rows")
@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize("k", [1, 7, 300])
def test_the_best_rows_are_those_of_the_definition_in_their_order(fast, comparator, k):
    rng = np.random.default_rng(7)
    asked, candidates = tables(rng, 9, 300, 12)
    candidates[17, 2], candidates[19], asked[4] = np.nan, candidates[19] * np.float32(1e30), 0.0
    known_indptr, known = np.array([0, 0, 3, 3, 3, 3, 3, 3, 3, 293]), np.append([5, 17, 200], np.arange(290))
    found = []
    for backend, how in ((REFERENCE, {}), (fast, {}), (fast, {"num_scores": 1, "num_thread": 2})):
        ids, scores = np.full((9, k), -7), np.full((9, k), np.nan)
        backend.ranking.best_rows(comparator, asked, candidates, known_indptr, known, ids, scores, **how)
        found.append((ids, scores))
    for ids, scores in found[1:]:
        np.testing.assert_array_equal(ids, found[0][0])
        np.testing.assert_array_equal(scores, found[0][1])
    assert (found[0][0][8] >= 0).sum() == min(k, 10)


@needs("ranking.rows_above")
@pytest.mark.parametrize("comparator", COMPARATORS)
@pytest.mark.parametrize(("least", "k"), [(-np.inf, 5), (-6.0, 40), (1.0, 10_000)])
def test_pairs_above_a_bound_are_those_of_the_definition(fast, comparator, least, k):
    rng = np.random.default_rng(8)
    asked, candidates = tables(rng, 6, 250, 4)
    known_indptr, known = np.array([0, 2, 2, 2, 2, 2, 5]), np.array([1, 7, 0, 100, 249])
    found = []
    for backend in (REFERENCE, fast):
        rows, ids, scores = backend.ranking.rows_above(comparator, asked, candidates, least, k, known_indptr, known)
        order = np.lexsort((ids, rows))
        found.append((rows[order], ids[order], scores[order]))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(theirs, ours)
