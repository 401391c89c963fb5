"""Positive pairs in the blocks of a grid, on the CPU; :mod:`nodeloom.kernels.reference.pairs` is the definition.

Several threads may count and place slices of the walks: counts and cursors move atomically, and no two threads write to one place.
Several threads may train slices of the units on the same tables: the read, change and write of a row are not atomic and an update can
be lost. That is Hogwild (Niu et al., NIPS 2011), and it is meant.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._buffers import buffer, keep
from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu._loss import noise_loss
from nodeloom.kernels.cpu._pair_batches import AHEAD, BATCH, STAMPS, train_positives
from nodeloom.kernels.cpu._pair_lists import LISTED, count_listed, list_pairs, place_listed, reciprocal_of
from nodeloom.kernels.cpu.optimizer import update_row
from nodeloom.kernels.cpu.simd import coefficients, gathered, products, rows

PAIRS = 8
"""Pairs of a head in a unit, at most."""

LOSS_EVERY = 32
"""The loss is summed over one unit of so many."""

_NOISE_FETCH = 8  # context rows fetched while negatives are computed for four heads
_FOUR = gathered.FOUR
_F4, _I4, _I8 = 4, 4, 8  # bytes of a float32, of an int32, of an int64


@jit
def renumber(walks, slot):
    """Put the slots of the nodes of walks in their place; -1 stays.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1]
        Nodes, changed in place; threads can each take a slice.
    slot : int32 or int64 [N]
        The slot of every node.
    """
    for w in range(walks.shape[0]):
        for i in range(walks.shape[1]):
            node = walks[w, i]
            if node >= 0:
                walks[w, i] = slot[node]


@jit
def count_pairs(walks, step, two_sided, first_head, part_rows, counts):
    """Count the positive pairs of walks by context part and head; the definition says what the arguments are.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1]
        Slots; threads can each take a slice of the walks.
    step, two_sided, first_head, part_rows
        Which pairs; and the slots of a context part.
    counts : int32 [Pc, Rv]
        C-contiguous. The pairs of each context part and head are added.
    """
    num_part, num_head = counts.shape
    reciprocal = reciprocal_of(part_rows, num_part)
    # Cells are listed first, so that many are on their way at once.
    cells, contexts = np.empty(LISTED + 2 * step + 1, np.int64), np.empty(LISTED + 2 * step + 1, np.int64)
    counts_at = counts.ctypes.data
    number = 0
    for w in range(walks.shape[0]):
        for i in range(walks.shape[1]):
            head = np.int64(walks[w, i]) - first_head
            if head < 0 or head >= num_head:
                continue
            number = list_pairs(
                walks,
                w,
                i,
                step,
                two_sided,
                head,
                part_rows,
                reciprocal,
                num_head,
                counts_at,
                _I4,
                cells,
                contexts,
                number,
            )
            if number >= LISTED:
                count_listed(counts_at, cells, number)
                number = 0
    count_listed(counts_at, cells, number)


@jit
def place_pairs(walks, step, two_sided, first_head, part_rows, cursors, contexts):
    """Write the context of every positive pair to the place that the cursor of its context part and head shows.

    Parameters
    ----------
    walks, step, two_sided, first_head, part_rows
        As for :func:`count_pairs`.
    cursors : int64 [Pc, Rv]
        C-contiguous. Where the next pair goes; at last, where the pairs end.
    contexts : int32 [M] or uint16 [M]
        Rows of contexts in their part.
    """
    num_part, num_head = cursors.shape
    reciprocal = reciprocal_of(part_rows, num_part)
    cells, listed = np.empty(LISTED + 2 * step + 1, np.int64), np.empty(LISTED + 2 * step + 1, np.int64)
    cursors_at = cursors.ctypes.data
    number = 0
    for w in range(walks.shape[0]):
        for i in range(walks.shape[1]):
            head = np.int64(walks[w, i]) - first_head
            if head < 0 or head >= num_head:
                continue
            number = list_pairs(
                walks,
                w,
                i,
                step,
                two_sided,
                head,
                part_rows,
                reciprocal,
                num_head,
                cursors_at,
                _I8,
                cells,
                listed,
                number,
            )
            if number >= LISTED:
                place_listed(cursors_at, contexts, cells, listed, number)
                number = 0
    place_listed(cursors_at, contexts, cells, listed, number)


def _shuffled(units):
    """Return the hashes by which units are ordered, uint32 [U]."""
    h = units[:, 0].astype(np.uint32) + units[:, 1].astype(np.uint32) * np.uint32(0x9E3779B1)
    for _ in range(2):
        h ^= h >> np.uint32(16)
        h *= np.uint32(0x45D9F3B)
    return h ^ (h >> np.uint32(16))


def units_of(counts, heads_per_unit):
    """Return the units of all blocks of a row of the grid, and the units and pairs of each; see the definition.

    Parameters
    ----------
    counts : int32 [Pc, Rv]
        Pairs of each context part and head.
    heads_per_unit : int
        Heads of a tile.
    """
    num_head = counts.shape[1]
    chunks = np.where(counts.any(0), np.maximum(1, -(-counts // PAIRS)), 0)
    of_tile = np.maximum.reduceat(chunks, np.arange(0, num_head, heads_per_unit), axis=1) if num_head else chunks
    found = []
    for number in of_tile:
        units = np.empty((int(number.sum()), 2), np.int32)
        units[:, 0] = np.repeat(np.arange(len(number)), number)
        units[:, 1] = np.arange(len(units)) - np.repeat(np.cumsum(number) - number, number)
        found.append(units[np.argsort(_shuffled(units), kind="stable")])
    return (
        np.concatenate(found) if found else np.empty((0, 2), np.int32),
        np.array([len(units) for units in found], np.int64),
        counts.sum(1, dtype=np.int64),
    )


@jit
def _load_unit(
    tile, chunk, heads_per_unit, begin, ends, totals, contexts, negative_weight, first_pair,
    heads, num_pair, noise_weight, pairs,
):  # fmt: skip
    """List the heads of a unit, the number of their pairs and the weight of their negatives, and the rows of all pairs.

    Return the number of heads, and where `pairs` ends that begin at `first_pair`.
    """
    num_head = 0
    for h in range(tile * heads_per_unit, min((tile + 1) * heads_per_unit, ends.size)):
        if totals[h] == 0:
            continue
        first, last = ends[h - 1] if h > 0 else begin, ends[h]
        num_unit = max(1, (last - first + PAIRS - 1) // PAIRS)
        if chunk >= num_unit:
            continue
        first += chunk * PAIRS
        last = min(last, first + PAIRS)
        heads[num_head] = h
        num_pair[num_head] = last - first
        noise_weight[num_head] = negative_weight * np.float32(totals[h]) / np.float32(num_unit)
        num_head += 1
        for at in range(first, last):
            pairs[first_pair] = np.int64(contexts[at])
            first_pair += 1
    return num_head, first_pair


@jit
def train_pairs(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2,
    begin, ends, contexts, totals, units, negatives, heads_per_unit, first_head, first_context,
    lr, negative_weight, weight_decay, optimizer, settings, statistics,
):  # fmt: skip
    """Train the units of a block, in place; the definition says what is computed and what most arguments are.

    Parameters
    ----------
    vertex, context : float32 [Rv, D], [Rc, D]
        Rows of the two parts; D a multiple of 16, C-contiguous, at best aligned to 64 bytes. May be the same memory.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float32
        State of the optimizer, of the shapes of the tables; may be empty where it uses none.
    begin, ends, contexts, totals
        Pairs of the block by head, and those of the row of the grid.
    units : int32 [U, 2]
        (tile, chunk); of slices of `units` and `negatives` each thread trains its own.
    negatives : int32 [U, K]
        Rows of the context part.
    heads_per_unit, first_head, first_context : int
        Heads of a tile; first slots of both parts.
    lr, negative_weight, weight_decay : float32
        Learning rate; weight of all negatives of a pair; factor of the rows in their gradient.
    optimizer, settings
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th unit and the sum of its weights are added.
    """
    dim = vertex.shape[1]
    num_unit, num_negative = negatives.shape
    size = _F4 * dim
    # Blocks of four heads and of four negatives: what is missing in the last is zeros, or without weight.
    width = (heads_per_unit + _FOUR - 1) // _FOUR * _FOUR
    shared = (num_negative + _FOUR - 1) // _FOUR * _FOUR
    rate, decay, weight_of_pair = np.float32(lr), np.float32(weight_decay), np.float32(negative_weight)
    share = np.float32(1.0) / np.float32(num_negative)

    x_rows, x_gradients, n_rows = buffer(width * dim), buffer(width * dim), buffer(shared * dim)
    g_noise, scores, gradient = buffer(width * shared), buffer(_FOUR * shared + 16), buffer(_FOUR * dim)
    factors, moved = buffer(8 * BATCH)[: 8 * BATCH].reshape(8, BATCH), buffer((BATCH + 1) * dim)
    batch, stamps, stamp = np.zeros((4, BATCH), np.int64), np.zeros(STAMPS, np.uint32), np.uint32(0)
    noise_ids = np.full(shared + 16, -1, np.int64)
    # Of this unit and of the next one.
    heads, num_pair = np.zeros((2, width), np.int64), np.zeros((2, width), np.int64)
    noise_weight = np.zeros((2, width), np.float32)
    pairs = np.zeros(2 * width * PAIRS + _FOUR, np.int64)  # those of the next unit behind those of this one

    x_at, x_gradients_at, n_at, g_noise_at = (
        x_rows.ctypes.data,
        x_gradients.ctypes.data,
        n_rows.ctypes.data,
        g_noise.ctypes.data,
    )
    scores_at, gradient_at, moved_at, noise_ids_at = (
        scores.ctypes.data,
        gradient.ctypes.data,
        moved.ctypes.data,
        noise_ids.ctypes.data,
    )
    vertex_at, context_at = vertex.ctypes.data, context.ctypes.data
    vertex_m1, vertex_m2 = vertex_moment1.ctypes.data, vertex_moment2.ctypes.data
    context_m1, context_m2 = context_moment1.ctypes.data, context_moment2.ctypes.data

    next_head, known, fetched = 0, 0, 0
    if num_unit:
        next_head, known = _load_unit(
            units[0, 0], units[0, 1], heads_per_unit, begin, ends, totals, contexts, weight_of_pair, 0,
            heads[0], num_pair[0], noise_weight[0], pairs,
        )  # fmt: skip

    for unit in range(num_unit):
        now, num_head, used = unit % 2, next_head, known
        next_head, next_negative = 0, 0
        if unit + 1 < num_unit:
            next_negative = num_negative
            next_head, known = _load_unit(
                units[unit + 1, 0], units[unit + 1, 1], heads_per_unit, begin, ends, totals, contexts, weight_of_pair, used,
                heads[1 - now], num_pair[1 - now], noise_weight[1 - now], pairs,
            )  # fmt: skip
        log_loss = unit % LOSS_EVERY == 0

        # Vertex and negative rows as they are when the unit begins; those of the next are fetched meanwhile.
        for k in range(num_negative):
            row = np.int64(negatives[unit, k])
            noise_ids[k] = first_context + row
            rows.copy_row(n_at + k * size, context_at + row * size, dim)
        for i in range((num_head + _FOUR - 1) // _FOUR * _FOUR):
            if i < num_head:
                rows.copy_row(x_at + i * size, vertex_at + heads[now, i] * size, dim)
            else:
                rows.clear_row(x_at + i * size, dim)

        # Negatives: scores, derivatives of the loss, and their part of the gradients of the vertex rows.
        noise = np.float32(0.0)
        for i in range(0, num_head, _FOUR):
            for j in range(fetched, min(fetched + _NOISE_FETCH, known, AHEAD)):
                gathered.fetch_row(context_at + pairs[j] * size, dim)
                fetched = j + 1
            products.dot_rows(x_at + i * size, n_at, shared, dim, scores_at, shared)
            coefficients.sigmoid(scores_at, (_FOUR * shared + 15) // 16 * 16)
            for r in range(_FOUR):
                head, weight = np.int64(-1), np.float32(0.0)
                if i + r < num_head:
                    head, weight = first_head + heads[now, i + r], noise_weight[now, i + r]
                noise += weight
                coefficients.negative_coefficients(
                    scores_at + _F4 * r * shared,
                    noise_ids_at,
                    head,
                    weight * share,
                    g_noise_at + _F4 * (i + r) * shared,
                    shared,
                )
            if log_loss:
                statistics[0] += noise_loss(g_noise, scores, shared, num_negative, i)
            products.accumulate_4(
                g_noise_at + _F4 * i * shared, shared, 1, n_at, num_negative, dim, x_gradients_at + i * size
            )

        loss, stamp, fetched = train_positives(
            num_pair[now, :num_head], pairs, used, known, x_at, x_gradients_at, dim, context_at, context_m1, context_m2,
            rate, decay, optimizer, settings, log_loss, factors, moved_at, batch, stamps, stamp, fetched,
        )  # fmt: skip
        if log_loss:
            statistics[0] += loss
            statistics[1] += used + noise

        for i in range(num_head):
            at = heads[now, i] * size
            weight = np.float32(num_pair[now, i]) + noise_weight[now, i]
            update_row(
                optimizer, vertex_at + at, vertex_m1 + at, vertex_m2 + at, x_gradients_at + i * size, dim,
                decay * weight, rate, settings,
            )  # fmt: skip
            if i < next_head:
                gathered.fetch_row(vertex_at + heads[1 - now, i] * size, dim)
            if i < next_negative:
                gathered.fetch_row(context_at + np.int64(negatives[unit + 1, i]) * size, dim)
        if num_head:
            for k in range(0, num_negative, _FOUR):
                products.accumulate_4(g_noise_at + _F4 * k, 1, shared, x_at, num_head, dim, gradient_at)
                for r in range(min(_FOUR, num_negative - k)):
                    at = np.int64(negatives[unit, k + r]) * size
                    update_row(
                        optimizer, context_at + at, context_m1 + at, context_m2 + at, gradient_at + r * size, dim,
                        decay * share * noise, rate, settings,
                    )  # fmt: skip

        known -= used
        fetched = max(fetched - used, 0)
        for j in range(known):
            pairs[j] = pairs[used + j]
    keep((x_rows, x_gradients, n_rows, g_noise, scores, gradient, factors, moved, batch, noise_ids))
