"""Measures how fast the CPU trains whole tables, before the training."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.engine.kernels import numbers_of, tile_kernel
from nodeloom.engine.memory import aligned_zeros
from nodeloom.kernels.cpu._jit import is_compiled
from nodeloom.kernels.cpu.parallel import collect

if TYPE_CHECKING:
    from collections.abc import Callable

    from nodeloom.plan.plan import Plan

_FLOATS = 1 << 25  # of a table: far more than the caches hold
_TILES = 32
_SECONDS = 0.15


def rate_of_walks(plan: Plan, *, compiled_only: bool = False) -> float:
    """Return the positive pairs per second of this process with whole tables, from training random walks of random nodes for a moment.

    Kernels are compiled here if they are not in the cache; with `compiled_only` the answer is 0 then. Sampling is not part of it (it
    takes a few per cent), and nodes are drawn evenly, which is the worst case for the caches.
    """
    stage = max(plan.stages, key=lambda stage: stage.row)
    train_walks = tile_kernel(stage.objective, "cpu")
    rows = min(plan.num_nodes, max(1, _FLOATS // stage.row))
    index_type = np.int32 if plan.num_nodes <= 2**31 - 1 else np.int64
    vertex, context = aligned_zeros(rows, stage.row), aligned_zeros(rows, stage.row)
    vertex[:, : stage.dim] = 1.0 / stage.dim
    moments = [aligned_zeros(rows if i < plan.optimizer.num_moment else 0, stage.row) for i in (0, 1)] * 2
    num_tile = max(
        1, min(_TILES, plan.tiles_per_pool * plan.positives.reuse)
    )  # long tiles are not many in a pool either
    lr = np.full(num_tile, 1e-6, np.float32)

    def arguments(random: np.random.Generator) -> tuple[Any, ...]:
        shape = (num_tile * plan.walks_per_tile, plan.positives.nodes_per_walk)
        walks = random.integers(rows, size=shape, dtype=index_type)
        noise = random.integers(rows, size=(num_tile, plan.chunks, plan.negatives.count), dtype=index_type)
        return (
            vertex, context, *moments, walks, noise, lr, plan.positives.augmentation_step, plan.positives.two_sided,
            np.float32(plan.negatives.weight), np.float32(0), plan.optimizer.code, plan.optimizer.settings,
            np.zeros(2), *numbers_of(stage.objective),
        )  # fmt: skip

    if compiled_only and not is_compiled(train_walks, *arguments(np.random.default_rng(0))):
        return 0.0
    return rate_of_threads(plan, train_walks, arguments)


def rate_of_threads(
    plan: Plan, train: Callable[..., int], arguments: Callable[[np.random.Generator], tuple[Any, ...]]
) -> float:
    """Return the pairs per second of all threads of this process.

    Parameters
    ----------
    plan : Plan
        The plan.
    train : callable
        Trains some tiles and returns their pairs.
    arguments : callable
        Draws its arguments; the time of that does not count.
    """

    def work(seed: int) -> tuple[int, float]:
        random = np.random.default_rng(seed)
        pairs, seconds = 0, 0.0
        while seconds < _SECONDS:
            given = arguments(random)
            begin = time.perf_counter()
            pairs += train(*given)
            seconds += time.perf_counter() - begin
        return pairs, seconds

    with ThreadPoolExecutor(plan.num_thread) as pool:
        collect(pool, work, [(0,)])  # compiles, and touches the pages
        results = collect(pool, work, [(i,) for i in range(plan.num_thread)])
    rate = sum(pairs / seconds for pairs, seconds in results)
    # Tiles take the same time when walks end early, but have fewer pairs.
    return rate * plan.pairs_per_tile / plan.full_pairs_per_tile
