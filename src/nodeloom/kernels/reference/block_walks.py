"""Skip-gram on whole walks inside a block of a grid, pair by pair: the definition of :mod:`nodeloom.kernels.cpu.block_walks`.

Of all pairs of a walk it trains those whose vertex (the head) lies in one part of the rows and whose context lies in another. The
walks are not taken apart, as for :mod:`nodeloom.kernels.reference.pairs`: so a row that takes part in several pairs of a walk is read
and changed once. Everything is float64, and over all blocks of a grid the pairs and the weights of negatives are those of
:mod:`nodeloom.kernels.reference.skipgram`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # the logistic function s

from nodeloom.kernels.reference.optimizer import update_row
from nodeloom.kernels.reference.skipgram import positive_pairs
from nodeloom.typing import DoubleArray, IndexArray

LOSS_EVERY = 32
"""The loss is summed over one tile of so many."""

_TINY = 1e-15  # keeps the logarithm of a saturated score finite


def train_block_walks(
    vertex: DoubleArray,
    context: DoubleArray,
    vertex_moment1: DoubleArray,
    vertex_moment2: DoubleArray,
    context_moment1: DoubleArray,
    context_moment2: DoubleArray,
    walks: IndexArray,
    walks_per_tile: int,
    negatives: npt.NDArray[np.int32],
    first_head: int,
    first_context: int,
    lr: float,
    step: int,
    two_sided: bool,
    negative_weight: float,
    weight_decay: float,
    optimizer: int,
    settings: DoubleArray,
    statistics: DoubleArray,
) -> int:
    """Train the pairs of walks that lie in a block, in place; return how many there are.

    A tile is some whole walks. Its heads are the places with a slot of the vertex part, its contexts those with one of the context
    part. With the pairs (i, j) of a head and a context of a walk, and n_i the pairs of head i with any context of any part, a tile
    minimises

        sum over pairs of -log s(x_i . c_j)  +  sum over heads of negative_weight * n_i / K * sum_k -log(1 - s(x_i . n_k))

    where a negative that is the head itself is left out. All of it is computed from the rows as they are when the tile begins. Then
    vertex rows, negative rows and context rows are changed, in this order, each once per place.

    Parameters
    ----------
    vertex, context : float64 [Rv, D], [Rc, D]
        Rows of the two parts. May be the same memory.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float64
        State of the optimizer, of the shapes of the tables; may be empty where it uses none.
    walks : int32 or int64 [W, L + 1]
        Slots; -1 stands after the end of a walk.
    walks_per_tile : int
        Walks of a tile; the last tile may have fewer. There are as many tiles as rows of `negatives`.
    negatives : int32 [num_tile, K]
        Rows of the context part, shared by all heads of a tile.
    first_head, first_context : int
        First slots of both parts.
    lr : float
        Learning rate.
    step, two_sided
        Which places of a walk are pairs: see :func:`nodeloom.kernels.reference.skipgram.positive_pairs`.
    negative_weight : float
        Weight of all negatives of a pair, times the share of the noise that lies in this context part.
    weight_decay, optimizer, settings
        See :func:`nodeloom.kernels.reference.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th tile and the sum of its weights are added.
    """
    dim = vertex.shape[1]
    num_tile, num_negative = negatives.shape
    nodes_per_walk = walks.shape[1]
    num_pairs = 0

    def move(
        table: DoubleArray, moment1: DoubleArray, moment2: DoubleArray, row: int, gradient: DoubleArray, weight: float
    ) -> None:
        m1 = moment1[row] if moment1.size else None
        m2 = moment2[row] if moment2.size else None
        update_row(optimizer, table[row], m1, m2, gradient, dim, weight_decay * weight, lr, settings)

    for tile in range(num_tile):
        slots = walks[tile * walks_per_tile : (tile + 1) * walks_per_tile].ravel().astype(np.int64)
        noise = negatives[tile]
        head, item = slots - first_head, slots - first_context  # rows of the parts, where they are in them
        is_head, is_item = (head >= 0) & (head < len(vertex)), (item >= 0) & (item < len(context))

        pairs = []
        num_any = np.zeros(len(slots))  # pairs of a head in all parts
        num_of_head, num_of_item = np.zeros(len(slots)), np.zeros(len(slots))  # pairs in this block
        for i, j in positive_pairs(slots, nodes_per_walk, step, two_sided):
            if is_head[i]:
                num_any[i] += 1
                if is_item[j]:
                    pairs.append((i, j))
                    num_of_head[i] += 1
                    num_of_item[j] += 1
        num_pairs += len(pairs)

        # All of a tile is computed from the rows as they are when it begins.
        x = {int(i): vertex[head[i]].copy() for i in np.flatnonzero(is_head)}
        c = {int(j): context[item[j]].copy() for j in np.flatnonzero(is_item)}
        n = context[noise]
        x_gradient = {i: np.zeros(dim) for i in x}
        c_gradient = {j: np.zeros(dim) for j in c}
        n_gradient = np.zeros_like(n)
        loss = 0.0

        for i, j in pairs:
            score = expit(x[i] @ c[j])
            loss += -np.log(score + _TINY)
            x_gradient[i] += (score - 1.0) * c[j]
            c_gradient[j] += (score - 1.0) * x[i]
        for i in x:
            weight = negative_weight / num_negative * num_any[i]
            for k in range(num_negative):
                if weight > 0.0 and first_context + noise[k] != slots[i]:
                    score = expit(x[i] @ n[k])
                    loss += weight * -np.log(1.0 - score + _TINY)
                    x_gradient[i] += weight * score * n[k]
                    n_gradient[k] += weight * score * x[i]

        # Rows are changed one after the other; a node that stands in several places is changed several times. The decay goes with the
        # weight of all samples of a row; a negative left out counts there as one.
        for i in x:
            if num_any[i] > 0:
                weight = num_of_head[i] + negative_weight * num_any[i]
                move(vertex, vertex_moment1, vertex_moment2, head[i], x_gradient[i], weight)
        if num_any.sum() > 0:
            for k in range(num_negative):
                weight = negative_weight / num_negative * num_any.sum()
                move(context, context_moment1, context_moment2, noise[k], n_gradient[k], weight)
        for j in c:
            if num_of_item[j] > 0:
                move(context, context_moment1, context_moment2, item[j], c_gradient[j], num_of_item[j])

        if tile % LOSS_EVERY == 0:
            statistics[0] += loss
            statistics[1] += num_of_head.sum() + negative_weight * num_any.sum()
    return num_pairs
