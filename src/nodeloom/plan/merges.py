"""How often workers with whole tables merge them, and what that takes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from nodeloom.plan.memory import num_tables, row_bytes, value_bytes, widest_row

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

_BUFFER = 128 << 20  # bytes of a piece of a table that is merged
_HOST_BUFFER = 16 << 20  # of a table in main memory
_BUFFERS = 2  # one is computed while the other is on its way


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


def merged_bytes(plan: Plan) -> int:
    """Return the bytes of a worker that a merge brings together: changes of the tables, and moments."""
    return plan.num_nodes * num_tables(plan) * (row_bytes(plan) + 4)


def sent_share(num_worker: int) -> float:
    """Return the bytes that a worker sends for each that is summed over all: all but a part of its own, and all but one of the sums."""
    return 2 * (num_worker - 1) / num_worker


def buffer_rows(num_nodes: int, row: int, itemsize: int) -> int:
    """Return the rows of a table that are merged at a time."""
    return max(1, min(num_nodes, _BUFFER // (row * itemsize)))


def host_buffer_rows(num_nodes: int, row: int) -> int:
    """Return the rows of a table in main memory that are merged at a time: the caches of a CPU hold a part of them at least."""
    return max(1, min(num_nodes, _HOST_BUFFER // (4 * (row + 1))))


def num_buffer(num_nodes: int, rows: int) -> int:
    """Return how many pieces of so many rows are under way at a time."""
    return min(_BUFFERS, -(-num_nodes // rows))


def extra_memory(plan: Plan) -> dict[str, int]:
    """Return the bytes that merging needs beside what training does, by purpose: on the GPU, or in main memory."""
    row, itemsize = widest_row(plan), value_bytes(plan)
    on_cpu = plan.device == "cpu"
    rows = host_buffer_rows(plan.num_nodes, row) if on_cpu else buffer_rows(plan.num_nodes, row, itemsize)
    pieces = num_buffer(plan.num_nodes, rows)
    return {
        "base": plan.num_nodes * row * itemsize * num_tables(plan),
        "merge buffers": pieces * rows * (row * itemsize + 4),
    }
