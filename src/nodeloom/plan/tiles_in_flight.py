"""How many tiles the training kernel has in flight, and how it changes rows.

Tiles in flight read rows that other tiles are updating. On a 10,000-node graph, 264 tiles in flight touch each node 1.6 times on average
and the largest hub 100 times. The effect was measured on one H100 (micro/macro-F1, dim 128):

- Additions add up: at lr 0.01 BlogCatalog, PPI and Cora diverge with 264 tiles in flight, YouTube-77k and LastFM do not.
- Stores do not add up, the last one counts. Everything stays stable, at 5 % less speed; at lr 0.01 BlogCatalog has 42.2/27.6 at 50 %
  with 264 tiles in flight and 42.2/28.0 with 132 (the CPU: 42.3/28.2). But a hub that is in all tiles learns from one of them only.
- So changes are added wherever that is possible, and the rate of a node that many tiles change at a time is limited:
  :data:`MAX_UPDATES_IN_FLIGHT_TIMES_LR`.
- Adam (2000 nodes, 300 epochs) learned nothing with 264 tiles in flight whose rows had been kept by their multiprocessors: so no more
  than half of the nodes are in rows in flight, unless the training would take long, and small tables are read past those caches.
- Long steps need fewer tiles: 200 epochs (lr 0.04) on BlogCatalog give 33.7/17.4, 35.2/19.1, 36.6/20.8 and 37.2/21.2 with 132, 64, 32
  and 16 tiles in flight (the CPU: 38.2/22.3), on Cora 57.5/49.5, 72.5/70.7, 75.9/74.4 and 77.1/75.6 (74.6/73.3).

A short training is over in a moment whatever the layout, so it can afford few tiles; a long one takes short steps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.cpu.optimizer import SGD
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.kernels.units import heads_for, programs_for
from nodeloom.plan.launch import BlockLaunch, Launch

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import DoubleArray

MAX_UPDATES_IN_FLIGHT_TIMES_LR = 0.3
"""The most updates of a node in flight, times its learning rate. Few tiles in flight keep the busiest node below this if there is time for
that; else its learning rate is lowered, where changes are added."""

MAX_SLOWDOWN_SECONDS = 0.15
"""Seconds up to which a training may be slowed down for the sake of its vectors."""

_SECONDS_PER_TILE = 17e-6  # of a program of 8 warps; of 4 warps as long, but two of those share a multiprocessor
_FEWEST_IN_FLIGHT = 4
_MAX_ROWS_IN_FLIGHT_SHARE = 0.5  # of the nodes, if there is time for that

_MAX_HEADS_IN_FLIGHT_PER_NODE = 1.0
"""Heads in flight for each node, at most, where changes are added: BlogCatalog diverged with two, whatever the rates of its hubs."""

_MAX_ROWS_IN_FLIGHT_WITH_MOMENTS = 0.2
"""Rows in flight for each node, at most: a step is as long for few gradients as for many, so none should be lost. Adam on 2000 nodes finds
95.5 % of the neighbours with one program and 95.1, 92.9, 88.5 and 46 with 4, 8, 16 and 64; AdaGrad loses nothing up to 16."""


_MAX_BLOCK_HEADS_IN_FLIGHT_TIMES_LR = 0.005
"""Heads in flight for each row of a part, at most, times the learning rate, in blocks of a grid.

Rows are stored there, and a head is in a unit of its own for every eight pairs: with all units in flight at once, one of many changes of a
head is left. AUC of hidden edges with 0.15, 0.5, 1, 2 heads a row and with all that the card takes, one H200, 4 x 4 blocks: a planted
partition of 5000 nodes, 200 epochs (lr 0.04) 0.878, 0.875, 0.868, 0.854, 0.805 (the CPU: 0.881); PPI 0.843, 0.839, 0.824, 0.773, 0.549
(0.841); BlogCatalog 0.903, 0.894, 0.897, 0.892, 0.828 (0.904). At 2000 epochs (lr 0.01) PPI 0.872, 0.870, 0.863, 0.862, 0.812 (0.873),
BlogCatalog 0.911, 0.911, 0.913, 0.914 (0.913). On YouTube-77k all are the same."""


def launch_of(graph: Graph, plan: Plan, num_multiprocessor: int) -> Launch:
    """Return how whole tables of a graph are trained on a GPU.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        Its plan.
    num_multiprocessor : int
        Of the device. Each takes two programs of 4 warps or one of 8.
    """
    plain = plan.optimizer.code == SGD
    tiles = plan.total_pair / len(plan.stages) / plan.pairs_per_tile * plan.chunks
    # Tiles in flight whose updates of the busiest node add up to little; whose rows are few of all rows; that are done in time.
    calm = MAX_UPDATES_IN_FLIGHT_TIMES_LR / max(float(visits(graph).max()) * TILE * plan.lr, 1e-12)
    rows = TILE + plan.negatives.count
    apart = _MAX_ROWS_IN_FLIGHT_SHARE * plan.num_nodes / rows
    quick = tiles * _SECONDS_PER_TILE / MAX_SLOWDOWN_SECONDS
    add = plain and plan.table_dtype == "fp32"
    wanted = max(min(calm, apart), quick)
    if add:
        wanted = min(wanted, _MAX_HEADS_IN_FLIGHT_PER_NODE * plan.num_nodes / TILE)
    elif not plain:
        wanted = min(wanted, _MAX_ROWS_IN_FLIGHT_WITH_MOMENTS * plan.num_nodes / rows)
    wanted = max(_FEWEST_IN_FLIGHT, wanted)
    # With moments four warps have too few registers.
    num_program, num_warps = 0, 8
    if wanted >= 1.5 * num_multiprocessor and plain:
        num_warps = 4
    elif wanted < num_multiprocessor:
        num_program = int(wanted)
    tiles_at_once = num_program or num_multiprocessor * (2 if num_warps == 4 else 1)
    busiest = float((visits(graph) * (tiles_at_once * TILE)).max())
    return Launch(
        num_warps,
        num_program,
        add,
        tiles_at_once,
        is_limited=add and busiest * plan.lr > MAX_UPDATES_IN_FLIGHT_TIMES_LR,
    )


def block_launch_of(plan: Plan, walks_at_a_time: int, num_multiprocessor: int) -> BlockLaunch:
    """Return how the blocks of a plan with a grid are trained: all units at a time, unless a part has too few rows for that.

    Parameters
    ----------
    plan : Plan
        The plan.
    walks_at_a_time : int
        From :func:`nodeloom.plan.memory.walks_at_a_time`.
    num_multiprocessor : int
        Of the device.
    """
    grid = plan.grid
    assert grid is not None
    row = max(stage.row for stage in plan.stages)
    heads, part_rows = heads_for(row), -(-plan.num_nodes // max(grid.num_vertex_part, grid.num_context_part))
    room = (
        _MAX_BLOCK_HEADS_IN_FLIGHT_TIMES_LR / plan.lr
        if plan.optimizer.code == SGD
        else _MAX_ROWS_IN_FLIGHT_WITH_MOMENTS
    )
    wanted = max(_FEWEST_IN_FLIGHT, int(room * part_rows / heads))
    num_program = wanted if wanted < programs_for(heads, row, num_multiprocessor) else 0
    return BlockLaunch(heads, num_program, walks_at_a_time)


def visits(graph: Graph) -> DoubleArray:
    """Return the share of the places of all walks in which each node stands, about, [N]."""
    # Walks come to a node over the edges into it as well as they start over those out of it.
    return np.maximum(*(strengths / strengths.sum() for strengths in (graph.strengths, graph.in_strengths)))
