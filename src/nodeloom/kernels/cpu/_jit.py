"""The one owner of compilation on the CPU: options, cache and fast-math of every Numba kernel.

Kernels are compiled for one thread and release the GIL; :mod:`nodeloom.kernels.cpu.parallel` runs them on slices in several
threads. That keeps compilation short (no parallel transform), leaves Numba's process-wide threading layer alone, and lets
results be independent of the number of threads.
"""

from __future__ import annotations

from collections.abc import Callable
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
        return numba.njit(
            cache=True,
            nogil=True,
            error_model="numpy",
            fastmath=FASTMATH if fastmath else False,
            forceinline=inline,
        )(f)

    return decorate(function) if function is not None else decorate
