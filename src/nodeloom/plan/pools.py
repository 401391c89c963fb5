"""How many tiles are trained at a time, between two moments when training can stop."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.plan.plan import Plan

TILES_PER_POOL = 4096  # at dim 128 and below: about a tenth of a second
TILES_PER_GPU_POOL = 1 << 17  # about 10 milliseconds
POOLS_AT_LEAST = 16

_MOST_PRODUCTS = 5e9  # of a tile: some seconds of a thread
_MOST_PAIRS = 2**62  # that can be counted


def with_pools(plan: Plan, tiles_per_pool: int) -> Plan:
    """Return the plan with its positive pairs and the size of its pools.

    Wide rows, long walks and reuse make a tile longer; a pool stays short, so that Ctrl-C and progress need not wait.

    Raises
    ------
    ConfigError
        If even one tile would take too long, or there are more pairs than can be counted.
    """
    pairs = plan.num_epoch * plan.num_edges
    if pairs * plan.positives.reuse * len(plan.stages) >= _MOST_PAIRS:
        expected = f"fewer than 2^62 pairs, of {plan.num_edges:,} edges"
        raise ConfigError(describe(setting("train.num_epoch"), expected=expected, got=plan.num_epoch))
    rows = plan.full_pairs_per_tile + TILE * plan.chunks * plan.negatives.count
    products = rows * plan.positives.reuse * plan.dim
    if products > _MOST_PRODUCTS:
        long = f"{setting('train.random_walk_length')}, {setting('train.augmentation_step')}"
        often = f"{setting('train.num_shared_negative')}, {setting('train.positive_reuse')}"
        raise ConfigError(
            describe(
                "plan",
                expected=f"at most {_MOST_PRODUCTS:.0e} products in a step, for whose end Ctrl-C and checkpoints wait",
                got=f"{products:.0e}",
                hint=f"Lower {long}, {often} or {setting('resource.dim')}.",
            )
        )
    tiles = math.ceil(pairs / (plan.pairs_per_tile * plan.positives.reuse))
    most = tiles_per_pool * 128 // (max(128, plan.dim) * plan.chunks * plan.positives.reuse)
    return dataclasses.replace(
        plan, total_pair=pairs * len(plan.stages), tiles_per_pool=max(1, min(most, tiles // POOLS_AT_LEAST))
    )
