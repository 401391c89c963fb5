"""Start workers on this host, and say how they ended.

The workers meet in a folder that nobody but their user can enter, and connect over the loopback device alone: nothing listens
where another host could reach it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.transport.torchrun import FOLDER
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

STOPPING = 3600.0
"""Seconds that workers get to end their round and to write a checkpoint after Ctrl-C."""

HURRY = 10.0
"""Seconds that they get after a second Ctrl-C, or when one of them has failed: others only have to say what they know of it."""

SECONDARY_FAILURE = 3
"""Exit code of a worker that ends because of another one, and leaves it to others to say so."""

_USER_ERROR = 2  # exit code of what will fail again
_TURN = 0.05  # seconds
_MOST_PER_THREAD = 8


@dataclasses.dataclass(frozen=True)
class Ended:
    """How workers ended.

    Attributes
    ----------
    code : int
        0, or what the first worker that failed gave back; below 0 the number of the signal that ended it.
    rank : int
        The first that failed; -1 if none did.
    signal : int
        The signal that this process got and passed on to the workers; 0 for none.
    is_told : bool
        Whether a worker has said why.
    """

    code: int = 0
    rank: int = -1
    signal: int = 0
    is_told: bool = False


def start_workers(command: Sequence[str], num_worker: int, *, max_restart: int = 0) -> Ended:
    """Run a command in several processes that know of each other, and wait for their end.

    Parameters
    ----------
    command : sequence of str
        A program and its arguments.
    num_worker : int
        How many processes.
    max_restart : int
        How often all are started again when one has failed otherwise than by a mistake of the user.

    Raises
    ------
    ConfigError
        If torch is not installed, this system has no loopback device of a known name, or it has too few threads.
    """
    if find_spec("torch") is None:
        raise missing_torch_error(num_worker)
    most = _MOST_PER_THREAD * available_threads()
    if num_worker > most:
        expected = f"at most {most}, {_MOST_PER_THREAD} for each thread of this host"
        raise ConfigError(describe(setting("resource.num_worker"), expected=expected, got=num_worker))
    shared = _of_all(num_worker)
    ended = Ended()
    with tempfile.TemporaryDirectory(prefix="nodeloom-workers-") as folder, _signals() as got:
        for restart in range(max_restart + 1):
            own = {"TORCHELASTIC_RESTART_COUNT": str(restart), FOLDER: f"{os.getpid()}:{folder}"}
            ended = _run(command, [shared | own | _of_one(rank) for rank in range(num_worker)], got)
            if got or ended.code in (0, _USER_ERROR):
                break
    return ended


def missing_torch_error(num_worker: int) -> ConfigError:
    """Return the error of a machine without torch."""
    hint = (
        f"Install torch (pip install torch), or leave {setting('resource.num_worker')} out: one process uses all cores."
    )
    expected = "1 or 'auto' on a machine without torch, with which workers speak to each other"
    return ConfigError(describe(setting("resource.num_worker"), expected=expected, got=num_worker, hint=hint))


def this_program(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs nodeloom's command line with arguments, by this interpreter and its options."""
    options = [f"-W{option}" for option in sys.warnoptions]
    return [sys.executable, *options, "-m", "nodeloom", *arguments]


def _of_all(num_worker: int) -> dict[str, str]:
    """Return the environment of all workers: they share the threads, and listen on the loopback device alone."""
    number = str(num_worker)
    return {
        "OMP_NUM_THREADS": str(max(1, available_threads() // num_worker)),
        "TORCH_CPP_LOG_LEVEL": "ERROR",
        **os.environ,
        # Whatever a cluster has set for workers of several hosts.
        "GLOO_SOCKET_IFNAME": (device := _loopback(num_worker)),
        "NCCL_SOCKET_IFNAME": device,
        "TORCHELASTIC_RUN_ID": uuid.uuid4().hex,
        "WORLD_SIZE": number,
        "LOCAL_WORLD_SIZE": number,
        "GROUP_RANK": "0",
    }


def _of_one(rank: int) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)}


def _loopback(num_worker: int) -> str:
    names = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")]
    if not names:
        hint = f"Train with one process and more threads ({setting('resource.num_thread')}), or start the workers with torchrun."
        expected = "1, since this system has no loopback device named lo or lo0"
        raise ConfigError(describe(setting("resource.num_worker"), expected=expected, got=num_worker, hint=hint))
    return names[0]


@contextlib.contextmanager
def _signals() -> Iterator[list[int]]:
    """Collect the signals that ask this process to end, inside the block. One that is ignored stays ignored (nohup)."""
    got: list[int] = []
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, lambda number, frame: got.append(number))
    try:
        yield got
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


def _run(command: Sequence[str], environments: Sequence[Mapping[str, str]], got: list[int]) -> Ended:
    """Start a process for each environment, and wait for all. None of them outlives this call."""
    processes: list[subprocess.Popen[bytes]] = []
    try:
        # In sessions of their own: Ctrl-C reaches this process alone, which passes it on.
        processes += [subprocess.Popen(command, env=env, start_new_session=True) for env in environments]
        return _wait(processes, got)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
        for process in processes:
            process.wait()


def _wait(processes: Sequence[subprocess.Popen[bytes]], got: list[int]) -> Ended:
    """Wait for the end of all; pass signals on, and let nobody wait for a worker that has failed."""
    failed: list[int] = []
    deadline, passed = float("inf"), 0
    while running := [process for process in processes if process.poll() is None]:
        new = [rank for rank, process in enumerate(processes) if process.poll() and rank not in failed]
        # Of several at once, the one that says nothing of itself is the one that others speak of.
        failed += sorted(new, key=lambda rank: processes[rank].returncode == SECONDARY_FAILURE)
        if len(got) > passed:
            _tell(running, got[passed])
            passed += 1
            deadline = min(deadline, time.monotonic() + (STOPPING if passed == 1 else HURRY))
        if new and new == failed:
            _tell(running, signal.SIGTERM)
            deadline = min(deadline, time.monotonic() + HURRY)
        if time.monotonic() > deadline:
            for process in running:
                process.kill()
        time.sleep(_TURN)
    failed += [rank for rank, process in enumerate(processes) if process.returncode and rank not in failed]
    codes = [processes[rank].returncode for rank in failed]
    told = [code for code in codes if code > 0 and code != SECONDARY_FAILURE]
    code = next((code for code in codes[:1] if code != SECONDARY_FAILURE), next(iter(told), 1)) if codes else 0
    return Ended(code, failed[0] if failed else -1, got[0] if got else 0, bool(told))


def _tell(processes: Sequence[subprocess.Popen[bytes]], number: int) -> None:
    """Send a signal; the end of a terminal is told as SIGTERM, which ends a step in order."""
    for process in processes:
        process.send_signal(signal.SIGTERM if number == getattr(signal, "SIGHUP", None) else number)
