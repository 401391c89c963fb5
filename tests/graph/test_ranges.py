"""Ranges: the division of memory, and where rows are cut."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.errors import MemoryLimitError
from nodeloom.graph.ranges import bucket_bits, budget, cut, range_bytes

GB = 10**9


@given(limit=st.integers(6 * 10**8, 10**12), held=st.integers(10**8, 3 * 10**8), threads=st.integers(1, 256))
def test_all_shares_fit_the_limit(limit, held, threads):
    shares = budget(limit, held, threads)
    assert 1 <= shares.num_thread <= threads
    assert 0 < shares.room <= shares.capacity < limit - held
    # While it reads there are names and blocks; while it moves there are names and edges.
    assert held + shares.room + 32 * 2**20 * (shares.num_thread + 2) <= limit
    assert held + shares.room + 96 * shares.rows <= limit


def test_too_low_a_limit_says_how_much_is_needed():
    with pytest.raises(MemoryLimitError, match=r"expected at least 435 MB, of which this process holds 200 MB already"):
        budget(400 * 10**6, 200 * 10**6, 4)
    budget(435 * 10**6, 200 * 10**6, 4)


@given(
    counts=st.lists(st.integers(0, 500), min_size=1, max_size=200),
    shift=st.integers(0, 4),
    weighted=st.booleans(),
    capacity=st.integers(1, 20_000),
    data=st.data(),
)
def test_ranges_fit_unless_they_are_one_bucket(counts, shift, weighted, capacity, data):
    num_row = ((len(counts) - 1) << shift) + data.draw(st.integers(1, 1 << shift))
    bounds, run_of = cut(np.array(counts, np.int64), shift, num_row, weighted, capacity)
    assert (bounds[0], bounds[-1]) == (0, num_row)
    assert (np.diff(bounds) > 0).all()
    assert len(bounds) - 1 == run_of[-1] + 1 <= 129
    total = range_bytes(sum(counts), num_row, weighted)
    for i, (a, b) in enumerate(itertools.pairwise(bounds.tolist())):
        inside = np.flatnonzero(run_of == i)
        assert (inside[0] << shift, min((inside[-1] + 1) << shift, num_row)) == (a, b)
        cost = range_bytes(sum(counts[j] for j in inside), b - a, weighted)
        assert cost <= max(capacity, total // 64) or len(inside) == 1
    # What does not fit is cut smaller, or cutting would never end.
    assert len(bounds) > 2 or total <= capacity or len(counts) == 1


@given(num_row=st.integers(1, 2**31))
def test_counts_stay_small(num_row):
    bits = bucket_bits(num_row)
    assert (num_row - 1) >> bits < 2**16
    assert bits == 0 or (num_row - 1) >> (bits - 1) >= 2**16
