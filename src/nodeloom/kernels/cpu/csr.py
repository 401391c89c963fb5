"""Compressed sparse rows on the CPU: built of edges by counting sort.

Building takes three passes, each on slices in several threads, and no two threads ever write to the same place:

1. each thread counts, for its slice of the edges, how many entries go to each *bucket* (a run of ``2**shift`` rows);
2. after a prefix sum each thread moves its entries to its own range of each bucket, in the order of the input;
3. each thread takes whole buckets, which fit the cache, and sorts them by row, then each row by column, and merges
   duplicates.

All three are stable, so the result does not depend on the number of threads, bit by bit.
"""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.parallel import run_slices, slices

MERGE = {"keep": 0, "first": 1, "sum": 2, "max": 3}
"""What to do with parallel entries, by name."""

# A row is stored as a uint16 within its bucket.
MAX_SHIFT = 16
# Few enough buckets that their write heads stay in the cache, enough that threads find equal shares.
TARGET_BUCKETS = 256


@jit
def _count_entries(heads, tails, step, first, last, shift, symmetric, keep_loops, counts):
    for e in range(first * step, last * step, step):
        h = heads[e]
        t = tails[e]
        if h == t:
            if keep_loops:
                counts[h >> shift] += 1
        else:
            counts[h >> shift] += 1
            if symmetric:
                counts[t >> shift] += 1


@jit
def _move_entries(
    heads, tails, weights, step, first, last, shift, symmetric, keep_loops, cursor, rows, columns, values
):
    mask = (1 << shift) - 1
    weighted = weights.size > 0
    for e in range(first, last):
        h = heads[e * step]
        t = tails[e * step]
        if h != t or keep_loops:
            b = h >> shift
            i = cursor[b]
            cursor[b] = i + 1
            rows[i] = h & mask
            columns[i] = t
            if weighted:
                values[i] = weights[e]
        if symmetric and h != t:
            b = t >> shift
            i = cursor[b]
            cursor[b] = i + 1
            rows[i] = t & mask
            columns[i] = h
            if weighted:
                values[i] = weights[e]


@jit
def _sort_row(keys, values, first, last, keys2, values2):
    """Sort ``keys[first:last]`` and `values` with it: stable; insertion in runs of 16, then merges through `keys2`."""
    weighted = values.size > 0
    run = 16
    for start in range(first, last, run):
        stop = min(start + run, last)
        for i in range(start + 1, stop):
            k = keys[i]
            if keys[i - 1] <= k:
                continue
            j = i
            if weighted:
                v = values[i]
                while j > start and keys[j - 1] > k:
                    keys[j] = keys[j - 1]
                    values[j] = values[j - 1]
                    j -= 1
                values[j] = v
            else:
                while j > start and keys[j - 1] > k:
                    keys[j] = keys[j - 1]
                    j -= 1
            keys[j] = k
    while run < last - first:
        for start in range(first, last, 2 * run):
            middle = min(start + run, last)
            stop = min(start + 2 * run, last)
            if middle >= stop or keys[middle - 1] <= keys[middle]:
                continue
            # Only the left run has to leave: what is written never overtakes what is still to be read on the right.
            length = middle - start
            for i in range(length):
                keys2[i] = keys[start + i]
                if weighted:
                    values2[i] = values[start + i]
            i = 0
            j = middle
            out = start
            while i < length:
                if j < stop and keys[j] < keys2[i]:
                    keys[out] = keys[j]
                    if weighted:
                        values[out] = values[j]
                    j += 1
                else:
                    keys[out] = keys2[i]
                    if weighted:
                        values[out] = values2[i]
                    i += 1
                out += 1
        run *= 2


