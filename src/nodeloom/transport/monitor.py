"""The monitor of heartbeats: a worker ends, and says why, when another one gives none.

A thread that waits inside Gloo for a worker that is lost cannot be woken. So the monitor ends the process itself where the main thread
does not do so within a few seconds: nothing hangs, and the next run goes on from the checkpoint.
"""

from __future__ import annotations

import dataclasses
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from nodeloom.transport.heartbeat import Heartbeat, State
from nodeloom.transport.launcher import SECONDARY_FAILURE

if TYPE_CHECKING:
    from pathlib import Path

    from nodeloom.transport.rendezvous import Board
    from nodeloom.transport.torchrun import WorkerRank

BEAT = 2.0
"""Seconds between two heartbeats, or a fifth of the timeout if that is less."""

GRACE = 3.0
"""Seconds that the main thread gets to notice by itself that a worker is lost, and to end in order."""

SHUTDOWN_TIMEOUT = 10.0
"""Seconds that it gets to end then."""


class Failure(NamedTuple):
    """Why training cannot go on.

    Attributes
    ----------
    kind : {"silent", "gone", "failed", "left", "store"}
        No heartbeat; the process is no more; it has failed; it has ended already; the launcher or its store does not answer.
    rank : int
        Of the worker; -1 for the store.
    text : str
        The same in words.
    """

    kind: Literal["silent", "gone", "failed", "left", "store"]
    rank: int
    text: str


