"""A batch of triples, as the formulas say: what its rows are moved by."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from nodeloom.kernels.reference import relational, relational_loss

if TYPE_CHECKING:
    from nodeloom.typing import Comparator, DoubleArray, Floats, IndexArray, LossName, Operator


class Batch(NamedTuple):
    """The queries of a batch and their negatives.

    Attributes
    ----------
    heads, relations, tails : int [B]
        What is asked, relation 2 r or its inverse 2 r + 1; and the truth.
    weights : float [B]
        Weights of the queries.
    candidates : int [K]
        The negatives, for all queries.
    correction : float [K]
        Is subtracted from the scores of the negatives.
    left_out : bool [B, K]
        Negatives that do not count for a query, beside its truth.
    """

    heads: IndexArray
    relations: IndexArray
    tails: IndexArray
    weights: DoubleArray
    candidates: IndexArray
    correction: DoubleArray
    left_out: IndexArray


class Formula(NamedTuple):
    """What is minimised: see :class:`nodeloom.model.relational.Relational` and :class:`nodeloom.model.relational.TripleLoss`."""

    operator: Operator
    comparator: Comparator
    num_part: int
    loss: LossName
    margin: float = 0.0
    temperature: float = 0.0
    n3: float = 0.0
    dura: float = 0.0


def value(formula: Formula, entity: Floats, relation: Floats, batch: Batch) -> float:
    """Return what is minimised: the mean over the queries, each weighted, of the loss and of the regularizers.

    Parameters
    ----------
    formula : Formula
        What.
    entity, relation : float [N, D], float [2 R, Dr]
        The tables.
    batch : Batch
        The queries.
    """
    return sum(_query(formula, entity, relation, batch, b)[0] for b in range(len(batch.heads)))


def batch_gradients(formula: Formula, entity: Floats, relation: Floats, batch: Batch) -> tuple[float, Floats, Floats]:
    """Return the loss without its regularizers, and the gradients of both tables, those of the regularizers included."""
    d_entity, d_relation, loss = np.zeros_like(entity), np.zeros_like(relation), 0.0
    for b in range(len(batch.heads)):
        _, own, d_head, d_row, d_tail, d_candidates = _query(formula, entity, relation, batch, b)
        loss += own
        d_entity[batch.heads[b]] += d_head
        d_entity[batch.tails[b]] += d_tail
        d_relation[batch.relations[b]] += d_row
        np.add.at(d_entity, batch.candidates, d_candidates)
    return loss, d_entity, d_relation


def _query(
    formula: Formula, entity: Floats, relation: Floats, batch: Batch, b: int
) -> tuple[float, float, Floats, Floats, Floats, Floats]:
    """Return what one query adds: value, loss, and the gradients of head, relation, tail and candidates."""
    weight = float(batch.weights[b]) / len(batch.heads)
    head, row, tail = entity[batch.heads[b]][None], relation[batch.relations[b]][None], entity[batch.tails[b]][None]
    candidates = entity[batch.candidates]
    asked = relational.queries(formula.operator, head, row)
    positive = relational.scores(formula.comparator, asked, tail)[:, 0]
    negative = relational.scores(formula.comparator, asked, candidates) - batch.correction
    negative[0, batch.left_out[b] | (batch.candidates == batch.tails[b])] = -np.inf
    match formula.loss:
        case "cross entropy":
            loss, d_positive, d_negative = relational_loss.cross_entropy(positive, negative)
        case "margin":
            loss, d_positive, d_negative = relational_loss.margin(positive, negative, formula.margin)
        case "logistic":
            loss, d_positive, d_negative = relational_loss.logistic(positive, negative)
        case "self adversarial":
            loss, d_positive, d_negative = relational_loss.self_adversarial(
                positive, negative, formula.margin, formula.temperature
            )
    d_asked, d_candidates = relational.score_gradients(formula.comparator, asked, candidates, d_negative)
    more, d_tail = relational.score_gradients(formula.comparator, asked, tail, d_positive[:, None])
    total = loss
    squares, d_squares, d_truth = relational_loss.dura(asked, tail)
    total += formula.dura * squares
    d_asked = d_asked + more + formula.dura * d_squares
    d_tail = d_tail + formula.dura * d_truth
    d_head, d_row = relational.query_gradients(formula.operator, head, row, d_asked)
    slopes = []
    for rows, slope in ((head, d_head), (row, d_row), (tail, d_tail)):
        cubes, d_cubes = relational_loss.n3(rows, formula.num_part) if formula.n3 else (0.0, np.zeros_like(rows))
        total += formula.n3 * cubes
        slopes.append(weight * (slope + formula.n3 * d_cubes)[0])
    return weight * total, weight * loss, slopes[0], slopes[1], slopes[2], weight * d_candidates
