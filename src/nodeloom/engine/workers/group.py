"""The group of workers that torchrun has started: who they are, and what they tell each other.

Arrays are NumPy's and stay where they are; torch sends and receives their memory.
"""

from __future__ import annotations

import datetime
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.torchrun import place
from nodeloom.engine.workers.launcher import without_torch
from nodeloom.engine.workers.meeting import ARRIVAL, meeting_point, name_of_point
from nodeloom.engine.workers.watch import Watch
from nodeloom.errors import WorkerError

TIMEOUT = 86400.0
"""Seconds that a worker waits for another one that is alive. Those that are not are noticed by the watch, much sooner."""

PATIENCE = 10.0
"""Seconds after which it is said that some have not."""

Array = npt.NDArray[Any]


def launched() -> tuple[int, int] | None:
    """Return the rank of this process and the number of workers if torchrun started it; None if not."""
    here = place()
    return None if here is None else (here.rank, here.num_worker)


class Pending:
    """Sends and receives that are under way."""

    def __init__(self, works: Sequence[Any]) -> None:
        self._works = list(works)

    def wait(self) -> None:
        """Wait until all are done."""
        while self._works:
            self._works.pop(0).wait()


class Workers:
    """The workers of a training, as one of them sees them. All of them have to call a method that speaks of all, in the same order.

    Attributes
    ----------
    rank : int
        This worker, from 0.
    num_worker : int
        All of them.
    links : nodeloom.engine.workers.links.Links or None
        The connections between their devices, once there are some.
    """

    links: Any = None

    def __init__(self, rank: int, num_worker: int, parts: Any = None) -> None:
        self.rank, self.num_worker = rank, num_worker
        self._parts = (
            parts  # a group with connections of its own: a few bytes do not wait behind a table that is under way
        )

    def gather(self, value: object) -> list[Any]:
        """Return the values of all workers, by rank: what JSON can say, so tuples come as lists. Nothing that comes is run as code.

        Raises
        ------
        WorkerError
            If another worker says something else: it runs another version of nodeloom.
        """
        import torch
        import torch.distributed as dist

        own = torch.frombuffer(bytearray(json.dumps(value).encode()), dtype=torch.uint8)
        sizes = [torch.zeros(1, dtype=torch.int64) for _ in range(self.num_worker)]
        dist.all_gather(sizes, torch.tensor([own.numel()]))
        most = max(int(size) for size in sizes)
        padded = torch.zeros(most, dtype=torch.uint8)
        padded[: own.numel()] = own
        found = [torch.empty(most, dtype=torch.uint8) for _ in range(self.num_worker)]
        dist.all_gather(found, padded)
        texts = [text[: int(size)].numpy().tobytes() for text, size in zip(found, sizes, strict=True)]
        values = []
        for rank, text in enumerate(texts):
            try:
                values.append(json.loads(text))
            except ValueError:
                raise WorkerError(f"worker {rank} cannot be understood: it runs another version of nodeloom.") from None
        return values

    def any(self, flag: bool) -> bool:
        """Tell whether the flag of any worker is set."""
        return bool(self.total(np.array([int(flag)], np.int64))[0])

    def total(self, values: Array) -> Array:
        """Return the sum of an array over all workers, of its shape."""
        import torch
        import torch.distributed as dist

        found = torch.from_numpy(np.array(values))
        dist.all_reduce(found)
        result: Array = found.numpy()
        return result

    def add(self, values: Array) -> Pending:
        """Begin to replace an array, of the same shape and dtype with all workers, by its sum over them."""
        import torch
        import torch.distributed as dist

        return Pending([dist.all_reduce(torch.from_numpy(values), group=self._parts, async_op=True)])

    def from_first(self, values: Array) -> Array:
        """Return the array of worker 0; the others give one of the same shape and dtype, which is overwritten."""
        import torch
        import torch.distributed as dist

        dist.broadcast(torch.from_numpy(values), 0)
        return values

    def share(self, values: Array) -> None:
        """Fill an array [num_worker * n, ...] of which every worker has set its own n rows."""
        rows = values.reshape(self.num_worker, -1)
        import torch
        import torch.distributed as dist

        whole = torch.from_numpy(rows)
        dist.all_gather(list(whole), whole[self.rank].clone())

    def exchange(self, outgoing: Sequence[tuple[Array, int]], incoming: Sequence[tuple[Array, int]]) -> Pending:
        """Begin to send and to receive arrays, contiguous; (array, other worker). Between two workers the order counts.

        Raises
        ------
        ValueError
            If an array that is to be filled is not contiguous, or may not be changed.
        """
        import torch
        import torch.distributed as dist

        works: list[Any] = []
        for array, other in incoming:
            if not (array.flags.c_contiguous and array.flags.writeable):
                raise ValueError(f"nothing can be received by an array of strides {array.strides}, or one to be read")
            works.append(dist.irecv(torch.from_numpy(_bytes(array)), other, group=self._parts))
        works += [dist.isend(torch.from_numpy(_bytes(array)), other, group=self._parts) for array, other in outgoing]
        return Pending(works)

    def barrier(self) -> None:
        """Wait for all workers."""
        self.total(np.zeros(1, np.int64))


