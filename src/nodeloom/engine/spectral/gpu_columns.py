"""Tables of spectral methods that do not fit a GPU: they stay in main memory, blocks of columns or rows at a time are on it."""

from __future__ import annotations

import contextlib
import functools
import weakref
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device
from nodeloom.engine.spectral.gpu_tables import GpuTables, add_moments, rows_at_a_time, scale_rows, turned
from nodeloom.engine.spectral.tables import COLUMN_BUFFERS, Matrix, column_bounds
from nodeloom.kernels.gpu.initial import uniform_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nodeloom.typing import DoubleArray, FloatArray

Piece = TypeVar("Piece")

_TURNS = 2
"""Streams that take pieces in turn: one copies while the other computes."""

_ROW_BUFFERS = 6
"""Tables of as many rows that a stream has on the GPU when it works on rows: read, turned, a block of each on its way, and float64."""


class HostTable:
    """A table [N, D] in main memory, as blocks of its columns, each in one piece.

    A product needs all rows of a few columns, whitening all columns of a few rows: so both are copied in whole pieces.

    Parameters
    ----------
    buffer : float32 [>= N D]
        Memory that the GPU copies from and to by itself.
    num_rows, dim : int
        N and D.
    width : int
        Columns in a block; the last one may be narrower.

    Attributes
    ----------
    shape : (int, int)
        N and D.
    bounds : list of (int, int)
        First column of each block, and the one after its last.
    blocks : list of float32 [N, width]
        The blocks, views of `buffer`.
    """

    def __init__(self, buffer: FloatArray, num_rows: int, dim: int, width: int) -> None:
        self.shape = num_rows, dim
        self.bounds = column_bounds(dim, width)
        memory = torch.from_numpy(buffer)
        self.blocks = [memory[num_rows * a : num_rows * b].view(num_rows, b - a) for a, b in self.bounds]


@functools.cache
def _streams(device: str) -> list[Any]:
    """Return the streams of a device: always the same, as the matrix library keeps memory for each one that it ever worked on."""
    return [Device(device).stream() for _ in range(_TURNS)]


class _Buffer:
    """Memory of one table, pinned until it is closed."""

    def __init__(self, array: FloatArray, pinning: contextlib.AbstractContextManager[None]) -> None:
        self.array, self._stack = array, contextlib.ExitStack()
        self._stack.enter_context(pinning)

    def close(self) -> None:
        self._stack.close()


