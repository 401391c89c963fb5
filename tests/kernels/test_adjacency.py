"""Questions to compressed sparse rows: the CPU kernels against their definition, element by element."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom.kernels.cpu import adjacency as cpu
from nodeloom.kernels.reference import adjacency as reference
from nodeloom.kernels.reference.csr import build_csr


def random_edges(seed, num_nodes, num_edges, weighted):
    rng = np.random.default_rng(seed)
    ends = (num_nodes * rng.random((2, num_edges)) ** 3).astype(np.int32)
    weights = (rng.integers(1, 64, num_edges) / 8).astype(np.float32) if weighted else None
    return ends[0], ends[1], weights


@pytest.fixture(scope="module", params=["weighted", "unweighted", "parallel"])
def csr(request):
    heads, tails, weights = random_edges(9, 200, 2500, request.param != "unweighted")
    merge = "keep" if request.param == "parallel" else "first"
    return build_csr(heads, tails, weights, 200, symmetric=False, keep_loops=True, merge=merge)


def test_find_edges(csr):
    indptr, indices, _ = csr
    rng = np.random.default_rng(10)
    heads, tails = rng.integers(0, 200, (2, 3000))
    heads[:500] = np.repeat(np.arange(200), np.diff(indptr))[:500]
    tails[:500] = indices[:500]
    want = reference.find_edges(indptr, indices, heads, tails)
    assert (want >= 0).any()
    assert (want < 0).any()
    np.testing.assert_array_equal(cpu.find_edges(indptr, indices, heads, tails, num_thread=2), want)


def test_count_loops(csr):
    indptr, indices, _ = csr
    want = reference.count_loops(indptr, indices)
    assert want > 0
    assert cpu.count_loops(indptr, indices, num_thread=2) == want


def test_sums(csr):
    indptr, indices, weights = csr
    as_float = None if weights is None else weights.astype(np.float32)
    np.testing.assert_allclose(
        cpu.column_sums(indices, as_float, 200), reference.column_sums(indices, weights, 200), rtol=1e-12
    )
    if weights is not None:
        np.testing.assert_allclose(
            cpu.row_sums(indptr, as_float, num_thread=2), reference.row_sums(indptr, weights), rtol=1e-12
        )


def test_normalize(csr):
    indptr, indices, weights = csr
    columns = reference.column_sums(indices, weights, 200)
    rows = reference.row_sums(indptr, np.ones(len(indices)) if weights is None else weights)
    want = reference.normalize(indptr, indices, weights, rows, columns)
    as_float = None if weights is None else weights.astype(np.float32)
    got = cpu.normalize(indptr, indices, as_float, rows, columns, num_thread=2)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, want, rtol=1e-6)
