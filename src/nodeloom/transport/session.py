"""A session of workers: begun by all of them, and left by all when one of them fails."""

from __future__ import annotations

import contextlib
import datetime
import sys
import time
from typing import TYPE_CHECKING

from nodeloom.errors import NodeloomError, SecondaryFailureError, TrainingInterrupted, WorkerError
from nodeloom.interrupt import StopRequest
from nodeloom.transport.alone import ALONE
from nodeloom.transport.launcher import missing_torch_error
from nodeloom.transport.monitor import HeartbeatMonitor
from nodeloom.transport.rendezvous import ARRIVAL, meeting_point, name_of_point
from nodeloom.transport.torchrun import WorkerRank, worker_rank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nodeloom.transport.base import Transport

TIMEOUT = 86400.0
"""Seconds that a worker waits for another one that is alive. Those that are not are noticed by the monitor, much sooner."""

MISSING_AFTER = 10.0
"""Seconds after which it is said which workers have not come."""

PATIENCE = 8.0
"""Seconds to wait for the reason when a connection to another worker has broken."""

_open: list[
    _Session
] = []  # the session of this process, if it is in one: torch.distributed has one group for each process
_num_begun = 0  # sessions


@contextlib.contextmanager
def worker_session(timeout: float = 15.0, *, checkpoint: Path | None = None, command: str = "") -> Iterator[Transport]:
    """Be one of the workers that torchrun or nodeloom has started, inside the block; inside another such block nothing begins or ends.

    Parameters
    ----------
    timeout : float
        Seconds without a heartbeat after which a worker is lost.
    checkpoint : Path, optional
        Where checkpoints go, for messages.
    command : str
        The command that goes on from there.

    Yields
    ------
    Transport
        That of all workers; of this process alone if there are no others.

    Raises
    ------
    ConfigError
        If torch is not installed.
    WorkerError
        If another worker has failed, or cannot be reached.
    """
    here = worker_rank()
    if here.size == 1:
        yield ALONE
        return
    is_outer = not _open
    if is_outer:
        _open.append(_Session(here, timeout))
    session = _open[0]
    if checkpoint is not None:
        session.monitor.checkpoint = checkpoint
    session.monitor.command = command or session.monitor.command
    if not is_outer:
        yield session.transport
        return
    try:
        yield session.transport
    except BaseException as error:
        with (
            StopRequest()
        ):  # the launcher ends a worker when another one has failed: that is no reason to stop explaining
            instead = _farewell(error, session)
        if instead is None:
            raise
        raise instead from (error if isinstance(error, NodeloomError) else None)
    else:
        session.leave()


class _Session:
    """The heartbeat and the connections of this process.

    Parameters
    ----------
    here : WorkerRank
        This worker.
    timeout : float
        Seconds without a heartbeat after which a worker is lost.

    Raises
    ------
    ConfigError
        If torch is not installed.
    WorkerError
        If not all workers come.
    """

    def __init__(self, here: WorkerRank, timeout: float) -> None:
        global _num_begun
        try:
            import torch.distributed as dist
        except ImportError:
            raise missing_torch_error(here.size) from None
        from nodeloom.transport.gloo import Gloo

        _num_begun += 1
        board, store = meeting_point(here, _num_begun)
        self.monitor = HeartbeatMonitor(here, board, name_of_point(here), timeout)
        self.monitor.start()
        self._has_group = False
        try:
            _arrive(self.monitor)
        except WorkerError as error:
            self.leave(str(error), is_relayed=True)
            raise
        wait = datetime.timedelta(seconds=TIMEOUT)
        self._has_group = not dist.is_initialized()  # else the program has made one itself
        if self._has_group:
            dist.init_process_group("gloo", store=store, rank=here.rank, world_size=here.size, timeout=wait)
        self.transport: Transport = Gloo(here, dist.new_group(backend="gloo", timeout=wait))

    def leave(self, error: str = "", *, is_relayed: bool = False) -> None:
        """Leave. What has not been waited for is lost.

        Parameters
        ----------
        error : str
            Why, if this is no orderly end; the others are told, and end too.
        is_relayed : bool
            Whether the error is that of another worker.
        """
        _open.clear()
        self.monitor.publish("failed" if error else "left", error, is_relayed=is_relayed)
        self.monitor.stop()
        if self._has_group and not error:  # else others may not answer any more, and the process ends anyway
            import torch.distributed as dist

            dist.destroy_process_group()


def _farewell(error: BaseException, session: _Session) -> NodeloomError | None:
    """Leave because of an error; return what to raise in its place, if it is another worker that has failed."""
    monitor = session.monitor
    if isinstance(error, TrainingInterrupted):  # all do that together
        session.leave()
        return None
    is_lost = isinstance(error, RuntimeError) and _is_of_torch(error)
    if is_lost or isinstance(error, KeyboardInterrupt):
        cause = monitor.failure(PATIENCE if is_lost else 1.0)
        if cause is not None:
            kind = SecondaryFailureError if monitor.is_told_by_others(cause) else WorkerError
            session.leave(cause.text, is_relayed=True)
            return kind(f"{cause.text} {monitor.advice()}")
    if is_lost:
        text = f"a connection to another worker broke: {str(error).splitlines()[0][:200]}."
        session.leave(text)
        return WorkerError(f"{text} {monitor.advice()}")
    if isinstance(error, NodeloomError):
        is_secondary = session.transport.rank > 0 and monitor.peer_reported(str(error), monitor.beat)
        session.leave(str(error))
        return SecondaryFailureError(str(error)) if is_secondary else None
    text = "it was interrupted." if isinstance(error, KeyboardInterrupt) else f"{type(error).__name__}: {error}"
    session.leave(text)
    return None


def _is_of_torch(error: RuntimeError) -> bool:
    """Tell whether an error comes from torch.distributed: Gloo's have no type of their own."""
    import torch.distributed as dist

    words = ("gloo", "onnection", "peer", "socket")
    return isinstance(error, dist.DistError) or any(word in str(error) for word in words)


def _arrive(monitor: HeartbeatMonitor) -> None:
    """Wait until all workers have given a heartbeat."""
    begin = time.monotonic()
    end, is_told = begin + ARRIVAL, False
    while missing := monitor.missing():
        cause = monitor.failure(0.2)
        if time.monotonic() > begin + MISSING_AFTER and monitor.worker.local_rank == 0 and not is_told:
            is_told = True
            who = ", ".join(map(str, missing))
            sys.stderr.write(f"note: worker {monitor.worker.rank} waits for {who}, up to {ARRIVAL:.0f} s.\n")
        if cause is not None or time.monotonic() > end:
            text = f"{ARRIVAL:.0f} s have passed without a sign of workers {', '.join(map(str, missing))}."
            raise WorkerError(text if cause is None else cause.text)
