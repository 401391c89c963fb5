"""The optimizers by name, with the settings that tests give them."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.reference.optimizer import ADAGRAD, ADAM, MOMENTUM, RMSPROP, SGD

SETTINGS = {
    "SGD": (SGD, [0.0]),
    "SGD with a largest step": (SGD, [0.02]),
    "Momentum": (MOMENTUM, [0.9]),
    "AdaGrad": (ADAGRAD, [1e-10]),
    "RMSprop": (RMSPROP, [0.9, 1e-8]),
    "Adam": (ADAM, [0.9, 0.99, 1e-8]),
    "Adam as in GraphVite": (ADAM, [0.999, 0.99999, 1e-8]),
}


def settings_array(name, real=np.float32):
    optimizer, values = SETTINGS[name]
    return optimizer, np.array(values + [np.nan] * (4 - len(values)), np.float32).astype(real)
