"""Moves of LargeVis on every family of kernels."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from backends import REFERENCE

NEEDS = ("largevis",)
DIMS = pytest.mark.parametrize("dim", [2, 3])


def edges(count=50, seed=0):
    """Return edges in compressed sparse rows with cumulative weights; some points have none."""
    rng = np.random.default_rng(seed)
    degrees = rng.integers(0, 9, count)
    degrees[[3, 7]] = 0, 40
    indptr = np.concatenate([[0], np.cumsum(degrees)]).astype(np.int64)
    indices = rng.integers(count, size=indptr[-1]).astype(np.int32)
    weights = rng.random(indptr[-1])
    weights *= count / weights.sum()
    sums = np.concatenate([np.cumsum(weights[a:b]) for a, b in itertools.pairwise(indptr)])
    return indptr, indices, sums.astype(np.float32)


@DIMS
@pytest.mark.parametrize("scale", [1e-3, 2.0])
def test_sweeps_equal_the_reference(fast, dim, scale):
    graph = edges()
    y = np.random.default_rng(1).normal(scale=scale, size=(50, dim)).astype(np.float32)
    numbers = [np.float32(2.5), 3, np.float32(1.5), np.float32(0.7), np.float32(0.3)]
    want, got = np.full(y.shape, 7.0), np.full(y.shape, 7.0, np.float32)
    for sweep in (0, 5):
        for first, last in ((0, 20), (20, 49)):
            REFERENCE.largevis.sweep_points(
                first,
                last,
                *graph,
                99,
                sweep,
                *map(float, numbers[:1]),
                3,
                *map(float, numbers[2:]),
                y.astype(np.float64),
                want,
            )
            fast.largevis.sweep_points(first, last, *graph, np.uint64(99), sweep, *numbers, y, got)
        np.testing.assert_allclose(got[:49], want[:49], rtol=1e-4, atol=1e-4 * scale)
        assert (got[49] == 7.0).all() and (got[3] == y[3]).all()  # not asked for; without edges


@DIMS
def test_moves_go_down_the_gradient(dim):
    """A point with one edge, and one negative for it: two steps, each down the gradient of its potential by differences."""
    one = np.array([0, 1, 1], np.int64), np.array([1], np.int32), np.array([1.0], np.float32)
    y, a, epsilon, rate = np.random.default_rng(0).normal(size=(2, dim)), 0.7, 0.1, 1e-2

    def slope(potential, place):
        shifts = np.eye(dim) * 1e-6
        ahead, behind = (
            np.array([potential(((place + h - y[1]) ** 2).sum()) for h in sign * shifts]) for sign in (1, -1)
        )
        return (ahead - behind) / 2e-6

    pulled = y[0] - rate * slope(lambda square: np.log(1 + a * square), y[0])
    pushed = pulled - rate * slope(lambda s: -0.5 * np.log((epsilon + s) / (1 + a * s)) / (1 - a * epsilon), pulled)
    found = set()
    for sweep in range(20):
        out = np.zeros_like(y)
        REFERENCE.largevis.sweep_points(0, 1, *one, 1, sweep, 1.0, 1, 0.5, a, rate, y, out)
        near = [np.allclose(out[0], place, atol=1e-7) for place in (pulled, pushed)]
        assert any(near)
        found.add(tuple(near))
    assert len(found) == 2  # the negative is the other point, or the point itself, which does not count
