"""The plan of several workers on GPUs that share the tables: each has a vertex part, and context parts go round."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nodeloom.errors import MemoryLimitError, describe
from nodeloom.partition import Grid
from nodeloom.plan.formats import in_formats
from nodeloom.plan.grid_size import dealt_balance, grid_on_gpu, pair_memory, unit_memory, wanted
from nodeloom.plan.machine import Machine
from nodeloom.plan.memory import (
    device_memory,
    episode_chunk,
    host_memory,
    placement_bytes,
    result_bytes,
    row_bytes,
    table_memory,
    walk_bytes,
    widest_row,
)
from nodeloom.plan.mode import Ring
from nodeloom.plan.ring import (
    PARTS_PER_WORKER,
    check_memory,
    check_parts,
    num_episodes,
    refuse_tied_tables,
    rows_of_worker,
)
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
_SHORT_ROWS = 1 << 16  # rows of a context part that 16 bits can number


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
    refuse_tied_tables(plan, settings)
    asked = wanted(settings)
    if asked is not None:
        check_parts(plan, num, asked)
    direct, worker = machine.linked, machine.smallest_gpu
    limit = machine.workers[worker].device_memory
    numbers = [asked] if asked is not None else [PARTS_PER_WORKER * num, num]
    if asked is None:
        check_parts(plan, num, num)
        numbers = [number for number in numbers if number <= plan.num_nodes]
    balance = dealt_balance(graph.strengths)
    formats = [_Sizes.of(p, graph, limit, balance) for p in in_formats(plan, settings)]
    plans = [_in_parts(sizes_of, num, number, limit, direct) for sizes_of in formats for number in numbers]
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
    if grid_on_gpu(in_formats(plan, settings), graph, settings, alone, "") is None:
        return ""
    how = setting("resource.num_worker", 1) if machine.spawned else "one process without torchrun"
    return f"leave the tables in main memory ({how}: one GPU trains them in parts), "


@dataclasses.dataclass(frozen=True)
class _Sizes:
    """A plan in one number format and with one sampler, and what is the same for it in all numbers of parts."""

    plan: Plan
    itemsize: int
    balance: float
    on_device: dict[str, int]
    on_host: dict[str, int]

    @classmethod
    def of(cls, plan: Plan, graph: Graph, limit: int, balance: float) -> _Sizes:
        plan = dataclasses.replace(plan, episode_chunk=episode_chunk(limit, plan.positives.nodes_per_walk))
        itemsize = graph.indices.itemsize
        return cls(plan, itemsize, balance, device_memory(plan, graph), host_memory(plan, graph))


def _in_parts(sizes_of: _Sizes, num_worker: int, num_part: int, limit: int, direct: bool) -> Plan:
    """Return the plan with a grid, whose episodes are as long as they should be and the memory allows."""
    plan, itemsize, whole, on_host = sizes_of.plan, sizes_of.itemsize, sizes_of.on_device, sizes_of.on_host
    nodes, chunk = plan.num_nodes, plan.episode_chunk
    row, rows = widest_row(plan), -(-nodes // num_part)
    of_part = rows * row_bytes(plan)
    moved = (num_part - num_part // num_worker) * of_part
    speed = _PAIRS_PER_SECOND * num_worker * 128 / max(128, row)
    total = plan.num_epoch * plan.num_edges
    most = max(1, total // num_episodes(plan, moved, speed, _BYTES_PER_SECOND[direct]))

    heads = rows * (num_part // num_worker)
    memory = table_memory(plan, rows_of_worker(plan, num_worker, num_part) * row)
    memory |= {name: whole[name] for name in ("graph", "samplers") if name in whole}
    # Slots, walks that are drawn at a time, and the negatives of a block.
    memory["buffers"] = (nodes + chunk * plan.positives.nodes_per_walk) * itemsize + heads * plan.negatives.count // 2
    # Counts (int32) with a copy and cursors for every context part and head, totals (int32) for every head.
    memory["counts"] = heads * ((8 + (4 if most < 2**31 else 8)) * num_part + 4)
    memory["units"] = unit_memory(plan, num_worker, num_part)
    of_walks = walk_bytes(plan, itemsize)
    context_bytes = 2 if rows <= _SHORT_ROWS else 4
    pair_bytes = sizes_of.balance / num_worker * pair_memory(context_bytes)
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
    return dataclasses.replace(
        plan, mode=Ring(grid), memory=main, device_memory=memory, num_worker=num_worker, reason=reason
    )
