"""Losses of the scores of queries in Triton.

A program takes the scores of a query, however many, in two passes, and puts their gradients in their place where it is asked to.
"""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import jit, on_device_of, tl, triton

CROSS_ENTROPY, SELF_ADVERSARIAL, MARGIN = range(3)
CODES = {
    "cross_entropy": CROSS_ENTROPY,
    "self_adversarial": SELF_ADVERSARIAL,
    "logistic": SELF_ADVERSARIAL,
    "margin": MARGIN,
}

_CROSS_ENTROPY, _SELF_ADVERSARIAL, _MARGIN = (tl.constexpr(code) for code in (CROSS_ENTROPY, SELF_ADVERSARIAL, MARGIN))
_LOWEST = tl.constexpr(-3e38)
_WIDEST = 4096  # scores that a program reads at a time


@jit
def _log1pexp(x):
    """Return ``log(1 + exp(x))``."""
    return tl.maximum(x, 0.0) + tl.log(1.0 + tl.exp(-tl.abs(x)))


@jit
def _sigmoid(x):
    small = tl.exp(-tl.abs(x))
    return tl.where(x >= 0.0, 1.0, small) / (1.0 + small)


@jit
def _negatives(
    scores, at, begin, count, correction, ids, tail, CORRECTED: tl.constexpr, MASKED: tl.constexpr, W: tl.constexpr
):
    """Return scores ``begin ... begin + W`` of a row, minus infinity where there is none."""
    column = begin + tl.arange(0, W)
    live = column < count
    score = tl.load(scores + at + column, mask=live, other=float("-inf")).to(tl.float32)
    if CORRECTED:
        score -= tl.load(correction + column, mask=live, other=0.0)
    if MASKED:
        score = tl.where(tl.load(ids + column, mask=live, other=-1) == tail, float("-inf"), score)
    return score, column


@jit
def _losses(
    positive, negative, targets, correction, ids, tails, weights, losses, d_positive, d_negative, count, padded, stride, d_stride,
    share, margin, temperature,
    LOSS: tl.constexpr, TARGETS: tl.constexpr, CORRECTED: tl.constexpr, MASKED: tl.constexpr, WEIGHTED: tl.constexpr, W: tl.constexpr,
):  # fmt: skip
    row = tl.program_id(0).to(tl.int64)
    at, d_at = row * stride, row * d_stride
    out_type = d_negative.dtype.element_ty
    if WEIGHTED:
        share *= tl.load(weights + row)
    tail = 0
    if MASKED:
        tail = tl.load(tails + row)
    target = -1
    if TARGETS:
        target = tl.load(targets + row).to(tl.int32)
        true = tl.load(negative + at + target).to(tl.float32)
    else:
        true = tl.load(positive + row)
    scale = temperature if LOSS == _SELF_ADVERSARIAL else 1.0
    # The first pass: the largest score and the sum of exponentials; of margins the violations and how many negatives there are.
    largest = tl.zeros([W], tl.float32) + _LOWEST
    total = tl.zeros([W], tl.float32)
    sums = tl.zeros([W], tl.float32)
    if LOSS == _CROSS_ENTROPY:
        largest = tl.where(tl.arange(0, W) == 0, tl.maximum(true, _LOWEST), largest)
        total = tl.where(tl.arange(0, W) == 0, 1.0, total)
    for begin in range(0, count, W):
        score, column = _negatives(negative, at, begin, count, correction, ids, tail, CORRECTED, MASKED, W)
        left_out = (score == float("-inf")) | (column == target)
        x = tl.where(left_out, 0.0, score)
        if LOSS == _MARGIN:
            violation = tl.where(left_out, 0.0, tl.maximum(margin - true + x, 0.0))
            sums += violation
            total += tl.where(violation > 0.0, 1.0, 0.0)
            largest = tl.maximum(largest, 0.0) + tl.where(left_out, 0.0, 1.0)
        else:
            x = tl.where(left_out, _LOWEST, x * scale)
            above = tl.maximum(largest, x)
            total = total * tl.exp(largest - above) + tl.where(left_out, 0.0, tl.exp(x - above))
            largest = above
    if LOSS == _MARGIN:
        number = tl.maximum(tl.sum(tl.maximum(largest, 0.0), 0), 1.0)
        loss = tl.sum(sums, 0) / number
        d_true = -tl.sum(total, 0) / number
        peak = 0.0
        whole = number
    else:
        peak = tl.max(largest, 0)
        whole = tl.sum(total * tl.exp(largest - peak), 0)
        whole = tl.where(whole > 0.0, whole, 1.0)  # all negatives are left out
        if LOSS == _CROSS_ENTROPY:
            loss = tl.log(whole) + peak - true
            d_true = tl.exp(true - peak) / whole - 1.0
        else:
            loss = 0.5 * _log1pexp(-margin - true)
            d_true = -0.5 * _sigmoid(-margin - true)
    # The second pass: gradients.
    for begin in range(0, padded, W):
        score, column = _negatives(negative, at, begin, count, correction, ids, tail, CORRECTED, MASKED, W)
        left_out = (score == float("-inf")) | (column == target)
        x = tl.where(left_out, 0.0, score)
        if LOSS == _MARGIN:
            slope = tl.where(margin - true + x > 0.0, 1.0 / whole, 0.0)
        else:
            slope = tl.exp(tl.where(left_out, peak, x * scale) - peak) / whole
            if LOSS == _SELF_ADVERSARIAL:
                sums += tl.where(left_out, 0.0, 0.5 * slope * _log1pexp(margin + x))
                slope = 0.5 * slope * _sigmoid(margin + x)
        slope = tl.where(left_out, 0.0, slope)
        if TARGETS:
            slope = tl.where(column == target, d_true, slope)
        tl.store(d_negative + d_at + column, (slope * share).to(out_type), mask=column < padded)
    if LOSS == _SELF_ADVERSARIAL:
        loss += tl.sum(sums, 0)
    tl.store(losses + row, loss * share)
    tl.store(d_positive + row, d_true * share)


