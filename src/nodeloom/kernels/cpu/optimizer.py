"""One optimizer step on one row; :mod:`nodeloom.kernels.reference.optimizer` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd import rows

SGD, MOMENTUM, ADAGRAD, RMSPROP, ADAM = range(5)


@jit
def update_row(optimizer, row, moment1, moment2, gradient, dim, decay, lr, settings):
    """Change a row by one step along ``gradient + decay * row``.

    Parameters
    ----------
    optimizer : int
        SGD, MOMENTUM, ADAGRAD, RMSPROP or ADAM.
    row, moment1, moment2, gradient : int
        Addresses of `dim` floats each. A moment that the optimizer does not use is not read.
    dim : int
        A multiple of 16.
    decay : float32
        Weight decay times the sum of the weights of the row's samples.
    lr : float32
        Learning rate.
    settings : float32 [4]
        SGD: largest step (Euclidean length), 0 for none. Momentum: mu. AdaGrad: epsilon. RMSprop: alpha, epsilon.
        Adam: beta1, beta2, epsilon.
    """
    if optimizer == SGD:
        step = lr
        largest = settings[0]
        if largest > 0.0:
            length = lr * np.sqrt(rows.squared_length(row, gradient, dim, decay))
            if length > largest:
                step = lr * (largest / length)
        rows.sgd(row, gradient, dim, decay, step)
    elif optimizer == MOMENTUM:
        rows.momentum(row, moment1, gradient, dim, decay, lr, settings[0])
    elif optimizer == ADAGRAD:
        rows.adagrad(row, moment1, gradient, dim, decay, lr, settings[0])
    elif optimizer == RMSPROP:
        rows.rmsprop(row, moment1, gradient, dim, decay, lr, settings[0], settings[1])
    else:
        rows.adam(row, moment1, moment2, gradient, dim, decay, lr, settings[0], settings[1], settings[2])
