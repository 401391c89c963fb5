"""The loop of each mode: its schedule, and the device that carries it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.engine.loop import Device, Loop
from nodeloom.engine.merger import Lane, Merger
from nodeloom.engine.negatives import NegativeDistribution
from nodeloom.plan.mode import Copies
from nodeloom.sampling.negatives import noise_weights
from nodeloom.schedule import BlocksSchedule, CopiesSchedule, RingSchedule, WholeSchedule
from nodeloom.transport.alone import ALONE

if TYPE_CHECKING:
    from nodeloom.engine.tables import Tables
    from nodeloom.graph import Graph, KnowledgeGraph
    from nodeloom.model.stage import Stage
    from nodeloom.plan.plan import Plan
    from nodeloom.plan.triple_plan import TriplePlan
    from nodeloom.transport.base import Transport


def whole(graph: Graph, plan: Plan, stage: Stage, tables: Tables, transport: Transport = ALONE) -> Loop:
    """Return the loop of one process with whole tables."""
    schedule = WholeSchedule(**_amount(plan), tiles_per_pool=plan.tiles_per_pool)
    return Loop(plan, schedule, _tiles(graph, plan, stage, tables), transport)


def triples(
    graph: KnowledgeGraph, plan: TriplePlan, stage: Stage, tables: Tables, transport: Transport = ALONE
) -> Loop:
    """Return the loop of one process that trains on a knowledge graph, with whole tables."""
    schedule = WholeSchedule(plan.total_pair, plan.triples.per_batch, 1, plan.tiles_per_pool)
    device: Device
    if plan.device == "cpu":
        from nodeloom.engine.cpu.triples import CpuTriples

        device = CpuTriples(graph, plan, stage, tables)
    else:
        from nodeloom.engine.gpu.triples import GpuTriples

        device = GpuTriples(graph, plan, stage, tables)
    return Loop(plan, schedule, device, transport)


def copies(graph: Graph, plan: Plan, stage: Stage, tables: Tables, transport: Transport) -> Loop:
    """Return the loop of a worker that has whole tables of its own. All workers have to call it."""
    assert isinstance(plan.mode, Copies)
    schedule = CopiesSchedule(
        **_amount(plan), tiles_per_pool=plan.tiles_per_pool, rank=transport.rank, num_merge=plan.mode.num_merge
    )
    lane: Lane
    if plan.device == "cpu":
        from nodeloom.engine.cpu.merge_lane import CpuLane

        lane = CpuLane(transport, plan.num_nodes, stage.row, plan.num_thread)
    else:
        from nodeloom.engine.gpu.merge_lane import GpuLane

        lane = GpuLane(transport, plan.num_nodes, stage.row, plan.device, plan.table_dtype)
    merger = Merger(tables, lane)
    return Loop(plan, schedule, _tiles(graph, plan, stage, tables, merger), transport)


def blocks(graph: Graph, plan: Plan, stage: Stage, tables: Tables, transport: Transport = ALONE) -> Loop:
    """Return the loop of one process with tables in parts."""
    assert plan.grid is not None
    schedule = BlocksSchedule(**_amount(plan), grid=plan.grid, tied=stage.tied)
    device: Device
    if plan.device == "cpu":
        from nodeloom.engine.cpu.blocks import CpuBlocks

        device = CpuBlocks(graph, plan, stage, tables, _noise(graph, plan, tables))
    else:
        from nodeloom.engine.gpu.blocks import GpuBlocks

        device = GpuBlocks(graph, plan, stage, tables, _noise(graph, plan, tables))
    return Loop(plan, schedule, device, transport)


def ring(graph: Graph, plan: Plan, stage: Stage, tables: Tables, transport: Transport) -> Loop:
    """Return the loop of a worker that shares the parts of the tables with others. All workers have to call it."""
    assert plan.grid is not None
    schedule = RingSchedule(**_amount(plan), grid=plan.grid, rank=transport.rank, num_worker=transport.size)
    device: Device
    if plan.device == "cpu":
        from nodeloom.engine.cpu.ring_blocks import RingBlocks

        device = RingBlocks(graph, plan, stage, tables, _noise(graph, plan, tables), transport)
    else:
        from nodeloom.engine.gpu.ring_blocks import GpuRingBlocks

        device = GpuRingBlocks(graph, plan, stage, tables, _noise(graph, plan, tables), transport)
    return Loop(plan, schedule, device, transport)


def _amount(plan: Plan) -> dict[str, Any]:
    """Return how much is trained, in which portions."""
    return {
        "total_pair": plan.num_epoch * plan.num_edges,
        "pairs_per_tile": float(plan.pairs_per_tile * plan.positives.reuse),
        "walks_per_tile": plan.walks_per_tile,
    }


def _tiles(graph: Graph, plan: Plan, stage: Stage, tables: Tables, merger: Merger | None = None) -> Device:
    if plan.device == "cpu":
        from nodeloom.engine.cpu.tiles import CpuTiles

        return CpuTiles(graph, plan, stage, tables, merger)
    from nodeloom.engine.gpu.tiles import GpuTiles

    return GpuTiles(graph, plan, stage, tables, merger)


def _noise(graph: Graph, plan: Plan, tables: Tables) -> NegativeDistribution:
    assert tables.placement is not None
    return NegativeDistribution.of(noise_weights(graph, plan.negatives.exponent), tables.placement, plan.num_thread)
