"""Dense tables and their products with sparse matrices on the CPU, in blocks of rows that threads share.

Blocks depend on the shape of a table alone, each is done by one thread, and sums over blocks are made in their order: the
results are the same on any number of threads.
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nodeloom.kernels.cpu.initial import uniform_rows
from nodeloom.kernels.cpu.parallel import collect
from nodeloom.kernels.cpu.products import multiply_rows, normalize_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray

BLOCK_VALUES = 1 << 16
"""Values of a table in a block of its rows: they fit the cache of a core."""

MAX_GROUPS = 64
"""Groups of blocks that are summed up on their own, at most; a thread takes one at a time."""

COLUMN_BUFFERS = 4
"""Blocks of columns on a GPU that does not hold whole tables: one that is read and one that is written, each of two streams."""

ROW_VALUES = 1 << 23
"""Values of the rows that a GPU sums up in float32, before sums of blocks are added in float64."""


@dataclass(frozen=True)
class Matrix:
    """A sparse matrix [N, N] in compressed sparse rows.

    Attributes
    ----------
    indptr, indices : int64 [N + 1], int32 or int64 [nnz]
        Offsets of the rows, and columns.
    weights : float32 [nnz] or [0]
        Entries; none: all are 1.
    factors : float32 [N]
        What each column is multiplied by.
    """

    indptr: OffsetArray
    indices: IndexArray
    weights: FloatArray
    factors: FloatArray


class Backend(Protocol):
    """The operations that spectral methods are made of; tables are arrays of NumPy or tensors of torch, matrices what `matrix` returns."""

    def matrix(self, matrix: Matrix) -> Any:
        """Bring a matrix to where the tables are."""

    def random(self, key: int, num_rows: int, dim: int) -> Any:
        """Return a table of uniform random numbers in [-1, 1), the same on every backend."""

    def upload(self, table: FloatArray) -> Any:
        """Return a copy of an array as a table."""

    def column(self, values: FloatArray) -> Any:
        """Bring one value per row to where the tables are, for :meth:`combine`."""

    def download(self, table: Any) -> FloatArray:
        """Return a table as an array, which may share its memory."""

    def empty_like(self, table: Any) -> Any:
        """Return a table of the same shape, with undefined values."""

    def scaled(self, table: Any, factor: float) -> Any:
        """Return a new table: `factor` times the table."""

    def product(self, matrix: Any, table: Any, out: Any) -> None:
        """Set `out` to the matrix times the table."""

    def combine(self, target: Any, a: Any, table: Any, b: Any) -> None:
        """Set `target` to a * target + b * table, where a and b are numbers or columns."""

    def moments(self, table: Any, length: float | None) -> tuple[DoubleArray, DoubleArray]:
        """Scale rows to a length if one is given, and return the sum of all rows [D] and of their outer products [D, D]."""

    def transform(self, table: Any, mean: DoubleArray, matrix: DoubleArray) -> Any:
        """Return (row - mean) times `matrix` [D, D'] for every row that is not all zeros; in place if D' is D."""


class CpuTables:
    """Tables as NumPy arrays.

    Parameters
    ----------
    num_thread : int
        Threads.
    """

    def __init__(self, num_thread: int) -> None:
        self.num_thread = num_thread
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def running(self) -> Iterator[CpuTables]:
        """Hold the threads, and keep the linear algebra library to one thread in each."""
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1), ThreadPoolExecutor(self.num_thread) as pool:
            self._pool = pool
            try:
                yield self
            finally:
                self._pool = None

    def _run(self, work: Callable[[int, int, int], Any], shape: tuple[int, int]) -> list[Any]:
        assert self._pool is not None, "tables work inside of running()"
        groups = group_bounds(*shape)
        return collect(self._pool, work, [(i, first, last) for i, (first, last) in enumerate(groups)])

    def matrix(self, matrix: Matrix) -> Matrix:
        """Return the matrix as it is."""
        return matrix

    def random(self, key: int, num_rows: int, dim: int) -> FloatArray:
        """Return a table of uniform random numbers in [-1, 1), float32 [num_rows, dim]."""
        out = np.empty((num_rows, dim), np.float32)
        self._run(
            lambda _, a, b: uniform_rows(np.uint64(key), a, dim, np.float32(1.0), out[a:b]),
            out.shape,
        )
        return out

    def upload(self, table: FloatArray) -> FloatArray:
        """Return a copy."""
        return np.array(table, np.float32, order="C")

    def column(self, values: FloatArray | DoubleArray) -> FloatArray:
        """Return the values, float32 [N]."""
        return np.ascontiguousarray(values, np.float32)

    def download(self, table: FloatArray) -> FloatArray:
        """Return the table itself."""
        return table

    def empty_like(self, table: FloatArray) -> FloatArray:
        """Return a table of the same shape, with undefined values."""
        return np.empty_like(table)

    def scaled(self, table: FloatArray, factor: float) -> FloatArray:
        """Return a new table: `factor` times the table."""
        return np.multiply(table, np.float32(factor))

    def product(self, matrix: Matrix, table: FloatArray, out: FloatArray) -> None:
        """Set `out` [N, D] to the matrix times the table."""
        m = matrix
        self._run(lambda _, a, b: multiply_rows(a, b, m.indptr, m.indices, m.weights, m.factors, table, out), out.shape)

    def combine(self, target: FloatArray, a: float | FloatArray, table: FloatArray, b: float | FloatArray) -> None:
        """Set `target` to a * target + b * table, where a and b are numbers or columns."""

        def work(_: int, first: int, last: int) -> None:
            for start, end in blocks(first, last, target.shape[1]):
                rows = target[start:end]
                rows *= _of_rows(a, start, end)
                rows += _of_rows(b, start, end) * table[start:end]

        self._run(work, target.shape)

    def moments(self, table: FloatArray, length: float | None) -> tuple[DoubleArray, DoubleArray]:
        """Scale rows to a length if one is given; return the sum of the rows [D] and of their outer products [D, D]."""
        dim = table.shape[1]

        def work(_: int, first: int, last: int) -> tuple[DoubleArray, DoubleArray]:
            total, gram = np.zeros(dim), np.zeros((dim, dim))
            for start, end in blocks(first, last, dim):
                rows = table[start:end]
                if length is not None:
                    normalize_rows(rows, np.float32(length))
                total += rows.sum(axis=0, dtype=np.float64)
                gram += rows.T @ rows
            return total, gram

        parts = self._run(work, table.shape)
        total, gram = np.zeros(dim), np.zeros((dim, dim))
        for part in parts:  # in their order
            total += part[0]
            gram += part[1]
        return total, gram

    def transform(self, table: FloatArray, mean: DoubleArray, matrix: DoubleArray) -> FloatArray:
        """Return (row - mean) times `matrix` [D, D'] for every row that is not all zeros; in place if D' is D."""
        shift, turn = mean.astype(np.float32), matrix.astype(np.float32)
        out = table if turn.shape[0] == turn.shape[1] else np.empty((len(table), turn.shape[1]), np.float32)

        def work(_: int, first: int, last: int) -> None:
            for start, end in blocks(first, last, table.shape[1]):
                rows = table[start:end]
                empty = ~rows.any(axis=1)
                moved = (rows - shift) @ turn
                moved[empty] = 0.0
                out[start:end] = moved

        self._run(work, table.shape)
        return out


def _of_rows(value: float | FloatArray, start: int, end: int) -> Any:
    return np.float32(value) if np.ndim(value) == 0 else value[start:end, None]  # type: ignore[index]


def blocks(first: int, last: int, dim: int) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the blocks of rows from `first` to `last`."""
    height = block_height(dim)
    for start in range(first, last, height):
        yield start, min(start + height, last)


def block_height(dim: int) -> int:
    """Return the rows of a block."""
    return max(32, BLOCK_VALUES // dim)


def group_bounds(num_rows: int, dim: int) -> list[tuple[int, int]]:
    """Return the bounds of the groups of blocks: a function of the shape alone, whose sums take little beside the table."""
    height = block_height(dim)
    num_block = -(-num_rows // height)
    most = max(4, max(32 << 20, num_rows * dim) // (8 * dim * dim))
    number = max(1, min(num_block, MAX_GROUPS, most))
    edges = [min(num_rows, height * (num_block * i // number)) for i in range(number + 1)]
    return [(a, b) for a, b in itertools.pairwise(edges) if a < b]


def column_bounds(dim: int, width: int) -> list[tuple[int, int]]:
    """Return the bounds of blocks of `width` columns; the last one may be narrower."""
    return [(first, min(first + width, dim)) for first in range(0, dim, width)]
