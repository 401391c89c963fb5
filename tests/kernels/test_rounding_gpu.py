"""The random bits that a bf16 table is rounded with: their definition, and that each depends on all of the offset and the seed."""

from __future__ import annotations

import numpy as np
import pytest
from backends import GPU

ROUNDS = (15, 13)
"""How far the hash is shifted before each of its two products."""


def defined(at, seeds, rounds=ROUNDS):
    """Return the 16 bits of offsets and seeds, in 64-bit integers; a round of 0 is left out."""
    h = np.asarray(at, np.uint64) * np.uint64(0x9E3779B1) & np.uint64(2**32 - 1) ^ np.asarray(seeds, np.uint64)
    for shift, factor in zip(rounds, (0x85EBCA6B, 0xC2B2AE35), strict=True):
        if shift:
            h = h ^ h >> np.uint64(shift)
        h = h * np.uint64(factor) & np.uint64(2**32 - 1)
    return (h >> np.uint64(16)).astype(np.int64)


def farthest_from_half(function, number=2000):
    """Return how far from 1/2 the share of changes is, of the worst pair of a bit that is changed and a bit that comes out."""
    rng = np.random.default_rng(3)
    at, seeds = rng.integers(0, 2**32, (2, number))
    before, worst = function(at, seeds), 0.0
    for bit in 1 << np.arange(32):
        for changed in (function(at ^ bit, seeds), function(at, seeds ^ bit)):
            shares = ((before ^ changed)[:, None] >> np.arange(16) & 1).mean(0)
            worst = max(worst, np.abs(shares - 0.5).max())
    return worst


@pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")
def test_bits_are_those_of_the_definition():
    from gpu_rounding import random_bits

    rng = np.random.default_rng(1)
    at, seeds = rng.integers(0, 2**40, 3000), rng.integers(0, 2**32, 3000)
    at[:2], seeds[:2] = (0, 2**32 - 1), (0, 2**32 - 1)
    got = random_bits(at, seeds)
    np.testing.assert_array_equal(got, defined(at & 2**32 - 1, seeds))
    for left_out in ((0, 13), (15, 0)):
        assert (got != defined(at & 2**32 - 1, seeds, left_out)).mean() > 0.9


def test_every_bit_of_offset_and_seed_changes_every_random_bit_half_of_the_time():
    assert farthest_from_half(defined) < 0.06
    for left_out in ((0, 13), (15, 0)):
        assert farthest_from_half(lambda at, seeds, rounds=left_out: defined(at, seeds, rounds)) > 0.4
