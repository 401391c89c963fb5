"""A seeded order of many items; :mod:`nodeloom.kernels.reference.order` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.rng import draw

ROUNDS = 6


@jit
def shuffled(key, count, first, out):
    """Fill `out` [M] with the items at places ``first ... first + M`` of an order of ``range(count)``.

    Parameters
    ----------
    key : uint64
        Names the order.
    count : int
        Items.
    first : int
        The first place.
    out : int64 [M]
        Written.
    """
    length = 0
    while (count - 1) >> length:
        length += 1
    bits = np.uint64(max(1, (length + 1) // 2))
    low = (np.uint64(1) << bits) - np.uint64(1)
    for index in range(len(out)):
        place = np.uint64(first + index)
        while True:
            left, right = place >> bits, place & low
            for number in range(ROUNDS):
                left, right = right, left ^ (draw(key, (np.uint64(number) << np.uint64(32)) + right) & low)
            place = (left << bits) | right
            if place < np.uint64(count):  # else the walk goes on: it comes back below `count`
                break
        out[index] = np.int64(place)
