"""Measures how fast a GPU trains, before the training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from nodeloom.engine.gpu.device import Device, explained
from nodeloom.engine.gpu.layout import optimizer_settings
from nodeloom.engine.gpu.memory import DTYPES
from nodeloom.engine.kernels import numbers_of, tile_kernel

if TYPE_CHECKING:
    from nodeloom.plan.plan import Plan

_BYTES = 1 << 30  # of a table: far more than the caches hold
_TILES = 1 << 14
_SECONDS = 0.1


def measured_rate(plan: Plan) -> float:
    """Return positive pairs per second, from training walks of evenly drawn nodes for a moment.

    Kernels are compiled here if they are not in the cache. Sampling is not part of it: it runs beside the training.
    """
    device = Device(plan.device)
    stage = max(plan.stages, key=lambda stage: stage.row)
    train_walks = tile_kernel(stage.objective, "gpu")
    tiles = _TILES if device.is_real else 2
    dtype = DTYPES[plan.table_dtype]
    rows = max(1, min(plan.num_nodes, _BYTES // (stage.row * dtype.itemsize)))
    with explained(plan.device):
        vertex = torch.full((rows, stage.row), 1e-3, dtype=dtype, device=device.torch)
        context = vertex if stage.tied else vertex.clone()
        first, second = (
            torch.zeros(rows if i < plan.optimizer.num_moment else 0, stage.row, device=device.torch) for i in (0, 1)
        )
        ids = {"dtype": torch.int32, "device": device.torch}
        walks = torch.randint(rows, (tiles * plan.walks_per_tile, plan.positives.nodes_per_walk), **ids)
        negatives = torch.randint(rows, (tiles, plan.chunks, plan.negatives.count), **ids)
        lr = torch.full((tiles,), 1e-6, device=device.torch)
        statistics = torch.zeros(2, dtype=torch.float64, device=device.torch)
        pairs = torch.zeros(1, dtype=torch.int64, device=device.torch)

        def work() -> None:
            train_walks(
                vertex, context, first, second, first, second, walks, negatives, lr,
                plan.positives.augmentation_step, plan.positives.two_sided, plan.negatives.weight, 0.0, plan.optimizer.code,
                optimizer_settings(plan), statistics, *numbers_of(stage.objective),
                product="bf16" if device.is_real else "fp32", num_pairs=pairs,
            )  # fmt: skip

        work()
        device.synchronize()
        pairs.zero_()
        begin = time.perf_counter()
        while True:
            work()
            device.synchronize()
            seconds = time.perf_counter() - begin
            if seconds > _SECONDS or not device.is_real:
                return float(pairs[0]) / seconds * plan.pairs_per_tile / plan.full_pairs_per_tile


def copied_per_second(name: str, num_bytes: int) -> float:
    """Return the bytes per second that a device copies from pinned memory."""
    device = Device(name)
    with explained(name):
        there = device.pinned(num_bytes, dtype=torch.uint8)
        here = device.empty(num_bytes, dtype=torch.uint8)
        here.copy_(there)
        device.synchronize()
        begin = time.perf_counter()
        here.copy_(there, non_blocking=True)
        device.synchronize()
        return num_bytes / max(time.perf_counter() - begin, 1e-9)
