"""The steps of a batch of triples beside its products; :mod:`nodeloom.kernels.reference.triples` is the definition of the whole.

Queries are independent of each other, and so are the rows that are updated: threads take slices of either, and no number depends on
how many there are.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu._relational_rows import DOT, add_slope, query, query_gradient, score
from nodeloom.kernels.cpu.optimizer import ADAGRAD, ADAM, MOMENTUM, RMSPROP, SGD
from nodeloom.kernels.cpu.relational_loss import add_cubes

_ZERO, _ONE, _TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@jit
def ask(operator, comparator, entity, relation, heads, relations, tails, asked, positive):
    """Write the queries of a batch, and the scores of their truths.

    Parameters
    ----------
    operator, comparator : int
        How a triple is scored.
    entity : float32 [N, D]
        Entities.
    relation : float32 [2 R, Dr]
        Relations, each with its inverse behind it.
    heads, relations, tails : int32 [B]
        The triples.
    asked, positive : float32 [B, D], float32 [B]
        Written.
    """
    for b in range(len(heads)):
        query(operator, entity[heads[b]], relation[relations[b]], asked[b])
        positive[b] = score(comparator, asked[b], entity[tails[b]])


@jit
def leave_out(scores, tails, candidates, correction):
    """Subtract what corrects the score of each candidate, and leave the truth of each query out.

    Parameters
    ----------
    scores : float32 [B, K]
        Written: minus infinity leaves a candidate out.
    tails : int32 [B]
        The truths.
    candidates : int32 [K] or [0]
        Entities of the columns; of all entities in their order if there are none.
    correction : float32 [K] or [0]
        The logarithm of the expected count of each; none for no correction.
    """
    for b in range(len(scores)):
        row, tail = scores[b], tails[b]
        if len(correction) > 0:
            for k in range(len(row)):
                row[k] -= correction[k]
        if len(candidates) == 0:
            row[tail] = -np.inf
        else:
            for k in range(len(row)):
                row[k] = -np.inf if candidates[k] == tail else row[k]


@jit
def answer(
    operator, comparator, num_part, n3, dura, entity, relation, heads, relations, tails, asked, weights, d_positive, d_queries, d_heads,
    d_relations, d_tails,
):  # fmt: skip
    """Write the gradients of the rows of a batch, given those of the queries by their negatives, and of the scores of their truths.

    Parameters
    ----------
    operator, comparator, entity, relation, heads, relations, tails, asked
        As :func:`ask`.
    num_part : int
        Real values of a number.
    n3, dura : float32
        Weights of the regularizers.
    weights, d_positive : float32 [B]
        Weights of the queries, and gradients of the scores of their truths.
    d_queries : float32 [B, D]
        Changed.
    d_heads, d_relations, d_tails : float32 [B, D], float32 [B, Dr], float32 [B, D]
        Written.
    """
    for b in range(len(heads)):
        head, tail, row = entity[heads[b]], entity[tails[b]], relation[relations[b]]
        weight, slope, d_query, d_tail = weights[b], d_positive[b], d_queries[b], d_tails[b]
        if comparator == DOT:
            for d in range(len(tail)):
                d_query[d] += slope * tail[d]
                d_tail[d] = slope * asked[b, d]
        else:
            d_tail[:] = _ZERO
            add_slope(comparator, asked[b], tail, slope, d_tail)
            for d in range(len(tail)):  # the slope in the query; in the row it is the opposite
                d_query[d] += d_tail[d]
                d_tail[d] = -d_tail[d]
        if dura > _ZERO:
            factor = _TWO * dura * weight
            for d in range(len(tail)):
                d_query[d] += factor * asked[b, d]
                d_tail[d] += factor * tail[d]
        query_gradient(operator, head, row, d_query, d_heads[b], d_relations[b])
        if n3 > _ZERO:
            factor = n3 * weight
            add_cubes(head, num_part, factor, d_heads[b])
            add_cubes(tail, num_part, factor, d_tail)
            add_cubes(row, num_part, factor, d_relations[b])


@jit
def group(rows, place, found, bounds, order):
    """Bring together the places of each row among many, in their order; return how many different rows there are.

    Parameters
    ----------
    rows : int32 [M]
        Rows, some of them several times.
    place : int32 [N]
        -1 for each row of the table; the same again at the end.
    found, bounds, order : int32 [M], int32 [M + 1], int32 [M]
        Written: the different rows, and the bounds of the places of each in `order`.
    """
    count = 0
    for m in range(len(rows)):
        row = rows[m]
        if place[row] < 0:
            place[row] = count
            found[count] = row
            bounds[count + 1] = 0
            count += 1
        bounds[place[row] + 1] += 1
    bounds[0] = 0
    for number in range(count):
        bounds[number + 1] += bounds[number]
    for m in range(len(rows) - 1, -1, -1):
        number = place[rows[m]] + 1
        bounds[number] -= 1
        order[bounds[number]] = m
    for number in range(count):  # bounds[number + 1] is where the places of a row begin now
        bounds[number] = bounds[number + 1]
        place[found[number]] = -1
    bounds[count] = len(rows)
    return count


@jit
def update(optimizer, table, moment1, moment2, gradients, found, bounds, order, first, last, decay, lr, settings):
    """Move rows of a table by the sums of their gradients.

    Parameters
    ----------
    optimizer : int
        As :func:`nodeloom.kernels.reference.optimizer.update_row`.
    table : float32 [N, D]
        The table.
    moment1, moment2 : float32 [N, D], [N, 1] or [0, D]
        Moments; AdaGrad with one value for a row adds the mean of its squares.
    gradients : float32 [M, D]
        Gradients.
    found, bounds, order
        From :func:`group`.
    first, last : int
        The rows of `found` to move.
    decay, lr : float32
        Weight decay, learning rate.
    settings : float32 [4]
        Of the optimizer.
    """
    dim = table.shape[1]
    total = np.empty(dim, np.float32)
    for number in range(first, last):
        at = found[number]
        row = table[at]
        for d in range(dim):
            total[d] = decay * row[d]
        for m in range(bounds[number], bounds[number + 1]):
            gradient = gradients[order[m]]
            for d in range(dim):
                total[d] += gradient[d]
        if optimizer == SGD:
            step = lr
            if settings[0] > _ZERO:
                length = _ZERO
                for d in range(dim):
                    length += total[d] * total[d]
                length = lr * np.sqrt(length)
                if length > settings[0]:
                    step = lr * (settings[0] / length)
            for d in range(dim):
                row[d] -= step * total[d]
        elif optimizer == ADAGRAD and moment1.shape[1] < dim:
            square = _ZERO
            for d in range(dim):
                square += total[d] * total[d]
            moment1[at, 0] += square / np.float32(dim)
            step = lr / (np.sqrt(moment1[at, 0]) + settings[0])
            for d in range(dim):
                row[d] -= step * total[d]
        elif optimizer == ADAGRAD:
            moment = moment1[at]
            for d in range(dim):
                moment[d] += total[d] * total[d]
                row[d] -= lr * total[d] / (np.sqrt(moment[d]) + settings[0])
        elif optimizer == MOMENTUM:
            moment = moment1[at]
            for d in range(dim):
                moment[d] = settings[0] * moment[d] + (_ONE - settings[0]) * total[d]
                row[d] -= lr * moment[d]
        elif optimizer == RMSPROP:
            moment = moment1[at]
            for d in range(dim):
                moment[d] = settings[0] * moment[d] + (_ONE - settings[0]) * total[d] * total[d]
                row[d] -= lr * total[d] / np.sqrt(moment[d] + settings[1])
        elif optimizer == ADAM:
            moment, second = moment1[at], moment2[at]
            for d in range(dim):
                moment[d] = settings[0] * moment[d] + (_ONE - settings[0]) * total[d]
                second[d] = settings[1] * second[d] + (_ONE - settings[1]) * total[d] * total[d]
                row[d] -= lr * moment[d] / (np.sqrt(second[d]) + settings[2])


@jit
def mark_members(rows, bounds, items, candidates, marked):
    """Mark the candidates that are among the items of a row.

    Parameters
    ----------
    rows : int64 [B]
        Rows; -1 for one without items.
    bounds, items : int64 [M + 1], int32 [nnz]
        The items of each row, ascending.
    candidates : int32 [K] or [0]
        Entities of the columns; of all entities in their order if there are none.
    marked : bool [B, K]
        Written.
    """
    for b in range(len(rows)):
        row = rows[b]
        marked[b, :] = False
        if row < 0:
            continue
        first, last = bounds[row], bounds[row + 1]
        if len(candidates) == 0:
            for i in range(first, last):
                marked[b, items[i]] = True
            continue
        for k in range(len(candidates)):
            low, high = first, last
            while low < high:
                middle = (low + high) // 2
                if items[middle] < candidates[k]:
                    low = middle + 1
                else:
                    high = middle
            marked[b, k] = low < last and items[low] == candidates[k]
