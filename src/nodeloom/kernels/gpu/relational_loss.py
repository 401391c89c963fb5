"""Losses of triples and their regularizers; :mod:`nodeloom.kernels.reference.relational_loss` is the definition."""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._losses import CROSS_ENTROPY, MARGIN, SELF_ADVERSARIAL, losses
from nodeloom.kernels.gpu._triton import jit, on_device_of, tl, triton


def _of_scores(loss, positive, negative, margin=0.0, temperature=0.0):
    positive, negative = positive.float().contiguous(), negative.float().contiguous()
    d_positive, values = torch.empty_like(positive), torch.empty_like(positive)
    d_negative = torch.empty_like(negative)
    losses(loss, positive, negative, d_positive, d_negative, values, margin=margin, temperature=temperature)
    return values.sum(), d_positive, d_negative


def cross_entropy(positive, negative):
    """Return the soft-max cross entropy of the truth among itself and the negatives, and the gradients of both scores.

    Parameters
    ----------
    positive, negative : float32 [B], float32 [B, K]
        Scores; minus infinity leaves a negative out.
    """
    return _of_scores(CROSS_ENTROPY, positive, negative)


def self_adversarial(positive, negative, margin, temperature):
    """Return the self-adversarial loss and the gradients of both scores; see :func:`cross_entropy`."""
    return _of_scores(SELF_ADVERSARIAL, positive, negative, margin, temperature)


def logistic(positive, negative):
    """Return the logistic loss and the gradients of both scores; see :func:`cross_entropy`."""
    return _of_scores(SELF_ADVERSARIAL, positive, negative)


def margin(positive, negative, margin):
    """Return the margin loss and the gradients of both scores; see :func:`cross_entropy`."""
    return _of_scores(MARGIN, positive, negative, margin)


@jit
def _n3(rows, values, gradients, num_number, scale, share, PARTS: tl.constexpr, P: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    number = tl.arange(0, P)[None, :]
    mask = (number < num_number) & (tl.arange(0, PARTS)[:, None] >= 0)
    at = row * num_number * PARTS + tl.arange(0, PARTS)[:, None] * num_number + number
    x = tl.load(rows + at, mask=mask, other=0.0)
    modulus = tl.sqrt(tl.sum(x * x, 0))
    tl.store(gradients + at, scale * 3.0 * modulus[None, :] * x, mask=mask)
    tl.store(values + row, share * tl.sum(modulus * modulus * modulus, 0))


def n3(rows, num_part):
    """Return the nuclear 3-norm, a mean over the rows [B, D], and its gradient; `num_part` is the number of values of a number."""
    num, dim = rows.shape
    values, gradients = torch.empty(num, device=rows.device), torch.empty(num, dim, device=rows.device)
    number = dim // num_part
    with on_device_of(rows):
        _n3[(num,)](
            rows.float().contiguous(), values, gradients, number, 1.0 / num, 1.0 / num,
            PARTS=num_part, P=triton.next_power_of_2(number), num_warps=4,
        )  # fmt: skip
    return values.sum(), gradients
