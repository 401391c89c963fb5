"""Start workers on this host, by torch's own launcher, and say how they ended."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import logging
import os
import socket
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from nodeloom.engine.torchrun import SPAWNED
from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.words import setting

STOPPING = 3600
"""Seconds that workers get to end their round and to write a checkpoint after Ctrl-C; a second Ctrl-C does not wait."""


ECHO = 3
"""Exit code of a worker that ends because of another one, and leaves it to others to say so."""


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


def start_workers(command: Sequence[str], num_worker: int, *, max_restart: int = 0, chatty: bool = False) -> Ended:
    """Run a command in several processes that know of each other, and wait for their end.

    Parameters
    ----------
    command : sequence of str
        A program and its arguments.
    num_worker : int
        How many processes.
    max_restart : int
        How often all are started again when one has failed.
    chatty : bool
        Whether the launcher's own log is wanted.

    Raises
    ------
    ConfigError
        If torch is not installed.
    """
    try:
        from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
        from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
        from torch.distributed.launcher.api import LaunchConfig, elastic_launch
    except ImportError:
        raise without_torch(num_worker) from None
    options: dict[str, Any] = {
        "min_nodes": 1,
        "max_nodes": 1,
        "nproc_per_node": num_worker,
        "run_id": SPAWNED + uuid.uuid4().hex[:12],
        "rdzv_backend": "c10d",
        "rdzv_endpoint": "localhost:0",
        "local_addr": "localhost",
        "max_restarts": max_restart,
        "shutdown_timeout": STOPPING,
    }
    known = inspect.signature(LaunchConfig).parameters
    options = {key: value for key, value in options.items() if key in known}
    arguments = [part.replace("$", "$$") for part in command[1:]]  # the launcher fills in ${local_rank}
    with _environment(num_worker), _log(chatty), tempfile.TemporaryDirectory(prefix="nodeloom-") as folder:
        config = LaunchConfig(logs_specs=DefaultLogsSpecs(log_dir=folder), **options)
        try:
            elastic_launch(config, command[0])(*arguments)
        except ChildFailedError as error:
            first, failure = error.get_first_failure()
            told = [code for code in (other.exitcode for other in error.failures.values()) if code > 0 and code != ECHO]
            code = (
                failure.exitcode if failure.exitcode != ECHO else next(iter(told), 1)
            )  # the worker to be told about knows it
            return Ended(code, first, is_told=bool(told))
        except SignalException as error:
            return Ended(signal=int(error.sigval))
    return Ended()


def without_torch(num_worker: int) -> ConfigError:
    """Return the error of a machine without torch."""
    hint = (
        f"Install torch (pip install torch), or leave {setting('resource.num_worker')} out: one process uses all cores."
    )
    expected = "1 or 'auto' on a machine without torch, with which workers speak to each other"
    return ConfigError(describe(setting("resource.num_worker"), expected=expected, got=num_worker, hint=hint))


@contextlib.contextmanager
def _environment(num_worker: int) -> Iterator[None]:
    """Let processes that are started inside share the threads, and speak over the loopback alone."""
    wanted = {
        "OMP_NUM_THREADS": str(max(1, available_threads() // num_worker)),
        "TORCH_CPP_LOG_LEVEL": "ERROR",
    }
    loopback = [name for _, name in socket.if_nameindex() if name in ("lo", "lo0")] if os.name == "posix" else []
    if loopback:
        wanted["GLOO_SOCKET_IFNAME"] = loopback[0]
    ours = {name: value for name, value in wanted.items() if name not in os.environ}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name in ours:
            os.environ.pop(name, None)


@contextlib.contextmanager
def _log(chatty: bool) -> Iterator[None]:
    """Keep the launcher's own log away: workers say what has happened to them."""
    logger = logging.getLogger("torch.distributed.elastic")
    before = logger.propagate
    quiet = logging.NullHandler()
    if not chatty:
        logger.propagate = False
        logger.addHandler(quiet)
    try:
        yield
    finally:
        logger.propagate = before
        logger.removeHandler(quiet)


def this_program(arguments: Sequence[str]) -> list[str]:
    """Return the command that runs nodeloom's command line with arguments, by this interpreter and its options."""
    options = [f"-W{option}" for option in sys.warnoptions]
    return [sys.executable, *options, "-m", "nodeloom", *arguments]
