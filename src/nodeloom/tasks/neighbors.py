"""Nearest nodes: exact search over all vectors, block by block."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.tasks.given import is_model

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, FloatArray, IndexArray

Metric = Literal["cosine", "dot", "euclidean"]

_QUERIES = 1024  # queries searched at a time
_SCORES = 1 << 22  # scores held at a time
_NUMBERS = 1 << 22  # numbers of the table looked at at a time


def nearest(
    vectors: FloatArray,
    queries: IndexArray | FloatArray | int,
    k: int = 10,
    *,
    metric: Metric = "cosine",
    exclude: Literal["self"] | IndexArray | None = "self",
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Find the k nodes whose vectors are nearest to each query.

    Parameters
    ----------
    vectors : ndarray, float32 [N, D]
        The vectors to search; may be a memory map. Memory needed beside it: about 50 MB.
    queries : int, ndarray int [q], or ndarray float [q, D] or [D]
        Node ids, or vectors.
    k : int
        Neighbours for each query.
    metric : {"cosine", "dot", "euclidean"}
        What is near. The cosine with a vector of zeros is 0.
    exclude : "self", ndarray int [q], or None
        A node to leave out for each query: the query itself (no node, for a query that is a vector), a given node (-1
        for none), or none.

    Returns
    -------
    ids : ndarray, int64 [q, k']
        Nodes, nearest first; of equally near ones the lower id first. k' = min(k, N), one less where a node is left
        out.
    scores : ndarray, float32 [q, k']
        Cosines or dot products, falling, or Euclidean distances, rising.

    Raises
    ------
    ConfigError
        If ``k`` is below 1 or ``metric`` unknown.
    DataError
        If a query is not a node, or not a finite vector of D numbers.
    """
    if metric not in ("cosine", "dot", "euclidean"):
        raise ConfigError(describe("metric", expected="'cosine', 'dot' or 'euclidean'", got=metric))
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(describe("k", expected="an integer >= 1", got=k))
    if is_model(vectors):
        hint = "Use model.nearest, which answers by name, or give model.vectors_."
        raise DataError(describe("nearest", expected="vectors", got=type(vectors).__name__, hint=hint))
    points, left_out = _queries(vectors, queries, exclude)
    k = min(k, len(vectors) - int((left_out >= 0).any()))
    ids = np.empty((len(points), k), dtype=np.int64)
    scores = np.empty((len(points), k), dtype=np.float32)
    for begin in range(0, len(points) if k else 0, _QUERIES):
        block = slice(begin, begin + _QUERIES)
        ids[block], scores[block] = _search(vectors, points[block], left_out[block], k, metric)
    return ids, scores


def _queries(
    vectors: FloatArray, queries: Any, exclude: Literal["self"] | IndexArray | None
) -> tuple[FloatArray, npt.NDArray[np.int64]]:
    """Return the vectors of the queries [q, D] and the node to leave out for each, -1 for none [q]."""
    queries = np.asarray(queries)
    if queries.dtype.kind not in "fiu":
        hint = "Names are found by model.nearest, or by names.find of a graph."
        raise DataError(
            describe("nearest", expected="node ids or vectors", got=f"values of type {queries.dtype}", hint=hint)
        )
    if np.issubdtype(queries.dtype, np.integer) and queries.ndim < 2:
        own = np.atleast_1d(queries).astype(np.int64)
        if len(own) and not (own.min() >= 0 and own.max() < len(vectors)):
            got = int(own.min()) if own.min() < 0 else int(own.max())
            raise DataError(describe("nearest", expected=f"node ids from 0 to {len(vectors) - 1}", got=got))
        points = np.asarray(vectors[own], dtype=np.float32)
    else:
        points = np.atleast_2d(queries).astype(np.float32)
        own = np.full(len(points), -1, dtype=np.int64)
        if points.ndim != 2 or points.shape[1] != vectors.shape[1]:
            expected = f"a vector of {vectors.shape[1]} numbers, or several of them"
            shape = f"one of {len(queries)}" if queries.ndim == 1 else f"an array of shape {list(queries.shape)}"
            raise DataError(f"nearest: expected {expected}, got {shape}")
    if not np.isfinite(points).all():
        raise DataError(describe("nearest", expected="queries of finite numbers", got="NaN or infinity"))
    if exclude is None:
        own = np.full(len(points), -1, dtype=np.int64)
    elif not isinstance(exclude, str):
        own = np.atleast_1d(np.asarray(exclude, dtype=np.int64))
        if own.shape != (len(points),):
            raise DataError(describe("exclude", expected=f"{len(points)} node ids", got=own.shape))
    return points, own


