"""The tables of one part of a model over several workers: each has its vertex parts, and the context parts that are with it just now."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from nodeloom.engine.workers.group import Pending, Workers
from nodeloom.engine.workers.table import PartTable
from nodeloom.kernels.cpu.initial import uniform_rows
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.model.parts import Part
from nodeloom.partition import Handover, Placement, Side
from nodeloom.plan.defaults import initial_scale
from nodeloom.rng import Purpose, stream
from nodeloom.typing import FloatArray, IndexArray

_BLOCK = 1 << 22  # values that are handled together


class Travel(Protocol):
    """Parts that are under way."""

    def wait(self) -> None:
        """Wait until all have arrived."""


class WorkerStore:
    """Tables of one part, as :class:`nodeloom.engine.tables.Tables`, of which this worker has its share.

    Parameters
    ----------
    part : Part
        The part.
    placement : Placement
        Slots of the nodes; multiples of the number of workers of both kinds of parts.
    num_moment : int
        Tables of the optimizer beside each table.
    workers : Workers
        All workers.
    num_thread : int
        Threads.

    Attributes
    ----------
    sides : dict of str to list of PartTable
        "vertex" and "context": the table of that side and its moments.
    where : list of int
        The worker that has each context part.
    sent : list of int
        The bytes that this worker has sent to others when a round was trained, for each round that had something to send.
    """

    def __init__(
        self, part: Part, placement: Placement, num_moment: int, workers: Workers, *, num_thread: int = 1
    ) -> None:
        self.placement, self.workers, self.num_thread = placement, workers, num_thread
        self.num_nodes = len(placement.slot)
        self._row, self._part = part.row, part
        both: tuple[Side, Side] = "vertex", "context"
        self.sides: dict[str, list[PartTable]] = {
            side: [self._table(side, number) for number in range(1 + num_moment)] for side in both
        }
        owners = {
            side: [number * workers.num_worker // count for number in range(count)]
            for side, count in (("vertex", placement.num_vertex_part), ("context", placement.num_context_part))
        }
        self._owners, self.where = owners["vertex"], owners["context"]
        for side, tables in self.sides.items():
            for number, owner in enumerate(owners[side]):
                if owner == workers.rank:
                    for table in tables:
                        table.take(number)
        self.sent: list[int] = []
        self._going: list[int] = []
        self._coming: set[int] = set()
        self._pending: Travel = Pending([])
        self._whole: dict[str, FloatArray] = {}

    def _table(self, side: Side, number: int) -> PartTable:
        """Return a table of parts of a side: of the vectors if `number` is 0, else of that moment."""
        del number  # all are float32 here
        return PartTable(self.placement.rows(side), self._row)

    # ------------------------------------------------------------------------------------------------------ travel

    def hand_over(self, handovers: Sequence[Handover]) -> None:
        """Begin to send and receive context parts; the buffers of those that were sent before are free again."""
        self._arrive()
        tables = self.sides["context"]
        rank = self.workers.rank
        outgoing, incoming = [], []
        for handover in handovers:
            self.where[handover.part] = handover.taker
            if handover.giver == rank:
                self._going.append(handover.part)
                outgoing += [(table.part(handover.part), handover.taker) for table in tables]
            elif handover.taker == rank:
                self._coming.add(handover.part)
                incoming += [(table.take(handover.part), handover.giver) for table in tables]
        self._pending = self._exchange(outgoing, incoming)
        if outgoing:
            self.sent.append(sum(array.nbytes for array, _ in outgoing))

    def make_room(self) -> None:
        """Have room for the context part that comes first."""
        for table in self.sides["context"]:
            table.make_room()

    def ready(self, part: int) -> None:
        """Wait for a context part that is on its way."""
        if part in self._coming:
            self._arrive()

    def settle(self) -> None:
        """Wait for everything that is under way."""
        self._arrive()

    def place(self, where: Sequence[int]) -> None:
        """Bring the context parts to these workers, if they are with others."""
        changes = [
            Handover(part, giver, taker)
            for part, (giver, taker) in enumerate(zip(self.where, where, strict=True))
            if giver != taker
        ]
        held = Counter(self.where)
        while changes:  # one by one, to whom has fewest: nobody needs more room than for one more
            handover = min(changes, key=lambda change: (held[change.taker], change.part))
            changes.remove(handover)
            held.update({handover.taker: 1, handover.giver: -1})
            self.hand_over([handover])
        self._arrive()

    def _exchange(self, outgoing: list[tuple[Any, int]], incoming: list[tuple[Any, int]]) -> Travel:
        return self.workers.exchange(outgoing, incoming)

    def _arrive(self) -> None:
        self._pending.wait()
        for part in self._going:
            for table in self.sides["context"]:
                table.give(part)
        self._going.clear()
        self._coming.clear()

    # ------------------------------------------------------------------------------------------------------ values

    def _names(self) -> dict[str, tuple[str, PartTable]]:
        found = {}
        for side, (first, *moments) in self.sides.items():
            found[side] = side, first
            found |= {f"{side}_moment{number}": (side, moment) for number, moment in enumerate(moments, 1)}
        return found

    def names(self) -> tuple[str, ...]:
        """Return the names of all tables, as they are called in files."""
        return tuple(self._names())

    def initialize(self) -> None:
        """Give the vertex table the first values of :class:`nodeloom.engine.tables.Tables`; the context table starts at 0."""
        part = self._part
        key, scale = np.uint64(stream(part.seed, Purpose.INITIAL_VERTEX)), np.float32(initial_scale(part.dim))

        def fill(first: int, last: int) -> None:
            for start, end in node_blocks(last, part.row, first):
                rows = np.zeros((end - start, part.row), np.float32)
                uniform_rows(key, start, part.dim, scale, rows)
                for number, here, places in self._places("vertex", start, end):
                    self.sides["vertex"][0].put(number, places, rows[here])

        run_slices(fill, self.num_nodes, self.num_thread)

    def read(self, name: str) -> FloatArray | None:
        """Return a table by name in the order of the nodes, float32 [N, row], to worker 0, and None to the others.

        All workers have to call it. Parts come one after the other.
        """
        self._arrive()
        side, table = self._names()[name]
        rank, rows = self.workers.rank, self.placement.rows(side)  # type: ignore[arg-type]
        holders = self._owners if side == "vertex" else self.where
        if rank != 0:
            for number, holder in enumerate(holders):
                if holder == rank:
                    self.workers.exchange([(table.values(number), 0)], []).wait()
            return None
        if name not in self._whole:  # kept: there is room for one only
            self._whole[name] = np.empty((self.num_nodes, self._row), np.float32)
        whole = self._whole[name]
        buffer = np.empty((rows, self._row), np.float32)
        for number, holder in enumerate(holders):
            values = table.values(number) if holder == 0 else buffer
            if holder != 0:
                self.workers.exchange([], [(buffer, holder)]).wait()
            for first, last in node_blocks(self.num_nodes, self._row):
                slots = self.placement.slot[first:last]
                here = slots // rows == number
                whole[first:last][here] = values[slots[here] - number * rows]
        return whole

    def write(self, name: str, values: FloatArray, rows: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table, of all rows or of those where the mask `rows` [N] is true; each worker those that it has."""
        side, table = self._names()[name]
        for first, last in node_blocks(self.num_nodes, self._row):
            block = None
            for number, here, places in self._places(side, first, last):
                if block is None:
                    block = np.asarray(values[first:last], np.float32)
                if rows is not None:
                    wanted = rows[first:last][here]
                    here, places = here[wanted], places[wanted]
                table.put(number, places, block[here])

    def of(self, table: str, rows: slice) -> tuple[Any, ...]:
        """Return a part of a table and two moments where they are trained; moments that the optimizer has not are empty."""
        none = np.empty((0, self._row), np.float32)
        return (*(side.part(rows.start // (rows.stop - rows.start)) for side in self.sides[table]), none, none)[:3]

    def order_by_node(self) -> None:
        """Do nothing: what is read is a copy."""

    def ordered_by_node(self) -> AbstractContextManager[None]:
        """Do nothing: what is read is a copy."""
        return nullcontext()

    def is_sound(self) -> bool:
        """Tell whether no table of any worker holds NaN or infinity; all workers have to call it."""
        self._arrive()
        most = float(np.finfo(np.float32).max)
        tables = ((name, table) for name, (_, table) in self._names().items())
        return not self.workers.any(
            not all(table.is_within(most if "moment" in name else LARGEST_VALUE) for name, table in tables)
        )

    def _places(self, side: str, first: int, last: int) -> Iterator[tuple[int, IndexArray, IndexArray]]:
        """Yield each part that is here, and of the nodes ``first ... last`` those that it has and in which rows."""
        rows = self.placement.rows(side)  # type: ignore[arg-type]
        slots = self.placement.slot[first:last]
        owners = slots // rows
        for number, holder in enumerate(self._owners if side == "vertex" else self.where):
            if holder != self.workers.rank:
                continue
            here = np.flatnonzero(owners == number)
            yield number, here, slots[here] - number * rows


def node_blocks(last: int, row: int, first: int = 0) -> Iterator[tuple[int, int]]:
    """Yield bounds of nodes ``first ... last`` whose rows of so many values are handled together."""
    return itertools.pairwise([*range(first, last, max(1, _BLOCK // row)), last])
