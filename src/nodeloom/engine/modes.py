"""What each mode is made of: the tables of a part, the loop that trains them, and how fast that is."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from nodeloom.engine import loops
from nodeloom.engine.files import grid_tables
from nodeloom.engine.memory import MainMemory, Memory
from nodeloom.engine.part_storage import PartStorage
from nodeloom.engine.rates.blocks import measured_rate as rate_in_blocks
from nodeloom.engine.rates.tiles import rate_of_walks
from nodeloom.engine.rates.triples import rate_of_triples
from nodeloom.engine.rates.workers import rate_in_ring, rate_of_copies
from nodeloom.engine.rows import RowOrder
from nodeloom.engine.storage import Storage, storage_in
from nodeloom.engine.tables import Tables
from nodeloom.engine.workers.placement import placement_of_workers
from nodeloom.plan.grid_size import placement_of
from nodeloom.plan.mode import Blocks, Copies, Ring, Whole
from nodeloom.plan.plan import Plan
from nodeloom.plan.triple_plan import TriplePlan
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.engine.loop import Loop
    from nodeloom.graph import Graph, KnowledgeGraph
    from nodeloom.model.stage import Stage
    from nodeloom.model.tables import TableSpec
    from nodeloom.plan.training_plan import TrainingPlan
    from nodeloom.transport.base import Transport


AnyPlan = TypeVar("AnyPlan", bound="TrainingPlan")


class Way(NamedTuple):
    """How a mode is trained on a device.

    Attributes
    ----------
    allocate : callable
        ``(plan, part, graph, transport)`` to the tables of the part, of zeros.
    loop : callable
        ``(graph, plan, part, tables, transport)`` to the loop that trains them.
    rate : callable
        ``(plan)`` to the positive pairs per second that are measured on this machine.
    """

    allocate: Callable[[Any, Stage, Any, Transport], Tables]
    loop: Callable[[Any, Any, Stage, Tables, Transport], Loop]
    rate: Callable[[Any], float]


def way_of(plan: TrainingPlan) -> Way:
    """Return how the mode of a plan is trained on its device."""
    if isinstance(plan, TriplePlan):
        return Way(_whole, loops.triples, rate_of_triples)
    match plan.mode:
        case Whole() if plan.device == "cpu":
            return Way(_whole, loops.whole, rate_of_walks)
        case Whole():
            from nodeloom.engine.rates.gpu import measured_rate as rate_of_gpu

            return Way(_whole, loops.whole, rate_of_gpu)
        case Copies():
            alone = way_of(dataclasses.replace(plan, mode=Whole())).rate
            return Way(_whole, loops.copies, lambda plan: rate_of_copies(plan, alone))
        case Blocks():
            return Way(_in_blocks, loops.blocks, rate_in_blocks)
        case Ring():
            return Way(_ring, loops.ring, rate_in_ring)


def with_rate(plan: AnyPlan, *, compiled_only: bool = False) -> AnyPlan:
    """Return the plan with its rate, measured by training for a moment.

    Kernels are compiled for it if they are not in the cache; with `compiled_only` a plan whose kernels may have to be is returned as it is.
    """
    if isinstance(plan, TriplePlan):  # its kernels are compiled with the first batch
        return plan if compiled_only else dataclasses.replace(plan, rate=rate_of_triples(plan))
    if not compiled_only or isinstance(plan.mode, Blocks):
        return dataclasses.replace(plan, rate=way_of(plan).rate(plan))
    if plan.mode == Whole() and plan.device == "cpu":
        assert isinstance(plan, Plan)
        return dataclasses.replace(plan, rate=rate_of_walks(plan, compiled_only=True) or None)
    return plan


def allocate(plan: TrainingPlan, stage: Stage, graph: Graph | KnowledgeGraph, transport: Transport = ALONE) -> Tables:
    """Return the tables of a part, of zeros. All workers have to call it."""
    return way_of(plan).allocate(plan, stage, graph, transport)


def loop_of(
    graph: Graph | KnowledgeGraph, plan: TrainingPlan, stage: Stage, tables: Tables, transport: Transport = ALONE
) -> Loop:
    """Return the loop that trains the tables of a part. All workers have to call it."""
    return way_of(plan).loop(graph, plan, stage, tables, transport)


def _whole(plan: TrainingPlan, stage: Stage, graph: Graph, transport: Transport) -> Tables:
    storage = storage_in(*_memories(plan), is_copy=transport.rank > 0)
    return Tables(stage.objective.tables, plan.optimizer.num_moment, storage, transport.any)


def _memories(plan: TrainingPlan) -> tuple[Memory, Memory]:
    """Return the memory of tables where they are trained, and that of moments."""
    if plan.device == "cpu":
        return (MainMemory(plan.num_thread),) * 2
    from nodeloom.engine.gpu.memory import memories_of

    return memories_of(plan.device, plan.table_dtype)


def _in_blocks(plan: Plan, stage: Stage, graph: Graph, transport: Transport) -> Tables:
    return grid_tables(plan, stage, placement_of(plan, graph))


def _ring(plan: Plan, stage: Stage, graph: Graph, transport: Transport) -> Tables:
    """Return the share of this worker; the numbers of parts of both kinds are multiples of the number of workers."""
    placement = placement_of_workers(plan, graph, transport)
    order = RowOrder.of(placement)
    owners = {
        name: [number * transport.size // count for number in range(count)]
        for name, count in (
            (stage.objective.head, placement.num_vertex_part),
            (stage.objective.tail, placement.num_context_part),
        )
    }
    memories = _memories(plan)

    def storage(spec: TableSpec, is_moment: bool) -> Storage:
        return PartStorage(memories[is_moment], order, spec.row, owners[spec.name], transport)

    return Tables(stage.objective.tables, plan.optimizer.num_moment, storage, transport.any, placement)


def peak_device_memory(plan: TrainingPlan) -> int:
    """Return the largest number of bytes that were in use on the plan's device so far; 0 for the CPU."""
    if plan.device == "cpu":
        return 0
    from nodeloom.engine.gpu.device import Device

    return Device(plan.device).peak_memory()
