"""Running inputs in children of limited time and memory, so that whatever they do is an answer.

A child runs a batch of inputs, and writes into memory that it shares with its parent which one it is at. If it dies or hangs, that one is
written down, and the next child goes on behind it.
"""

from __future__ import annotations

import contextlib
import faulthandler
import json
import mmap
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from nodeloom.errors import MemoryLimitError, NodeloomError, TrainingInterrupted
from nodeloom.log import NodeloomWarning

CPU_SECONDS = 10  # for one input: all of them are small
WALL_SECONDS = 300  # without a sign: something waits for ever
MEMORY = 400 << 20  # more than an input of at most 128 kB may ever take
ADDRESS_SPACE = 4 << 30


class WrongResult(Exception):  # noqa: N818  what was found, not what the program raised
    """An input ended in a result, or a message, that is not right."""


class Hang(BaseException):
    """An input takes too long."""


@dataclass(frozen=True)
class Case:
    """One input: a file, what is done with it, and whether it is as it should be, and must not be refused."""

    content: bytes
    options: dict[str, Any] = field(default_factory=dict)
    name: str = "input"
    sound: bool = False


@dataclass(frozen=True)
class Target:
    """Something that reads.

    Attributes
    ----------
    name : str
        For ``--only``.
    make : callable
        ``make(random)`` returns a case.
    run : callable
        ``run(case, path)`` reads the file of the case; raises WrongResult if the result is not right.
    """

    name: str
    make: Callable[[Random], Case]
    run: Callable[[Case, Path], object]


@dataclass
class Failure:
    """What an input ended in that it should not have."""

    target: str
    index: int
    kind: str
    text: str


def case_of(target: Target, seed: int, index: int) -> Case:
    """Return an input: the same for the same numbers."""
    return target.make(Random(f"{seed}/{target.name}/{index}"))


@contextlib.contextmanager
def _limits() -> Iterator[None]:
    """Raise Hang in this process when an input has used up its time of the CPU."""

    def hang(*_: object) -> None:
        raise Hang

    signal.signal(signal.SIGPROF, hang)
    signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def attempt(target: Target, case: Case, folder: Path) -> tuple[str, str]:
    """Run one input in this process; return ``ok``, ``refused`` or the kind of failure, and what there is to say."""
    path = folder / case.name
    path.write_bytes(case.content)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    kind, text = "ok", ""
    try:
        with _limits(), warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", NodeloomWarning)  # what a person should know is no fault
            target.run(case, path)
    except WrongResult as error:
        kind, text = "wrong", str(error)
    except Hang:
        kind, text = "hang", traceback.format_exc()
    except MemoryLimitError as error:
        kind, text = "refused", str(error)
    except MemoryError:
        kind, text = "memory", traceback.format_exc()
    except (NodeloomError, TrainingInterrupted) as error:
        kind, text = "wrong" if case.sound else "refused", str(error)
    except BaseException:  # noqa: BLE001  that is what is looked for
        kind, text = "uncaught", traceback.format_exc()
    if kind in ("ok", "refused") and (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10) - before > MEMORY:
        kind, text = "memory", "the peak of memory rose by more than 400 MB"
    return kind, text


def _address_space() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[0]) if Path("/proc/self/statm").exists() else 0
    return pages * resource.getpagesize()


