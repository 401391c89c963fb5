"""Blocks trained by threads of the CPU: parts lie in buffers that are read from files ahead of time, or where they are in memory."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.files import FileStorage
from nodeloom.engine.kernels import numbers_of, pair_kernel
from nodeloom.engine.memory import aligned_zeros
from nodeloom.engine.rows import RowOrder
from nodeloom.kernels.cpu.negatives import draw_negatives
from nodeloom.kernels.cpu.pairs import count_pairs, place_pairs, renumber, units_of
from nodeloom.kernels.cpu.parallel import collect, shares
from nodeloom.kernels.units import CPU_HEADS
from nodeloom.plan.mode import Blocks
from nodeloom.rng import MASK, Purpose, mix, stream
from nodeloom.sampling import WalkSampler
from nodeloom.schedule import Draw, Landed, Load, OnDevice, Sort, Store, Train, queue_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.engine.negatives import NegativeDistribution
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.partition import Block, Side
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import DoubleArray, FloatArray


class CpuBlocks:
    """The CPU as a device of tables in parts.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        The plan, with a grid.
    stage : Stage
        What to train.
    tables : Tables
        Its tables, placed in the grid; changed.
    noise : NegativeDistribution
        The distribution of negatives.
    """

    depth = 0
    sent: Sequence[int] = ()

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, tables: Tables, noise: NegativeDistribution) -> None:
        placement = tables.placement
        assert plan.grid is not None and placement is not None
        self._plan, self._tables, self._noise, self._grid = plan, tables, noise, plan.grid
        self._noise_key = stream(stage.seed, Purpose.NEGATIVE)
        self._table_of: dict[Side, str] = {"vertex": stage.objective.head, "context": stage.objective.tail}
        self._train_pairs, self._numbers = pair_kernel(stage.objective, "cpu"), numbers_of(stage.objective)
        self._slot = RowOrder.of(placement).slot
        self._in_files = isinstance(plan.mode, Blocks) and plan.mode.storage == "file"
        self._sampler = WalkSampler.of(
            graph, p=plan.positives.p, q=plan.positives.q, seed=stage.seed, num_thread=plan.num_thread
        )
        self._index_type = graph.indices.dtype
        self._rows: dict[Side, int] = {side: placement.rows(side) for side in ("vertex", "context")}
        self._settings = np.asarray(plan.optimizer.settings, np.float32)
        none = np.empty((0, stage.row), np.float32)
        self._none = [none, none]
        self._buffers: dict[str, list[list[FloatArray]]] = {table: [] for table in self._table_of.values()}
        slots: dict[Side, int] = {"vertex": self._grid.vertex_slots, "context": self._grid.context_slots}
        for side, count in slots.items():
            # Both sides of a tied table have buffers of one kind.
            self._buffers[self._table_of[side]] += [self._buffer(self._rows[side], stage.row) for _ in range(count)]
        self._walks = np.empty((0, plan.positives.nodes_per_walk), self._index_type)
        self._running: dict[int, Future[None]] = {}
        self._statistics = np.zeros(2)

    def _buffer(self, rows: int, row: int) -> list[FloatArray]:
        """Return room for a part that is read from a file, and its moments."""
        return [aligned_zeros(rows, row) for _ in range(1 + self._plan.optimizer.num_moment)] if self._in_files else []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the threads: those that train, and one for each queue of transfers."""
        with ThreadPoolExecutor(self._plan.num_thread, thread_name_prefix="nodeloom") as self._pool:
            queues = [(kind, side) for kind in ("Load", "Store") for side in ("vertex", "context")]
            self._queues = {queue: ThreadPoolExecutor(1, thread_name_prefix="nodeloom-transfer") for queue in queues}
            try:
                yield
                self.settle()
            finally:
                for queue in self._queues.values():
                    queue.shutdown(wait=True, cancel_futures=True)
                self._running.clear()

    # ------------------------------------------------------------------------------------------------------- pairs

    def _draw(self, first_walk: int, num_walk: int) -> None:
        """Draw the walks of an episode, as slots; they are kept, since each row of the grid reads them twice."""
        if len(self._walks) != num_walk:
            self._walks = np.empty((num_walk, self._plan.positives.nodes_per_walk), self._index_type)
        slot = self._slot

        def draw(first: int, last: int) -> None:
            rows = self._walks[first:last]
            self._sampler.sample(first_walk + first, rows)
            if slot is not None:
                renumber(rows, slot)

        self._in_slices(draw, num_walk)

    def _in_slices(self, work: Any, count: int) -> None:
        collect(self._pool, work, shares(count, self._plan.num_thread))

    def _sort(self, vertex_part: int) -> None:
        """Sort the pairs of a vertex part by context part and head."""
        plan, rows = self._plan, self._rows
        shape = self._grid.num_context_part, rows["vertex"]
        first_head = vertex_part * rows["vertex"]
        counts = np.zeros(shape, np.int32)
        walks, step, two_sided, width = (
            self._walks,
            plan.positives.augmentation_step,
            plan.positives.two_sided,
            rows["context"],
        )
        self._in_slices(lambda a, b: count_pairs(walks[a:b], step, two_sided, first_head, width, counts), len(walks))
        ends = np.cumsum(counts, dtype=np.int64).reshape(shape)
        cursors = ends - counts
        self._contexts = np.empty(int(ends[-1, -1]), np.uint16 if width <= 1 << 16 else np.int32)
        contexts = self._contexts
        self._in_slices(
            lambda a, b: place_pairs(walks[a:b], step, two_sided, first_head, width, cursors, contexts), len(walks)
        )
        self._ends, self._totals = cursors, counts.sum(0, dtype=np.int32)
        self._units, num_unit, num_pair = units_of(counts, CPU_HEADS)
        self._unit_bounds = np.concatenate([[0], np.cumsum(num_unit)])
        self._pair_bounds = np.concatenate([[0], np.cumsum(num_pair)])

    # -------------------------------------------------------------------------------------------------- operations

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Carry out an operation after those that it has to wait for; transfers on threads of their own."""
        match operation:
            case Draw():
                assert operation.num_walk is not None
                self._draw(operation.first_walk, operation.num_walk)
            case Sort():  # walks are kept, so nothing is won by looking ahead
                self._sort(operation.vertex_part)
            case Train():
                for number in operation.after:
                    self._wait_for(number)
                return self._train(
                    operation, float(lr[0]), self._noise_key + operation.place * self._plan.positives.reuse
                )
            case Load() | Store() if self._in_files:
                waits = [self._running[number] for number in operation.after if number in self._running]
                self._running[operation.number] = self._queues[queue_of(operation)].submit(
                    self._transfer, operation, waits
                )
        return 0

    def _transfer(self, operation: Load | Store, waits: list[Future[None]]) -> None:
        for future in waits:
            future.result()
        first = operation.part * self._rows[operation.side]
        storages = self._tables.storages_of(self._table_of[operation.side])
        for storage, buffer in zip(
            storages, self._buffers[self._table_of[operation.side]][operation.buffer], strict=True
        ):
            assert isinstance(storage, FileStorage)
            if isinstance(operation, Store):
                storage.store(first, buffer)
            else:
                storage.load(first, buffer)

    def _wait_for(self, number: int) -> None:
        future = self._running.pop(number, None)
        if future is not None:
            future.result()

    def _part(self, side: Side, part: int, buffer: int) -> tuple[FloatArray, ...]:
        """Return the table of a part and two moments, where they are trained."""
        table, rows = self._table_of[side], self._rows[side]
        if self._in_files:
            return (*self._buffers[table][buffer], *self._none)[:3]
        return self._tables.of(table, slice(part * rows, (part + 1) * rows))

    def _parts(self, block: Block, vertex_buffer: int = 0, context_buffer: int = 0) -> list[FloatArray]:
        """Return vertex and context rows of a block, and two moments of each; empty ones where there are none."""
        vertex, *vertex_moments = self._part("vertex", block.vertex, vertex_buffer)
        context, *context_moments = self._part("context", block.context, context_buffer)
        return [vertex, context, *vertex_moments, *context_moments]

    def _of_block(self, block: Block, lr: float) -> tuple[Any, Any, list[np.float32]]:
        """Return the alias table of the negatives of a block, and learning rate, weight of the negatives of a pair and weight decay."""
        rows = self._rows["context"]
        here = slice(block.context * rows, (block.context + 1) * rows)
        weight = self._plan.negatives.weight * self._noise.share[block.context]
        with np.errstate(over="ignore"):
            numbers = [np.float32(value) for value in (lr, weight, self._plan.weight_decay)]
        return self._noise.prob[here], self._noise.alias[here], numbers

    def _train(self, operation: Train, lr: float, key: int) -> int:
        """Train a block; return its pairs."""
        plan, block, rows = self._plan, operation.block, self._rows
        first, last = (int(bound) for bound in self._unit_bounds[block.context : block.context + 2])
        if first == last:
            return 0
        tables = self._parts(block, operation.vertex_buffer, operation.context_buffer)
        prob, alias, numbers = self._of_block(block, lr)
        for reuse in range(plan.positives.reuse):
            stream = np.uint64(mix((key + reuse) & MASK))

            def work(a: int, b: int, stream: np.uint64 = stream) -> npt.NDArray[np.float64]:
                negatives = np.empty((b - a, plan.negatives.count), np.int32)
                draw_negatives(prob, alias, stream, a, negatives)
                statistics = np.zeros(2)
                self._train_pairs(
                    *tables,
                    int(self._pair_bounds[block.context]), self._ends[block.context], self._contexts, self._totals,
                    self._units[first + a : first + b], negatives, CPU_HEADS,
                    block.vertex * rows["vertex"], block.context * rows["context"],
                    *numbers, plan.optimizer.code, self._settings, statistics, *self._numbers,
                )  # fmt: skip
                return statistics

            self._statistics += sum(collect(self._pool, work, shares(last - first, plan.num_thread)))
        pairs = self._pair_bounds[block.context + 1] - self._pair_bounds[block.context]
        return int(pairs) * plan.positives.reuse

    def land(self) -> Landed:
        """Return the loss of the blocks that were trained since the last call."""
        loss, weight = self._statistics
        self._statistics = np.zeros(2)
        self._running = {number: future for number, future in self._running.items() if not _is_done(future)}
        return Landed(0, float(loss), float(weight))

    def settle(self) -> None:
        """Wait for all transfers."""
        while self._running:
            self._wait_for(next(iter(self._running)))


def _is_done(future: Future[None]) -> bool:
    """Tell whether a transfer is over; what it raised is raised here."""
    if not future.done():
        return False
    future.result()
    return True
