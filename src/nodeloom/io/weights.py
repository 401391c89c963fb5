"""Weights: what an edge may weigh, checked where weights come in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError
from nodeloom.io.arrays import numbers

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray

# Checks look at this many values at a time, so that their temporaries stay small beside the graph.
_STRIDE = 1 << 20


def check_weights(
    weights: npt.ArrayLike, num_edges: int, *, where: str = "weights", first_row: int = 0, zero: bool = False
) -> FloatArray:
    """Return weights as float32 [E]; refuse another length, NaN, infinity, zero and negative values.

    Parameters
    ----------
    weights : array [E]
        Numbers of any type.
    num_edges : int
        E.
    where : str
        What the weights belong to, for the message.
    first_row : int
        The number of the first row, for the message.
    zero : bool
        Whether 0 is a weight.

    Raises
    ------
    DataError
        With the first wrong weight and its row.
    """
    given = numbers(weights, where)
    if given.shape != (num_edges,):
        raise DataError(f"{where}: expected one weight for each of {num_edges:,} edges, got shape {list(given.shape)}")
    with np.errstate(over="ignore", under="ignore"):
        result = np.ascontiguousarray(given, np.float32)
    for start in range(0, num_edges, _STRIDE):
        part = result[start : start + _STRIDE]
        wrong = ~(((part >= 0) if zero else (part > 0)) & (part < np.inf))
        if wrong.any():
            row = start + int(np.flatnonzero(wrong)[0])
            raise DataError(f"{where}: {wrong_weight(float(given[row]))} in row {first_row + row}")
    return result


def check_weighted(weighted: object) -> None:
    """Refuse a value of the option `weighted` that is not True, False or "auto".

    Raises
    ------
    ConfigError
    """
    if not (isinstance(weighted, bool) or weighted == "auto"):
        raise ConfigError(f"weighted: expected True, False or 'auto', got {weighted!r}")


def wrong_weight(value: float) -> str:
    """Say what is wrong with a weight that is not a positive, finite float32."""
    message = f"expected positive, finite weights, got {value!r}"
    if value == 0:
        message += " (an edge of weight 0 is never walked: leave it out)"
    elif 0 < value < np.inf:
        message += " (beyond the range of float32: scale the weights)"
    return message
