"""The plan in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nodeloom.engine.budget import sizes
from nodeloom.kernels.cpu.skipgram import TILE
from nodeloom.units import duration, rate

if TYPE_CHECKING:
    from nodeloom.engine.plan import Plan


def _per_node(plan: Plan) -> str:
    nodes = max(1, plan.num_nodes - plan.reach.num_isolated)
    return f"{float(f'{plan.total_pair / len(plan.parts) / nodes:.2g}'):,.0f}"


def plan_rows(plan: Plan) -> list[tuple[str, str]]:
    """Return a plan as (name, text) rows for people."""
    device = f"{plan.device}, {plan.num_thread} thread{'s' if plan.num_thread > 1 else ''}"
    if plan.num_worker > 1:
        device = f"{plan.num_worker} workers, each {device}"
    if plan.device != "cpu":
        drawn = "on the GPU" if plan.sampler == "device" else f"by {plan.num_thread} CPU threads"
        device = f"{plan.device}, {plan.table_dtype} tables, walks drawn {drawn}"
        if plan.num_worker > 1:
            device = f"{plan.num_worker} workers, this one on {device}"
    orders = " and ".join(f"order {part.order}" for part in plan.parts)
    model = f"{plan.model} ({orders})" if plan.model == "LINE" else plan.model
    steered = f", p {plan.p:g}, q {plan.q:g}" if (plan.p, plan.q) != (1.0, 1.0) else ""
    hubs = f"hubs above a share of {plan.hub_threshold:.3g} count less" if plan.hub_threshold else "hubs count in full"
    schedule = plan.schedule if isinstance(plan.schedule, str) else getattr(plan.schedule, "__name__", "function")
    rows = [
        ("model", f"{model}, dim {plan.dim}"),
        ("device", device),
        ("graph", f"{plan.num_nodes:,} nodes, {plan.num_edges:,} edges"),
        (
            "walks",
            f"{plan.random_walk_length} edges long{steered}; pairs up to {plan.augmentation_step} steps apart; {hubs}",
        ),
        (
            "negatives",
            f"{plan.num_shared_negative} shared by {TILE} nodes, weight {plan.negative_weight:g}, "
            f"degree^{plan.negative_sample_exponent:g}",
        ),
        ("optimizer", f"{plan.optimizer.name}, lr {plan.lr:.3g} {schedule}, weight decay {plan.weight_decay:.2g}"),
        (
            "training",
            f"{plan.num_epoch:,} epochs = {plan.total_pair:,} positive pairs, {_per_node(plan)} for each node",
        ),
    ]
    rows += [("not trained", sentence) for sentence in plan.reach.sentences()]
    if plan.grid is not None:
        where = "in temporary files" if plan.in_files else "in main memory"
        rows.append(("grid", plan.reason if plan.num_worker > 1 else f"tables {where}. {plan.reason}"))
    elif plan.num_worker > 1:
        rows.append(("tables", f"{plan.reason}."))
    rows.append(("memory", sizes(plan.memory)))
    if plan.device_memory:
        rows.append(("GPU memory", sizes(plan.device_memory)))
    if plan.seconds is not None:
        assert plan.rate is not None
        rows.append(("time", f"about {duration(plan.seconds)} at {rate(plan.rate)}, as measured here"))
    return rows