@jit
def _sort_buckets(first, last, bounds, shift, merge, rows, columns, values, degrees, kept):
    """Sort the buckets ``first`` to ``last`` by row and column in place, merge, and set `degrees` and `kept`."""
    weighted = values.size > 0
    largest = 0
    for b in range(first, last):
        largest = max(largest, bounds[b + 1] - bounds[b])
    keys = np.empty(largest, columns.dtype)
    weights = np.empty(largest if weighted else 0, values.dtype)
    place = np.empty((1 << shift) + 1, np.int64)
    for b in range(first, last):
        start = bounds[b]
        size = bounds[b + 1] - start
        row0 = b << shift
        num_row = min(1 << shift, degrees.size - row0)
        place[: num_row + 1] = 0
        for i in range(start, start + size):
            place[rows[i] + 1] += 1
        for r in range(num_row):
            place[r + 1] += place[r]
        for i in range(start, start + size):
            r = rows[i]
            j = place[r]
            place[r] = j + 1
            keys[j] = columns[i]
            if weighted:
                weights[j] = values[i]
        # place[r] is now the end of row r. The bucket's own range of columns is free: it serves as scratch, then
        # takes the result.
        out = start
        begin = 0
        for r in range(num_row):
            end = place[r]
            if end > begin:
                # The scratch starts where the result of this row will: earlier rows are already written below it.
                _sort_row(keys, weights, begin, end, columns[out : start + size], values[out : start + size])
                row_start = out
                i = begin
                while i < end:
                    key = keys[i]
                    columns[out] = key
                    if merge == 0:
                        if weighted:
                            values[out] = weights[i]
                        i += 1
                    else:
                        total = 0.0
                        if weighted:
                            total = np.float64(weights[i])
                        i += 1
                        while i < end and keys[i] == key:
                            if weighted:
                                if merge == 2:
                                    total += weights[i]
                                elif merge == 3:
                                    total = max(total, np.float64(weights[i]))
                            i += 1
                        if weighted:
                            values[out] = total
                    out += 1
                degrees[row0 + r] = out - row_start
            else:
                degrees[row0 + r] = 0
            begin = end
        kept[b] = out - start


@jit
def _close_gaps(array, bounds, kept):
    """Move what the buckets have kept together, in place."""
    out = 0
    for b in range(kept.size):
        start = bounds[b]
        if out < start:
            # Entries move to the left only, and what they overwrite has left before them.
            for i in range(kept[b]):
                array[out + i] = array[start + i]
        out += kept[b]


def bucket_shift(num_nodes: int) -> int:
    """Return the number of low bits of a row that are told apart within a bucket."""
    shift = 0
    while shift < MAX_SHIFT and (num_nodes >> shift) > TARGET_BUCKETS:
        shift += 1
    return shift


def build_csr(heads, tails, weights, num_nodes, *, symmetric, keep_loops, merge, num_thread=1):
    """Build compressed sparse rows, sorted by column within each row, from a list of edges.

    Parameters
    ----------
    heads, tails : int32 or int64 [E]
        Node ids in ``[0, num_nodes)``, both of the same dtype; not checked here. The two columns of one array are read
        where they lie.
    weights : float32 [E] or None
        Weights of the edges.
    num_nodes : int
        N.
    symmetric : bool
        Enter each edge from both ends. A self-loop is entered once.
    keep_loops : bool
        Whether self-loops are entered.
    merge : {"keep", "first", "sum", "max"}
        Whether parallel entries stay, or become one entry with the first, the summed or the greatest weight.
    num_thread : int
        Number of threads.

    Returns
    -------
    indptr : int64 [N + 1]
    indices : of the dtype of heads [nnz]
    weights : float32 [nnz] or None
    """
    return build_csr_consuming(
        [heads, tails, weights],
        num_nodes,
        symmetric=symmetric,
        keep_loops=keep_loops,
        merge=merge,
        num_thread=num_thread,
    )


