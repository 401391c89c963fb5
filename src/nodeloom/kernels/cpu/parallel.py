"""Run a kernel on slices of its work in several threads; errors of a thread reach the caller."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")


def available_threads() -> int:
    """Return the number of CPUs this process may use (affinity respected)."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # macOS, Windows
        return max(1, os.cpu_count() or 1)


def slices(count: int, num_slice: int) -> list[tuple[int, int]]:
    """Cut ``range(count)`` into at most `num_slice` contiguous, non-empty slices of nearly equal length."""
    num_slice = max(1, min(num_slice, count))
    bounds = [count * i // num_slice for i in range(num_slice + 1)]
    return [(a, b) for a, b in itertools.pairwise(bounds) if a < b]


def shares(count: int, num_thread: int, least: int = 1) -> list[tuple[int, int]]:
    """Cut ``range(count)`` for a pool of threads: four slices for each, so that a thread that the system holds up delays no other.

    There are fewer slices, down to one for each thread, where they would have fewer than `least` items.
    """
    return slices(count, min(4 * num_thread, max(num_thread, count // least)) if num_thread > 1 else 1)


def run_slices(function: Callable[[int, int], Result], count: int, num_thread: int) -> list[Result]:
    """Call ``function(first, last)`` once per slice of ``range(count)``, each in its own thread.

    Parameters
    ----------
    function : callable
        Called with the bounds of its slice; must release the GIL to run beside the others.
    count : int
        Number of items.
    num_thread : int
        Number of threads and of slices. With 1 the call is made in the calling thread.

    Returns
    -------
    list
        The results in the order of the slices.

    Raises
    ------
    Exception
        The first exception that any slice raised, after all slices have ended.
    """
    parts = slices(count, num_thread)
    if len(parts) <= 1:
        return [function(a, b) for a, b in parts]
    with ThreadPoolExecutor(len(parts)) as pool:
        return collect(pool, function, parts)


def collect(pool: ThreadPoolExecutor, function: Callable[..., Result], parts: list[tuple[Any, ...]]) -> list[Result]:
    """Run `function` on each tuple of arguments in `pool`; wait for all, then raise the first error or return the results."""
    futures = [pool.submit(function, *part) for part in parts]
    try:
        errors = [e for e in (f.exception() for f in futures) if e is not None]
    except BaseException:  # Ctrl-C: those under way end, and no other begins
        for future in futures:
            future.cancel()
        raise
    if errors:
        raise errors[0]
    return [f.result() for f in futures]
