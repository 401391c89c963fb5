"""The schedules of whole tables: of one process, and of workers that merge their copies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeloom.schedule.operations import Count, Draw, Look, Merge, OnDevice, Operation, TrainTiles, Wait

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.schedule.position import Standing

TILE_OFFSET_PER_RANK = (1 << 40) + 0x1E3779B9
"""Tiles between the first of one worker and that of the next: more than any trains. The lower bits are in the way that rows are rounded."""


@dataclass(frozen=True)
class WholeSchedule:
    """One process trains pool after pool of tiles.

    Attributes
    ----------
    total_pair : int
        Positive pairs to train.
    pairs_per_tile : float
        Pairs that a tile is expected to have.
    walks_per_tile, tiles_per_pool : int
        Walks of a tile; tiles of a pool.
    """

    total_pair: int
    pairs_per_tile: float
    walks_per_tile: int
    tiles_per_pool: int
    unit = "pools of walks"

    @property
    def landings(self) -> int:
        """Trainings in which a whole unit of walks is trained."""
        return 1

    def operations(self, standing: Standing) -> Iterator[Operation]:
        """Yield what is to be done from the position on; a look after every pool that has ended."""
        position = standing.position
        yield Draw(position.num_tile * self.walks_per_tile)
        while position.num_pair < self.total_pair:
            left = math.ceil((self.total_pair - standing.num_pair) / standing.per_tile)
            if standing.in_flight and left <= 0:  # pools in flight are expected to be enough
                yield Wait(standing.in_flight - 1)
            else:
                yield TrainTiles(position.num_tile + standing.num_tile, max(1, min(self.tiles_per_pool, left)))
                yield Wait(standing.depth)
            if standing.num_landing:
                yield Count()
                yield Look()

    def rest(self) -> list[OnDevice]:
        """Return what brings the tables to rest: they are where they are trained."""
        return []


@dataclass(frozen=True)
class CopiesSchedule(WholeSchedule):
    """Every worker trains as many tiles in tables of its own, and then all merge.

    Attributes
    ----------
    rank : int
        This worker.
    num_merge : int
        Merges in the whole training.
    """

    rank: int
    num_merge: int

    def operations(self, standing: Standing) -> Iterator[Operation]:
        """Yield what is to be done from the position on; a look after every merge.

        The tiles of the position are those of all workers. Its bookmark has the tile that comes next for each, from which as many
        workers as before go on; others begin behind all that any worker has trained.
        """
        position, num_worker, first = standing.position, standing.num_worker, self.rank * TILE_OFFSET_PER_RANK
        known = position.episode
        tile = known["tile"] if known.get("copies") == num_worker else position.num_tile
        yield Draw((first + tile) * self.walks_per_tile)
        period = self.total_pair / self.num_merge
        while position.num_pair < self.total_pair:
            goal = min(self.total_pair, (round(position.num_pair / period) + 1) * period)
            count = max(1, math.ceil((goal - position.num_pair) / (standing.per_tile * num_worker)))
            while standing.num_tile < count and math.isfinite(standing.loss):
                now = min(self.tiles_per_pool, count - standing.num_tile)
                yield TrainTiles(first + tile + standing.num_tile, now)
                yield Wait(standing.depth)
            yield Wait()
            number, tile = position.num_tile, tile + count
            yield Count()
            yield Merge(number)
            position.episode = {"copies": num_worker, "tile": tile}
            yield Look()
