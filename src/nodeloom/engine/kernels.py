"""The kernels of an objective, by name."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.model.objective import Objective
    from nodeloom.typing import FloatArray


def tile_kernel(objective: Objective, family: Literal["cpu", "gpu"]) -> Callable[..., Any]:
    """Return the function that trains whole tables by tiles of walks."""
    return _kernel(family, objective.kernel, "train_walks")


def pair_kernel(objective: Objective, family: Literal["cpu", "gpu"]) -> Callable[..., Any]:
    """Return the function that trains a block by sorted pairs."""
    return _kernel(family, objective.pair_kernel, "train_pairs")


def _kernel(family: str, name: str, function: str) -> Callable[..., Any]:
    ours = f"nodeloom.kernels.{family}.{name}"
    module = importlib.import_module(ours if "." not in name and importlib.util.find_spec(ours) else name)
    found: Callable[..., Any] = getattr(module, function)
    return found


def numbers_of(objective: Objective) -> tuple[FloatArray, ...]:
    """Return what kernels are given behind all other arguments: the settings of the objective, if there are any."""
    return (np.asarray(objective.settings, np.float32),) if objective.settings else ()
