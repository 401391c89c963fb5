"""The transport: what the workers of a training exchange, in the words of the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.transport.torchrun import WorkerRank

Array = Any
"""A NumPy array of main memory, or a tensor of the device of a transport; contiguous."""


class Pending:
    """Transfers in flight.

    Parameters
    ----------
    works : sequence
        Objects with a method ``wait()``.
    """

    def __init__(self, works: Sequence[Any] = ()) -> None:
        self._works = list(works)

    def wait(self) -> None:
        """Wait until all are done: what was sent may be changed, and what was received is there."""
        while self._works:
            self._works.pop(0).wait()


class Transport(Protocol):
    """All workers of a training, as one of them sees them. All of them call the same collective methods in the same order.

    Attributes
    ----------
    worker : WorkerRank
        The place of this worker among all of them and on its host.
    on_device : nodeloom.transport.nccl.DeviceTransport or None
        The transport of tensors on devices, once there is one.
    """

    worker: WorkerRank
    on_device: Any = None

    @property
    def rank(self) -> int:
        """The number of this worker, from 0."""
        return self.worker.rank

    @property
    def size(self) -> int:
        """The number of workers."""
        return self.worker.size

    def all_reduce(self, values: Array) -> None:
        """Replace an array, of the same shape and dtype with all workers, by its sum over them."""

    def begin_all_reduce(self, values: Array) -> Pending:
        """Begin to do what :meth:`all_reduce` does, on connections of its own: a few bytes do not wait behind a table in flight."""

    def all_gather(self, own: Array, out: Array) -> None:
        """Fill `out` [size * n, ...] with the arrays `own` [n, ...] of all workers, by rank; `own` may be that part of `out`."""

    def broadcast(self, values: Array, root: int = 0) -> None:
        """Overwrite an array, of the same shape and dtype with all workers, by that of worker `root`."""

    def gather_objects(self, value: object) -> list[Any]:
        """Return the values of all workers, by rank: what JSON can say, so tuples come as lists. Nothing that comes is run as code.

        Raises
        ------
        WorkerError
            If another worker sends something else: it runs another version of nodeloom.
        """

    def exchange(self, send: Sequence[tuple[Array, int]], receive: Sequence[tuple[Array, int]]) -> Pending:
        """Begin to send arrays and to fill others; (array, other worker). Between two workers the order counts.

        Raises
        ------
        ValueError
            If an array that is to be filled is not contiguous, or may not be changed.
        """

    def any(self, flag: bool) -> bool:
        """Tell whether the flag of any worker is set."""
        number = np.array([int(flag)], np.int64)
        self.all_reduce(number)
        return bool(number[0])

    def barrier(self) -> None:
        """Wait for all workers."""
        self.all_reduce(np.zeros(1, np.int64))
