"""Whole tables trained on a GPU: pools of walks are sampled and trained on two streams, and the host only feeds and counts.

While the device trains a pool it draws the next one; the host launches one pool ahead and learns of a pool's pairs and loss when that
pool has ended, so the device never waits for it.
"""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.layout import largest_rates, layout, optimizer_settings
from nodeloom.engine.gpu.samplers import DeviceNegatives, DeviceWalks, HostWalks
from nodeloom.engine.kernels import numbers_of, tile_kernel
from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.gpu._triton import OutOfResources
from nodeloom.plan.memory import POOL_SLOTS
from nodeloom.schedule import Draw, Landed, Merge, OnDevice, TrainTiles
from nodeloom.words import setting

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nodeloom.engine.merger import Merger
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import DoubleArray


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


class GpuTiles:
    """A GPU as a device of whole tables; the counterpart of :class:`nodeloom.engine.cpu.tiles.CpuTiles`.

    Parameters
    ----------
    graph : Graph
        The graph.
    plan : Plan
        The plan, of a GPU.
    stage : Stage
        What to train.
    tables : Tables
        Its tables; changed.
    merger : Merger, optional
        Merges them with those of other workers.

    Raises
    ------
    MemoryLimitError
        If the device has not enough memory after all.
    """

    depth = POOL_SLOTS - 2

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, tables: Tables, merger: Merger | None = None) -> None:
        self.plan, self.part, self.tables, self.merger = plan, stage, tables, merger
        self.sent: Sequence[int] = () if merger is None else merger.sent
        self.device = Device(plan.device)
        self._flying: deque[_Slot] = deque()
        with explained(plan.device):
            self._build(graph, plan, stage)

    def _build(self, graph: Graph, plan: Plan, stage: Stage) -> None:
        device, tables = self.device, self.tables
        self._walks: DeviceWalks | HostWalks = (
            DeviceWalks(graph, plan, stage, device)
            if plan.sampler == "device"
            else HostWalks(graph, plan, stage, device, num_buffer=POOL_SLOTS)
        )
        self._negatives = DeviceNegatives(graph, plan, stage, device)
        self._train_walks, self._numbers = tile_kernel(stage.objective, "gpu"), numbers_of(stage.objective)
        vertex, vertex1, vertex2 = tables.of(stage.objective.head)
        context, context1, context2 = tables.of(stage.objective.tail)
        self._tables = vertex, context, vertex1, vertex2, context1, context2
        dtype = torch.int32 if graph.indices.dtype == np.int32 else torch.int64
        tiles, num_walk = plan.tiles_per_pool, plan.tiles_per_pool * plan.walks_per_tile
        self._slots = []
        for _ in range(POOL_SLOTS):
            walks = (
                device.empty(plan.positives.nodes_per_walk, num_walk, dtype=dtype).t()
                if self._walks.transposed
                else device.empty(num_walk, plan.positives.nodes_per_walk, dtype=dtype)
            )
            self._slots.append(
                _Slot(
                    walks=walks,
                    negatives=device.empty(tiles, plan.chunks, plan.negatives.count, dtype=dtype),
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
        rates = largest_rates(graph, plan)
        self._largest_rate = None if rates is None else device.upload(rates)
        self._sampling, self._training = device.stream(first=True), device.stream()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Let walks be drawn, and wait for everything at the end."""
        with explained(self.plan.device), self._walks:
            try:
                self._compile()
                if self.merger is not None:
                    self.merger.prepare()
                yield
            finally:
                self._flying.clear()
                self.device.synchronize()

    def run(self, operation: OnDevice, lr: DoubleArray) -> int:
        """Put an operation on the streams."""
        match operation:
            case Draw():
                self._walks.begin(operation.first_walk)
            case TrainTiles():
                self._launch(operation, lr)
            case Merge():
                assert self.merger is not None
                self.merger.merge(operation.number)
        return 0

    def settle(self) -> None:
        """Wait for everything."""
        with explained(self.plan.device):
            self.device.synchronize()

    def land(self) -> Landed:
        """Wait for the oldest pool in flight, and return its pairs and its loss."""
        slot = self._flying.popleft()
        with explained(self.plan.device):
            slot.done.synchronize()
        self._slots.append(slot)
        loss, weight = slot.host_statistics.tolist()
        return Landed(int(slot.host_pairs[0]), loss, weight)

    def _launch(self, tiles: TrainTiles, lr: DoubleArray) -> None:
        plan, first_tile, num_tile = self.plan, tiles.first, tiles.count
        slot = self._slots.pop(0)
        with np.errstate(over="ignore"):
            slot.host_lr[:num_tile].numpy()[:] = lr
        walks = slot.walks[: num_tile * plan.walks_per_tile]
        with self.device.on(self._sampling):
            slot.done.wait(self._sampling)  # whoever trained on this slot before
            self._walks.fill(first_tile * plan.walks_per_tile, walks)
            slot.lr[:num_tile].copy_(slot.host_lr[:num_tile], non_blocking=True)
            if plan.positives.reuse == 1:
                self._draw(slot, first_tile, num_tile, 0)
            slot.sampled.record(self._sampling)
        with self.device.on(self._training):
            slot.sampled.wait(self._training)
            slot.pairs.zero_()
            slot.statistics.zero_()
            for reuse in range(plan.positives.reuse):
                if plan.positives.reuse > 1:
                    self._draw(slot, first_tile, num_tile, reuse)
                self._train(slot, walks, num_tile, seed=first_tile * plan.positives.reuse + reuse)
            slot.host_pairs.copy_(slot.pairs, non_blocking=True)
            slot.host_statistics.copy_(slot.statistics, non_blocking=True)
            slot.done.record(self._training)
        self._flying.append(slot)

    def _draw(self, slot: _Slot, first_tile: int, num_tile: int, reuse: int) -> None:
        plan = self.plan
        flat = slot.negatives[:num_tile].view(-1, plan.negatives.count)
        self._negatives.fill(first_tile * plan.chunks, flat, reuse)

    def _train(self, slot: _Slot, walks: torch.Tensor, num_tile: int, seed: int) -> None:
        plan = self.plan
        self._train_walks(
            *self._tables, walks, slot.negatives[:num_tile], slot.lr[:num_tile],
            plan.positives.augmentation_step, plan.positives.two_sided, plan.negatives.weight, plan.weight_decay, plan.optimizer.code,
            self._settings, slot.statistics, *self._numbers, product="bf16" if self.device.is_real else "fp32",
            largest_rate=self._largest_rate, seed=seed, num_pairs=slot.pairs, launch=self._layout,
        )  # fmt: skip

    def _compile(self) -> None:
        """Compile what is not in the cache: launch everything once on walks that hold no node, which changes nothing."""
        slot, plan = self._slots[0], self.plan
        num_tile = min(2, plan.tiles_per_pool)
        walks = slot.walks[: num_tile * plan.walks_per_tile]
        with self.device.on(self._training):
            if isinstance(self._walks, DeviceWalks):
                self._walks.fill(0, walks)
            self._draw(slot, 0, num_tile, 0)
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
                got=f"{plan.positives.augmentation_step} and {plan.negatives.count}",
                hint=f"Lower them, or walks of at most 63 edges, or give {setting('resource.device', 'cpu')}.",
            )
        )
