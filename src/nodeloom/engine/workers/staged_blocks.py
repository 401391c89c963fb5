"""The blocks of one worker, trained on its GPU: their parts lie in main memory, and go to buffers and back as in a grid on one GPU."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
import torch

from nodeloom.engine.gpu.blocks import GpuBlocks, as_tensor
from nodeloom.engine.plan import Part
from nodeloom.engine.workers.gpu_blocks import GpuWorkerBlocks
from nodeloom.engine.workers.staged_store import StagedTable
from nodeloom.partition import Block, Side, Train


class StagedBlocks(GpuWorkerBlocks):
    """The GPU of a worker, which has a vertex part and some context parts at a time."""

    def _allocate_parts(self, part: Part) -> None:
        super()._allocate_parts(part)
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
