"""The engine of one of several workers whose GPUs cannot hold their share of the tables.

The share lies in main memory. A worker has several vertex parts, one after the other, and meets all context parts for each of them. While
a block is trained, the next context part goes to the GPU, the last one comes back, and the one before that goes on to the next worker:
so every part rests for a round before it travels, and one before it is needed.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from nodeloom.engine.plan import Part, Plan
from nodeloom.engine.workers.engine import WorkerEngine
from nodeloom.engine.workers.staged_blocks import StagedBlocks
from nodeloom.engine.workers.staged_store import StagedStore
from nodeloom.partition import Block, Handover, Load, Operation, Side, Store, Train, Transfers

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class StagedEngine(WorkerEngine):
    """Trains one part of a model together with other workers, from main memory.

    Parameters
    ----------
    graph, plan, part
        As for :class:`nodeloom.engine.workers.engine.WorkerEngine`.
    store : StagedStore
        This worker's share of the tables; changed.
    """

    store: StagedStore
    _blocks: StagedBlocks

    def __init__(self, graph: Graph, plan: Plan, part: Part, store: StagedStore) -> None:
        super().__init__(graph, plan, part, store)
        self._transfers = self._nothing_there()
        self._operations: deque[Operation] = deque()  # of this worker, up to the end of the row
        self._loads: list[Load] = []  # of parts that have not come yet
        self._changed: dict[tuple[Side, int], int] = {}  # what each buffer has that is not back in main memory
        self._stored: dict[int, int] = {}  # the last store of each context part
        self._leaving: list[Handover] = []  # after the last round

    def _nothing_there(self) -> Transfers:
        """Return plans for devices whose buffers are empty. All workers plan what all of them do, and each does its own."""
        return Transfers(self.grid.vertex_slots, self.grid.context_slots, num_device=self.workers.num_worker)

    def settle(self) -> None:
        """Bring all parts back to main memory, and wait for all that are on their way."""
        for (side, buffer), part in self._changed.items():
            self._blocks.run(Store(-1, (), self.workers.rank, side, part, buffer))
        self._blocks.settle()
        self._go_on([])
        super().settle()
        # A row is planned as a whole; from its middle on it is planned anew.
        self._transfers = self._nothing_there()
        for forgotten in (self._operations, self._loads, self._changed, self._stored):
            forgotten.clear()

    def _work(self, block: Block, step: int, lr: float, key: int) -> tuple[int, float, float]:
        if block.vertex != self._vertex:
            self._vertex = block.vertex
            self._blocks.begin_row(block.vertex, self._vertex_after(step))
        if not self._operations:
            self._plan_row(step)
        operation = self._operations.popleft()
        while not isinstance(operation, Train):
            if isinstance(operation, Store):
                self._put_back(operation)
            else:
                self._loads.append(operation)
            operation = self._operations.popleft()
        assert operation.block == block
        self._fetch(operation.after)
        self._blocks.run(operation, lr=lr, key=key)
        self._changed["vertex", operation.vertex_buffer] = block.vertex
        self._changed["context", operation.context_buffer] = block.context
        while self._operations and isinstance(store := self._operations[0], Store):
            self._put_back(store)
            self._operations.popleft()
        leaving = self._handovers.after(step)
        is_last = step + 1 == len(self._order)
        self._go_on(leaving)
        if is_last:  # the next episode begins with parts in their places
            self._go_on([])
        self._fetch()
        return self._blocks.finish(block)

    def _vertex_after(self, step: int) -> int | None:
        """Return the next vertex part of this worker in the episode."""
        width = self.grid.num_context_part
        later = self._order[(step // width + 1) * width :]
        return later[0][self.workers.rank].vertex if later else None

    def _plan_row(self, step: int) -> None:
        """Plan the rest of the rounds with the present vertex part."""
        width = self.grid.num_context_part
        end = (step // width + 1) * width
        ahead = [*self._order, *self._following][end : end + width]
        rank = self.workers.rank
        found = self._transfers.operations(self._order[step:end], ahead)
        self._operations = deque(operation for operation in found if operation.device == rank)

    def _fetch(self, needed: tuple[int, ...] = ()) -> None:
        """Load the parts that are here, and those that are needed, for which it waits."""
        waiting: list[Load] = []
        for load in self._loads:
            if load.side == "context" and load.number in needed:
                self.store.ready(load.part)
            is_here = load.side == "vertex" or self.store.is_here(load.part)
            if is_here and all((load.side, load.buffer) != (other.side, other.buffer) for other in waiting):
                self._blocks.run(load)
            elif load.number in needed:  # a worker has two parts at least, so it has come by now
                raise RuntimeError(f"context part {load.part} is needed before it was handed over")
            else:
                waiting.append(load)
        self._loads = waiting

    def _put_back(self, store: Store) -> None:
        self._blocks.run(store)
        del self._changed[store.side, store.buffer]
        if store.side == "context":
            self._stored[store.part] = store.number

    def _go_on(self, leaving: list[Handover]) -> None:
        """Hand the parts of the round before over, once they are back in main memory; those of this round are the next."""
        for handover in self._leaving:
            if handover.giver == self.workers.rank:
                self._blocks.wait_for(self._stored[handover.part])
        self.store.hand_over(self._leaving)
        self._leaving = leaving
