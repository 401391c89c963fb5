"""Where an array holds NaN or infinity, and its largest number."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_STEP = 1 << 18  # numbers looked at together: their answers are small beside the array


def first_not_finite(array: npt.NDArray[Any]) -> tuple[int, float] | None:
    """Return the first row that holds NaN or infinity, and that number; None if there is none, or these are no floats."""
    if array.dtype.kind != "f" or not array.size:
        return None
    rows = array.reshape(len(array) if array.ndim else 1, -1)
    step = max(1, _STEP // rows.shape[1])
    for first in range(0, len(rows), step):
        finite = np.isfinite(rows[first : first + step])
        if not finite.all():
            row, column = (int(i[0]) for i in np.nonzero(~finite))
            return first + row, float(rows[first + row, column])
    return None


def largest_magnitude(array: npt.NDArray[Any]) -> float:
    """Return the largest absolute value of an array of rows, 0 if it is empty; NaN or infinity if it holds one."""
    step = max(1, _STEP // max(1, array[:1].size))
    largest = 0.0
    for first in range(0, len(array), step):
        rows = array[first : first + step]
        if rows.size:
            largest = float(np.max((largest, -float(rows.min()), float(rows.max()))))  # NaN stays
    return largest
