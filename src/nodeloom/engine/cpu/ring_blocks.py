"""The blocks of one worker, trained by threads of its CPU, pair by pair or as walk tiles."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.engine.cpu.blocks import CpuBlocks
from nodeloom.engine.part_storage import PartMoves
from nodeloom.kernels.cpu.block_walks import train_block_walks
from nodeloom.kernels.cpu.negatives import draw_negatives
from nodeloom.kernels.cpu.pairs import renumber
from nodeloom.kernels.cpu.parallel import collect, shares
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.plan.mode import Ring
from nodeloom.rng import MASK, mix
from nodeloom.schedule import Arrive, Exchange, Landed, OnDevice, Sort, Train

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodeloom.engine.negatives import NegativeDistribution
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.plan import Plan
    from nodeloom.transport.base import Transport
    from nodeloom.typing import DoubleArray

_TILES_PER_SLICE = 64
LEAST_NEGATIVES = 2


def tile_shape(plan: Plan) -> tuple[int, int]:
    """Return the walks of a tile in a block, so that it has about TILE heads, and the negatives that these share.

    Negatives of a head are spread over the blocks of its vertex part, so that their total equals that of whole tables.
    """
    assert plan.grid is not None
    walks = max(1, round(TILE * plan.grid.num_vertex_part / plan.positives.nodes_per_walk))
    return walks, max(LEAST_NEGATIVES, round(plan.negatives.count / plan.grid.num_context_part))


class RingBlocks(CpuBlocks):
    """The CPU of a worker: walks are drawn by all workers, each a share, and every worker gets all of them."""

    def __init__(
        self, graph: Graph, plan: Plan, stage: Stage, tables: Tables, noise: NegativeDistribution, transport: Transport
    ) -> None:
        super().__init__(graph, plan, stage, tables, noise)
        assert isinstance(plan.mode, Ring) and tables.placement is not None
        self._slots = tables.placement.slot
        self._transport, self._whole_walks = transport, plan.mode.whole_walks
        self._moves = PartMoves(tables.storages_of(stage.objective.tail), transport.rank, transport.exchange)
        self.sent = self._moves.sent
        self._num_pair = 0
        self._walks_per_tile, self._num_negative = tile_shape(plan)
        self._all_walks = np.empty((0, 0), self._index_type)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the threads, and room for a part that comes."""
        self._compile()
        self._moves.make_room()
        with super().running():
            yield

    def _compile(self) -> None:
        plan = self._plan
        none = np.empty((0, plan.positives.nodes_per_walk), self._index_type)
        self._sampler.sample(0, none)
        renumber(none, self._slots)
        draw_negatives(
            self._noise.prob, self._noise.alias, np.uint64(0), 0, np.empty((0, self._num_negative), np.int32)
        )
        if self._whole_walks:
            rows = np.zeros((1, self._none[0].shape[1]), np.float32)
            moments = [rows[: plan.optimizer.num_moment > number] for number in (0, 1)] * 2
            negatives = np.empty((0, self._num_negative), np.int32)
            zero = np.float32(0)
            train_block_walks(
                rows, rows, *moments, none, self._walks_per_tile, negatives, 0, 0, zero,
                plan.positives.augmentation_step, plan.positives.two_sided, zero, zero,
                plan.optimizer.code, self._settings, np.zeros(2),
            )  # fmt: skip

    def _draw(self, first_walk: int, num_walk: int) -> None:
        """Draw the walks of an episode, as slots: this worker's share, and hand it to the others."""
        transport, slot = self._transport, self._slots
        share = -(-num_walk // transport.size)
        if len(self._all_walks) != share * transport.size:
            self._all_walks = np.empty((share * transport.size, self._plan.positives.nodes_per_walk), self._index_type)
        begin = min(transport.rank * share, num_walk)
        end = min(begin + share, num_walk)

        def draw(first: int, last: int) -> None:
            rows = self._all_walks[begin + first : begin + last]
            self._sampler.sample(first_walk + begin + first, rows)
            renumber(rows, slot)

        self._in_slices(draw, end - begin)
        first = transport.rank * share
        transport.all_gather(self._all_walks[first : first + share], self._all_walks)
        self._walks = self._all_walks[:num_walk]

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Carry out an operation; parts travel between workers meanwhile."""
        match operation:
            case Sort() if self._whole_walks:
                return 0
            case Train() if self._whole_walks:
                self._train_walks(operation, float(lr[0]))
                return 0
            case Exchange():
                self._moves.exchange(operation.shifts)
                return 0
            case Arrive():
                self._moves.settle()
                return 0
        return super().run(operation, lr)

    def land(self) -> Landed:
        """Return the loss of the block that was trained; of whole walks its pairs, too."""
        landed, pairs, self._num_pair = super().land(), self._num_pair, 0
        return landed._replace(pairs=pairs)

    def _train_walks(self, operation: Train, lr: float) -> None:
        plan, block = self._plan, operation.block
        key = self._noise_key + operation.place * plan.positives.reuse
        walks, per_tile = self._walks, self._walks_per_tile
        prob, alias, numbers = self._of_block(block, lr)
        tables = self._parts(block)
        num_tile = -(-len(walks) // per_tile)
        found = []
        for reuse in range(plan.positives.reuse):
            stream = np.uint64(mix((key + reuse) & MASK))

            def work(a: int, b: int, stream: np.uint64 = stream) -> tuple[int, npt.NDArray[np.float64]]:
                negatives = np.empty((b - a, self._num_negative), np.int32)
                draw_negatives(prob, alias, stream, a, negatives)
                statistics = np.zeros(2)
                pairs = train_block_walks(
                    *tables, walks[a * per_tile : b * per_tile], per_tile, negatives,
                    block.vertex * self._rows["vertex"], block.context * self._rows["context"],
                    numbers[0], plan.positives.augmentation_step, plan.positives.two_sided, numbers[1], numbers[2],
                    plan.optimizer.code, self._settings, statistics,
                )  # fmt: skip
                return pairs, statistics

            found += collect(self._pool, work, shares(num_tile, plan.num_thread, _TILES_PER_SLICE))
        self._statistics += sum((statistics for _, statistics in found), np.zeros(2))
        self._num_pair += sum(pairs for pairs, _ in found)
