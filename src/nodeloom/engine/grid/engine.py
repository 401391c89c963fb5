"""The grid engine: block after block is trained where its two parts are, while those of the next ones travel.

An episode is a number of walks. For every vertex part they are drawn again, which is cheaper than to keep their pairs, and the pairs
whose head lies in the part are sorted by context part and head. Then the blocks of that row of the grid are trained. The negatives of
a block come from its context part; every head gets them in proportion to all its pairs in the row and to the share of the part in the
noise, so that over a row they have the distribution of the whole graph.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nodeloom.engine.grid.episodes import begin_episode, end_episode
from nodeloom.engine.grid.noise import Noise
from nodeloom.engine.resident import EMPTY_POOLS, Position, diverged
from nodeloom.engine.tables import Tables
from nodeloom.errors import GraphError
from nodeloom.model.parts import Part
from nodeloom.partition import Block
from nodeloom.plan.learning_rate import factors
from nodeloom.plan.plan import Plan
from nodeloom.rng import Purpose, stream
from nodeloom.sampling.negatives import noise_weights
from nodeloom.schedule import Operation, Train, Transfers, blocks_of_row

if TYPE_CHECKING:
    from nodeloom.graph import Graph


class BlockDevice(Protocol):
    """What the engine needs of the place where blocks are trained."""

    def running(self) -> AbstractContextManager[Any]:
        """Hold what is needed while it works, and wait for everything at the end."""

    def begin_episode(self, first_walk: int, num_walk: int) -> None:
        """Say of which walks the pairs of the next rows are."""

    def begin_row(self, vertex_part: int, following: int | None) -> list[int]:
        """Sort the pairs of a vertex part by block; return how many each context part has. `following` is the next part of the episode."""

    def run(self, operation: Operation, *, lr: float = 0.0, key: int = 0) -> None:
        """Do an operation after those that it has to wait for; a training with a learning rate and a random stream for its negatives."""

    def end_row(self) -> tuple[float, float]:
        """Wait for the trainings of the row; return its loss and the weight of it."""

    def settle(self) -> None:
        """Wait for everything."""


class GridEngine:
    """Trains one part of a model in a grid.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        The plan, with a grid.
    part : Part
        What to train.
    tables : Tables
        Its tables, placed in the grid; changed.
    """

    sent: Sequence[int] = ()
    waited = 0.0

    def __init__(self, graph: Graph, plan: Plan, part: Part, tables: Tables) -> None:
        assert plan.grid is not None and tables.placement is not None
        self.graph, self.plan, self.part, self.grid = graph, plan, part, plan.grid
        self.total_pair = plan.num_epoch * graph.num_edges
        self._noise_key = stream(part.seed, Purpose.NEGATIVE)
        noise = Noise.of(noise_weights(graph, plan.negative_sample_exponent), tables.placement, plan.num_thread)
        self._device = _device(graph, plan, part, tables, noise)
        self._transfers = Transfers(self.grid.vertex_slots, self.grid.context_slots, tied=part.tail == "vertex")

    def run(self, position: Position) -> Iterator[Position]:
        """Train from `position`, which moves along, to the end; yield it after every row of the grid.

        Raises
        ------
        TrainingError
            If values diverge.
        GraphError
            If walks have no pairs.
        MemoryLimitError
            If the device runs out of memory.
        """
        empty_rows = 0
        with self._device.running():
            while position.num_pair < self.total_pair:
                shape = {"vertex_parts": self.grid.num_vertex_part, "context_parts": self.grid.num_context_part}
                episode = begin_episode(position, self.plan, self.total_pair, shape)
                num_row = self.grid.num_vertex_part
                self._device.begin_episode(position.num_tile * self.plan.walks_per_tile, self._num_walk(episode))
                while episode["row"] < num_row:
                    begin = time.perf_counter()
                    at = episode["row"]
                    # What comes after the next row has no part in what is to be kept and loaded now.
                    number = episode["number"]
                    row, ahead = self._row(number, at), self._row(number + (at + 1) // num_row, (at + 1) % num_row)
                    following = ahead[0].vertex if at + 1 < num_row else None
                    pairs = self._train_row(row, ahead, following, position)
                    episode["row"] += 1
                    if episode["row"] == num_row:
                        end_episode(position)
                    position.seconds += time.perf_counter() - begin
                    empty_rows = 0 if pairs else empty_rows + 1
                    if empty_rows == EMPTY_POOLS * num_row:
                        raise GraphError(f"{self.graph!r}: {EMPTY_POOLS} episodes had not one pair of different nodes.")
                    yield position
            self.settle()

    def settle(self) -> None:
        """Bring all parts back to the host, and wait for that."""
        for operation in self._transfers.finish():
            self._device.run(operation)
        self._device.settle()

    def _row(self, number: int, at: int) -> list[Block]:
        """Return the blocks of a vertex part in their order: the one that comes `at`-th in an episode. All at once may be millions."""
        return blocks_of_row(self.grid.num_vertex_part, self.grid.num_context_part, number, at)

    def _num_walk(self, episode: dict[str, int]) -> int:
        return episode["tiles"] * self.plan.walks_per_tile

    def _train_row(self, row: list[Block], ahead: list[Block], following: int | None, position: Position) -> int:
        """Train the blocks of a row; return its pairs."""
        plan, device = self.plan, self._device
        sizes = device.begin_row(row[0].vertex, following)
        number = position.episode["number"] * self.grid.num_vertex_part * self.grid.num_context_part
        done = position.num_pair
        for operation in self._transfers.operations(row, ahead):
            if not isinstance(operation, Train):
                device.run(operation)
                continue
            block = operation.block
            place = number + block.vertex * self.grid.num_context_part + block.context
            with np.errstate(over="ignore"):
                lr = float(plan.lr * factors(plan.schedule, np.array([float(done)]), self.total_pair)[0])
            device.run(operation, lr=lr, key=self._noise_key + place * plan.positive_reuse)
            done += sizes[block.context] * plan.positive_reuse
            position.lr = lr
        loss, weight = device.end_row()
        pairs = done - position.num_pair
        position.num_pair = done
        if weight > 0:
            position.loss = loss / weight
            if not math.isfinite(position.loss):
                raise diverged(plan, position.num_pair / self.graph.num_edges)
        return pairs


def _device(graph: Graph, plan: Plan, part: Part, tables: Tables, noise: Noise) -> BlockDevice:
    if plan.device == "cpu":
        from nodeloom.engine.grid.cpu import CpuBlocks

        return CpuBlocks(graph, plan, part, tables, noise)
    from nodeloom.engine.grid.gpu import GpuBlocks

    return GpuBlocks(graph, plan, part, tables, noise)
