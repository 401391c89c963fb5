"""Measures how fast workers train, before the training."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.cpu.ring_blocks import tile_shape
from nodeloom.engine.memory import aligned_zeros
from nodeloom.engine.rates.tiles import rate_of_threads
from nodeloom.kernels.cpu.block_walks import train_block_walks
from nodeloom.plan.mode import Blocks, Copies, Ring

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.plan.plan import Plan

_FLOATS = 1 << 24  # of a part: far more than the caches hold
_TILES = 64


def rate_of_copies(plan: Plan, rate_alone: Callable[[Plan], float]) -> float:
    """Return the positive pairs per second of workers with whole tables, all as fast as this one, merges included.

    Parameters
    ----------
    plan : Plan
        The plan.
    rate_alone : callable
        Measures the pairs per second of one process with whole tables.
    """
    assert isinstance(plan.mode, Copies)
    pairs = plan.total_pair / len(plan.stages)
    return pairs / (pairs / (rate_alone(plan) * plan.num_worker) + plan.mode.num_merge * plan.mode.merge_seconds)


def rate_in_ring(plan: Plan) -> float:
    """Return the positive pairs per second of all workers, from training random walks of random nodes in a block for a moment.

    All workers are taken to be as fast as this one. Transfers are hidden behind training as long as a part takes less to travel than to
    be trained; they are no part of it, nor is the drawing of walks.
    """
    assert isinstance(plan.mode, Ring)
    grid = plan.mode.grid
    if not plan.mode.whole_walks:
        from nodeloom.engine.rates.blocks import measured_rate as sorted_rate

        resting = dataclasses.replace(plan, mode=Blocks(dataclasses.replace(grid, moved_bytes=0)))
        return sorted_rate(resting) * plan.num_worker
    stage = plan.stages[0]
    rows = max(1, min(plan.num_nodes // grid.num_context_part, _FLOATS // stage.row))
    share = grid.num_context_part // grid.num_vertex_part
    vertex, context = aligned_zeros(rows * share, stage.row), aligned_zeros(rows, stage.row)
    vertex[:, : stage.dim] = 1.0 / stage.dim
    moments = [
        aligned_zeros(len(table) if number < plan.optimizer.num_moment else 0, stage.row)
        for table in (vertex, context)
        for number in (0, 1)
    ]
    walks_per_tile, num_negative = tile_shape(plan)
    settings = np.asarray(plan.optimizer.settings, np.float32)

    def arguments(random: np.random.Generator) -> tuple[Any, ...]:
        shape = (_TILES * walks_per_tile, plan.positives.nodes_per_walk)
        walks = random.integers(rows * grid.num_context_part, size=shape, dtype=np.int32)
        noise = random.integers(rows, size=(_TILES, num_negative), dtype=np.int32)
        return (
            vertex, context, *moments, walks, walks_per_tile, noise, 0, 0, np.float32(1e-6),
            plan.positives.augmentation_step, plan.positives.two_sided,
            np.float32(plan.negatives.weight), np.float32(0), plan.optimizer.code, settings, np.zeros(2),
        )  # fmt: skip

    return rate_of_threads(plan, train_block_walks, arguments) * plan.num_worker
