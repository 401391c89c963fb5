"""The engine of one of several workers: it trains the blocks of its vertex parts, and context parts go round from worker to worker.

An episode is a number of walks, which all workers have. In every round each worker trains one block, and no two blocks share a part; then
the context part goes to the next worker, and while it travels another one is trained. What is trained, with which negatives, is that
of :class:`nodeloom.engine.grid.engine.GridEngine` in the same grid.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.grid.episodes import begin_episode, end_episode
from nodeloom.engine.grid.noise import Noise
from nodeloom.engine.resident import EMPTY_POOLS, Position, diverged
from nodeloom.engine.tables import Tables
from nodeloom.engine.workers.blocks import WorkerBlocks
from nodeloom.engine.workers.parts import Exchange, PartMoves
from nodeloom.errors import GraphError
from nodeloom.model.parts import Part
from nodeloom.partition import Block
from nodeloom.plan.learning_rate import factors
from nodeloom.plan.plan import Plan
from nodeloom.rng import Purpose, stream
from nodeloom.sampling.negatives import noise_weights
from nodeloom.schedule import Handovers, rounds
from nodeloom.transport.base import Transport

if TYPE_CHECKING:
    from nodeloom.engine.workers.gpu_blocks import GpuWorkerBlocks
    from nodeloom.graph import Graph


class WorkerEngine:
    """Trains one part of a model together with other workers.

    Parameters
    ----------
    graph : Graph
        The graph, the same for all workers.
    plan : Plan
        The plan, the same for all workers.
    part : Part
        What to train.
    tables : Tables
        This worker's share of the tables; changed.
    transport : Transport
        All workers.
    """

    def __init__(self, graph: Graph, plan: Plan, part: Part, tables: Tables, transport: Transport) -> None:
        assert plan.grid is not None and tables.placement is not None
        self.graph, self.plan, self.transport, self.grid = graph, plan, transport, plan.grid
        self.total_pair = plan.num_epoch * graph.num_edges
        self._noise_key = stream(part.seed, Purpose.NEGATIVE)
        noise = Noise.of(noise_weights(graph, plan.negative_sample_exponent), tables.placement, plan.num_thread)
        self._blocks: WorkerBlocks | GpuWorkerBlocks
        exchange: Exchange = transport.exchange
        if plan.device == "cpu":
            self._blocks = WorkerBlocks(graph, plan, part, tables, noise, transport)
        else:
            from nodeloom.engine.workers.gpu_blocks import GpuWorkerBlocks

            self._blocks = GpuWorkerBlocks(graph, plan, part, tables, noise, transport)
            exchange = self._blocks.exchange
        self._moves = PartMoves(tables.storages_of("context"), transport.rank, exchange)
        self.sent, self.waited = self._moves.sent, 0.0
        self._vertex: int | None = None  # the part whose pairs are sorted
        self._order: list[tuple[Block, ...]] = []  # of the episode
        self._handovers = Handovers([])

    def run(self, position: Position) -> Iterator[Position]:
        """Train from `position`, which moves along, to the end; yield it after every round. It is the same for all workers.

        Raises
        ------
        TrainingError
            If values diverge.
        GraphError
            If walks have no pairs.
        """
        grid, transport = self.grid, self.transport
        empty_rounds = 0
        self._blocks.prepare()
        self._moves.make_room()
        transport.barrier()  # nobody's clock runs while another one compiles
        with self._blocks.running():
            while position.num_pair < self.total_pair:
                begin = time.perf_counter()
                shape = {
                    "vertex_parts": grid.num_vertex_part,
                    "context_parts": grid.num_context_part,
                    "num_worker": transport.size,
                }
                episode = begin_episode(position, self.plan, self.total_pair, shape)
                order, following = (self._rounds(episode["number"] + later) for later in (0, 1))
                handovers = Handovers(order, following)
                self._moves.bring([handovers.holder(part, episode["row"]) for part in range(grid.num_context_part)])
                self._order, self._handovers = order, handovers
                num_walk = episode["tiles"] * self.plan.walks_per_tile
                self._blocks.begin_episode(position.num_tile * self.plan.walks_per_tile, num_walk)
                self._vertex = None
                while episode["row"] < len(order):
                    pairs = self._round(position)
                    position.seconds += time.perf_counter() - begin
                    empty_rounds = 0 if pairs else empty_rounds + 1
                    if empty_rounds == EMPTY_POOLS * len(order):
                        raise GraphError(f"{self.graph!r}: {EMPTY_POOLS} episodes had not one pair of different nodes.")
                    yield position
                    begin = time.perf_counter()
            self.settle()

    def settle(self) -> None:
        """Wait for all parts that are on their way."""
        self._moves.settle()

    def _rounds(self, number: int) -> list[tuple[Block, ...]]:
        order = rounds(self.grid.num_vertex_part, self.grid.num_context_part, self.transport.size, number)
        # Workers have as many vertex parts as each other, so none is ever idle.
        return [tuple(block for block in row if block is not None) for row in order]

    def _round(self, position: Position) -> int:
        """Train the block of this worker in the next round; return the pairs of all workers."""
        plan, grid, episode = self.plan, self.grid, position.episode
        block = self._order[episode["row"]][self.transport.rank]
        with np.errstate(over="ignore"):
            lr = float(plan.lr * factors(plan.schedule, np.array([float(position.num_pair)]), self.total_pair)[0])
        place = (episode["number"] * grid.num_vertex_part + block.vertex) * grid.num_context_part + block.context
        if block.vertex != self._vertex:
            self._vertex = block.vertex
            self._blocks.begin_row(block.vertex)
        self._moves.ready(block.context)
        found = self._blocks.train(block, lr, self._noise_key + place * plan.positive_reuse)
        self._moves.hand_over(self._handovers.after(episode["row"]))
        sums = np.array(found, np.float64)
        self.transport.all_reduce(sums)
        pairs, loss, weight = sums
        position.num_pair += int(pairs)
        position.lr = lr
        episode["row"] += 1
        if episode["row"] == len(self._order):
            end_episode(position)
        if weight > 0:
            position.loss = float(loss / weight)
            if not math.isfinite(position.loss):
                raise diverged(plan, position.num_pair / self.graph.num_edges)
        return int(pairs)
