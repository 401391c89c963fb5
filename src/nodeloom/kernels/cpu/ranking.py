"""Ranks of answers by counting; :mod:`nodeloom.kernels.reference.ranking` is the definition.

Rows are filtered by float32: matrix products of blocks, or distances in tiles, whose rounding has a bound. A pair that the filter
cannot tell from the answer is scored in float64 in the order that the definition says. So counts are those of the definition, for
any library of matrix products, any blocks and any number of threads.
"""

from __future__ import annotations

import numpy as np
from threadpoolctl import threadpool_limits

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.parallel import run_slices

_KINDS = {"dot": 0, "l1": 1, "l2": 2, "squared": 3, "modulus": 4}
_QUERIES = 512  # looked at together
_ROWS = 2048  # looked at together: the scores of a block stay in the cache
_CHUNK = 128  # scores compared without a branch
_UNIT = 2.0**-24  # of float32
_LEAST = 1e-36  # below it float32 loses bits


@jit(fastmath=False)
def _score(kind, q, e, terms):
    """Return the score of a pair of rows, which is the same for the same values; `terms` is memory, a power of two long."""
    dim = q.size
    if kind == 4:
        dim //= 2
    width = terms.size
    if kind == 0:
        for d in range(dim):
            terms[d] = np.float64(q[d]) * np.float64(e[d])
    elif kind == 1:
        for d in range(dim):
            terms[d] = abs(np.float64(q[d]) - np.float64(e[d]))
    elif kind == 4:
        for d in range(dim):
            x = np.float64(q[d]) - np.float64(e[d])
            y = np.float64(q[d + dim]) - np.float64(e[d + dim])
            terms[d] = np.sqrt(x * x + y * y)
    else:
        for d in range(dim):
            x = np.float64(q[d]) - np.float64(e[d])
            terms[d] = x * x
    for d in range(dim, width):
        terms[d] = 0.0
    while width > 1:
        width //= 2
        for d in range(width):
            terms[d] += terms[d + width]
    total = terms[0]
    if kind == 2:
        total = np.sqrt(total)
    if kind != 0:
        total = -total
    if np.isnan(total):
        return -np.inf
    return total


