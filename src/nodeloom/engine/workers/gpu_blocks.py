"""The blocks of one worker, trained on its GPU from walks that all workers draw together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.episode import EpisodeWalks
from nodeloom.engine.gpu.memory import DTYPES
from nodeloom.engine.grid.gpu import GpuBlocks
from nodeloom.engine.grid.noise import Noise
from nodeloom.engine.tables import Tables
from nodeloom.engine.workers.gpu_exchange import OnStream
from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.kernels.gpu.pairs import train_pairs
from nodeloom.model.parts import Part
from nodeloom.partition import Block, Placement
from nodeloom.plan.memory import SLACK
from nodeloom.plan.plan import Plan
from nodeloom.schedule import Train
from nodeloom.transport.base import Transport
from nodeloom.transport.nccl import DeviceTransport, transport_of_device

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class SharedWalks(EpisodeWalks):
    """The walks of an episode as slots, on the device for as long as it lasts: this worker draws its share, and all get all."""

    def __init__(
        self, graph: Graph, plan: Plan, part: Part, device: Device, placement: Placement, transport: DeviceTransport
    ) -> None:
        super().__init__(graph, plan, part, device, placement)
        self._transport, self._width = transport, plan.nodes_per_walk
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


class GpuWorkerBlocks(GpuBlocks):
    """The GPU of a worker: its vertex part stays there, and it trains the context parts that come by."""

    def __init__(
        self, graph: Graph, plan: Plan, part: Part, tables: Tables, noise: Noise, transport: Transport
    ) -> None:
        device = Device(plan.device)
        with explained(plan.device):
            self._on_device = transport_of_device(transport, device.torch)
        self.exchange = OnStream(self._on_device, device)
        super().__init__(graph, plan, part, tables, noise)

    def _walks_of(self, graph: Graph, part: Part) -> EpisodeWalks:
        return SharedWalks(graph, self._plan, part, self._device, self._placement, self._on_device)

    def _allocate_parts(self, part: Part) -> None:
        self._row = part.row  # the parts are in the store
        self._next_counts = self._device.empty(0, dtype=torch.int32)  # a worker has one vertex part: no other follows

    def _arrays(self) -> list[npt.NDArray[Any]]:
        return []

    def prepare(self) -> None:
        """Compile what is not in the cache, before the clock starts: with a walk of each worker, and tables that nobody needs."""
        plan, device = self._plan, self._device
        with explained(plan.device), device.on(self._training), self._walks:
            self._walks.begin(0, self._on_device.size)
            self._begin_row(self._on_device.rank, None)

            def zeros(*shape: int, dtype: torch.dtype = torch.int32) -> torch.Tensor:
                return torch.zeros(*shape, dtype=dtype, device=device.torch)

            def rows(number: int) -> list[torch.Tensor]:
                dtypes = [DTYPES[plan.table_dtype], *[torch.float32] * plan.optimizer.num_moment]
                return [*(zeros(number, self._row, dtype=dtype) for dtype in dtypes), *self._none][:3]

            (vertex, vertex1, vertex2), (context, context1, context2) = rows(self._heads), rows(1)
            negatives = zeros(2, plan.num_shared_negative)
            prob, alias = self._noise
            draw_negatives(prob[:1], alias[:1], 0, 0, negatives)
            assert self._ends is not None and self._contexts is not None
            train_pairs(
                vertex, context, vertex1, vertex2, context1, context2, 0, zeros(self._heads, dtype=self._ends.dtype),
                zeros(1, dtype=self._contexts.dtype), zeros(self._heads), zeros(2, 2), negatives.zero_(), self._heads,
                0, 0, 0.0, plan.negative_weight, plan.weight_decay, plan.optimizer.code, self._settings,
                torch.zeros_like(self._statistics), product=self._product, seed=0, launch=self._launch,
            )  # fmt: skip
            device.synchronize()

    def begin_episode(self, first_walk: int, num_walk: int) -> None:
        """Draw the walks of an episode: this worker's share, and hand it to the others."""
        with explained(self._plan.device), self._device.on(self._training):
            super().begin_episode(first_walk, num_walk)

    def train(self, block: Block, lr: float, key: int) -> tuple[int, float, float]:
        """Train a block whose parts are here, to the end; return its positive pairs, and the loss and the weight of it."""
        with explained(self._plan.device), self._device.on(self._training):
            self._train(Train(0, (), block, 0, 0), lr, key)
        loss, weight = self.end_row()
        first, last = self._pair_bounds[block.context : block.context + 2]
        return int(last - first) * self._plan.positive_reuse, loss, weight

    def _parts(self, operation: Train) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        block = operation.block
        vertex, context = self._rows["vertex"], self._rows["context"]
        return (
            [*self._tables.of("vertex", slice(block.vertex * vertex, (block.vertex + 1) * vertex))],
            [*self._tables.of("context", slice(block.context * context, (block.context + 1) * context))],
        )