class HeartbeatMonitor:
    """Gives the heartbeat of this worker, and watches those of the others.

    Parameters
    ----------
    worker : WorkerRank
        This worker.
    board : Board
        Where signs are left, of this run alone; with a connection of its own.
    address : str
        The same in words.
    timeout : float
        Seconds of silence after which a worker is lost.

    Attributes
    ----------
    checkpoint : Path or None
        Where checkpoints go, for the message.
    command : str
        The command that goes on from there.
    """

    def __init__(self, worker: WorkerRank, board: Board, address: str, timeout: float) -> None:
        self.worker, self.timeout = worker, timeout
        self.checkpoint: Path | None = None
        self.command = ""
        self._board, self._address = board, address
        self._own = Heartbeat.own(worker.host)
        self._signs: dict[int, Heartbeat] = {}
        self._heard: dict[int, float] = {}
        self._cause: Failure | None = None
        self._stop, self._wake, self._said, self._taken = (threading.Event() for _ in range(4))
        self._calls = self._beats = 0
        self._threads = [
            threading.Thread(target=function, name=f"nodeloom-{function.__name__.strip('_')}", daemon=True)
            for function in (self._talk, self._guard)
        ]

    @property
    def beat(self) -> float:
        """Seconds between two heartbeats."""
        return min(BEAT, self.timeout / 5)

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def publish(self, state: State, message: str = "", *, is_relayed: bool = False) -> None:
        """Tell the others that this worker has ended, and how; wait until that is said, but not for long."""
        self._own = dataclasses.replace(self._own, state=state, message=message, is_relayed=is_relayed)
        self._said.clear()
        self._wake.set()
        self._said.wait(self.beat)

    def stop(self) -> None:
        """End: this worker does not take part any more."""
        self._stop.set()
        self._wake.set()
        self._threads[0].join(self.beat)

    def missing(self) -> list[int]:
        """Return the workers of which there was no sign yet."""
        return [rank for rank in range(self.worker.size) if rank != self.worker.rank and rank not in self._signs]

    def peer_reported(self, message: str, seconds: float) -> bool:
        """Tell whether a worker before this one says the same, waiting some seconds for it."""
        return self._until(
            lambda: any(sign.message == message for rank, sign in self._signs.items() if rank < self.worker.rank),
            seconds,
        )

    def failure(self, seconds: float) -> Failure | None:
        """Return why training cannot go on, waiting some seconds for the reason; the caller says it, and ends this process.

        It is asked for when a connection has broken, so a worker that has been silent for a while is to blame.
        """
        self._taken.set()

        def suspect() -> bool:
            late = [rank for rank, heard in self._heard.items() if time.monotonic() - heard > 2.5 * self.beat]
            self._cause = self._cause or next((self._silent(rank) for rank in late if self._is_here(rank)), None)
            return self._cause is not None

        found = self._cause if self._until(suspect, seconds) else None
        if found is None:
            left = [rank for rank, sign in self._signs.items() if sign.state == "left"]
            found = Failure("left", left[0], f"{self._name(left[0])} has ended already.") if left else None
        if found is None:
            self._taken.clear()
        return found

    def is_told_by_others(self, cause: Failure) -> bool:
        """Tell whether another process on this host says the cause, so that this one need not.

        A worker that fails says why; what has become of one that could not is said by the first worker left on each host, and by
        nodeloom itself where it has started them.
        """
        culprit = self._signs.get(cause.rank)
        if cause.kind == "failed" and culprit is not None and culprit.group == self.worker.host:
            return True
        if cause.kind == "gone" and self.worker.spawned:
            return True
        before = [
            rank for rank in self._signs if rank < self.worker.rank and rank != cause.rank and self._is_here(rank)
        ]
        return any(self._signs[rank].group == self.worker.host and not self._is_late(rank) for rank in before)

    def advice(self) -> str:
        """Say how to go on."""
        if self.checkpoint is None:
            return "No checkpoint was asked for."
        if not self.checkpoint.exists():
            return f"There is no checkpoint at {self.checkpoint} on this host."
        return f"Go on from {self.checkpoint}" + (f" with: {self.command}" if self.command else " (resume).")

    # -------------------------------------------------------------------------------------------------- threads

    def _talk(self) -> None:
        """Give signs and read those of others, until the end."""
        while not self._stop.is_set():
            own = self._own
            self._beats += 1
            try:
                self._board.set(str(self.worker.rank), dataclasses.replace(own, beat=self._beats).write())
                self._listen()
            except RuntimeError as error:  # all errors of torch.distributed are of this kind
                self._cause = self._cause or self._no_store(f"it has gone ({str(error).splitlines()[0][:120]})")
            self._calls += 1
            if self._own is own:
                self._said.set()
            self._wake.wait(self.beat)
            self._wake.clear()

    def _listen(self) -> None:
        keys = [rank for rank in range(self.worker.size) if rank != self.worker.rank]
        known = [rank for rank in keys if rank in self._signs or self._board.check([str(rank)])]
        texts = self._board.multi_get([str(rank) for rank in known]) if known else []
        now = time.monotonic()
        for rank, text in zip(known, texts, strict=True):
            try:
                sign = Heartbeat.read(text)
            except ValueError:
                why = f"worker {rank} cannot be understood: it runs another version of nodeloom."
                self._cause = self._cause or Failure("failed", rank, why)
                continue
            if rank not in self._signs or self._signs[rank].beat != sign.beat:
                self._heard[rank] = now
            self._signs[rank] = sign
        self._cause = self._cause or self._look(known)

    def _look(self, ranks: list[int]) -> Failure | None:
        """Return what is wrong with others, the most certain first: who ends because of another one is not to blame."""
        failed = [rank for rank in ranks if self._signs[rank].state == "failed"]
        for rank in failed:
            sign = self._signs[rank]
            if not sign.is_relayed:
                return Failure("failed", rank, f"{sign.name(rank)}: {sign.message}")
        here = [rank for rank in ranks if self._is_here(rank)]
        for rank in here:
            if self._signs[rank].is_gone:
                return Failure("gone", rank, f"{self._name(rank)} is gone: it was killed or has crashed.")
        if failed:
            return Failure("failed", failed[0], self._signs[failed[0]].message)
        return next((self._silent(rank) for rank in here if self._is_late(rank)), None)

    def _guard(self) -> None:
        """End the process when there is a cause and the main thread does not; see that the other thread does not hang itself.

        Time is counted in turns of this loop: a process that was stopped for a while has not waited.
        """
        turn = 0.5
        calls, idle, waited = -1, 0.0, 0.0
        while not self._stop.wait(turn):
            if self._own.state != "here":
                continue
            if self._cause is None:
                idle = 0.0 if self._calls != calls else idle + turn
                calls = self._calls
                if idle >= self.timeout + self.beat:
                    self._cause = self._no_store(f"no answer for {idle:.0f} s")
                continue
            waited += turn
            if waited >= (SHUTDOWN_TIMEOUT if self._taken.is_set() else GRACE):
                self._end(self._cause)

    def _end(self, cause: Failure) -> None:
        """End this process, and the one that is lost if it is on this host: it may be stopped, or hang."""
        is_secondary = self.is_told_by_others(cause)
        if not is_secondary:
            sys.stderr.write(f"error: {cause.text} {self.advice()}\n")
        sys.stderr.flush()
        sys.stdout.flush()
        if cause.kind != "store":
            self.publish("failed", cause.text, is_relayed=True)
        if cause.kind == "silent":
            self._signs[cause.rank].kill()
        os._exit(SECONDARY_FAILURE if is_secondary else 1)

    # --------------------------------------------------------------------------------------------------- words

    def _name(self, rank: int) -> str:
        return self._signs[rank].name(rank)

    def _is_here(self, rank: int) -> bool:
        return self._signs[rank].state == "here"

    def _is_late(self, rank: int) -> bool:
        return time.monotonic() - self._heard[rank] >= self.timeout

    def _silent(self, rank: int) -> Failure:
        seconds = time.monotonic() - self._heard[rank]
        why = (
            "it is stopped or hangs"
            if self._signs[rank].is_visible
            else "it is stopped or hangs, or its host or the link to it is down"
        )
        return Failure("silent", rank, f"{self._name(rank)} has given no sign of life for {seconds:.0f} s: {why}.")

    def _no_store(self, why: str) -> Failure:
        text = f"{self._own.name(self.worker.rank)} does not reach {self._address}: {why}."
        if not self.worker.spawned:
            text += " The launcher has ended, or its host or the link to it is down."
        return Failure("store", -1, text)

    def _until(self, done: Any, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while not done():
            if time.monotonic() > end:
                return False
            self._wake.set()
            time.sleep(0.1)
        return True
