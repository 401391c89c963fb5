"""What "auto" means: each rule is a function from numbers to a number, with the measurement behind it.

Figures are micro-F1 / macro-F1 at 50 % of the labels unless said otherwise, dim 128, 2000 epochs, mean of one to four splits.
"""

from __future__ import annotations

import math

RANDOM_WALK_LENGTH = 63
"""Edges per walk: 64 nodes, which is one tile of the kernels."""

AUGMENTATION_STEP = 5
"""Widest distance of a pair. GraphVite's rule, ln 1600 / ln(E / N), gives 2 on BlogCatalog (41.4/28.5, AUC of held-out edges 0.891)
and 4 on YouTube-77k (48.2/42.5); 3 gives 42.1/29.0 and AUC 0.907 on BlogCatalog, 5 42.4/28.2 and AUC 0.913, and 48.2/42.3 on
YouTube-77k. 10 loses 0.5 to 4 points. A wider step also trains more pairs per row read: 5 takes two thirds of the time of 3."""

_LEARNING_RATE = {"SGD": 0.01, "Momentum": 0.01, "AdaGrad": 0.05, "RMSprop": 0.001, "Adam": 0.001}

PAIRS_PER_NODE = 20_000
"""Positive pairs for each node that a training of auto length aims at, see :func:`num_epoch`."""

LONGER_PAIRS = 4_000_000_000
"""Positive pairs up to which a training of auto length is longer than 2000 epochs: some 100 seconds of two cores."""

BF16_NODES = 1_000_000
"""Nodes from which on bf16 tables come before walks drawn by the CPU, where fp32 tables and the graph do not fit a GPU together.

bf16 lost 0.04/0.23 points of F1 on debian_large (1.3 M nodes) and nothing of the communities of a graph of YouTube's size, but
half a point on BlogCatalog (10 k nodes). 16 CPU threads draw walks for 8 G pairs/s at a step of 5, for 3 G at a step of 2."""


