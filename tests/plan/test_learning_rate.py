"""The factor of the learning rate."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError
from nodeloom.plan.learning_rate import FLOOR, factors

POSITIONS = st.lists(st.floats(0, 2e9), min_size=1, max_size=300).map(lambda x: np.sort(np.array(x)))
TOTALS = st.integers(1, 10**9)


@given(done=POSITIONS, total=TOTALS)
@settings(deadline=None)
def test_linear_falls_to_the_floor(done, total):
    found = factors("linear", done, total)
    assert found.shape == done.shape
    assert (found <= 1).all() and (found >= FLOOR).all()
    assert (np.diff(found) <= 0).all()
    assert (found[done >= total] == FLOOR).all()


def test_linear_by_hand():
    assert factors("linear", np.array([0.0, 25.0, 99.0, 100.0, 101.0]), 100).tolist() == pytest.approx(
        [1.0, 0.75, 0.01, FLOOR, FLOOR]
    )


@given(done=POSITIONS, total=TOTALS)
@settings(deadline=None)
def test_constant_is_one(done, total):
    assert (factors("constant", done, total) == np.ones(len(done))).all()


@given(done=POSITIONS, total=TOTALS)
@settings(deadline=None)
def test_a_callable_is_asked_at_few_places_in_range(done, total):
    asked = []

    def schedule(position, of):
        asked.append((position, of))
        return position / of

    found = factors(schedule, done, total)
    assert 1 <= len(asked) <= 32
    assert all(isinstance(position, int) and 0 <= position <= total and of == total for position, of in asked)
    assert found.shape == done.shape
    assert found[0] == asked[0][0] / total
    # Each answer holds from its place to the next.
    assert set(found.tolist()) <= {position / total for position, _ in asked}
    assert (np.diff(found) >= 0).all()
    runs = [len(list(run)) for _, run in itertools.groupby(found.tolist())]
    assert len(runs) <= 32


def test_with_few_tiles_a_callable_is_exact():
    done = np.arange(20) * 5.0
    assert factors(lambda d, t: math.cos(d / t), done, 100).tolist() == [math.cos(d / 100) for d in range(0, 100, 5)]


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, -math.inf, -1e-9, None, "fast", [1.0], 10**400, 1j], ids=lambda value: str(value)[:6]
)
def test_bad_factors_are_refused_with_the_place(value):
    with pytest.raises(ConfigError, match=r"schedule\(7, 10\): expected a finite factor >= 0, got"):
        factors(lambda done, total: value, np.array([7.0]), 10)


@pytest.mark.parametrize("value", [0, 1, True, np.float32(0.5), "0.5"])
def test_numbers_of_all_kinds_are_factors(value):
    assert factors(lambda done, total: value, np.array([7.0]), 10).tolist() == [float(value)]


def test_errors_of_a_callable_reach_the_caller():
    with pytest.raises(ZeroDivisionError):
        factors(lambda done, total: 1 / 0, np.array([7.0]), 10)
