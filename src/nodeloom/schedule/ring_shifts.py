"""Where each context part is, round by round: parts travel from worker to worker around a ring."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from nodeloom.partition.block import Block

Round: TypeAlias = Sequence[Block | None]


@dataclass(frozen=True, slots=True)
class RingShift:
    """A context part goes to another worker, once a round is trained.

    Attributes
    ----------
    part : int
        The context part.
    source, target : int
        Workers.
    """

    part: int
    source: int
    target: int


class RingShifts:
    """Where the context parts are during the rounds of an episode.

    A part is held by the worker that trains it next, or by the last one that did. With the order of
    :func:`nodeloom.schedule.order.rounds` and S context parts for each of W workers that makes a ring: a worker gives each part to
    its neighbour S rounds before that one trains it, so that it can travel while S - 1 other parts are trained; an episode moves all
    parts but the last S of each worker, and the next one, which goes backwards, begins with those.

    Parameters
    ----------
    rounds : sequence of rounds
        The blocks of all workers, round by round.
    following : sequence of rounds
        What is trained next; without it parts stay where they are at the end.

    Raises
    ------
    ValueError
        If two workers have a part in the same round.
    """

    def __init__(self, rounds: Sequence[Round], following: Sequence[Round] = ()) -> None:
        self.num_round = len(rounds)
        self._users: dict[int, list[tuple[int, int]]] = {}  # (round, worker) of each part
        for step, row in enumerate((*rounds, *following)):
            parts = [block.context for block in row if block is not None]
            if len(set(parts)) < len(parts):
                raise ValueError(f"blocks of a round share a part: {row}")
            for worker, block in enumerate(row):
                if block is not None:
                    self._users.setdefault(block.context, []).append((step, worker))
        self._after: dict[int, list[RingShift]] = {}
        for part, users in sorted(self._users.items()):
            for (at, source), (_, target) in itertools.pairwise(users):
                if source != target:
                    self._after.setdefault(at, []).append(RingShift(part, source, target))

    def after(self, step: int) -> list[RingShift]:
        """Return the parts that change hands when a round is trained, in order."""
        return self._after.get(step, [])

    def holder(self, part: int, step: int) -> int:
        """Return the worker that has a part before a round; before the first one, the one that trains it first."""
        users = self._users[part]
        return next((worker for at, worker in users if at >= step), users[-1][1])

    def parts_of(self, worker: int, step: int) -> list[int]:
        """Return the parts that a worker has before a round, in order."""
        return [part for part in sorted(self._users) if self.holder(part, step) == worker]

    def num_buffer(self, worker: int) -> int:
        """Return how many parts a worker has at a time, at most: while one goes and another comes, it needs room for both."""
        most = len(self.parts_of(worker, 0))
        for step in range(self.num_round):
            coming = sum(shift.target == worker for shift in self.after(step))
            most = max(most, len(self.parts_of(worker, step)) + coming)
        return most
