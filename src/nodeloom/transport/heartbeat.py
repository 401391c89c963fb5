"""The heartbeat: the state that a worker publishes, and the checks of another worker's process."""

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
class Heartbeat:
    """The state that a worker publishes again and again.

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
    def own(cls, group: int) -> Heartbeat:
        """Return the first heartbeat of this process."""
        return cls(socket.gethostname(), group, os.getpid(), _world(), _born(os.getpid()))

    @classmethod
    def read(cls, text: bytes) -> Heartbeat:
        """Return what :meth:`write` wrote.

        Raises
        ------
        ValueError
            If it did not write that.
        """
        values = json.loads(text)
        kinds = {"int": int, "bool": bool}
        fields = {field.name: kinds.get(str(field.type), str) for field in dataclasses.fields(cls)}
        is_sign = isinstance(values, dict) and values.keys() == fields.keys()
        if not is_sign or any(type(values[name]) is not kind for name, kind in fields.items()):
            raise ValueError("this is no heartbeat")
        for name in ("host", "message"):  # they are printed
            values[name] = "".join(sign if sign.isprintable() or sign == "\n" else "?" for sign in values[name])
        return cls(**values)

    def write(self) -> str:
        """Return the heartbeat as JSON."""
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
        """End the process if it can be seen, is the one that it was, and was started by the same launcher as this one.

        Heartbeats come from a store that others may be able to write: a heartbeat must not choose the process that ends.
        """
        if self.is_visible and not self.is_gone and _parent(self.pid) == os.getppid():
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
    found = _status(pid)
    return found[19] if found and found[0] not in "ZX" else ""


def _parent(pid: int) -> int:
    """Return the parent of a process; -1 if there is no such process."""
    found = _status(pid)
    return int(found[1]) if found else -1


def _status(pid: int) -> list[str]:
    """Return the fields of ``/proc/PID/stat`` after the name; none if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
