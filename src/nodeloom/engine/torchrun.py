"""What torchrun, or nodeloom itself, tells the workers that it starts, by the environment."""

from __future__ import annotations

import os
from typing import NamedTuple

from nodeloom.config import ResourceConfig
from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.plan.settings import Settings
from nodeloom.words import setting

FOLDER = "NODELOOM_WORKERS"
"""The variable by which nodeloom tells workers that it has started its process, and the folder where they meet: ``pid:folder``."""


class Place(NamedTuple):
    """The place of a worker among all of them.

    Attributes
    ----------
    rank, num_worker : int
        This worker, from 0, and all of them.
    local_rank, num_local : int
        The same on this host.
    host : int
        The host, from 0.
    restart : int
        How often the workers have been started again.
    run : str
        Name of the run.
    launcher : int
        The process of nodeloom that has started the workers; 0 if torchrun has.
    folder : str
        Where they meet then.
    """

    rank: int
    num_worker: int
    local_rank: int
    num_local: int
    host: int
    restart: int
    run: str
    launcher: int = 0
    folder: str = ""

    @property
    def spawned(self) -> bool:
        """Whether nodeloom has started the workers, and speaks for those that cannot."""
        return bool(self.folder)


def place() -> Place | None:
    """Return where this process stands if torchrun has started it; None if not."""
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if run is None:
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "TORCHELASTIC_RESTART_COUNT")
    rank, num_worker, local_rank, num_local, host, restart = (int(os.environ[name]) for name in names)
    launcher, _, folder = os.environ.get(FOLDER, "0:").partition(":")
    return Place(rank, num_worker, local_rank, num_local, host, restart, run, int(launcher), folder)


def num_threads(settings: Settings) -> int:
    """Return the number of threads, with "auto" decided: workers of one host share its threads."""
    if settings.train.deterministic:
        return 1
    threads = settings.resource.threads
    if threads != "auto":
        return threads
    here = place()
    return max(1, available_threads() // (1 if here is None else here.num_local))


def num_workers(resource: ResourceConfig, where: str = "num_worker") -> int:
    """Return how many workers train, with "auto" decided.

    Parameters
    ----------
    resource : ResourceConfig
        What was asked for.
    where : str
        What messages call the key.

    Raises
    ------
    ConfigError
        If torchrun has started another number.
    """
    here = place()
    started = 1 if here is None else here.num_worker
    asked = resource.num_worker
    if asked in ("auto", started):
        return started
    if here is None:
        hint = (
            f"Start the program with torchrun --nproc-per-node {asked}, or use 'nodeloom embed --num-worker {asked}'."
        )
        raise ConfigError(
            describe(where, expected="1 or 'auto' in a program that torchrun has not started", got=asked, hint=hint)
        )
    hint = f"Leave {setting('resource.num_worker')} out: torchrun says how many there are."
    raise ConfigError(
        describe(where, expected=f"{started}, the number of workers that torchrun has started", got=asked, hint=hint)
    )
