"""The loop of all trainings: a device carries out the operations of a schedule; clock, learning rate, loss and position are kept here."""

from __future__ import annotations

import math
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nodeloom.errors import GraphError, TrainingError
from nodeloom.plan.learning_rate import factors
from nodeloom.schedule import (
    Count,
    Landed,
    Look,
    Merge,
    OnDevice,
    Operation,
    Position,
    Standing,
    Train,
    TrainTiles,
    Wait,
)
from nodeloom.transport.alone import ALONE
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from contextlib import AbstractContextManager

    from nodeloom.plan.training_plan import TrainingPlan
    from nodeloom.transport.base import Transport
    from nodeloom.typing import DoubleArray

EMPTY_POOLS = 64
"""Pools in a row without a single pair, before training gives up."""


class Schedule(Protocol):
    """What is done when; see :mod:`nodeloom.schedule`."""

    unit: str

    @property
    def total_pair(self) -> int:
        """Positive pairs to train."""

    @property
    def pairs_per_tile(self) -> float:
        """Pairs that a tile is expected to have."""

    @property
    def landings(self) -> int:
        """Trainings in which a whole unit of walks is trained."""

    def operations(self, standing: Standing) -> Iterator[Operation]:
        """Yield what is to be done from the position on."""

    def rest(self) -> Sequence[OnDevice]:
        """Return what brings the tables to rest between two looks."""


