"""First values of tables: the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.reference.rng import draw, item_key, unit
from nodeloom.typing import DoubleArray


def uniform_rows(stream: int, first_row: int, dim: int, scale: float, out: DoubleArray) -> None:
    """Fill ``out[:, :dim]`` with uniform numbers in [-scale, scale) and the rest of the columns with 0.

    Row r of `out` [R, D] is item ``first_row + r`` of the stream, column d its draw d.
    """
    keys = item_key(stream, first_row + np.arange(len(out)))
    out[:] = 0.0
    out[:, :dim] = (unit(draw(keys[:, None], np.arange(dim)[None, :])) * 2.0 - 1.0) * scale
