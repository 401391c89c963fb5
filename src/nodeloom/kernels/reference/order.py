"""A seeded order of many items, of which every place is known without the others: a Feistel network (Black and Rogaway, CT-RSA 2002)."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.reference.rng import draw
from nodeloom.typing import IndexArray

ROUNDS = 6


def shuffled(key: int, count: int, first: int, out: IndexArray) -> None:
    """Fill `out` [M] with the items at places ``first ... first + M`` of an order of ``range(count)``.

    A place is cut into two halves of as many bits. In a round the right half becomes the left one, and the left one the right one,
    changed by a hash of the other: a permutation of all numbers of that many bits, applied again until it is below `count`.

    Parameters
    ----------
    key : int
        Names the order.
    count : int
        Items.
    first : int
        The first place.
    out : int64 [M]
        Written.
    """
    bits = max(1, ((count - 1).bit_length() + 1) // 2)
    low = (1 << bits) - 1
    for index in range(len(out)):
        place = first + index
        while True:
            left, right = place >> bits, place & low
            for number in range(ROUNDS):
                left, right = right, left ^ (int(draw(np.asarray(key, np.uint64), (number << 32) + right)) & low)
            place = (left << bits) | right
            if place < count:
                break
        out[index] = place
