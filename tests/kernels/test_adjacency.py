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


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("num_thread", [1, 3])
def test_check_rows_of_sound_ones(csr, index, num_thread):
    indptr, indices, weights = csr
    want = reference.check_rows(indptr, indices, weights, 200)
    assert want[0] == ""
    assert want[2] > 0
    as_float = None if weights is None else weights.astype(np.float32)
    assert cpu.check_rows(indptr, indices.astype(index), as_float, 200, num_thread=num_thread) == want


@pytest.mark.parametrize("weighted", [False, True])
def test_check_rows_tells_symmetric_ones(weighted):
    heads, tails, weights = random_edges(3, 60, 400, weighted)
    indptr, indices, w = build_csr(heads, tails, weights, 60, symmetric=True, keep_loops=True, merge="keep")
    w = None if w is None else w.astype(np.float32)
    for backend in (cpu, reference):
        assert backend.check_rows(indptr, indices, w, 60)[3]
    rows = np.repeat(np.arange(60), np.diff(indptr))
    place = 1 + int(
        np.flatnonzero((rows[1:] == rows[:-1]) & (rows[1:] < indices[:-1]) & (indices[1:] > indices[:-1]))[7]
    )
    changed = indices.copy()
    # The neighbour before it, once more: still sorted, but the other end knows nothing of it.
    changed[place] = indices[place - 1]
    for backend in (cpu, reference):
        fault, _, _, symmetric = backend.check_rows(indptr, changed, w, 60)
        assert (fault, symmetric) == ("", False)
    if w is not None:
        w[place] *= 2
        for backend in (cpu, reference):
            assert not backend.check_rows(indptr, indices, w, 60)[3]


@pytest.mark.parametrize(
    ("array", "place", "value", "fault"),
    [
        ("indices", 5, -1, "indices"),
        ("indices", 5, 200, "indices"),
        ("indices", 5, 2**31 - 1, "indices"),
        ("indices", 5, -(2**31), "indices"),
        ("indptr", 3, -1, "indptr"),
        ("indptr", 3, 2**40, "indptr"),
        ("indptr", 0, -5, "indptr"),
        ("weights", 4, np.nan, "weights"),
        ("weights", 4, 0.0, "weights"),
        ("weights", 4, -0.0, "weights"),
        ("weights", 4, -1.0, "weights"),
        ("weights", 4, np.inf, "weights"),
        ("weights", 4, 1e-45, ""),
        ("weights", 4, 3e38, ""),
    ],
)
def test_check_rows_finds_what_is_wrong(array, place, value, fault):
    heads, tails, weights = random_edges(9, 200, 2500, True)
    indptr, indices, weights = build_csr(heads, tails, weights, 200, symmetric=False, keep_loops=True, merge="first")
    arrays = {"indptr": indptr, "indices": indices, "weights": weights.astype(np.float32)}
    arrays[array][place] = value
    want = reference.check_rows(**arrays, num_nodes=200)
    assert want[0] == fault
    assert cpu.check_rows(**arrays, num_nodes=200) == want


def test_check_rows_finds_unsorted_and_falling_ones():
    indptr, indices = np.array([0, 3, 2, 4]), np.array([2, 1, 0, 1], np.int32)
    assert (
        cpu.check_rows(indptr, indices, None, 3)
        == reference.check_rows(indptr, indices, None, 3)
        == ("indices", 1, 0, False)
    )
    indices = np.array([0, 1, 2, 1], np.int32)
    assert (
        cpu.check_rows(indptr, indices, None, 3)
        == reference.check_rows(indptr, indices, None, 3)
        == ("indptr", 1, 0, False)
    )
