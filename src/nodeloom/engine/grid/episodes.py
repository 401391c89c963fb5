"""Episodes of a grid: how many walks each has, and where the next one begins."""

from __future__ import annotations

import math

from nodeloom.engine.resident import Position
from nodeloom.plan.plan import Plan


def begin_episode(position: Position, plan: Plan, total_pair: int, shape: dict[str, int]) -> dict[str, int]:
    """Let an episode begin, or go on with the one that was under way in a grid of the same shape; return it.

    Parameters
    ----------
    position : Position
        Changed: its `episode` has ``number``, ``row`` (how much of it is done), ``tiles`` and `shape`.
    plan : Plan
        The plan, with a grid.
    total_pair : int
        Pairs of the whole training.
    shape : dict of str to int
        What decides which pairs belong to which row.
    """
    assert plan.grid is not None
    episode = position.episode
    if not episode or not shape.items() <= episode.items():
        per_tile = position.pairs_per_tile(float(plan.pairs_per_tile * plan.positive_reuse))
        left = total_pair - position.num_pair
        # Episodes are equal, and a short rest is shared by all that are left.
        count = max(1, round(left / plan.grid.episode_pairs))
        tiles = max(1, math.ceil(left / count / per_tile))
        position.episode = {"number": episode.get("number", 0), "row": 0, "tiles": tiles, **shape}
    return position.episode


def end_episode(position: Position) -> None:
    """Let the next episode be the one to begin."""
    position.num_tile += position.episode["tiles"]
    position.episode = {"number": position.episode["number"] + 1}
