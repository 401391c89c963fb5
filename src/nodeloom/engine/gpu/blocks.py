"""Blocks trained on a GPU: parts travel between pinned memory and buffers on streams of their own while others are trained."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.episode import EpisodeWalks
from nodeloom.engine.gpu.layout import optimizer_settings
from nodeloom.engine.gpu.memory import DTYPES
from nodeloom.engine.kernels import numbers_of, pair_kernel
from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.kernels.gpu.pairs import Launch, count_pairs, place_pairs, units_of
from nodeloom.plan.launch import BlockLaunch
from nodeloom.rng import MASK, Purpose, mix, stream
from nodeloom.schedule import Draw, Landed, Load, OnDevice, Sort, Store, Train, queue_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.engine.negatives import NegativeDistribution
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.partition import Side
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import DoubleArray


class GpuBlocks:
    """A GPU as a device of tables in parts; the counterpart of :class:`nodeloom.engine.cpu.blocks.CpuBlocks`."""

    depth = 0
    sent: Sequence[int] = ()

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, tables: Tables, noise: NegativeDistribution) -> None:
        placement = tables.placement
        assert plan.grid is not None and placement is not None and isinstance(plan.launch, BlockLaunch)
        self._plan, self._tables, self._grid, self._placement = plan, tables, plan.grid, placement
        self._device = Device(plan.device)
        self._noise_key = stream(stage.seed, Purpose.NEGATIVE)
        self._rows: dict[Side, int] = {side: placement.rows(side) for side in ("vertex", "context")}
        self._settings = optimizer_settings(plan)
        self._train_pairs, self._numbers = pair_kernel(stage.objective, "gpu"), numbers_of(stage.objective)
        self._table_of: dict[Side, str] = {"vertex": stage.objective.head, "context": stage.objective.tail}
        self._heads, self._launch = plan.launch.heads, Launch(num_program=plan.launch.num_program)
        self._product = "bf16" if self._device.is_real else "fp32"
        self._share = noise.share
        self._pinned: list[npt.NDArray[Any]] = []
        self._events: dict[int, Any] = {}
        with explained(plan.device):
            self._allocate(graph, plan, stage, noise)

    def _allocate(self, graph: Graph, plan: Plan, stage: Stage, noise: NegativeDistribution) -> None:
        device = self._device
        self._walks = self._walks_of(graph, stage)
        self._noise = device.upload(noise.prob), device.upload(noise.alias)
        none = device.empty(0, dtype=torch.float32)
        self._none = [none, none]
        # The sums of the counts are cursors, then ends: 8 bytes, as there may be many pairs.
        shape = self._grid.num_context_part, self._rows["vertex"]
        self._counts, self._next_counts = (device.empty(*shape, dtype=torch.int32) for _ in range(2))
        self._counted: int | None = None  # the vertex part of `_next_counts`
        self._narrow = self._rows["context"] <= 1 << 16
        self._statistics = torch.zeros(2, dtype=torch.float64, device=device.torch)
        self._training = device.stream()
        self._allocate_parts(stage)

    def _walks_of(self, graph: Graph, stage: Stage) -> EpisodeWalks:
        return EpisodeWalks(graph, self._plan, stage, self._device, self._placement)

    def _allocate_parts(self, stage: Stage) -> None:
        device, plan, tables = self._device, self._plan, self._tables

        def buffer(side: Side) -> list[torch.Tensor]:
            dtypes = [DTYPES[plan.table_dtype], *[torch.float32] * plan.optimizer.num_moment]
            return [device.empty(self._rows[side], stage.row, dtype=dtype) for dtype in dtypes]

        self._buffers: dict[str, list[list[torch.Tensor]]] = {table: [] for table in self._table_of.values()}
        slots: dict[Side, int] = {"vertex": self._grid.vertex_slots, "context": self._grid.context_slots}
        for side, count in slots.items():
            # Both sides of a tied table have buffers of one kind.
            self._buffers[self._table_of[side]] += [buffer(side) for _ in range(count)]
        self._streams: dict[tuple[str, str], Any] = {
            (kind, side): device.stream() for kind in ("Load", "Store") for side in ("vertex", "context")
        }
        self._host = {name: [as_tensor(storage.array) for storage in tables.storages_of(name)] for name in tables.specs}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let the device copy from and to the tables of the host by itself, and wait for everything at the end."""
        with explained(self._plan.device), self._device.pinning(self._arrays()), self._walks:
            try:
                yield
            finally:
                self._events.clear()
                self._device.synchronize()

    def _arrays(self) -> list[npt.NDArray[Any]]:
        """Return the memory of the host that the device copies from and to."""
        return [storage.array for storage in self._tables.storages().values()]

    # ------------------------------------------------------------------------------------------------------- pairs

    def _where(self, vertex_part: int) -> tuple[int, bool, int, int]:
        rows = self._rows
        return (
            self._plan.positives.augmentation_step,
            self._plan.positives.two_sided,
            vertex_part * rows["vertex"],
            rows["context"],
        )

    def _sort(self, vertex_part: int, following: int | None) -> None:
        """Sort the pairs of a vertex part by context part and head.

        On the way those of the part that follows are counted, so that walks are drawn once for each part, and not twice.
        """
        where = self._where(vertex_part)
        self._contexts = self._ends = self._units = None  # of the row before: they make room
        if self._counted == vertex_part:
            self._counts, self._next_counts = self._next_counts, self._counts
        else:
            self._counts.zero_()
            for walks in self._walks.chunks():
                count_pairs(walks, *where, self._counts)
        counts = self._counts
        self._units, num_unit, num_pair = units_of(counts, self._heads)
        total = int(num_pair.sum())
        self._totals = counts.sum(0, dtype=torch.int32)
        ends = torch.cumsum(counts.view(-1), 0, dtype=torch.int32 if total < 2**31 else torch.int64).view(counts.shape)
        ends -= counts
        self._contexts = self._device.empty(total, dtype=torch.int16 if self._narrow else torch.int32)
        self._next_counts.zero_()
        for walks in self._walks.chunks():
            place_pairs(walks, *where, ends, self._contexts)
            if following is not None:
                count_pairs(walks, *self._where(following), self._next_counts)
        self._counted = following
        self._ends = ends
        self._unit_bounds = [0, *np.cumsum(num_unit.numpy()).tolist()]
        self._pair_bounds = [0, *np.cumsum(num_pair.numpy()).tolist()]

    # -------------------------------------------------------------------------------------------------- operations

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Put an operation on its stream, behind those that it has to wait for."""
        with explained(self._plan.device):
            match operation:
                case Draw():
                    with self._device.on(self._training):
                        self._draw(operation)
                case Sort():
                    with self._device.on(self._training):
                        self._sort(operation.vertex_part, operation.following)
                case Train():
                    key = self._noise_key + operation.place * self._plan.positives.reuse
                    with self._in_order(operation, self._training):
                        return self._train(operation, float(lr[0]), key)
                case Load() | Store():
                    with self._in_order(operation, self._streams[queue_of(operation)]):
                        self._copy(operation)
        return 0

    def _draw(self, operation: Draw) -> None:
        """Say of which walks the pairs of the next rows are."""
        assert operation.num_walk is not None
        self._walks.begin(operation.first_walk, operation.num_walk)
        self._counted = None

    @contextmanager
    def _in_order(self, operation: Load | Store | Train, stream: Any) -> Iterator[None]:
        with self._device.on(stream):
            for number in operation.after:
                if number in self._events:
                    self._events[number].wait(stream)
            yield
            event = self._events[operation.number] = self._device.event()
            event.record(stream)

    def _copy(self, operation: Load | Store) -> None:
        table = self._table_of[operation.side]
        buffers = self._buffers[table][operation.buffer]
        rows = self._rows[operation.side]
        parts = [rows_of[operation.part * rows : (operation.part + 1) * rows] for rows_of in self._host[table]]
        for here, there in zip(buffers, parts, strict=True):
            if isinstance(operation, Store):
                there.copy_(here, non_blocking=True)
            else:
                here.copy_(there, non_blocking=True)

    def _train(self, operation: Train, lr: float, key: int) -> int:
        """Train a block; return its pairs."""
        plan, block, rows = self._plan, operation.block, self._rows
        first, last = self._unit_bounds[block.context : block.context + 2]
        if first == last:
            return 0
        (vertex, *vertex_moments), (context, *context_moments) = self._parts(operation)
        vertex1, vertex2 = (*vertex_moments, *self._none)[:2]
        context1, context2 = (*context_moments, *self._none)[:2]
        here = slice(block.context * rows["context"], (block.context + 1) * rows["context"])
        prob, alias = (table[here] for table in self._noise)
        negatives = self._device.empty(last - first, plan.negatives.count, dtype=torch.int32)
        assert self._units is not None and self._ends is not None
        for reuse in range(plan.positives.reuse):
            stream = mix((key + reuse) & MASK)
            draw_negatives(prob, alias, stream, 0, negatives)
            self._train_pairs(
                vertex, context, vertex1, vertex2, context1, context2,
                self._pair_bounds[block.context], self._ends[block.context], self._contexts, self._totals,
                self._units[first:last], negatives, self._heads, block.vertex * rows["vertex"], block.context * rows["context"],
                lr, plan.negatives.weight * float(self._share[block.context]), plan.weight_decay, plan.optimizer.code,
                self._settings, self._statistics, *self._numbers, product=self._product, seed=stream, launch=self._launch,
            )  # fmt: skip
        pairs = self._pair_bounds[block.context + 1] - self._pair_bounds[block.context]
        return pairs * plan.positives.reuse

    def _parts(self, operation: Train) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return the two parts of a block, each a table and its moments."""
        vertex, context = operation.vertex_buffer, operation.context_buffer
        return self._buffers[self._table_of["vertex"]][vertex], self._buffers[self._table_of["context"]][context]

    def land(self) -> Landed:
        """Wait for the trainings of blocks; return the loss of those since the last call."""
        with explained(self._plan.device), self._device.on(self._training):
            loss, weight = self._statistics.tolist()
            self._statistics.zero_()
        self._events = {number: event for number, event in self._events.items() if not event.query()}
        return Landed(0, loss, weight)

    def settle(self) -> None:
        """Wait for everything."""
        with explained(self._plan.device):
            self._device.synchronize()
        self._events.clear()


def as_tensor(array: npt.NDArray[Any]) -> torch.Tensor:
    """Return a tensor of the same memory; uint16 stands for bfloat16."""
    if array.dtype == np.uint16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)
