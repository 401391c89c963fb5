"""Bytes: what a training will need in main memory and on a device, and whether that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.sampling.walks import HubRows, WalkSampler

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan

POOL_SLOTS = 3
"""Pools of walks on a device: one is trained, one is sampled, one is being counted."""

SLACK = 64
"""Episodes differ by less than a part of so many: how many pairs their walks have depends on chance."""

_VALUE_BYTES = {"fp32": 4, "bf16": 2}


def episode_chunk(limit: int, nodes_per_walk: int) -> int:
    """Return how many walks of an episode are on a device at a time: they take a twentieth of its memory, within bounds.

    Few walks take as long as many: each waits for the memory at every step.
    """
    nodes = min(max(limit // 20 // 4, 1 << 16), 1 << 26)
    return max(1, nodes // nodes_per_walk)


def value_bytes(plan: Plan) -> int:
    """Return the bytes of a value of the tables; those of moments have 4."""
    return _VALUE_BYTES[plan.table_dtype]


def widest_row(plan: Plan) -> int:
    """Return the values in a row of the tables of the widest part."""
    return max(stage.row for stage in plan.stages)


def row_bytes(plan: Plan) -> int:
    """Return the bytes of a row of the widest part, with its moments."""
    return widest_row(plan) * (value_bytes(plan) + 4 * plan.optimizer.num_moment)


def table_memory(plan: Plan, values: int) -> dict[str, int]:
    """Return the bytes of tables of so many values, and of their moments, by purpose."""
    memory = {"tables": values * value_bytes(plan)}
    if plan.optimizer.num_moment:
        memory["moments"] = values * 4 * plan.optimizer.num_moment
    return memory


def whole_values(plan: Plan) -> int:
    """Return the values of the whole tables of a part, at most."""
    return max(plan.num_nodes * stage.row * len(stage.objective.tables) for stage in plan.stages)


def result_bytes(plan: Plan) -> int:
    """Return the bytes that worker 0 needs beside its share, to put the tables together for a file."""
    return plan.num_nodes * widest_row(plan) * 4 * 2 * (1 + plan.optimizer.num_moment)


def placement_bytes(plan: Plan, itemsize: int) -> int:
    """Return the bytes of the rows that nodes have in a grid, and of an alias table with the noise of each row."""
    return plan.num_nodes * (itemsize * (1 if plan.device == "cpu" else 2) + 12)


def walk_bytes(plan: Plan, itemsize: int) -> float:
    """Return the bytes of walks for a positive pair."""
    return plan.walks_per_tile * plan.positives.nodes_per_walk * itemsize / plan.pairs_per_tile


def num_tables(plan: Plan) -> int:
    """Return the tables that are trained at a time, at most."""
    return max(len(stage.objective.tables) for stage in plan.stages)


def host_memory(plan: Plan, graph: Graph) -> dict[str, int]:
    """Return the bytes of main memory by purpose. Parts are trained one after the other, so the widest counts; finished ones stay."""
    nodes, tables_at_once = plan.num_nodes, num_tables(plan)
    memory: dict[str, int] = {}
    if plan.device == "cpu":
        memory = table_memory(plan, whole_values(plan))
        if len(plan.stages) > 1 or plan.stages[0].row != plan.stages[0].dim:
            memory["vectors"] = nodes * plan.dim * 4 * tables_at_once
    else:
        memory["vectors"] = nodes * plan.dim * 4 * tables_at_once
    memory["graph"] = graph.nbytes
    # Alias tables of starts and negatives (8 each), sums of the rows (16) and columns of the graph.
    memory["samplers"] = nodes * (32 + 8 * graph.directed) + len(graph.indices) * 8 * graph.is_weighted
    if (plan.positives.p, plan.positives.q) != (1.0, 1.0):
        memory["samplers"] += HubRows.size(graph)
    elif WalkSampler.has_own_bounds(graph):
        memory["samplers"] += 4 * (nodes + 1)
    itemsize = graph.indices.itemsize
    if plan.device == "cpu":
        rows = plan.walks_per_tile * plan.positives.nodes_per_walk + 2 * (plan.positives.augmentation_step + 8)
        walks = plan.tiles_per_pool * plan.walks_per_tile * plan.positives.nodes_per_walk * itemsize
        memory["buffers"] = walks + plan.num_thread * rows * 4 * (2 * widest_row(plan) + 64)
    elif plan.sampler == "host":
        memory["pinned buffers"] = POOL_SLOTS * _walk_bytes(plan, itemsize)
    return memory


def device_memory(plan: Plan, graph: Graph) -> dict[str, int]:
    """Return the bytes on a device by purpose."""
    nodes, itemsize = plan.num_nodes, graph.indices.itemsize
    memory = table_memory(plan, whole_values(plan))
    memory["samplers"] = nodes * (4 + itemsize)
    if plan.optimizer.name == "SGD" and plan.table_dtype == "fp32":
        memory["rates"] = nodes * 4  # the largest of each node, if some are busy
    if plan.sampler == "device":
        memory["graph"] = graph.indptr.nbytes + graph.indices.nbytes
        memory["samplers"] += nodes * (4 + itemsize) + len(graph.indices) * 8 * graph.is_weighted
        if (plan.positives.p, plan.positives.q) != (1.0, 1.0):
            memory["samplers"] += HubRows.size(graph) + len(graph.indices) * 4 * graph.is_weighted
    negatives = plan.tiles_per_pool * plan.chunks * plan.negatives.count * itemsize
    memory["buffers"] = POOL_SLOTS * (_walk_bytes(plan, itemsize) + negatives + plan.tiles_per_pool * 4)
    return memory


def _walk_bytes(plan: Plan, itemsize: int) -> int:
    return plan.tiles_per_pool * plan.walks_per_tile * plan.positives.nodes_per_walk * itemsize
