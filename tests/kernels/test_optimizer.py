"""One optimizer step: GraphVite's formulas, on every family of kernels."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE
from optimizer_cases import SETTINGS, settings_array

from nodeloom.kernels.reference.optimizer import ADAGRAD, ADAM, MOMENTUM, RMSPROP, SGD

NEEDS = ("optimizer",)
USED = {SGD: 0, MOMENTUM: 1, ADAGRAD: 1, RMSPROP: 1, ADAM: 2}


# p = 0.5, m = 0.2, v = 0.3, gradient = 0.4, decay = 0.1, so g = 0.45; lr = 0.1. Computed by hand from the formulas of
# GraphVite's include/core/optimizer.h: (name, p, m, v) after the step.
BY_HAND = [
    ("SGD", 0.5 - 0.1 * 0.45, None, None),
    ("Momentum", 0.5 - 0.1 * (0.9 * 0.2 + 0.1 * 0.45), 0.225, None),
    ("AdaGrad", 0.5 - 0.045 / 0.634428877, 0.4025, None),
    ("RMSprop", 0.5 - 0.045 / 0.447493017, 0.20025, None),
    ("Adam", 0.5 - 0.1 * 0.225 / 0.546831784, 0.225, 0.299025),
]


@pytest.mark.parametrize(("name", "p", "m", "v"), BY_HAND)
def test_steps_computed_by_hand(backend, name, p, m, v):
    real = backend.real
    row, gradient = np.full(16, 0.5, real), np.full(16, 0.4, real)
    moments = [np.full(16, 0.2, real), np.full(16, 0.3, real)]
    optimizer, settings = settings_array(name, real)
    backend.update_row(optimizer, row, *moments, gradient, 0.1, 0.1, settings)
    np.testing.assert_allclose(row, p, rtol=1e-6)
    np.testing.assert_allclose(moments[0], 0.2 if m is None else m, rtol=1e-6)
    np.testing.assert_allclose(moments[1], 0.3 if v is None else v, rtol=1e-6)
    np.testing.assert_array_equal(gradient, real(0.4))


@pytest.mark.covering(2)
@pytest.mark.parametrize("dim", [16, 32, 48, 112, 128, 256])
@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("start", ["moments", "zero moments"])
def test_steps_equal_the_reference(fast, dim, name, decay, start):
    rng = np.random.default_rng(dim)
    optimizer, settings = settings_array(name)
    # NaN on both sides: what is read or written beyond the row shows.
    guarded = np.full((4, dim + 32), np.nan, np.float32)
    row, m1, m2, gradient = (guarded[i, 16:-16] for i in range(4))
    row[:], gradient[:] = rng.normal(0, 0.5, (2, dim))
    m1[:], m2[:] = rng.random((2, dim)) if start == "moments" else np.zeros((2, dim))
    want = [a.astype(np.float64) for a in (row, m1, m2)]
    for _ in range(3):
        REFERENCE.update_row(optimizer, *want, gradient.astype(np.float64), decay, 0.05, settings.astype(np.float64))
        fast.update_row(optimizer, row, m1, m2, gradient, decay, 0.05, settings)
    for got, expected in zip((row, m1, m2), want, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)
    assert np.isnan(guarded[:, :16]).all() and np.isnan(guarded[:, -16:]).all()


@pytest.mark.parametrize("name", SETTINGS)
def test_moments_that_are_not_used_are_not_looked_at(backend, name):
    optimizer, settings = settings_array(name, backend.real)
    row, gradient = np.ones(16, backend.real), np.ones(16, backend.real)
    moments = [np.full(16, 0.5 if i < USED[optimizer] else np.nan, backend.real) for i in range(2)]
    before = [m.copy() for m in moments]
    backend.update_row(optimizer, row, *moments, gradient, 0.0, 0.1, settings)
    assert (row < 1.0).all()
    for i in range(2):
        assert np.array_equal(moments[i], before[i], equal_nan=True) == (i >= USED[optimizer])
    absent = [m if i < USED[optimizer] else None for i, m in enumerate(before)]
    again = np.ones(16, backend.real)
    backend.update_row(optimizer, again, *absent, gradient, 0.0, 0.1, settings)
    np.testing.assert_array_equal(row, again)


@pytest.mark.parametrize("scale", [0.01, 1.0, 1e4])
@pytest.mark.parametrize("decay", [0.0, 2.0])
def test_largest_step_of_sgd(backend, scale, decay):
    rng = np.random.default_rng(5)
    row, gradient = rng.normal(0, 0.1, 32).astype(backend.real), rng.normal(0, scale, 32).astype(backend.real)
    start, largest, lr = row.copy(), 0.05, 0.1
    backend.update_row(SGD, row, None, None, gradient, decay, lr, np.array([largest, 0, 0, 0], backend.real))
    free = -lr * (gradient.astype(np.float64) + decay * start)
    length = np.linalg.norm(free)
    moved = row.astype(np.float64) - start
    # The direction stays, the length is cut.
    np.testing.assert_allclose(moved, free * min(1.0, largest / length), rtol=1e-4, atol=1e-7)
    if scale >= 1.0:
        assert length > largest  # the case is what it claims to be


def test_unknown_optimizer_is_refused_by_the_reference():
    with pytest.raises(ValueError, match="optimizer 5"):
        REFERENCE.update_row(5, np.ones(16), None, None, np.ones(16), 0.0, 0.1, np.zeros(4))