def _width(kind, dim):
    """Return the power of two that the terms of a pair are filled up to."""
    return 1 << max(0, (dim // 2 if kind == 4 else dim) - 1).bit_length()


@jit(fastmath=False)
def _pair_scores(kind, asked, rows, candidates, ids, terms, first, last, out):
    for i in range(first, last):
        out[i] = _score(kind, asked[rows[i]], candidates[ids[i]], terms)


def pair_scores(comparator, asked, rows, candidates, ids, out, *, num_thread=1):
    """Set ``out[i]`` to the score of query ``asked[rows[i]]`` with row ``candidates[ids[i]]``, to the last bit as the definition."""
    kind = _KINDS[comparator]

    def run(first, last):
        terms = np.empty(_width(kind, asked.shape[1]))
        _pair_scores(kind, asked, rows, candidates, ids, terms, first, last, out)

    run_slices(run, len(out), num_thread)


@jit
def _distances(kind, asked, candidates, out):
    """Set `out` [B, T] to minus the L1 distances, or to minus the sums of complex moduli, of all pairs of rows, in float32."""
    dim = asked.shape[1]
    half = dim // 2
    for b in range(asked.shape[0]):
        q = asked[b]
        for j in range(candidates.shape[0]):
            e = candidates[j]
            total = np.float32(0.0)
            if kind == 1:
                for d in range(dim):
                    total += abs(q[d] - e[d])
            else:
                for d in range(half):
                    x = q[d] - e[d]
                    y = q[d + half] - e[d + half]
                    total += np.sqrt(x * x + y * y)
            out[b, j] = -total


@jit
def _lengths(rows, out):
    """Set `out` [T] to the length of each row, infinity for one whose products float32 may not hold."""
    for t in range(rows.shape[0]):
        row = rows[t]
        total = 0.0
        for d in range(row.size):
            total += np.float64(row[d]) * np.float64(row[d])
        if total < 1e36:
            out[t] = np.float32(1.001 * np.sqrt(total))
        else:  # NaN too
            out[t] = np.inf


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
                        score = _score(kind, asked[b], candidates[c], terms)
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
    kind = _KINDS[comparator]
    asked = np.ascontiguousarray(asked, np.float32)
    better[:], equal[:] = 0, 0
    found = _Filter(kind, asked)
    values, slacks = found.values(np.repeat(np.arange(len(asked)), np.diff(indptr)), truth)

    def run(first, last):
        terms = np.empty(_width(kind, asked.shape[1]))
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


class _Filter:
    """What rises with the score, in float32, and by how much it may be wrong.

    A float32 product of D terms is wrong by at most D units of the product of the lengths, in any order of the sum. A sum of
    distances is wrong by as many units of itself. L2 distances are compared by ``2 q e - e e = q q - distance^2``.
    """

    def __init__(self, kind, asked):
        self.kind, self.dim = kind, asked.shape[1]
        self.gamma = gamma = 1.01 * (self.dim + 8) * _UNIT
        lengths = np.empty(len(asked), np.float32)
        _lengths(asked, lengths)
        self.lengths = lengths.astype(np.float64)
        with np.errstate(all="ignore"):  # infinite and missing values are allowed
            if kind == 0:
                slopes = np.where(self.lengths > 0, np.maximum(gamma * self.lengths, _LEAST), 0.0)
            elif kind in (2, 3):
                self.squares = np.einsum("ij,ij->i", asked, asked, dtype=np.float64)
                slopes = np.full(len(asked), 4 * gamma)
            else:
                slopes = np.where(self.lengths < np.inf, 0.0, np.inf)
            self.slopes = slopes.astype(np.float32)

    def values(self, query, scores):
        """Return what the filter would say of scores of queries, and by how much it may be wrong besides: float32 [n] each."""
        with np.errstate(all="ignore"):
            if self.kind == 0:
                values, slack = scores, 0.0
            elif self.kind in (2, 3):
                values = self.squares[query] - (scores * scores if self.kind == 2 else -scores)
                slack = 4 * self.gamma * self.lengths[query] ** 2
            else:
                # Squares that are too small for float32 cost a modulus no more than 1e-22.
                values, slack = scores, 2 * self.gamma * np.abs(scores) + self.dim * 1e-22
            slack = 1.01 * slack + 8 * _UNIT * np.abs(values) + _LEAST
            return values.astype(np.float32), slack.astype(np.float32)

    def scores(self, query, values):
        """Return the scores that the filter stands for, float64 [n]."""
        values = values.astype(np.float64)
        if self.kind not in (2, 3):
            return values
        squares = np.maximum(self.squares[query] - values, 0.0)
        return -np.sqrt(squares) if self.kind == 2 else -squares

    def block(self, asked, rows, memory):
        """Return what the filter says of queries and rows, float32 [B, T], and the size of the rows, float32 [T]."""
        filtered = memory[: len(asked), : len(rows)]
        lengths = np.empty(len(rows), np.float32)
        _lengths(rows, lengths)
        if self.kind in (1, 4):
            _distances(self.kind, asked, rows, filtered)
            return filtered, lengths
        with np.errstate(all="ignore"):
            np.matmul(asked, rows.T, out=filtered)
            if self.kind in (2, 3):
                lengths *= lengths
                filtered *= np.float32(2.0)
                filtered -= np.einsum("ij,ij->i", rows, rows)
        return filtered, lengths


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
    kind, count = _KINDS[comparator], len(candidates)
    asked = np.ascontiguousarray(asked, np.float32)
    found = _Filter(kind, asked)

    def run(first, last):
        terms = np.empty(_width(kind, asked.shape[1]))
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
