"""Positive pairs in the blocks of a grid: sorting them by block and head, and training a block; the definition for CPU and GPU.

Tables are cut into parts: vertex part a holds the rows of `part_rows` slots, context part b likewise, and block (a, b) has the
pairs whose head lies in a and whose context lies in b. A row of the grid has one vertex part and all context parts. Its pairs are
counted, the counts are summed up to cursors, and a second pass over the same walks puts every pair at its cursor: then the pairs of
a head in a block stand side by side, and blocks one behind the other.

A block is trained in units: some heads next to each other, of each at most PAIRS pairs, and negatives that they share.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit  # the logistic function s

from nodeloom.kernels.reference.optimizer import update_row
from nodeloom.kernels.reference.skipgram import positive_pairs
from nodeloom.typing import DoubleArray, IndexArray, OffsetArray

PAIRS = 8
"""Pairs of a head in a unit, at most. With 16 vectors are worse: BlogCatalog, 200 epochs, 35.6/20.0 instead of 38.1/22.6 at 50 %."""

LOSS_EVERY = 32
"""The loss is summed over one unit of so many."""

_TINY = 1e-15  # keeps the logarithm of a saturated score finite


def renumber(walks: IndexArray, slot: IndexArray) -> None:
    """Put the slots of the nodes of walks in their place.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1]
        Nodes, changed in place; -1 stays.
    slot : int32 or int64 [N]
        The slot of every node.
    """
    inside = walks >= 0
    walks[inside] = slot[walks[inside]]


def _pairs_of(walks: IndexArray, step: int, two_sided: bool, first_head: int, num_head: int) -> list[tuple[int, int]]:
    """Return (head, context) of the positive pairs with a head in ``first_head ... first_head + num_head``, as slots."""
    found = []
    for walk in walks:
        for i, j in positive_pairs(walk, len(walk), step, two_sided):
            if 0 <= walk[i] - first_head < num_head:
                found.append((int(walk[i]), int(walk[j])))
    return found


def count_pairs(
    walks: IndexArray, step: int, two_sided: bool, first_head: int, part_rows: int, counts: npt.NDArray[np.int32]
) -> None:
    """Count the positive pairs of walks by context part and head.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1]
        Slots; -1 stands after the end of a walk.
    step, two_sided
        Which places of a walk are pairs: see :func:`nodeloom.kernels.reference.skipgram.positive_pairs`.
    first_head : int
        First slot of the vertex part; pairs with other heads are left out.
    part_rows : int
        Slots of a context part.
    counts : int32 [Pc, Rv]
        The pairs of each context part and head are added.
    """
    for head, context in _pairs_of(walks, step, two_sided, first_head, counts.shape[1]):
        counts[context // part_rows, head - first_head] += 1


def place_pairs(
    walks: IndexArray,
    step: int,
    two_sided: bool,
    first_head: int,
    part_rows: int,
    cursors: npt.NDArray[np.integer],
    contexts: npt.NDArray[np.integer],
) -> None:
    """Write the context of every positive pair to the place that the cursor of its context part and head shows, and move that on.

    Parameters
    ----------
    walks, step, two_sided, first_head, part_rows
        As for :func:`count_pairs`.
    cursors : int64 [Pc, Rv]
        Where the next pair goes: at first the sum of all counts before, at last the end of the pairs. The GPU takes int32 as well.
    contexts : int32 [M] or uint16 [M]
        Rows of contexts in their part. In which order the pairs of a head and part stand is open.
    """
    for head, context in _pairs_of(walks, step, two_sided, first_head, cursors.shape[1]):
        part = context // part_rows
        contexts[cursors[part, head - first_head]] = context % part_rows
        cursors[part, head - first_head] += 1


def shuffled(tile: int, chunk: int) -> int:
    """Return a hash of a unit, 32 bits: units are trained in its order, equal ones in that of tiles and chunks."""
    h = (tile + chunk * 0x9E3779B1) & 0xFFFFFFFF
    h ^= h >> 16
    h = h * 0x45D9F3B & 0xFFFFFFFF
    h ^= h >> 16
    h = h * 0x45D9F3B & 0xFFFFFFFF
    return h ^ h >> 16


def units_of(
    counts: npt.NDArray[np.int32], heads_per_unit: int
) -> tuple[npt.NDArray[np.int32], OffsetArray, OffsetArray]:
    """Return the units of all blocks of a row of the grid.

    A tile is `heads_per_unit` heads next to each other. A head with pairs anywhere in the row is in one unit of every block for
    each PAIRS of its pairs there, and in one where it has none; a tile has as many units as the head that is in most.

    Parameters
    ----------
    counts : int32 [Pc, Rv]
        Pairs of each context part and head.
    heads_per_unit : int
        Heads of a tile.

    Returns
    -------
    units : int32 [U, 2]
        (tile, chunk): the units of block 0, those of block 1, ... Within a block they are shuffled, by :func:`shuffled`, so that
        those of a hub, which change the same row, are far apart, and a block does not end with hubs alone.
    num_unit : int64 [Pc]
        Units of each block.
    num_pair : int64 [Pc]
        Pairs of each block.
    """
    num_part, num_head = counts.shape
    totals = counts.sum(0)
    units, num_unit = [], []
    for part in range(num_part):
        chunks = np.where(totals > 0, np.maximum(1, -(-counts[part] // PAIRS)), 0)
        of_tile = [int(chunks[first : first + heads_per_unit].max()) for first in range(0, num_head, heads_per_unit)]
        found = [(t, chunk) for t, n in enumerate(of_tile) for chunk in range(n)]
        units += sorted(found, key=lambda unit: shuffled(*unit))
        num_unit.append(len(found))
    return (
        np.array(units, np.int32).reshape(-1, 2),
        np.array(num_unit, np.int64),
        counts.sum(1, dtype=np.int64),
    )


def train_pairs(
    vertex: DoubleArray,
    context: DoubleArray,
    vertex_moment1: DoubleArray,
    vertex_moment2: DoubleArray,
    context_moment1: DoubleArray,
    context_moment2: DoubleArray,
    begin: int,
    ends: OffsetArray,
    contexts: npt.NDArray[np.integer],
    totals: npt.NDArray[np.int32],
    units: npt.NDArray[np.int32],
    negatives: npt.NDArray[np.int32],
    heads_per_unit: int,
    first_head: int,
    first_context: int,
    lr: float,
    negative_weight: float,
    weight_decay: float,
    optimizer: int,
    settings: DoubleArray,
    statistics: DoubleArray,
) -> None:
    """Train the units of a block, in place.

    A head h with n pairs in the block and `totals` h in the row of the grid is in u = max(1, ceil(n / PAIRS)) units. Each has at most
    PAIRS of its pairs, and negatives of the weight ``w = negative_weight * totals / u``; they minimise

        sum over pairs of -log s(x . c)  +  w / K * sum_k -log(1 - s(x . n_k))

    where a negative that is the head itself is left out. All is computed from the vertex and negative rows as they are when the unit
    begins, and from every context row as it is when its pair comes. Context rows move pair by pair, then the vertex rows, then the
    negative rows.

    Parameters
    ----------
    vertex, context : float64 [Rv, D], [Rc, D]
        Rows of the two parts. May be the same memory.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float64
        State of the optimizer, of the shapes of the tables; may be empty where it uses none.
    begin : int
        Where the pairs of the block begin in `contexts`.
    ends : int64 [Rv]
        Where those of each head end; the next head's begin there.
    contexts : int32 or uint16 [M]
        Rows of the contexts of all pairs.
    totals : int32 [Rv]
        Pairs of each head in all blocks of the row.
    units : int32 [U, 2]
        (tile, chunk): pairs ``chunk * PAIRS ...`` of each of the heads ``tile * heads_per_unit ...``; see :func:`units_of`.
    negatives : int32 [U, K]
        Rows of the context part.
    heads_per_unit : int
        Heads of a tile.
    first_head, first_context : int
        First slots of both parts.
    lr : float
        Learning rate.
    negative_weight : float
        Weight of all negatives of a pair, times the share of the noise that lies in this context part.
    weight_decay, optimizer, settings
        See :func:`nodeloom.kernels.reference.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th unit and the sum of its weights are added.
    """
    dim = vertex.shape[1]
    num_negative = negatives.shape[1]
    begins = np.concatenate([[begin], ends[:-1]])
    num_chunk = np.where(totals > 0, np.maximum(1, -(-(ends - begins) // PAIRS)), 0)  # of each head: its units

    def move(
        table: DoubleArray, moment1: DoubleArray, moment2: DoubleArray, row: int, gradient: DoubleArray, weight: float
    ) -> None:
        m1 = moment1[row] if moment1.size else None
        m2 = moment2[row] if moment2.size else None
        update_row(optimizer, table[row], m1, m2, gradient, dim, weight_decay * weight, lr, settings)

    for unit, (tile, chunk) in enumerate(units):
        tile_heads = range(tile * heads_per_unit, min((tile + 1) * heads_per_unit, len(ends)))
        heads = [h for h in tile_heads if chunk < num_chunk[h]]
        noise = negatives[unit]
        x = {h: vertex[h].copy() for h in heads}
        n = context[noise]
        x_gradient = {h: np.zeros(dim) for h in heads}
        n_gradient = np.zeros_like(n)
        noise_weight = {h: negative_weight * float(totals[h]) / float(num_chunk[h]) for h in heads}
        num_pair = dict.fromkeys(heads, 0)
        loss = 0.0

        for h in heads:
            first = begins[h] + chunk * PAIRS
            for at in range(first, min(first + PAIRS, ends[h])):
                c = context[contexts[at]].copy()
                score = expit(x[h] @ c)
                loss += -np.log(score + _TINY)
                x_gradient[h] += (score - 1.0) * c
                move(context, context_moment1, context_moment2, contexts[at], (score - 1.0) * x[h], 1.0)
                num_pair[h] += 1
        for h in heads:
            weight = noise_weight[h] / num_negative
            for k in range(num_negative):
                if first_context + noise[k] != first_head + h:
                    score = expit(x[h] @ n[k])
                    loss += weight * -np.log(1.0 - score + _TINY)
                    x_gradient[h] += weight * score * n[k]
                    n_gradient[k] += weight * score * x[h]

        # Rows move one after the other. A negative left out counts in the decay as one that is not.
        for h in heads:
            move(vertex, vertex_moment1, vertex_moment2, h, x_gradient[h], num_pair[h] + noise_weight[h])
        if heads:
            for k in range(num_negative):
                weight = sum(noise_weight.values()) / num_negative
                move(context, context_moment1, context_moment2, noise[k], n_gradient[k], weight)

        if unit % LOSS_EVERY == 0:
            statistics[0] += loss
            statistics[1] += sum(num_pair.values()) + sum(noise_weight.values())
