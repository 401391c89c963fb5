"""What kernels of whole tables are given on a GPU: the layout of the plan, the optimizer, the largest rates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.kernels.gpu.optimizer import SGD
from nodeloom.kernels.gpu.skipgram import TILE
from nodeloom.kernels.gpu.skipgram import Launch as KernelLaunch
from nodeloom.plan.launch import Launch
from nodeloom.plan.tiles_in_flight import MAX_UPDATES_IN_FLIGHT_TIMES_LR, visits

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.plan.plan import Plan
    from nodeloom.typing import FloatArray

CLIP_ABOVE = 0.02
"""Learning rate of SGD above which the largest step of a row is enforced. At 0.01 vectors are as good without, and asking costs a fifth
of the time."""


def optimizer_settings(plan: Plan) -> tuple[float, ...]:
    """Return the numbers that the kernel takes for the optimizer; the largest step only where it is to be enforced."""
    first, *rest = map(float, plan.optimizer.settings)
    if plan.optimizer.code == SGD and plan.lr <= CLIP_ABOVE:
        first = 0.0
    return (first, *rest)


def layout(plan: Plan) -> KernelLaunch:
    """Return the layout of the training kernel that a plan asks for."""
    assert isinstance(plan.launch, Launch)
    return KernelLaunch(num_warps=plan.launch.num_warps, num_program=plan.launch.num_program, add=plan.launch.add)


def largest_rates(graph: Graph, plan: Plan) -> FloatArray | None:
    """Return the largest learning rate of each node, float32 [N]; None if no node needs a limit."""
    launch = plan.launch
    assert isinstance(launch, Launch)
    if not launch.is_limited:
        return None
    with np.errstate(divide="ignore"):
        rates = MAX_UPDATES_IN_FLIGHT_TIMES_LR / (visits(graph) * (launch.num_in_flight * TILE))
        return np.minimum(rates, np.finfo(np.float32).max).astype(np.float32)
