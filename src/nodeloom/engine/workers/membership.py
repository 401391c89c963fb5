"""A span of work that several workers do together: entered by all, and left by all when one of them fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from nodeloom.engine.interrupt import StopRequest
from nodeloom.engine.workers import group
from nodeloom.engine.workers.group import Workers
from nodeloom.engine.workers.watch import Watch
from nodeloom.errors import EchoError, NodeloomError, TrainingInterrupted, WorkerError

PATIENCE = 8.0
"""Seconds to wait for the reason when a connection to another worker has broken."""

_depth = 0  # blocks of together() inside each other


@contextlib.contextmanager
def together(timeout: float = 15.0, *, checkpoint: Path | None = None, command: str = "") -> Iterator[Workers | None]:
    """Be one of the workers that torchrun has started, inside the block; inside another such block nothing begins or ends.

    Parameters
    ----------
    timeout : float
        Seconds without a sign of life after which a worker is lost.
    checkpoint : Path, optional
        Where checkpoints go, for messages.
    command : str
        The command that goes on from there.

    Yields
    ------
    Workers or None
        None if there is only one.

    Raises
    ------
    ConfigError
        If torch is not installed.
    WorkerError
        If another worker has failed, or cannot be reached.
    """
    global _depth
    workers = group.join(timeout)
    watch = group.watch()
    if workers is None or watch is None:
        yield workers
        return
    if checkpoint is not None:
        watch.checkpoint = checkpoint
    watch.command = command or watch.command
    _depth += 1
    try:
        if _depth > 1:
            yield workers
        else:
            with _guarded(workers, watch):
                yield workers
    finally:
        _depth -= 1


@contextlib.contextmanager
def _guarded(workers: Workers, watch: Watch) -> Iterator[None]:
    """Leave the group after the block, and tell the others how it ended."""
    try:
        yield
    except BaseException as error:
        with (
            StopRequest()
        ):  # the launcher ends a worker when another one has failed: that is no reason to stop explaining
            instead = _farewell(error, workers, watch)
        if instead is None:
            raise
        raise instead from (error if isinstance(error, NodeloomError) else None)
    else:
        group.leave()


def _farewell(error: BaseException, workers: Workers, watch: Watch) -> NodeloomError | None:
    """Leave the group because of an error; return what to raise in its place, if it is another worker that has failed."""
    if isinstance(error, TrainingInterrupted):  # all do that together
        group.leave()
        return None
    is_lost = isinstance(error, RuntimeError) and _is_of_torch(error)
    if is_lost or isinstance(error, KeyboardInterrupt):
        cause = watch.cause(PATIENCE if is_lost else 1.0)
        if cause is not None:
            kind = EchoError if watch.is_told_by_others(cause) else WorkerError
            group.leave(cause.text, is_relayed=True)
            return kind(f"{cause.text} {watch.advice()}")
    if is_lost:
        text = f"a connection to another worker broke: {str(error).splitlines()[0][:200]}."
        group.leave(text)
        return WorkerError(f"{text} {watch.advice()}")
    if isinstance(error, NodeloomError):
        is_echo = workers.rank > 0 and watch.others_said(str(error), watch.beat)
        group.leave(str(error))
        return EchoError(str(error)) if is_echo else None
    text = "it was interrupted." if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    group.leave(text)
    return None


def _is_of_torch(error: RuntimeError) -> bool:
    """Tell whether an error comes from torch.distributed: Gloo's have no type of their own."""
    import torch.distributed as dist

    words = ("gloo", "onnection", "peer", "socket")
    return isinstance(error, dist.DistError) or any(word in str(error) for word in words)
