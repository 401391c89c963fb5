"""Alias tables: the distribution that a table stands for is the one it was built from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.sampling.alias import over_nodes, over_rows

WEIGHTS = st.lists(st.one_of(st.just(0.0), st.floats(1e-6, 1e6)), min_size=1, max_size=60).filter(lambda w: sum(w) > 0)


def implied(prob, alias):
    """Return the distribution that drawing an entry evenly and keeping it with `prob` comes to."""
    share = prob.astype(np.float64)
    np.add.at(share, alias, 1.0 - prob.astype(np.float64))
    return share / len(prob)


@given(weights=WEIGHTS)
@settings(deadline=None)
def test_over_nodes_stands_for_its_weights(weights):
    weights = np.array(weights)
    table = over_nodes(weights)
    found = implied(table.prob, table.alias)
    np.testing.assert_allclose(found, weights / weights.sum(), atol=2e-7 * len(weights))
    assert (found[weights == 0] == 0).all()  # what has no weight is never drawn, not even by rounding
    assert table.nbytes == 8 * len(weights)


@given(rows=st.lists(st.lists(st.floats(2**-10, 2**10, width=32), max_size=8), min_size=1, max_size=12))
@settings(deadline=None)
def test_over_rows_stands_for_every_row(rows):
    weights = np.array([w for row in rows for w in row], np.float32)
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    table = over_rows(weights, indptr, 1)
    for row, first, last in zip(rows, indptr[:-1], indptr[1:], strict=True):
        if row:
            expected = np.array(row, np.float64) / np.sum(np.array(row, np.float64))
            np.testing.assert_allclose(implied(table.prob[first:last], table.alias[first:last]), expected, atol=2e-6)


@pytest.mark.parametrize("num_thread", [2, 3, 5])
def test_over_rows_does_not_depend_on_threads(num_thread):
    random = np.random.default_rng(0)
    indptr = np.concatenate([[0], np.cumsum(random.integers(0, 9, 40))]).astype(np.int64)
    weights = random.random(indptr[-1], dtype=np.float32) + np.float32(0.01)
    one, several = over_rows(weights, indptr, 1), over_rows(weights, indptr, num_thread)
    assert (one.prob == several.prob).all()
    assert (one.alias == several.alias).all()


def test_no_tables_without_weights():
    table = over_rows(None, np.array([0, 2], np.int64), 2)
    assert table.nbytes == 0
