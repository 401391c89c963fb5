"""Forces of a layout on every family of kernels, and the definition against differences of the divergence."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE, needs

NEEDS = ("layout.attract",)
DIMS = pytest.mark.parametrize("dim", [2, 3])


def points(dim, count=60, seed=0):
    return np.random.default_rng(seed).normal(scale=2.0, size=(count, dim)).astype(np.float32)


def affinities(count=60, seed=1):
    """Return affinities in compressed sparse rows: some points have none, one has as many as there are."""
    rng = np.random.default_rng(seed)
    dense = rng.random((count, count)) * (rng.random((count, count)) < 0.1)
    dense[3, 4:] = 0.5
    dense[:, 9] = dense[9] = 0
    dense = np.triu(dense, 1)
    dense = dense + dense.T
    dense /= dense.sum()
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    return dense, indptr, np.nonzero(dense)[1].astype(np.int32), dense[dense > 0].astype(np.float32)


@DIMS
def test_the_gradient_is_that_of_the_divergence(dim):
    dense, y = affinities(12)[0], points(dim, 12).astype(np.float64)
    want = np.empty_like(y)
    for place in np.ndindex(*y.shape):
        step = np.zeros_like(y)
        step[place] = 1e-5
        difference = REFERENCE.layout.divergence(dense, y + step) - REFERENCE.layout.divergence(dense, y - step)
        want[place] = difference / 2e-5
    np.testing.assert_allclose(REFERENCE.layout.gradient(dense, y, 1.0), want, atol=1e-8)


@DIMS
def test_attraction_and_stretch_equal_the_reference(fast, dim):
    _, *matrix = affinities()
    y = points(dim)
    want, got = np.full(y.shape, 7.0), np.full(y.shape, 7.0, np.float32)
    for first, last in ((0, 1), (1, 40), (40, 59)):
        REFERENCE.layout.attract(first, last, *matrix, y.astype(np.float64), want)
        fast.layout.attract(first, last, *matrix, y, got)
        total = REFERENCE.layout.stretch(first, last, *matrix, y.astype(np.float64))
        assert fast.layout.stretch(first, last, *matrix, y) == pytest.approx(total, rel=1e-5, abs=1e-9)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-8)
    assert (got[59] == 7.0).all()  # not asked for


@DIMS
@pytest.mark.parametrize("held", [False, True])
def test_moves_equal_the_reference(fast, dim, held):
    rng = np.random.default_rng(2)
    pull, push, y, velocity = (rng.normal(size=(40, dim)).astype(np.float32) for _ in range(4))
    velocity[::5] = 0
    gains = rng.choice([0.01, 0.5, 1.0, 3.0], size=(40, dim)).astype(np.float32)
    anchors = rng.normal(size=(40 if held else 0, dim)).astype(np.float32)
    hold = rng.random(40 if held else 0).astype(np.float32)
    numbers = [np.array([0.3], np.float32), *(np.float32(v) for v in (4.0, 0.7, 0.8, 1.5))]
    want = [value.astype(np.float64) for value in (y, velocity, gains)]
    got = [y, velocity, gains]
    for _ in range(3):
        for first, last in ((0, 17), (17, 39)):
            REFERENCE.layout.move(first, last, pull, push, *numbers, anchors, hold, *want)
            fast.layout.move(first, last, pull, push, *numbers, anchors, hold, *got)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)
    assert (np.abs(got[1][:39]) <= 1.5).all()


def grid_for(dim, y, step):
    size = int(np.ptp(y, axis=0).max() / step) + 6
    return (
        (y.min(axis=0) - 1.5 * step).astype(np.float32),
        np.array([1 / step], np.float32),
        (1 if dim == 2 else size, size, size),
    )


@DIMS
def test_points_are_spread_as_the_reference_does(fast, dim):
    y = points(dim, 30)
    origin, inverse, shape = grid_for(dim, y, 0.8)
    order = np.random.default_rng(3).permutation(30).astype(np.int32)
    want, got = np.ones(shape), np.ones(shape, np.float32)
    for first, last in ((0, 12), (12, 29)):
        REFERENCE.layout.spread(first, last, order, y.astype(np.float64), origin, inverse, want)
        fast.layout.spread(first, last, order, y, origin, inverse, got)
    np.testing.assert_allclose(got, want, atol=2e-5)
    assert got.sum() - got.size == pytest.approx(29, rel=1e-5)


@DIMS
def test_fields_are_sampled_as_the_reference_does(fast, dim):
    y = points(dim, 30)
    origin, inverse, shape = grid_for(dim, y, 0.8)
    grid = np.random.default_rng(4).normal(size=shape).astype(np.float32)
    want, got = (np.zeros((30, dim)), np.zeros(30)), (np.zeros((30, dim), np.float32), np.zeros(30, np.float32))
    for first, last in ((0, 12), (12, 29)):
        REFERENCE.layout.sample(first, last, y.astype(np.float64), origin, inverse, grid.astype(np.float64), *want)
        fast.layout.sample(first, last, y, origin, inverse, grid, *got)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@needs("layout.repel")
@DIMS
def test_repulsion_equals_the_reference(fast, dim):
    y = points(dim, 70)
    want, got = (np.zeros((70, dim)), np.zeros(70)), (np.zeros((70, dim), np.float32), np.zeros(70, np.float32))
    for first, last in ((0, 33), (33, 69)):
        REFERENCE.layout.repel(first, last, y.astype(np.float64), *want)
        fast.layout.repel(first, last, y, *got)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


@needs("layout.sort_by_bands")
@DIMS
def test_bands_keep_the_order_of_their_points(fast, dim):
    y = points(dim, 200)
    origin, inverse, shape = grid_for(dim, y, 0.3)
    number = -(-shape[1] // 4)
    want = np.empty(number + 1, np.int64), np.empty(200, np.int32)
    got = np.empty(number + 1, np.int64), np.empty(200, np.int32)
    REFERENCE.layout.sort_by_bands(y, origin, inverse, 4, *want)
    fast.layout.sort_by_bands(y, origin, inverse, 4, *got)
    for ours, theirs in zip(got, want, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@needs("layout.multiply_spectrum")
def test_the_energy_of_a_spectrum(fast):
    rng = np.random.default_rng(5)
    real = rng.normal(size=(6, 10)).astype(np.float32)
    spectrum, kernel = np.fft.rfft2(real).astype(np.complex64), rng.random((6, 6)).astype(np.float32)
    want, got = spectrum.astype(np.complex128), spectrum.copy()
    sums, ours = np.zeros(6), np.zeros(6)
    REFERENCE.layout.multiply_spectrum(0, 6, want, kernel.astype(np.float64), sums)
    fast.layout.multiply_spectrum(0, 2, got, kernel, ours)
    fast.layout.multiply_spectrum(2, 6, got, kernel, ours)
    np.testing.assert_allclose(got, want, rtol=1e-5)
    np.testing.assert_allclose(ours, sums, rtol=1e-5)
    fast.layout.multiply_spectrum(0, 6, (again := spectrum.copy()), np.ones_like(kernel), ours)
    assert (again == spectrum).all()
    assert ours.sum() / 60 == pytest.approx((real.astype(np.float64) ** 2).sum(), rel=1e-5)  # Parseval
