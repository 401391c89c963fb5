"""Rows of a table nearest to a query: the definition."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodeloom.typing import DoubleArray, IndexArray


def nearest_rows(
    vectors: DoubleArray,
    queries: DoubleArray,
    left_out: IndexArray,
    cosine: bool,
    ids: npt.NDArray[np.int64],
    scores: DoubleArray,
) -> None:
    """Fill `ids` and `scores` [Q, k] with the k rows of the highest score for each query, highest first.

    Of rows with equal scores the first comes first. A score that is not a number is above all others, so that it shows.

    Parameters
    ----------
    vectors : float [N, D]
        The rows to search.
    queries : float [Q, D]
        The vectors to search for.
    left_out : int64 [Q]
        A row not to be found for each query; -1 for none.
    cosine : bool
        The score is the cosine, which is 0 for a vector of zeros, not the dot product.
    ids, scores : int64 [Q, k], float [Q, k]
        Written. k is at most N, one less where a row is left out.
    """
    k = ids.shape[1]
    table = vectors.astype(np.float64)
    lengths = np.linalg.norm(table, axis=1)
    for i, query in enumerate(queries.astype(np.float64)):
        score = table @ query
        if cosine:
            both = lengths * np.linalg.norm(query)
            score = np.divide(score, both, out=np.zeros_like(score), where=both != 0)
        candidates = np.flatnonzero(np.arange(len(table)) != left_out[i])
        rank = np.where(np.isnan(score), np.inf, score)[candidates]
        best = candidates[np.lexsort((-rank, ~np.isnan(score[candidates])))[:k]]
        ids[i], scores[i] = best, score[best]
