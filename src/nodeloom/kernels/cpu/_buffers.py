"""Scratch memory of kernels that work on addresses."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

_F4 = 4  # bytes of a float32


@jit
def buffer(size):
    """Return `size` zeros, the first on a cache line; a vector may be read or written behind the last."""
    raw = np.zeros(size + 48, np.float32)
    skip = (-(raw.ctypes.data // _F4)) % 16
    return raw[skip:]


@jit
def keep(buffers):
    """Do nothing. Numba frees an array after its last use in the text, and does not see that its address is still in use."""
