"""Skip-gram on whole walks inside a block of a grid, on the CPU; :mod:`nodeloom.kernels.reference.block_walks` is the definition.

The heads and contexts of a tile are listed, and their rows copied once; then whatever is near in a walk is near in the copies.
Several threads may train slices of the walks on the same tables: the read, change and write of a row are not atomic and an update can
be lost. That is Hogwild (Niu et al., NIPS 2011), and it is meant.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._block_lists import AT, HIGH, LOW, ROW, list_tile, stride_of, words_of
from nodeloom.kernels.cpu._buffers import buffer, keep
from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu._loss import noise_loss
from nodeloom.kernels.cpu.optimizer import SGD, update_row
from nodeloom.kernels.cpu.simd import coefficients, gathered, products, rows

LOSS_EVERY = 32
"""The loss is summed over one tile of so many."""

_FOUR = 4  # heads of a block of scores
_F4, _I8 = 4, 8  # bytes of a float32, of an int64


@jit
def _dot_rows(a, b, count, dim, out, ldo):
    products.dot_rows(a, b, count, dim, out, ldo)


@jit
def _pair_loss(g_pairs, begin, count):
    """Return the loss of the pairs of a head; a coefficient is the score less 1, or 0 where there is no pair or no loss."""
    loss = 0.0
    for t in range(begin, begin + count):
        if g_pairs[t] != 0.0:
            loss -= np.log(np.float32(1.0) + g_pairs[t] + 1e-15)
    return loss


@jit
def _move(optimizer, row, moment1, moment2, gradient, square, dim, rate, longest, settings):
    """Change a row by one step along a gradient that has the weight decay in it, and of which the squared length is known."""
    if optimizer == SGD:
        step = rate
        if square > longest:
            step = settings[0] / np.sqrt(square)
        rows.sgd(row, gradient, dim, np.float32(0.0), step)
    else:
        update_row(optimizer, row, moment1, moment2, gradient, dim, np.float32(0.0), rate, settings)


@jit
def train_block_walks(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2,
    walks, walks_per_tile, negatives, first_head, first_context, lr, step, two_sided,
    negative_weight, weight_decay, optimizer, settings, statistics,
):  # fmt: skip
    """Train the pairs of walks that lie in a block, in place; return how many there are. The definition says what is computed.

    Parameters
    ----------
    vertex, context : float32 [Rv, D], [Rc, D]
        Rows of the two parts; D a multiple of 16, C-contiguous, at best aligned to 64 bytes. May be the same memory.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float32
        State of the optimizer, of the shapes of the tables; may be empty where it uses none.
    walks : int32 or int64 [W, L + 1]
        Slots; -1 stands after the end of a walk. Of slices of whole tiles, and of `negatives`, each thread trains its own.
    walks_per_tile : int
        Walks of a tile.
    negatives : int32 [num_tile, K]
        Rows of the context part.
    first_head, first_context : int
        First slots of both parts.
    lr : float32
        Learning rate.
    step, two_sided
        Which places of a walk are pairs.
    negative_weight, weight_decay : float32
        Weight of all negatives of a pair; factor of the rows in their gradient.
    optimizer, settings
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th tile and the sum of its weights are added.
    """
    num_walk, nodes_per_walk = walks.shape
    num_vertex, dim = vertex.shape
    num_context = context.shape[0]
    num_tile, num_negative = negatives.shape
    max_row = walks_per_tile * nodes_per_walk
    size = _F4 * dim
    window = (min(_FOUR * (2 * step + 1), max_row) + _FOUR - 1) // _FOUR * _FOUR
    shared = (num_negative + _FOUR - 1) // _FOUR * _FOUR
    stride = stride_of(nodes_per_walk)
    rate, decay, weight_of_pair = np.float32(lr), np.float32(weight_decay), np.float32(negative_weight)
    share = weight_of_pair / np.float32(num_negative)
    largest = settings[0] if optimizer == SGD else np.float32(0.0)
    longest = (largest / rate) ** 2 if largest > 0.0 else np.float32(np.inf)  # squared gradient, above it steps are cut
    at_once = optimizer == SGD and dim == products.ONE_CHUNK  # gradients stay in registers: saves an eighth of the time
    shift = first_head - first_context  # from a row of the one part to that of the other for the same node

    x_rows, c_rows = buffer((max_row + _FOUR) * dim), buffer((max_row + _FOUR) * dim)
    n_rows, gradient = buffer(shared * dim), buffer(_FOUR * dim)
    scores, noise_scores = buffer(_FOUR * window + 16), buffer(_FOUR * shared + 16)
    g_pairs, g_noise = buffer(max_row * stride + 16), buffer((max_row + _FOUR) * shared)
    pairs_of_head, pairs_of_item = np.zeros(max_row + 1, np.float32), np.zeros(max_row + 17, np.float32)
    noise_ids = np.full(shared + 16, -1, np.int64)
    # Of this tile and of the next one.
    heads, items = np.zeros((2, 4, max_row + 17), np.int64), np.zeros((2, 4, max_row + 17), np.int64)
    num_any = np.zeros((2, max_row + 1), np.float32)
    ids = np.full(nodes_per_walk + 2 * step + 80, -1, np.int64)
    words, ranks = np.zeros((2, words_of(nodes_per_walk)), np.uint64), np.zeros((2, words_of(nodes_per_walk)), np.int64)

    x_at, c_at, n_at, gradient_at = x_rows.ctypes.data, c_rows.ctypes.data, n_rows.ctypes.data, gradient.ctypes.data
    scores_at, noise_scores_at, noise_ids_at = scores.ctypes.data, noise_scores.ctypes.data, noise_ids.ctypes.data
    g_pairs_at, g_noise_at = g_pairs.ctypes.data, g_noise.ctypes.data
    items_at, pairs_of_item_at = items.ctypes.data, pairs_of_item.ctypes.data
    vertex_at, context_at = vertex.ctypes.data, context.ctypes.data
    vertex_m1, vertex_m2 = vertex_moment1.ctypes.data, vertex_moment2.ctypes.data
    context_m1, context_m2 = context_moment1.ctypes.data, context_moment2.ctypes.data

    num_pairs = 0
    next_head, next_item = 0, 0
    if num_tile:
        next_head, next_item = list_tile(
            walks, 0, min(num_walk, walks_per_tile), step, two_sided, first_head, num_vertex, first_context, num_context,
            ids, words, ranks, heads[0], num_any[0], items[0],
        )  # fmt: skip

    for tile in range(num_tile):
        now, num_head, num_item = tile % 2, next_head, next_item
        soon = 1 - now
        next_head, next_item = 0, 0
        if tile + 1 < num_tile:
            first_walk = (tile + 1) * walks_per_tile
            next_head, next_item = list_tile(
                walks, first_walk, min(num_walk, first_walk + walks_per_tile), step, two_sided,
                first_head, num_vertex, first_context, num_context,
                ids, words, ranks, heads[soon], num_any[soon], items[soon],
            )  # fmt: skip
        log_loss = tile % LOSS_EVERY == 0

        # The rows as they are when the tile begins.
        for i in range((num_head + _FOUR - 1) // _FOUR * _FOUR):
            if i < num_head:
                rows.copy_row(x_at + i * size, vertex_at + heads[now, ROW, i] * size, dim)
            else:
                rows.clear_row(x_at + i * size, dim)
        for j in range(num_item):
            rows.copy_row(c_at + j * size, context_at + items[now, ROW, j] * size, dim)
            pairs_of_item[j] = 0.0
        if num_head:
            for k in range(num_negative):
                noise_ids[k] = negatives[tile, k]
                rows.copy_row(n_at + k * size, context_at + noise_ids[k] * size, dim)
        if next_head:
            for k in range(num_negative):
                gathered.fetch_row(context_at + np.int64(negatives[tile + 1, k]) * size, dim)

        any_weight, fetched = np.float32(0.0), 0
        for i in range(0, num_head, _FOUR):
            # Rows of the next tile are fetched while this one computes.
            last = max(next_head, next_item) * (i + _FOUR) // num_head
            for r in range(fetched, last):
                if r < next_head:
                    gathered.fetch_row(vertex_at + heads[soon, ROW, r] * size, dim)
                if r < next_item:
                    gathered.fetch_row(context_at + items[soon, ROW, r] * size, dim)
            fetched = last

            end = min(i + _FOUR, num_head)
            low, high = heads[now, LOW, i], heads[now, HIGH, end - 1]
            number = (high - low + _FOUR - 1) // _FOUR * _FOUR
            _dot_rows(x_at + i * size, c_at + low * size, number, dim, scores_at, number)
            coefficients.sigmoid(scores_at, (_FOUR * number + 15) // 16 * 16)
            for h in range(i, end):
                begin = heads[now, LOW, h]
                own = coefficients.pair_coefficients(
                    scores_at + _F4 * ((h - i) * number + begin - low), items_at + _I8 * (items.shape[2] * (4 * now + ROW) + begin),
                    heads[now, ROW, h] + shift, g_pairs_at + _F4 * heads[now, AT, h], pairs_of_item_at + _F4 * begin,
                    heads[now, HIGH, h] - begin,
                )  # fmt: skip
                pairs_of_head[h] = own
                num_pairs += own

            _dot_rows(x_at + i * size, n_at, shared, dim, noise_scores_at, shared)
            coefficients.sigmoid(noise_scores_at, (_FOUR * shared + 15) // 16 * 16)
            for r in range(_FOUR):
                node, weight = np.int64(-1), np.float32(0.0)
                if i + r < num_head:
                    node, weight = heads[now, ROW, i + r] + shift, num_any[now, i + r]
                any_weight += weight
                coefficients.negative_coefficients(
                    noise_scores_at + _F4 * r * shared, noise_ids_at, node, share * weight,
                    g_noise_at + _F4 * (i + r) * shared, shared,
                )  # fmt: skip
            if log_loss:
                statistics[0] += noise_loss(g_noise, noise_scores, shared, num_negative, i)
                for h in range(i, end):
                    statistics[0] += _pair_loss(g_pairs, heads[now, AT, h], heads[now, HIGH, h] - heads[now, LOW, h])
                    statistics[1] += pairs_of_head[h] + weight_of_pair * num_any[now, h]

        for i in range(num_head):
            if num_any[now, i] > 0.0:
                begin, count = heads[now, LOW, i], heads[now, HIGH, i] - heads[now, LOW, i]
                at = heads[now, ROW, i] * size
                weight = decay * (pairs_of_head[i] + weight_of_pair * num_any[now, i])
                if at_once:
                    products.descend_from_two(
                        g_pairs_at + _F4 * heads[now, AT, i], c_at + begin * size, count,
                        g_noise_at + _F4 * i * shared, n_at, num_negative, vertex_at + at, weight, rate, longest, largest,
                    )  # fmt: skip
                else:
                    square = products.gradient_from_two(
                        g_pairs_at + _F4 * heads[now, AT, i], c_at + begin * size, count,
                        g_noise_at + _F4 * i * shared, n_at, num_negative, dim, vertex_at + at, weight, gradient_at,
                    )  # fmt: skip
                    _move(
                        optimizer, vertex_at + at, vertex_m1 + at, vertex_m2 + at, gradient_at, square, dim, rate, longest, settings
                    )  # fmt: skip

        if any_weight > 0.0:
            for k in range(0, num_negative, _FOUR):
                products.accumulate_4(g_noise_at + _F4 * k, 1, shared, x_at, num_head, dim, gradient_at)
                for r in range(min(_FOUR, num_negative - k)):
                    at = noise_ids[k + r] * size
                    update_row(
                        optimizer, context_at + at, context_m1 + at, context_m2 + at, gradient_at + r * size, dim,
                        decay * share * any_weight, rate, settings,
                    )  # fmt: skip

        for j in range(num_item):
            if pairs_of_item[j] > 0.0:
                begin, count = items[now, LOW, j], items[now, HIGH, j] - items[now, LOW, j]
                at = items[now, ROW, j] * size
                weight = decay * pairs_of_item[j]
                if at_once:
                    products.descend(
                        g_pairs_at + _F4 * items[now, AT, j], stride, x_at + begin * size, count,
                        context_at + at, weight, rate, longest, largest,
                    )  # fmt: skip
                else:
                    square = products.gradient_of(
                        g_pairs_at + _F4 * items[now, AT, j], stride, x_at + begin * size, count, dim,
                        context_at + at, weight, gradient_at,
                    )  # fmt: skip
                    _move(
                        optimizer, context_at + at, context_m1 + at, context_m2 + at, gradient_at, square, dim, rate, longest, settings
                    )  # fmt: skip
    keep((x_rows, c_rows, n_rows, gradient, scores, noise_scores, g_pairs, g_noise))
    keep((noise_ids, ids, heads, items, pairs_of_item))
    return num_pairs
