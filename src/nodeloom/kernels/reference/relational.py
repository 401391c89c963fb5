"""Queries and scores of triples, and their gradients, as the formulas say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nodeloom.typing import Comparator, Floats, Operator


def queries(operator: Operator, heads: Floats, relations: Floats) -> Floats:
    """Return the queries ``f(head, relation)``, [B, D].

    Parameters
    ----------
    operator : str
        See :class:`nodeloom.model.relational.Relational`.
    heads : float [B, D]
        Entity rows.
    relations : float [B, D], rotate: [B, D / 2]
        Relation rows of the direction that is asked for; rotations in radians.
    """
    match operator:
        case "translate":
            return heads + relations
        case "multiply":
            return heads * relations
        case "swap":
            return _swapped(heads * relations)
        case "complex":
            return _complex(heads, relations)
        case "rotate":
            return _complex(heads, _turns(relations))
        case "hamilton":
            return _hamilton(heads, relations)


def query_gradients(operator: Operator, heads: Floats, relations: Floats, d_queries: Floats) -> tuple[Floats, Floats]:
    """Return the gradients of the head rows and of the relation rows, given that of the queries."""
    match operator:
        case "translate":
            return d_queries, d_queries
        case "multiply":
            return d_queries * relations, d_queries * heads
        case "swap":
            return _swapped(d_queries) * relations, _swapped(d_queries) * heads
        case "complex":
            return _complex(d_queries, _conjugate(relations)), _complex(d_queries, _conjugate(heads))
        case "rotate":
            turned = _turns(relations)
            real, imaginary = np.split(_complex(d_queries, _conjugate(_complex(heads, turned))), 2, axis=1)
            del real  # a phase moves a query at a right angle: dq/dphase = i q
            return _complex(d_queries, _conjugate(turned)), imaginary
        case "hamilton":
            return _hamilton(d_queries, _opposite(relations)), _hamilton(_opposite(heads), d_queries)


def scores(comparator: Comparator, asked: Floats, candidates: Floats) -> Floats:
    """Return the scores of queries [B, D] with candidate rows [K, D], [B, K]."""
    if comparator == "dot":
        return asked @ candidates.T
    difference = asked[:, None] - candidates[None]
    match comparator:
        case "l1":
            return -np.abs(difference).sum(axis=2)
        case "l2":
            return -np.sqrt((difference**2).sum(axis=2))
        case "squared":
            return -(difference**2).sum(axis=2)
        case "modulus":
            return -_moduli(difference).sum(axis=2)


def score_gradients(
    comparator: Comparator, asked: Floats, candidates: Floats, d_scores: Floats
) -> tuple[Floats, Floats]:
    """Return the gradients of the queries and of the candidates, given that of the scores [B, K]; at a distance of 0 it is 0."""
    if comparator == "dot":
        return d_scores @ candidates, d_scores.T @ asked
    difference = asked[:, None] - candidates[None]
    match comparator:
        case "l1":
            slope = np.sign(difference)
        case "l2":
            slope = difference / _nonzero(np.sqrt((difference**2).sum(axis=2, keepdims=True)))
        case "squared":
            slope = 2.0 * difference
        case "modulus":
            moduli = _nonzero(_moduli(difference))
            slope = difference / np.concatenate([moduli, moduli], axis=2)
    moved = d_scores[:, :, None] * slope
    return -moved.sum(axis=1), moved.sum(axis=0)


def _swapped(rows: Floats) -> Floats:
    return np.roll(rows, rows.shape[1] // 2, axis=1)


def _turns(phases: Floats) -> Floats:
    return np.concatenate([np.cos(phases), np.sin(phases)], axis=1)


def _complex(a: Floats, b: Floats) -> Floats:
    (ar, ai), (br, bi) = np.split(a, 2, axis=1), np.split(b, 2, axis=1)
    return np.concatenate([ar * br - ai * bi, ar * bi + ai * br], axis=1)


def _conjugate(a: Floats) -> Floats:
    real, imaginary = np.split(a, 2, axis=1)
    return np.concatenate([real, -imaginary], axis=1)


def _hamilton(a: Floats, b: Floats) -> Floats:
    (a0, a1, a2, a3), (b0, b1, b2, b3) = np.split(a, 4, axis=1), np.split(b, 4, axis=1)
    product = [
        a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3,
        a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2,
        a0 * b2 - a1 * b3 + a2 * b0 + a3 * b1,
        a0 * b3 + a1 * b2 - a2 * b1 + a3 * b0,
    ]
    return np.concatenate(product, axis=1)


def _opposite(a: Floats) -> Floats:
    """Return the conjugate quaternions."""
    first = a.shape[1] // 4
    return np.concatenate([a[:, :first], -a[:, first:]], axis=1)


def _moduli(rows: Floats) -> Floats:
    real, imaginary = np.split(rows, 2, axis=2)
    return np.sqrt(real**2 + imaginary**2)


def _nonzero(values: Floats) -> Floats:
    return np.where(values == 0.0, 1.0, values).astype(values.dtype)
