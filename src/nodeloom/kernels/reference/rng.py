"""SplitMix64 hashes in NumPy: the definition of every random number (see :mod:`nodeloom.rng`)."""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray, IndexArray, KeyArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def mix(value: KeyArray) -> KeyArray:
    """Return the SplitMix64 hash of each value (uint64, any shape)."""
    value = np.asarray(value, np.uint64)
    with np.errstate(over="ignore"):  # arithmetic is meant to be modulo 2^64; NumPy warns of it for single numbers
        value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return value ^ (value >> np.uint64(31))


def item_key(stream: int, item: IndexArray | int) -> KeyArray:
    """Return the key of each item (walk or tile number) of a stream; uint64, the shape of `item`."""
    with np.errstate(over="ignore"):
        return mix(np.uint64(stream) + _GOLDEN * (np.asarray(item).astype(np.uint64) + np.uint64(1)))


def draw(key: KeyArray, number: IndexArray | int) -> KeyArray:
    """Return draw number `number` of each key as 64 random bits; uint64, broadcast shape."""
    with np.errstate(over="ignore"):
        return mix(np.asarray(key, np.uint64) + _GOLDEN * (np.asarray(number).astype(np.uint64) + np.uint64(1)))


def below(bits: KeyArray, bound: IndexArray | int) -> IndexArray:
    """Map 64 random bits to an integer in ``[0, bound)``: the high half of their product; int64.

    The bias against a uniform integer is below ``bound / 2^64``.
    """
    pairs = np.broadcast(bits, bound)
    return np.array([(int(b) * int(n)) >> 64 for b, n in pairs], np.int64).reshape(pairs.shape)


def unit(bits: KeyArray) -> DoubleArray:
    """Map 64 random bits to a float in [0, 1): the lower 24, which :func:`below` hardly uses and float32 can hold."""
    return (np.asarray(bits, np.uint64) & np.uint64(0xFFFFFF)).astype(np.float64) * 2.0**-24
