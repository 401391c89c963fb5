"""The tables of one part on the GPU of each worker, whole: copies that are the same whenever they have been merged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from nodeloom.engine.gpu.device import explained
from nodeloom.engine.gpu.store import GpuStore
from nodeloom.engine.workers.group import Workers
from nodeloom.engine.workers.links import Links
from nodeloom.kernels.gpu.merge import apply, changes
from nodeloom.model.parts import Part
from nodeloom.plan.merges import buffer_rows, num_buffer, sent_share
from nodeloom.plan.plan import Plan
from nodeloom.rng import MASK, mix
from nodeloom.typing import FloatArray


class _Buffer(NamedTuple):
    """Rows on their way to all workers, and the stream that they are on."""

    changes: torch.Tensor  # [R, row]
    squares: torch.Tensor  # [R]
    stream: Any


@dataclass
class CopiesStore(GpuStore):
    """Tables of one part, of which every worker has all; as :class:`nodeloom.engine.gpu.store.GpuStore`.

    Attributes
    ----------
    base : dict of str to float32 or bfloat16 [N, row]
        The tables as they were when all workers had the same.
    workers : Workers
        All workers.
    sent : list of int
        The bytes that this worker has sent to others in each merge.
    waited : float
        Seconds that this worker has spent on merges, and on waiting for the others to come to them.
    """

    base: dict[str, torch.Tensor] = field(init=False, default_factory=dict)
    workers: Workers = field(init=False)
    sent: list[int] = field(init=False, default_factory=list)
    waited: float = field(init=False, default=0.0)

    @classmethod
    def of(cls, plan: Plan, part: Part, workers: Workers) -> CopiesStore:
        """Return a store of zeros. All workers have to call it.

        Raises
        ------
        MemoryLimitError
            If the device has not enough memory after all.
        """
        store = cls.allocate(
            plan.num_nodes, part, plan.optimizer.num_moment, device=plan.device, table_dtype=plan.table_dtype
        )
        assert isinstance(store, cls)
        store._connect(workers)
        return store

    def _connect(self, workers: Workers) -> None:
        device, table = self.device, self.vertex
        self.workers = workers
        with explained(device.name):
            names = ("vertex",) if self.tied else ("vertex", "context")
            self.base = {name: torch.zeros_like(table) for name in names}
            num_nodes, row = table.shape
            rows = buffer_rows(num_nodes, row, table.element_size())
            self._buffers = [
                _Buffer(
                    device.empty(rows, row, dtype=table.dtype), device.empty(rows, dtype=torch.float32), device.stream()
                )
                for _ in range(num_buffer(num_nodes, rows))
            ]
        self._links = Links.of(workers, device.torch)

    def initialize(self) -> None:
        """Give the vertex table its first values, the same for all workers; the context table starts at 0."""
        super().initialize()
        self._rebase("vertex")

    def write(self, name: str, values: FloatArray, rows: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` [N] is true; with all workers the same."""
        super().write(name, values, rows)
        self._rebase(name)

    def read(self, name: str) -> FloatArray | None:  # type: ignore[override]
        """Return a copy of a table in main memory, float32 [N, row], to worker 0, and None to the others: theirs are the same."""
        return super().read(name) if self.workers.rank == 0 else None

    def is_sound(self) -> bool:
        """Tell whether no table of any worker holds NaN or infinity; all workers have to call it."""
        return not self.workers.any(not super().is_sound())

    def prepare(self) -> None:
        """Compile what is not in the cache, on a row that nobody has changed. All workers have to call it."""
        with explained(self.device.name):
            for name in self.base:
                self._merge_rows(name, self._tensors()[name], 0, 1, self._buffers[0], 0)
            self.device.synchronize()

    def merge(self, number: int) -> None:
        """Make the tables of all workers the same: the base and what they have changed. All of them have to call it.

        One piece is computed while another is on its way.

        Parameters
        ----------
        number : int
            Of the merge, the same for all workers: from it comes how rows are rounded.
        """
        sent = 0
        with explained(self.device.name):
            for place, (name, table) in enumerate(self._tensors().items()):
                seed = mix((number * len(self._tensors()) + place) & MASK)
                rows = len(self._buffers[0].changes)
                for piece, first in enumerate(range(0, len(table), rows)):
                    buffer = self._buffers[piece % len(self._buffers)]
                    with self.device.on(buffer.stream):
                        count = min(rows, len(table) - first)
                        if name in self.base:
                            sent += self._merge_rows(name, table, first, count, buffer, seed)
                        else:
                            sent += self._average(table[first : first + count])
            self.device.synchronize()
        self.sent.append(round(sent * sent_share(self.workers.num_worker)))

    def _merge_rows(self, name: str, table: torch.Tensor, first: int, count: int, buffer: _Buffer, seed: int) -> int:
        found, squares = buffer.changes[:count], buffer.squares[:count]
        changes(table, self.base[name], first, found, squares)
        self._links.add(found)
        self._links.add(squares)
        apply(table, self.base[name], first, found, squares, self.workers.num_worker, seed)
        return found.numel() * found.element_size() + squares.numel() * squares.element_size()

    def _average(self, moments: torch.Tensor) -> int:
        self._links.add(moments)
        moments *= 1.0 / self.workers.num_worker
        return moments.numel() * moments.element_size()

    def _rebase(self, name: str) -> None:
        if name in self.base:
            with explained(self.device.name):
                self.base[name].copy_(self._tensors()[name])
                self.device.synchronize()
