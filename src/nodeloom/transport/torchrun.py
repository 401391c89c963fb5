"""What torchrun, or nodeloom itself, tells the workers that it starts, by the environment."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from nodeloom.errors import ConfigError, describe
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.config import ResourceConfig

FOLDER = "NODELOOM_WORKERS"
"""The variable by which nodeloom tells workers that it has started its process, and the folder where they meet: ``pid:folder``."""


class WorkerRank(NamedTuple):
    """The place of a worker among all of them; by default that of a process that is alone.

    Attributes
    ----------
    rank, size : int
        This worker, from 0, and the number of all.
    local_rank, local_size : int
        The same on this host.
    host : int
        The host, from 0.
    restart : int
        How often the workers have been started again.
    run : str
        Name of the run; "" if neither torchrun nor nodeloom has started this process.
    launcher : int
        The process of nodeloom that has started the workers; 0 if torchrun has.
    folder : str
        Where they meet then.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1
    host: int = 0
    restart: int = 0
    run: str = ""
    launcher: int = 0
    folder: str = ""

    @property
    def launched(self) -> bool:
        """Whether torchrun or nodeloom has started this process."""
        return bool(self.run)

    @property
    def spawned(self) -> bool:
        """Whether nodeloom has started the workers, and speaks for those that cannot."""
        return bool(self.folder)


def worker_rank() -> WorkerRank:
    """Return the place of this process, from the environment."""
    run = os.environ.get("TORCHELASTIC_RUN_ID")
    if not run:
        return WorkerRank()
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "TORCHELASTIC_RESTART_COUNT")
    launcher, _, folder = os.environ.get(FOLDER, "0:").partition(":")
    rank, size, local_rank, local_size, host, restart = (int(os.environ[name]) for name in names)
    return WorkerRank(rank, size, local_rank, local_size, host, restart, run, int(launcher), folder)


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
    here = worker_rank()
    started = here.size
    asked = resource.num_worker
    if asked in ("auto", started):
        return started
    if not here.launched:
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
