"""A second objective in few lines: neighbours come together, others drift apart, by the squared distance of their rows.

It is what an application brings: a declaration, a kernel for tiles of walks and one for sorted pairs. The score of a pair is
``b - |x - y|^2``; with the logistic loss the gradient of a row is ``-2 g (x - y)``, where g is the label less the sigmoid of the score.
"""

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.model.objective import Objective, SharedNegatives, Walks
from nodeloom.model.stage import Stage
from nodeloom.model.tables import TableSpec, Uniform
from nodeloom.rng import Purpose, stream


def declared(num_nodes, dim, seed=0, *, two_sided=True):
    """Return the one stage: a tied table of points, edges as positives, 8 negatives of each tile, and the constant b."""
    point = TableSpec("point", num_nodes, dim, Uniform(stream(seed, Purpose.INITIAL_VERTEX), 0.5))
    edges = Walks(random_walk_length=1, augmentation_step=1, two_sided=two_sided)
    objective = Objective(
        (point,), edges, SharedNegatives(8, 0.75, 2.0), head="point", tail="point",
        kernel="toy_objective", pair_kernel="toy_objective", settings=(1.0,),
    )  # fmt: skip
    return Stage(objective, 0, seed)


@jit
def _move(x, y, label, weight, lr, b):
    """Move two rows by the gradient of a pair; return its loss."""
    distance = np.float32(0.0)
    for j in range(len(x)):
        distance += (x[j] - y[j]) ** 2
    probability = 1.0 / (1.0 + np.exp(distance - b))
    step = np.float32(2.0 * lr * weight * (label - probability))
    for j in range(len(x)):
        change = step * (x[j] - y[j])
        x[j] -= change
        y[j] += change
    return -weight * np.log(max(probability if label else 1.0 - probability, 1e-9))


@jit
def train_walks(
    head, tail, head1, head2, tail1, tail2, walks, negatives, lr, window, two_sided, negative_weight, decay, code, numbers,
    statistics, settings,
):  # fmt: skip
    """Train tiles of walks of one edge; return the pairs."""
    per_tile, pairs = len(walks) // max(len(negatives), 1), 0
    drawn = negatives.reshape((len(negatives), negatives.size // max(len(negatives), 1)))
    for number in range(len(walks)):
        tile = number // per_tile
        u, v = walks[number, 0], walks[number, 1]
        if u < 0 or v < 0 or u == v:
            continue
        pairs += 2 if two_sided else 1
        statistics[0] += _move(head[u], tail[v], 1.0, 1.0, lr[tile], settings[0])
        for node in drawn[tile]:
            if node != u:
                weight = negative_weight / drawn.shape[1]
                statistics[0] += _move(head[u], tail[node], 0.0, weight, lr[tile], settings[0])
        statistics[1] += 1.0 + negative_weight
    return pairs


@jit
def train_pairs(
    head, tail, head1, head2, tail1, tail2, begin, ends, contexts, totals, units, negatives, heads_per_unit, first_head,
    first_context, lr, negative_weight, decay, code, numbers, statistics, settings,
):  # fmt: skip
    """Train units of a block of sorted pairs; negatives weigh as a head's pairs in all its blocks do."""
    for unit in range(len(units)):
        if units[unit, 1] > 0:  # all pairs of a head are trained with its first unit
            continue
        first = units[unit, 0] * heads_per_unit
        for u in range(first, min(first + heads_per_unit, len(ends))):
            at = begin if u == 0 else ends[u - 1]
            for number in range(at, ends[u]):
                statistics[0] += _move(head[u], tail[contexts[number]], 1.0, 1.0, lr, settings[0])
            for node in negatives[unit]:
                if node + first_context != u + first_head:
                    weight = negative_weight * totals[u] / negatives.shape[1]
                    statistics[0] += _move(head[u], tail[node], 0.0, weight, lr, settings[0])
            statistics[1] += ends[u] - at + negative_weight * totals[u]