class BlockedGpuTables:
    """Tables in main memory whose products and transforms a GPU makes; sparse matrices lie on it.

    Memory of tables that are given up is used for the next ones: to pin it takes as long as to fill it several times.

    Parameters
    ----------
    device : str
        "cuda:N".
    width : int
        Columns of a block. The GPU holds ``COLUMN_BUFFERS`` blocks of so many columns, or rows that take as much.
    """

    def __init__(self, device: str, width: int) -> None:
        self.gpu = GpuTables(device)
        self.device, self.width = self.gpu.device, width
        self._buffers: list[_Buffer] = []
        self._free: list[_Buffer] = []
        self._streams = _streams(device)

    @contextmanager
    def running(self) -> Iterator[BlockedGpuTables]:
        """Hold the memory of the tables; what was downloaded outlives them."""
        with self.gpu.running():
            try:
                yield self
            finally:
                for buffer in self._buffers:
                    buffer.close()
                self._buffers, self._free = [], []

    def peak_memory(self) -> int:
        """Return the most bytes in use on the GPU so far."""
        return self.gpu.peak_memory()

    def matrix(self, matrix: Matrix) -> torch.Tensor:
        """Bring a matrix to the GPU."""
        return self.gpu.matrix(matrix)

    def column(self, values: FloatArray) -> torch.Tensor:
        """Return a copy on the GPU, float32 [N, 1]."""
        return self.gpu.column(values)

    def _table(self, num_rows: int, dim: int) -> HostTable:
        """Return a table with undefined values."""
        size = num_rows * dim
        buffer = next((one for one in self._free if len(one.array) >= size), None)
        if buffer is None:
            array = np.empty(size, np.float32)
            buffer = _Buffer(array, self.device.pinning([array]))
            self._buffers.append(buffer)
        else:
            self._free.remove(buffer)
        table = HostTable(buffer.array, num_rows, dim, self.width)
        weakref.finalize(table, self._free.append, buffer)
        return table

    def _each(self, pieces: Iterable[Piece], work: Callable[[int, Piece], None]) -> None:
        """Do the work on every piece, on streams that take turns; it gets the number of its stream. All is done at the end."""
        self.device.synchronize()
        for number, piece in enumerate(pieces):
            turn = number % _TURNS
            with self.device.on(self._streams[turn]):
                work(turn, piece)
        self.device.synchronize()

    def _slices(self, num_rows: int, dim: int) -> list[slice]:
        """Return slices of rows of tables up to `dim` wide whose buffers take no more than those of columns."""
        height = num_rows * self.width * COLUMN_BUFFERS // (_TURNS * _ROW_BUFFERS * dim)
        height = max(1, min(height, rows_at_a_time(dim)))
        return [slice(first, min(first + height, num_rows)) for first in range(0, num_rows, height)]

    def _fetched(self, block: torch.Tensor) -> torch.Tensor:
        """Return a copy of a block or of rows of it on the GPU."""
        part = self.device.empty(*block.shape, dtype=torch.float32)
        return part.copy_(block, non_blocking=True)

    def _rows(self, table: HostTable, rows: slice) -> torch.Tensor:
        """Return a copy of rows on the GPU."""
        if len(table.blocks) == 1:
            return self._fetched(table.blocks[0][rows])
        out = self.device.empty(rows.stop - rows.start, table.shape[1], dtype=torch.float32)
        for (first, last), block in zip(table.bounds, table.blocks, strict=True):
            out[:, first:last] = self._fetched(block[rows])
        return out

    def _store(self, values: torch.Tensor, table: HostTable, rows: slice) -> None:
        """Bring rows back to main memory."""
        for (first, last), block in zip(table.bounds, table.blocks, strict=True):
            block[rows].copy_(values[:, first:last].contiguous(), non_blocking=True)

    def random(self, key: int, num_rows: int, dim: int) -> HostTable:
        """Return a table of uniform random numbers in [-1, 1), float32 [num_rows, dim]."""
        table = self._table(num_rows, dim)

        def work(_: int, rows: slice) -> None:
            values = self.device.empty(rows.stop - rows.start, dim, dtype=torch.float32)
            uniform_rows(key, rows.start, dim, 1.0, values)
            self._store(values, table, rows)

        self._each(self._slices(num_rows, dim), work)
        return table

    def upload(self, table: FloatArray) -> HostTable:
        """Return a copy in main memory, in blocks."""
        source = torch.from_numpy(np.ascontiguousarray(table, np.float32))
        found = self._table(*table.shape)
        for (first, last), block in zip(found.bounds, found.blocks, strict=True):
            block.copy_(source[:, first:last])
        return found

    def download(self, table: HostTable) -> FloatArray:
        """Return a copy in rows. Memory that no table uses is given back before."""
        for buffer in self._free:
            buffer.close()
            self._buffers.remove(buffer)
        self._free.clear()
        out = np.empty(table.shape, np.float32)
        target = torch.from_numpy(out)
        for (first, last), block in zip(table.bounds, table.blocks, strict=True):
            target[:, first:last] = block
        return out

    def empty_like(self, table: HostTable) -> HostTable:
        """Return a table of the same shape, with undefined values."""
        return self._table(*table.shape)

    def scaled(self, table: HostTable, factor: float) -> HostTable:
        """Return a new table: `factor` times the table."""
        out = self._table(*table.shape)
        for source, target in zip(table.blocks, out.blocks, strict=True):
            torch.mul(source, factor, out=target)
        return out

    def product(self, matrix: torch.Tensor, table: HostTable, out: HostTable) -> None:
        """Set `out` [N, D] to the matrix times the table."""

        def work(_: int, number: int) -> None:
            values = self.device.empty(*out.blocks[number].shape, dtype=torch.float32)
            self.gpu.product(matrix, self._fetched(table.blocks[number]), values)
            out.blocks[number].copy_(values, non_blocking=True)

        self._each(range(len(table.blocks)), work)

    def combine(self, target: HostTable, a: Any, table: HostTable, b: Any) -> None:
        """Set `target` to a * target + b * table, where a and b are numbers or columns."""

        def work(_: int, number: int) -> None:
            values = self._fetched(target.blocks[number])
            self.gpu.combine(values, a, self._fetched(table.blocks[number]), b)
            target.blocks[number].copy_(values, non_blocking=True)

        self._each(range(len(table.blocks)), work)

    def moments(self, table: HostTable, length: float | None) -> tuple[DoubleArray, DoubleArray]:
        """Scale rows to a length if one is given; return the sum of the rows [D] and of their outer products [D, D]."""
        dim = table.shape[1]
        total = torch.zeros(_TURNS, dim, dtype=torch.float64, device=self.device.torch)
        gram = torch.zeros(_TURNS, dim, dim, dtype=torch.float64, device=self.device.torch)

        def work(turn: int, rows: slice) -> None:
            values = self._rows(table, rows)
            if length is not None:
                scale_rows(values, length)
                self._store(values, table, rows)
            add_moments(values, total[turn], gram[turn])

        self._each(self._slices(*table.shape), work)
        return total.sum(dim=0).cpu().numpy(), gram.sum(dim=0).cpu().numpy()

    def transform(self, table: HostTable, mean: DoubleArray, matrix: DoubleArray) -> HostTable:
        """Return (row - mean) times `matrix` [D, D'] for every row that is not all zeros; in place if D' is D."""
        turn = self.gpu.upload(matrix.astype(np.float32))
        shift = -(self.gpu.upload(mean.astype(np.float32)) @ turn)
        out = table if turn.shape[0] == turn.shape[1] else self._table(table.shape[0], turn.shape[1])

        def work(_: int, rows: slice) -> None:
            self._store(turned(self._rows(table, rows), shift, turn), out, rows)

        self._each(self._slices(table.shape[0], max(turn.shape)), work)
        return out
