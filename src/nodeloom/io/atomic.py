"""Writing files atomically: a reader sees the old file or the new one.

Everything that nodeloom writes goes to a temporary folder beside it and is renamed when it is complete and
on the disk. A crash, a full disk, Ctrl-C or ``kill -9`` leave the previous file as it was. What the operating system
has against a write is told as one :class:`~nodeloom.errors.OutputError`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.errors import NodeloomError, OutputError, describe
from nodeloom.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Iterator

_HINTS = {
    errno.ENOENT: ("a folder that exists", "Create the folder, or give another path."),
    errno.ENOTDIR: ("a folder that exists", "A part of this path is a file: give another path."),
    errno.EACCES: ("permission to write", "Give a path in a folder that you may write to."),
    errno.EPERM: ("permission to write", "Give a path in a folder that you may write to."),
    errno.EROFS: ("a file system that can be written to", "This one is mounted read-only: give another path."),
    errno.ENOSPC: ("enough space on the disk", "Free some space, or give a path on another disk. Nothing was changed."),
    errno.EDQUOT: ("enough space in your disk quota", "Free some space, or give a path on another disk."),
    errno.EFBIG: ("a file that may grow to its full size", "Raise the limit on file sizes (ulimit -f)."),
    errno.EISDIR: ("the path of a file", "This is a folder: add a file name."),
    errno.EINVAL: ("a path that can be written", "Give another path."),
    errno.ELOOP: ("a path that can be written", "Its links lead in a circle: give another path."),
    errno.ENAMETOOLONG: ("a shorter file name", "Give another path."),
}


def output_error(path: str | Path, error: OSError) -> OutputError:
    """Turn what the operating system says about writing ``path`` into an :class:`OutputError` with a hint.

    The error number is kept in ``errno``, so that callers can still tell a full disk from a missing folder.
    """
    expected, hint = _HINTS.get(error.errno or 0, ("to be able to write here", "Give another path."))
    reason = error.strerror or str(error) or type(error).__name__
    result = OutputError(describe(path, expected=expected, got=reason, hint=hint))
    result.errno = error.errno
    return result


@contextlib.contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Give a temporary path in a folder beside ``path``, and rename it to ``path`` when the block ends well.

    Inside the block write to the path that is yielded, by any means. When the block ends, the file is flushed to the
    disk and takes the place of ``path`` in one step; when the block raises anything (``KeyboardInterrupt`` too) it is
    removed and ``path`` is as before. A symbolic link is followed, so the link stays. A device or a pipe
    (``/dev/stdout``) is yielded itself.

    Parameters
    ----------
    path : str or Path
        Where the file is to be in the end. Its folder must exist.

    Yields
    ------
    Path
        Where to write.

    Raises
    ------
    OutputError
        Instead of any ``OSError`` of the block: no permission, no space, no such folder, path is a folder.
    """
    shown = path
    try:
        path = _target(path)
        if _is_special(path):
            yield path
            return
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        # In a folder of its own: a writer may replace the file, and a killed process leaves files beside it.
        temporary = Temporary(path, folder=True)
        try:
            inside = temporary.path / path.name
            inside.touch()
            yield inside
            _finish_file(inside, path)
        finally:
            temporary.remove()
    except NodeloomError:
        raise
    except OSError as error:
        raise output_error(shown, error) from error


def check_writable(path: str | Path, num_bytes: int = 0) -> None:
    """Make sure that ``path`` can be written, before a training of hours that ends with writing it.

    Creates and removes a small file in the folder of ``path``: permission bits do not tell about read-only file
    systems, access lists, quotas or the super-user.

    Parameters
    ----------
    path : str or Path
        The file that will be written. It is not touched.
    num_bytes : int
        How large it will be about. 0 asks for no space.

    Raises
    ------
    OutputError
        If writing is bound to fail.
    """
    try:
        target = _target(path)
        if _is_special(target):
            return
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        with contextlib.suppress(FileNotFoundError):
            target.lstat()  # the temporary name is shorter than this one may be
        temporary = Temporary(target)
        try:
            temporary.path.write_bytes(b"nodeloom")
        finally:
            temporary.remove()
        free = shutil.disk_usage(target.parent).free if num_bytes else num_bytes
    except OSError as error:
        raise output_error(path, error) from error
    if num_bytes > free:
        expected = f"{num_bytes / 1e9:.3g} GB of free space on the disk"
        hint = "Free some space, or give a path on another disk."
        full = OutputError(describe(path, expected=expected, got=f"{free / 1e9:.3g} GB", hint=hint))
        full.errno = errno.ENOSPC
        raise full


def _target(path: str | Path) -> Path:
    """Return the path that is really written: absolute (a block may change folder), links followed."""
    try:
        path = Path(path).expanduser()
        if "\0" in str(path):
            raise OSError(errno.EINVAL, "the character 0 in it")
        return path.resolve() if path.is_symlink() else path.absolute()
    except RuntimeError as error:  # links that lead in a circle, the home of nobody
        raise OSError(errno.EINVAL, str(error).partition(" from ")[0]) from error


def _is_special(path: Path) -> bool:
    """Say whether ``path`` is a device, a pipe or a socket, which cannot be replaced by a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _finish_file(temporary: Path, path: Path) -> None:
    """Flush the file to the disk, give it the permissions of the one it replaces, and rename it."""
    _flush(temporary)
    with contextlib.suppress(FileNotFoundError, PermissionError):
        temporary.chmod(stat.S_IMODE(path.stat().st_mode))
    temporary.replace(path)
    _flush_folder(path.parent)


def _flush(path: Path) -> None:
    # Opened for update: Windows does not flush files opened for reading.
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(path: Path) -> None:
    """Write the renamed entry itself to the disk, on systems that let one open a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
