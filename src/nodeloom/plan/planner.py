"""The decision: every "auto" as a number, and the memory, before anything runs."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from nodeloom.errors import GraphError, MemoryLimitError, describe
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.log import logger
from nodeloom.model.optimizer import optimizer_of
from nodeloom.model.parts import parts_of
from nodeloom.plan import defaults
from nodeloom.plan.copies import copies_on_cpus
from nodeloom.plan.formats import in_formats
from nodeloom.plan.grid_size import grid_on_cpu, grid_on_gpu, wanted
from nodeloom.plan.machine import Machine
from nodeloom.plan.memory import device_memory, host_memory
from nodeloom.plan.plan import Plan
from nodeloom.plan.pools import TILES_PER_GPU_POOL, TILES_PER_POOL, with_pools
from nodeloom.plan.reach import Reach
from nodeloom.plan.ring import grid_of_workers
from nodeloom.plan.ring_on_gpus import tables_on_gpus
from nodeloom.plan.settings import Settings
from nodeloom.plan.walk_shape import sink_share, walk_shape
from nodeloom.units import size, sizes
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph


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
    train, build, resource = settings.train, settings.build, settings.resource
    if graph.num_edges - graph.num_loops == 0:
        hint = "There is nothing to learn from."
        raise GraphError(describe("graph", expected="an edge between two different nodes", got=repr(graph), hint=hint))
    sinks = sink_share(graph)
    step, length = walk_shape(settings, graph.directed, sinks)
    optimizer = build.optimizer
    reach = Reach.of(graph)
    connected = graph.num_nodes - reach.num_isolated
    epochs = defaults.num_epoch(connected, graph.num_edges) if train.num_epoch == "auto" else train.num_epoch
    plan = Plan(
        model=train.model,
        device=machine.own.device,
        num_nodes=graph.num_nodes,
        num_edges=graph.num_edges,
        dim=resource.dim,
        parts=parts_of(train.model, train.order, resource.dim, train.seed),
        num_thread=machine.own.num_thread,
        num_epoch=epochs,
        total_pair=0,
        augmentation_step=step,
        random_walk_length=length,
        num_shared_negative=defaults.num_shared_negative(step, epochs)
        if train.num_shared_negative == "auto"
        else train.num_shared_negative,
        positive_reuse=train.positive_reuse,
        walks_per_tile=max(1, TILE // (length + 1)),
        tiles_per_pool=1,
        two_sided=not graph.directed,
        sink_share=sinks,
        reach=reach if train.model != "LINE" or train.order != 1 else dataclasses.replace(reach, num_sink=0),
        negative_weight=float(build.num_negative * train.negative_weight),
        negative_sample_exponent=train.negative_sample_exponent,
        p=train.p if train.model == "node2vec" else 1.0,
        q=train.q if train.model == "node2vec" else 1.0,
        lr=defaults.learning_rate(optimizer.type, epochs) if optimizer.lr == "auto" else optimizer.lr,
        weight_decay=defaults.weight_decay(optimizer.type, connected, graph.num_edges)
        if optimizer.weight_decay == "auto"
        else optimizer.weight_decay,
        optimizer=optimizer_of(optimizer),
        schedule=optimizer.schedule,
        seed=train.seed,
        memory={},
    )
    if machine.num_worker > 1:
        return _with_workers(plan, graph, settings, machine)
    return _on_cpu(plan, graph, settings, machine) if plan.device == "cpu" else _on_gpu(plan, graph, settings, machine)


def _with_workers(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan for several workers: whole tables or parts for each on GPUs, and parts on CPUs."""
    if plan.device != "cpu":
        found = tables_on_gpus(with_pools(plan, TILES_PER_GPU_POOL), graph, settings, machine)
        if found is not None:
            return found
        plan = dataclasses.replace(plan, device="cpu")
    if settings.resource.worker_tables == "copies":
        return copies_on_cpus(with_pools(plan, TILES_PER_POOL), graph, settings, machine)
    return grid_of_workers(with_pools(plan, TILES_PER_POOL), graph, settings, machine)


def _on_cpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with its pools and its memory, for the CPU; in a grid if it was asked for or the tables do not fit."""
    plan = with_pools(plan, TILES_PER_POOL)
    plan = dataclasses.replace(plan, memory=host_memory(plan, graph))
    limit = machine.own.main_memory
    if wanted(settings) is not None:
        return _within_memory(grid_on_cpu(plan, graph, settings, machine, "num_partition asks for parts."), limit)
    if limit is not None and plan.num_bytes > limit:
        reason = f"{size(plan.num_bytes)} are needed and there are {size(limit)}, so tables lie in files."
        return grid_on_cpu(plan, graph, settings, machine, reason)
    return plan


def _within_memory(plan: Plan, limit: int | None) -> Plan:
    """Return the plan if the machine has the main memory that it needs."""
    if limit is not None and plan.num_bytes > limit:
        raise MemoryLimitError(
            describe(
                "plan",
                expected=f"at most {size(limit)} of memory",
                got=sizes(plan.memory),
                hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables), or use a machine with more memory.",
            )
        )
    return plan


def _on_gpu(plan: Plan, graph: Graph, settings: Settings, machine: Machine) -> Plan:
    """Return the plan with its pools, tables and sampler, for a GPU; of those that fit its memory the most precise, then the fastest.

    A graph that does not fit a GPU nobody asked for is trained on the CPU.
    """
    resource = settings.resource
    plan = with_pools(plan, TILES_PER_GPU_POOL)
    limit = machine.own.device_memory
    plans = in_formats(plan, settings)
    plans = [dataclasses.replace(p, memory=host_memory(p, graph), device_memory=device_memory(p, graph)) for p in plans]
    reason = f"Tables and graph do not fit the {size(limit)} of {plan.device}."
    if wanted(settings) is not None:
        reason = "num_partition asks for parts."
    elif fitting := [p for p in plans if p.num_device_bytes <= limit]:
        return _within_memory(fitting[0], machine.own.main_memory)
    if (in_parts := grid_on_gpu(plans, graph, settings, machine, reason)) is not None:
        return in_parts
    if resource.device == "auto":
        logger.warning(
            "training on the CPU, since %s would need %s and has %s free.",
            plan.device, size(plans[-1].num_device_bytes), size(limit),
        )  # fmt: skip
        return _on_cpu(dataclasses.replace(plan, device="cpu"), graph, settings, machine)
    asked = [key for key in ("table_dtype", "sampler") if getattr(resource, key) != "auto"]
    free = "".join(f", leave {setting(f'resource.{key}')} to auto" for key in asked)
    free += "" if wanted(settings) is None else f", change {setting('build.num_partition')}"
    raise MemoryLimitError(
        describe(
            "plan",
            expected=f"at most {size(limit)} on {plan.device} ({machine.gpu_name})",
            got=f"{sizes(plans[-1].device_memory)} with {plans[-1].table_dtype} tables",
            hint=f"Lower {setting('resource.dim')}, use SGD (other optimizers keep more tables){free}, or give "
            f"{setting('resource.device', 'cpu')}.",
        )
    )
