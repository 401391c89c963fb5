"""Merging: workers have the same tables whole, train them apart, and now and then take over what others have changed."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from nodeloom.plan.merges import sent_share
from nodeloom.rng import MASK, mix
from nodeloom.transport.base import Array, Pending, Transport

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from nodeloom.engine.tables import Tables


class Lane(Protocol):
    """Computes on the rows of tables where they are: :mod:`nodeloom.engine.cpu.merge_lane`, :mod:`nodeloom.engine.gpu.merge_lane`.

    Attributes
    ----------
    transport : Transport
        Sums arrays of that memory over all workers.
    rows : int
        Rows of a table that are merged at a time.
    """

    transport: Transport
    rows: int

    @property
    def buffers(self) -> Sequence[Any]:
        """Room for the changes of that many rows; one piece is computed while another is on its way."""

    def zeros_like(self, table: Array) -> Array:
        """Return room for the base of a table."""

    def running(self) -> AbstractContextManager[Any]:
        """Return a context at whose end everything is done."""

    def on(self, buffer: Any) -> AbstractContextManager[Any]:
        """Return a context in which work waits for what was done with a buffer before."""

    def changes(self, table: Array, base: Array, first: int, count: int, buffer: Any) -> Sequence[Array]:
        """Compute what has changed in `count` rows from `first` on; return the arrays that are to be summed."""

    def apply(self, table: Array, base: Array, first: int, count: int, buffer: Any, seed: int) -> None:
        """Set rows of a table and of its base to what the sums give."""


class _Piece(NamedTuple):
    """Rows of a table or moment that are merged at a time: the first, how many, and the seed of their rounding."""

    name: str
    first: int
    rows: int
    seed: int


class Merger:
    """Merges the tables of workers. All workers have to make one.

    Parameters
    ----------
    tables : Tables
        The tables of this worker, whole; changed.
    lane : Lane
        Computes where they are.

    Attributes
    ----------
    base : dict of str to float32 or bfloat16 [N, row]
        The tables as they were when all workers had the same.
    sent : list of int
        The bytes that this worker has sent to others in each merge.
    """

    def __init__(self, tables: Tables, lane: Lane) -> None:
        self._lane, self.tables = lane, {name: storage.array for name, storage in tables.storages().items()}
        self.sent: list[int] = []
        self.base = {name: lane.zeros_like(self.tables[name]) for name in tables.specs}

    def prepare(self) -> None:
        """Take the tables, which are the same with all workers, as the base; compile what is not in the cache. All have to call it."""
        with self._lane.running():
            for name, base in self.base.items():
                base[...] = self.tables[name]
        self._merge([_Piece(name, 0, 1, 0) for name in self.base])

    def merge(self, number: int) -> None:
        """Make the tables of all workers the same: the base and what they have changed; of moments the mean. All have to call it.

        Parameters
        ----------
        number : int
            Of the merge, the same for all workers: from it comes how rows of bf16 are rounded.
        """
        rows, pieces = self._lane.rows, list[_Piece]()
        for place, (name, table) in enumerate(self.tables.items()):
            seed = mix((number * len(self.tables) + place) & MASK)
            pieces += [_Piece(name, first, min(rows, len(table) - first), seed) for first in range(0, len(table), rows)]
        self.sent.append(round(self._merge(pieces) * sent_share(self._lane.transport.size)))

    def _merge(self, pieces: list[_Piece]) -> int:
        """Merge pieces, one of which is computed while another is on its way; return the bytes that are summed over all workers."""
        lane, num_bytes = self._lane, 0
        in_flight: deque[tuple[Pending, Any, _Piece]] = deque()
        with lane.running():
            for turn, piece in enumerate(pieces):
                buffer = lane.buffers[turn % len(lane.buffers)]
                with lane.on(buffer):
                    arrays = self._to_sum(piece, buffer)
                    in_flight.append((Pending([lane.transport.begin_all_reduce(a) for a in arrays]), buffer, piece))
                num_bytes += sum(array.nbytes for array in arrays)
                if len(in_flight) == len(lane.buffers):
                    self._finish(*in_flight.popleft())
            while in_flight:
                self._finish(*in_flight.popleft())
        return num_bytes

    def _to_sum(self, piece: _Piece, buffer: Any) -> Sequence[Array]:
        """Return the changes of a table, or the values of a moment themselves."""
        table, end = self.tables[piece.name], piece.first + piece.rows
        if piece.name not in self.base:
            return [table[piece.first : end]]
        return self._lane.changes(table, self.base[piece.name], piece.first, piece.rows, buffer)

    def _finish(self, pending: Pending, buffer: Any, piece: _Piece) -> None:
        """Wait for the sums of a piece, and put them where they belong."""
        name, first, count, seed = piece
        table, lane = self.tables[name], self._lane
        with lane.on(buffer):
            pending.wait()
            if name in self.base:
                lane.apply(table, self.base[name], first, count, buffer, seed)
            else:
                sums = table[first : first + count]
                sums *= 1.0 / lane.transport.size
