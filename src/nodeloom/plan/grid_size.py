"""When tables are trained in a grid: because they fit nowhere else, or because the user wants parts; and how much that needs."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.errors import ConfigError, MemoryLimitError, describe
from nodeloom.partition import Grid, Placement, assign
from nodeloom.plan.grid_choice import choose_grid
from nodeloom.plan.memory import (
    PAIRS_OF_HEAD,
    cursor_bytes_of,
    device_memory,
    host_memory,
    placement_bytes,
    row_bytes,
    slot_bytes,
    table_memory,
    unit_bytes_of_pair,
    unit_memory,
    walk_bytes,
    walks_at_a_time,
    whole_values,
)
from nodeloom.plan.mode import Blocks
from nodeloom.plan.tiles_in_flight import block_launch_of
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.machine import Machine
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings
    from nodeloom.typing import DoubleArray

EPISODES = 16
"""Episodes of a training, at least: each sees all blocks once, and the learning rate falls from one to the next.

BlogCatalog at 200 epochs, micro/macro-F1 at 50 %: 38.3/22.7, 38.3/22.6 and 38.4/22.4 with 10, 20 and 60 episodes of 4 x 4 blocks, 38.3/22.4
in memory; at 1000 epochs 41.6/27.5 with 30, 41.6/27.3 in memory."""

_WALK_SHARE = 0.25  # of the memory for the walks of an episode, where they are kept
_HOST_WALK_SHARE = 0.1  # of main memory for those of a GPU, of this episode and the next
_ROW_PAIRS = 1 << 21  # of a row of a grid, where tables are in memory: Ctrl-C and checkpoints wait for its end
VISIT_BYTES = {
    "cpu": 900,
    "gpu": 75,
}  # and for a head with its negatives: 0.6 us of two threads at 1.5 GB/s, 1.4 ns at 54 GB/s
_BLOCK_BYTES = {"cpu": 2 << 20, "gpu": 16 << 20}  # what could be moved in the time that it takes to start a block
_BLOCK_PAIRS = 16  # of a block, if there are as many
_SPREAD = 1.5  # how much heavier than the mean a range of nodes may be, if nodes are to stay where they are


def requested_parts(settings: Settings) -> int | None:
    """Return the number of parts that the user asks for; None if there is no such wish."""
    parts = settings.build.num_partition
    return None if parts == "auto" or parts == 1 else int(parts)


def placement_of(plan: Plan, graph: Graph) -> Placement:
    """Return where the nodes are in the tables of a grid.

    They are dealt to the parts by strength. Only in files they stay where they are if ranges of nodes are about as heavy as each
    other: to move rows of a file at the end takes long.
    """
    assert plan.grid is not None
    parts = plan.grid.num_vertex_part, plan.grid.num_context_part
    if isinstance(plan.mode, Blocks) and plan.mode.storage == "file" and range_balance(graph.strengths) <= _SPREAD:
        finer = max(parts)
        dtype = np.int32 if -(-graph.num_nodes // finer) * finer <= np.iinfo(np.int32).max else np.int64
        return Placement(np.arange(graph.num_nodes, dtype=dtype), *parts)
    return assign(graph.strengths, *parts)


def range_balance(strengths: DoubleArray) -> float:
    """Return by how much the heaviest of equal ranges of nodes exceeds the mean, at most, for up to 64 ranges."""
    sums = np.concatenate([[0.0], np.cumsum(strengths)])
    found = [1.0]
    for parts in (2, 4, 8, 16, 32, 64):
        bounds = np.minimum(np.arange(parts + 1) * -(-len(strengths) // parts), len(strengths))
        found.append(float(np.diff(sums[bounds]).max() / sums[-1] * parts))
    return max(found)


def grid_on_cpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine, reason: str) -> Plan:
    """Return the plan with a grid for threads of the CPU: in memory if the tables fit and parts were asked for, else in files.

    Raises
    ------
    MemoryLimitError
        If no grid fits, or the tables do not fit the disk.
    """
    whole, limit = host_memory(plan, graph), machine.own.main_memory
    in_files = limit is not None and sum(whole.values()) > limit
    free = (limit if limit is not None else 1 << 62) if in_files else 1 << 62
    balance = range_balance(graph.strengths) if in_files else float("inf")
    if balance > _SPREAD:
        balance = dealt_balance(graph.strengths)
    fixed: dict[str, int] = {name: whole[name] for name in ("graph", "samplers")}
    itemsize = graph.indices.itemsize
    fixed["placement"] = placement_bytes(plan, itemsize)
    fixed["buffers"] = whole["buffers"]
    per_pair = walk_bytes(plan, itemsize)
    most = _longest_episode(plan, settings)
    if not in_files:  # nothing is moved, so short episodes cost next to nothing
        row = max(_ROW_PAIRS * 128 // max(128, plan.dim), PAIRS_OF_HEAD * plan.num_nodes)
        most = max(1, min(most, row * (requested_parts(settings) or 1)))
    room = max(0, free - sum(fixed.values()))
    most = max(1, min(most, int(room * _WALK_SHARE / per_pair)))
    fixed["walks"] = round(most * per_pair)
    grid = _choose(plan, settings, sum(fixed.values()), free, most, balance)
    memory = fixed | dict(grid.memory)
    if not in_files:  # parts are trained where they are
        memory = {name: whole[name] for name in ("tables", "moments") if name in whole} | memory
        for name in ("vertex parts", "context parts"):
            memory.pop(name)
        grid = dataclasses.replace(grid, reason=f"{grid.num_vertex_part} x {grid.num_context_part} blocks.")
    memory.pop("fixed")
    mode = Blocks(grid, "file" if in_files else "memory")
    plan = dataclasses.replace(plan, mode=mode, memory=memory, reason=f"{reason} {grid.reason}")
    if in_files:
        _check_disk(whole["tables"] + whole.get("moments", 0), machine)
    return plan


def grid_on_gpu(plans: list[Plan], graph: Graph, settings: Settings, machine: Machine, reason: str) -> Plan | None:
    """Return the first of the plans that fits with a grid on a GPU whose tables lie in main memory; None if none does."""
    available = machine.own.main_memory
    for plan in plans:
        found = _on_gpu(plan, graph, settings, machine, reason)
        if found is not None and (available is None or found.num_bytes <= available):
            return found
    return None


def _on_gpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine, reason: str) -> Plan | None:
    itemsize, limit = graph.indices.itemsize, machine.own.device_memory
    on_device, on_host = device_memory(plan, graph), host_memory(plan, graph)
    fixed: dict[str, int] = {name: on_device[name] for name in ("graph", "samplers") if name in on_device}
    num_walk = walks_at_a_time(limit, plan.positives.nodes_per_walk)
    fixed["buffers"] = slot_bytes(plan, num_walk, itemsize)
    most = _longest_episode(plan, settings)
    per_pair = walk_bytes(plan, itemsize)
    memory = {name: on_host[name] for name in ("graph", "samplers")}
    if plan.sampler == "host":
        available = machine.own.main_memory or 16 << 30
        most = max(1, min(most, int(_HOST_WALK_SHARE * available / (2 * per_pair))))
        memory["pinned buffers"] = round(2 * most * per_pair)

    try:
        balance = dealt_balance(graph.strengths)
        grid = _choose(plan, settings, sum(fixed.values()), limit, most, balance)
    except MemoryLimitError:
        return None
    memory |= table_memory(plan, whole_values(plan))
    if plan.table_dtype == "bf16" or len(plan.stages) > 1 or plan.stages[0].row != plan.stages[0].dim:
        memory["vectors"] = on_host["vectors"]
    memory["placement"] = placement_bytes(plan, itemsize)
    on_device = fixed | {name: number for name, number in grid.memory.items() if name != "fixed"}
    on_device["units"] = unit_memory(plan, grid.num_vertex_part, grid.num_context_part)
    plan = dataclasses.replace(
        plan, mode=Blocks(grid), memory=memory, device_memory=on_device, reason=f"{reason} {grid.reason}"
    )
    return dataclasses.replace(plan, launch=block_launch_of(plan, num_walk, machine.num_multiprocessor))


def _longest_episode(plan: Plan, settings: Settings) -> int:
    """Return the pairs of an episode, at most: a training has several, unless its blocks are too many for its pairs.

    Raises
    ------
    ConfigError
        If there are more parts than nodes, or more blocks than pairs.
    """
    pairs, parts = plan.num_epoch * plan.num_edges, requested_parts(settings) or 1
    most = min(plan.num_nodes, math.isqrt(pairs))
    if parts > most:
        expected = f"at most {most:,} for {plan.num_nodes:,} nodes and {pairs:,} pairs, or 'auto'"
        raise ConfigError(describe(setting("build.num_partition"), expected=expected, got=parts))
    return max(1, pairs // EPISODES, min(pairs, _BLOCK_PAIRS * parts**2))


def _choose(plan: Plan, settings: Settings, fixed: int, free: int, most: int, balance: float) -> Grid:
    """Return the grid that moves least.

    Raises
    ------
    MemoryLimitError
        If none fits.
    """
    try:
        where = "cpu" if plan.device == "cpu" else "gpu"
        return choose_grid(
            plan.num_nodes,
            row_bytes=row_bytes(plan),
            free_bytes=free,
            max_episode_pairs=most,
            fixed_bytes=lambda a, b: fixed + unit_memory(plan, a, b),
            balance=balance,
            tied=any(stage.tied for stage in plan.stages),
            num_partition=requested_parts(settings),
            block_bytes=_BLOCK_BYTES[where],
            visit_bytes=VISIT_BYTES[where],
            pair_bytes=unit_bytes_of_pair(plan),
            cursor_bytes=cursor_bytes_of(plan, most),
        )
    except ValueError as error:
        where = "memory" if plan.device == "cpu" else plan.device
        raise MemoryLimitError(
            describe(
                "plan",
                expected=f"at most {size(free)} of {where}, in parts",
                got=f"{size(fixed)} beside the tables; {error}",
                hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables), or allow more memory.",
            )
        ) from error


def dealt_balance(strengths: DoubleArray) -> float:
    """Return by how much the heaviest part may exceed the mean if nodes are dealt by strength: by the largest node, and by chance."""
    return 1.05 + 16 * float(strengths.max() / strengths.sum())


def _check_disk(needed: int, machine: Machine) -> None:
    free = machine.folder_space
    if free is not None and needed > free:
        raise MemoryLimitError(
            describe(
                f"plan: temporary files in {machine.folder}",
                expected=f"at most the {size(free)} that are free",
                got=size(needed),
                hint=f"Set TMPDIR to a folder on a larger disk, or raise {setting('resource.memory_limit')}.",
            )
        )
