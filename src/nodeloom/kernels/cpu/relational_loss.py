"""Losses of triples and their regularizers on the CPU; :mod:`nodeloom.kernels.reference.relational_loss` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

CROSS_ENTROPY, SELF_ADVERSARIAL, MARGIN = range(3)

_ZERO, _ONE = np.float32(0.0), np.float32(1.0)
_LEAST = np.float32(-60.0)  # of an exponent: less would give numbers that processors are slow with


def cross_entropy(positive, negative):
    """Return the soft-max cross entropy of the truth among itself and the negatives, and the gradients of both scores."""
    return _loss(CROSS_ENTROPY, positive, negative, 0.0, 0.0)


def self_adversarial(positive, negative, margin, temperature):
    """Return the self-adversarial loss and the gradients of both scores."""
    return _loss(SELF_ADVERSARIAL, positive, negative, margin, temperature)


def logistic(positive, negative):
    """Return the logistic loss and the gradients of both scores."""
    return _loss(SELF_ADVERSARIAL, positive, negative, 0.0, 0.0)


def margin(positive, negative, margin):
    """Return the margin loss and the gradients of both scores."""
    return _loss(MARGIN, positive, negative, margin, 0.0)


def n3(rows, num_part):
    """Return the nuclear 3-norm of rows [B, D], and its gradient."""
    gradient = np.zeros_like(rows)
    value = _cubes(rows, num_part, np.float32(1.0 / len(rows)), gradient)
    return value / len(rows), gradient


def dura(queries, tails):
    """Return DURA of queries and tails [B, D], and the gradients of both."""
    scale = np.float32(2.0 / len(queries))
    value = float((queries.astype(np.float64) ** 2).sum() + (tails.astype(np.float64) ** 2).sum()) / len(queries)
    return value, scale * queries, scale * tails


def _loss(code, positive, negative, margin, temperature):
    slope, d_positive = negative.copy(), np.empty_like(positive)
    weights = np.full(len(positive), 1.0 / len(positive), np.float32)
    given = np.float32(margin), np.float32(temperature)
    value = loss_rows(code, *given, positive, slope, slope.max(axis=1), weights, d_positive)
    return value, d_positive, slope


@jit
def _cubes(rows, num_part, weight, gradient):
    total = 0.0
    for b in range(len(rows)):
        total += add_cubes(rows[b], num_part, weight, gradient[b])
    return total


@jit(inline=True)
def add_cubes(row, num_part, weight, gradient):
    """Add `weight` times the gradient of the sum of the cubed moduli of a row; return the sum."""
    total = _ZERO
    size = len(row) // num_part
    if num_part == 1:
        for d in range(size):
            modulus = np.abs(row[d])
            total += modulus * modulus * modulus
            gradient[d] += np.float32(3.0) * weight * modulus * row[d]
    elif num_part == 2:
        for d in range(size):
            a, b = row[d], row[size + d]
            modulus = np.sqrt(a * a + b * b)
            total += modulus * modulus * modulus
            gradient[d] += np.float32(3.0) * weight * modulus * a
            gradient[size + d] += np.float32(3.0) * weight * modulus * b
    else:
        for d in range(size):
            a, b, c, e = row[d], row[size + d], row[2 * size + d], row[3 * size + d]
            modulus = np.sqrt(a * a + b * b + c * c + e * e)
            total += modulus * modulus * modulus
            gradient[d] += np.float32(3.0) * weight * modulus * a
            gradient[size + d] += np.float32(3.0) * weight * modulus * b
            gradient[2 * size + d] += np.float32(3.0) * weight * modulus * c
            gradient[3 * size + d] += np.float32(3.0) * weight * modulus * e
    return total


@jit(inline=True)
def exp(x):
    """Return e^x to 1.2e-7 (Cephes), 0 below -60: the loop around it becomes vector instructions."""
    kept = min(max(x, _LEAST), np.float32(87.0))
    power = np.floor(kept * np.float32(1.44269504) + np.float32(0.5))
    rest = kept - power * np.float32(0.693359375) - power * np.float32(-2.12194440e-4)
    value = np.float32(1.9875691500e-4)
    value = value * rest + np.float32(1.3981999507e-3)
    value = value * rest + np.float32(8.3334519073e-3)
    value = value * rest + np.float32(4.1665795894e-2)
    value = value * rest + np.float32(1.6666665459e-1)
    value = value * rest + np.float32(5.0000001201e-1)
    value = value * rest * rest + rest + _ONE
    value *= np.int32((np.int32(power) + np.int32(127)) << np.int32(23)).view(np.float32)
    return value if x > _LEAST else _ZERO


@jit(inline=True)
def _sigmoid(x):
    return _ONE / (_ONE + exp(-x))


@jit(inline=True)
def _softplus(x):
    """Return log(1 + e^x): with z = y / (2 + y), log(1 + y) is 2 artanh(z), whose series has seven terms for z up to 1/3."""
    y = exp(-np.abs(x))
    z = y / (np.float32(2.0) + y)
    s = z * z
    series = np.float32(1.0 / 13.0)
    series = series * s + np.float32(1.0 / 11.0)
    series = series * s + np.float32(1.0 / 9.0)
    series = series * s + np.float32(1.0 / 7.0)
    series = series * s + np.float32(0.2)
    series = series * s + np.float32(1.0 / 3.0)
    series = series * s + _ONE
    return max(x, _ZERO) + np.float32(2.0) * z * series


@jit
def loss_rows(code, margin, temperature, positive, scores, largest, weights, d_positive):
    """Replace the scores of negatives [B, K] by the gradients of a loss; return the sum of the weighted losses.

    Parameters
    ----------
    code : int
        CROSS_ENTROPY, SELF_ADVERSARIAL or MARGIN.
    margin, temperature : float32
        Of the loss; a margin of 0 and a temperature of 0 make the self-adversarial loss the logistic one.
    positive : float32 [B]
        Scores of the truths.
    scores : float32 [B, K]
        Scores of the negatives, minus infinity for those left out; written.
    largest : float32 [B]
        The largest of each row.
    weights : float32 [B]
        Weights of the queries.
    d_positive : float32 [B]
        Written.
    """
    total = 0.0
    half = np.float32(0.5)
    for b in range(len(scores)):
        row, weight, truth = scores[b], weights[b], positive[b]
        if code == CROSS_ENTROPY:
            top = max(truth, largest[b])
            mass = _ZERO
            for k in range(len(row)):
                value = exp(row[k] - top)
                row[k] = value
                mass += value
            own = exp(truth - top)
            mass += own
            factor = weight / mass
            for k in range(len(row)):
                row[k] *= factor
            d_positive[b] = own * factor - weight
            total += weight * (np.log(mass) + top - truth)
        elif code == SELF_ADVERSARIAL:
            mass, pushed, top = _ZERO, _ZERO, largest[b]
            for k in range(len(row)):  # minus infinity has no weight, whatever the temperature
                mass += exp(temperature * (row[k] - top)) if row[k] > -np.inf else _ZERO
            factor = half * weight / mass if mass > _ZERO else _ZERO
            for k in range(len(row)):
                kept = max(row[k], np.float32(-1e30))
                value = factor * exp(temperature * (kept - top)) if row[k] > -np.inf else _ZERO
                pushed += value * _softplus(margin + kept)
                row[k] = value * _sigmoid(margin + kept)
            d_positive[b] = -half * weight * _sigmoid(-margin - truth)
            total += half * weight * _softplus(-margin - truth) + pushed
        else:
            count, excess, active = 0, _ZERO, 0
            for k in range(len(row)):
                count += row[k] > -np.inf
            factor = weight / np.float32(max(count, 1))
            for k in range(len(row)):
                over = margin - truth + row[k]
                if over > _ZERO:
                    active += 1
                    excess += over
                    row[k] = factor
                else:
                    row[k] = _ZERO
            d_positive[b] = -factor * np.float32(active)
            total += factor * excess
    return total
