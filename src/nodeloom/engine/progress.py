"""What callbacks are told."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any, Protocol

from nodeloom.engine.plan import Plan


@dataclasses.dataclass(frozen=True)
class Progress:
    """Where training is, after a pool of walks.

    Attributes
    ----------
    epoch : float
        Epochs done: positive pairs over edges.
    num_epoch : int
        Epochs of the whole training.
    num_pair, total_pair : int
        Positive pairs trained, and of the whole training.
    loss : float
        Mean loss of the last pool: of a positive pair and its weighted negatives, over 1 + their weight, as GraphVite logs it.
    lr : float
        Learning rate at the end of the pool.
    rate : float
        Positive pairs per second of training so far.
    seconds, seconds_left : float
        Time spent training, and what is left at this rate.
    part, num_part : int
        A model may be trained in parts (LINE's orders); the others count all parts together.
    """

    epoch: float
    num_epoch: int
    num_pair: int
    total_pair: int
    loss: float
    lr: float
    rate: float
    seconds: float
    seconds_left: float
    part: int = 0
    num_part: int = 1


@dataclasses.dataclass(frozen=True)
class Report:
    """What a training came to.

    Attributes
    ----------
    seconds : float
        Time spent training, earlier runs of a resumed training included.
    num_pair : int
        Positive pairs trained.
    rate : float
        Positive pairs per second.
    loss : float
        Loss of the last pool.
    peak_memory : int
        Largest resident size of this process so far, in bytes.
    num_thread : int
        Threads.
    device : str
        Where it was trained.
    peak_device_memory : int
        Most bytes in use on the GPU so far; 0 on the CPU.
    num_worker : int
        Workers that trained together.
    sent_bytes, num_sent : int
        Bytes that this worker sent to others in this run, and how often: in rounds, a context part; or in merges of whole tables.
    waited_seconds : float
        Of `seconds`, what this worker spent on such merges in this run, waiting for the others included.
    """

    seconds: float
    num_pair: int
    rate: float
    loss: float
    peak_memory: int
    num_thread: int
    device: str = "cpu"
    peak_device_memory: int = 0
    num_worker: int = 1
    sent_bytes: int = 0
    num_sent: int = 0
    waited_seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return all as JSON types."""
        return dataclasses.asdict(self)


class Callback(Protocol):
    """Is told about a training; may raise :class:`~nodeloom.errors.TrainingInterrupted` to end it.

    Exceptions of a callback end the training and reach the caller of ``fit``.
    """

    def on_train_begin(self, plan: Plan) -> None:
        """Before the first pool."""

    def on_pool_end(self, progress: Progress) -> None:
        """After every pool of walks."""

    def on_train_end(self, report: Report) -> None:
        """After the last pool."""


def tell(callbacks: tuple[Any, ...], event: str, argument: object) -> None:
    """Call the method `event` of every callback that has it."""
    for callback in callbacks:
        method = getattr(callback, event, None)
        if method is not None:
            method(argument)


def peak_memory() -> int:
    """Return the largest resident size of this process so far, in bytes; 0 where the system does not tell (Windows)."""
    try:
        # On Linux getrusage also counts what the process was before it became this program.
        status = Path("/proc/self/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) * 1024
    except (OSError, IndexError, ValueError):
        pass
    try:
        import resource
    except ImportError:
        return 0
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
