"""Rows and numbers that the tests of vector code work on."""

from __future__ import annotations

import numpy as np

DIMS = [16, 32, 48, 64, 80, 112, 128, 144, 256, 272]


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).normal(0, 1, shape).astype(np.float32)


def at(array, offset=0):
    """Return the address of an element."""
    return array.ctypes.data + offset * array.itemsize
