"""SplitMix64 hashes for kernels; :mod:`nodeloom.kernels.reference.rng` is the definition.

These are device functions: they take and return the tensors of a kernel, any shape. Keys and bits are ``tl.uint64``.
"""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import jit, tl

GOLDEN = tl.constexpr(0x9E3779B97F4A7C15)
_FIRST = tl.constexpr(0xBF58476D1CE4E5B9)
_SECOND = tl.constexpr(0x94D049BB133111EB)


@jit
def mix(value):
    """Return the SplitMix64 hash of uint64 values."""
    value = (value ^ (value >> 30)) * _FIRST
    value = (value ^ (value >> 27)) * _SECOND
    return value ^ (value >> 31)


@jit
def item_key(stream, item):
    """Return the keys (uint64) of items (walk or tile numbers, int64) of a stream (uint64)."""
    return mix(stream + (tl.cast(item, tl.uint64) + 1) * GOLDEN)


@jit
def draw(key, number):
    """Return draw `number` (int32 or int64) of a key: 64 random bits."""
    return mix(key + (tl.cast(number, tl.uint64) + 1) * GOLDEN)


@jit
def below(bits, bound):
    """Map 64 random bits to an int64 in ``[0, bound)``."""
    return tl.umulhi(bits, tl.cast(bound, tl.uint64)).to(tl.int64)


@jit
def below_narrow(bits, bound):
    """Do what :func:`below` does for bounds below 2^32 (uint32), with two products of 32 bits; return uint32."""
    wide = tl.cast(bound, tl.uint64)
    low = ((bits & 0xFFFFFFFF) * wide) >> 32
    return (((bits >> 32) * wide + low) >> 32).to(tl.uint32)


@jit
def unit(bits):
    """Map 64 random bits to a float32 in [0, 1): their lower 24 bits."""
    return (bits & 0xFFFFFF).to(tl.int32).to(tl.float32) * 5.9604644775390625e-08
