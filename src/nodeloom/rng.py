"""Counter-based randomness: every random number is a hash of (seed, purpose, item, draw); there is no state.

The same numbers come out on every backend, with any number of threads and after a resume. A *stream* is a 64-bit key made of
the seed and the purpose; an *item* (a walk, a tile) turns it into its own key; draw number n of an item is a hash of that key
and n. The hash is the finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators",
OOPSLA 2014): with the additive constant it is exactly a SplitMix64 generator started at the item's key.

The kernels hold this same arithmetic in their own language; ``tests/kernels/test_rng.py`` compares them.
"""

from __future__ import annotations

from enum import IntEnum

MASK = 0xFFFFFFFFFFFFFFFF
GOLDEN = 0x9E3779B97F4A7C15


class Purpose(IntEnum):
    """What random numbers are for; numbers of different purposes are independent."""

    WALK = 1
    NEGATIVE = 2
    INITIAL_VERTEX = 3
    PROPAGATION = 4
    GRAPH = 5
    NODE_ORDER = 6
    LAYOUT = 7
    TRIPLE_ORDER = 8
    INITIAL_RELATION = 9


def mix(value: int) -> int:
    """Return the SplitMix64 hash of a 64-bit integer."""
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def stream(seed: int, purpose: Purpose) -> int:
    """Return the 64-bit key of all random numbers for one purpose.

    Parameters
    ----------
    seed : int
        The user's seed, any non-negative integer below 2^64.
    purpose : Purpose
        What the numbers are for.
    """
    return mix((mix((seed + GOLDEN) & MASK) + purpose * GOLDEN) & MASK)
