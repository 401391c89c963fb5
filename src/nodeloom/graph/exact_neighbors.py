"""Exact neighbors on the CPU: blocks of products filter pairs, and what passes is measured in float64."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import MemoryLimitError
from nodeloom.graph.neighbor_filter import Axes, Filter, find_axes, make_filter
from nodeloom.kernels.cpu import neighbors as kernels
from nodeloom.kernels.cpu.parallel import collect, run_slices
from nodeloom.units import size

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, FloatArray

_BLOCK = 2304  # rows whose pairs are looked at together: their short vectors and products stay in the cache
_STRIP = 512  # rows multiplied at a time
_KINDS = {"euclidean": kernels.EUCLIDEAN, "cosine": kernels.COSINE, "inner_product": kernels.INNER_PRODUCT}


def exact_neighbors(
    vectors: npt.NDArray[Any], k: int, metric: str, num_thread: int, memory: int | None
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Find the k nearest other rows of each row; the result is that of float64 for any number of threads.

    Parameters
    ----------
    vectors : [N, D]
        The rows, float32 or float64, in C order; may be a memory map.
    k : int
        Neighbors of each, below N.
    metric : str
        "euclidean", "cosine" or "inner_product".
    num_thread : int
        Threads.
    memory : int or None
        Bytes that may be used beside the vectors.

    Returns
    -------
    indices, distances : int32 [N, k], float32 [N, k]

    Raises
    ------
    MemoryLimitError
        It takes more memory.
    """
    from threadpoolctl import threadpool_limits

    centered = metric != "inner_product"
    lengths = row_lengths(vectors) if metric == "cosine" else None
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(num_thread) as pool:
        axes = find_axes(vectors, lengths, k, centered=centered)
        needed = num_bytes(len(vectors), k, axes, num_thread)
        if memory is not None and needed > memory:
            raise MemoryLimitError(
                f"neighbors of {len(vectors):,} vectors of {vectors.shape[1]:,} need {size(needed)} beside the vectors, "
                f"{size(memory)} may be used. Allow more memory, or look for fewer neighbors."
            )
        found = make_filter(vectors, lengths, axes, 2 * (k + 1), centered=centered)
        return _Search(found, vectors, lengths, k, metric, pool, num_thread).run()


def num_bytes(count: int, k: int, axes: Axes, num_thread: int) -> int:
    """Return the bytes that a search takes beside the vectors."""
    return axes.nbytes(count) + count * (20 * k + 32) + num_thread * _STRIP * (2 * _BLOCK) * 4


def expected_seconds(count: int, dim: int, num_thread: int) -> float:
    """Return about how long a search takes: a third of a nanosecond for a pair, and a hundredth for each of up to 128 columns."""
    return count**2 / 2 * (0.35 + 0.021 * min(dim, 128)) * 1e-9 / num_thread


def row_lengths(vectors: npt.NDArray[Any]) -> DoubleArray:
    """Return the length of each row, float64 [N], in blocks."""
    lengths = np.empty(len(vectors))
    for first in range(0, len(vectors), 4096):
        rows = np.asarray(vectors[first : first + 4096], np.float64)
        lengths[first : first + 4096] = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    return lengths


class _Search:
    """The search: heaps of the nearest so far, and the bounds that they give."""

    def __init__(
        self, found: Filter, vectors: Any, lengths: DoubleArray | None, k: int, metric: str, pool: Any, num_thread: int
    ) -> None:
        self.filter, self.pool, self.num_thread = found, pool, num_thread
        count = len(vectors)
        self.k, self.kind = k, _KINDS[metric]
        scale = found.scale if metric == "euclidean" else 2 * found.scale
        lengths = np.zeros(0) if lengths is None else lengths
        self.measured = (found.order, vectors, lengths, self.kind, scale)
        self.bounds = np.full(count, np.inf, np.float32)
        self.values, self.ids = np.full((count, k), np.inf), np.full((count, k), -1, np.int32)
        self.rounding = (found.short.shape[1] + 16) * 2.0**-24

    def run(self) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """Search, and return indices and distances."""
        leaves = self.filter.leaves
        leaf = list(itertools.pairwise(leaves))
        collect(self.pool, self._seed, [(a, b) for a, b in leaf if b - a > self.k])
        # As many blocks as threads need, 2^m of them, of whole leaves.
        number = 1
        while number < len(leaf) and (leaves[-1] > _BLOCK * number or number < 4 * self.num_thread):
            number *= 2
        blocks = list(itertools.pairwise(leaves[:: len(leaf) // number]))
        for distance in range(number):
            # Each block is part of one pair in a round, so that no two threads write to the same rows. Near blocks come first.
            pairs = [(i, i ^ distance) for i in range(number) if i <= i ^ distance]
            collect(self.pool, self._compare, [(*blocks[i], *blocks[j]) for i, j in pairs])
        indices = np.empty(self.ids.shape, np.int32)
        distances = np.empty(self.ids.shape, np.float32)
        order = self.filter.order
        run_slices(
            lambda a, b: kernels.sort_neighbors(a, b, order, self.values, self.ids, self.kind, indices, distances),
            len(order),
            self.num_thread,
        )
        return indices, distances

    def _moved(self, *ranges: tuple[int, int]) -> list[tuple[FloatArray, FloatArray]]:
        """Return the short vectors of ranges of rows and the bias of each, from an origin between them where that is nearer."""
        short, slack = self.filter.short, self.filter.slack
        origin = np.zeros(short.shape[1], np.float32)
        if self.filter.moves:
            origin = np.mean([short[a:b].mean(axis=0) for a, b in ranges], axis=0).astype(np.float32)
            wide = np.mean([float(np.einsum("ij,ij->", short[a:b], short[a:b])) / (b - a) for a, b in ranges])
            if float(origin @ origin) < 0.75 * wide:
                origin[:] = 0
        found = []
        for a, b in ranges:
            rows = short[a:b] - origin if origin.any() else short[a:b]
            squares = np.einsum("ij,ij->i", rows, rows)
            bias = (squares * (1 - self.rounding) if self.filter.moves else -squares * self.rounding) - slack[a:b]
            found.append((rows, bias.astype(np.float32)))
        return found

    def _seed(self, first: int, last: int) -> None:
        ((rows, bias),) = self._moved((first, last))
        kernels.seed_bounds(rows @ rows.T, first, self.k, bias, *self.measured, self.bounds)

    def _compare(self, first: int, last: int, other_first: int, other_last: int) -> None:
        same = first == other_first
        moved = self._moved((first, last)) * 2 if same else self._moved((first, last), (other_first, other_last))
        (rows, bias), (others, other_bias) = moved
        for a in range(0, last - first, _STRIP):
            begin = a if same else 0
            strip = slice(a, a + _STRIP)
            kernels.refine_pairs(
                rows[strip] @ others[begin:].T, first + a, other_first + begin, bias[strip], other_bias[begin:],
                self.filter.longer, self.filter.slack, *self.measured, self.bounds, self.values, self.ids,
            )  # fmt: skip
