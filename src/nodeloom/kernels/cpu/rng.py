"""SplitMix64 hashes for kernels; :mod:`nodeloom.kernels.reference.rng` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd.rows import multiply_high

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31 = np.uint64(30), np.uint64(27), np.uint64(31)
_ONE, _LOW = np.uint64(1), np.uint64(0xFFFFFF)


@jit(inline=True)
def mix(value):
    """Return the SplitMix64 hash of a uint64."""
    value = (value ^ (value >> _S30)) * _FIRST
    value = (value ^ (value >> _S27)) * _SECOND
    return value ^ (value >> _S31)


@jit(inline=True)
def item_key(stream, item):
    """Return the key (uint64) of an item (walk or tile number) of a stream (uint64)."""
    return mix(stream + _GOLDEN * (np.uint64(item) + _ONE))


@jit(inline=True)
def draw(key, number):
    """Return draw `number` of a key: 64 random bits."""
    return mix(key + _GOLDEN * (np.uint64(number) + _ONE))


@jit(inline=True)
def below(bits, bound):
    """Map 64 random bits to an int64 in ``[0, bound)``."""
    return np.int64(multiply_high(bits, np.uint64(bound)))


@jit(inline=True)
def unit(bits):
    """Map 64 random bits to a float32 in [0, 1): their lower 24 bits."""
    return np.float32(bits & _LOW) * np.float32(2.0**-24)
