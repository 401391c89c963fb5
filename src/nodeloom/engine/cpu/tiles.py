"""Whole tables trained by threads of the CPU: each samples walks and trains them, slice by slice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.kernels import numbers_of, tile_kernel
from nodeloom.kernels.cpu.parallel import collect, shares
from nodeloom.sampling import NegativeSampler, WalkSampler
from nodeloom.schedule import Landed, Merge, OnDevice, TrainTiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.engine.merger import Merger
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import DoubleArray, FloatArray

_TILES_PER_SLICE = 128  # at least, so that the start of a slice costs nothing


class CpuTiles:
    """The CPU as a device of whole tables.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        The plan.
    stage : Stage
        What to train.
    tables : Tables
        Its tables; changed.
    merger : Merger, optional
        Merges them with those of other workers.
    """

    depth = 0

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, tables: Tables, merger: Merger | None = None) -> None:
        self.plan, self.merger = plan, merger
        self.sent: Sequence[int] = () if merger is None else merger.sent
        self._index_type = graph.indices.dtype
        self._walks = WalkSampler.of(
            graph, p=plan.positives.p, q=plan.positives.q, seed=stage.seed, num_thread=plan.num_thread
        )
        self._negatives = NegativeSampler.of(graph, exponent=plan.negatives.exponent, seed=stage.seed)
        with np.errstate(over="ignore"):  # what is too large for a float32 ends as a TrainingError
            self._negative_weight, self._weight_decay = np.float32(plan.negatives.weight), np.float32(plan.weight_decay)
        self._train_walks, self._numbers = tile_kernel(stage.objective, "cpu"), numbers_of(stage.objective)
        vertex, vertex1, vertex2 = tables.of(stage.objective.head)
        context, context1, context2 = tables.of(stage.objective.tail)
        self._tables = vertex, context, vertex1, vertex2, context1, context2
        self._landed = Landed(0, 0.0, 0.0)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Hold the threads, named ``nodeloom_...``."""
        self._train_slice(0, 0, 0, np.empty(0, np.float32))  # compiles what is not in the cache
        if self.merger is not None:
            self.merger.prepare()
        with ThreadPoolExecutor(self.plan.num_thread, thread_name_prefix="nodeloom") as self._threads:
            yield

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Carry out an operation; walks are drawn where they are trained, not ahead."""
        match operation:
            case TrainTiles():
                self._landed = self._train(operation, lr)
            case Merge():
                assert self.merger is not None
                self.merger.merge(operation.number)
        return 0

    def land(self) -> Landed:
        """Return what has come of the last training."""
        return self._landed

    def settle(self) -> None:
        """Nothing is in flight between two operations."""

    def _train(self, tiles: TrainTiles, lr: DoubleArray) -> Landed:
        with np.errstate(over="ignore"):
            rates = lr.astype(np.float32)
        parts = shares(tiles.count, self.plan.num_thread, _TILES_PER_SLICE)
        results = collect(self._threads, self._train_slice, [(tiles.first, a, b, rates) for a, b in parts])
        pairs, loss, weight = (sum(values) for values in zip(*results, strict=True))
        return Landed(int(pairs), loss, weight)

    def _train_slice(self, base: int, first: int, last: int, lr: FloatArray) -> tuple[int, float, float]:
        """Sample and train tiles ``base + first`` to ``base + last``; return pairs, loss and the weight of the loss."""
        plan = self.plan
        walks = np.empty(((last - first) * plan.walks_per_tile, plan.positives.nodes_per_walk), self._index_type)
        negatives = np.empty((last - first, plan.chunks, plan.negatives.count), self._index_type)
        self._walks.sample((base + first) * plan.walks_per_tile, walks)
        statistics = np.zeros(2)
        pairs = 0
        for reuse in range(plan.positives.reuse):
            flat = negatives.reshape(-1, plan.negatives.count)
            self._negatives.sample((base + first) * plan.chunks, flat, reuse=reuse)
            pairs += self._train_walks(
                *self._tables, walks, negatives, lr[first:last],
                plan.positives.augmentation_step, plan.positives.two_sided, self._negative_weight, self._weight_decay,
                plan.optimizer.code, plan.optimizer.settings, statistics, *self._numbers,
            )  # fmt: skip
        return pairs, float(statistics[0]), float(statistics[1])
