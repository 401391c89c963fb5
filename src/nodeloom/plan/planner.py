"""The decision: every "auto" as a number, and the memory, before anything runs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from nodeloom.config import NodeTrain
from nodeloom.errors import GraphError, MemoryLimitError, describe
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.log import logger
from nodeloom.model.objective import SharedNegatives, Walks
from nodeloom.model.optimizer import optimizer_of
from nodeloom.plan import defaults
from nodeloom.plan.blocks import blocks_on_cpu, blocks_on_gpu
from nodeloom.plan.copies import copies_on_cpus, copies_on_gpus
from nodeloom.plan.grid_size import requested_parts
from nodeloom.plan.machine import Machine
from nodeloom.plan.plan import Plan
from nodeloom.plan.pools import TILES_PER_GPU_POOL, TILES_PER_POOL, with_pools
from nodeloom.plan.reach import Reach
from nodeloom.plan.ring import ring_on_cpus
from nodeloom.plan.ring_on_gpus import ring_on_gpus
from nodeloom.plan.settings import Settings
from nodeloom.plan.stages import stages_of
from nodeloom.plan.walk_shape import sink_share, walk_shape
from nodeloom.plan.whole import whole_on_cpu, whole_on_gpu

if TYPE_CHECKING:
    from nodeloom.graph import Graph


Candidate = Callable[[Plan, "Graph", Settings, Machine], Plan]


def make_plan(graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Resolve all settings for a graph. A function of its arguments: all workers get the same but for their device and memory.

    Parameters
    ----------
    graph : Graph
        The graph.
    settings : Settings
        What the user asked for.
    machine : Machine
        What there is.

    Raises
    ------
    GraphError
        If the graph has no edges between different nodes.
    ConfigError
        If values contradict each other once "auto" is resolved.
    MemoryLimitError
        If the machine has less memory than the plan needs.
    """
    plan, last = _resolved(graph, settings, machine), MemoryLimitError("plan: no mode fits.")
    devices = _devices(plan, settings, machine)
    for device in devices:
        plan = dataclasses.replace(plan, device=device)
        plan = with_pools(plan, TILES_PER_POOL if device == "cpu" else TILES_PER_GPU_POOL)
        for candidate in candidates(plan, settings, machine):
            try:
                return candidate(plan, graph, settings, machine)
            except MemoryLimitError as error:
                last = error
        if device != devices[-1] and machine.rank == 0:
            logger.warning("training on the CPU, since GPUs have too little memory: %s", last)
    raise last


def candidates(plan: Plan, settings: Settings, machine: Machine) -> list[Candidate]:
    """Return the modes in which a plan may be trained on its device, the most precise first, then the fastest.

    Each is a function that returns the plan with its mode and its memory, or raises MemoryLimitError with what is lacking.
    """
    on_cpu, asked = plan.device == "cpu", requested_parts(settings) is not None
    if machine.num_worker == 1:
        blocks = blocks_on_cpu if on_cpu else blocks_on_gpu
        return [blocks] if asked else [whole_on_cpu if on_cpu else whole_on_gpu, blocks]
    copies, ring = (copies_on_cpus, ring_on_cpus) if on_cpu else (copies_on_gpus, ring_on_gpus)
    parallelism = settings.resource.parallelism
    needs_whole = any(stage.tied for stage in plan.stages)
    if parallelism == "data" or (parallelism == "auto" and needs_whole and not asked):
        return [copies]
    # On CPUs a ring of parts learns more in the same time (benchmarks/results/copies_on_cpus.md).
    return [ring] if parallelism == "model" or asked or on_cpu else [copies, ring]


def _devices(plan: Plan, settings: Settings, machine: Machine) -> list[str]:
    """Return the device of a plan, and the CPU behind a GPU that nobody asked for."""
    chosen = settings.resource.device != "auto" or (machine.num_worker > 1 and settings.resource.parallelism == "data")
    return [plan.device] if chosen or plan.device == "cpu" else [plan.device, "cpu"]


def _resolved(graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with every "auto" decided that no memory decides."""
    train, build, resource = settings.of_kind(NodeTrain), settings.build, settings.resource
    if graph.num_edges - graph.num_loops == 0:
        hint = "There is nothing to learn from."
        raise GraphError(describe("graph", expected="an edge between two different nodes", got=repr(graph), hint=hint))
    sinks = sink_share(graph)
    step, length = walk_shape(settings, graph.directed, sinks)
    optimizer = build.optimizer
    reach = Reach.of(graph)
    connected = graph.num_nodes - reach.num_isolated
    epochs = defaults.num_epoch(connected, graph.num_edges) if train.num_epoch == "auto" else train.num_epoch
    is_biased = train.model == "node2vec"
    positives = Walks(
        random_walk_length=length,
        augmentation_step=step,
        two_sided=not graph.directed,
        p=train.p if is_biased else 1.0,
        q=train.q if is_biased else 1.0,
        reuse=train.positive_reuse,
    )
    count = train.num_shared_negative
    negatives = SharedNegatives(
        count=defaults.num_shared_negative(step, epochs) if count == "auto" else count,
        exponent=train.negative_sample_exponent,
        weight=float(build.num_negative * train.negative_weight),
    )
    return Plan(
        model=train.model,
        device=machine.own.device,
        num_nodes=graph.num_nodes,
        num_edges=graph.num_edges,
        dim=resource.dim,
        stages=stages_of(
            train.model,
            train.order,
            resource.dim,
            train.seed,
            num_nodes=graph.num_nodes,
            positives=positives,
            negatives=negatives,
        ),
        num_thread=machine.own.num_thread,
        num_epoch=epochs,
        total_pair=0,
        walks_per_tile=max(1, TILE // (length + 1)),
        tiles_per_pool=1,
        sink_share=sinks,
        reach=reach if train.model != "LINE" or train.order != 1 else dataclasses.replace(reach, num_sink=0),
        lr=defaults.learning_rate(optimizer.type, epochs) if optimizer.lr == "auto" else optimizer.lr,
        weight_decay=defaults.weight_decay(optimizer.type, connected, graph.num_edges)
        if optimizer.weight_decay == "auto"
        else optimizer.weight_decay,
        optimizer=optimizer_of(optimizer),
        schedule=optimizer.schedule,
        seed=train.seed,
        memory={},
    )