def num_epoch(num_nodes: int, num_edges: int) -> int:
    """Return the epochs for a graph of N connected nodes and E edges: 20,000 positive pairs for each node, in 2000 to 8000 epochs.

    Micro-F1/macro-F1 at 10 % and at 50 % after 2000, 4000 and 8000 epochs (one H200, two splits, one or two seeds):

    - Cora (1.9 edges per node): 77.8/76.6, 77.7/76.7, 78.1/77.0 and 82.0/81.1, 82.0/81.2, 82.2/81.5;
    - Debian's packages, a spanning tree and few edges (1.9): 59.4/40.5, 59.8/41.4, 60.0/41.8 and 61.5/46.2, 61.8/47.0, 62.1/47.2;
    - YouTube-77k with half its edges (3.2): 42.3/35.7, 42.0/35.7, 41.7/35.7 and 45.2/38.6, 45.1/38.5, 45.3/38.9;
    - LastFM (3.6): 84.5/72.8, 84.5/73.0, 84.4/72.7 and 86.5/79.0, 86.6/79.3, 86.7/79.4;
    - YouTube-77k (5.1): 45.6/39.4, 45.5/39.5, 45.2/39.4 and 48.2/42.3, 48.4/42.6, 48.4/42.5;
    - Debian's packages (5.2): 67.4/48.7, 68.0/49.7, 68.4/50.5 and 69.3/54.3, 70.1/55.4, 70.5/55.9;
    - PPI (9.8): 18.2/14.3, 18.0/14.2, 17.8/14.2 and 22.2/18.9, 22.1/19.0, 21.6/18.5;
    - BlogCatalog (32): 38.0/22.0, 37.8/22.2, 37.5/22.1 and 42.6/29.1, 42.6/29.5, 42.5/29.5.

    Graphs so large that this would be more than :data:`LONGER_PAIRS` get no more than that, or 2000 epochs.
    """
    wanted = PAIRS_PER_NODE * num_nodes / max(num_edges, 1)
    longest = max(2000, min(8000, LONGER_PAIRS // max(num_edges, 1)))
    return int(min(longest, max(2000, round(wanted, -2))))


def learning_rate(optimizer: str, num_epoch: int) -> float:
    """Return the first learning rate.

    SGD: 0.01 at 2000 epochs, where 0.005 and 0.02 give no better vectors and 0.05 diverges on three small graphs without
    :data:`nodeloom.model.optimizer.LARGEST_STEP`; more for a shorter training, with the power 0.6, up to 0.05. At 200 epochs 0.025
    gives 44.8/35.5 on YouTube-77k and 81.1/61.3 on LastFM where 0.01 gives 38.7/26.7 and 57.7/28.3; at 188 epochs on BlogCatalog 0.025,
    0.033, 0.04 and 0.06 give 35.9/18.4, 37.6/20.8, 37.9/21.7 and, with fewer negatives, 33.7/18.6; at 50 epochs 0.05 is better still.
    The other optimizers follow the same rule: at 400 epochs it takes LastFM from 76.4/56.8 to 83.2/72.1 with Adam, 82.8/70.1 to
    86.2/78.9 with RMSprop, 76.4/57.7 to 84.5/74.3 with Momentum and 85.3/76.6 to 86.0/78.8 with AdaGrad.

    Parameters
    ----------
    optimizer : str
        Its name.
    num_epoch : int
        Length of the training.
    """
    return _LEARNING_RATE[optimizer] * min(5.0, max(0.5, (2000 / num_epoch) ** 0.6))


def weight_decay(optimizer: str, num_nodes: int, num_edges: int) -> float:
    """Return the weight decay for a graph of N connected nodes and E edges.

    SGD: 0.002 at the density of BlogCatalog (E / N = 32), more on sparser graphs and less on denser ones, with the fourth root.
    Without decay small graphs are learned by heart (PPI: 20.9/18.1 against 21.9/18.6 with 0.002 and 23.2/19.3 with 0.005) and
    YouTube-77k falls from 48.3/42.5 to 47.7/41.7; 0.003 costs BlogCatalog 2 and 0.005 8 points of macro-F1. Adaptive optimizers divide
    the decay by the size of the gradient like everything else, and do without.
    """
    if optimizer not in ("SGD", "Momentum"):
        return 0.0
    density = num_edges / max(num_nodes, 1)
    return float(min(0.005, max(0.0005, 0.002 * (32 / max(density, 1e-9)) ** 0.25)))


def initial_scale(dim: int) -> float:
    """Return half the width of the uniform first values of the vertex table.

    0.5 / sqrt(dim), which makes rows 0.29 long at any dim. GraphVite's 0.5 / dim starts next to the saddle point at 0, and a short
    training is spent on leaving it: at 200 epochs Cora goes from 55.0/45.4 to 72.6/71.3 and YouTube-77k from 44.8/35.5 to 46.1/38.8; at
    2000 LastFM from 86.3/78.9 to 86.5/79.3, and BlogCatalog and YouTube-77k stay within 0.3 points.
    """
    return 0.5 / math.sqrt(dim)


def num_shared_negative(step: int, num_epoch: int) -> int:
    """Return the negatives per 64 nodes for an augmentation step and a length of training.

    16; at 2000 epochs on BlogCatalog and YouTube-77k 8, 16 and 32 differ by less than 0.3 points, and 32 costs half as much again. A
    short training takes long steps and feels the noise of shared negatives: at 188 epochs on BlogCatalog 16, 24 and 32 give 36.9/20.4,
    37.6/20.8 and 37.9/21.0, so up to 500 epochs there are 24. With a step of 1 or 2 a tile has so few pairs that 8 are enough for them,
    and negatives would take most of the time.
    """
    if step <= 2:
        return 8
    return 24 if num_epoch <= 500 else 16


def random_walk_length(step: int, sinks: float = 0.0) -> int:
    """Return the edges per walk for an augmentation step.

    Where a share `sinks` of the edge weight of a directed graph leads to nodes that walks end at, walks are twice as long as they
    last on average: the rest would be empty places in tiles. With 8 % 15 trains 7.5 M pairs/s where 63 trains 4.3, with 21 % 10
    trains five times as fast as 63. Where nearly all edges end at sinks (users and items) walks are single edges.
    """
    if sinks > 0.9:
        return 1
    return max(step, math.ceil(min(RANDOM_WALK_LENGTH, 2 / sinks))) if sinks > 0 else max(RANDOM_WALK_LENGTH, step)
