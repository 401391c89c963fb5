"""Bytes: what a training will need in main memory and on a device, and whether that is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from nodeloom.kernels.units import CPU_HEADS, heads_for
from nodeloom.sampling.walks import HubRows, WalkSampler
from nodeloom.schedule import RingShifts, rounds

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan

POOL_SLOTS = 3
"""Pools of walks on a device: one is trained, one is sampled, one is being counted."""

SLACK = 64
"""The number of walks of consecutive episodes differs by less than 1/64: the pairs of a walk vary randomly."""

_VALUE_BYTES = {"fp32": 4, "bf16": 2}

_BUFFER = 128 << 20  # bytes of a piece of a table that is merged
_HOST_BUFFER = 16 << 20  # of a table in main memory
_BUFFERS = 2  # one is computed while the other is on its way

_UNIT_BYTES = {"cpu": 12, "gpu": 20}
"""Of the list of units; on a GPU 8, and several columns of 64 bits for those of some blocks while the list is made."""

_HEADS = {"cpu": CPU_HEADS, "gpu": heads_for(128)}  # of a unit, at usual widths
_UNEVEN = 2  # how many times as many units there are as if all heads of a tile had as many pairs
PAIRS_OF_HEAD = 8
"""Pairs of a head in a unit."""


def walks_at_a_time(limit: int, nodes_per_walk: int) -> int:
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


# ----------------------------------------------------------------------------------------------- merges


def merged_bytes(plan: Plan) -> int:
    """Return the bytes of a worker that a merge brings together: changes of the tables, and moments."""
    return plan.num_nodes * num_tables(plan) * (row_bytes(plan) + 4)


def buffer_rows(num_nodes: int, row: int, itemsize: int) -> int:
    """Return the rows of a table that are merged at a time."""
    return max(1, min(num_nodes, _BUFFER // (row * itemsize)))


def host_buffer_rows(num_nodes: int, row: int) -> int:
    """Return the rows of a table in main memory that are merged at a time: the caches of a CPU hold a part of them at least."""
    return max(1, min(num_nodes, _HOST_BUFFER // (4 * (row + 1))))


def num_buffer(num_nodes: int, rows: int) -> int:
    """Return how many pieces of `rows` rows are in flight at a time."""
    return min(_BUFFERS, -(-num_nodes // rows))


def merge_memory(plan: Plan) -> dict[str, int]:
    """Return the bytes that merging needs beside what training does, by purpose: on the GPU, or in main memory."""
    row, itemsize = widest_row(plan), value_bytes(plan)
    on_cpu = plan.device == "cpu"
    rows = host_buffer_rows(plan.num_nodes, row) if on_cpu else buffer_rows(plan.num_nodes, row, itemsize)
    pieces = num_buffer(plan.num_nodes, rows)
    return {
        "base": plan.num_nodes * row * itemsize * num_tables(plan),
        "merge buffers": pieces * rows * (row * itemsize + 4),
    }


# --------------------------------------------------------------------------------------- grids and rings


def unit_memory(plan: Plan, num_vertex_part: int, num_context_part: int) -> int:
    """Return the bytes of the list of units of a row of the grid."""
    where = _where(plan)  # as many units as if all heads of a tile had as many pairs
    return _UNIT_BYTES[where] * round(plan.num_nodes / num_vertex_part * num_context_part / _HEADS[where])


def unit_bytes_of_pair(plan: Plan) -> float:
    """Return the bytes of further units for a pair: heads with many pairs are in several units."""
    where = _where(plan)
    return _UNIT_BYTES[where] * _UNEVEN / (_HEADS[where] * PAIRS_OF_HEAD)


def _where(plan: Plan) -> Literal["cpu", "gpu"]:
    return "cpu" if plan.device == "cpu" else "gpu"


def context_bytes_of(rows: int) -> int:
    """Return the bytes of a context in the list of pairs: 2 if they can number the rows of a context part."""
    return 2 if rows <= 1 << 16 else 4


def cursor_bytes_of(plan: Plan, num_pair: int) -> int:
    """Return the bytes of a place in a list of so many pairs."""
    return 4 if plan.device != "cpu" and num_pair < 2**31 else 8


def count_bytes(heads: int, num_context_part: int, cursor_bytes: int) -> int:
    """Return the bytes of the counts of pairs of a vertex part.

    Counts of this row and the next (int32) and cursors for every context part and head, totals (int32) for every head.
    """
    return heads * ((8 + cursor_bytes) * num_context_part + 4)


def slot_bytes(plan: Plan, num_walk: int, itemsize: int) -> int:
    """Return the bytes of the slots of all nodes, and of the walks that are on a device at a time."""
    return (plan.num_nodes + num_walk * plan.positives.nodes_per_walk) * itemsize


def rows_of_worker(plan: Plan, num_worker: int, num_part: int) -> int:
    """Return the most rows of both tables that a worker of a ring has at a time: its vertex part, and context parts that come and go."""
    shifts = RingShifts(rounds(num_worker, num_part, num_worker), rounds(num_worker, num_part, num_worker, 1))
    context_parts = max(shifts.num_buffer(worker) for worker in range(num_worker))
    return -(-plan.num_nodes // num_part) * (num_part // num_worker + context_parts)


def ring_memory(plan: Plan, graph: Graph, num_worker: int, num_part: int) -> dict[str, int]:
    """Return the bytes of main memory of a worker on the CPU, by purpose, but for the walks and pairs of an episode."""
    whole = host_memory(plan, graph)
    memory = table_memory(plan, rows_of_worker(plan, num_worker, num_part) * widest_row(plan))
    memory |= {name: whole[name] for name in ("graph", "samplers", "buffers")}
    memory["placement"] = placement_bytes(plan, graph.indices.itemsize)
    return memory


def ring_device_memory(
    plan: Plan, whole: dict[str, int], num_worker: int, num_part: int, num_pair: int, num_walk: int, itemsize: int
) -> dict[str, int]:
    """Return the bytes on the GPU of a worker, by purpose, but for the walks and pairs of an episode.

    Parameters
    ----------
    plan : Plan
        The plan, but for its mode.
    whole : dict of str to int
        From :func:`device_memory`.
    num_worker, num_part : int
        Vertex parts; context parts.
    num_pair : int
        Pairs of an episode, at most.
    num_walk : int
        Walks of an episode that are there at a time.
    itemsize : int
        Bytes of a node.
    """
    heads = -(-plan.num_nodes // num_part) * (num_part // num_worker)
    memory = table_memory(plan, rows_of_worker(plan, num_worker, num_part) * widest_row(plan))
    memory |= {name: whole[name] for name in ("graph", "samplers") if name in whole}
    # And the negatives of a block.
    memory["buffers"] = slot_bytes(plan, num_walk, itemsize) + heads * plan.negatives.count // 2
    memory["counts"] = count_bytes(heads, num_part, cursor_bytes_of(plan, num_pair))
    memory["units"] = unit_memory(plan, num_worker, num_part)
    return memory
