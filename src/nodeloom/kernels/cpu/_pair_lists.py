"""Pairs of walks, listed before they are counted or placed: the memory that they go to is on its way meanwhile."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd import atomics, rows

LISTED = 256
"""Pairs after which a list is worked off; it holds those of one place more."""

_I4, _I8 = 4, 8  # bytes of an int32, of an int64


@jit
def reciprocal_of(part_rows, num_part):
    """Return the number whose product with a slot has the part of the slot in its upper 64 bits; 0 if that would not be exact."""
    if part_rows < 2 or part_rows * num_part > 1 << 32:
        return np.uint64(0)
    return np.uint64(0xFFFFFFFFFFFFFFFF) // np.uint64(part_rows) + np.uint64(1)


@jit
def list_pairs(
    walks,
    w,
    i,
    step,
    two_sided,
    head,
    part_rows,
    reciprocal,
    num_head,
    cells_at,
    bytes_of_cell,
    cells,
    contexts,
    number,
):
    """List the pairs of place i of a walk behind the first `number`: their cells of a table [Pc, Rv], and rows in their part.

    The memory of the cells, at `cells_at`, is fetched meanwhile. Return the number of pairs.
    """
    own = np.int64(walks[w, i])
    for j in range(max(i - step, 0) if two_sided else i + 1, min(i + step + 1, walks.shape[1])):
        slot = np.int64(walks[w, j])
        if reciprocal:
            part = np.int64(rows.multiply_high(np.uint64(slot), reciprocal))
        else:
            part = slot // part_rows
        cell = part * num_head + head
        cells[number] = cell
        contexts[number] = slot - part * part_rows
        rows.prefetch(cells_at + bytes_of_cell * cell)
        number += slot >= 0 and slot != own  # else the next one takes its place
    return number


@jit
def count_listed(counts_at, cells, number):
    for m in range(number):
        atomics.fetch_add(counts_at + _I4 * cells[m], np.int32(1))


@jit
def place_listed(cursors_at, contexts, cells, listed, number):
    """Write the listed contexts to the places of their cursors, which move on."""
    places_at = contexts.ctypes.data
    for m in range(number):
        cells[m] = atomics.fetch_add(cursors_at + _I8 * cells[m], np.int64(1))
        rows.prefetch(places_at + contexts.itemsize * cells[m])
    for m in range(number):
        contexts[cells[m]] = listed[m]
