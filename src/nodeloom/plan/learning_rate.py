"""Learning-rate schedules: from the share of training that is done to a factor."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from nodeloom.errors import ConfigError, describe

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray

Schedule: TypeAlias = Literal["linear", "constant"] | Callable[[int, int], float]

FLOOR = 1e-4
"""GraphVite's smallest factor of the linear schedule."""

_PLACES = 32


def factors(schedule: Schedule, done: DoubleArray, total: int) -> DoubleArray:
    """Return the factor of the learning rate at each position.

    Parameters
    ----------
    schedule : {"linear", "constant"} or callable
        linear is ``max(1 - done / total, 1e-4)``. A callable gets (pairs done, pairs in all) and returns a factor; it is
        asked at 32 of the positions, each of which holds for its neighbours.
    done : float64 [T]
        Positive pairs trained before each tile, ascending.
    total : int
        Positive pairs of the whole training.

    Raises
    ------
    ConfigError
        If a callable does not return a finite number that is not negative.
    """
    if schedule == "linear":
        return np.maximum(1.0 - done / total, FLOOR)
    if schedule == "constant":
        return np.ones(len(done))
    places = np.arange(len(done)) * min(_PLACES, len(done)) // len(done)
    firsts = np.unique(places, return_index=True)[1]
    values = np.array([_ask(schedule, min(int(done[i]), total), total) for i in firsts])
    return values[places]


def _ask(schedule: Callable[[int, int], float], done: int, total: int) -> float:
    value = schedule(done, total)
    try:
        factor = float(value)
    except (TypeError, ValueError, OverflowError):
        factor = math.nan
    if not (math.isfinite(factor) and factor >= 0):
        raise ConfigError(describe(f"schedule({done}, {total})", expected="a finite factor >= 0", got=value))
    return factor
