"""Merging in main memory: workers have the same tables whole, train them apart, and now and then take over what others have changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.memory import aligned_zeros
from nodeloom.kernels.cpu.merge import apply, changes
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.plan.merges import host_buffer_rows, num_buffer, sent_share
from nodeloom.transport.base import Pending, Transport

if TYPE_CHECKING:
    from nodeloom.engine.tables import Tables
    from nodeloom.typing import FloatArray


class _Piece:
    """Rows on their way to all workers: their changes, and behind them the squared length of each."""

    def __init__(self, rows: int, row: int) -> None:
        self._row = row
        self._values = aligned_zeros(rows, row + 1).reshape(-1)
        self.pending = Pending([])

    def cut(self, count: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return room for the changes of `count` rows [count, row], for their squares [count], and both as one array."""
        split, last = count * self._row, count * (self._row + 1)
        values = self._values[:last]
        return values[:split].reshape(count, self._row), values[split:], values


class Merger:
    """Merges the tables of workers in main memory. All workers have to make one.

    Parameters
    ----------
    tables : Tables
        The tables of this worker; changed.
    transport : Transport
        All workers.
    num_thread : int
        Threads.

    Attributes
    ----------
    base : dict of str to float32 [N, row]
        The tables as they were when all workers had the same.
    sent : list of int
        The bytes that this worker has sent to others in each merge.
    """

    def __init__(self, tables: Tables, transport: Transport, num_thread: int) -> None:
        self.tables = {name: storage.array for name, storage in tables.storages().items()}
        self._transport, self._num_thread = transport, num_thread
        self.sent: list[int] = []
        self.base = {name: aligned_zeros(*self.tables[name].shape) for name in tables.specs}
        num_rows, row = next(iter(self.tables.values())).shape
        self._rows = host_buffer_rows(num_rows, row)
        self._pieces = [_Piece(self._rows, row) for _ in range(num_buffer(num_rows, self._rows))]

    def prepare(self) -> None:
        """Take the tables, which are the same with all workers, as the base; compile what is not in the cache."""
        for name, base in self.base.items():
            base[:] = self.tables[name]
        none, squares, _ = self._pieces[0].cut(0)
        table = next(iter(self.base.values()))
        changes(table, table, 0, none, squares)
        apply(table, table, 0, none, squares, self._transport.size, 0)

    def merge(self, number: int) -> None:
        """Make the tables of all workers the same: the base and what they have changed. All of them have to call it.

        One piece is computed while another is on its way.

        Parameters
        ----------
        number : int
            Of the merge; fp32 values are rounded to nearest whatever it is.
        """
        del number
        tables = self.tables
        todo = [(name, first) for name, table in tables.items() for first in range(0, len(table), self._rows)]
        ahead = len(self._pieces) - 1
        sent = 0
        for turn in range(len(todo) + ahead):
            if turn < len(todo):
                sent += self._begin(tables, *todo[turn], self._pieces[turn % len(self._pieces)])
            if turn >= ahead:
                done = turn - ahead
                self._finish(tables, *todo[done], self._pieces[done % len(self._pieces)])
        self.sent.append(round(sent * sent_share(self._transport.size)))

    def _begin(self, tables: dict[str, FloatArray], name: str, first: int, piece: _Piece) -> int:
        """Send what has changed in a piece of a table; return its bytes."""
        table = tables[name]
        found, squares, values = piece.cut(min(self._rows, len(table) - first))
        if name in self.base:
            base = self.base[name]
            run_slices(
                lambda a, b: changes(table, base, first + a, found[a:b], squares[a:b]), len(found), self._num_thread
            )
        else:
            found[:], values = table[first : first + len(found)], found.reshape(-1)
        piece.pending = self._transport.begin_all_reduce(values)
        return values.nbytes

    def _finish(self, tables: dict[str, FloatArray], name: str, first: int, piece: _Piece) -> None:
        """Wait for the sum of a piece, and put it where it belongs."""
        table, num_worker = tables[name], self._transport.size
        sums, squares, _ = piece.cut(min(self._rows, len(table) - first))
        piece.pending.wait()
        if name in self.base:
            base = self.base[name]
            run_slices(
                lambda a, b: apply(table, base, first + a, sums[a:b], squares[a:b], num_worker, 0),
                len(sums),
                self._num_thread,
            )
        else:
            np.multiply(sums, np.float32(1.0 / num_worker), out=table[first : first + len(sums)])
