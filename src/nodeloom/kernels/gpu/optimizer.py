"""One optimizer step on rows, in Triton; :mod:`nodeloom.kernels.reference.optimizer` is the definition."""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._triton import jit, tl, triton

SGD, MOMENTUM, ADAGRAD, RMSPROP, ADAM = range(5)

_SGD, _MOMENTUM, _ADAGRAD, _RMSPROP = (
    tl.constexpr(SGD),
    tl.constexpr(MOMENTUM),
    tl.constexpr(ADAGRAD),
    tl.constexpr(RMSPROP),
)


@jit
def clipped(square, rate, largest):
    """Return the rate of rows [R] whose gradients have the squared lengths `square`, so that none moves by more than `largest`."""
    length = rate * tl.sqrt(square)
    return tl.where(length > largest, rate * (largest / tl.maximum(length, 1e-30)), rate)


@jit
def moment_change(gradient, moment1, moment2, at, mask, rate, a, b, c, OPTIMIZER: tl.constexpr):
    """Update the moments of rows at the offsets `at` [R, D] and return what is added to the rows; all but SGD."""
    # Not from what a multiprocessor has kept: others change moments too.
    m = tl.load(moment1 + at, mask=mask, other=0.0, cache_modifier=".cg")
    if OPTIMIZER == _MOMENTUM:
        m = a * m + (1.0 - a) * gradient
        change = -rate * m
    elif OPTIMIZER == _ADAGRAD:
        m += gradient * gradient
        change = -rate * gradient / (tl.sqrt(m) + a)
    elif OPTIMIZER == _RMSPROP:
        m = a * m + (1.0 - a) * gradient * gradient
        change = -rate * gradient / tl.sqrt(m + b)
    else:
        m = a * m + (1.0 - a) * gradient
        v = tl.load(moment2 + at, mask=mask, other=0.0, cache_modifier=".cg")
        v = b * v + (1.0 - b) * gradient * gradient
        tl.store(moment2 + at, v, mask=mask)
        change = -rate * m / (tl.sqrt(v) + c)
    tl.store(moment1 + at, m, mask=mask)
    return change


@jit
def _update_row(
    row, moment1, moment2, gradient, dim, decay, lr, a, b, c, OPTIMIZER: tl.constexpr, CLIP: tl.constexpr, D: tl.constexpr
):  # fmt: skip
    at = tl.arange(0, D)[None, :]
    mask = at < dim
    p = tl.load(row + at, mask=mask, other=0.0)
    g = tl.load(gradient + at, mask=mask, other=0.0) + decay * p
    if OPTIMIZER == _SGD:
        rate = clipped(tl.sum(g * g, 1), lr, a)[:, None] if CLIP else lr
        change = -rate * g
    else:
        change = moment_change(g, moment1, moment2, at, mask, lr, a, b, c, OPTIMIZER)
    tl.store(row + at, p + change, mask=mask)


def update_row(
    optimizer: int,
    row: torch.Tensor,
    moment1: torch.Tensor | None,
    moment2: torch.Tensor | None,
    gradient: torch.Tensor,
    dim: int,
    decay: float,
    lr: float,
    settings: torch.Tensor,
) -> None:
    """Change a row by one step along ``gradient + decay * row``; training does the same inside of its kernel.

    Parameters
    ----------
    optimizer : int
        SGD, MOMENTUM, ADAGRAD, RMSPROP or ADAM.
    row, moment1, moment2, gradient : float32 [dim]
        On one device; None for a moment that the optimizer does not use.
    dim : int
        Length of the row.
    decay, lr : float
        Weight decay times the sum of the weights of the row's samples; learning rate.
    settings : float32 [4]
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    """
    a, b, c, _ = (float(value) for value in settings)
    clip = optimizer == SGD and a > 0.0
    first = row if moment1 is None else moment1
    second = row if moment2 is None else moment2
    _update_row[(1,)](
        row, first, second, gradient, dim, decay, lr, a, b, c,
        OPTIMIZER=optimizer, CLIP=clip, D=triton.next_power_of_2(dim),
    )  # fmt: skip
