"""Edges cut into runs by ranges of nodes, and sets of integers as bits: what a graph beyond the memory is made with."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit


@jit
def count_entries(heads, tails, first, shift, symmetric, keep_loops, counts):
    """Add to `counts` how many entries go to each bucket of ``2**shift`` rows.

    Parameters
    ----------
    heads, tails : int32 [E]
        Node ids; those that make a row are at least `first`.
    first : int
        The row at which the first bucket begins.
    shift : int
        Low bits of a row that are not told apart.
    symmetric : bool
        Count each edge at both ends, a self-loop once.
    keep_loops : bool
        Whether self-loops count.
    counts : int64 [B]
        Added to.
    """
    for e in range(heads.size):
        h = heads[e]
        t = tails[e]
        if h == t:
            if keep_loops:
                counts[(h - first) >> shift] += 1
        else:
            counts[(h - first) >> shift] += 1
            if symmetric:
                counts[(t - first) >> shift] += 1


@jit
def move_entries(heads, tails, weights, first, shift, run_of, symmetric, keep_loops, cursor, rows, columns, values):
    """Write entries to the ranges of their runs, within a run in the order of the edges.

    Parameters
    ----------
    heads, tails : int32 [E]
    weights : float32 [E], or [0] for none
    first, shift, symmetric, keep_loops
        As in :func:`count_entries`.
    run_of : int32 [B]
        The run of each bucket.
    cursor : int64 [runs]
        Where the next entry of each run goes; left behind the last one.
    rows, columns : int32 [entries]
        Written.
    values : float32 [entries], or [0]
        Written where there are weights.
    """
    weighted = weights.size > 0
    for e in range(heads.size):
        h = heads[e]
        t = tails[e]
        if h != t or keep_loops:
            r = run_of[(h - first) >> shift]
            i = cursor[r]
            cursor[r] = i + 1
            rows[i] = h
            columns[i] = t
            if weighted:
                values[i] = weights[e]
        if symmetric and h != t:
            r = run_of[(t - first) >> shift]
            i = cursor[r]
            cursor[r] = i + 1
            rows[i] = t
            columns[i] = h
            if weighted:
                values[i] = weights[e]


@jit
def count_diagonal(indptr, indices, first):
    """Return how many entries of rows ``first, first + 1, ...`` (int64 offsets, int32 columns) are self-loops."""
    count = 0
    for u in range(indptr.size - 1):
        for i in range(indptr[u], indptr[u + 1]):
            if indices[i] == first + u:
                count += 1
    return count


@jit
def set_bits(values, low, words):
    """Set the bit ``value - low`` of `words` (uint64 [W]) for each of `values` (int32 or int64 [k])."""
    for i in range(values.size):
        bit = np.int64(values[i]) - low
        words[bit >> 6] |= np.uint64(1) << np.uint64(bit & 63)


@jit
def _ones(word):
    """Return the number of bits that are set in a uint64."""
    word = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))


@jit
def rank_words(words, ranks):
    """Set `ranks` (int64 [W]) to the number of bits before each of `words` (uint64 [W]); return the number of all."""
    total = 0
    for w in range(words.size):
        ranks[w] = total
        total += _ones(words[w])
    return total


@jit
def rank_values(values, low, words, ranks, out):
    """Set `out` (int32 [k]) to how many smaller numbers are in the set, for each of `values` (int32 or int64 [k])."""
    for i in range(values.size):
        bit = np.int64(values[i]) - low
        below = words[bit >> 6] & ((np.uint64(1) << np.uint64(bit & 63)) - np.uint64(1))
        out[i] = ranks[bit >> 6] + _ones(below)


@jit
def list_bits(words, low, out):
    """Write the numbers of the set to `out` (int64), in ascending order."""
    k = 0
    for w in range(words.size):
        word = words[w]
        while word != 0:
            lowest = word & (~word + np.uint64(1))
            out[k] = low + w * 64 + _ones(lowest - np.uint64(1))
            word ^= lowest
            k += 1