class Child:
    """A forked process that runs the inputs ``first`` to ``last`` of a target."""

    def __init__(self, target: Target, seed: int, first: int, last: int) -> None:
        self.target, self.seed, self.first, self.last = target, seed, first, last
        self.folder = Path(tempfile.mkdtemp(prefix="nodeloom-fuzz-"))
        self._shared = mmap.mmap(-1, 8)
        self._shared[:] = first.to_bytes(8, "little")
        self._seen, self._since = first, time.monotonic()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                self._work()
                code = 0
            finally:
                os._exit(code)

    @property
    def at(self) -> int:
        """The input that it is at."""
        return int.from_bytes(self._shared[:], "little")

    def _work(self) -> None:
        faulthandler.disable()
        silence = os.open(os.devnull, os.O_WRONLY)
        for number in (1, 2):
            os.dup2(silence, number)
        room = _address_space() + ADDRESS_SPACE
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        scratch = self.folder / "scratch"
        with (self.folder / "found.jsonl").open("w") as found:
            for index in range(self.first, self.last):
                self._shared[:] = index.to_bytes(8, "little")
                scratch.mkdir()
                os.chdir(scratch)
                kind, text = attempt(self.target, case_of(self.target, self.seed, index), scratch)
                found.write(json.dumps([index, kind, text]) + "\n")
                found.flush()
                os.chdir(self.folder)
                shutil.rmtree(scratch, ignore_errors=True)
                if kind in ("memory", "hang"):
                    break  # nobody knows what it has left behind
        self._shared[:] = (index + 1).to_bytes(8, "little")

    def poll(self) -> bool:
        """Tell whether it has ended; kill it if it has given no sign for long."""
        at = self.at
        if at != self._seen:
            self._seen, self._since = at, time.monotonic()
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        if pid:
            self.status = os.waitstatus_to_exitcode(status)
            return True
        if time.monotonic() - self._since > WALL_SECONDS:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.status = None
            return True
        return False

    def results(self) -> list[tuple[int, str, str]]:
        """Return index, outcome and text of every input that it has run, the one that ended it included."""
        lines = (self.folder / "found.jsonl").read_text().splitlines() if (self.folder / "found.jsonl").exists() else []
        found = [tuple(json.loads(line)) for line in lines]
        if self.status != 0:
            kind = "hang" if self.status is None else "crash"
            found.append((self.at, kind, f"the process ended with {self.status}"))
        shutil.rmtree(self.folder, ignore_errors=True)
        return found  # type: ignore[return-value]


class Campaign:
    """Runs targets in turn, and counts.

    Parameters
    ----------
    targets : list of Target
        What reads.
    seed : int
        Of all inputs.
    batch : int
        Inputs in a child.
    num_child : int
        Children at a time.
    keep : Path or None
        Where failures are written to.
    """

    def __init__(
        self, targets: list[Target], seed: int, *, batch: int = 200, num_child: int = 2, keep: Path | None = None
    ) -> None:
        self.targets, self.seed, self.batch, self.num_child, self.keep = targets, seed, batch, num_child, keep
        self.counts: dict[str, Counter[str]] = {target.name: Counter() for target in targets}
        self.failures: list[Failure] = []
        self._next = {target.name: 0 for target in targets}

    def run(
        self,
        *,
        seconds: float = float("inf"),
        count: int | None = None,
        report: Callable[[Failure], None] = lambda _: None,
    ) -> None:
        """Run for some time, or until every target has had `count` inputs."""
        end = time.monotonic() + seconds
        running: list[Child] = []
        turn = 0
        while True:
            open_ones = [t for t in self.targets if count is None or self._next[t.name] < count]
            while open_ones and len(running) < self.num_child and time.monotonic() < end:
                target = open_ones[turn % len(open_ones)]
                turn += 1
                first = self._next[target.name]
                last = first + self.batch if count is None else min(first + self.batch, count)
                self._next[target.name] = last
                running.append(Child(target, self.seed, first, last))
                open_ones = [t for t in self.targets if count is None or self._next[t.name] < count]
            if not running:
                return
            for child in [child for child in running if child.poll()]:
                running.remove(child)
                at = child.at
                self._take(child, report)
                rest = at + (child.status != 0)  # a child that ended early leaves the rest of its batch
                if rest < child.last and time.monotonic() < end:
                    running.append(Child(child.target, self.seed, rest, child.last))
            time.sleep(0.02)

    def _take(self, child: Child, report: Callable[[Failure], None]) -> None:
        for index, kind, text in child.results():
            self.counts[child.target.name][kind] += 1
            if kind not in ("ok", "refused"):
                failure = Failure(child.target.name, index, kind, text)
                self.failures.append(failure)
                self._save(child.target, failure)
                report(failure)

    def _save(self, target: Target, failure: Failure) -> None:
        if self.keep is None:
            return
        self.keep.mkdir(parents=True, exist_ok=True)
        case = case_of(target, self.seed, failure.index)
        stem = f"{target.name}-{self.seed}-{failure.index}"
        (self.keep / stem).write_bytes(case.content)
        again = f"python -m tests.fuzzing --only {target.name} --seed {self.seed} --index {failure.index}"
        (self.keep / f"{stem}.txt").write_text(f"{again}\n{failure.kind}\noptions {case.options!r}\n\n{failure.text}\n")
