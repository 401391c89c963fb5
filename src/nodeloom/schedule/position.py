"""How far a training is: the position, which a checkpoint keeps, and the trainings in flight behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple


@dataclass
class Position:
    """How far the training of a part is; the same for all workers.

    Attributes
    ----------
    num_pair : int
        Positive pairs trained.
    num_tile : int
        Tiles trained, which is the number of the next one.
    loss : float
        Mean loss of the last pool.
    lr : float
        Learning rate at the end of the last pool.
    seconds : float
        Time spent, earlier parts included.
    episode : dict of str to int
        The bookmark of the schedule. In a grid: the number of the episode, how many of its rows are trained, its tiles and the shape of
        the grid; its walks begin with tile `num_tile`, and pairs of rows that are trained are in `num_pair`. With copies: the number
        of workers, and the tile that comes next for each.
    """

    num_pair: int = 0
    num_tile: int = 0
    loss: float = math.nan
    lr: float = math.nan
    seconds: float = 0.0
    episode: dict[str, int] = field(default_factory=dict)

    def pairs_per_tile(self, expected: float) -> float:
        """Return the pairs that tiles had so far, since walks return and end early; `expected` if that is not known.

        In the middle of an episode it is not: its pairs are counted, and its tiles only at its end.
        """
        known = self.num_pair and self.num_tile and not self.episode.get("row")
        return self.num_pair / self.num_tile if known else expected


@dataclass
class Standing:
    """All that a schedule may know of the training: the position, and the trainings of this worker behind it.

    Attributes
    ----------
    position : Position
        The position; a schedule changes its `episode`, and at the end of an episode its `num_tile`.
    expected_per_tile : float
        Pairs of a tile before any is trained.
    num_worker : int
        Workers.
    depth : int
        Trainings that may be in flight while the device is given another one.
    in_flight, tiles_in_flight : int
        Trainings in flight, and their tiles.
    landed_pairs, landed_tiles, num_landing : int
        Pairs, tiles and trainings of this worker that have ended since the last count.
    loss, weight : float
        Sum of the loss of the last training that has ended, and its weight.
    """

    position: Position
    expected_per_tile: float
    num_worker: int = 1
    depth: int = 0
    in_flight: int = 0
    tiles_in_flight: int = 0
    landed_pairs: int = 0
    landed_tiles: int = 0
    num_landing: int = 0
    loss: float = 0.0
    weight: float = 0.0

    @property
    def per_tile(self) -> float:
        """The pairs that a tile is expected to have."""
        return self.position.pairs_per_tile(self.expected_per_tile)

    @property
    def num_pair(self) -> float:
        """The pairs of all workers when all that is in flight has landed, as far as this worker can tell."""
        own = self.landed_pairs + self.tiles_in_flight * self.per_tile
        return self.position.num_pair + self.num_worker * own

    @property
    def num_tile(self) -> int:
        """The tiles of this worker since the last count, those in flight included."""
        return self.landed_tiles + self.tiles_in_flight


class Landed(NamedTuple):
    """What has come of a training: its pairs, unless they were known when it began, its loss and the weight of that."""

    pairs: int
    loss: float
    weight: float
