"""Random walks in plain NumPy, one step at a time: the definition of :mod:`nodeloom.kernels.cpu.walks`.

The key of a walk is the hash of the stream and the walk's number. Draw 0 of the key chooses the first node. Step s uses
the draws numbered ``s * 2^32 ...``, so that no step depends on how many draws another one took. A draw chooses an entry
of a row with its high bits and, on a weighted graph, keeps it or takes its alias with its low bits.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.reference.rng import below, draw, item_key, unit
from nodeloom.typing import DoubleArray, FloatArray, IndexArray, KeyArray, OffsetArray

MAX_TRIAL = 64
"""Rejections of one step before its distribution is computed exactly."""


def _bits(key: KeyArray, step: int, number: int) -> KeyArray:
    """Return draw `number` of a step."""
    return draw(key, (step << 32) + number)


def _choose(bits: KeyArray, prob: FloatArray, alias: IndexArray, first: int, count: int) -> int:
    """Choose one of the entries ``first .. first + count`` from their alias table, or uniformly where there is none."""
    entry = first + int(below(bits, count))
    if prob.size == 0 or unit(bits) < prob[entry]:
        return entry
    return first + int(alias[entry])


def first_order_walks(
    indptr: OffsetArray,
    indices: IndexArray,
    prob: FloatArray,
    alias: IndexArray,
    start_prob: FloatArray,
    start_alias: IndexArray,
    stream: int,
    first_walk: int,
    out: IndexArray,
) -> None:
    """Fill `out` [W, L + 1] with walks number ``first_walk ...``; see the CPU kernel for the arguments.

    The first node comes from the alias table `start_prob`, every other from the row of the node before it, in
    proportion to the weights. A walk ends at a node whose row is empty; -1 stands behind.
    """
    num_walk, length = out.shape
    for w in range(num_walk):
        key = item_key(stream, first_walk + w)
        node = _choose(_bits(key, 0, 0), start_prob, start_alias, 0, start_prob.size)
        out[w] = -1
        out[w, 0] = node
        for step in range(1, length):
            first, degree = int(indptr[node]), int(indptr[node + 1] - indptr[node])
            if degree == 0:
                break
            node = int(indices[_choose(_bits(key, step, 0), prob, alias, first, degree)])
            out[w, step] = node


def contains(indices: IndexArray, first: int, last: int, node: int) -> bool:
    """Tell whether ``indices[first:last]`` holds `node`."""
    return bool(np.any(indices[first:last] == node))


def second_order_biases(
    indptr: OffsetArray, indices: IndexArray, previous: int, node: int, p: float, q: float
) -> DoubleArray:
    """Return the bias of every entry of the row of `node`, reached from `previous`; float64 [degree].

    1/p back to `previous`, 1 to a node that `previous` has an edge to, 1/q to any other (node2vec, section 3.2.2).
    """
    biases = []
    for target in indices[indptr[node] : indptr[node + 1]]:
        if target == previous:
            biases.append(1.0 / p)
        elif contains(indices, indptr[previous], indptr[previous + 1], target):
            biases.append(1.0)
        else:
            biases.append(1.0 / q)
    return np.array(biases, np.float64)


def _second_order_entry(
    indptr: OffsetArray,
    indices: IndexArray,
    weights: FloatArray,
    prob: FloatArray,
    alias: IndexArray,
    p: float,
    q: float,
    fold: bool,
    key: KeyArray,
    step: int,
    previous: int,
    node: int,
) -> int:
    """Return the entry by which a walk leaves `node`, reached from `previous`.

    Draw 2 t of the step is the candidate of trial t. Its low bits decide whether it is taken; on a weighted graph,
    where they have chosen the alias, draw 2 t + 1 does. With `fold`, what 1/p has above all other biases is a piece of
    its own beside the candidates, chosen by draw 2 t + 1.
    """
    first, last = int(indptr[node]), int(indptr[node + 1])
    degree = last - first
    biases = second_order_biases(indptr, indices, previous, node, p, q)
    return_bias, largest_other = 1.0 / p, max(1.0, 1.0 / q)
    envelope = largest_other if fold else max(largest_other, return_bias)
    excess = max(0.0, return_bias - envelope)
    for trial in range(MAX_TRIAL):
        bits, more_bits = _bits(key, step, 2 * trial), _bits(key, step, 2 * trial + 1)
        if excess > 0.0 and unit(more_bits) * (degree * envelope + excess) >= degree * envelope:
            return first + int(np.flatnonzero(indices[first:last] == previous)[0])
        entry = _choose(bits, prob, alias, first, degree)
        chance = unit(more_bits) if prob.size > 0 else unit(bits)
        if chance < np.float32(min(biases[entry - first], envelope) / envelope):
            return entry
    # Rejection takes too long: draw from the distribution itself.
    shares = biases * weights[first:last] if weights.size > 0 else biases
    goal = unit(_bits(key, step, 2 * MAX_TRIAL)) * shares.sum()
    above = np.flatnonzero(np.cumsum(shares) > goal)
    return first + int(above[0]) if above.size else last - 1


def second_order_walks(
    indptr: OffsetArray,
    indices: IndexArray,
    weights: FloatArray,
    prob: FloatArray,
    alias: IndexArray,
    start_prob: FloatArray,
    start_alias: IndexArray,
    hub_row: IndexArray,
    hub_bits: KeyArray,
    p: float,
    q: float,
    fold: bool,
    stream: int,
    first_walk: int,
    out: IndexArray,
) -> None:
    """Fill `out` [W, L + 1] with node2vec walks number ``first_walk ...``; see the CPU kernel for the arguments.

    The first step is of first order; later ones follow :func:`second_order_biases` times the weights, drawn by
    rejection. `hub_row` and `hub_bits` answer the same question as the adjacency, faster; the definition does without.
    """
    del hub_row, hub_bits
    num_walk, length = out.shape
    for w in range(num_walk):
        key = item_key(stream, first_walk + w)
        node, previous = _choose(_bits(key, 0, 0), start_prob, start_alias, 0, start_prob.size), -1
        out[w] = -1
        out[w, 0] = node
        for step in range(1, length):
            first, degree = int(indptr[node]), int(indptr[node + 1] - indptr[node])
            if degree == 0:
                break
            if previous < 0:
                entry = _choose(_bits(key, step, 0), prob, alias, first, degree)
            else:
                entry = _second_order_entry(
                    indptr, indices, weights, prob, alias, p, q, fold, key, step, previous, node
                )
            node, previous = int(indices[entry]), node
            out[w, step] = node
