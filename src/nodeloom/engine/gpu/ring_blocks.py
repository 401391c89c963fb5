"""The blocks of one worker, trained on its GPU from walks that all workers draw together."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from nodeloom.engine.gpu.blocks import GpuBlocks
from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.episode import EpisodeWalks
from nodeloom.engine.gpu.exchange import OnStream
from nodeloom.engine.gpu.memory import DTYPES
from nodeloom.engine.part_storage import PartMoves
from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.plan.memory import SLACK
from nodeloom.schedule import Arrive, Exchange, OnDevice, Train
from nodeloom.transport.nccl import DeviceTransport, transport_of_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.engine.negatives import NegativeDistribution
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.partition import Placement
    from nodeloom.plan.plan import Plan
    from nodeloom.transport.base import Transport
    from nodeloom.typing import DoubleArray


class SharedWalks(EpisodeWalks):
    """The walks of an episode as slots, on the device for as long as it lasts: this worker draws its share, and all get all."""

    def __init__(
        self, graph: Graph, plan: Plan, stage: Stage, device: Device, placement: Placement, transport: DeviceTransport
    ) -> None:
        super().__init__(graph, plan, stage, device, placement)
        self._transport, self._width = transport, plan.positives.nodes_per_walk
        self._room = self._all = device.empty(0, dtype=self._dtype)

    def begin(self, first_walk: int, num_walk: int, following: int | None = None) -> None:
        """Draw the walks that the next passes are over, on the current stream. All workers have to call it."""
        del following
        transport = self._transport
        share = -(-num_walk // transport.size)
        number = transport.size * share * self._width
        if self._room.numel() < number:
            self._room = self._all = self._device.empty(0, dtype=self._dtype)  # makes room first
            self._room = self._device.empty(number + number // SLACK, dtype=self._dtype)
        shape = (self._width, share) if self._transposed else (share, self._width)
        self._all = self._room[:number].view(transport.size, *shape)  # as they lie in memory, by worker
        begin = min(transport.rank * share, num_walk)
        count = min(share, num_walk - begin)
        super().begin(first_walk + begin, count, following=first_walk + num_walk + begin)
        mine = self._walks_of(transport.rank)
        done = 0
        for walks in super().chunks():
            mine[done : done + len(walks)].copy_(walks)
            done += len(walks)
        mine[done:].fill_(-1)  # a last share that is smaller
        transport.all_gather(self._all[transport.rank], self._all)

    def chunks(self) -> Iterator[torch.Tensor]:
        """Yield the walks of all workers in chunks [W, L + 1] of slots."""
        for worker in range(len(self._all)):
            yield from self._walks_of(worker).split(self._chunk)

    def _walks_of(self, worker: int) -> torch.Tensor:
        return self._all[worker].t() if self._transposed else self._all[worker]


class GpuRingBlocks(GpuBlocks):
    """The GPU of a worker: its vertex part stays there, and it trains the context parts that come by."""

    def __init__(
        self, graph: Graph, plan: Plan, stage: Stage, tables: Tables, noise: NegativeDistribution, transport: Transport
    ) -> None:
        device = Device(plan.device)
        with explained(plan.device):
            self._on_device = transport_of_device(transport, device.torch)
        super().__init__(graph, plan, stage, tables, noise)
        exchange = OnStream(self._on_device, device)
        self._moves = PartMoves(tables.storages_of(stage.objective.tail), transport.rank, exchange)
        self.sent = self._moves.sent

    def _walks_of(self, graph: Graph, stage: Stage) -> EpisodeWalks:
        return SharedWalks(graph, self._plan, stage, self._device, self._placement, self._on_device)

    def _allocate_parts(self, stage: Stage) -> None:
        self._row = stage.row  # the parts are in the store
        self._next_counts = self._device.empty(0, dtype=torch.int32)  # a worker has one vertex part: no other follows

    def _arrays(self) -> list[npt.NDArray[Any]]:
        return []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let walks be drawn, have room for a part that comes, and wait for everything at the end."""
        self._compile()
        self._moves.make_room()
        with super().running():
            yield

    def _compile(self) -> None:
        """Compile what is not in the cache: with a walk of each worker, and tables that nobody needs."""
        plan, device = self._plan, self._device
        with explained(plan.device), device.on(self._training), self._walks:
            self._walks.begin(0, self._on_device.size)
            self._sort(self._on_device.rank, None)

            def zeros(*shape: int, dtype: torch.dtype = torch.int32) -> torch.Tensor:
                return torch.zeros(*shape, dtype=dtype, device=device.torch)

            def rows(number: int) -> list[torch.Tensor]:
                dtypes = [DTYPES[plan.table_dtype], *[torch.float32] * plan.optimizer.num_moment]
                return [*(zeros(number, self._row, dtype=dtype) for dtype in dtypes), *self._none][:3]

            (vertex, vertex1, vertex2), (context, context1, context2) = rows(self._heads), rows(1)
            negatives = zeros(2, plan.negatives.count)
            prob, alias = self._noise
            draw_negatives(prob[:1], alias[:1], 0, 0, negatives)
            assert self._ends is not None and self._contexts is not None
            self._train_pairs(
                vertex, context, vertex1, vertex2, context1, context2, 0, zeros(self._heads, dtype=self._ends.dtype),
                zeros(1, dtype=self._contexts.dtype), zeros(self._heads), zeros(2, 2), negatives.zero_(), self._heads,
                0, 0, 0.0, plan.negatives.weight, plan.weight_decay, plan.optimizer.code, self._settings,
                torch.zeros_like(self._statistics), *self._numbers, product=self._product, seed=0, launch=self._launch,
            )  # fmt: skip
            device.synchronize()

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Carry out an operation; parts travel between workers meanwhile."""
        match operation:
            case Exchange():
                self._moves.exchange(operation.shifts)
            case Arrive():
                self._moves.settle()
            case _:
                return super().run(operation, lr)
        return 0

    def _parts(self, operation: Train) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        block = operation.block
        vertex, context = self._rows["vertex"], self._rows["context"]
        return (
            [*self._tables.of(self._table_of["vertex"], slice(block.vertex * vertex, (block.vertex + 1) * vertex))],
            [
                *self._tables.of(
                    self._table_of["context"], slice(block.context * context, (block.context + 1) * context)
                )
            ],
        )
