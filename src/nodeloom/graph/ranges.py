"""Ranges: how much memory each step of compiling a graph may take, and where the nodes are cut; numbers in, numbers out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import MemoryLimitError
from nodeloom.units import size
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.typing import OffsetArray

# What loads with the first use of kernels and of pyarrow, and what the allocator keeps.
_FIXED = 96 << 20
# A block of text, its lines, their ends, weights and tokens, in a thread that cuts it.
_BYTES_BLOCK = 32 << 20
# Of an edge that is read from the disk, numbered, and moved to two runs.
_BYTES_EDGE = 96
# Of an entry and of a row while a range is read, sorted and merged.
_BYTES_ENTRY, _BYTES_WEIGHT, _BYTES_ROW = 20, 12, 32
_LEAST = 128 << 20
# Files that are open at once; a range that is still too large is cut again.
_MAX_RUNS = 64
_MAX_BUCKETS = 1 << 16


@dataclass(frozen=True, slots=True)
class Budget:
    """What each step may take.

    Attributes
    ----------
    room : int
        Bytes for what belongs to nodes: their names, what numbers them, sums of weights. Less than `capacity`.
    num_thread : int
        Threads that cut text.
    rows : int
        Edges that are moved at a time.
    capacity : int
        Bytes for a range of rows while it is built.
    """

    room: int
    num_thread: int
    rows: int
    capacity: int


def budget(limit: int, held: int, num_thread: int) -> Budget:
    """Divide a limit of memory.

    Parameters
    ----------
    limit : int
        Bytes that the process may hold.
    held : int
        Bytes that it holds already.
    num_thread : int
        Threads that there may be.

    Raises
    ------
    MemoryLimitError
        It is too little to begin with.
    """
    free = limit - held - _FIXED
    if free < _LEAST:
        raise MemoryLimitError(
            f"{setting('resource.memory_limit')}: expected at least {size(held + _FIXED + _LEAST)}, of which this process holds "
            f"{size(held)} already, got {size(limit)}. Raise it."
        )
    # Blocks that are cut, one that waits, one that is being read.
    threads = min(num_thread, max(1, free // 2 // _BYTES_BLOCK - 2))
    reading = (threads + 2) * _BYTES_BLOCK
    rows = min(1 << 21, free // 4 // _BYTES_EDGE)
    return Budget(free - max(reading, free // 4), threads, rows, free - free // 8)


def entry_bytes(weighted: bool) -> int:
    """Return the bytes that an entry takes while its range is built."""
    return _BYTES_ENTRY + (_BYTES_WEIGHT if weighted else 0)


def range_bytes(num_entry: int, num_row: int, weighted: bool) -> int:
    """Return the bytes that a range takes while it is built."""
    return num_entry * entry_bytes(weighted) + num_row * _BYTES_ROW


def bucket_bits(num_row: int) -> int:
    """Return the low bits of a row that are not told apart, so that the counts stay small."""
    return max(0, (num_row - 1).bit_length() - _MAX_BUCKETS.bit_length() + 1)


def cut(
    counts: OffsetArray, shift: int, num_row: int, weighted: bool, capacity: int
) -> tuple[OffsetArray, npt.NDArray[np.int32]]:
    """Cut rows into ranges that fit the memory, as far as the counts tell, and into no more than twice 64.

    Parameters
    ----------
    counts : int64 [B]
        Entries of each bucket of ``2**shift`` rows.
    shift : int
        Low bits of a row that are not told apart.
    num_row : int
        Rows of all buckets; the last one may be smaller.
    weighted : bool
        Whether entries have weights.
    capacity : int
        Bytes for a range.

    Returns
    -------
    bounds : int64 [runs + 1]
        Where ranges begin and end, from 0 to `num_row`. A range is larger than `capacity` only where it is one bucket,
        or where there would be too many.
    run_of : int32 [B]
        The range of each bucket.
    """
    rows = np.full(len(counts), 1 << shift, np.int64)
    rows[-1] = num_row - ((len(counts) - 1) << shift)
    sums = np.cumsum(counts * entry_bytes(weighted) + rows * _BYTES_ROW)
    target = max(capacity, int(sums[-1]) // _MAX_RUNS)
    starts = [0]
    while True:
        before = int(sums[starts[-1] - 1]) if starts[-1] else 0
        # One bucket at least, however large.
        start = max(int(np.searchsorted(sums, before + target, side="right")), starts[-1] + 1)
        if start >= len(counts):
            break
        starts.append(start)
    bounds = np.array([*(start << shift for start in starts), num_row], np.int64)
    run_of = np.zeros(len(counts), np.int32)
    run_of[starts[1:]] = 1
    return bounds, np.cumsum(run_of, dtype=np.int32)
