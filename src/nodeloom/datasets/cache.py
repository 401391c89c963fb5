"""Folders: the cache for what was fetched, the offline folder for what the user has."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from nodeloom.errors import DatasetError
from nodeloom.temporary import Temporary

if TYPE_CHECKING:
    from collections.abc import Iterator


def cache_folder() -> Path:
    r"""Return the folder in which fetched data sets are kept.

    ``NODELOOM_CACHE`` if set, else the cache folder of the platform: ``~/.cache/nodeloom`` (or below
    ``XDG_CACHE_HOME``) on Linux, ``~/Library/Caches/nodeloom`` on macOS, ``%LOCALAPPDATA%\nodeloom`` on Windows.
    """
    chosen = os.environ.get("NODELOOM_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "nodeloom"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "nodeloom"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nodeloom"


def data_folder() -> Path | None:
    """Return the offline folder named by ``NODELOOM_DATA``, None if there is none.

    Raises
    ------
    DatasetError
        The variable names something that is not a folder.
    """
    chosen = os.environ.get("NODELOOM_DATA")
    if not chosen:
        return None
    folder = Path(chosen).expanduser()
    if not folder.is_dir():
        raise DatasetError(f"NODELOOM_DATA: expected a folder, got {chosen!r}. Correct or unset the variable.")
    return folder


@contextlib.contextmanager
def written(*paths: Path) -> Iterator[list[Path]]:
    """Yield temporary paths beside `paths`; rename them all when the block ends well, remove them otherwise.

    Raises
    ------
    DatasetError
        The folder cannot be made or written, or there is no space.
    """
    temporary: list[Temporary] = []
    try:
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            check_inside(path)
            temporary.append(Temporary(path))
        yield [file.path for file in temporary]
        for file, path in zip(temporary, paths, strict=True):
            file.path.replace(path)
    except OSError as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"{paths[0].parent}: cannot be written: {error.strerror or error}. Set NODELOOM_CACHE to another folder."
        ) from None
    finally:
        for file in temporary:
            file.remove()


def check_inside(path: Path) -> None:
    """Refuse a path that a name or a link leads out of the cache folder.

    Raises
    ------
    DatasetError
        It lies elsewhere.
    """
    folder = cache_folder()
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(
            f"{path}: leads out of the cache folder {folder}. Set NODELOOM_CACHE to another folder, or put files of your own below "
            "the folder that NODELOOM_DATA names."
        )
