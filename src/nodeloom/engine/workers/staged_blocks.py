"""The blocks of one worker, trained on its GPU: their parts lie in main memory, and go to buffers and back as in a grid on one GPU."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy.typing as npt
import torch

from nodeloom.engine.budget import SLACK
from nodeloom.engine.gpu.blocks import GpuBlocks, as_tensor
from nodeloom.engine.gpu.device import Device
from nodeloom.engine.gpu.episode import EpisodeWalks
from nodeloom.engine.plan import Part, Plan
from nodeloom.engine.workers.gpu_blocks import GpuWorkerBlocks
from nodeloom.engine.workers.group import Workers
from nodeloom.engine.workers.staged_store import StagedTable
from nodeloom.partition import Block, Placement, Side, Train

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class StagedWalks(EpisodeWalks):
    """The walks of an episode as slots, in main memory for as long as it lasts: this worker draws its share, and all get all.

    They lie there in the chunks in which they come to the device, each as it lies there.
    """

    def __init__(
        self, graph: Graph, plan: Plan, part: Part, device: Device, placement: Placement, workers: Workers
    ) -> None:
        super().__init__(graph, plan, part, device, placement)
        self._workers, self._width = workers, plan.nodes_per_walk
        self._room = device.pinned(0, dtype=self._dtype)
        self._all = self._room.view(0, 0)  # by worker

    def begin(self, first_walk: int, num_walk: int, following: int | None = None) -> None:
        """Draw the walks that the next passes are over. All workers have to call it."""
        del following
        workers, width = self._workers, self._width
        share = -(-num_walk // workers.num_worker)
        number = workers.num_worker * share * width
        if self._room.numel() < number:
            self._room = self._all = self._device.pinned(0, dtype=self._dtype)  # makes room first
            self._room = self._device.pinned(number + number // SLACK, dtype=self._dtype)
        self._all = self._room[:number].view(workers.num_worker, share * width)
        begin = min(workers.rank * share, num_walk)
        count = min(share, num_walk - begin)
        super().begin(first_walk + begin, share, following=first_walk + num_walk + begin)
        mine, done = self._all[workers.rank], 0
        for walks in super().chunks():
            walks[max(0, count - done) :].fill_(-1)  # a last share that is smaller
            flat = self._flat[: walks.numel()]
            mine[done * width : done * width + walks.numel()].copy_(flat)
            done += len(walks)
        workers.share(self._all.numpy())

    def chunks(self) -> Iterator[torch.Tensor]:
        """Yield the walks of all workers in chunks [W, L + 1] of slots, on the current stream; a chunk is gone when the next one comes."""
        for worker in self._all:
            for whole in worker.split(self._chunk * self._width):
                flat = self._flat[: len(whole)]
                flat.copy_(whole, non_blocking=True)
                yield flat.view(self._width, -1).t() if self._transposed else flat.view(-1, self._width)


class StagedBlocks(GpuWorkerBlocks):
    """The GPU of a worker, which has a vertex part and some context parts at a time."""

    def _walks_of(self, graph: Graph, part: Part) -> EpisodeWalks:
        return StagedWalks(graph, self._plan, part, self._device, self._store.placement, self._workers)

    def _allocate_parts(self, part: Part) -> None:
        super()._allocate_parts(part)
        self._next_counts = self._device.empty(
            *self._counts.shape, dtype=torch.int32
        )  # walks then come once for each vertex part
        self._allocate_buffers(part)

    def _arrays(self) -> list[npt.NDArray[Any]]:
        return [table.array for tables in self._sides.values() for table in tables if isinstance(table, StagedTable)]

    def _on_host(self, side: Side, part: int) -> list[torch.Tensor]:
        return [as_tensor(table.part(part)) for table in self._sides[side]]

    def _tables(self, operation: Train) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        return GpuBlocks._tables(self, operation)

    def wait_for(self, number: int) -> None:
        """Wait until an operation is done."""
        if number in self._events:
            self._events[number].synchronize()

    def finish(self, block: Block) -> tuple[int, float, float]:
        """Wait for the training of a block; return its positive pairs, and the loss and the weight of it."""
        loss, weight = self.end_row()
        first, last = self._pair_bounds[block.context : block.context + 2]
        return int(last - first) * self._plan.positive_reuse, loss, weight
