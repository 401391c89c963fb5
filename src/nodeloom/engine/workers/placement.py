"""Where the nodes are in tables whose parts workers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.partition import Placement, assign, communities
from nodeloom.partition.communities import MAX_PART
from nodeloom.plan.mode import Ring

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.transport.base import Transport


def placement_of_workers(plan: Plan, graph: Graph, transport: Transport) -> Placement:
    """Return where the nodes are; all workers have to call it.

    Where whole walks are trained, parts are communities: a walk stays in one for a while, so most of its pairs are in few blocks, and a
    row that is fetched serves many of them. Worker 0 finds them, since all must have the same.
    """
    assert isinstance(plan.mode, Ring)
    parts = plan.mode.grid.num_vertex_part, plan.mode.grid.num_context_part
    if not plan.mode.whole_walks or parts[1] > MAX_PART:
        return assign(graph.strengths, *parts)
    if transport.rank == 0:
        found = communities(
            graph.indptr,
            graph.indices,
            graph.weights,
            graph.strengths,
            parts[1],
            num_thread=plan.num_thread,
            seed=plan.seed,
        )
    else:
        found = np.empty(plan.num_nodes, np.int32)
    transport.broadcast(found)
    return assign(graph.strengths, *parts, found)
