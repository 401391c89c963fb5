"""The plan of several workers on GPUs: whole tables for each, or parts that they own."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from nodeloom.engine.budget import SLACK, device_memory, episode_chunk, host_memory, sizes
from nodeloom.engine.formats import in_formats
from nodeloom.engine.plan import Plan
from nodeloom.engine.settings import Settings
from nodeloom.engine.tiers import dealt_balance, pair_memory, unit_memory, wanted
from nodeloom.engine.workers.copies_shape import copies_on_gpus
from nodeloom.engine.workers.devices import are_linked, limits_of_gpus
from nodeloom.engine.workers.group import Workers
from nodeloom.engine.workers.shape import (
    PARTS_PER_WORKER,
    check_memory,
    check_parts,
    memory_limits,
    num_episodes,
    refuse_what_parts_cannot,
    result_bytes,
    rows_of_worker,
)
from nodeloom.errors import ConfigError, MemoryLimitError, describe
from nodeloom.log import logger
from nodeloom.partition import Grid
from nodeloom.partition.budget import MAX_PART, PASS_BYTES, VISIT_BYTES
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph

_PAIRS_PER_SECOND = 0.7e9  # of a GPU, at dim 128: an estimate
_BYTES_PER_SECOND = {True: 20e9, False: 2e9}  # from GPU to GPU; through main memory: estimates
_ROOM_SHARE = 0.9  # of the memory that is left: for the walks and the pairs of an episode
_SHORTEST = 1000  # episodes of a training, at most: shorter ones would only move tables
_DTYPE_BYTES = {"fp32": 4, "bf16": 2}
_SHARES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # vertex parts of a worker
_TIMES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32)  # context parts for each vertex part
_WALK_SHARE = 0.1  # of main memory, where the walks of an episode lie there
_ROUND_BYTES = 16 << 20  # what could be moved in the time that it takes to begin a round, and to hear from the others
_CONTEXT_SLOTS = 3  # one is trained, one comes and one goes
_SHORT_ROWS = 1 << 16  # rows of a context part that 16 bits can number


def tables_on_gpus(plan: Plan, graph: Graph, settings: Settings, workers: Workers) -> Plan | None:
    """Return the plan with whole tables on the GPU of every worker, or with parts where those do not fit or parts are asked for.

    Parameters
    ----------
    plan, graph, settings, workers
        As for :func:`split_on_gpus`.

    Returns
    -------
    Plan or None
        None if neither fits GPUs that nobody asked for.

    Raises
    ------
    ConfigError, MemoryLimitError
        As :func:`split_on_gpus` and :func:`nodeloom.engine.workers.copies_shape.copies_on_gpus`.
    """
    tables, parts = settings.resource.worker_tables, wanted(settings)
    if tables == "copies" and parts is not None:
        hint = "Leave one of the two out."
        raise ConfigError(
            describe(
                setting("build.num_partition"),
                expected=f"1 or 'auto', since {setting('resource.worker_tables')} is copies",
                got=parts,
                hint=hint,
            )
        )
    needs_whole = plan.hub_threshold > 0 or any(part.order == 1 for part in plan.parts)
    try:
        if tables == "copies" or (tables == "auto" and parts is None):
            try:
                return copies_on_gpus(plan, graph, settings, workers)
            except MemoryLimitError:
                if tables == "copies" or needs_whole:
                    raise
        return split_on_gpus(plan, graph, settings, workers)
    except MemoryLimitError as error:
        if settings.resource.device != "auto" or tables == "copies":
            raise
        if workers.rank == 0:
            logger.warning("training on the CPU, since GPUs have too little memory: %s", error)
        return None


def split_on_gpus(plan: Plan, graph: Graph, settings: Settings, workers: Workers) -> Plan:
    """Return the plan with parts for the GPU of every worker. All workers have to call it, and get the same but for their device.

    Pairs are sorted by part on the device, so nodes are dealt to the parts by strength. A worker has two context parts, so that one
    travels while the other is trained, unless only one fits. If not even that does, the share of a worker lies in main memory.

    Parameters
    ----------
    plan : Plan
        Of one of the workers.
    graph : Graph
        The graph.
    settings : Settings
        What the user asked for.
    workers : Workers
        All workers.

    Raises
    ------
    ConfigError
        If tables are tied, hubs are weighted, the number of parts is no multiple of that of the workers, or rows are too wide for the
        bf16 that was asked for.
    MemoryLimitError
        If parts do not fit the GPU that has the least memory, however small they are, or a host has no room for the rest.
    """
    num = workers.num_worker
    refuse_what_parts_cannot(plan, settings, num)
    asked = wanted(settings)
    if asked is not None:
        check_parts(plan, num, asked)
    limits = limits_of_gpus(plan.device, settings, workers)
    direct = are_linked(plan.device, workers)
    worker, (device, limit) = min(enumerate(limits), key=lambda found: found[1][1])
    numbers = [asked] if asked is not None else [PARTS_PER_WORKER * num, num]
    if asked is None:
        check_parts(plan, num, num)
        numbers = [number for number in numbers if number <= plan.num_nodes]
    balance = dealt_balance(graph.strengths)
    formats = [_Sizes.of(p, graph, limit, balance) for p in in_formats(plan, settings)]
    plans = [_in_parts(sizes_of, num, number, limit, direct) for sizes_of in formats for number in numbers]
    fitting = [p for p in plans if p.num_device_bytes <= limit]
    if not fitting:
        limits_of_hosts = memory_limits(workers, settings)
        staged = [_staged(sizes_of, num, asked, limit, direct, limits_of_hosts) for sizes_of in formats]
        plans += itertools.chain.from_iterable(staged)
        fits_gpu = [[p for p in of_format if p.num_device_bytes <= limit] for of_format in staged]
        fits_both = [[p for p in of_format if _fits_hosts(p, limits_of_hosts)] for of_format in fits_gpu]
        # Those that fit no host get the reason below.
        chosen = next(filter(None, (*fits_both, *fits_gpu)), [])
        fitting = [min(chosen, key=_bytes_per_pair)] if chosen else []
    if not fitting:
        least = min(plans, key=lambda p: p.num_device_bytes)
        raise MemoryLimitError(
            describe(
                f"plan, worker {worker}",
                expected=f"at most {size(limit)} on {device}, for parts of the tables",
                got=f"{least.table_dtype} tables, {sizes(least.device_memory)}",
                hint=(f"Leave {setting('build.num_partition')} out. " if asked is not None else "")
                + f"Use more workers, lower {setting('resource.dim')}, use SGD (other optimizers keep more tables), or give "
                f"{setting('resource.device', 'cpu')}.",
            )
        )
    found = fitting[0]
    check_memory(found.memory, memory_limits(workers, settings), result_bytes(found))
    memory = found.memory if workers.rank else found.memory | {"result": result_bytes(found)}
    return dataclasses.replace(found, memory=memory)


def _stages(num_worker: int, asked: int | None, num_nodes: int) -> list[tuple[int, int]]:
    """Return how many vertex parts of a worker, and how many context parts in all, there may be where parts lie in main memory.

    A worker needs two context parts at least, since a part rests for a round on its way to the next worker, and three for that to take
    no time.
    """
    least = num_worker * (3 if asked is None else 2)
    return [
        (share, number)
        for share in _SHARES
        for number in ([num_worker * share * times for times in _TIMES] if asked is None else [asked])
        if number % (num_worker * share) == 0 and least <= number <= min(MAX_PART, num_nodes)
    ]


def _fits_hosts(plan: Plan, limits: Sequence[int | None]) -> bool:
    """Tell whether all workers have the main memory for it, the first one that for the result too."""
    needed = [plan.num_bytes + (0 if worker else result_bytes(plan)) for worker in range(len(limits))]
    return all(limit is None or number <= limit for number, limit in zip(needed, limits, strict=True))


def _bytes_per_pair(plan: Plan) -> float:
    """Return what a pair costs where parts lie in main memory, as bytes that could come or go between that and a GPU in the same time."""
    grid = plan.grid
    assert grid is not None
    row = max(part.row for part in plan.parts) * (_DTYPE_BYTES[plan.table_dtype] + 4 * plan.optimizer.num_moment)
    share = grid.num_vertex_part // plan.num_worker
    moved = share * (2 * plan.num_nodes * row + grid.num_context_part * _ROUND_BYTES)
    heads = VISIT_BYTES * plan.num_nodes * grid.num_context_part / plan.num_worker
    return (moved + heads) / grid.episode_pairs + share * PASS_BYTES


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
        plan = dataclasses.replace(plan, episode_chunk=episode_chunk(limit, plan.nodes_per_walk))
        itemsize = graph.indices.itemsize
        return cls(plan, itemsize, balance, device_memory(plan, graph), host_memory(plan, graph))


def _staged(
    sizes_of: _Sizes,
    num_worker: int,
    asked: int | None,
    limit: int,
    direct: bool,
    limits_of_hosts: Sequence[int | None],
) -> list[Plan]:
    """Return plans whose parts lie in main memory, in all shapes that there may be."""
    least = min((found for found in limits_of_hosts if found is not None), default=None)
    return [
        _in_parts(sizes_of, num_worker, number, limit, direct, share, least)
        for share, number in _stages(num_worker, asked, sizes_of.plan.num_nodes)
    ]


def _in_parts(
    sizes_of: _Sizes,
    num_worker: int,
    num_part: int,
    limit: int,
    direct: bool,
    vertex_share: int = 0,
    host_limit: int | None = None,
) -> Plan:
    """Return the plan with a grid, whose episodes are as long as they should be and the memory allows.

    `vertex_share` is how many vertex parts each worker has in main memory, of which it may use `host_limit`; with 0 it has one, on its GPU.
    """
    plan, itemsize, whole, on_host = sizes_of.plan, sizes_of.itemsize, sizes_of.on_device, sizes_of.on_host
    nodes, chunk = plan.num_nodes, plan.episode_chunk
    row, rows = max(part.row for part in plan.parts), -(-nodes // num_part)
    row_bytes = row * (_DTYPE_BYTES[plan.table_dtype] + 4 * plan.optimizer.num_moment)
    num_vertex_part = num_worker * max(1, vertex_share)
    moved = (num_part - num_part // num_worker) * max(1, vertex_share) * rows * row_bytes
    speed = _PAIRS_PER_SECOND * num_worker * 128 / max(128, row)
    total = plan.num_epoch * plan.num_edges
    most = max(1, total // num_episodes(plan, moved, speed, _BYTES_PER_SECOND[direct and not vertex_share]))

    heads = rows * (num_part // num_vertex_part)
    here = heads + _CONTEXT_SLOTS * rows if vertex_share else rows_of_worker(plan, num_worker, num_part)
    memory = {"tables": here * row * _DTYPE_BYTES[plan.table_dtype]}
    if plan.optimizer.num_moment:
        memory["moments"] = here * row * 4 * plan.optimizer.num_moment
    memory |= {name: whole[name] for name in ("graph", "samplers") if name in whole}
    # Slots, walks that are drawn at a time, and the negatives of a block.
    memory["buffers"] = (nodes + chunk * plan.nodes_per_walk) * itemsize + heads * plan.num_shared_negative // 2
    # Counts (int32) with a copy and cursors for every context part and head, totals (int32) for every head.
    memory["counts"] = heads * ((8 + (4 if most < 2**31 else 8)) * num_part + 4)
    memory["units"] = unit_memory(plan, num_vertex_part, num_part)
    walk_bytes = plan.walks_per_tile * plan.nodes_per_walk * itemsize / plan.pairs_per_tile
    context_bytes = 2 if rows <= _SHORT_ROWS else 4
    pair_bytes = sizes_of.balance / num_vertex_part * pair_memory(context_bytes)
    # Where parts lie in main memory, so do the walks of an episode.
    room = max(0, limit - sum(memory.values())) * _ROOM_SHARE / (pair_bytes + (0 if vertex_share else walk_bytes))
    most = max(1, min(most, int(room)), total // _SHORTEST)
    if vertex_share and host_limit is not None:
        most = max(1, min(most, int(host_limit * _WALK_SHARE / walk_bytes)))
    if not vertex_share:
        memory["walks"] = round(most * walk_bytes)
    memory["pairs"] = round(most * pair_bytes)

    main = {name: on_host[name] for name in ("graph", "samplers")}
    if vertex_share:
        own = rows * (2 * num_part // num_worker + 1)  # of both sides, and one that comes before another one has gone
        main["tables"] = own * row * _DTYPE_BYTES[plan.table_dtype]
        main["walks"] = _pinned(round(most * walk_bytes * (1 + 1 / SLACK)))
        if plan.optimizer.num_moment:
            main["moments"] = own * row * 4 * plan.optimizer.num_moment
    main["placement"] = nodes * (2 * itemsize + 12)
    if plan.sampler == "host":
        main["pinned buffers"] = round(2 * most * walk_bytes / num_worker)
    if not direct and not vertex_share:
        main["travel"] = max(2 * rows * row_bytes, round(2 * most * walk_bytes))
    way = "from GPU to GPU" if direct else "through main memory"
    where = f"a vertex part on its GPU; a context part of {size(rows * row_bytes)} goes to the next worker in every round, {way}."
    if vertex_share:
        where = (
            f"{vertex_share} vertex part{'s' if vertex_share > 1 else ''} and {num_part // num_worker} context parts in main memory, "
            f"which come to its GPU one by one; a context part of {size(rows * row_bytes)} goes to the next worker in every round."
        )
    reason = f"{num_worker} workers of {num_vertex_part} x {num_part} blocks, each with {where}"
    grid = Grid(
        num_vertex_part=num_vertex_part, num_context_part=num_part, vertex_slots=1,
        context_slots=_CONTEXT_SLOTS if vertex_share else 1, episode_pairs=most, row_pairs=most // num_vertex_part,
        context_bytes=context_bytes, moved_bytes=moved, memory=dict(memory), reason=reason,
    )  # fmt: skip
    return dataclasses.replace(
        plan, grid=grid, memory=main, device_memory=memory, num_worker=num_worker, worker_tables="split", reason=reason
    )


def _pinned(number: int) -> int:
    """Return what torch takes for so many bytes of pinned memory: a power of two."""
    return 1 << max(0, number - 1).bit_length()
