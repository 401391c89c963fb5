"""Skip-gram with negative sampling on walk tiles, pair by pair: the definition of :mod:`nodeloom.kernels.cpu.skipgram`.

Everything is float64. The loop is that of the mathematics: tiles, their chunks of TILE nodes, the pairs and negatives
of a chunk. What the fast kernels may change is how the sums are computed; what they may not change is which pairs there
are, their weights, which state of the tables each number is computed from, and the order in which rows are changed.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit  # the logistic function s

from nodeloom.kernels.reference.optimizer import update_row
from nodeloom.typing import DoubleArray, FloatArray, IndexArray

TILE = 64
"""Nodes that share negatives."""

LOSS_EVERY = 32
"""The loss is summed over one tile of so many."""

_TINY = 1e-15  # keeps the logarithm of a saturated score finite


def positive_pairs(nodes: IndexArray, nodes_per_walk: int, step: int, two_sided: bool) -> list[tuple[int, int]]:
    """Return the positive pairs (i, j) of places of a tile, i being the vertex and j the context.

    Both places belong to the same walk, hold nodes (no -1), hold different nodes, and are at most `step` apart;
    without `two_sided` the context comes after the vertex.
    """
    pairs = []
    for i in range(len(nodes)):
        for j in range(len(nodes)):
            same_walk = i // nodes_per_walk == j // nodes_per_walk
            is_near = 0 < abs(i - j) <= step if two_sided else 0 < j - i <= step
            if same_walk and is_near and nodes[i] >= 0 and nodes[j] >= 0 and nodes[i] != nodes[j]:
                pairs.append((i, j))
    return pairs


def train_walks(
    vertex: DoubleArray,
    context: DoubleArray,
    vertex_moment1: DoubleArray,
    vertex_moment2: DoubleArray,
    context_moment1: DoubleArray,
    context_moment2: DoubleArray,
    walks: IndexArray,
    negatives: IndexArray,
    lr: FloatArray,
    step: int,
    two_sided: bool,
    negative_weight: float,
    weight_decay: float,
    optimizer: int,
    settings: DoubleArray,
    statistics: DoubleArray,
) -> int:
    """Train both tables on walks, in place; return the number of positive pairs.

    Minimises, over the positive pairs (i, j) of every tile,

        -log s(x_i . c_j)  +  negative_weight / K * sum_k -log(1 - s(x_i . n_k))

    where a negative that is the vertex itself is left out. See the CPU kernel for the arguments; tables are float64.
    """
    dim = vertex.shape[1]
    num_tile, num_chunk, num_negative = negatives.shape
    nodes_per_walk = walks.shape[1]
    walks_per_tile = max(1, TILE // nodes_per_walk)
    num_pairs = 0

    def move(
        table: DoubleArray, moment1: DoubleArray, moment2: DoubleArray, node: int, gradient: DoubleArray, weight: float
    ) -> None:
        m1 = moment1[node] if moment1.size else None
        m2 = moment2[node] if moment2.size else None
        update_row(optimizer, table[node], m1, m2, gradient, dim, weight_decay * weight, rate, settings)

    for tile in range(num_tile):
        rate = float(lr[tile])
        nodes = walks[tile * walks_per_tile : (tile + 1) * walks_per_tile].ravel()
        pairs = positive_pairs(nodes, nodes_per_walk, step, two_sided)
        num_pairs += len(pairs)

        # The pairs that a place takes part in as vertex and as context.
        vertex_weight = np.zeros(len(nodes))
        context_weight = np.zeros(len(nodes))
        for i, j in pairs:
            vertex_weight[i] += 1.0
            context_weight[j] += 1.0

        # All of a tile is computed from the rows as they are when it begins.
        x = vertex[nodes]
        c = context[nodes]
        x_gradient = np.zeros_like(x)
        c_gradient = np.zeros_like(c)
        loss = 0.0

        for chunk in range(num_chunk):
            places = range(chunk * TILE, min((chunk + 1) * TILE, len(nodes)))
            noise = negatives[tile, chunk]
            # ... but for the negatives, which are read when their chunk begins.
            n = context[noise]
            n_gradient = np.zeros_like(n)

            for i, j in pairs:
                if i in places:
                    score = expit(x[i] @ c[j])
                    loss += -np.log(score + _TINY)
                    x_gradient[i] += (score - 1.0) * c[j]
                    c_gradient[j] += (score - 1.0) * x[i]
            for i in places:
                weight = negative_weight / num_negative * vertex_weight[i]
                for k in range(num_negative):
                    if weight > 0.0 and noise[k] != nodes[i]:
                        score = expit(x[i] @ n[k])
                        loss += weight * -np.log(1.0 - score + _TINY)
                        x_gradient[i] += weight * score * n[k]
                        n_gradient[k] += weight * score * x[i]

            # Rows are changed one after the other; a node that stands in several places is changed several times. The
            # decay goes with the weight of all samples of a row; a negative left out counts there as one.
            for i in places:
                if vertex_weight[i] > 0.0:
                    weight = (1.0 + negative_weight) * vertex_weight[i]
                    move(vertex, vertex_moment1, vertex_moment2, nodes[i], x_gradient[i], weight)
            chunk_weight = vertex_weight[places].sum()
            if chunk_weight > 0.0:
                for k in range(num_negative):
                    weight = negative_weight / num_negative * chunk_weight
                    move(context, context_moment1, context_moment2, noise[k], n_gradient[k], weight)

        for j in range(len(nodes)):
            if context_weight[j] > 0.0:
                move(context, context_moment1, context_moment2, nodes[j], c_gradient[j], context_weight[j])

        if tile % LOSS_EVERY == 0:
            statistics[0] += loss
            statistics[1] += (1.0 + negative_weight) * vertex_weight.sum()
    return num_pairs
