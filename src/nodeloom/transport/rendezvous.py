"""Where workers meet: in a folder of this host that nodeloom has made for them, or at the store of torchrun.

What others leave there is text and JSON. A folder can be entered by its user alone; the store of torchrun by all who reach its port.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.transport.torchrun import WorkerRank

ARRIVAL = 300.0
"""Seconds within which all workers must have come."""


class Board(Protocol):
    """As much of a store as the monitor needs; all raise RuntimeError when the launcher is not there any more."""

    def set(self, key: str, value: str) -> None:
        """Write a text under a key."""

    def check(self, keys: Sequence[str]) -> bool:
        """Tell whether all keys are there."""

    def multi_get(self, keys: Sequence[str]) -> Sequence[bytes]:
        """Return the texts of keys that are there."""


class Folder:
    """A board whose keys are files of a folder, replaced as a whole.

    Parameters
    ----------
    path : Path
        The folder; made if it is not there.
    launcher : int
        The process that has started this one, and ends the others with it.
    """

    def __init__(self, path: Path, launcher: int) -> None:
        self._path, self._launcher = path, launcher
        path.mkdir(parents=True, exist_ok=True)

    def set(self, key: str, value: str) -> None:
        """Write a text under a key."""
        if os.name == "posix" and os.getppid() != self._launcher:
            raise RuntimeError(f"process {self._launcher} is no more")
        new = self._path / f"{key}.new"
        try:
            new.write_text(value, encoding="utf-8")
            new.replace(self._path / key)
        except OSError as error:
            raise RuntimeError(str(error)) from error

    def check(self, keys: Sequence[str]) -> bool:
        """Tell whether all keys are there."""
        return all((self._path / key).exists() for key in keys)

    def multi_get(self, keys: Sequence[str]) -> list[bytes]:
        """Return the texts of keys that are there."""
        try:
            return [(self._path / key).read_bytes() for key in keys]
        except OSError as error:
            raise RuntimeError(str(error)) from error


def meeting_point(here: WorkerRank, times: int) -> tuple[Board, Any]:
    """Return a board for heartbeats, and a store by which torch connects the workers.

    Parameters
    ----------
    here : WorkerRank
        This worker.
    times : int
        How often this process has met others before.
    """
    import torch.distributed as dist

    if here.folder:
        path = Path(here.folder, f"{here.restart}-{times}")
        return Folder(path, here.launcher), dist.FileStore(str(path / "group"), here.size)
    prefix = f"nodeloom/{here.run}/{here.restart}/{times}"
    board, store = (dist.PrefixStore(f"{prefix}/{name}", _connect(here)) for name in ("watch", "group"))
    return board, store


def name_of_point(here: WorkerRank) -> str:
    """Return where workers meet, in words."""
    if here.folder:
        return "the process that has started it"
    return f"the store of torchrun at {os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"


def _connect(here: WorkerRank) -> Any:
    """Return a connection to the store of torchrun; where that keeps none, worker 0 does."""
    import torch.distributed as dist

    ours = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and here.rank == 0
    return dist.TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=ours,
        timeout=datetime.timedelta(seconds=ARRIVAL),
        wait_for_workers=False,
        multi_tenant=True,
    )
