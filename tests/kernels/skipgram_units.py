"""What the GPU does, in plain NumPy: the reference, but unit by unit, and with one step for a node in all its places.

It is the reference with the differences that :mod:`nodeloom.kernels.gpu.skipgram` states, and no others. All are of second
order in the learning rate where steps add up, as those of SGD do; ``test_skipgram_gpu`` shows that, and that there is no
difference at all where a tile is one unit and no node stands in two places.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from nodeloom.kernels.reference.optimizer import SGD, update_row
from nodeloom.kernels.reference.skipgram import LOSS_EVERY, TILE, positive_pairs


def units_in_order(num_tile, num_chunk):
    """Return (tile, chunk) in the order of the GPU: the tiles whose loss is summed are trained first."""
    tiles = sorted(range(num_tile), key=lambda tile: tile % LOSS_EVERY > 0)
    return [(tile, chunk) for tile in tiles for chunk in range(num_chunk)]


def train_walks(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2,
    walks, negatives, lr, step, two_sided, negative_weight, weight_decay, optimizer, settings, statistics,
    *, merge=None, reread=None, largest_rate=None,
):  # fmt: skip
    """Train both tables, in place; return the number of positive pairs.

    `merge` says that the gradients of a node in several places are added up before its row is changed, once, as the GPU does
    where it stores rows; otherwise each place adds its own change to the row. `reread` says that the decay of negatives is
    that of their rows as they are when vertices have been changed, which matters in a table for both. None: what the GPU does
    by default with fp32 tables. `largest_rate` [N] is what the rate of a node does not exceed.
    """
    num_tile, num_chunk, num_negative = negatives.shape
    merge = optimizer != SGD if merge is None else merge
    reread = num_chunk == 1 if reread is None else reread
    nodes_per_walk = walks.shape[1]
    walks_per_tile = max(1, TILE // nodes_per_walk)
    num_pairs = 0
    for tile, chunk in units_in_order(num_tile, num_chunk):
        nodes = walks[tile * walks_per_tile : (tile + 1) * walks_per_tile].ravel()
        noise = negatives[tile, chunk]
        rate = float(lr[tile])
        pairs = positive_pairs(nodes, nodes_per_walk, step, two_sided)
        pairs = [(i, j) for i, j in pairs if i // TILE == chunk]
        num_pairs += len(pairs)

        # All of a unit is computed from the rows as they are when it begins.
        x, c, n = vertex[nodes], context[nodes], context[noise]
        x_gradient, c_gradient, n_gradient = np.zeros_like(x), np.zeros_like(c), np.zeros_like(n)
        x_weight, c_weight = np.zeros(len(nodes)), np.zeros(len(nodes))
        loss = 0.0
        for i, j in pairs:
            score = expit(x[i] @ c[j])
            loss -= np.log(score + 1e-15)
            x_gradient[i] += (score - 1.0) * c[j]
            c_gradient[j] += (score - 1.0) * x[i]
            x_weight[i] += 1.0
            c_weight[j] += 1.0
        for i in np.flatnonzero(x_weight):
            weight = negative_weight / num_negative * x_weight[i]
            for k in np.flatnonzero(noise != nodes[i]):
                score = expit(x[i] @ n[k])
                loss -= weight * np.log(1.0 - score + 1e-15)
                x_gradient[i] += weight * score * n[k]
                n_gradient[k] += weight * score * x[i]
        n_weight = np.full(num_negative, negative_weight / num_negative * x_weight.sum())
        n_live = np.full(num_negative, x_weight.sum() > 0.0)
        if tile % LOSS_EVERY == 0:
            statistics += [loss, (1.0 + negative_weight) * x_weight.sum()]

        for table, moment1, moment2, ids, start, gradient, weight, live in (
            (vertex, vertex_moment1, vertex_moment2, nodes, x, x_gradient, (1.0 + negative_weight) * x_weight, x_weight > 0.0),
            (context, context_moment1, context_moment2, noise, n, n_gradient, n_weight, n_live),
            (context, context_moment1, context_moment2, nodes, c, c_gradient, c_weight, c_weight > 0.0),
        ):  # fmt: skip
            decay = weight_decay * weight
            rates = np.full(len(ids), rate) if largest_rate is None else np.minimum(rate, largest_rate[ids])
            if merge:
                for node in np.unique(ids[live]):
                    places = np.flatnonzero(ids == node)
                    g, d = gradient[places].sum(0), decay[places].sum()
                    if optimizer == SGD:
                        table[node] -= _rate(g + d * start[places[0]], rates[places[0]], settings[0]) * (
                            g + d * table[node]
                        )
                    else:
                        m1, m2 = (m[node] if m.size else None for m in (moment1, moment2))
                        update_row(optimizer, table[node], m1, m2, g, g.size, d, rates[places[0]], settings)
            else:
                begin = table[noise] if ids is noise and reread else start
                for place in np.flatnonzero(live):
                    cut = _rate(gradient[place] + decay[place] * start[place], rates[place], settings[0])
                    table[ids[place]] -= cut * (gradient[place] + decay[place] * begin[place])
    return num_pairs


def _rate(gradient, rate, largest):
    """Return the rate of SGD for a gradient that is computed from the row as it was when the unit began."""
    length = rate * np.linalg.norm(gradient)
    return rate * largest / length if 0.0 < largest < length else rate
