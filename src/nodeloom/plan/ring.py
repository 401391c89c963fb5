"""The plan of several workers: their parts, and what each of them needs."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from nodeloom.config import NodeTrain
from nodeloom.errors import ConfigError, MemoryLimitError, describe
from nodeloom.partition import Grid
from nodeloom.plan.grid_size import requested_parts
from nodeloom.plan.memory import result_bytes, ring_memory, row_bytes, walk_bytes
from nodeloom.plan.mode import Ring
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.machine import Machine
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.settings import Settings

PARTS_PER_WORKER = 2
"""Context parts of each worker where pairs are sorted, so that one is trained while another travels. Whole walks fetch their heads for
each of them, which takes longer than to wait for the one part: 20 M pairs/s with one and 15 with two on a graph of 1.3 M nodes."""

_FEWEST_EPISODES, _MOST_EPISODES = 10, 100
_EPISODE_SECONDS = 0.5  # those of long trainings need not be shorter
_TRANSFER_SHARE = 0.03  # of the time of a training
_PAIRS_PER_SECOND, _BYTES_PER_SECOND = 12e6, 1e9  # of a thread; of a link: estimates

_WALK_SHARE = 0.25  # of the memory that is left for the walks of an episode, and the list of their pairs
_ROWS_OF_A_PAIR = 1.0
"""Rows that a pair fetches for itself where pairs are sorted, with as many negatives: whole walks are trained if they fetch fewer."""


def ring_on_cpus(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with a grid of as many vertex parts as there are workers.

    Raises
    ------
    ConfigError
        If tables are tied, or the number of parts is no multiple of that of the workers.
    MemoryLimitError
        If the share of a worker exceeds the memory of the one that has the least, or worker 0 has no room for the result.
    """
    num = machine.num_worker
    check_untied(plan, settings)
    whole = _rows_per_pair(plan, num, requested_parts(settings) or num) < _ROWS_OF_A_PAIR
    whole = whole and plan.stages[0].objective.kernel == "skipgram"  # the kernel of whole walks in blocks is its own
    num_part = requested_parts(settings) or (num if whole else PARTS_PER_WORKER * num)
    check_parts(plan, num, num_part)
    memory = ring_memory(plan, graph, num, num_part)
    of_walks = walk_bytes(plan, graph.indices.itemsize)
    # Where pairs are sorted, each worker has those of its vertex part: a context of 4 bytes.
    pair_bytes = of_walks + (0.0 if whole else 4.0 / num)
    limits = machine.main_memory
    rows = -(-plan.num_nodes // num_part)
    of_part = rows * row_bytes(plan)
    moved = (num_part - num_part // num) * of_part
    speeds = [_PAIRS_PER_SECOND * worker.num_thread * num for worker in machine.workers]
    number = max(num_episodes(plan, moved, speed, _BYTES_PER_SECOND) for speed in speeds)
    most = max(1, plan.num_epoch * plan.num_edges // number)
    least = min((limit for limit in limits if limit is not None), default=None)
    threads = max(worker.num_thread for worker in machine.workers)  # hosts may differ, and all have the same episodes
    fixed = ring_memory(dataclasses.replace(plan, num_thread=threads), graph, num, num_part)
    room = None if least is None else least - sum(fixed.values())
    if room is not None and room > 0:
        most = max(1, min(most, int(room * _WALK_SHARE / pair_bytes)))
    memory["walks"] = round(most * of_walks)
    if not whole:
        memory["pairs"] = round(most * (pair_bytes - of_walks))
    result = {} if machine.rank else {"result": result_bytes(plan)}
    check_memory(memory, limits, result_bytes(plan))
    way = "whole walks" if whole else "pair by pair"
    reason = (
        f"{num} workers of {num} x {num_part} blocks, trained {way}: each has a vertex part, and a context part of "
        f"{size(of_part)} goes to the next worker in every round."
    )
    grid = Grid(
        num_vertex_part=num, num_context_part=num_part, vertex_slots=1, context_slots=1, episode_pairs=most, row_pairs=most // num,
        context_bytes=4, moved_bytes=moved, memory=dict(memory), reason=reason,
    )  # fmt: skip
    return dataclasses.replace(
        plan, mode=Ring(grid, whole_walks=whole), memory=memory | result, num_worker=num, reason=reason
    )


def check_untied(plan: Plan, settings: Settings) -> None:
    """Raise ConfigError if tables are tied: workers that have parts of the tables do not train that."""
    if any(stage.tied for stage in plan.stages):
        raise ConfigError(
            describe(
                setting("train.order"),
                expected="2 with several workers that have parts of the tables",
                got=settings.of_kind(NodeTrain).order,
                hint=f"Let workers have whole tables ({setting('resource.parallelism', 'data')}), train order 2, or with one worker.",
            )
        )


def check_parts(plan: Plan, num_worker: int, num_part: int) -> None:
    """Raise ConfigError if the workers cannot have equally many context parts, or some of them none of the nodes."""
    if num_part % num_worker:
        expected = f"a multiple of the {num_worker} workers, or auto"
        raise ConfigError(describe(setting("build.num_partition"), expected=expected, got=num_part))
    if plan.num_nodes < num_part:
        expected = f"a graph of at least {num_part} nodes"
        raise ConfigError(describe(setting("resource.num_worker"), expected=expected, got=f"{plan.num_nodes} nodes"))


def num_episodes(plan: Plan, moved: int, pairs_per_second: float, bytes_per_second: float) -> int:
    """Return how many episodes a training has, if each moves so many bytes from worker to worker.

    The more, the more evenly all blocks are trained, and the sooner Ctrl-C and checkpoints come, but each moves the context table: a
    second and a few per cent of the time may go to that.
    """
    seconds = plan.num_epoch * plan.num_edges / pairs_per_second
    fitting = round((1.0 + _TRANSFER_SHARE * seconds) * bytes_per_second / moved)
    return min(max(fitting, _FEWEST_EPISODES), max(_MOST_EPISODES, math.ceil(seconds / _EPISODE_SECONDS)))


def _rows_per_pair(plan: Plan, num_vertex_part: int, num_context_part: int) -> float:
    """Return the rows of both tables that whole walks fetch for a pair: those of a walk, for each part of the other side."""
    return (
        (num_vertex_part + num_context_part) * plan.positives.nodes_per_walk * plan.walks_per_tile / plan.pairs_per_tile
    )


def check_memory(memory: dict[str, int], limits: list[int | None], result: int) -> None:
    """Check that every worker has the main memory that it needs, and worker 0 that for the result too.

    Raises
    ------
    MemoryLimitError
        Names the first that has not; with all workers.
    """
    needed = sum(memory.values())
    for worker, limit in enumerate(limits):
        also = result if worker == 0 else 0
        if limit is not None and needed + also > limit:
            text = size(needed + also) + (f", {size(result)} of it to put the result together" if also else "")
            hint = "Use more workers, give this one more memory "
            hint += f"({setting('resource.memory_limit')} is that of each worker), or lower {setting('resource.dim')}."
            raise MemoryLimitError(
                describe(f"plan, worker {worker}", expected=f"at most {size(limit)} of memory", got=text, hint=hint)
            )
