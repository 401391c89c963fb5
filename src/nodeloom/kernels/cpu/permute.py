"""Rows of a table in another order, in place; :mod:`nodeloom.kernels.reference.permute` is the definition.

A permutation consists of cycles. Along a cycle every row is written where the one before it was just read from, so one row of
scratch holds the first and nothing else is copied twice. A bit per row says which rows wait to be moved.
"""

from __future__ import annotations

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd import rows

_LINE = 64  # bytes of a cache line
_AHEAD = 4  # rows of a cycle that are on their way while one is moved


@jit
def _mark(place, waiting):
    """Set one bit of `waiting` for every row named; return the first i whose row does not exist or has its bit, or -1."""
    one = np.uint64(1)
    for i in range(place.size):
        source = np.int64(place[i])
        if source < 0 or source >= place.size:
            return i
        bit = one << np.uint64(source & 63)
        if waiting[source >> 6] & bit:
            return i
        waiting[source >> 6] |= bit
    return -1


@jit
def _move(table, place, waiting):
    """Move the rows of all cycles; every row has its bit in `waiting`, which ends at 0."""
    num_rows, dim = table.shape
    first_row = table.ctypes.data
    row_bytes, length = table.strides[0], dim * table.itemsize
    scratch = np.empty(dim, table.dtype)
    one = np.uint64(1)
    for start in range(num_rows):
        if not waiting[start >> 6] & (one << np.uint64(start & 63)):
            continue
        waiting[start >> 6] &= ~(one << np.uint64(start & 63))
        source = np.int64(place[start])
        if source == start:
            continue
        scratch[:] = table[start]
        ahead = (
            source  # runs along the cycle in front of `source`: the next rows are found and fetched while one is moved
        )
        for _ in range(_AHEAD):
            ahead = np.int64(place[ahead])
        target = start
        while source != start:
            for line in range(0, length, _LINE):
                rows.prefetch(first_row + ahead * row_bytes + line)
            ahead = np.int64(place[ahead])
            waiting[source >> 6] &= ~(one << np.uint64(source & 63))
            table[target] = table[source]
            target, source = source, np.int64(place[source])
        table[target] = scratch


def permute_rows(table, place):
    """Put row ``place[i]`` of a table at i, for all rows at once, in place: ``new[i] = old[place[i]]``.

    The other way round, ``new[place[i]] = old[i]``, is the call with the inverse of `place`, of which ``inverse[place[i]] = i``; it
    undoes the first call.

    Parameters
    ----------
    table : float32 or uint16 [N, D]
        Changed; may be a memory map. Rows may be strided, as in ``table[:, :64]``.
    place : int32 or int64 [N]
        A permutation: every row of the table once.

    Raises
    ------
    DataError
        `place` is no permutation of the rows; the table is unchanged.
    """
    count = len(table)
    if len(place) != count:
        raise DataError(_wrong(count, f"{len(place)} rows"))
    waiting = np.zeros((count + 63) // 64, np.uint64)
    wrong = _mark(place, waiting)
    if wrong >= 0:
        source = int(place[wrong])
        reason = "which another place has too" if 0 <= source < count else "which does not exist"
        raise DataError(_wrong(count, f"{source} at {wrong}, {reason}"))
    _move(table, place, waiting)


def _wrong(count, got):
    return describe(
        "permute_rows: place",
        expected=f"each of 0 .. {count - 1} once",
        got=got,
        hint="Give a permutation of the rows of the table.",
    )