def _search(
    vectors: FloatArray, points: FloatArray, left_out: npt.NDArray[np.int64], k: int, metric: Metric
) -> tuple[npt.NDArray[np.int64], FloatArray]:
    """Search all vectors for a block of queries."""
    num_queries, dim = points.shape
    step = max(k, min(_SCORES // num_queries, _NUMBERS // dim), 1)
    queries = _prepare(points, metric)
    ids = np.full((num_queries, 0), -1, dtype=np.int64)
    best = np.full((num_queries, 0), -np.inf, dtype=queries.dtype)
    for begin in range(0, len(vectors), step):
        block = vectors[begin : begin + step]
        with np.errstate(over="ignore", invalid="ignore"):
            scores = _scores(queries, block, metric)
        if not np.isfinite(scores).all():
            raise _too_large()
        inside = np.flatnonzero((left_out >= begin) & (left_out < begin + len(block)))
        scores[inside, left_out[inside] - begin] = -np.inf
        ids, best = _merge(ids, best, scores, begin, k)
    if metric == "euclidean":
        # Distances from the difference, not from the expanded square: equal vectors are at distance 0 exactly.
        best = np.linalg.norm(vectors[ids].astype(np.float64) - points[:, None, :], axis=2)
        order = np.lexsort((ids, best), axis=1)
        ids, best = np.take_along_axis(ids, order, axis=1), np.take_along_axis(best, order, axis=1)
    return ids, best.astype(np.float32)


def _prepare(points: FloatArray, metric: Metric) -> FloatArray | DoubleArray:
    if metric == "cosine":
        return points / _lengths(points)[:, None]
    # Expanding the square of a distance cancels digits: it is done in double precision.
    return points.astype(np.float64) if metric == "euclidean" else points


def _scores(queries: FloatArray | DoubleArray, block: FloatArray, metric: Metric) -> FloatArray | DoubleArray:
    """Return scores [q, b], higher is nearer."""
    if metric == "euclidean":
        block = block.astype(np.float64)
        return 2 * (queries @ block.T) - np.einsum("ij,ij->i", block, block)
    scores = queries @ block.T
    if metric == "cosine":
        scores /= _lengths(block)
    return scores


def _lengths(rows: FloatArray) -> FloatArray:
    """Return the length of each row, 1 for rows of zeros, by which vectors are divided; float32 [rows]."""
    with np.errstate(over="ignore"):
        lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    if np.isinf(lengths).any():
        raise _too_large()
    return np.where(lengths > 0, lengths, np.float32(1))


def _too_large() -> DataError:
    hint = "The model has diverged, or the file is damaged."
    return DataError(describe("nearest", expected="vectors of finite numbers", got="NaN, or beyond 1e19", hint=hint))


def _merge(ids: npt.NDArray[np.int64], best: Any, scores: Any, begin: int, k: int) -> tuple[npt.NDArray[np.int64], Any]:
    """Merge the scores of a block [q, b], whose first node is ``begin``, into the best k so far [q, 0 or k], sorted.

    The first block has at least k nodes. All ids of the block are above those in ``ids``, so of equal scores those
    that are in already stay.
    """
    num_queries, size = scores.shape
    if ids.shape[1]:
        candidates = scores > best[:, -1:]
    else:
        threshold = np.partition(scores, size - k, axis=1)[:, size - k, None]
        candidates = scores >= threshold
    row, column = np.nonzero(candidates)
    if not len(row):
        return ids, best
    all_rows = np.concatenate([np.repeat(np.arange(num_queries), ids.shape[1]), row])
    all_ids = np.concatenate([ids.ravel(), column + begin])
    all_scores = np.concatenate([best.ravel(), scores[row, column]])
    order = np.lexsort((all_ids, -all_scores, all_rows))
    counts = np.bincount(all_rows, minlength=num_queries)
    starts = np.cumsum(counts) - counts
    picked = order[starts[:, None] + np.arange(k)]
    return all_ids[picked], all_scores[picked]