class Device(Protocol):
    """Where tables are trained.

    Attributes
    ----------
    depth : int
        Trainings that may be in flight while it is given another one.
    sent : sequence of int
        The bytes that this worker has sent to others, for each merge or exchange that had something to send.
    """

    depth: int
    sent: Sequence[int]

    def running(self) -> AbstractContextManager[Any]:
        """Hold what is needed while it works, with all kernels compiled, and wait for everything at the end."""

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Carry out an operation, or begin to. A training gets a learning rate for each tile, or one for the block.

        Returns the pairs of the training, where they are known.
        """

    def land(self) -> Landed:
        """Wait for the oldest training in flight; with blocks for all of them."""

    def settle(self) -> None:
        """Wait for everything."""


_NO_RATE = np.empty(0)


class Loop:
    """Trains one part of a model.

    Parameters
    ----------
    plan : Plan
        The plan.
    schedule : Schedule
        What is done when.
    device : Device
        Does it.
    transport : Transport
        All workers.

    Attributes
    ----------
    total_pair : int
        Positive pairs to train.
    waited : float
        Seconds that this worker has spent on merges, waiting for the others included.
    """

    def __init__(self, plan: TrainingPlan, schedule: Schedule, device: Device, transport: Transport = ALONE) -> None:
        self.plan, self.schedule, self.device, self.transport = plan, schedule, device, transport
        self.total_pair = schedule.total_pair
        self.waited = 0.0
        self._standing = self._standing_at(Position())
        self._flights: deque[tuple[int, float]] = deque()  # tiles and last learning rate of each training in flight
        self._lr = math.nan
        self._num_empty = 0
        self._mark = 0.0

    @property
    def sent(self) -> Sequence[int]:
        """The bytes that this worker has sent to others, for each merge or exchange that had something to send."""
        return self.device.sent

    def run(self, position: Position) -> Iterator[Position]:
        """Train from `position`, which moves along, to the end; yield it at every look. It is the same for all workers.

        Trainings may be in flight then; :meth:`settle` waits for them, and if that was the end, it is yielded once more.

        Raises
        ------
        TrainingError
            If values diverge, or a driver reports an error.
        GraphError
            If walks have no pairs.
        MemoryLimitError
            If a device runs out of memory.
        """
        standing = self._standing = self._standing_at(position)
        seen = position.num_pair
        with self.device.running():
            self.transport.barrier()  # nobody's clock runs while another one compiles
            self._mark = time.perf_counter()
            for operation in self.schedule.operations(standing):
                if not isinstance(operation, Look):
                    self._do(operation)
                    continue
                self._clock()
                seen = position.num_pair
                yield position
                if not standing.in_flight:  # else the device has worked meanwhile
                    self._mark = time.perf_counter()
            self.settle()
        if position.num_pair != seen:
            yield position

    def settle(self) -> None:
        """Wait for all trainings in flight, and move the position behind them: then the tables are at rest.

        Raises
        ------
        TrainingError, MemoryLimitError
            As :meth:`run`.
        """
        for operation in self.schedule.rest():
            self.device.run(operation, _NO_RATE)
        if self._standing.in_flight:
            self._do(Wait())
            self._do(Count())
        self.device.settle()

    def _standing_at(self, position: Position) -> Standing:
        expected, size = self.schedule.pairs_per_tile, self.transport.size
        return Standing(position, expected, num_worker=size, depth=self.device.depth)

    def _do(self, operation: Operation) -> None:
        begin = time.perf_counter()
        match operation:
            case Wait():
                while self._standing.in_flight > operation.in_flight:
                    self._land()
            case Count():
                self._count()
                self.waited += time.perf_counter() - begin if self.transport.size > 1 else 0.0
            case TrainTiles():
                lr = self._rates(operation.count)
                self.device.run(operation, lr)
                self._flights.append((operation.count, float(lr[-1])))
                self._standing.in_flight += 1
                self._standing.tiles_in_flight += operation.count
            case Train():
                lr = self._rates(1)
                self._standing.landed_pairs += self.device.run(operation, lr)
                self._lr = float(lr[0])
                self._standing.in_flight = 1
            case Merge():
                self.device.run(operation, _NO_RATE)
                self.waited += time.perf_counter() - begin
            case _:
                self.device.run(operation, _NO_RATE)  # type: ignore[arg-type]

    def _rates(self, count: int) -> DoubleArray:
        """Return the learning rates of the next trainings, one for each tile."""
        standing = self._standing
        per_tile = standing.num_worker * standing.per_tile
        done = standing.num_pair + per_tile * np.arange(count, dtype=np.float64)
        with np.errstate(over="ignore"):  # a rate that is too large ends as a TrainingError
            return np.asarray(self.plan.lr * factors(self.plan.schedule, done, self.total_pair))

    def _land(self) -> None:
        """Wait for the oldest training in flight, or for all blocks."""
        standing = self._standing
        landed = self.device.land()
        if self._flights:
            tiles, self._lr = self._flights.popleft()
            standing.tiles_in_flight -= tiles
            standing.landed_tiles += tiles
        standing.in_flight -= 1
        standing.num_landing += 1
        standing.landed_pairs += landed.pairs
        standing.loss, standing.weight = landed.loss, landed.weight

    def _count(self) -> None:
        """Add up what has landed with all workers, and move the position.

        Raises
        ------
        TrainingError
            If values of any worker diverge.
        GraphError
            If walks have no pairs.
        """
        standing, position = self._standing, self._standing.position
        own = standing.landed_pairs, standing.landed_tiles, standing.num_landing, self._lr
        sums = np.array([*own, standing.loss, standing.weight], np.float64)
        self.transport.all_reduce(sums)
        pairs, tiles, landings, lr, loss, weight = sums
        standing.landed_pairs = standing.landed_tiles = standing.num_landing = 0
        position.num_pair += int(pairs)
        position.num_tile += int(tiles)
        position.lr = float(lr) / standing.num_worker
        self._clock()
        if weight != 0:  # nor NaN
            position.loss = float(loss / weight)
            if not math.isfinite(position.loss):
                raise divergence_error(self.plan, position.num_pair)
        self._num_empty = 0 if pairs else self._num_empty + round(landings / standing.num_worker)
        if self._num_empty >= EMPTY_POOLS * self.schedule.landings:
            raise GraphError(
                f"graph: {EMPTY_POOLS} {self.schedule.unit} had not one pair of different nodes "
                f"({self.plan.num_nodes:,} nodes, {self.plan.num_edges:,} edges)."
            )

    def _clock(self) -> None:
        now = time.perf_counter()
        self._standing.position.seconds += now - self._mark
        self._mark = now


def divergence_error(plan: TrainingPlan, num_pair: float) -> TrainingError:
    """Return the error that says that values have become infinite, NaN or larger than any that mean something.

    Parameters
    ----------
    plan : Plan
        The plan.
    num_pair : float
        Pairs of the part that were trained.
    """
    return TrainingError(
        f"training diverged at epoch {min(num_pair / plan.num_edges, plan.num_epoch):.1f} of {plan.num_epoch}: "
        f"the vectors grew without bound at lr {plan.lr:g} "
        f"({plan.optimizer.name}). Lower {setting('build.optimizer.lr')} (auto is safe), "
        f"or raise {setting('build.optimizer.weight_decay')}."
    )
