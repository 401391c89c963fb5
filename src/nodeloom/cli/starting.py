"""The start of the program, while libraries are loaded."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

from nodeloom.errors import MemoryLimitError

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_SPACE = 500_000_000
"""Bytes of addresses that the libraries take."""


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Keep Ctrl-C waiting until the libraries are loaded that the block imports.

    A library that is interrupted while it loads raises anything. And OpenBLAS, when it cannot start its threads, sends this process
    the signal of Ctrl-C itself: who has sent it can be asked only of a signal that waits.

    Raises
    ------
    KeyboardInterrupt
        After the block, if Ctrl-C came during it.
    MemoryLimitError
        Threads cannot be started within the limits of this process.
    """
    if not hasattr(signal, "sigtimedwait") or threading.current_thread() is not threading.main_thread():
        yield
        return
    space = limit_of("RLIMIT_AS")
    if space is not None and space < LEAST_SPACE:  # OpenBLAS would try again without end
        raise MemoryLimitError(
            f"the limits of this process ({limits()}) leave no room for the libraries. Raise the limit to {LEAST_SPACE / 1e6:.0f} MB "
            "or more."
        )
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
        if is_limited():  # these bring OpenBLAS, numpy and SciPy each its own
            import numpy
            import scipy.linalg

            del numpy, scipy
        told = signal.sigtimedwait({signal.SIGINT}, 0)
        if told is not None and told.si_pid == os.getpid():
            raise MemoryLimitError(
                f"the limits of this process ({limits()}) leave no room for threads. Raise the limit, or set the environment "
                "variable OPENBLAS_NUM_THREADS to 1 to need less."
            )
        if told is not None:
            raise KeyboardInterrupt
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def is_limited() -> bool:
    """Tell whether this process may have less addresses than there are: libraries then fail in ways of their own."""
    return limit_of("RLIMIT_AS") is not None


def limits() -> str:
    """Return the limits of this process in words."""
    space, processes = limit_of("RLIMIT_AS"), limit_of("RLIMIT_NPROC")
    parts = [] if space is None else [f"ulimit -v: {space / 1e6:,.0f} MB of addresses"]
    parts += [] if processes is None else [f"ulimit -u: {processes:,} processes"]
    return ", ".join(parts) or "of memory or processes"


def limit_of(name: str) -> int | None:
    """Return a limit of this process; None if there is none."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    found = resource.getrlimit(getattr(resource, name))[0]
    return None if found == resource.RLIM_INFINITY else found
