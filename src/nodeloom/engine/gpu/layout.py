"""How kernels are laid out on a GPU, as :mod:`nodeloom.plan.tiles_in_flight` decides for whole tables, and in blocks of a grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.gpu.optimizer import SGD
from nodeloom.kernels.gpu.pairs import Launch as PairLaunch
from nodeloom.kernels.gpu.pairs import programs_for
from nodeloom.kernels.gpu.skipgram import TILE, Launch
from nodeloom.plan.tiles_in_flight import BUSY, FEWEST, ROOM_WITH_MOMENTS, num_in_flight, visits

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import FloatArray

CLIP_ABOVE = 0.02
"""Learning rate of SGD above which the largest step of a row is enforced. At 0.01 vectors are as good without, and asking costs a fifth
of the time."""

_REACH = 0.005
"""Heads under way for each row of a part, at most, times the learning rate, in blocks of a grid.

Rows are stored there, and a head is in a unit of its own for every eight pairs: with all units under way at once, one of many changes of a
head is left. AUC of hidden edges with 0.15, 0.5, 1, 2 heads a row and with all that the card takes, one H200, 4 x 4 blocks: a planted
partition of 5000 nodes, 200 epochs (lr 0.04) 0.878, 0.875, 0.868, 0.854, 0.805 (the CPU: 0.881); PPI 0.843, 0.839, 0.824, 0.773, 0.549
(0.841); BlogCatalog 0.903, 0.894, 0.897, 0.892, 0.828 (0.904). At 2000 epochs (lr 0.01) PPI 0.872, 0.870, 0.863, 0.862, 0.812 (0.873),
BlogCatalog 0.911, 0.911, 0.913, 0.914 (0.913). On YouTube-77k all are the same."""


def optimizer_settings(plan: Plan) -> tuple[float, ...]:
    """Return the numbers that the kernel takes for the optimizer; the largest step only where it is to be enforced."""
    first, *rest = map(float, plan.optimizer.settings)
    if plan.optimizer.code == SGD and plan.lr <= CLIP_ABOVE:
        first = 0.0
    return (first, *rest)


def layout(plan: Plan) -> Launch:
    """Return the layout of the training kernel that a plan asks for."""
    assert plan.launch is not None
    return Launch(num_warps=plan.launch.num_warps, num_program=plan.launch.num_program, add=plan.launch.add)


def largest_rates(graph: Graph, plan: Plan, launch: Launch, num_multiprocessor: int) -> FloatArray | None:
    """Return the learning rate that no node may exceed, float32 [N]; None if none would.

    Parameters
    ----------
    graph, plan
        The graph and its plan.
    launch : Launch
        The layout.
    num_multiprocessor : int
        Of the device.
    """
    if not launch.add:
        return None
    updates = visits(graph) * (num_in_flight(launch.num_program, launch.num_warps, num_multiprocessor) * TILE)
    if float(updates.max()) * plan.lr <= BUSY:
        return None
    with np.errstate(divide="ignore"):
        return np.minimum(BUSY / updates, np.finfo(np.float32).max).astype(np.float32)


def pair_launch(plan: Plan, heads: int, row: int, part_rows: int, num_multiprocessor: int) -> PairLaunch:
    """Return the layout for the blocks of a grid: all units at a time, unless a part has too few rows for that.

    Parameters
    ----------
    plan : Plan
        The plan, with a grid.
    heads, row : int
        Heads of a unit; columns of a row.
    part_rows : int
        Rows of the smaller of two parts.
    num_multiprocessor : int
        Of the device.
    """
    room = _REACH / plan.lr if plan.optimizer.code == SGD else ROOM_WITH_MOMENTS
    wanted = max(FEWEST, int(room * part_rows / heads))
    return PairLaunch(num_program=wanted if wanted < programs_for(heads, row, num_multiprocessor) else 0)
