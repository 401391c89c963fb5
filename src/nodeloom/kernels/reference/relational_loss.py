"""Losses of triples and their regularizers, with gradients, as the formulas say.

All losses are means over the B queries. ``positive`` [B] are the scores of the true tails, ``negative`` [B, K] those of the
negatives; minus infinity leaves a negative out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nodeloom.typing import Floats


def cross_entropy(positive: Floats, negative: Floats) -> tuple[float, Floats, Floats]:
    """Return the soft-max cross entropy of the truth among itself and the negatives, and the gradients of both scores.

    With drawn negatives, the caller subtracts the logarithm of a negative's expected count from its score first
    (Jean et al., ACL 2015, equation 5).
    """
    logits = np.concatenate([positive[:, None], negative], axis=1)
    logits = logits - logits.max(axis=1, keepdims=True)
    total = np.exp(logits).sum(axis=1, keepdims=True)
    probability = np.exp(logits) / total
    loss = float((np.log(total[:, 0]) - logits[:, 0]).mean())
    return loss, (probability[:, 0] - 1.0) / len(positive), probability[:, 1:] / len(positive)


def self_adversarial(
    positive: Floats, negative: Floats, margin: float, temperature: float
) -> tuple[float, Floats, Floats]:
    """Return the self-adversarial loss (Sun et al., ICLR 2019, equations 5 and 6) and the gradients of both scores.

    ``-log sigmoid(margin + positive) - sum_k p_k log sigmoid(-margin - negative_k)``, halved, with
    ``p = softmax(temperature * negative)``, which is not differentiated. A temperature of 0 weighs negatives equally.
    """
    weights = (
        np.exp(temperature * (negative - negative.max(axis=1, keepdims=True)))
        if temperature
        else np.isfinite(negative) * 1.0
    )
    weights = weights / weights.sum(axis=1, keepdims=True)
    up, down = _sigmoid(-margin - positive), _sigmoid(margin + negative)
    with np.errstate(invalid="ignore"):
        pushed = np.where(weights > 0.0, weights * np.logaddexp(0.0, margin + negative), 0.0)
    loss = 0.5 * float((np.logaddexp(0.0, -margin - positive) + pushed.sum(axis=1)).mean())
    return loss, -0.5 * up / len(positive), 0.5 * weights * down / len(positive)


def logistic(positive: Floats, negative: Floats) -> tuple[float, Floats, Floats]:
    """Return the logistic loss, ``softplus(-positive) + mean_k softplus(negative_k)``, halved, and the gradients of both scores."""
    return self_adversarial(positive, negative, margin=0.0, temperature=0.0)


def margin(positive: Floats, negative: Floats, margin: float) -> tuple[float, Floats, Floats]:
    """Return the margin loss (Bordes et al., NIPS 2013, equation 1), ``mean_k max(0, margin - positive + negative_k)``, and gradients."""
    kept = np.isfinite(negative)
    count = np.maximum(kept.sum(axis=1, keepdims=True), 1)
    excess = np.where(kept, margin - positive[:, None] + np.where(kept, negative, 0.0), 0.0)
    slope = (excess > 0.0) / count / len(positive)
    loss = float((np.maximum(excess, 0.0) / count).sum(axis=1).mean())
    return loss, -slope.sum(axis=1), slope


def n3(rows: Floats, num_part: int) -> tuple[float, Floats]:
    """Return the nuclear 3-norm (Lacroix, Usunier, Obozinski, ICML 2018, equation 6) and its gradient: cubed moduli, mean over the rows.

    Parameters
    ----------
    rows : float [B, D]
        The rows of heads, relations or tails of a batch.
    num_part : int
        Real values of a number: 1, 2 (complex) or 4 (quaternions).
    """
    parts = np.stack(np.split(rows, num_part, axis=1))
    moduli = np.sqrt((parts**2).sum(axis=0))
    gradient = 3.0 * moduli[None] * parts / len(rows)
    return float((moduli**3).sum() / len(rows)), np.concatenate(list(gradient), axis=1)


def dura(queries: Floats, tails: Floats) -> tuple[float, Floats, Floats]:
    """Return DURA (Zhang, Cai, Wang, NeurIPS 2020, equation 6) and the gradients of both rows.

    It is the sum of squares of queries and of tails, mean over the rows; the inverse queries bring its other half.

    Parameters
    ----------
    queries, tails : float [B, D]
        The queries of a batch, and the rows of their truths.
    """
    count = len(queries)
    value = float((queries**2).sum() + (tails**2).sum()) / count
    return value, 2.0 * queries / count, 2.0 * tails / count


def _sigmoid(values: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + np.exp(-values))
