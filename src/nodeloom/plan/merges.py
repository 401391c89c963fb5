"""How often workers with whole tables merge them, and what that takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nodeloom.plan.memory import merged_bytes, widest_row

if TYPE_CHECKING:
    from nodeloom.plan.plan import Plan

MERGES = 100
"""Merges of a training.

400 epochs of YouTube-77k by two workers, micro/macro-F1 at 50 % and AUC of hidden edges: 47.3/40.6 and 0.938 with 20 merges, 47.4/40.8 and
0.940 with 50, 47.5/41.0 and 0.940 with 100, 47.4/40.9 and 0.943 by one process; BlogCatalog: 39.7/23.3, 40.0/23.7 and 40.3/24.3, 40.1/24.8
by one process, AUC the same. Averages lose 1 to 5 points, sums 0.05 of the AUC of BlogCatalog (benchmarks/merging.py).
"""

LEAST_MERGES = 20
"""And at least, however long they take."""

LONGEST = 20.0
"""Seconds between two merges at most, as expected: progress, checkpoints and Ctrl-C wait for them."""

_FREE = 0.25  # seconds that merges may take in any training
_SHARE = 0.04  # and of its time
_PAIRS_PER_SECOND = 8e9  # of a GPU at dim 128: an estimate
_PAIRS_PER_THREAD = 12e6  # of the CPU: likewise
_BYTES_PER_SECOND = 100e9  # merged on GPUs: likewise
_BYTES_PER_THREAD = 2e9  # of which a thread computes the changes and applies them: likewise
_ADD_SPEED = 1e9  # summed over workers on CPUs, if that was not measured


def num_merges(plan: Plan, num_worker: int, merge_seconds: float) -> int:
    """Return how many times a training merges the tables of its workers.

    The more, the nearer it is to one process, but each moves all tables. As many as MERGES, more in a long training, and fewer where they
    would take more than a moment and a few per cent of the time.

    Parameters
    ----------
    plan : Plan
        The plan, but for its mode.
    num_worker : int
        Workers.
    merge_seconds : float
        From :func:`merge_seconds`.
    """
    seconds = expected_seconds(plan, num_worker)
    wanted = max(MERGES, math.ceil(seconds / LONGEST))
    affordable = int((_FREE + _SHARE * seconds) / merge_seconds)
    return max(LEAST_MERGES, min(wanted, affordable))


def merge_seconds(plan: Plan, add_speed: float = 0.0) -> float:
    """Return about how long a merge takes.

    Parameters
    ----------
    plan : Plan
        The plan, but for its mode.
    add_speed : float
        Bytes per second at which workers on CPUs sum an array, as measured; 0 if it was not.
    """
    if plan.device != "cpu":
        return merged_bytes(plan) / _BYTES_PER_SECOND
    return merged_bytes(plan) * (1 / (_BYTES_PER_THREAD * plan.num_thread) + 1 / (add_speed or _ADD_SPEED))


def expected_seconds(plan: Plan, num_worker: int) -> float:
    """Return about how long a part is trained."""
    width = widest_row(plan) / 128
    speed = _PAIRS_PER_THREAD * plan.num_thread if plan.device == "cpu" else _PAIRS_PER_SECOND
    return plan.total_pair / len(plan.stages) * width / (speed * num_worker)


def sent_share(num_worker: int) -> float:
    """Return the bytes that a worker sends for each that is summed over all: all but a part of its own, and all but one of the sums."""
    return 2 * (num_worker - 1) / num_worker
