"""The plan of workers with whole tables, each on its GPU or in main memory."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from nodeloom.errors import ConfigError, MemoryLimitError, describe
from nodeloom.plan.formats import candidate_formats
from nodeloom.plan.grid_size import requested_parts
from nodeloom.plan.memory import device_memory, host_memory, merge_memory, merged_bytes
from nodeloom.plan.merges import merge_seconds, num_merges
from nodeloom.plan.mode import Copies
from nodeloom.plan.ring import check_memory
from nodeloom.plan.tiles_in_flight import launch_of
from nodeloom.units import size, sizes
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.machine import Machine
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings

_POOLS = 8
"""Pools of walks between two merges, at least: the first is drawn while nothing is trained."""


def check_no_parts(settings: Settings) -> None:
    """Raise ConfigError if parts were asked for, which whole tables have not."""
    if (parts := requested_parts(settings)) is not None:
        raise ConfigError(
            describe(
                setting("build.num_partition"),
                expected=f"1 or 'auto', since {setting('resource.parallelism')} is data",
                got=parts,
                hint="Leave one of the two out.",
            )
        )


def copies_on_gpus(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with whole tables on the GPU of every worker.

    Parameters
    ----------
    plan : Plan
        With the pools of one GPU.
    graph : Graph
        The graph.
    settings : Settings
        What the user asked for.
    machine : Machine
        The workers.

    Raises
    ------
    MemoryLimitError
        If the GPU with the least memory has no room for them, or a host no room for the rest.
    ConfigError
        If bf16 was asked for and rows are too wide.
    """
    check_no_parts(settings)
    worker = machine.smallest_gpu
    limit = machine.workers[worker].device_memory
    plans = [_with_merges(p, graph, machine.num_worker) for p in candidate_formats(plan, settings)]
    fitting = [p for p in plans if p.num_device_bytes <= limit]
    if not fitting:
        hint = f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables), let workers have parts "
        hint += f"({setting('resource.parallelism', 'model')}), or give {setting('resource.device', 'cpu')}."
        raise MemoryLimitError(
            describe(
                f"plan, worker {worker}",
                expected=f"at most {size(limit)} on {machine.workers[worker].device}, for whole tables",
                got=f"{plans[-1].table_dtype} tables, {sizes(plans[-1].device_memory)}",
                hint=hint,
            )
        )
    chosen = fitting[0]
    assert isinstance(chosen.mode, Copies)
    rest = {name: count for name, count in chosen.memory.items() if name != "vectors"}  # worker 0 has those
    check_memory(rest, machine.main_memory, chosen.memory["vectors"])
    devices = ", ".join(dict.fromkeys(worker.device for worker in machine.workers))
    reason = (
        f"{machine.num_worker} workers with whole tables each on {devices}; changes are merged {chosen.mode.num_merge} times, "
        f"{size(merged_bytes(chosen))} each"
    )
    launch = launch_of(graph, chosen, machine.num_multiprocessor)
    return dataclasses.replace(chosen, memory=rest if machine.rank else chosen.memory, launch=launch, reason=reason)


def _with_merges(plan: Plan, graph: Graph, num_worker: int) -> Plan:
    """Return the plan with its merges, its pools and its memory."""
    seconds = merge_seconds(plan)
    number = num_merges(plan, num_worker, seconds)
    pool = math.ceil(_tiles(plan, num_worker, number) / _POOLS)
    plan = dataclasses.replace(
        plan, num_worker=num_worker, mode=Copies(number, seconds), tiles_per_pool=max(1, min(plan.tiles_per_pool, pool))
    )
    # The largest entry comes first: a long error message is cut at the end.
    on_device = device_memory(plan, graph)
    on_device = {"tables": on_device["tables"]} | merge_memory(plan) | on_device
    return dataclasses.replace(plan, memory=host_memory(plan, graph), device_memory=on_device)


def copies_on_cpus(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with whole tables in the main memory of every worker.

    Parameters
    ----------
    plan : Plan
        With the pools of one process.
    graph, settings, machine
        As for :func:`copies_on_gpus`.

    Raises
    ------
    ConfigError
        If parts were asked for.
    MemoryLimitError
        If a worker has no room for them.
    """
    check_no_parts(settings)
    num = machine.num_worker
    threads = min(worker.num_thread for worker in machine.workers)  # hosts may differ, and all merge as often
    slowest = dataclasses.replace(plan, num_thread=threads)
    seconds = merge_seconds(slowest, machine.add_speed)
    number = num_merges(slowest, num, seconds)
    plan = dataclasses.replace(
        plan, num_worker=num, mode=Copies(number, seconds),
        tiles_per_pool=max(1, min(plan.tiles_per_pool, math.ceil(_tiles(plan, num, number)))),
    )  # fmt: skip
    memory = host_memory(plan, graph)
    memory = {"tables": memory["tables"]} | merge_memory(plan) | memory
    check_memory(memory, machine.main_memory, 0)
    reason = (
        f"{num} workers with whole tables each in main memory; changes are merged {number} times, "
        f"{size(merged_bytes(plan))} each"
    )
    return dataclasses.replace(plan, memory=memory, reason=reason)


def _tiles(plan: Plan, num_worker: int, num_merge: int) -> float:
    """Return the expected number of tiles that a worker trains between two merges."""
    pairs = plan.total_pair / len(plan.stages)
    return pairs / (plan.pairs_per_tile * plan.positives.reuse * num_worker * num_merge)
