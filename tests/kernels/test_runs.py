"""Runs of edges and sets of integers as bits: the CPU kernels against their definition, number by number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.kernels.cpu import adjacency
from nodeloom.kernels.cpu import runs as cpu
from nodeloom.kernels.reference import adjacency as adjacency_reference
from nodeloom.kernels.reference import runs as reference


def edges(seed, first, last, count):
    rng = np.random.default_rng(seed)
    return (first + ((last - first) * rng.random((2, count)) ** 2)).astype(np.int32)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("keep_loops", [False, True])
@pytest.mark.parametrize(("first", "last", "shift"), [(0, 40, 0), (7, 39, 2), (2**30, 2**30 + 1000, 6)])
def test_entries_are_counted_and_moved(weighted, symmetric, keep_loops, first, last, shift):
    heads, tails = edges(0, first, last, 500)
    weights = np.arange(500 if weighted else 0, dtype=np.float32)
    num_bucket = ((last - first - 1) >> shift) + 1
    run_of = np.sort(np.random.default_rng(1).integers(0, 3, num_bucket)).astype(np.int32)
    results = []
    for family in (cpu, reference):
        counts = np.full(num_bucket, 2, np.int64)
        family.count_entries(heads, tails, first, shift, symmetric, keep_loops, counts)
        ends = np.cumsum(np.bincount(run_of, counts - 2, 3).astype(np.int64))
        cursor = ends - np.diff(ends, prepend=0)
        rows, columns = np.full((2, ends[-1]), -1, np.int32)
        values = np.full(ends[-1] if weighted else 0, np.nan, np.float32)
        family.move_entries(
            heads, tails, weights, first, shift, run_of, symmetric, keep_loops, cursor, rows, columns, values
        )
        np.testing.assert_array_equal(cursor, ends)
        results.append((counts, rows, columns, values))
    for ours, theirs in zip(*results, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (results[0][1] >= first).all()


def test_self_loops_of_rows_from_somewhere_on():
    indptr, indices = np.array([0, 2, 2, 5]), np.array([4, 9, 5, 6, 6], np.int32)
    for family in (cpu, reference):
        assert family.count_diagonal(indptr, indices, 4) == 3
        assert family.count_diagonal(indptr, indices, 0) == 0


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.integers(0, 400), min_size=1, max_size=60),
    low=st.sampled_from([0, -3, -(2**63), 2**40, 2**63 - 500]),
)
def test_a_set_of_integers(values, low):
    given = np.array([low + v for v in values], np.int64)
    found = []
    for family in (cpu, reference):
        words = np.zeros(max(values) // 64 + 1, np.uint64)
        ranks = np.empty(len(words), np.int64)
        out = np.empty(len(given), np.int32)
        family.set_bits(given, low, words)
        count = family.rank_words(words, ranks)
        names = np.empty(count, np.int64)
        family.list_bits(words, low, names)
        family.rank_values(given, low, words, ranks, out)
        found.append((words, ranks, out, names))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    distinct, place = np.unique(given, return_inverse=True)
    np.testing.assert_array_equal(found[0][3], distinct)
    np.testing.assert_array_equal(found[0][2], place.ravel())


def test_sums_of_columns_in_parts():
    rng = np.random.default_rng(2)
    indices, weights = rng.integers(0, 9, 100).astype(np.int32), rng.random(100, np.float32)
    for family in (adjacency, adjacency_reference):
        for values in (weights, None):
            sums = np.zeros(9)
            for part in (slice(0, 33), slice(33, 100)):
                family.add_column_sums(indices[part], None if values is None else values[part], sums)
            np.testing.assert_allclose(sums, family.column_sums(indices, values, 9), rtol=1e-14)
