"""The resident engine of a GPU: pools of walks are sampled and trained on two streams, and the host only feeds and counts.

While the device trains a pool it draws the next one; the host launches one pool ahead and learns of a pool's pairs and loss when that
pool has ended, so the device never waits for it.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.layout import largest_rates, layout, optimizer_settings
from nodeloom.engine.gpu.samplers import DeviceNegatives, DeviceWalks, HostWalks
from nodeloom.engine.resident import EMPTY_POOLS, Position, Span, diverged
from nodeloom.engine.tables import Tables
from nodeloom.errors import ConfigError, GraphError, describe
from nodeloom.kernels.gpu._triton import OutOfResources
from nodeloom.kernels.gpu.skipgram import train_walks
from nodeloom.model.parts import Part
from nodeloom.plan.learning_rate import factors
from nodeloom.plan.memory import POOL_SLOTS
from nodeloom.plan.plan import Plan
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.graph import Graph


@dataclass
class _Slot:
    """A pool of walks on the device, and what comes back of it."""

    walks: torch.Tensor  # [W, L + 1]
    negatives: torch.Tensor  # [tiles, chunks, K]
    lr: torch.Tensor  # [tiles]
    host_lr: torch.Tensor  # pinned
    pairs: torch.Tensor  # int64 [1]
    statistics: torch.Tensor  # float64 [2]
    host_pairs: torch.Tensor  # pinned
    host_statistics: torch.Tensor  # pinned
    sampled: Any
    done: Any
    num_tile: int = 0
    last_lr: float = math.nan


class GpuEngine:
    """Trains one part on a GPU; the counterpart of :class:`nodeloom.engine.resident.ResidentEngine`.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        The plan, of a GPU.
    part : Part
        What to train.
    tables : Tables
        Its tables; changed.

    Raises
    ------
    MemoryLimitError
        If the device has not enough memory after all.
    """

    sent: Sequence[int] = ()
    waited = 0.0

    def __init__(self, graph: Graph, plan: Plan, part: Part, tables: Tables) -> None:
        self.graph, self.plan, self.part, self.tables = graph, plan, part, tables
        self.total_pair = plan.num_epoch * graph.num_edges
        self.device = Device(plan.device)
        self._flying: deque[_Slot] = deque()
        self._position = Position()
        self._span: Span | None = None
        self._offset = self._empty_pools = 0
        self._mark = 0.0
        with explained(plan.device):
            self._build(graph, plan, part)

    def _build(self, graph: Graph, plan: Plan, part: Part) -> None:
        device, tables = self.device, self.tables
        self._walks: DeviceWalks | HostWalks = (
            DeviceWalks(graph, plan, part, device)
            if plan.sampler == "device"
            else HostWalks(graph, plan, part, device, num_buffer=POOL_SLOTS)
        )
        self._negatives = DeviceNegatives(graph, plan, part, device)
        vertex, vertex1, vertex2 = tables.of("vertex")
        context, context1, context2 = tables.of(part.tail)
        self._tables = vertex, context, vertex1, vertex2, context1, context2
        dtype = torch.int32 if graph.indices.dtype == np.int32 else torch.int64
        tiles, num_walk = plan.tiles_per_pool, plan.tiles_per_pool * plan.walks_per_tile
        self._slots = []
        for _ in range(POOL_SLOTS):
            walks = (
                device.empty(plan.nodes_per_walk, num_walk, dtype=dtype).t()
                if self._walks.transposed
                else device.empty(num_walk, plan.nodes_per_walk, dtype=dtype)
            )
            self._slots.append(
                _Slot(
                    walks=walks,
                    negatives=device.empty(tiles, plan.chunks, plan.num_shared_negative, dtype=dtype),
                    lr=device.empty(tiles, dtype=torch.float32),
                    host_lr=device.pinned(tiles, dtype=torch.float32),
                    pairs=device.empty(1, dtype=torch.int64),
                    statistics=device.empty(2, dtype=torch.float64),
                    host_pairs=device.pinned(1, dtype=torch.int64),
                    host_statistics=device.pinned(2, dtype=torch.float64),
                    sampled=device.event(),
                    done=device.event(),
                )
            )
        self._settings = optimizer_settings(plan)
        self._layout = layout(plan)
        rates = largest_rates(graph, plan, self._layout, device.num_multiprocessor)
        self._largest_rate = None if rates is None else device.upload(rates)
        self._sampling, self._training = device.stream(first=True), device.stream()

    def run(self, position: Position) -> Iterator[Position]:
        """Train from `position`, which moves along, to the end; yield it whenever a pool has ended.

        Others are under way then; :meth:`settle` waits for them, and if that was the end, it is yielded once more.

        Raises
        ------
        TrainingError
            If values diverge, or the driver reports an error.
        GraphError
            If walks have no pairs.
        MemoryLimitError
            If the device runs out of memory.
        """
        with self.running(position.num_tile):
            yield from self.pools(position)

    @contextmanager
    def running(self, first_tile: int, offset: int = 0) -> Iterator[None]:
        """Be ready to train, and wait for everything at the end.

        Parameters
        ----------
        first_tile : int
            The tile that will be the first.
        offset : int
            What is added to the numbers of tiles where walks and negatives are drawn.
        """
        with explained(self.plan.device), self._walks:
            try:
                # Compile what is not in the cache before the clock starts.
                self._compile()
                self._offset = offset
                self._walks.begin((offset + first_tile) * self.plan.walks_per_tile)
                yield
            finally:
                self._flying.clear()
                self.device.synchronize()

    def pools(self, position: Position, span: Span | None = None) -> Iterator[Position]:
        """Do what :meth:`run` does, within :meth:`running`; with a span to its end, at which nothing is under way.

        Of a span, `position` counts the pairs of this engine since it began.
        """
        self._position, self._span = position, span
        told = position.num_pair
        self._mark = time.perf_counter()
        while self._is_left():
            while len(self._flying) < POOL_SLOTS - 1 and self._launch():
                pass
            pairs = self._land()
            self._empty_pools = 0 if pairs else self._empty_pools + 1
            if self._empty_pools == EMPTY_POOLS:
                raise GraphError(f"{self.graph!r}: {EMPTY_POOLS} pools of walks had not one pair of different nodes.")
            told = position.num_pair
            yield position
            self._mark = time.perf_counter() if not self._flying else self._mark
        if position.num_pair != told:
            yield position

    def _is_left(self) -> bool:
        if self._span is not None:
            return self._position.num_tile < self._span.last_tile
        return self._position.num_pair < self.total_pair

    def _ahead(self, flying: int) -> tuple[float, float, int]:
        """Return what is expected behind `flying` tiles under way: the pairs by then, those of each tile more, and the tiles left."""
        position, span = self._position, self._span
        if span is not None:
            done = span.num_pair + span.num_worker * (position.num_pair + flying * span.per_tile)
            return done, span.num_worker * span.per_tile, span.last_tile - position.num_tile - flying
        per_tile = position.pairs_per_tile(float(self.plan.pairs_per_tile * self.plan.positive_reuse))
        done = position.num_pair + flying * per_tile
        return done, per_tile, math.ceil((self.total_pair - done) / per_tile)

    def settle(self) -> None:
        """Wait for all pools that are under way, and move the position behind them: then the tables are at rest.

        Raises
        ------
        TrainingError, MemoryLimitError
            As :meth:`run`.
        """
        with explained(self.plan.device):
            while self._flying:
                self._land()
            self.device.synchronize()

    def _launch(self) -> bool:
        """Put the next pool on the streams; False if those under way are expected to be enough."""
        plan, position = self.plan, self._position
        flying = sum(slot.num_tile for slot in self._flying)
        done, per_tile, left = self._ahead(flying)
        if left <= 0:
            return False
        first_tile = self._offset + position.num_tile + flying
        wanted = min(plan.tiles_per_pool, left)
        num_tile = self._walks.most(wanted * plan.walks_per_tile) // plan.walks_per_tile
        slot = self._slots.pop(0)
        slot.num_tile = num_tile
        with np.errstate(over="ignore"):
            lr = plan.lr * factors(
                plan.schedule, done + per_tile * np.arange(num_tile, dtype=np.float64), self.total_pair
            )
            slot.host_lr[:num_tile].numpy()[:] = lr
        slot.last_lr = float(slot.host_lr[num_tile - 1])
        walks = slot.walks[: num_tile * plan.walks_per_tile]
        with self.device.on(self._sampling):
            slot.done.wait(self._sampling)  # whoever trained on this slot before
            self._walks.fill(first_tile * plan.walks_per_tile, walks)
            slot.lr[:num_tile].copy_(slot.host_lr[:num_tile], non_blocking=True)
            if plan.positive_reuse == 1:
                self._draw(slot, first_tile, 0)
            slot.sampled.record(self._sampling)
        with self.device.on(self._training):
            slot.sampled.wait(self._training)
            slot.pairs.zero_()
            slot.statistics.zero_()
            for reuse in range(plan.positive_reuse):
                if plan.positive_reuse > 1:
                    self._draw(slot, first_tile, reuse)
                self._train(slot, walks, num_tile, seed=first_tile * plan.positive_reuse + reuse)
            slot.host_pairs.copy_(slot.pairs, non_blocking=True)
            slot.host_statistics.copy_(slot.statistics, non_blocking=True)
            slot.done.record(self._training)
        self._flying.append(slot)
        return True

    def _draw(self, slot: _Slot, first_tile: int, reuse: int) -> None:
        plan = self.plan
        flat = slot.negatives[: slot.num_tile].view(-1, plan.num_shared_negative)
        self._negatives.fill(first_tile * plan.chunks, flat, reuse)

    def _train(self, slot: _Slot, walks: torch.Tensor, num_tile: int, seed: int) -> None:
        plan = self.plan
        train_walks(
            *self._tables, walks, slot.negatives[:num_tile], slot.lr[:num_tile],
            plan.augmentation_step, plan.two_sided, plan.negative_weight, plan.weight_decay, plan.optimizer.code,
            self._settings, slot.statistics, product="bf16" if self.device.is_real else "fp32",
            largest_rate=self._largest_rate, seed=seed, num_pairs=slot.pairs, launch=self._layout,
        )  # fmt: skip

    def _land(self) -> int:
        """Wait for the oldest pool under way and count it; return its pairs."""
        slot, position = self._flying.popleft(), self._position
        slot.done.synchronize()
        now = time.perf_counter()
        position.seconds += now - self._mark
        self._mark = now
        pairs = int(slot.host_pairs[0])
        loss, weight = slot.host_statistics.tolist()
        position.num_pair += pairs
        position.num_tile += slot.num_tile
        position.lr = slot.last_lr
        self._slots.append(slot)
        if weight != 0:
            position.loss = loss / weight
            if not math.isfinite(position.loss):
                raise diverged(self.plan, self._ahead(0)[0] / self.graph.num_edges)
        return pairs

    def _compile(self) -> None:
        """Launch everything once on walks that hold no node, which changes nothing."""
        slot, plan = self._slots[0], self.plan
        num_tile = min(2, plan.tiles_per_pool)
        slot.num_tile = num_tile
        walks = slot.walks[: num_tile * plan.walks_per_tile]
        with self.device.on(self._training):
            if isinstance(self._walks, DeviceWalks):
                self._walks.fill(0, walks)
            self._draw(slot, 0, 0)
            walks.fill_(-1)
            slot.lr.zero_()
            while True:
                try:
                    self._train(slot, walks, num_tile, seed=0)
                    break
                except OutOfResources as error:  # a device with less shared memory, a long step or many negatives
                    smaller = None if plan.table_dtype == "bf16" else self._layout.smaller()
                    if smaller is None:
                        raise self._too_large() from error
                    self._layout = smaller
            slot.done.record(self._training)
        self.device.synchronize()

    def _too_large(self) -> ConfigError:
        plan = self.plan
        return ConfigError(
            describe(
                f"{setting('train.augmentation_step')}, {setting('train.num_shared_negative')}",
                expected=f"a tile that fits the shared memory of {plan.device}",
                got=f"{plan.augmentation_step} and {plan.num_shared_negative}",
                hint=f"Lower them, or walks of at most 63 edges, or give {setting('resource.device', 'cpu')}.",
            )
        )
