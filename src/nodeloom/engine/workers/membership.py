"""A span of work that several workers do together: entered by all, and left by all when one of them fails."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

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
    except TrainingInterrupted:
        group.leave()
        raise
    except EchoError:
        raise
    except NodeloomError as error:
        others = workers.rank > 0 and watch.others_said(str(error), watch.beat)
        group.leave(str(error))
        if others:
            raise EchoError(str(error)) from error
        raise
    except KeyboardInterrupt:  # which may be how the launcher ends a worker when another one has failed
        _blame(1.0)
        group.leave("it was interrupted.")
        raise
    except RuntimeError as error:
        if _is_of_torch(error):
            _blame(PATIENCE)
            text = f"a connection to another worker broke: {str(error).splitlines()[0][:200]}. {watch.advice()}"
            group.leave(text)
            raise WorkerError(text) from error
        group.leave(f"unexpected {type(error).__name__}: {error}")
        raise
    except BaseException as error:
        group.leave(f"unexpected {type(error).__name__}: {error}")
        raise
    else:
        group.leave()


def _blame(seconds: float) -> None:
    """Raise what the watch finds out within some seconds, if anything."""
    watch = group.watch()
    cause = None if watch is None else watch.cause(seconds)
    if watch is None or cause is None:
        return
    text, kind = f"{cause.text} {watch.advice()}", EchoError if watch.is_told_by_others(cause) else WorkerError
    group.leave(cause.text, is_relayed=True)
    raise kind(text) from None


def _is_of_torch(error: RuntimeError) -> bool:
    """Tell whether an error comes from torch.distributed: Gloo's have no type of their own."""
    import torch.distributed as dist

    words = ("gloo", "onnection", "peer", "socket")
    return isinstance(error, dist.DistError) or any(word in str(error) for word in words)
