"""The kernels of an objective, by name."""

from __future__ import annotations

import functools
import importlib.util
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.model.objective import Objective


def tile_kernel(objective: Objective, family: Literal["cpu", "gpu"]) -> Callable[..., Any]:
    """Return the function that trains whole tables by tiles of walks."""
    return _kernel(objective, family, objective.kernel, "train_walks")


def pair_kernel(objective: Objective, family: Literal["cpu", "gpu"]) -> Callable[..., Any]:
    """Return the function that trains a block by sorted pairs."""
    return _kernel(objective, family, objective.pair_kernel, "train_pairs")


def _kernel(objective: Objective, family: str, name: str, function: str) -> Callable[..., Any]:
    ours = f"nodeloom.kernels.{family}.{name}"
    module = importlib.import_module(ours if "." not in name and importlib.util.find_spec(ours) else name)
    found: Callable[..., Any] = getattr(module, function)
    if not objective.settings:
        return found
    numbers = np.asarray(objective.settings, np.float32)
    return functools.wraps(found)(lambda *arguments, **options: found(*arguments, numbers, **options))
