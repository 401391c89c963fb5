"""Merging in main memory: threads of the CPU compute, arrays are summed by Gloo."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from nodeloom.engine.memory import aligned_zeros
from nodeloom.kernels.cpu.merge import apply, changes
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.plan.memory import host_buffer_rows, num_buffer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from nodeloom.transport.base import Transport
    from nodeloom.typing import FloatArray


class CpuLane:
    """Computes on rows of main memory; see :class:`nodeloom.engine.merger.Lane`.

    Parameters
    ----------
    transport : Transport
        All workers.
    num_nodes, row : int
        Rows of a table, and values of each.
    num_thread : int
        Threads.
    """

    def __init__(self, transport: Transport, num_nodes: int, row: int, num_thread: int) -> None:
        self.transport, self._row, self._num_thread = transport, row, num_thread
        self.rows = host_buffer_rows(num_nodes, row)
        self.buffers = [aligned_zeros(self.rows, row + 1).reshape(-1) for _ in range(num_buffer(num_nodes, self.rows))]

    def zeros_like(self, table: FloatArray) -> FloatArray:
        """Return room for the base of a table."""
        return aligned_zeros(*table.shape)

    def running(self) -> AbstractContextManager[Any]:
        """Return a context; what is called in it is done when it returns."""
        return nullcontext()

    def on(self, buffer: FloatArray) -> AbstractContextManager[Any]:
        """Return a context; a buffer is never in use by anything else."""
        return nullcontext()

    def _cut(self, buffer: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
        """Return room for the changes of `count` rows [count, row], and for their squared lengths behind them [count]."""
        split = count * self._row
        return buffer[:split].reshape(count, self._row), buffer[split : split + count]

    def changes(
        self, table: FloatArray, base: FloatArray, first: int, count: int, buffer: FloatArray
    ) -> list[FloatArray]:
        """Compute what has changed in rows; return changes and squares as one array."""
        found, squares = self._cut(buffer, count)
        run_slices(lambda a, b: changes(table, base, first + a, found[a:b], squares[a:b]), count, self._num_thread)
        return [buffer[: count * (self._row + 1)]]

    def apply(self, table: FloatArray, base: FloatArray, first: int, count: int, buffer: FloatArray, seed: int) -> None:
        """Set rows of a table and of its base to what the sums give; fp32 is rounded to nearest, whatever the seed."""
        sums, squares = self._cut(buffer, count)
        size = self.transport.size
        run_slices(
            lambda a, b: apply(table, base, first + a, sums[a:b], squares[a:b], size, 0), count, self._num_thread
        )