def _bytes(array: Array) -> npt.NDArray[np.uint8]:
    return array.reshape(-1).view(np.uint8)


_joined: Workers | None = None
_watch: Watch | None = None
_times = 0  # that this process has joined
_is_ours = True  # and not a group that the program made itself


def join(timeout: float = 15.0) -> Workers | None:
    """Join the group that torchrun has started, once; return None if there is none, or this process is alone in it.

    Parameters
    ----------
    timeout : float
        Seconds without a sign of life after which a worker is lost; see :class:`nodeloom.engine.workers.watch.Watch`.

    Raises
    ------
    ConfigError
        If torch is not installed.
    WorkerError
        If not all workers come.
    """
    global _joined, _watch, _times, _is_ours
    here = place()
    if here is None or here.num_worker == 1:
        return None
    if _joined is None:
        try:
            import torch.distributed as dist
        except ImportError:
            raise without_torch(here.num_worker) from None
        _times += 1
        board, store = meeting_point(here, _times)
        _watch = Watch(here, board, name_of_point(here), timeout)
        _watch.start()
        try:
            _arrive(_watch)
        except WorkerError as error:
            leave(str(error), is_relayed=True)
            raise
        wait = datetime.timedelta(seconds=TIMEOUT)
        _is_ours = not dist.is_initialized()
        if _is_ours:
            dist.init_process_group("gloo", store=store, rank=here.rank, world_size=here.num_worker, timeout=wait)
        _joined = Workers(here.rank, here.num_worker, dist.new_group(backend="gloo", timeout=wait))
    return _joined


def watch() -> Watch | None:
    """Return the watch over the group that this process has joined."""
    return _watch


def leave(error: str = "", *, is_relayed: bool = False) -> None:
    """Leave the group. What has not been waited for is lost.

    Parameters
    ----------
    error : str
        Why, if this is no orderly end; the others are told, and end too.
    is_relayed : bool
        Whether the error is that of another worker.
    """
    global _joined, _watch
    if _watch is not None:
        _watch.say("failed" if error else "left", error, is_relayed=is_relayed)
        _watch.stop()
        _watch = None
    if _joined is not None:
        import torch.distributed as dist

        _joined = None
        if _is_ours and not error:  # else others may not answer any more, and the process ends anyway
            dist.destroy_process_group()


def _arrive(watch: Watch) -> None:
    """Wait until all workers have given a sign of life."""
    begin = time.monotonic()
    end, is_told = begin + ARRIVAL, False
    while missing := watch.missing():
        cause = watch.cause(0.2)
        if time.monotonic() > begin + PATIENCE and watch.place.local_rank == 0 and not is_told:
            is_told = True
            who = ", ".join(map(str, missing))
            sys.stderr.write(f"note: worker {watch.place.rank} waits for {who}, up to {ARRIVAL:.0f} s.\n")
        if cause is not None or time.monotonic() > end:
            text = f"{ARRIVAL:.0f} s have passed without a sign of workers {', '.join(map(str, missing))}."
            raise WorkerError(text if cause is None else cause.text)
