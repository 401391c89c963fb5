"""Scores of pairs: the same on every family."""

from __future__ import annotations

import numpy as np
import pytest

NEEDS = ("scoring",)


@pytest.mark.covering(1)
@pytest.mark.parametrize("dim", [1, 3, 64, 65, 128])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_scores_are_dot_products(backend, dim, dtype):
    rng = np.random.default_rng(dim)
    vertex, context = rng.normal(0, 1, (2, 50, dim)).astype(backend.real)
    heads, tails = rng.integers(0, 50, (2, 77)).astype(dtype)
    out = np.full(77, np.nan, backend.real)
    backend.scoring.score_pairs(vertex, context, heads, tails, out)
    want = np.einsum("ij,ij->i", vertex[heads].astype(np.float64), context[tails].astype(np.float64))
    np.testing.assert_allclose(out, want, rtol=1e-5, atol=1e-5)
    assert not np.allclose(out, np.einsum("ij,ij->i", vertex[tails], context[heads]), rtol=1e-2)


def test_one_table_and_rows_of_another_stride(backend):
    memory = np.arange(60, dtype=backend.real).reshape(6, 10)
    table = memory[:, :7]
    out = np.zeros(3, backend.real)
    backend.scoring.score_pairs(table, table, np.array([0, 5, 2]), np.array([5, 5, 0]), out)
    want = [table[0] @ table[5], table[5] @ table[5], table[2] @ table[0]]
    np.testing.assert_array_equal(out, want)  # small integers: exact
    for vertex, context in [(table, table.copy()), (table.copy(), table)]:
        out[:] = np.nan
        backend.scoring.score_pairs(vertex, context, np.array([0, 5, 2]), np.array([5, 5, 0]), out)
        np.testing.assert_array_equal(out, want)


def test_no_pairs(backend):
    table, none = np.ones((2, 3), backend.real), np.empty(0, np.int64)
    backend.scoring.score_pairs(table, table, none, none, np.empty(0, backend.real))
