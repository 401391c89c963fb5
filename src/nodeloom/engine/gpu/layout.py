"""How the training kernel is laid out: how many tiles are under way at a time, and how rows are changed.

All tiles that are under way read rows that the others are about to change. On a graph of ten thousand nodes with hubs, 264 tiles of 64
nodes are 1.6 times all nodes and a hundred times the busiest one. What that does was measured on one H100 (micro/macro-F1, dim 128):

- Additions add up: at lr 0.01 BlogCatalog, PPI and Cora diverge with 264 tiles under way, YouTube-77k and LastFM do not.
- Stores do not add up, the last one counts. Everything stays stable, at 5 % less speed; at lr 0.01 BlogCatalog has 42.2/27.6 at 50 %
  with 264 tiles under way and 42.2/28.0 with 132 (the CPU: 42.3/28.2).
- Adam (2000 nodes, 300 epochs) learned nothing with 264 tiles under way whose rows had been kept by their multiprocessors: so no more
  than half of the nodes are in rows under way, unless the training would take long, and small tables are read past those caches.
- Long steps need fewer tiles: 200 epochs (lr 0.04) on BlogCatalog give 33.7/17.4, 35.2/19.1, 36.6/20.8 and 37.2/21.2 with 132, 64, 32
  and 16 tiles under way (the CPU: 38.2/22.3), on Cora 57.5/49.5, 72.5/70.7, 75.9/74.4 and 77.1/75.6 (74.6/73.3).

A short training is over in a moment whatever the layout, so it can afford few tiles; a long one takes short steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.engine.plan import Plan
from nodeloom.kernels.gpu.optimizer import SGD
from nodeloom.kernels.gpu.skipgram import TILE, Launch

if TYPE_CHECKING:
    from nodeloom.graph import Graph

CLIP_ABOVE = 0.02
"""Learning rate of SGD above which the largest step of a row is enforced. At 0.01 vectors are as good without, and asking costs a fifth
of the time."""

BUSY = 0.3
"""How many updates of the busiest node should be under way at a time, times the learning rate. Additions are used up to here."""

PATIENCE = 0.15
"""Seconds up to which a training may be slowed down for the sake of its vectors."""

_SECONDS_PER_TILE = 17e-6  # of a program of 8 warps; of 4 warps as long, but two of those share a multiprocessor
_FEWEST = 16


def optimizer_settings(plan: Plan) -> tuple[float, ...]:
    """Return the numbers that the kernel takes for the optimizer; the largest step only where it is to be enforced."""
    first, *rest = map(float, plan.optimizer.settings)
    if plan.optimizer.code == SGD and plan.lr <= CLIP_ABOVE:
        first = 0.0
    return (first, *rest)


def layout(graph: Graph, plan: Plan, num_multiprocessor: int) -> Launch:
    """Return the layout for a graph.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        Its plan.
    num_multiprocessor : int
        Of the device. Each takes two programs of 4 warps or one of 8.
    """
    # Walks come to a node over the edges into it as well as they start over those out of it.
    busiest = max(float(strengths.max() / strengths.sum()) for strengths in (graph.strengths, graph.in_strengths))
    tiles = plan.total_pair / len(plan.parts) / plan.pairs_per_tile * plan.chunks
    calm = BUSY / max(busiest * TILE * plan.lr, 1e-12)  # programs whose updates do not add up to much
    apart = (
        0.5 * plan.num_nodes / (TILE + plan.num_shared_negative)
    )  # programs that have half of the nodes in their rows
    quick = tiles * _SECONDS_PER_TILE / PATIENCE  # programs that are done before anybody waits
    wanted = max(_FEWEST, min(calm, apart), quick)
    plain = plan.optimizer.code == SGD
    may_add = plain and plan.table_dtype == "fp32"
    # With moments four warps have too few registers.
    if wanted >= 1.5 * num_multiprocessor and plain:
        num_program, under_way, num_warps = 0, 2 * num_multiprocessor, 4
    elif wanted >= num_multiprocessor:
        num_program, under_way, num_warps = 0, num_multiprocessor, 8
    else:
        num_program = under_way = int(wanted)
        num_warps = 8
    add = may_add and under_way <= calm
    return Launch(num_warps=num_warps, num_program=num_program, add=add)
