"""Sparse matrices times tables, and rows of one length, on every family of kernels that has them."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE

NEEDS = ("products",)


def sparse(num_nodes, mean_degree, index_type, *, weighted, seed=0):
    rng = np.random.default_rng(seed)
    degrees = rng.poisson(mean_degree, num_nodes)
    degrees[::7] = 0
    degrees[1] = 3 * num_nodes  # a hub, with repeated columns
    indptr = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
    indices = rng.integers(num_nodes, size=indptr[-1]).astype(index_type)
    weights = rng.random(indptr[-1] if weighted else 0).astype(np.float32)
    return indptr, indices, weights, rng.random(num_nodes).astype(np.float32)


@pytest.mark.parametrize("dim", [1, 2, 15, 16, 33, 128])
@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "weighted"])
@pytest.mark.parametrize("index_type", [np.int32, np.int64])
def test_products_equal_the_reference(fast, dim, weighted, index_type):
    matrix = sparse(60, 5, index_type, weighted=weighted)
    table = np.random.default_rng(1).normal(size=(60, dim)).astype(np.float32)
    want, got = np.full((60, dim), 7.0), np.full((60, dim), 7.0, np.float32)
    for first, last in ((0, 1), (1, 40), (40, 59)):
        REFERENCE.products.multiply_rows(first, last, *matrix, table.astype(np.float64), want)
        fast.products.multiply_rows(first, last, *matrix, table, got)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
    assert (got[59] == 7.0).all()  # not asked for


def test_products_by_hand(backend):
    indptr, indices = np.array([0, 2, 2, 3], np.int64), np.array([1, 2, 0], np.int32)
    weights, factors = np.array([2, 3, 4], np.float32), np.array([0.5, 1, 10], np.float32)
    table = np.array([[1, 2], [3, 4], [5, 6]], backend.real)
    out = np.full((3, 2), np.nan, backend.real)
    backend.products.multiply_rows(0, 3, indptr, indices, weights, factors, table, out)
    np.testing.assert_array_equal(out, [[6 + 150, 8 + 180], [0, 0], [2, 4]])


def test_rows_get_a_length(backend):
    table = np.array([[3, 4], [0, 0], [-1e-6, 0], [1e12, 1e12]], backend.real)
    backend.products.normalize_rows(table, backend.real(2.0))
    root = np.sqrt(2.0)
    np.testing.assert_allclose(table, [[1.2, 1.6], [0, 0], [-2, 0], [root, root]], rtol=1e-6)


def test_rows_of_a_length_do_not_depend_on_the_slices(fast):
    matrix = sparse(200, 9, np.int32, weighted=True)
    table = np.random.default_rng(2).normal(size=(200, 24)).astype(np.float32)
    whole, cut = np.empty_like(table), np.empty_like(table)
    fast.products.multiply_rows(0, 200, *matrix, table, whole)
    for first in range(0, 200, 13):
        fast.products.multiply_rows(first, min(first + 13, 200), *matrix, table, cut)
    assert (whole == cut).all()
