"""The one owner of compilation on the CPU: options, cache and fast-math of every Numba kernel.

Kernels are compiled for one thread and release the GIL; :mod:`nodeloom.kernels.cpu.parallel` runs them on slices in several
threads. That keeps compilation short (no parallel transform), leaves Numba's process-wide threading layer alone, and lets
results be independent of the number of threads.
"""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numba.core.config
from numba.core.caching import FunctionCache, IndexDataCacheFile, NullCache

from nodeloom.log import logger

# Reassociation and contraction let sums vectorise. NaN and infinity keep their meaning: the guards against divergence test them.
FASTMATH = {"reassoc", "contract", "nsz", "arcp"}


def jit(function: Callable[..., Any] | None = None, *, inline: bool = False, fastmath: bool = True) -> Any:
    """Compile a module-level function of arrays and numbers; cached on disk, GIL released.

    Parameters
    ----------
    function : callable
        The function, when used as a bare decorator.
    inline : bool
        Let LLVM always inline it: for small helpers of other kernels.
    fastmath : bool
        Allow the reassociation of floating-point sums.
    """

    def decorate(f: Callable[..., Any]) -> Any:
        kernel: Any = numba.njit(
            nogil=True,
            error_model="numpy",
            fastmath=FASTMATH if fastmath else False,
            forceinline=inline,
        )(f)
        kernel._cache = cache_of(f)  # as cache=True does with a cache of Numba's own
        return kernel

    return decorate(function) if function is not None else decorate


def cache_of(function: Callable[..., Any]) -> Any:
    """Return the cache of a kernel: in the folder that Numba chooses, else in one for temporary files, else none."""
    try:
        return KernelCache(function)
    except (
        RuntimeError
    ):  # neither the folder of the package nor the home can be written, and NUMBA_CACHE_DIR names none
        folder = _temporary_folder()
    if folder is None:
        _tell_once(
            "no folder can be written for compiled kernels: every process compiles them anew. Set NUMBA_CACHE_DIR to one."
        )
        return NullCache()
    _tell_once("compiled kernels are kept in %s. Set NUMBA_CACHE_DIR to keep them elsewhere.", folder)
    settings: Any = numba.core.config
    before, settings.CACHE_DIR = settings.CACHE_DIR, folder
    try:
        return KernelCache(function)
    except RuntimeError:
        return NullCache()
    finally:
        settings.CACHE_DIR = before


@functools.cache
def _temporary_folder() -> str | None:
    """Return a folder for temporary files that is this user's alone, for code is read from it; None if there is none."""
    user = getattr(os, "getuid", lambda: 0)()
    path = Path(tempfile.gettempdir()) / f"nodeloom-kernels-{user}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        found = path.lstat()
        safe = stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022
        return str(path) if safe and os.access(path, os.W_OK) else None
    except OSError:
        return None


@functools.cache
def _tell_once(message: str, *values: object) -> None:
    logger.warning(message, *values)


class KernelCache(FunctionCache):
    """Numba's cache of a function, done without where it is broken or cannot be written.

    Parameters
    ----------
    function : callable
        The function that is compiled.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = CacheFiles(self._cache_file)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the compiled code for a signature; None if there is none that can be used, and then it is compiled anew."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:  # noqa: BLE001  whatever a file of another version holds, the sources are at hand
            logger.info("a compiled kernel in %s cannot be used: %s", self.cache_path, error)
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write the compiled code for a signature, if there is room for it."""
        try:
            super().save_overload(sig, data)
        except OSError as error:
            reason = error.strerror or str(error)
            _tell_once(
                "compiled kernels cannot be kept in %s: %s. Set NUMBA_CACHE_DIR to another folder.",
                self.cache_path,
                reason,
            )


class CacheFiles(IndexDataCacheFile):
    """The compiled code of a kernel on disk: a file for each signature, for any number of processes that compile and load at the same time.

    Numba itself numbers the files of a kernel and keeps an index. Two processes that compile for two signatures at once take the same
    number, and one of the two is then called with the arguments of the other. Here the name says the signature, and the content proves it.
    Numba also compares the file of a kernel with its cache, but not the files of the functions that the kernel calls.

    Parameters
    ----------
    file : IndexDataCacheFile
        The cache as Numba made it.
    """

    def __init__(self, file: Any) -> None:
        super().__init__(file._cache_path, file._index_name.removesuffix(".nbi"), (file._source_stamp, sources()))

    def load(self, key: tuple[Any, ...]) -> Any:
        """Return the compiled code for a key; None if there is none, or it is older than the sources, or broken."""
        try:
            content = Path(self._data_path(self._name(key))).read_bytes()
        except OSError:
            return None
        digest, content = content[:32], content[32:]
        if hashlib.sha256(content).digest() != digest:
            return None
        stamp, of_key, data = pickle.loads(content)
        return data if (stamp, of_key) == (self._source_stamp, key) else None

    def save(self, key: tuple[Any, ...], data: Any) -> None:
        """Write the compiled code for a key, in place of an older one."""
        content = self._dump((self._source_stamp, key, data))
        with self._open_for_write(self._data_path(self._name(key))) as file:
            file.write(hashlib.sha256(content).digest() + content)

    def _name(self, key: tuple[Any, ...]) -> str:
        signature, target, _ = key
        base = self._index_name.removesuffix(".nbi")
        return f"{base}.{hashlib.sha256(repr((self._version, signature, target)).encode()).hexdigest()[:16]}.nbc"


@functools.cache
def sources() -> str:
    """Return a hash of all files that are compiled: a kernel in the cache is as old as the oldest of what it was made from."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        found.update(path.read_bytes())
    return found.hexdigest()


def is_compiled(kernel: Any, *arguments: Any) -> bool:
    """Tell whether a call of a kernel needs no compilation: this process or the cache on disk has it for arguments of these types.

    It is loaded from the cache if it is there.
    """
    types = tuple(kernel.typeof_pyval(argument) for argument in arguments)
    if types in kernel.overloads:
        return True
    return kernel._cache.load_overload(types, kernel.targetctx) is not None
