"""Skip-gram with negative sampling on walk tiles; :mod:`nodeloom.kernels.reference.skipgram` is the definition.

A tile is a walk, or as many whole short walks as fit TILE nodes. Its vertex rows X, context rows C and the negative rows N
shared by every TILE nodes are copied once, all scores and gradients are small matrix products on the copies, and every row of
the tables is changed once per place it has in the tile. Several threads may run this on the same tables: the read, change
and write of a row are not atomic and an update can be lost. That is Hogwild (Niu et al., NIPS 2011), and it is meant.

Pairs of a tile lie in a band. Row i of the band has 2 * step + 2 places, of which place t stands for context row i - step + t and
the last is always 0; so a block of rows, read with a stride one shorter than a row, is a dense matrix, and so is its transpose.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._buffers import buffer, keep
from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu._loss import noise_loss
from nodeloom.kernels.cpu.optimizer import update_row
from nodeloom.kernels.cpu.simd import coefficients, products, rows

TILE = 64
"""Nodes that share negatives."""

LOSS_EVERY = 32
"""The loss is summed over one tile of so many."""

_BLOCK = 4  # rows of a block of scores
_F4, _I8 = 4, 8  # bytes of a float32, of an int64


# Compiled once each, although used in several places of the kernel.
@jit
def _dot_rows(a, b, count, dim, out, ldo):
    products.dot_rows(a, b, count, dim, out, ldo)


@jit
def _sigmoid(address, count):
    coefficients.sigmoid(address, (count + 15) // 16 * 16)


@jit
def _load_tile(walks, first, num_row, max_row, ids, vertex, context, x, c, dim):
    """Copy the ids and rows of a tile to the buffers at addresses `x` and `c`; absent nodes get zeros."""
    nodes_per_walk = walks.shape[1]
    size = _F4 * dim
    for i in range(max_row):
        node = np.int64(-1)
        if i < num_row:
            node = np.int64(walks[first + i // nodes_per_walk, i % nodes_per_walk])
        ids[i] = node
        if node >= 0:
            rows.copy_row(x + i * size, vertex + node * size, dim)
            rows.copy_row(c + i * size, context + node * size, dim)
        else:
            rows.clear_row(x + i * size, dim)
            rows.clear_row(c + i * size, dim)


@jit
def _band_weights(ids, pad, max_row, nodes_per_walk, step, two_sided, weights, band, row_weight, item_weight):
    """Set the weight of every place of the band, and its sums by row and by context row; return the number of pairs.

    The weight is 1, or 0 where there is no pair: beyond the walk, on a dead end, or with itself.
    """
    num_pair = 0
    ids_at, weights_at = ids.ctypes.data, weights.ctypes.data
    one_tile = two_sided and nodes_per_walk == max_row
    for i in range(max_row):
        node = ids[pad + i]
        lowest, highest = i - step, i + step
        if not one_tile:
            begin = i - i % nodes_per_walk
            lowest = max(lowest, begin) if two_sided else i + 1
            highest = min(highest, begin + nodes_per_walk - 1)
        place = i * band + (lowest - i + step)
        if not one_tile:
            for t in range(i * band, (i + 1) * band):
                weights[t] = 0.0
        if node >= 0 and highest >= lowest:
            found = coefficients.pair_weights(
                ids_at + _I8 * (pad + lowest), node, weights_at + _F4 * place, highest - lowest + 1
            )
            row_weight[i] = np.float32(found)
            num_pair += found
        else:
            row_weight[i] = 0.0
            for t in range(i * band, (i + 1) * band):
                weights[t] = 0.0
    if two_sided:
        for i in range(max_row):
            item_weight[i] = row_weight[i]
    else:
        for j in range(max_row):
            total = np.float32(0.0)
            for i in range(max(0, j - step), j):
                total += weights[i * band + (j - i + step)]
            item_weight[j] = total
    return num_pair


@jit
def _band_loss(weights, scores, band, window, step, first):
    """Return the loss of the positive pairs of four rows whose scores have passed through the sigmoid."""
    loss = 0.0
    for r in range(_BLOCK):
        for t in range(2 * step + 1):
            weight = weights[(first + r) * band + t]
            if weight > 0.0:
                loss -= weight * np.log(scores[r * window + r + t] + 1e-15)
    return loss


@jit
def train_walks(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2,
    walks, negatives, lr, step, two_sided, negative_weight, weight_decay, optimizer, settings, statistics,
):  # fmt: skip
    """Train both tables on walks, in place; return the number of positive pairs.

    Minimises, over the positive pairs (i, j) of a walk, 0 < |i - j| <= step (or 0 < j - i <= step), between different nodes,

        -log s(x_i . c_j)  +  negative_weight / K * sum_k -log(1 - s(x_i . n_k))

    with the logistic function s, vertex rows x, context rows c, and K negatives n shared by TILE nodes (equation 4
    of Mikolov et al., NIPS 2013). X and C are read when a tile begins and N when its TILE nodes begin. Then,
    for every TILE nodes, their vertex rows and the negative rows are changed, and at the end the context rows, in order.

    Parameters
    ----------
    vertex, context : float32 [N, D]
        Tables; D a multiple of 16, C-contiguous, at best aligned to 64 bytes. May be the same array.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float32 [N, D]
        State of the optimizer; may be empty where it uses none.
    walks : int32 or int64 [W, L + 1]
        -1 stands after the end of a walk.
    negatives : int32 or int64 [num_tile, chunks, K]
        For each tile, for every TILE of its nodes.
    lr : float32 [num_tile]
        Learning rate of each tile.
    step : int
        Augmentation step.
    two_sided : bool
        Pairs in both directions (undirected graphs).
    negative_weight : float32
        Total weight of the negatives of one positive pair.
    weight_decay : float32
        Factor of the rows in their gradient, per unit of weight of the samples of a row.
    optimizer, settings
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th tile and the sum of its weights are added.
    """
    num_walk, nodes_per_walk = walks.shape
    dim = vertex.shape[1]
    num_tile, num_chunk, num_negative = negatives.shape
    walks_per_tile = max(1, TILE // nodes_per_walk)
    max_row = walks_per_tile * nodes_per_walk
    # Zero rows around a tile let every block of products run without looking at its edges.
    pad = step + 8
    padded = max_row + 2 * pad
    band = 2 * step + 2
    window = (2 * step + 2 * _BLOCK - 1) // _BLOCK * _BLOCK
    shared = (num_negative + _BLOCK - 1) // _BLOCK * _BLOCK
    size = _F4 * dim

    x_rows, c_rows, n_rows = buffer(padded * dim), buffer(padded * dim), buffer(shared * dim)
    weights, g_band = buffer((max_row + _BLOCK) * band), buffer((padded + 2) * band)
    scores, gradient = buffer(_BLOCK * max(window, shared) + 16), buffer(4 * dim)
    g_noise = buffer((max_row + _BLOCK) * shared)
    row_weight, item_weight = buffer(max_row + _BLOCK), buffer(max_row + _BLOCK)
    ids, noise_ids = np.full(padded + 16, -1, np.int64), np.full(shared + 16, -1, np.int64)

    x_at = x_rows.ctypes.data + pad * size
    c_at = c_rows.ctypes.data + pad * size
    g_band_at = g_band.ctypes.data + _F4 * (pad + 1) * band
    n_at, g_noise_at, scores_at = n_rows.ctypes.data, g_noise.ctypes.data, scores.ctypes.data
    weights_at, gradient_at, noise_ids_at = weights.ctypes.data, gradient.ctypes.data, noise_ids.ctypes.data
    vertex_at, context_at = vertex.ctypes.data, context.ctypes.data
    vertex_m1, vertex_m2 = vertex_moment1.ctypes.data, vertex_moment2.ctypes.data
    context_m1, context_m2 = context_moment1.ctypes.data, context_moment2.ctypes.data
    negative_share = negative_weight / np.float32(num_negative)
    num_pairs = 0

    for tile in range(num_tile):
        first_walk = tile * walks_per_tile
        num_row = min(walks_per_tile, num_walk - first_walk) * nodes_per_walk
        rate = lr[tile]
        log_loss = tile % LOSS_EVERY == 0
        _load_tile(
            walks,
            first_walk,
            num_row,
            max_row,
            ids[pad:],
            vertex_at,
            context_at,
            x_at,
            c_at,
            dim,
        )
        num_pairs += _band_weights(
            ids, pad, max_row, nodes_per_walk, step, two_sided, weights, band, row_weight, item_weight
        )

        for chunk in range(num_chunk):
            begin, end = chunk * TILE, min(max_row, (chunk + 1) * TILE)
            for k in range(num_negative):
                noise_ids[k] = negatives[tile, chunk, k]
                rows.copy_row(n_at + k * size, context_at + noise_ids[k] * size, dim)
                if tile + 1 < num_tile:
                    rows.prefetch_row(context_at + np.int64(negatives[tile + 1, chunk, k]) * size, dim)

            # Scores and the derivatives of the loss, four vertex rows at a time.
            for i in range(begin, end, _BLOCK):
                for r in range(i, min(i + _BLOCK, max_row)):  # fetch rows of the next tile while this one computes
                    w = first_walk + walks_per_tile + r // nodes_per_walk
                    if w < num_walk:
                        node = np.int64(walks[w, r % nodes_per_walk])
                        if node >= 0:
                            rows.prefetch_row(vertex_at + node * size, dim)
                            rows.prefetch_row(context_at + node * size, dim)
                _dot_rows(x_at + i * size, c_at + (i - step) * size, window, dim, scores_at, window)
                _sigmoid(scores_at, _BLOCK * window)
                for r in range(_BLOCK):
                    at = _F4 * (i + r) * band
                    coefficients.positive_coefficients(
                        scores_at + _F4 * (r * window + r), weights_at + at, g_band_at + at, 2 * step + 1
                    )
                if log_loss:
                    statistics[0] += _band_loss(weights, scores, band, window, step, i)
                _dot_rows(x_at + i * size, n_at, shared, dim, scores_at, shared)
                _sigmoid(scores_at, _BLOCK * shared)
                for r in range(_BLOCK):
                    coefficients.negative_coefficients(
                        scores_at + _F4 * r * shared, noise_ids_at, ids[pad + i + r], negative_share * row_weight[i + r],
                        g_noise_at + _F4 * (i + r) * shared, shared,
                    )  # fmt: skip
                if log_loss:
                    statistics[0] += noise_loss(g_noise, scores, shared, num_negative, i)
                    for r in range(_BLOCK):
                        statistics[1] += row_weight[i + r] * (1.0 + negative_weight)

            # Vertex rows: from the band of context rows and from the negatives.
            for i in range(begin, end, 2):
                products.accumulate_2_from_two(
                    g_band_at + _F4 * i * band, band - 1, c_at + (i - step) * size, band,
                    g_noise_at + _F4 * i * shared, shared, n_at, num_negative, dim, gradient_at,
                )  # fmt: skip
                for r in range(2):
                    node = ids[pad + i + r]
                    if node >= 0 and row_weight[i + r] > 0.0:
                        at = node * size
                        decay = weight_decay * (np.float32(1.0) + negative_weight) * row_weight[i + r]
                        update_row(
                            optimizer, vertex_at + at, vertex_m1 + at, vertex_m2 + at, gradient_at + r * size, dim, decay, rate, settings
                        )  # fmt: skip

            # Negative rows.
            chunk_weight = np.float32(0.0)
            for i in range(begin, end):
                chunk_weight += row_weight[i]
            if chunk_weight > 0.0:
                decay = weight_decay * negative_share * chunk_weight
                for k in range(0, num_negative, 4):
                    products.accumulate_4(
                        g_noise_at + _F4 * (begin * shared + k),
                        1,
                        shared,
                        x_at + begin * size,
                        end - begin,
                        dim,
                        gradient_at,
                    )
                    for r in range(min(4, num_negative - k)):
                        at = noise_ids[k + r] * size
                        update_row(
                            optimizer, context_at + at, context_m1 + at, context_m2 + at, gradient_at + r * size, dim, decay, rate, settings
                        )  # fmt: skip

        # Context rows: the band read the other way round.
        for j in range(0, max_row, 2):
            products.accumulate_2(
                g_band_at + _F4 * ((j - step) * band + 2 * step),
                1,
                band - 1,
                x_at + (j - step) * size,
                band,
                dim,
                gradient_at,
            )
            for r in range(2):
                node = ids[pad + j + r]
                if node >= 0 and item_weight[j + r] > 0.0:
                    at = node * size
                    update_row(
                        optimizer, context_at + at, context_m1 + at, context_m2 + at, gradient_at + r * size, dim,
                        weight_decay * item_weight[j + r], rate, settings,
                    )  # fmt: skip
    keep((x_rows, c_rows, n_rows, g_band, g_noise, scores, gradient, weights))
    return num_pairs
