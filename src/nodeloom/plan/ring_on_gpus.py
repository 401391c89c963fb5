"""The plan of several workers on GPUs that share the tables: each has a vertex part, and context parts go round."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeAlias

from nodeloom.errors import MemoryLimitError, describe
from nodeloom.partition import Grid
from nodeloom.plan.formats import candidate_formats
from nodeloom.plan.grid_size import dealt_balance, grid_on_gpu, requested_parts
from nodeloom.plan.machine import Machine
from nodeloom.plan.memory import (
    context_bytes_of,
    device_memory,
    host_memory,
    placement_bytes,
    result_bytes,
    ring_device_memory,
    row_bytes,
    unit_bytes_of_pair,
    walk_bytes,
    walks_at_a_time,
    widest_row,
)
from nodeloom.plan.mode import Ring
from nodeloom.plan.ring import PARTS_PER_WORKER, check_memory, check_parts, check_untied, num_episodes
from nodeloom.plan.tiles_in_flight import block_launch_of
from nodeloom.units import size, sizes
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings

_PAIRS_PER_SECOND = 0.7e9  # of a GPU, at dim 128: an estimate
_BYTES_PER_SECOND = {True: 20e9, False: 2e9}  # from GPU to GPU; through main memory: estimates
_ROOM_SHARE = 0.9  # of the memory that is left: for the walks and the pairs of an episode
_SHORTEST = 1000  # episodes of a training, at most: shorter ones would only move tables

_Whole: TypeAlias = tuple[dict[str, int], dict[str, int]]


def ring_on_gpus(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with parts for the GPU of every worker.

    Pairs are sorted by part on the device, so nodes are dealt to the parts by strength. A worker has two context parts, so that one
    travels while the other is trained, unless only one fits.

    Parameters
    ----------
    plan : Plan
        Of one of the workers.
    graph : Graph
        The graph.
    settings : Settings
        What the user asked for.
    machine : Machine
        The workers.

    Raises
    ------
    ConfigError
        If tables are tied, the number of parts is no multiple of that of the workers, or rows are too wide for the
        bf16 that was asked for.
    MemoryLimitError
        If parts do not fit the GPU that has the least memory, however small they are, or a host has no room for the rest.
    """
    num = machine.num_worker
    check_untied(plan, settings)
    asked = requested_parts(settings)
    if asked is not None:
        check_parts(plan, num, asked)
    worker = machine.smallest_gpu
    limit = machine.workers[worker].device_memory
    numbers = [asked] if asked is not None else [PARTS_PER_WORKER * num, num]
    if asked is None:
        check_parts(plan, num, num)
        numbers = [number for number in numbers if number <= plan.num_nodes]
    balance = dealt_balance(graph.strengths)
    formats = [(p, (device_memory(p, graph), host_memory(p, graph))) for p in candidate_formats(plan, settings)]
    plans = [_in_parts(p, graph, whole, num, number, machine, balance) for p, whole in formats for number in numbers]
    fitting = [p for p in plans if p.num_device_bytes <= limit]
    if not fitting:
        least = min(plans, key=lambda p: p.num_device_bytes)
        raise MemoryLimitError(
            describe(
                f"plan, worker {worker}",
                expected=f"at most {size(limit)} on {machine.workers[worker].device}, for parts of the tables",
                got=f"{size(least.num_device_bytes - limit)} more: {least.table_dtype} tables, {sizes(least.device_memory)}",
                hint=(f"Leave {setting('build.num_partition')} out. " if asked is not None else "")
                + f"Use more workers with a GPU each, {_alone(plan, graph, settings, machine)}lower {setting('resource.dim')}, use SGD "
                f"(other optimizers keep more tables), or give {setting('resource.device', 'cpu')}.",
            )
        )
    found = fitting[0]
    check_memory(found.memory, machine.main_memory, result_bytes(found))
    memory = found.memory if machine.rank else found.memory | {"result": result_bytes(found)}
    return dataclasses.replace(found, memory=memory)


def _alone(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> str:
    """Return the advice to train with one worker and one GPU, where tables then lie in main memory; "" if they do not fit there."""
    alone = Machine((machine.workers[machine.smallest_gpu],))
    if grid_on_gpu(candidate_formats(plan, settings), graph, settings, alone, "") is None:
        return ""
    how = setting("resource.num_worker", 1) if machine.spawned else "one process without torchrun"
    return f"leave the tables in main memory ({how}: one GPU trains them in parts), "


def _in_parts(
    plan: Plan, graph: Graph, whole: _Whole, num_worker: int, num_part: int, machine: Machine, balance: float
) -> Plan:
    """Return the plan with a grid, whose episodes are as long as they should be and the memory allows.

    Parameters
    ----------
    plan : Plan
        The plan, with a number format and a sampler.
    graph, machine
        The graph; the workers.
    whole : pair of dict
        Bytes on the GPU and in main memory of a training of whole tables.
    num_worker, num_part : int
        Vertex parts; context parts.
    balance : float
        Pairs of the largest vertex part, as a multiple of their mean.
    """
    on_device, on_host = whole
    itemsize, direct = graph.indices.itemsize, machine.linked
    limit = machine.workers[machine.smallest_gpu].device_memory
    row, rows = widest_row(plan), -(-plan.num_nodes // num_part)
    of_part = rows * row_bytes(plan)
    moved = (num_part - num_part // num_worker) * of_part
    speed = _PAIRS_PER_SECOND * num_worker * 128 / max(128, row)
    total = plan.num_epoch * plan.num_edges
    most = max(1, total // num_episodes(plan, moved, speed, _BYTES_PER_SECOND[direct]))

    num_walk = walks_at_a_time(limit, plan.positives.nodes_per_walk)
    memory = ring_device_memory(plan, on_device, num_worker, num_part, most, num_walk, itemsize)
    of_walks, context_bytes = walk_bytes(plan, itemsize), context_bytes_of(rows)
    pair_bytes = balance / num_worker * (context_bytes + unit_bytes_of_pair(plan))
    room = max(0, limit - sum(memory.values())) * _ROOM_SHARE / (pair_bytes + of_walks)
    most = max(1, min(most, int(room)), total // _SHORTEST)
    memory["walks"] = round(most * of_walks)
    memory["pairs"] = round(most * pair_bytes)

    main = {name: on_host[name] for name in ("graph", "samplers")}
    main["placement"] = placement_bytes(plan, itemsize)
    if plan.sampler == "host":
        main["pinned buffers"] = round(2 * most * of_walks / num_worker)
    if not direct:
        main["travel"] = max(2 * of_part, round(2 * most * of_walks))
    way = "from GPU to GPU" if direct else "through main memory"
    reason = (
        f"{num_worker} workers of {num_worker} x {num_part} blocks, each with a vertex part on its GPU; "
        f"a context part of {size(of_part)} goes to the next worker in every round, {way}."
    )
    grid = Grid(
        num_vertex_part=num_worker, num_context_part=num_part, vertex_slots=1, context_slots=1,
        episode_pairs=most, row_pairs=most // num_worker,
        context_bytes=context_bytes, moved_bytes=moved, memory=dict(memory), reason=reason,
    )  # fmt: skip
    plan = dataclasses.replace(
        plan, mode=Ring(grid), memory=main, device_memory=memory, num_worker=num_worker, reason=reason
    )
    return dataclasses.replace(plan, launch=block_launch_of(plan, num_walk, machine.num_multiprocessor))
