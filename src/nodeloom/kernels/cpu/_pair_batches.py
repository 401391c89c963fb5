"""The positive pairs of a unit, trained in batches: pairs whose context rows are all different.

What the pairs of a batch do is the same as if they came one after the other, because none of them changes a row that another reads.
So their scores are computed side by side, where one pair alone would mostly wait for the result of the instruction before.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.optimizer import SGD, update_row
from nodeloom.kernels.cpu.simd import coefficients, gathered, rows

BATCH = 16
"""Pairs of a batch, at most: four groups of four, each of one head."""

STAMPS = 1024
"""Rows are told apart by this many last digits (a power of two)."""

AHEAD = 48
"""Pairs: how far ahead context rows are fetched, at most."""

_FOUR = gathered.FOUR
_F4, _I8 = 4, 8  # bytes of a float32, of an int64


@jit
def _gather(num_pair, pairs, at, head, left, stamps, stamp, batch, factors, nothing, x_at, context_at, size):
    """List up to four groups of up to four pairs whose context rows are all different, of one head each.

    Return (groups, next pair, head of the next pair, pairs of it that are left).
    """
    group = 0
    while group < _FOUR:
        while left == 0:
            head += 1
            if head == num_pair.size:
                return group, at, head, left
            left = num_pair[head]
        number = 0
        while number < min(_FOUR, left):
            row = pairs[at + number]
            place = row & (STAMPS - 1)
            if stamps[place] == stamp:  # this row or, seldom, one with the same last digits
                break
            stamps[place] = stamp
            batch[0, _FOUR * group + number] = context_at + row * size
            factors[4, _FOUR * group + number] = 1.0
            number += 1
        if number == 0:
            break
        for r in range(_FOUR * group + number, _FOUR * (group + 1)):
            batch[0, r] = nothing
            factors[4, r] = 0.0
        batch[2, group] = x_at + head * size
        at += number
        left -= number
        group += 1
    return group, at, head, left


@jit
def _factors(factors, num_lane, plain, rate, weight_decay, largest):
    """Turn scores into the factors of move_four: rows of `factors` are scores, c . c, x . x, sigmoids, 1 or 0, g, keep, step."""
    longest = (largest / rate) ** 2 if largest > 0.0 else np.float32(np.inf)  # squared gradient, above it steps are cut
    two, one = np.float32(2.0), np.float32(1.0)
    for r in range(num_lane):
        factors[5, r] = (factors[3, r] - one) * factors[4, r]
    if not plain:  # the gradient of the row, g x, is set instead of the row
        for r in range(num_lane):
            factors[6, r] = 0.0
            factors[7, r] = factors[5, r]
        return
    for r in range(num_lane):
        g = factors[5, r]
        length = g * g * factors[2, r] + weight_decay * (two * g * factors[0, r] + weight_decay * factors[1, r])
        step = rate
        if length > longest:
            step = largest / np.sqrt(length)
        factors[6, r] = one - step * weight_decay
        factors[7, r] = -step * g


@jit
def train_positives(
    num_pair, pairs, used, known, x_at, gradient_at, dim, context_at, context_m1, context_m2,
    rate, weight_decay, optimizer, settings, log_loss, factors, moved_at, batch, stamps, stamp, fetched,
):  # fmt: skip
    """Train the positive pairs of a unit: move their context rows and add to the gradients of the vertex rows.

    Return the loss, the last stamp, and up to which pair context rows are on their way.
    """
    size = _F4 * dim
    factors_at, batch_at = factors.ctypes.data, batch.ctypes.data
    line = _F4 * BATCH
    nothing = moved_at + BATCH * size  # a row of zeros in place of a pair that is not there
    plain = optimizer == SGD
    largest = settings[0] if plain else np.float32(0.0)
    loss = 0.0
    at, head, left = 0, -1, 0
    while at < used:
        stamp += 1
        num_group, at, head, left = _gather(
            num_pair, pairs, at, head, left, stamps, stamp, batch, factors, nothing, x_at, context_at, size
        )
        for r in range(_FOUR * num_group):
            batch[1, r] = batch[0, r] if plain else moved_at + r * size
        last = min(at + AHEAD, known)
        for q in range(num_group):
            x = batch[2, q]
            for r in range(2):
                batch[3, r] = nothing
                if fetched < last:
                    batch[3, r] = context_at + pairs[fetched] * size
                    fetched += 1
            to = factors_at + _F4 * _FOUR * q
            gathered.dot_four(x, batch_at + _I8 * _FOUR * q, dim, to, to + line, batch_at + 3 * _I8 * BATCH)
            square = rows.squared_length(x, x, dim, np.float32(0.0))
            for r in range(_FOUR * q, _FOUR * (q + 1)):
                factors[2, r] = square
        for r in range(BATCH):
            factors[3, r] = factors[0, r]
        coefficients.sigmoid(factors_at + 3 * line, BATCH)
        _factors(factors, _FOUR * num_group, plain, rate, weight_decay, largest)
        for q in range(num_group):
            for r in range(2):
                batch[3, r] = nothing
                if fetched < last:
                    batch[3, r] = context_at + pairs[fetched] * size
                    fetched += 1
            place = batch_at + _I8 * _FOUR * q
            gathered.move_four(
                batch[2, q], gradient_at - x_at + batch[2, q], place, place + _I8 * BATCH,
                factors_at + 5 * line + _F4 * _FOUR * q, BATCH, dim, batch_at + 3 * _I8 * BATCH,
            )  # fmt: skip
        if log_loss:
            for r in range(_FOUR * num_group):
                if factors[4, r] > 0.0:
                    loss -= np.log(factors[3, r] + 1e-15)
        if not plain:
            for r in range(_FOUR * num_group):
                if factors[4, r] > 0.0:
                    row = batch[0, r] - context_at
                    update_row(
                        optimizer, context_at + row, context_m1 + row, context_m2 + row, moved_at + r * size, dim,
                        weight_decay, rate, settings,
                    )  # fmt: skip
    return loss, stamp, fetched
