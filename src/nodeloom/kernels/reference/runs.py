"""Runs of edges and sets of integers in plain NumPy: the definition of :mod:`nodeloom.kernels.cpu.runs`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.typing import FloatArray, IndexArray, OffsetArray

Bits = npt.NDArray[np.uint64]


def _entries(
    heads: IndexArray, tails: IndexArray, symmetric: bool, keep_loops: bool
) -> tuple[IndexArray, IndexArray, OffsetArray]:
    """Return rows, columns and numbers of the edges of all entries, those of an edge one after the other."""
    rows, columns = np.stack([heads, tails], 1).ravel(), np.stack([tails, heads], 1).ravel()
    there = np.stack([(heads != tails) | keep_loops, (heads != tails) & symmetric], 1).ravel()
    return rows[there], columns[there], np.repeat(np.arange(len(heads)), 2)[there]


def count_entries(
    heads: IndexArray,
    tails: IndexArray,
    first: int,
    shift: int,
    symmetric: bool,
    keep_loops: bool,
    counts: OffsetArray,
) -> None:
    """Add to `counts` how many entries go to each bucket of ``2**shift`` rows; see the CPU kernel."""
    rows, _, _ = _entries(heads, tails, symmetric, keep_loops)
    np.add.at(counts, (rows - first) >> shift, 1)


def move_entries(
    heads: IndexArray,
    tails: IndexArray,
    weights: FloatArray,
    first: int,
    shift: int,
    run_of: IndexArray,
    symmetric: bool,
    keep_loops: bool,
    cursor: OffsetArray,
    rows: IndexArray,
    columns: IndexArray,
    values: FloatArray,
) -> None:
    """Write entries to the ranges of their runs, within a run in the order of the edges; see the CPU kernel."""
    all_rows, all_columns, edges = _entries(heads, tails, symmetric, keep_loops)
    runs = run_of[(all_rows - first) >> shift]
    for run in range(len(cursor)):
        of_run = runs == run
        place = slice(int(cursor[run]), int(cursor[run] + of_run.sum()))
        rows[place], columns[place] = all_rows[of_run], all_columns[of_run]
        if len(weights):
            values[place] = weights[edges[of_run]]
        cursor[run] = place.stop


def count_diagonal(indptr: OffsetArray, indices: IndexArray, first: int) -> int:
    """Return how many entries of rows ``first, first + 1, ...`` are self-loops."""
    rows = np.repeat(np.arange(first, first + len(indptr) - 1), np.diff(indptr))
    return int((rows == indices).sum())


def set_bits(values: npt.NDArray[Any], low: int, words: Bits) -> None:
    """Set the bit ``value - low`` of `words` for each of `values`."""
    bits = np.unpackbits(words.view(np.uint8), bitorder="little")
    bits[values - low] = 1
    words[:] = np.packbits(bits, bitorder="little").view(np.uint64)


def rank_words(words: Bits, ranks: OffsetArray) -> int:
    """Set `ranks` to the number of bits before each of `words`; return the number of all."""
    counts = np.unpackbits(words.view(np.uint8), bitorder="little").reshape(-1, 64).sum(1, dtype=np.int64)
    ranks[:] = np.cumsum(counts) - counts
    return int(counts.sum())


def rank_values(values: npt.NDArray[Any], low: int, words: Bits, ranks: OffsetArray, out: IndexArray) -> None:
    """Set `out` to how many smaller numbers are in the set, for each of `values`."""
    del ranks
    bits = np.unpackbits(words.view(np.uint8), bitorder="little").astype(np.int64)
    out[:] = (np.cumsum(bits) - bits)[values - low]


def list_bits(words: Bits, low: int, out: npt.NDArray[np.int64]) -> None:
    """Write the numbers of the set to `out`, in ascending order."""
    out[:] = low + np.flatnonzero(np.unpackbits(words.view(np.uint8), bitorder="little"))
