"""Where the points of a map begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu.initial import uniform_rows
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.rng import Purpose, stream
from nodeloom.typing import DoubleArray, FloatArray

if TYPE_CHECKING:
    from nodeloom.engine.layout.cpu import Affinities

SPREAD = 1e-4
"""Standard deviation of the first coordinate of a start: so near to each other all points feel all others."""

NOISE = 1e-6
"""Points that are the same have to come apart: MNIST has none, tables of counts have many."""

_ROWS = 8192  # that the directions are found from
_WIDE = 1024  # values of a row from which on fewer rows are taken, whose products are fewer than those of the columns
_BLOCK = 1024  # rows, which stay in the cache while they are centered and multiplied
_LARGE = 256  # columns
_PIECE = 1024  # rows whose products a thread sums up
_STEPS = 60  # of the power iteration


def principal_start(
    vectors: npt.NDArray[Any], dim: int, seed: int, *, unit: bool = False, num_thread: int = 1
) -> FloatArray:
    """Return the first principal components of vectors, scaled for a start.

    Parameters
    ----------
    vectors : array [N, D]
        The vectors; they may be mapped from a file, and are read in blocks.
    dim : int
        Components. Those that the vectors do not have are noise.
    seed : int
        Of the noise.
    unit : bool
        Take the vectors at length 1.
    num_thread : int
        Threads. They do not change the result.

    Returns
    -------
    float32 [N, dim]
    """
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # else the last bits depend on the number of threads
        mean, directions = _directions(vectors, dim, unit, num_thread)
        scores = np.zeros((len(vectors), dim))

        def project(first_block: int, last_block: int) -> None:
            for first in range(first_block * _BLOCK, last_block * _BLOCK, _BLOCK):
                rows = _rows(vectors[first : first + _BLOCK], unit) - mean
                scores[first : first + _BLOCK, : directions.shape[1]] = rows @ directions

        run_slices(project, -(-len(vectors) // _BLOCK), num_thread)
    return scaled_start(scores, seed)


def scaled_start(scores: DoubleArray, seed: int) -> FloatArray:
    """Return scores [N, dim] as first places: centered, the widest of standard deviation `SPREAD`, with noise."""
    scores = scores - scores.mean(axis=0)
    deviation = scores.std(axis=0)
    widest = float(deviation.max(initial=0.0))
    if not widest > 1e-30:
        scores, widest = np.zeros_like(scores), 1.0
    return (scores * (SPREAD / widest) + NOISE * noise(len(scores), scores.shape[1], seed)).astype(np.float32)


def noise(count: int, dim: int, seed: int) -> FloatArray:
    """Return random numbers in [-1, 1), float32 [count, dim]; row i is the same for any count."""
    out = np.empty((count, dim), np.float32)
    uniform_rows(np.uint64(stream(seed, Purpose.LAYOUT)), 0, dim, np.float32(1.0), out)
    return out


def spectral_start(affinities: Affinities, dim: int, seed: int) -> FloatArray:
    """Return the slowest changing functions on the graph of affinities, scaled for a start.

    Power iteration of random columns by means of neighbors, half a step at a time; the constant is taken out. Points of components of
    their own begin apart.

    Returns
    -------
    float32 [N, dim]
    """
    from scipy.sparse import csr_array
    from threadpoolctl import threadpool_limits

    number = len(affinities)
    matrix = csr_array((affinities.weights, affinities.indices, affinities.indptr), shape=(number, number))
    degree = np.maximum(np.asarray(matrix.sum(axis=1), dtype=np.float64).ravel(), 1e-30)
    root = np.sqrt(degree / degree.sum())
    table = noise(number, dim + 2, seed).astype(np.float64) * root[:, None]
    with threadpool_limits(1):
        for _ in range(_STEPS):
            table = 0.5 * (table + (matrix @ (table / np.sqrt(degree)[:, None])) / np.sqrt(degree)[:, None])
            table -= root[:, None] * (root @ table)
            table = np.linalg.qr(table)[0]
        values, turn = np.linalg.eigh(
            table.T @ ((matrix @ (table / np.sqrt(degree)[:, None])) / np.sqrt(degree)[:, None])
        )
        table = table @ turn[:, np.argsort(-values)[:dim]]
    largest = table[np.abs(table).argmax(axis=0), np.arange(table.shape[1])]
    scores = np.zeros((number, dim))
    scores[:, : table.shape[1]] = table * np.sign(largest) / root[:, None]
    limit = np.quantile(np.abs(scores), 0.995, axis=0)  # small components would be far away
    return scaled_start(np.clip(scores, -limit, limit), seed)


def _rows(rows: npt.NDArray[Any], unit: bool) -> FloatArray:
    values = np.asarray(rows, np.float32)
    if unit:
        length = np.linalg.norm(values, axis=1, keepdims=True)
        return np.divide(values, np.where(length > 0, length, 1), dtype=np.float32)
    return values


def _directions(vectors: npt.NDArray[Any], dim: int, unit: bool, num_thread: int) -> tuple[FloatArray, FloatArray]:
    """Return the mean [D] and the principal directions [D, at most dim] of a part of the rows."""
    wide = vectors.shape[1] > _WIDE
    stride = max(1, len(vectors) // (_ROWS // 4 if wide else _ROWS))
    rows = _rows(vectors[::stride], unit)
    mean = rows.mean(axis=0, dtype=np.float64).astype(np.float32)
    rows = rows - mean
    rows /= np.float32(np.abs(rows).max(initial=0.0)) or np.float32(1)  # the squares of large numbers would overflow
    gram = (rows @ rows.T).astype(np.float64) if wide else _products(rows, num_thread)
    count = min(dim, len(gram))
    values, found = _largest(gram, count)
    kept = [k for k in range(count - 1, -1, -1) if values[k] > 1e-6 * values[-1]]
    directions = rows.T @ (found[:, kept] / np.sqrt(values[kept])).astype(np.float32) if wide else found[:, kept]
    if not kept:
        return mean, np.zeros((vectors.shape[1], 0), np.float32)
    largest = directions[np.abs(directions).argmax(axis=0), np.arange(len(kept))]
    return mean, (directions * np.sign(largest)).astype(np.float32)


def _largest(gram: DoubleArray, count: int) -> tuple[DoubleArray, DoubleArray]:
    """Return the largest eigenvalues of a symmetric matrix, ascending, and their vectors [D, count].

    Those of large matrices by Lanczos' method: LAPACK would hold up the thread that finds neighbors on a GPU.
    """
    from scipy.linalg import eigh
    from scipy.sparse.linalg import ArpackError, eigsh

    if len(gram) > _LARGE and gram.any():
        try:
            values, found = eigsh(gram, count, v0=np.ones(len(gram)), tol=1e-6, maxiter=20)
            order = np.argsort(values)
            return values[order], found[:, order]
        except ArpackError:  # many are nearly the same
            pass
    values, found = eigh(gram, subset_by_index=(len(gram) - count, len(gram) - 1))
    return values, found


def _products(rows: FloatArray, num_thread: int) -> DoubleArray:
    """Return the products of all columns, summed up piece by piece, whatever the number of threads."""
    pieces = np.array_split(rows, -(-len(rows) // _PIECE))

    def multiply(first: int, last: int) -> list[FloatArray]:
        return [piece.T @ piece for piece in pieces[first:last]]

    found = run_slices(multiply, len(pieces), num_thread)
    return np.sum([product for products in found for product in products], axis=0, dtype=np.float64)


def turned(coordinates: FloatArray) -> FloatArray:
    """Return a map centered and turned to its principal axes, so that maps of nearly the same data look alike."""
    values = coordinates.astype(np.float64)
    values -= values.mean(axis=0)
    _, axes = np.linalg.eigh(values.T @ values)
    axes = axes[:, ::-1]
    skew = ((values @ axes) ** 3).sum(axis=0)
    return (values @ (axes * np.where(skew < 0, -1.0, 1.0))).astype(np.float32)


def laid_onto(coordinates: FloatArray, earlier: FloatArray, known: npt.NDArray[np.bool_]) -> FloatArray:
    """Return a map shifted, turned and mirrored so that its `known` points come as near to an earlier map as they can (Procrustes)."""
    values, target = coordinates.astype(np.float64), earlier.astype(np.float64)
    from_center, to_center = values[known].mean(axis=0), target[known].mean(axis=0)
    left, _, right = np.linalg.svd((values[known] - from_center).T @ (target[known] - to_center))
    return ((values - from_center) @ (left @ right) + to_center).astype(np.float32)
