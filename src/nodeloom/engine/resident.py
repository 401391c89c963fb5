"""The resident engine: graph and tables in memory; walks are sampled and trained by the same threads, slice by slice."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.tables import Tables
from nodeloom.errors import GraphError, TrainingError
from nodeloom.kernels.cpu.parallel import collect, slices
from nodeloom.kernels.cpu.skipgram import train_walks
from nodeloom.model.parts import Part
from nodeloom.plan.learning_rate import factors
from nodeloom.plan.plan import Plan
from nodeloom.sampling import NegativeSampler, WalkSampler
from nodeloom.typing import FloatArray
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph

_SLICES_PER_THREAD = 4  # so that a thread that the system holds up does not hold up the others
_TILES_PER_SLICE = 128  # at least, so that the start of a slice costs nothing
EMPTY_POOLS = 64
"""Pools in a row without a single pair, before training gives up."""


@dataclass
class Position:
    """How far the training of a part is.

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
        In a grid: the number of the episode, how many of its rows are trained, its tiles and the shape of the grid. Its walks begin
        with tile `num_tile`. Pairs of rows that are trained are in `num_pair`.
    """

    num_pair: int = 0
    num_tile: int = 0
    loss: float = math.nan
    lr: float = math.nan
    seconds: float = 0.0
    episode: dict[str, int] = field(default_factory=dict)

    def pairs_per_tile(self, expected: float) -> float:
        """Return what tiles really had so far, since walks return and end early; `expected` if that is not known.

        In the middle of an episode it is not: its pairs are counted, and its tiles only at its end.
        """
        known = self.num_pair and self.num_tile and not self.episode.get("row")
        return self.num_pair / self.num_tile if known else expected


@dataclass(frozen=True)
class Span:
    """Tiles that one of several engines trains until they meet again.

    Attributes
    ----------
    num_worker : int
        Engines; each trains as many tiles.
    last_tile : int
        The tile to stop before.
    num_pair : int
        Pairs that all of them had trained when the span began.
    per_tile : float
        Pairs that a tile is expected to have.
    """

    num_worker: int
    last_tile: int
    num_pair: int
    per_tile: float


class ResidentEngine:
    """Trains one part.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        The plan.
    part : Part
        What to train.
    tables : Tables
        Its tables; changed.

    Attributes
    ----------
    threads : ThreadPoolExecutor
        Those that train, within :meth:`running`.
    """

    threads: ThreadPoolExecutor
    sent: Sequence[int] = ()
    waited = 0.0

    def __init__(self, graph: Graph, plan: Plan, part: Part, tables: Tables) -> None:
        self.graph, self.plan, self.part = graph, plan, part
        self.total_pair = plan.num_epoch * graph.num_edges
        self._offset = self._empty_pools = 0
        self._walks = WalkSampler.of(graph, p=plan.p, q=plan.q, seed=part.seed, num_thread=plan.num_thread)
        self._negatives = NegativeSampler.of(graph, exponent=plan.negative_sample_exponent, seed=part.seed)
        with np.errstate(over="ignore"):  # what is too large for a float32 ends as a TrainingError
            self._negative_weight, self._weight_decay = np.float32(plan.negative_weight), np.float32(plan.weight_decay)
        vertex, vertex1, vertex2 = tables.of("vertex")
        context, context1, context2 = tables.of(part.tail)
        self._tables = vertex, context, vertex1, vertex2, context1, context2

    def run(self, position: Position) -> Iterator[Position]:
        """Train from `position`, which moves along, to the end; yield it after every pool, when the tables are at rest.

        Raises
        ------
        TrainingError
            If values diverge.
        GraphError
            If walks have no pairs.
        """
        with self.running(position.num_tile):
            yield from self.pools(position)

    @contextmanager
    def running(self, first_tile: int, offset: int = 0) -> Iterator[None]:
        """Be ready to train.

        Parameters
        ----------
        first_tile : int
            The tile that will be the first.
        offset : int
            What is added to the numbers of tiles where walks and negatives are drawn.
        """
        del first_tile  # walks are drawn where they are trained, not ahead
        self._offset, self._empty_pools = offset, 0
        # Compile what is not in the cache before the clock starts.
        self._train_slice(0, 0, 0, np.empty(0, np.float32))
        with ThreadPoolExecutor(self.plan.num_thread, thread_name_prefix="nodeloom") as self.threads:
            yield

    def pools(self, position: Position, span: Span | None = None) -> Iterator[Position]:
        """Do what :meth:`run` does, within :meth:`running`; with a span to its end.

        Of a span, `position` counts the pairs of this engine since it began.
        """
        while position.num_tile < span.last_tile if span else position.num_pair < self.total_pair:
            begin = time.perf_counter()
            pairs = self._train_pool(position, span)
            position.seconds += time.perf_counter() - begin
            self._empty_pools = 0 if pairs else self._empty_pools + 1
            if self._empty_pools == EMPTY_POOLS:
                raise GraphError(f"{self.graph!r}: {EMPTY_POOLS} pools of walks had not one pair of different nodes.")
            yield position

    def settle(self) -> None:
        """Nothing is under way between two pools."""

    def _ahead(self, position: Position, span: Span | None) -> tuple[float, float, int]:
        """Return the pairs that all engines have trained, those that each tile more is expected to add, and the tiles that are left."""
        if span is not None:
            done = span.num_pair + span.num_worker * position.num_pair
            return done, span.num_worker * span.per_tile, span.last_tile - position.num_tile
        per_tile = position.pairs_per_tile(float(self.plan.pairs_per_tile * self.plan.positive_reuse))
        return position.num_pair, per_tile, max(1, math.ceil((self.total_pair - position.num_pair) / per_tile))

    def _train_pool(self, position: Position, span: Span | None) -> int:
        plan = self.plan
        done, per_tile, left = self._ahead(position, span)
        num_tile = min(plan.tiles_per_pool, left)
        with np.errstate(over="ignore"):
            lr = plan.lr * factors(
                plan.schedule, done + per_tile * np.arange(num_tile, dtype=np.float64), self.total_pair
            )
            lr = lr.astype(np.float32)
        num_slice = min(plan.num_thread * _SLICES_PER_THREAD, max(plan.num_thread, num_tile // _TILES_PER_SLICE))
        parts = slices(num_tile, num_slice if plan.num_thread > 1 else 1)
        first = self._offset + position.num_tile
        results = collect(self.threads, self._train_slice, [(first, a, b, lr) for a, b in parts])
        pairs = sum(pairs for pairs, _, _ in results)
        loss = sum(loss for _, loss, _ in results)
        weight = sum(weight for _, _, weight in results)
        position.num_pair += pairs
        position.num_tile += num_tile
        position.lr = float(lr[-1])
        if weight > 0:
            position.loss = loss / weight
            if not math.isfinite(position.loss):
                raise diverged(plan, self._ahead(position, span)[0] / self.graph.num_edges)
        return pairs

    def _train_slice(self, base: int, first: int, last: int, lr: FloatArray) -> tuple[int, float, float]:
        """Sample and train tiles ``base + first`` to ``base + last``; return pairs, loss and the weight of the loss."""
        plan = self.plan
        index_type = self.graph.indices.dtype
        walks = np.empty(((last - first) * plan.walks_per_tile, plan.nodes_per_walk), index_type)
        negatives = np.empty((last - first, plan.chunks, plan.num_shared_negative), index_type)
        self._walks.sample((base + first) * plan.walks_per_tile, walks)
        statistics = np.zeros(2)
        pairs = 0
        for reuse in range(plan.positive_reuse):
            flat = negatives.reshape(-1, plan.num_shared_negative)
            self._negatives.sample((base + first) * plan.chunks, flat, reuse=reuse)
            pairs += train_walks(
                *self._tables, walks, negatives, lr[first:last],
                plan.augmentation_step, plan.two_sided, self._negative_weight, self._weight_decay,
                plan.optimizer.code, plan.optimizer.settings, statistics,
            )  # fmt: skip
        return pairs, float(statistics[0]), float(statistics[1])


def diverged(plan: Plan, epoch: float) -> TrainingError:
    """Return the error that says that values have become infinite, NaN or larger than any that mean something."""
    return TrainingError(
        f"training diverged at epoch {min(epoch, plan.num_epoch):.1f} of {plan.num_epoch}: "
        f"the vectors grew without bound at lr {plan.lr:g} "
        f"({plan.optimizer.name}). Lower {setting('build.optimizer.lr')} (auto is safe), "
        f"or raise {setting('build.optimizer.weight_decay')}."
    )
