"""The group of workers that torchrun has started: who they are, and what they tell each other.

Arrays are NumPy's and stay where they are; torch sends and receives their memory.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.torchrun import place
from nodeloom.errors import ConfigError, describe

TIMEOUT = 1800.0
"""Seconds that a worker waits for another one that is alive. Those that are not are noticed by the watch, much sooner."""

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
    """

    def __init__(self, rank: int, num_worker: int) -> None:
        self.rank, self.num_worker = rank, num_worker
        self._said: dict[str, list[Any]] = {}

    def gather(self, value: object) -> list[Any]:
        """Return the values of all workers, by rank."""
        import torch.distributed as dist

        found: list[Any] = [None] * self.num_worker
        dist.all_gather_object(found, value)
        return found

    def agreed(self, name: str, value: object) -> list[Any]:
        """Return what all workers said when this was first asked for, by rank."""
        if name not in self._said:
            self._said[name] = self.gather(value)
        return self._said[name]

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

    def share(self, values: Array) -> None:
        """Fill an array [num_worker * n, ...] of which every worker has set its own n rows."""
        import torch
        import torch.distributed as dist

        whole = torch.from_numpy(values.reshape(self.num_worker, -1))
        dist.all_gather(list(whole), whole[self.rank].clone())

    def exchange(self, outgoing: Sequence[tuple[Array, int]], incoming: Sequence[tuple[Array, int]]) -> Pending:
        """Begin to send and to receive arrays, contiguous; (array, other worker). Between two workers the order counts."""
        import torch
        import torch.distributed as dist

        def flat(array: Array) -> Any:
            return torch.from_numpy(array.reshape(-1).view(np.uint8))

        works = [dist.irecv(flat(array), other) for array, other in incoming]
        works += [dist.isend(flat(array), other) for array, other in outgoing]
        return Pending(works)

    def barrier(self) -> None:
        """Wait for all workers."""
        self.total(np.zeros(1, np.int64))


_joined: Workers | None = None


def join() -> Workers | None:
    """Join the group that torchrun has started, once; return None if there is none, or this process is alone in it.

    Raises
    ------
    ConfigError
        If torch is not installed.
    """
    global _joined
    found = launched()
    if found is None or found[1] == 1:
        return None
    if _joined is None:
        try:
            import torch.distributed as dist
        except ImportError:
            hint = "pip install torch, or pip install 'nodeloom[gpu]'."
            raise ConfigError(
                describe("num_worker", expected="torch, to train with workers", got="none", hint=hint)
            ) from None
        if not dist.is_initialized():
            dist.init_process_group("gloo", timeout=datetime.timedelta(seconds=TIMEOUT))
        _joined = Workers(*found)
    return _joined


def leave() -> None:
    """Leave the group. What has not been waited for is lost."""
    global _joined
    if _joined is not None:
        import torch.distributed as dist

        _joined = None
        dist.destroy_process_group()
