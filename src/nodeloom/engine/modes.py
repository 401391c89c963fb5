"""What each mode is made of: the tables of a part, the engine that trains them, and how fast that is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nodeloom.engine.calibrate import rate_of_walks
from nodeloom.engine.grid import GridEngine, grid_tables
from nodeloom.engine.grid.calibrate import measured_rate as rate_in_blocks
from nodeloom.engine.memory import MainMemory
from nodeloom.engine.resident import Position, ResidentEngine
from nodeloom.engine.storage import storage_in
from nodeloom.engine.tables import Tables
from nodeloom.model.parts import Part
from nodeloom.plan.grid_size import placement_of
from nodeloom.plan.mode import Blocks, Copies, Ring, Whole
from nodeloom.plan.plan import Plan
from nodeloom.plan.tables import tables_of
from nodeloom.transport.alone import ALONE
from nodeloom.transport.base import Transport

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class AnyEngine(Protocol):
    """What training needs of an engine."""

    total_pair: int

    @property
    def sent(self) -> Sequence[int]:
        """The bytes that this worker has sent to others, for each round that had something to send."""

    @property
    def waited(self) -> float:
        """Seconds that this worker has spent on merges, waiting for the others included."""

    def run(self, position: Position) -> Iterator[Position]:
        """Train from a position to the end, and yield it after every pool."""

    def settle(self) -> None:
        """Wait until nothing is under way: the tables are at rest, and the position is theirs."""


class Way(NamedTuple):
    """How a mode is trained on a device.

    Attributes
    ----------
    allocate : callable
        ``(plan, part, graph, transport)`` to the tables of the part, of zeros.
    engine : callable
        ``(graph, plan, part, tables, transport)`` to the engine that trains them.
    rate : callable
        ``(plan)`` to the positive pairs per second that are measured on this machine.
    """

    allocate: Callable[[Plan, Part, Graph, Transport], Tables]
    engine: Callable[[Graph, Plan, Part, Any, Transport], AnyEngine]
    rate: Callable[[Plan], float]


def way_of(plan: Plan) -> Way:
    """Return how the mode of a plan is trained on its device."""
    on_cpu = plan.device == "cpu"
    match plan.mode:
        case Whole() if on_cpu:
            return Way(_whole, _alone(ResidentEngine), rate_of_walks)
        case Whole():
            from nodeloom.engine.gpu import GpuEngine
            from nodeloom.engine.gpu.calibrate import measured_rate as rate_of_gpu

            return Way(_whole, _alone(GpuEngine), rate_of_gpu)
        case Copies():
            from nodeloom.engine.workers.calibrate import rate_of_copies
            from nodeloom.engine.workers.copies import CopiesEngine

            alone = way_of(dataclasses.replace(plan, mode=Whole())).rate
            return Way(_whole, CopiesEngine, lambda plan: rate_of_copies(plan, alone))
        case Blocks():
            return Way(_in_blocks, _alone(GridEngine), rate_in_blocks)
        case Ring():
            from nodeloom.engine.workers.calibrate import rate_in_ring
            from nodeloom.engine.workers.engine import WorkerEngine

            return Way(_ring, WorkerEngine, rate_in_ring)


def with_rate(plan: Plan, *, compiled_only: bool = False) -> Plan:
    """Return the plan with its rate, measured by training for a moment.

    Kernels are compiled for it if they are not in the cache; with `compiled_only` a plan whose kernels may have to be is returned as it is.
    """
    if not compiled_only or isinstance(plan.mode, Blocks):
        return dataclasses.replace(plan, rate=way_of(plan).rate(plan))
    if plan.mode == Whole() and plan.device == "cpu":
        return dataclasses.replace(plan, rate=rate_of_walks(plan, compiled_only=True) or None)
    return plan


def allocate(plan: Plan, part: Part, graph: Graph, transport: Transport = ALONE) -> Tables:
    """Return the tables of a part, of zeros. All workers have to call it."""
    return way_of(plan).allocate(plan, part, graph, transport)


def engine_of(graph: Graph, plan: Plan, part: Part, tables: Tables, transport: Transport = ALONE) -> AnyEngine:
    """Return the engine that trains the tables of a part. All workers have to call it."""
    return way_of(plan).engine(graph, plan, part, tables, transport)


def _alone(
    engine: Callable[[Graph, Plan, Part, Any], AnyEngine],
) -> Callable[[Graph, Plan, Part, Any, Transport], AnyEngine]:
    """Return an engine that has no other workers."""
    return lambda graph, plan, part, tables, transport: engine(graph, plan, part, tables)


def _whole(plan: Plan, part: Part, graph: Graph, transport: Transport) -> Tables:
    is_copy = transport.rank > 0
    if plan.device == "cpu":
        storage = storage_in(MainMemory(plan.num_thread), is_copy=is_copy)
    else:
        from nodeloom.engine.gpu.memory import storage_on

        storage = storage_on(plan.device, plan.table_dtype, is_copy=is_copy)
    return Tables(tables_of(part, plan.num_nodes), plan.optimizer.num_moment, storage, transport.any)


def _in_blocks(plan: Plan, part: Part, graph: Graph, transport: Transport) -> Tables:
    return grid_tables(plan, part, placement_of(plan, graph))


def _ring(plan: Plan, part: Part, graph: Graph, transport: Transport) -> Tables:
    from nodeloom.engine.workers.parts import shared_tables
    from nodeloom.engine.workers.placement import placement_of_workers

    return shared_tables(plan, part, placement_of_workers(plan, graph, transport), transport)


def peak_device_memory(plan: Plan) -> int:
    """Return the largest number of bytes that were in use on the plan's device so far; 0 for the CPU."""
    if plan.device == "cpu":
        return 0
    from nodeloom.engine.gpu.device import Device

    return Device(plan.device).peak_memory()
