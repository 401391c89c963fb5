"""Signs of life: what a worker tells of itself, and what the silence of another one means."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import socket
from pathlib import Path
from typing import Literal

State = Literal["here", "left", "failed"]


@dataclasses.dataclass(frozen=True)
class Sign:
    """What a worker tells of itself now and then.

    Attributes
    ----------
    host : str
        Name of its machine.
    group : int
        Its launcher, from 0: one on each host.
    pid : int
        Its process.
    world : str
        What must be the same for two processes to see each other by `pid`; empty where that cannot be known.
    born : str
        When the process began, as the kernel counts: a pid may be given again.
    beat : int
        Counts up.
    state : {"here", "left", "failed"}
        Whether it takes part, has ended well, or has failed.
    message : str
        Why it has failed.
    is_relayed : bool
        Whether the message is about another worker.
    """

    host: str
    group: int
    pid: int
    world: str
    born: str
    beat: int = 0
    state: State = "here"
    message: str = ""
    is_relayed: bool = False

    @classmethod
    def own(cls, group: int) -> Sign:
        """Return the first sign of this process."""
        return cls(socket.gethostname(), group, os.getpid(), _world(), _born(os.getpid()))

    @classmethod
    def read(cls, text: bytes) -> Sign:
        """Return what :meth:`write` wrote."""
        return cls(**json.loads(text))

    def write(self) -> str:
        """Return the sign as text."""
        return json.dumps(dataclasses.asdict(self))

    def name(self, rank: int) -> str:
        """Say which worker it is."""
        return f"worker {rank} (process {self.pid} on {self.host})"

    @property
    def is_visible(self) -> bool:
        """Whether this process can look after that one."""
        return bool(self.world) and self.world == _world()

    @property
    def is_gone(self) -> bool:
        """Whether it is known that the process is there no more."""
        return self.is_visible and _born(self.pid) != self.born

    def kill(self) -> None:
        """End the process if it can be seen and is the one that it was."""
        if self.is_visible and not self.is_gone:
            with contextlib.suppress(OSError):
                os.kill(self.pid, signal.SIGKILL)


def _world() -> str:
    """Return a name of the processes that this one can see and that have the same network; empty where there is none."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return " ".join([boot, *(str(Path("/proc/self/ns", kind).readlink()) for kind in ("pid", "net"))])
    except OSError:
        return ""


def _born(pid: int) -> str:
    """Return when a process began; empty if there is none, or it has ended and only its parent does not know yet."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if after_name[0] in "ZX" else after_name[19]
