"""Ranks of answers by counting; :mod:`nodeloom.kernels.reference.ranking` is the definition.

Rows are filtered by float32: matrix products of blocks, or distances in tiles, whose rounding has a bound. A pair that the filter
cannot tell from the answer is scored in float64 in the order that the definition says. So counts are those of the definition, for
any library of matrix products, any blocks and any number of threads.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu._row_filter import KINDS, RowFilter, score_pair, width_of
from nodeloom.kernels.cpu.parallel import run_slices

_QUERIES = 512  # looked at together
_ROWS = 2048  # looked at together: the scores of a block stay in the cache
_CHUNK = 128  # scores compared without a branch


@jit(fastmath=False)
def _pair_scores(kind, asked, rows, candidates, ids, terms, first, last, out):
    for i in range(first, last):
        out[i] = score_pair(kind, asked[rows[i]], candidates[ids[i]], terms)


def pair_scores(comparator, asked, rows, candidates, ids, out, *, num_thread=1):
    """Set ``out[i]`` to the score of query ``asked[rows[i]]`` with row ``candidates[ids[i]]``, to the last bit as the definition."""
    kind = KINDS[comparator]

    def run(first, last):
        terms = np.empty(width_of(kind, asked.shape[1]))
        _pair_scores(kind, asked, rows, candidates, ids, terms, first, last, out)

    run_slices(run, len(out), num_thread)


@jit(inline=True)
def _tell(row, lengths, value, slope, slack, begin, end):
    """Return how many of a chunk of scores are above a value for sure, and how many may be equal to it; without a branch."""
    above = np.int32(0)
    below = np.int32(0)
    for c in range(begin, end):
        difference = row[c] - value
        most = slope * lengths[c] + slack
        above += np.int32(difference > most)
        below += np.int32(difference < -most)
    return above, np.int32(end - begin) - above - below


@jit
def _count_block(
    kind, filtered, lengths, slopes, slacks, values, asked, candidates, indptr, truth, terms, better, equal
):
    """Add the rows of a block that score above each answer of its queries, or as it does.

    Parameters
    ----------
    kind : int
        The comparator.
    filtered : float32 [B, T]
        What the filter says: it rises with the score.
    lengths : float32 [T]
        Size of each row; infinity for one that passes the filter with every query.
    slopes, slacks : float32 [B], float32 [n]
        The filter is wrong by no more than ``slopes[b] * lengths[t] + slacks[i]``.
    values : float32 [n]
        What the filter would say of the answers.
    asked, candidates : float32 [B, D], float32 [T, D]
        Queries and rows.
    indptr, truth : int64 [B + 1], float64 [n]
        Answers of each query, and their scores.
    terms : float64 [W]
        Memory.
    better, equal : int64 [n]
        Added to.
    """
    num_row = candidates.shape[0]
    for b in range(asked.shape[0]):
        slope = slopes[b]
        for i in range(indptr[b], indptr[b + 1]):
            value, slack = values[i], slacks[i]
            for begin in range(0, num_row, _CHUNK):
                end = min(begin + _CHUNK, num_row)
                if end - begin == _CHUNK:
                    above, near = _tell(filtered[b], lengths, value, slope, slack, begin, begin + _CHUNK)
                else:
                    above, near = _tell(filtered[b], lengths, value, slope, slack, begin, end)
                better[i] += above
                if near == 0:
                    continue
                for c in range(begin, end):
                    difference = filtered[b, c] - value
                    most = slope * lengths[c] + slack
                    if difference > most or difference < -most:
                        continue
                    if kind == 0 and slope == 0.0 and lengths[c] < np.inf:
                        score = 0.0  # a query of zeros
                    else:
                        score = score_pair(kind, asked[b], candidates[c], terms)
                    if score > truth[i]:
                        better[i] += 1
                    elif score == truth[i]:
                        equal[i] += 1


def count_rows(
    comparator, asked, candidates, indptr, truth, better, equal, *, num_thread=1, num_query=_QUERIES, num_row=_ROWS
):
    """Count the rows that score above each answer, and those that score as it does; the answer itself is counted as equal.

    Parameters
    ----------
    comparator, asked, candidates, indptr, truth, better, equal
        As in the definition; tables are float32, of which the rows may be a memory map.
    num_thread : int
        Threads; they take queries.
    num_query, num_row : int
        Queries and rows that a thread looks at together: it takes 4 bytes for each of their pairs.
    """
    kind = KINDS[comparator]
    asked = np.ascontiguousarray(asked, np.float32)
    better[:], equal[:] = 0, 0
    found = RowFilter(comparator, asked)
    values, slacks = found.values(np.repeat(np.arange(len(asked)), np.diff(indptr)), truth)

    def run(first, last):
        terms = np.empty(width_of(kind, asked.shape[1]))
        memory = np.empty((min(num_query, last - first), min(num_row, len(candidates))), np.float32)
        for begin in range(first, last, num_query):
            block = slice(begin, min(begin + num_query, last))
            own = slice(indptr[block.start], indptr[block.stop])
            for row in range(0, len(candidates), num_row):
                rows = np.ascontiguousarray(candidates[row : row + num_row], np.float32)
                filtered, lengths = found.block(asked[block], rows, memory)
                _count_block(
                    kind, filtered, lengths, found.slopes[block], slacks[own], values[own], asked[block], rows,
                    indptr[block.start : block.stop + 1] - own.start, truth[own], terms, better[own], equal[own],
                )  # fmt: skip

    with threadpool_limits(1, user_api="blas"):
        run_slices(run, len(asked), num_thread)


@jit(fastmath=False)
def leave_out(indptr, answers, truth, known_indptr, known, scores, better, equal):
    """Take rows that are known to be answers too out of the counts; an answer itself stays. Parameters as in the definition."""
    for query in range(indptr.size - 1):
        first, last = known_indptr[query], known_indptr[query + 1]
        if first == last or indptr[query] == indptr[query + 1]:
            continue
        ordered = np.sort(scores[first:last])
        ids = known[first:last]
        for i in range(indptr[query], indptr[query + 1]):
            low = np.searchsorted(ordered, truth[i])
            high = np.searchsorted(ordered, truth[i], side="right")
            better[i] -= ordered.size - high
            equal[i] -= high - low
            place = np.searchsorted(ids, answers[i])
            if place < ids.size and ids[place] == answers[i]:
                equal[i] += 1


def best_rows(comparator, asked, candidates, known_indptr, known, ids, scores, *, num_thread=1, num_scores=1 << 24):
    """Fill `ids` and `scores` [Q, k] with the rows of the highest scores for each query, highest first, of equal ones the first first.

    Parameters
    ----------
    comparator, asked, candidates, known_indptr, known, ids, scores
        As in the definition.
    num_thread, num_scores : int
        Threads; scores that each of them holds at a time, or as many as there are rows.
    """
    kind, count = KINDS[comparator], len(candidates)
    asked = np.ascontiguousarray(asked, np.float32)
    found = RowFilter(comparator, asked)

    def run(first, last):
        terms = np.empty(width_of(kind, asked.shape[1]))
        step = max(1, min(num_scores // max(count, 1), last - first))
        memory, sizes = np.empty((step, count), np.float32), np.empty(count, np.float32)
        for begin in range(first, last, step):
            end = min(begin + step, last)
            for row in range(0, count, _ROWS):
                rows = np.ascontiguousarray(candidates[row : row + _ROWS], np.float32)
                _, sizes[row : row + _ROWS] = found.block(asked[begin:end], rows, memory[:, row : row + _ROWS])
            for query in range(begin, end):
                choose(query, memory[query - begin], sizes, terms)

    def choose(query, filtered, sizes, terms):
        away = known[known_indptr[query] : known_indptr[query + 1]]
        sure = sizes < np.inf
        told = np.where(sure, filtered, -np.inf)
        told[away] = -np.inf
        k = min(ids.shape[1], count - len(away))
        ids[query], scores[query] = -1, -np.inf
        if k < 1:
            return
        least = np.partition(told, count - k)[count - k]
        at = np.array([query])
        slack = found.values(at, found.scores(at, np.array([least])))[1][0] if np.isfinite(least) else np.inf
        most = 2 * (found.slopes[query] * sizes.max(where=sure, initial=0) + slack)
        passing = ~(told < least - most)  # NaN passes
        passing |= ~sure
        passing[away] = False
        chosen = np.flatnonzero(passing)
        exact = np.empty(len(chosen))
        _pair_scores(kind, asked, np.full(len(chosen), query), candidates, chosen, terms, 0, len(chosen), exact)
        order = np.lexsort((chosen, -exact))[:k]
        ids[query, :k], scores[query, :k] = chosen[order], exact[order]

    with threadpool_limits(1, user_api="blas"):
        run_slices(run, len(asked), num_thread)


def rows_above(comparator, asked, candidates, least, k, known_indptr, known):
    """Return the pairs of queries and rows that score at least as much as a bound, and no fewer than the k best, in any order.

    Parameters
    ----------
    comparator, asked, candidates, known_indptr, known
        As in the definition.
    least : float
        The bound.
    k : int
        More pairs than this are not needed.

    Returns
    -------
    rows, ids, scores : int64 [n], int64 [n], float64 [n]
    """
    kind = KINDS[comparator]
    asked = np.ascontiguousarray(asked, np.float32)
    found = RowFilter(comparator, asked)
    rows, ids, scores = np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0)
    terms = np.empty(width_of(kind, asked.shape[1]))
    memory = np.empty((len(asked), min(_ROWS, len(candidates))), np.float32)
    every = np.arange(len(asked))
    with threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        for first in range(0, len(candidates), _ROWS):
            part = np.ascontiguousarray(candidates[first : first + _ROWS], np.float32)
            filtered, sizes = found.block(asked, part, memory)
            most = found.slopes * sizes.max(where=sizes < np.inf, initial=0)
            values, slacks = found.values(every, np.full(len(asked), least))
            passing = ~(filtered < (values - most - slacks)[:, None]) | ~(sizes < np.inf)
            query, row = np.nonzero(passing)
            keys = np.repeat(every, np.diff(known_indptr)) * len(candidates) + known
            kept = ~np.isin(query * len(candidates) + row + first, keys)
            query, row = query[kept], row[kept]
            exact = np.empty(len(query))
            _pair_scores(kind, asked, query, part, row, terms, 0, len(query), exact)
            kept = exact >= least
            rows, ids = np.append(rows, query[kept]), np.append(ids, row[kept] + first)
            scores = np.append(scores, exact[kept])
            if len(scores) > k:
                least = max(least, np.partition(scores, len(scores) - k)[len(scores) - k])
                kept = scores >= least
                rows, ids, scores = rows[kept], ids[kept], scores[kept]
    return rows, ids, scores
