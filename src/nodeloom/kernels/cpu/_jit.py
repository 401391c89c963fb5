"""The one owner of compilation on the CPU: options, cache and fast-math of every Numba kernel.

Kernels are compiled for one thread and release the GIL; :mod:`nodeloom.kernels.cpu.parallel` runs them on slices in several
threads. That keeps compilation short (no parallel transform), leaves Numba's process-wide threading layer alone, and lets
results be independent of the number of threads.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba

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
            cache=True,
            nogil=True,
            error_model="numpy",
            fastmath=FASTMATH if fastmath else False,
            forceinline=inline,
        )(f)
        # Numba compares the file of a kernel with that of the cache, but not those of what the kernel calls.
        file = getattr(kernel._cache, "_cache_file", None)
        if file is not None:
            file._source_stamp = file._source_stamp, sources()
        return kernel

    return decorate(function) if function is not None else decorate


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
