"""The schedules of tables in parts: blocks of one process, and blocks of workers between which context parts go round.

An episode is a number of walks, which all workers have. Every block of the grid is trained once in it, with the pairs of these walks.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeloom.schedule.operations import (
    Arrive,
    Count,
    Draw,
    Exchange,
    Look,
    OnDevice,
    Operation,
    Sort,
    Train,
    Wait,
)
from nodeloom.schedule.order import blocks_of_row, rounds
from nodeloom.schedule.ring_shifts import RingShift, RingShifts
from nodeloom.schedule.transfers import Transfers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.partition import Block, Grid
    from nodeloom.schedule.position import Position, Standing


@dataclass
class _Episodes:
    """What both schedules have.

    Attributes
    ----------
    total_pair : int
        Positive pairs to train.
    pairs_per_tile : float
        Pairs that a tile is expected to have.
    walks_per_tile : int
        Walks of a tile.
    grid : Grid
        The parts of the tables.
    """

    total_pair: int
    pairs_per_tile: float
    walks_per_tile: int
    grid: Grid
    unit = "episodes"

    def _begin(self, standing: Standing, shape: dict[str, int]) -> dict[str, int]:
        """Let an episode begin, or go on with the one that had begun in a grid of the same shape; return the bookmark."""
        position = standing.position
        episode = position.episode
        if not episode or not shape.items() <= episode.items():
            left = self.total_pair - position.num_pair
            # Episodes are equal, and a short rest is shared by all that are left.
            count = max(1, round(left / self.grid.episode_pairs))
            tiles = max(1, math.ceil(left / count / standing.per_tile))
            position.episode = {"number": episode.get("number", 0), "row": 0, "tiles": tiles, **shape}
        return position.episode

    def _draw(self, position: Position) -> Draw:
        return Draw(position.num_tile * self.walks_per_tile, position.episode["tiles"] * self.walks_per_tile)

    def _end_row(self, position: Position, num_row: int) -> None:
        """Move the bookmark behind a row; behind the last one to the next episode."""
        episode = position.episode
        episode["row"] += 1
        if episode["row"] == num_row:
            position.num_tile += episode["tiles"]
            position.episode = {"number": episode["number"] + 1}

    def _place(self, number: int, block: Block) -> int:
        grid = self.grid
        return (number * grid.num_vertex_part + block.vertex) * grid.num_context_part + block.context


@dataclass
class BlocksSchedule(_Episodes):
    """One process trains the blocks of a grid row by row, while the parts of the next blocks travel.

    Attributes
    ----------
    tied : bool
        Whether both sides are one table.
    """

    tied: bool

    def __post_init__(self) -> None:
        self._transfers = Transfers(self.grid.vertex_slots, self.grid.context_slots, tied=self.tied)

    @property
    def landings(self) -> int:
        """Trainings in which a whole unit of walks is trained."""
        return self.grid.num_vertex_part

    def operations(self, standing: Standing) -> Iterator[Operation]:
        """Yield what is to be done from the position on; a look after every row of the grid."""
        position, num_row = standing.position, self.grid.num_vertex_part
        shape = {"vertex_parts": num_row, "context_parts": self.grid.num_context_part}
        while position.num_pair < self.total_pair:
            episode = self._begin(standing, shape)
            yield self._draw(position)
            while position.episode is episode:
                at, number = episode["row"], episode["number"]
                # What comes after the next row has no part in what is to be kept and loaded now.
                row, ahead = self._row(number, at), self._row(number + (at + 1) // num_row, (at + 1) % num_row)
                yield Sort(row[0].vertex, ahead[0].vertex if at + 1 < num_row else None)
                for operation in self._transfers.operations(row, ahead):
                    if isinstance(operation, Train):
                        operation = dataclasses.replace(operation, place=self._place(number, operation.block))
                    yield operation
                yield Wait()
                yield Count()
                self._end_row(position, num_row)
                yield Look()

    def rest(self) -> Sequence[OnDevice]:
        """Return what brings all parts back to the host."""
        return self._transfers.finish()

    def _row(self, number: int, at: int) -> list[Block]:
        """Return the blocks of a vertex part in their order: the one that comes `at`-th in an episode. All at once may be millions."""
        return blocks_of_row(self.grid.num_vertex_part, self.grid.num_context_part, number, at)


@dataclass
class RingSchedule(_Episodes):
    """In every round each worker trains a block, and no two blocks share a part; then context parts go on to the next worker.

    While a part travels another one is trained.

    Attributes
    ----------
    rank, num_worker : int
        This worker; all of them.
    """

    rank: int
    num_worker: int

    def __post_init__(self) -> None:
        count = self.grid.num_context_part
        self._owners = [part * self.num_worker // count for part in range(count)]
        self._coming: set[int] = set()

    @property
    def landings(self) -> int:
        """Trainings in which a whole unit of walks is trained."""
        return self.grid.num_vertex_part * self.grid.num_context_part // self.num_worker

    def operations(self, standing: Standing) -> Iterator[Operation]:
        """Yield what is to be done from the position on; a look after every round."""
        position, grid = standing.position, self.grid
        shape = {
            "vertex_parts": grid.num_vertex_part,
            "context_parts": grid.num_context_part,
            "num_worker": self.num_worker,
        }
        while position.num_pair < self.total_pair:
            episode = self._begin(standing, shape)
            number = episode["number"]
            order, following = (self._rounds(number + later) for later in (0, 1))
            shifts = RingShifts(order, following)
            yield from self._bring([shifts.holder(part, episode["row"]) for part in range(grid.num_context_part)])
            yield self._draw(position)
            vertex = None  # the part whose pairs are sorted
            while position.episode is episode:
                at = episode["row"]
                block = order[at][self.rank]
                if block.vertex != vertex:
                    vertex = block.vertex
                    yield Sort(vertex)
                if block.context in self._coming:
                    yield from self._arrive()
                yield Train(0, (), block, 0, 0, self._place(number, block))
                yield Wait()
                yield self._exchange(shifts.after(at))
                yield Count()
                self._end_row(position, len(order))
                yield Look()

    def rest(self) -> Sequence[OnDevice]:
        """Return what waits for all parts that are on their way."""
        return list(self._arrive())

    def _rounds(self, number: int) -> list[tuple[Block, ...]]:
        order = rounds(self.grid.num_vertex_part, self.grid.num_context_part, self.num_worker, number)
        # Workers have as many vertex parts as each other, so none is ever idle.
        return [tuple(block for block in row if block is not None) for row in order]

    def _arrive(self) -> Iterator[Arrive]:
        self._coming.clear()
        yield Arrive()

    def _exchange(self, shifts: Sequence[RingShift]) -> Exchange:
        for shift in shifts:
            self._owners[shift.part] = shift.target
        # An exchange waits for the one before, so parts of that have arrived.
        self._coming = {shift.part for shift in shifts if shift.target == self.rank}
        return Exchange(tuple(shifts))

    def _bring(self, where: Sequence[int]) -> Iterator[OnDevice]:
        """Bring the parts to these workers, if they are with others."""
        changes = [
            RingShift(part, source, target)
            for part, (source, target) in enumerate(zip(self._owners, where, strict=True))
            if source != target
        ]
        held = Counter(self._owners)
        while changes:  # one by one, to whom has fewest: nobody needs more room than for one more
            shift = min(changes, key=lambda change: (held[change.target], change.part))
            changes.remove(shift)
            held.update({shift.target: 1, shift.source: -1})
            yield self._exchange([shift])
        yield from self._arrive()