def losses(
    loss, positive, negative, d_positive, d_negative, values, *,
    margin=0.0, temperature=0.0, count=None, targets=None, correction=None, ids=None, tails=None, weights=None,
):  # fmt: skip
    """Write the losses of queries and the gradients of their scores.

    Parameters
    ----------
    loss : int
        CROSS_ENTROPY, SELF_ADVERSARIAL or MARGIN.
    positive : float32 [B]
        Scores of the true tails; not read with `targets`.
    negative : float32 or bfloat16 [B, K or more]
        Scores of the negatives, or of all entities.
    d_positive, d_negative : float32 [B], float32 or bfloat16 [B, K or more]
        Written: the gradients; `d_negative` may be `negative`, and gets zeros in columns from `count` on.
    values : float32 [B]
        Written: the losses; their sum is the loss.
    margin, temperature : float
        See the definition.
    count : int, optional
        Columns of `negative` that are scores; all of them by default.
    targets : int64 [B], optional
        The columns of the true tails among all entities; their gradients are in `d_negative`.
    correction : float32 [K], optional
        Subtracted from the scores of negatives: the logarithms of their expected counts.
    ids, tails : int [K], int [B], optional
        Entities of the negatives and of the truth: a negative that is the truth is left out.
    weights : float32 [B], optional
        Weights of the triples.
    """
    num, width = negative.shape
    count = width if count is None else count
    if num == 0:
        return
    with on_device_of(negative):
        _losses[(num,)](
            positive, negative, targets, correction, ids, tails, weights, values, d_positive, d_negative, count, width,
            negative.stride(0), d_negative.stride(0), 1.0 / num, margin, temperature,
            LOSS=loss, TARGETS=targets is not None, CORRECTED=correction is not None, MASKED=ids is not None,
            WEIGHTED=weights is not None, W=_width(width), num_warps=8 if width > 2048 else 4,
        )  # fmt: skip


def _width(count):
    return min(_WIDEST, max(16, triton.next_power_of_2(count)))
