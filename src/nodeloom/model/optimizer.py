"""Optimizers as declarations: a code for the kernels, the numbers they take, how many moments a table needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.cpu import optimizer as kernels

if TYPE_CHECKING:
    from nodeloom.config import OptimizerConfig
    from nodeloom.typing import FloatArray

LARGEST_STEP = 2.0
"""Longest step of a row in SGD, in Euclidean length: several times what occurs at the default learning rate, and short enough
that a learning rate twenty times too high ends with poor vectors instead of NaN."""

LARGEST_VALUE = 1000.0
"""Largest size of a value in a table; a training that comes to more has diverged, though no value is infinite yet.

Trained values are below 10 at any learning rate of SGD and AdaGrad up to 1, any number of negatives and up to 4000 epochs, on paths, stars,
cliques and random graphs; RMSprop and Adam at lr 1, a thousand times that of auto, come to 410. Momentum at lr 0.5 came to 1e14."""


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
