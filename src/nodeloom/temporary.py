"""Temporary files and folders beside what is being written; those of killed processes are removed by the next one that writes there.

Who writes holds a lock on its file (``flock``), which ends with the process, however that ends. So a free lock tells that nobody writes
any more. On file systems without locks nothing is removed. A lock may not be seen from another host: what was left by another one
is removed after a day.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
import socket
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\..+\.([0-9a-f]{8})-[0-9a-f]{8}\.tmp", re.DOTALL)
_LONGEST = 200  # bytes of the name of a file that are kept: names end at 255
_DAY = 86400.0
_AGAIN = 60.0  # seconds after which a folder is looked through again
_looked_through: dict[Path, float] = {}


class Temporary:
    """A hidden file or folder beside a file, that no other process removes while this one holds it.

    Parameters
    ----------
    beside : Path
        The file that is being written.
    folder : bool
        Whether to make a folder.

    Attributes
    ----------
    path : Path
        Exists. Write into this file without replacing it, or into the folder.

    Raises
    ------
    OSError
        It cannot be created.
    """

    def __init__(self, beside: Path, *, folder: bool = False) -> None:
        self._descriptor: int | None = None
        sweep(beside.parent)
        cut = os.fsdecode(os.fsencode(beside.name)[:_LONGEST])
        for _ in range(100):
            self.path = beside.with_name(f".{cut}.{_host()}-{secrets.token_hex(4)}.tmp")
            if folder:
                self.path.mkdir(mode=0o700)
            else:
                self.path.touch(exist_ok=False)
            if fcntl is None:
                return
            self._descriptor = os.open(self.path, os.O_RDONLY)
            with contextlib.suppress(OSError):  # no locks here: nobody will take it for left over
                fcntl.flock(self._descriptor, fcntl.LOCK_EX)
            if self.path.exists():
                return
            self.release()  # it was taken for left over before the lock was there
        raise OSError(None, "temporary files do not stay", os.fspath(beside.parent))

    def release(self) -> None:
        """Let others remove it, if it is still there."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def remove(self) -> None:
        """Delete it with all that is in it. What cannot be deleted stays."""
        with contextlib.suppress(OSError):
            if self.path.is_dir():
                shutil.rmtree(self.path, ignore_errors=True)
            else:
                self.path.unlink(missing_ok=True)
        self.release()


def sweep(folder: Path) -> None:
    """Remove what killed processes have left in a folder; every now and then only, for a folder may be large."""
    now = time.monotonic()
    if fcntl is None or now - _looked_through.get(folder, -_AGAIN) < _AGAIN:
        return
    _looked_through[folder] = now
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found is not None and not entry.is_symlink():
                with contextlib.suppress(OSError):
                    _remove_if_left(Path(entry.path), is_ours=found[1] == _host())


def _remove_if_left(path: Path, *, is_ours: bool) -> None:
    if not is_ours and time.time() - path.stat().st_mtime < _DAY:
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
