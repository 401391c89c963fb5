"""One optimizer step on one row, in plain NumPy: the definition of :mod:`nodeloom.kernels.cpu.optimizer`.

The formulas are GraphVite's (``include/core/optimizer.h``): momentum is an exponential average, and Adam has no bias
correction.
"""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray

SGD, MOMENTUM, ADAGRAD, RMSPROP, ADAM = range(5)


def update_row(
    optimizer: int,
    row: DoubleArray,
    moment1: DoubleArray | None,
    moment2: DoubleArray | None,
    gradient: DoubleArray,
    dim: int,
    decay: float,
    lr: float,
    settings: DoubleArray,
) -> None:
    """Change a row by one step along ``g = gradient + decay * row``.

    Parameters
    ----------
    optimizer : int
        SGD, MOMENTUM, ADAGRAD, RMSPROP or ADAM.
    row, moment1, moment2 : float64 [dim]
        Views of the tables, changed in place; None for a moment that the optimizer does not use.
    gradient : float64 [dim]
        Derivative of the loss.
    dim : int
        Length of the row.
    decay : float
        Weight decay times the sum of the weights of the row's samples.
    lr : float
        Learning rate.
    settings : float [4]
        SGD: largest step (Euclidean length), 0 for none. Momentum: mu. AdaGrad: epsilon. RMSprop: alpha, epsilon.
        Adam: beta1, beta2, epsilon.

    Raises
    ------
    ValueError
        `optimizer` is none of the five.
    """
    p, m, v = row[:dim], moment1, moment2
    g = gradient[:dim] + decay * p
    if optimizer == SGD:
        largest = settings[0]
        delta = lr * g
        length = np.sqrt(np.sum(delta * delta))
        if 0.0 < largest < length:
            delta = delta * (largest / length)
        p -= delta
    elif optimizer == MOMENTUM:
        mu = settings[0]
        assert m is not None
        m[:dim] = mu * m[:dim] + (1.0 - mu) * g
        p -= lr * m[:dim]
    elif optimizer == ADAGRAD:
        epsilon = settings[0]
        assert m is not None
        m[:dim] = m[:dim] + g * g
        p -= lr * g / (np.sqrt(m[:dim]) + epsilon)
    elif optimizer == RMSPROP:
        alpha, epsilon = settings[0], settings[1]
        assert m is not None
        m[:dim] = alpha * m[:dim] + (1.0 - alpha) * g * g
        p -= lr * g / np.sqrt(m[:dim] + epsilon)
    elif optimizer == ADAM:
        beta1, beta2, epsilon = settings[0], settings[1], settings[2]
        assert m is not None and v is not None
        m[:dim] = beta1 * m[:dim] + (1.0 - beta1) * g
        v[:dim] = beta2 * v[:dim] + (1.0 - beta2) * g * g
        p -= lr * m[:dim] / (np.sqrt(v[:dim]) + epsilon)
    else:
        raise ValueError(f"optimizer {optimizer} is none of 0 .. 4")
