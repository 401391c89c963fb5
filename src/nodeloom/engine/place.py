"""Where a part is trained: the store and the engine of the plan's device."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from nodeloom.engine.grid import GridEngine, GridStore
from nodeloom.engine.memory import MainMemory
from nodeloom.engine.resident import Position, ResidentEngine
from nodeloom.engine.storage import Storage
from nodeloom.engine.tables import Tables
from nodeloom.model.parts import Part
from nodeloom.plan.grid_size import placement_of
from nodeloom.plan.plan import Plan
from nodeloom.plan.tables import tables_of
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class AnyStore(Protocol):
    """What training, checkpoints and warm starts need of a store, wherever its tables are."""

    def initialize(self) -> None:
        """Give the tables their first values."""

    def names(self) -> tuple[str, ...]:
        """Return the names of all distinct tables."""

    def read(self, name: str) -> FloatArray | None:
        """Return a table by name, float32 [N, row], in main memory: itself if it is there, else a copy. None if another worker gets it."""

    def write(self, name: str, values: FloatArray, rows: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` is true."""

    def is_sound(self) -> bool:
        """Tell whether all values are finite, and none of a table is beyond :data:`nodeloom.model.optimizer.LARGEST_VALUE`."""


class AnyEngine(Protocol):
    """What training needs of an engine."""

    total_pair: int

    def run(self, position: Position) -> Iterator[Position]:
        """Train from a position to the end, and yield it after every pool."""

    def settle(self) -> None:
        """Wait until nothing is under way: the tables are at rest, and the position is theirs."""


def allocate(plan: Plan, part: Part, graph: Graph) -> AnyStore:
    """Return the store of a part, of zeros."""
    if plan.num_worker > 1:
        from nodeloom.engine.workers import WorkerStore, join, placement_of_workers

        workers = join()
        assert workers is not None
        if plan.worker_tables == "copies" and plan.device == "cpu":
            from nodeloom.engine.workers.host_copies import HostCopies

            return HostCopies(plan, part, workers)
        if plan.worker_tables == "copies":
            from nodeloom.engine.workers.copies_store import CopiesStore

            return CopiesStore.of(plan, part, workers)
        placement, moments = placement_of_workers(plan, graph, workers), plan.optimizer.num_moment
        if plan.device == "cpu":
            return WorkerStore(part, placement, moments, workers, num_thread=plan.num_thread)
        from nodeloom.engine.workers.gpu_store import GpuWorkerStore

        return GpuWorkerStore(
            part, placement, moments, workers,
            device=plan.device, table_dtype=plan.table_dtype, num_thread=plan.num_thread,
        )  # fmt: skip
    if plan.grid is not None:
        return GridStore(
            part, placement_of(plan, graph), plan.optimizer.num_moment,
            table_dtype="fp32" if plan.device == "cpu" else plan.table_dtype, in_files=plan.in_files, num_thread=plan.num_thread,
        )  # fmt: skip
    if plan.device == "cpu":
        memory = MainMemory(plan.num_thread)
        specs = tables_of(part, plan.num_nodes)
        return Tables(specs, plan.optimizer.num_moment, lambda spec, _: Storage(memory, spec.num_rows, spec.row))
    from nodeloom.engine.gpu import GpuStore

    return GpuStore.allocate(
        plan.num_nodes, part, plan.optimizer.num_moment, device=plan.device, table_dtype=plan.table_dtype
    )


def engine_of(graph: Graph, plan: Plan, part: Part, store: AnyStore) -> AnyEngine:
    """Return the engine that trains the store of a part."""
    if plan.worker_tables == "copies":
        from nodeloom.engine.workers.copies import CopiesEngine

        return CopiesEngine(graph, plan, part, store)  # type: ignore[arg-type]
    if plan.num_worker > 1:
        from nodeloom.engine.workers import WorkerEngine, WorkerStore

        assert isinstance(store, WorkerStore)
        return WorkerEngine(graph, plan, part, store)
    if isinstance(store, GridStore):
        return GridEngine(graph, plan, part, store)
    if isinstance(store, Tables):
        return ResidentEngine(graph, plan, part, store)
    from nodeloom.engine.gpu import GpuEngine, GpuStore

    assert isinstance(store, GpuStore)
    return GpuEngine(graph, plan, part, store)


def sent_by(store: AnyStore) -> tuple[int, ...]:
    """Return the bytes that this worker has sent to others, for each round that had something to send."""
    return tuple(getattr(store, "sent", ()))


def waited_by(store: AnyStore) -> float:
    """Return the seconds that this worker has spent on merges, waiting for the others included."""
    return float(getattr(store, "waited", 0.0))


def peak_device_memory(plan: Plan) -> int:
    """Return the largest number of bytes that were in use on the plan's device so far; 0 for the CPU."""
    if plan.device == "cpu":
        return 0
    from nodeloom.engine.gpu.device import Device

    return Device(plan.device).peak_memory()
