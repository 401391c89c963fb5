"""Nearest rows: exact, ties in order, the same on every family."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE

NEEDS = ("nearest",)


def search(backend, vectors, queries, k, *, cosine=False, left_out=None, **how):
    vectors, queries = np.asarray(vectors, backend.real), np.asarray(queries, backend.real)
    left_out = np.full(len(queries), -1) if left_out is None else np.asarray(left_out)
    ids, scores = np.full((len(queries), k), -99), np.full((len(queries), k), np.nan, backend.real)
    backend.nearest.nearest_rows(vectors, queries, left_out, cosine, ids, scores, **how)
    return ids, scores


def few(backend, **how):
    """Return options that only the GPU has."""
    return how if backend.name == "gpu" else {}


@pytest.mark.covering(1)
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("dim", [1, 16, 37, 100])
@pytest.mark.parametrize(("rows", "k"), [(1, 1), (9, 9), (150, 5)])
def test_rows_are_those_of_the_reference(fast, dim, rows, k, cosine):
    # Products of small integers are exact, and cosines of different pairs are equal or far from each other.
    rng = np.random.default_rng([dim, rows])
    vectors, queries = rng.integers(-3, 4, (rows, dim)), rng.integers(-3, 4, (70, dim))
    got, want = search(fast, vectors, queries, k, cosine=cosine), search(REFERENCE, vectors, queries, k, cosine=cosine)
    np.testing.assert_allclose(got[1], want[1], rtol=1e-6, atol=1e-6)
    if not cosine:
        np.testing.assert_array_equal(got[0], want[0])
        np.testing.assert_array_equal(got[1], want[1])
    assert (np.diff(got[1], axis=1) <= 0).all()


@pytest.mark.parametrize("blocks", [(1024, 1 << 24), (1024, 300), (8, 100), (3, 3)])
def test_blocks_change_nothing(fast, blocks):
    vectors, queries = np.random.default_rng(1).integers(-2, 3, (130, 6)), np.eye(6)[[0, 3, 5, 5, 1, 2, 4, 0, 0]]
    queries_at_once, scores_at_once = blocks
    how = few(fast, queries_at_once=queries_at_once, scores_at_once=scores_at_once)
    got = search(fast, vectors, queries, 7, left_out=np.arange(9) * 3, **how)
    want = search(REFERENCE, vectors, queries, 7, left_out=np.arange(9) * 3)
    np.testing.assert_array_equal(got[0], want[0])
    np.testing.assert_array_equal(got[1], want[1])


@pytest.mark.parametrize("cosine", [False, True])
def test_of_equal_scores_the_first_row_comes_first(backend, cosine):
    vectors = np.tile([[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [2.0, -1.0]], (40, 1))
    ids, scores = search(backend, vectors, [[3.0, 6.0]], 160, cosine=cosine, **few(backend, scores_at_once=170))
    a, b, c, d = (np.arange(40) * 4 + i for i in range(4))
    ahead = np.sort(np.concatenate([a, b])) if cosine else np.concatenate([b, a])
    np.testing.assert_array_equal(ids[0], np.concatenate([ahead, d, c]))
    np.testing.assert_allclose(scores[0, [0, 79, 80, 159]], [1, 1, 0, -1] if cosine else [30, 15, 0, -15], atol=1e-6)


def test_zeros_of_either_sign_are_equal(fast):
    # What is too small for float32 becomes a zero of its sign.
    vectors = [[-2e-38, 1e10], [2e-38, 1e10], [0.0, 1e10], [-1.0, 0.0], [1.0, 0.0]]
    ids, scores = search(fast, vectors, [[1.0, 0.0]], 5, cosine=True)
    np.testing.assert_array_equal(ids, [[4, 0, 1, 2, 3]])
    np.testing.assert_array_equal(scores, [[1.0, 0.0, 0.0, 0.0, -1.0]])


def test_the_row_left_out_is_not_found(backend):
    vectors = np.eye(5)
    ids, _ = search(backend, vectors, vectors, 4, left_out=[0, 1, 2, -1, 4])
    assert [row not in found for row, found in enumerate(ids)] == [True, True, True, False, True]
    np.testing.assert_array_equal(ids[3], [3, 0, 1, 2])
    np.testing.assert_array_equal(ids[4], [0, 1, 2, 3])


def test_vectors_of_zeros_have_the_cosine_zero(backend):
    vectors = [[0.0, 0.0], [-1.0, 0.0], [1.0, 1.0], [-0.0, 0.0]]
    ids, scores = search(backend, vectors, [[1.0, 0.0], [0.0, 0.0]], 4, cosine=True)
    np.testing.assert_array_equal(ids, [[2, 0, 3, 1], [0, 1, 2, 3]])
    np.testing.assert_allclose(scores, [[0.5**0.5, 0, 0, -1], [0, 0, 0, 0]], atol=1e-6)


@pytest.mark.covering(1)
@pytest.mark.parametrize("cosine", [False, True])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_nan_shows(backend, cosine, sign):
    vectors = np.ones((70, 3))
    vectors[66, 1] = np.copysign(np.nan, sign)
    ids, scores = search(backend, vectors, [[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]], 2, cosine=cosine)
    np.testing.assert_array_equal(ids, [[66, 0], [66, 0]])
    assert np.isnan(scores[:, 0]).all() and np.isfinite(scores[:, 1]).all()


def test_nothing_to_search_for(backend):
    ids, scores = search(backend, np.ones((3, 2)), np.ones((0, 2)), 2)
    assert ids.shape == scores.shape == (0, 2)
    assert search(backend, np.ones((3, 2)), np.ones((1, 2)), 0)[0].shape == (1, 0)
