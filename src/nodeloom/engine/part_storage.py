"""Tables cut into parts that several workers share: each owns its vertex parts and currently holds some of the context parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import numpy as np

from nodeloom.engine.storage import Storage, row_blocks

if TYPE_CHECKING:
    from nodeloom.engine.memory import Memory, Rows
    from nodeloom.engine.rows import RowOrder
    from nodeloom.schedule import RingShift
    from nodeloom.transport.base import Transport
    from nodeloom.typing import FloatArray


class Travel(Protocol):
    """Parts in flight."""

    def wait(self) -> None:
        """Wait until all have arrived."""


Exchange: TypeAlias = Callable[[list[tuple[Any, int]], list[tuple[Any, int]]], Travel]
"""Begins to send arrays to workers, and to receive others from them."""


class PartStorage(Storage):
    """The rows of a table of which this worker has some parts, in buffers that are used again when a part has gone.

    Parameters
    ----------
    memory, order, row
        As for :class:`nodeloom.engine.storage.Storage`; rows are in the order of slots.
    owners : list of int
        The worker that has each part. Who moves a part says it there.
    transport : Transport
        All workers.
    """

    def __init__(self, memory: Memory, order: RowOrder, row: int, owners: list[int], transport: Transport) -> None:
        self.owners, self._transport = owners, transport
        self.part_rows = order.num_rows // len(owners)
        self._parts: dict[int, Any] = {}
        self._free: list[Any] = []
        self._whole: FloatArray | None = None
        super().__init__(memory, order, row)

    def _zeros(self, num_rows: int, row: int) -> None:
        """Take the parts of this worker; there is no array of all rows."""
        for number, owner in enumerate(self.owners):
            if owner == self._transport.rank:
                self._parts[number] = self.memory.zeros(self.part_rows, row)

    def take(self, number: int) -> Any:
        """Make room for a part and return it; it is here from now on. Its values are those of whatever was there before."""
        self._parts[number] = self._free.pop() if self._free else self.memory.zeros(self.part_rows, self.row)
        return self._parts[number]

    def give(self, number: int) -> None:
        """Let a part go."""
        self._free.append(self._parts.pop(number))

    def make_room(self) -> None:
        """Have memory for one more part at hand: systems hand it out when it is first touched, which takes longer than a part travels."""
        if not self._free:
            room = self.memory.zeros(self.part_rows, self.row)
            room[:] = 0
            self._free.append(room)

    def numbered(self, number: int) -> Any:
        """Return a part that is here, [part_rows, row]."""
        return self._parts[number]

    def part(self, rows: slice | None = None) -> Any:
        """Return the rows of a part that is here, where they are trained."""
        assert rows is not None, "one worker has not all rows"
        return self._parts[rows.start // self.part_rows]

    def pieces(self, first: int, last: int) -> Iterator[tuple[Any, Rows, Rows]]:
        """Yield each part that is here, which of the nodes ``first ... last`` it has, and their rows in it."""
        slots = self._slots(first, last)
        owners = slots // self.part_rows
        for number, owner in enumerate(self.owners):
            if owner == self._transport.rank:
                here = np.flatnonzero(owners == number)
                yield self._parts[number], here, slots[here] - number * self.part_rows

    def read(self) -> FloatArray | None:
        """Return all rows in the order of the nodes, float32 [N, row], to worker 0, and None to the others.

        All workers have to call it. Parts come one after the other.
        """
        rank, everything = self._transport.rank, slice(None)
        if rank != 0:
            for number, owner in enumerate(self.owners):
                if owner == rank:
                    self._transport.exchange([(self.memory.read(self._parts[number], everything), 0)], []).wait()
            return None
        count = self.order.num_nodes
        if self._whole is None:  # kept: there is room for one only
            self._whole = np.empty((count, self.row), np.float32)
        buffer = np.empty((self.part_rows, self.row), np.float32)
        for number, owner in enumerate(self.owners):
            values = self.memory.read(self._parts[number], everything) if owner == 0 else buffer
            if owner != 0:
                self._transport.exchange([], [(buffer, owner)]).wait()
            for first, last in row_blocks(0, count, self.row):
                slots = self._slots(first, last)
                here = slots // self.part_rows == number
                self._whole[first:last][here] = values[slots[here] - number * self.part_rows]
        return self._whole

    @property
    def is_movable(self) -> bool:
        """Rows are where their part is, and read as a copy."""
        return False

    def blocks(self) -> Iterator[Any]:
        """Yield the rows that are here, some at a time, to be read."""
        for part in self._parts.values():
            for first, last in row_blocks(0, self.part_rows, self.row):
                yield part[first:last]

    def _slots(self, first: int, last: int) -> Any:
        rows = self.order.rows(first, last)
        return np.arange(first, last) if isinstance(rows, slice) else rows


class PartMoves:
    """Brings the parts of one table from worker to worker.

    Parameters
    ----------
    storages : sequence of PartStorage
        Where the rows of the table and of its moments are.
    rank : int
        This worker.
    exchange : callable
        How parts travel.

    Attributes
    ----------
    sent : list of int
        The bytes that this worker has sent to others when a round was trained, for each round that had something to send.
    """

    def __init__(self, storages: Sequence[Storage], rank: int, exchange: Exchange) -> None:
        self._storages = [storage for storage in storages if isinstance(storage, PartStorage)]
        self._owners, self._rank, self._exchange = self._storages[0].owners, rank, exchange
        self.sent: list[int] = []
        self._going: list[int] = []
        self._pending: Travel | None = None

    def exchange(self, shifts: Sequence[RingShift]) -> None:
        """Begin to send and receive parts; the buffers of those that were sent before are free again."""
        self.settle()
        outgoing, incoming = [], []
        for shift in shifts:
            self._owners[shift.part] = shift.target
            if shift.source == self._rank:
                self._going.append(shift.part)
                outgoing += [(storage.numbered(shift.part), shift.target) for storage in self._storages]
            elif shift.target == self._rank:
                incoming += [(storage.take(shift.part), shift.source) for storage in self._storages]
        self._pending = self._exchange(outgoing, incoming)
        if outgoing:
            self.sent.append(sum(array.nbytes for array, _ in outgoing))

    def make_room(self) -> None:
        """Have room for the part that comes first."""
        for storage in self._storages:
            storage.make_room()

    def settle(self) -> None:
        """Wait for the parts in flight."""
        if self._pending is not None:
            self._pending.wait()
            self._pending = None
        for part in self._going:
            for storage in self._storages:
                storage.give(part)
        self._going.clear()
