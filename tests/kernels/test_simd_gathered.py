"""The vector building blocks that take rows from anywhere, and atomic additions, against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from simd_values import DIMS, at, normal

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.kernels.cpu.simd import atomics, gathered


@jit
def _dot_four(x, sources, dim, scores, squares, soon):
    gathered.dot_four(x, sources, dim, scores, squares, soon)


@jit
def _move_four(x, gradient, sources, targets, factors, stride, dim, soon):
    gathered.move_four(x, gradient, sources, targets, factors, stride, dim, soon)


@jit
def _fetch_row(address, dim):
    gathered.fetch_row(address, dim)


@jit
def _add_many(address, value, count, first):
    for i in range(count):
        before = atomics.fetch_add(address, value)
        if i == 0:
            first[0] = before


def addresses(table, places):
    """Return the addresses of rows of a table, int64 [4]."""
    return np.array([at(table, place * table.shape[1]) for place in places])


@pytest.mark.parametrize("dim", DIMS)
def test_dot_four(dim):
    x, table, places = normal(dim), normal(9, dim, seed=1), [7, 2, 2, 5]
    sources = addresses(table, places)
    scores, squares = np.full(5, np.nan, np.float32), np.full(5, np.nan, np.float32)
    _dot_four(at(x), at(sources), dim, at(scores), at(squares), at(sources))
    rows = table[places].astype(np.float64)
    np.testing.assert_allclose(scores[:4], rows @ x.astype(np.float64), rtol=1e-5, atol=1e-4)
    np.testing.assert_allclose(squares[:4], (rows * rows).sum(1), rtol=1e-5)
    assert np.isnan(scores[4]) and np.isnan(squares[4])


@pytest.mark.parametrize("in_place", [True, False], ids=["in place", "to other rows"])
@pytest.mark.parametrize("dim", DIMS)
def test_move_four(dim, in_place):
    x, gradient, table, other = normal(dim), normal(dim, seed=2), normal(9, dim, seed=1), normal(9, dim, seed=3)
    factors, stride, places = normal(40, seed=4), 13, [7, 2, 0, 5]
    target = table if in_place else other
    g, keep, step = (factors[i * stride : i * stride + 4, None].astype(np.float64) for i in range(3))
    old = table[places].astype(np.float64)
    want, want_gradient = target.astype(np.float64), gradient + (g * old).sum(0)
    want[places] = keep * old + step * x.astype(np.float64)
    sources, targets = addresses(table, places), addresses(target, places)
    _move_four(at(x), at(gradient), at(sources), at(targets), at(factors), stride, dim, at(sources))
    np.testing.assert_allclose(target, want, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradient, want_gradient, rtol=1e-5, atol=1e-4)
    if not in_place:
        np.testing.assert_array_equal(table, normal(9, dim, seed=1))


def test_fetching_changes_nothing():
    table = normal(4, 48)
    _fetch_row(at(table, 48), 48)
    _fetch_row(0, 48)  # not even where there is no memory
    np.testing.assert_array_equal(table, normal(4, 48))


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_fetch_add_returns_what_was_there(dtype):
    cells, first = np.array([5, 7, 9], dtype), np.zeros(1, np.int64)
    _add_many(at(cells, 1), dtype(-3), 1, first)
    np.testing.assert_array_equal(cells, [5, 4, 9])
    assert first[0] == 7
    # A carry stays within the integer.
    cells[1] = np.iinfo(dtype).max
    _add_many(at(cells, 1), dtype(1), 1, first)
    np.testing.assert_array_equal(cells, [5, np.iinfo(dtype).min, 9])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_no_addition_is_lost_between_threads(dtype):
    cell = np.zeros(1, dtype)
    run_slices(lambda a, b: _add_many(at(cell), dtype(1), b - a, np.zeros(1, np.int64)), 4_000_000, 4)
    assert cell[0] == 4_000_000
