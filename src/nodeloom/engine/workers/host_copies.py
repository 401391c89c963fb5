"""The tables of one part in the main memory of each worker, whole: copies that are the same whenever they have been merged."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nodeloom.engine.memory import MainMemory, aligned_zeros
from nodeloom.engine.storage import Storage
from nodeloom.engine.tables import Tables
from nodeloom.engine.workers.group import Pending, Workers
from nodeloom.kernels.cpu.merge import apply, changes
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.model.parts import Part
from nodeloom.plan.merges import host_buffer_rows, num_buffer, sent_share
from nodeloom.plan.plan import Plan
from nodeloom.plan.tables import tables_of
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


class HostCopies(Tables):
    """Tables of one part, of which every worker has all. All workers have to call what speaks of all.

    Parameters
    ----------
    plan, part
        The plan, and what to train.
    workers : Workers
        All workers.

    Attributes
    ----------
    base : dict of str to float32 [N, row]
        The tables as they were when all workers had the same.
    sent : list of int
        The bytes that this worker has sent to others in each merge.
    waited : float
        Seconds that this worker has spent on merges, and on waiting for the others to come to them.
    """

    def __init__(self, plan: Plan, part: Part, workers: Workers) -> None:
        memory = MainMemory(plan.num_thread)
        specs = tables_of(part, plan.num_nodes)
        super().__init__(specs, plan.optimizer.num_moment, lambda spec, _: Storage(memory, spec.num_rows, spec.row))
        self.workers, self.waited = workers, 0.0
        self.sent: list[int] = []
        self.base = {spec.name: memory.zeros(spec.num_rows, spec.row) for spec in specs}
        self._num_thread = plan.num_thread
        self._rows = host_buffer_rows(plan.num_nodes, part.row)
        self._pieces = [_Piece(self._rows, part.row) for _ in range(num_buffer(plan.num_nodes, self._rows))]

    def initialize(self) -> None:
        """Give the tables their first values, the same for all workers."""
        super().initialize()
        for name in self.base:
            self._rebase(name)

    def write(self, name: str, values: FloatArray, chosen: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table or moment, of all rows or of those where `chosen` is true; the same with all workers."""
        super().write(name, values, chosen)
        self._rebase(name)

    def read(self, name: str) -> FloatArray | None:
        """Return a table or moment, float32 [N, row], to worker 0, and None to the others: theirs are the same."""
        return super().read(name) if self.workers.rank == 0 else None

    def is_sound(self) -> bool:
        """Tell whether no table of any worker holds NaN or a value that is too large."""
        return not self.workers.any(not super().is_sound())

    def _rebase(self, name: str) -> None:
        if name in self.base:
            self.base[name][:] = self._arrays()[name]

    def _arrays(self) -> dict[str, FloatArray]:
        """Return the tables and moments by name."""
        return {name: storage.array for name, storage in self._by_name().items()}

    def prepare(self) -> None:
        """Compile what is not in the cache, on no rows."""
        none, squares, _ = self._pieces[0].cut(0)
        table = self.base["vertex"]
        changes(table, table, 0, none, squares)
        apply(table, table, 0, none, squares, self.workers.num_worker, 0)

    def merge(self, number: int) -> None:
        """Make the tables of all workers the same: the base and what they have changed. All of them have to call it.

        One piece is computed while another is on its way.

        Parameters
        ----------
        number : int
            Of the merge; fp32 values are rounded to nearest whatever it is.
        """
        del number
        tables = self._arrays()
        todo = [(name, first) for name, table in tables.items() for first in range(0, len(table), self._rows)]
        ahead = len(self._pieces) - 1
        sent = 0
        for turn in range(len(todo) + ahead):
            if turn < len(todo):
                sent += self._begin(tables, *todo[turn], self._pieces[turn % len(self._pieces)])
            if turn >= ahead:
                done = turn - ahead
                self._finish(tables, *todo[done], self._pieces[done % len(self._pieces)])
        self.sent.append(round(sent * sent_share(self.workers.num_worker)))

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
        piece.pending = self.workers.add(values)
        return values.nbytes

    def _finish(self, tables: dict[str, FloatArray], name: str, first: int, piece: _Piece) -> None:
        """Wait for the sum of a piece, and put it where it belongs."""
        table, num_worker = tables[name], self.workers.num_worker
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
