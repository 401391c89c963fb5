"""First values of tables; :mod:`nodeloom.kernels.reference.initial` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.rng import draw, item_key, unit


@jit
def uniform_rows(stream, first_row, dim, scale, out):
    """Fill ``out[:, :dim]`` with uniform numbers in [-scale, scale) and the rest of the columns with 0.

    Parameters
    ----------
    stream : uint64
        Key of the random stream; row r of `out` is item ``first_row + r``, column d its draw d.
    first_row : int
        Number of the first row.
    dim : int
        Columns to fill.
    scale : float32
        Half the width of the range.
    out : float32 [R, D]
        Written.
    """
    for r in range(out.shape[0]):
        key = item_key(stream, first_row + r)
        for d in range(dim):
            out[r, d] = (unit(draw(key, d)) * np.float32(2.0) - np.float32(1.0)) * scale
        for d in range(dim, out.shape[1]):
            out[r, d] = 0.0
