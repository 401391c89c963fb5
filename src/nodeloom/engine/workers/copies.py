"""The engine of a worker that has whole tables: it trains walks of its own, and now and then all are merged.

Between two merges every worker trains as many tiles with the engine of its device, from its own stream of walks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.resident import Position, ResidentEngine, Span
from nodeloom.engine.tables import Tables
from nodeloom.engine.workers.merger import Merger
from nodeloom.errors import GraphError, NodeloomError, TrainingError
from nodeloom.model.parts import Part
from nodeloom.plan.mode import Copies
from nodeloom.plan.plan import Plan
from nodeloom.transport.base import Transport

if TYPE_CHECKING:
    from nodeloom.engine.gpu.resident import GpuEngine
    from nodeloom.engine.workers.gpu_merger import GpuMerger
    from nodeloom.graph import Graph

APART = (1 << 40) + 0x1E3779B9
"""Tiles between the first of one worker and that of the next: more than any trains. The lower bits are in the way that rows are rounded."""


class CopiesEngine:
    """Trains one part of a model together with other workers, each of which has all of it.

    Parameters
    ----------
    graph : Graph
        The graph, the same for all workers.
    plan : Plan
        The plan, the same for all workers but for the device.
    part : Part
        What to train.
    tables : Tables
        This worker's tables; changed.
    transport : Transport
        All workers.

    Attributes
    ----------
    sent : list of int
        The bytes that this worker has sent to others in each merge.
    waited : float
        Seconds that this worker has spent on merges, and on waiting for the others to come to them.

    Raises
    ------
    MemoryLimitError
        If the device has not enough memory after all.
    """

    def __init__(self, graph: Graph, plan: Plan, part: Part, tables: Tables, transport: Transport) -> None:
        self.graph, self.plan, self.transport = graph, plan, transport
        self._engine: ResidentEngine | GpuEngine
        self._merger: Merger | GpuMerger
        if plan.device == "cpu":
            self._engine = ResidentEngine(graph, plan, part, tables)
            self._merger = Merger(tables, transport, plan.num_thread)
        else:
            from nodeloom.engine.gpu.resident import GpuEngine
            from nodeloom.engine.workers.gpu_merger import GpuMerger

            self._engine = GpuEngine(graph, plan, part, tables)
            self._merger = GpuMerger(tables, transport, self._engine.device)
        self.sent, self.waited = self._merger.sent, 0.0
        self.total_pair = self._engine.total_pair

    def run(self, position: Position) -> Iterator[Position]:
        """Train from `position`, which moves along, to the end; yield it after every merge. It is the same for all workers.

        Its tiles are those of all workers. In `episode` is the tile that comes next for each, from which as many workers as before go on;
        others begin behind all that any process has trained.

        Raises
        ------
        TrainingError
            If values of any worker diverge, or a driver reports an error.
        GraphError
            If walks have no pairs.
        MemoryLimitError
            If the device runs out of memory.
        """
        transport, known = self.transport, position.episode
        tile = known["tile"] if known.get("copies") == transport.size else position.num_tile
        with self._engine.running(tile, transport.rank * APART):
            self._merger.prepare()
            transport.barrier()  # nobody's clock runs while another one compiles
            while position.num_pair < self.total_pair:
                begin = time.perf_counter()
                tile = self._train(position, tile)
                position.seconds += time.perf_counter() - begin
                yield position

    def settle(self) -> None:
        """Nothing is under way between two merges."""

    def _train(self, position: Position, tile: int) -> int:
        """Train every worker's tiles from `tile` to the next merge, and merge; return the tile that comes next."""
        transport = self.transport
        span = self._span(position, tile)
        own = Position(num_tile=tile)
        problem: NodeloomError | None = None
        try:
            for _ in self._engine.pools(own, span):
                pass
        except (TrainingError, GraphError) as error:
            problem = error
        begin = time.perf_counter()
        known = math.isfinite(own.loss)
        found = np.array([own.num_pair, own.loss if known else 0.0, known, own.lr, problem is not None], np.float64)
        transport.all_reduce(found)
        pairs, loss, num_loss, lr, failed = found
        if failed:
            self._raise(problem)
        self._merger.merge(position.num_tile)
        self.waited += time.perf_counter() - begin
        position.num_pair += int(pairs)
        position.num_tile += (span.last_tile - tile) * transport.size
        position.lr = float(lr) / transport.size
        position.episode = {"copies": transport.size, "tile": span.last_tile}
        if num_loss:
            position.loss = float(loss / num_loss)
        return span.last_tile

    def _span(self, position: Position, tile: int) -> Span:
        """Return what each worker trains to the next merge: at the end as much as is left, to a tile."""
        plan, num_worker = self.plan, self.transport.size
        assert isinstance(plan.mode, Copies)
        per_tile = position.pairs_per_tile(float(plan.pairs_per_tile * plan.positive_reuse))
        period = self.total_pair / plan.mode.num_merge
        goal = min(self.total_pair, (round(position.num_pair / period) + 1) * period)
        num_tile = max(1, math.ceil((goal - position.num_pair) / (per_tile * num_worker)))
        return Span(num_worker, tile + num_tile, position.num_pair, per_tile)

    def _raise(self, problem: NodeloomError | None) -> None:
        """Raise the error of this worker, or of the first that has one; all of them do."""
        texts = self.transport.gather_objects(
            None if problem is None else (isinstance(problem, GraphError), str(problem))
        )
        if problem is not None:
            raise problem
        is_of_graph, text = next(found for found in texts if found is not None)
        raise (GraphError if is_of_graph else TrainingError)(text)
