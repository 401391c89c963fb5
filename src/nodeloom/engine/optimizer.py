"""Optimizers as declarations: a code for the kernels, the numbers they take, how many moments a table needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nodeloom.config import OptimizerConfig
from nodeloom.engine.choose import LARGEST_STEP
from nodeloom.kernels.cpu import optimizer as kernels
from nodeloom.typing import FloatArray


@dataclass(frozen=True)
class Optimizer:
    """What a kernel needs to know about an optimizer.

    Attributes
    ----------
    name : str
        SGD, Momentum, AdaGrad, RMSprop or Adam.
    code : int
        The kernels' number of it.
    num_moment : int
        Tables of state beside each table, 0 to 2.
    settings : float32 [4]
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    """

    name: str
    code: int
    num_moment: int
    settings: FloatArray


def optimizer_of(config: OptimizerConfig) -> Optimizer:
    """Return the declaration of a configured optimizer."""
    code, num_moment, values = {
        "SGD": (kernels.SGD, 0, [LARGEST_STEP]),
        "Momentum": (kernels.MOMENTUM, 1, [config.momentum]),
        "AdaGrad": (kernels.ADAGRAD, 1, [config.resolved_epsilon]),
        "RMSprop": (kernels.RMSPROP, 1, [config.alpha, config.resolved_epsilon]),
        "Adam": (kernels.ADAM, 2, [config.beta1, config.beta2, config.resolved_epsilon]),
    }[config.type]
    settings = np.zeros(4, np.float32)
    settings[: len(values)] = values
    return Optimizer(config.type, code, num_moment, settings)
