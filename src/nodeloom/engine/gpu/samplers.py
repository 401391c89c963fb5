"""Walks and negatives on a device: drawn there, or walks by threads of the host and copied while the device trains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.kernels.gpu.walks import first_order_walks, second_order_walks
from nodeloom.rng import mix
from nodeloom.sampling import NegativeSampler, WalkSampler
from nodeloom.sampling.pool import Batch, WalkPool

if TYPE_CHECKING:
    from nodeloom.engine.gpu.device import Device
    from nodeloom.graph import Graph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.plan import Plan


class DeviceWalks:
    """Draws walks on the device, where the graph lies."""

    transposed = True
    """Whether walks lie step by step, [L + 1, W], which is how they are written fastest."""

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, device: Device) -> None:
        sampler = WalkSampler.of(
            graph, p=plan.positives.p, q=plan.positives.q, seed=stage.seed, num_thread=plan.num_thread
        )
        up = device.upload
        self._second_order = (plan.positives.p, plan.positives.q) != (1.0, 1.0)
        self._key = sampler.key
        self._graph = (up(graph.indptr), up(graph.indices))
        steps, start = sampler.steps, sampler.start
        self._tables = (up(steps.prob), up(steps.alias), up(start.prob), up(start.alias))
        if self._second_order:
            weights = np.empty(0, np.float32) if graph.weights is None else graph.weights
            self._weights = up(weights)
            self._bias = (
                up(sampler.hubs.row),
                up(sampler.hubs.bits.view(np.int64)),
                sampler.p,
                sampler.q,
                sampler.fold,
            )

    def __enter__(self) -> DeviceWalks:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def begin(self, first_walk: int) -> None:
        """Nothing to prepare: every walk can be drawn at any time."""

    def fill(self, first_walk: int, out: torch.Tensor) -> None:
        """Put walks number ``first_walk ...`` into `out` [W, L + 1], on the current stream."""
        if self._second_order:
            second_order_walks(*self._graph, self._weights, *self._tables, *self._bias, self._key, first_walk, out)
        else:
            first_order_walks(*self._graph, *self._tables, self._key, first_walk, out)


class HostWalks:
    """Draws walks with threads of the host into pinned buffers; the graph stays in main memory.

    The buffers are filled while the device trains, and copied while it trains on what came before.
    """

    transposed = False

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, device: Device, *, num_buffer: int) -> None:
        self._sampler = WalkSampler.of(
            graph, p=plan.positives.p, q=plan.positives.q, seed=stage.seed, num_thread=plan.num_thread
        )
        self._num_thread = plan.num_thread
        shape = (plan.tiles_per_pool * plan.walks_per_tile, plan.positives.nodes_per_walk)
        dtype = torch.int32 if graph.indices.dtype == np.int32 else torch.int64
        self._buffers = [device.pinned(*shape, dtype=dtype) for _ in range(num_buffer)]
        self._copied = [device.event() for _ in range(num_buffer)]
        self._pool: WalkPool | None = None
        self._batch: Batch | None = None
        self._used = 0  # walks of the batch that are gone
        self._leaving: list[Batch] = []  # batches that are still being copied

    def __enter__(self) -> HostWalks:
        return self

    def __exit__(self, *error: object) -> None:
        self._batch = None
        self._leaving.clear()
        pool, self._pool = self._pool, None
        try:
            for event in self._copied:
                event.synchronize()
        finally:  # also where the device is broken
            if pool is not None:
                pool.close()

    def begin(self, first_walk: int) -> None:
        """Let the threads begin at a walk."""
        views = [buffer.numpy() for buffer in self._buffers]
        self._pool = WalkPool(self._sampler, views, first_walk=first_walk, num_thread=self._num_thread)
        self._pool.__enter__()

    def fill(self, first_walk: int, out: torch.Tensor) -> None:
        """Put walks number ``first_walk ...``, which follow those before, into `out` [W, L + 1], on the current stream."""
        done = 0
        while done < len(out):
            if self._batch is None:
                self._batch, self._used = self._next(), 0
            batch = self._batch
            assert batch.first_walk + self._used == first_walk + done
            count = min(len(out) - done, len(batch.walks) - self._used)
            out[done : done + count].copy_(
                self._buffers[batch.buffer][self._used : self._used + count], non_blocking=True
            )
            self._copied[batch.buffer].record()
            done += count
            self._used += count
            if self._used == len(batch.walks):
                self._leaving.append(batch)
                self._batch = None

    def _next(self) -> Batch:
        assert self._pool is not None
        # One buffer may still be copied from; the one before is free again.
        while len(self._leaving) > 1 or (self._leaving and len(self._buffers) == 1):
            batch = self._leaving.pop(0)
            self._copied[batch.buffer].synchronize()
            self._pool.give_back(batch)
        batch_or_none = self._pool.take()
        assert batch_or_none is not None  # the pool has no end
        return batch_or_none


class DeviceNegatives:
    """Draws negatives on the device."""

    def __init__(self, graph: Graph, plan: Plan, stage: Stage, device: Device) -> None:
        sampler = NegativeSampler.of(graph, exponent=plan.negatives.exponent, seed=stage.seed)
        self._key = sampler.key
        self._table = (device.upload(sampler.table.prob), device.upload(sampler.table.alias))

    def fill(self, first_item: int, out: torch.Tensor, reuse: int) -> None:
        """Fill `out` [M, K] with the negatives of items ``first_item ...``, on the current stream."""
        key = mix(self._key + reuse) if reuse else self._key
        draw_negatives(*self._table, key, first_item, out)
