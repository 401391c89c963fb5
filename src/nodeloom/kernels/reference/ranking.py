"""Ranks of answers by counting: how many rows score above the row of an answer, and how many as it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nodeloom.typing import Comparator, DoubleArray, Floats, IndexArray, OffsetArray


def pair_scores(
    comparator: Comparator, asked: Floats, rows: IndexArray, candidates: Floats, ids: IndexArray, out: DoubleArray
) -> None:
    """Set ``out[i]`` to the score of query ``asked[rows[i]]`` with row ``candidates[ids[i]]``.

    The terms are float64 and are added in a fixed order: the second half of them to the first half, and so on, after they were
    filled up with zeros to a power of two. So a score depends on the values of the two rows alone, to the last bit: not on the
    place of a row, on what it is computed with, or on the number of threads.

    Parameters
    ----------
    comparator : str
        See :class:`nodeloom.model.relational.Relational`.
    asked, candidates : float [Q, D], float [N, D]
        Queries and rows.
    rows, ids : int [n]
        The pairs.
    out : float64 [n]
        Written. NaN becomes minus infinity: what has no score is behind all that have one.
    """
    q, e = np.asarray(asked)[rows].astype(np.float64), np.asarray(candidates)[ids].astype(np.float64)
    with np.errstate(all="ignore"):  # infinite and missing values are allowed
        match comparator:
            case "dot":
                total = _sum(q * e)
            case "l1":
                total = -_sum(np.abs(q - e))
            case "l2":
                total = -np.sqrt(_sum((q - e) * (q - e)))
            case "squared":
                total = -_sum((q - e) * (q - e))
            case "modulus":
                real, imaginary = np.split(q - e, 2, axis=1)
                total = -_sum(np.sqrt(real * real + imaginary * imaginary))
    out[:] = np.where(np.isnan(total), -np.inf, total)


def _sum(terms: DoubleArray) -> DoubleArray:
    width = 1
    while width < terms.shape[1]:
        width *= 2
    terms = np.pad(terms, ((0, 0), (0, width - terms.shape[1])))
    while width > 1:
        width //= 2
        terms = terms[:, :width] + terms[:, width:]
    return terms[:, 0]


def count_rows(
    comparator: Comparator,
    asked: Floats,
    candidates: Floats,
    indptr: OffsetArray,
    truth: DoubleArray,
    better: OffsetArray,
    equal: OffsetArray,
) -> None:
    """Count the rows that score above each answer, and those that score as it does, by :func:`pair_scores`.

    Parameters
    ----------
    comparator : str
        See :class:`nodeloom.model.relational.Relational`.
    asked, candidates : float [Q, D], float [N, D]
        Queries and rows.
    indptr : int64 [Q + 1]
        Answers ``indptr[q]`` to ``indptr[q + 1] - 1`` are those of query q.
    truth : float64 [n]
        Scores of the answers.
    better, equal : int64 [n]
        Written. A row that is the answer itself is counted as equal.
    """
    everything = np.arange(len(candidates))
    scores = np.empty(len(candidates))
    for query in range(len(asked)):
        pair_scores(comparator, asked, np.full(len(candidates), query), candidates, everything, scores)
        for i in range(indptr[query], indptr[query + 1]):
            better[i] = (scores > truth[i]).sum()
            equal[i] = (scores == truth[i]).sum()


def leave_out(
    indptr: OffsetArray,
    answers: IndexArray,
    truth: DoubleArray,
    known_indptr: OffsetArray,
    known: IndexArray,
    scores: DoubleArray,
    better: OffsetArray,
    equal: OffsetArray,
) -> None:
    """Take rows that are known to be answers too out of the counts; an answer itself stays.

    Parameters
    ----------
    indptr, answers, truth : int64 [Q + 1], int [n], float64 [n]
        The answers of each query, their rows and their scores.
    known_indptr, known, scores : int64 [Q + 1], int [K], float64 [K]
        The known rows of each query, ascending, and their scores.
    better, equal : int64 [n]
        Changed.
    """
    for query in range(len(indptr) - 1):
        others = slice(known_indptr[query], known_indptr[query + 1])
        for i in range(indptr[query], indptr[query + 1]):
            away = scores[others][known[others] != answers[i]]
            better[i] -= (away > truth[i]).sum()
            equal[i] -= (away == truth[i]).sum()


def best_rows(
    comparator: Comparator,
    asked: Floats,
    candidates: Floats,
    known_indptr: OffsetArray,
    known: IndexArray,
    ids: IndexArray,
    scores: DoubleArray,
) -> None:
    """Fill `ids` and `scores` [Q, k] with the rows of the highest scores for each query, highest first, of equal ones the first first.

    Parameters
    ----------
    comparator, asked, candidates
        As in :func:`count_rows`.
    known_indptr, known : int64 [Q + 1], int [K]
        Rows that are left out, of each query, ascending.
    ids, scores : int64 [Q, k], float64 [Q, k]
        Written; -1 and minus infinity where there are fewer than k rows.
    """
    ids[:], scores[:] = -1, -np.inf
    for query in range(len(asked)):
        away = known[known_indptr[query] : known_indptr[query + 1]]
        rows = np.setdiff1d(np.arange(len(candidates)), away)
        found = np.empty(len(rows))
        pair_scores(comparator, asked, np.full(len(rows), query), candidates, rows, found)
        order = np.argsort(-found, kind="stable")[: ids.shape[1]]
        ids[query, : len(order)], scores[query, : len(order)] = rows[order], found[order]


def rows_above(
    comparator: Comparator,
    asked: Floats,
    candidates: Floats,
    least: float,
    k: int,
    known_indptr: OffsetArray,
    known: IndexArray,
) -> tuple[OffsetArray, OffsetArray, DoubleArray]:
    """Return the pairs of queries and rows that score at least as much as a bound, and as the k-th best of them, in any order.

    Parameters
    ----------
    comparator, asked, candidates, known_indptr, known
        As in :func:`best_rows`.
    least : float
        The bound.
    k : int
        Pairs below the k-th best are not needed; all that score as it does are.

    Returns
    -------
    rows, ids, scores : int64 [n], int64 [n], float64 [n]
    """
    ids = np.empty((len(asked), len(candidates)), np.int64)
    scores = np.empty(ids.shape)
    best_rows(comparator, asked, candidates, known_indptr, known, ids, scores)
    kept = (ids >= 0) & (scores >= least)
    if kept.sum() > k:
        kept &= scores >= np.sort(scores[kept])[-k]
    rows = np.nonzero(kept)[0]
    return rows, ids[kept], scores[kept]