def build_csr_consuming(edges, num_nodes, *, symmetric, keep_loops, merge, num_thread=1):
    """As :func:`build_csr`, of ``edges = [heads, tails, weights]``, a list that is emptied as soon as it has been read.

    When the caller holds no other reference, the edges are freed before the rows are sorted. At most the edges, and ids
    and row numbers (6 bytes, 10 of int64 ids; with weights 4 more) of all entries are in memory at once.
    """
    weighted = edges[2] is not None
    shift = bucket_shift(num_nodes)
    rows, columns, values, bounds = _scatter(edges, num_nodes, shift, symmetric, keep_loops, num_thread)
    indptr = np.zeros(num_nodes + 1, np.int64)
    kept = _sort(rows, columns, values, bounds, shift, MERGE[merge], indptr[1:], num_thread)
    del rows
    np.cumsum(indptr, out=indptr)
    columns = _compact(columns, bounds, kept)
    return indptr, columns, _compact(values, bounds, kept) if weighted else None


def _scatter(edges, num_nodes, shift, symmetric, keep_loops, num_thread):
    """Move the entries to their buckets, and empty `edges`; return row in bucket, column and weight, and the bounds."""
    shares = slices(len(edges[0]), num_thread)
    heads, tails, step = _as_they_lie(*edges[:2])
    weighted = edges[2] is not None
    weights = edges[2] if weighted else np.empty(0, np.float32)
    num_bucket = max(1, -(-num_nodes // (1 << shift)))
    counts = np.zeros((len(shares), num_bucket), np.int64)

    def count(i, _):
        _count_entries(heads, tails, step, *shares[i], shift, symmetric, keep_loops, counts[i])

    run_slices(count, len(shares), num_thread)
    # Where each thread starts in each bucket: buckets one after the other, within a bucket the threads in their order.
    ends = np.cumsum(counts.T.ravel()).reshape(num_bucket, len(shares)).T
    cursors = np.ascontiguousarray(ends - counts)
    bounds = np.zeros(num_bucket + 1, np.int64)
    np.cumsum(counts.sum(axis=0), out=bounds[1:])

    rows = np.empty(bounds[-1], np.uint16)
    columns = np.empty(bounds[-1], heads.dtype)
    values = np.empty(bounds[-1] if weighted else 0, np.float32)

    def move(i, _):
        _move_entries(
            heads, tails, weights, step, *shares[i], shift, symmetric, keep_loops, cursors[i], rows, columns, values
        )

    run_slices(move, len(shares), num_thread)
    edges.clear()
    return rows, columns, values, bounds


def _as_they_lie(heads, tails):
    """Return `heads` and `tails` as contiguous memory, and the step from one id to the next in it.

    Two columns of one array take a step above 1: kernels are compiled for contiguous arrays, and a copy would double
    what the edges take.
    """
    if len(heads) < 2 or (heads.flags.c_contiguous and tails.flags.c_contiguous):
        return np.ascontiguousarray(heads), np.ascontiguousarray(tails), 1
    step, rest = divmod(heads.strides[0], heads.itemsize)
    if heads.strides != tails.strides or rest or step < 1:
        return np.ascontiguousarray(heads), np.ascontiguousarray(tails), 1
    shape = ((len(heads) - 1) * step + 1,)
    return *(as_strided(column, shape, (column.itemsize,)) for column in (heads, tails)), step


def _sort(rows, columns, values, bounds, shift, merge, degrees, num_thread):
    """Sort and merge within the buckets, set `degrees`, and return how many entries each bucket has kept."""
    num_bucket, nnz = len(bounds) - 1, int(bounds[-1])
    kept = np.zeros(num_bucket, np.int64)

    def sort(first, last):
        # Shares of equal numbers of entries, rounded to whole buckets.
        a = 0 if first == 0 else np.searchsorted(bounds[:-1], first)
        b = num_bucket if last == nnz else np.searchsorted(bounds[:-1], last)
        _sort_buckets(a, b, bounds, shift, merge, rows, columns, values, degrees, kept)

    run_slices(sort, nnz, num_thread)
    return kept


def _compact(array, bounds, kept):
    """Close the gaps that merging left at the end of each bucket, in place, and give the rest of the memory back."""
    total = int(kept.sum())
    if total < len(array):
        _close_gaps(array, bounds, kept)
        array.resize(total, refcheck=False)  # nothing else reads it any more
    return array
