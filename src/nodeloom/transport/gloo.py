"""Transport over Gloo: arrays stay where they are in main memory, and torch sends and receives them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from nodeloom.errors import WorkerError
from nodeloom.transport.base import Array, Pending, Transport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.transport.torchrun import WorkerRank


class Gloo(Transport):
    """Workers whose default process group uses Gloo.

    Parameters
    ----------
    worker : WorkerRank
        The place of this worker.
    bulk : ProcessGroup, optional
        A group of all workers with connections of its own, for tables.
    """

    def __init__(self, worker: WorkerRank, bulk: Any = None) -> None:
        self.worker, self._bulk = worker, bulk

    def all_reduce(self, values: Array) -> None:
        """Replace an array by its sum over all workers."""
        dist.all_reduce(torch.from_numpy(values))

    def begin_all_reduce(self, values: Array) -> Pending:
        """Begin to replace an array by its sum over all workers."""
        return Pending([dist.all_reduce(torch.from_numpy(values), group=self._bulk, async_op=True)])

    def all_gather(self, own: Array, out: Array) -> None:
        """Fill `out` with the arrays `own` of all workers."""
        rows = torch.from_numpy(out.reshape(self.size, -1))
        dist.all_gather(list(rows), torch.from_numpy(own.reshape(-1)).clone())

    def broadcast(self, values: Array, root: int = 0) -> None:
        """Overwrite an array by that of worker `root`."""
        dist.broadcast(torch.from_numpy(values), root)

    def gather_objects(self, value: object) -> list[Any]:
        """Return the values of all workers, by rank, as JSON has them."""
        own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.size)]
        dist.all_gather(sizes, torch.tensor([own.numel()]))
        most = max(int(size) for size in sizes)
        padded = torch.zeros(most, dtype=torch.uint8)
        padded[: own.numel()] = own
        found = [torch.empty(most, dtype=torch.uint8) for _ in range(self.size)]
        dist.all_gather(found, padded)
        texts = [text[: int(size)].numpy().tobytes() for text, size in zip(found, sizes, strict=True)]
        values = []
        for rank, text in enumerate(texts):
            try:
                values.append(json.loads(text))
            except ValueError:
                raise WorkerError(f"worker {rank} cannot be understood: it runs another version of nodeloom.") from None
        return values

    def exchange(self, send: Sequence[tuple[Array, int]], receive: Sequence[tuple[Array, int]]) -> Pending:
        """Begin to send arrays and to fill others."""
        works: list[Any] = []
        for array, other in receive:
            if not (array.flags.c_contiguous and array.flags.writeable):
                raise ValueError(f"nothing can be received by an array of strides {array.strides}, or one to be read")
            works.append(dist.irecv(torch.from_numpy(_bytes(array)), other, group=self._bulk))
        works += [dist.isend(torch.from_numpy(_bytes(array)), other, group=self._bulk) for array, other in send]
        return Pending(works)


def _bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)
