"""A seeded order has every item once, and is the same on every family of kernels."""

from __future__ import annotations

import numpy as np
import pytest
from backends import REFERENCE

NEEDS = ("order",)


def order(backend, key, count, first=0, num=None):
    out = np.full(count if num is None else num, -1, np.int64)
    backend.order.shuffled(np.uint64(key) if backend.name == "cpu" else key, count, first, out)
    return out


@pytest.mark.parametrize("count", [1, 2, 5, 64, 65, 300])
def test_every_item_comes_once(backend, count):
    key = 0xF234567890ABCDEF
    whole = order(backend, key, count)
    assert sorted(whole.tolist()) == list(range(count))
    np.testing.assert_array_equal(whole, order(REFERENCE, key, count))
    np.testing.assert_array_equal(order(backend, key, count, count // 2, count - count // 2), whole[count // 2 :])


def test_orders_of_other_keys_are_others(backend):
    assert (order(backend, 1, 300) == order(backend, 2, 300)).mean() < 0.05


@pytest.mark.parametrize("count", [10**6, 3 * 10**9])
def test_places_far_away(fast, count):
    np.testing.assert_array_equal(order(fast, 7, count, count - 9, 9), order(REFERENCE, 7, count, count - 9, 9))
