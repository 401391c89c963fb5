"""Measures how fast this machine trains triples, before the training."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.memory import MainMemory
from nodeloom.engine.storage import storage_in
from nodeloom.engine.tables import Tables
from nodeloom.graph import KnowledgeGraph
from nodeloom.schedule import TrainTiles

if TYPE_CHECKING:
    from nodeloom.engine.loop import Device
    from nodeloom.plan.triple_plan import TriplePlan

_SECONDS = 0.2
_VALUES = 1 << 24  # of the tables: far more than the caches hold


def rate_of_triples(plan: TriplePlan) -> float:
    """Return the triples per second of this process, from training random ones for a moment; kernels are compiled before."""
    import dataclasses

    entities = min(plan.num_nodes, max(_VALUES // plan.dim, plan.num_negative))
    per_batch = min(plan.num_edges, -(-plan.triples.num_triple // plan.triples.num_batch))
    random = np.random.default_rng(0)
    ends = random.integers(entities, size=(2, 8 * per_batch), dtype=np.int32)
    relations = random.integers(plan.num_relations, size=8 * per_batch, dtype=np.int32)
    graph = KnowledgeGraph.from_arrays(
        ends[0], relations, ends[1], num_entities=entities, num_relations=plan.num_relations, duplicates="keep"
    )
    stage = plan.stages[0]
    triples = dataclasses.replace(plan.triples, num_triple=graph.num_triples, num_batch=8)
    specs = (dataclasses.replace(stage.objective.tables[0], num_rows=entities), stage.objective.tables[1])
    objective = dataclasses.replace(stage.objective, positives=triples, tables=specs)
    stage = dataclasses.replace(stage, objective=objective)
    small = dataclasses.replace(plan, stages=(stage,), num_nodes=entities, tiles_per_pool=8)
    device = _device(graph, small)
    rates = np.full(8, 1e-6)
    with device.running():
        device.run(TrainTiles(0, 8), rates)  # compiles
        device.run(TrainTiles(0, 8), rates)
        device.land()
        begin, count = time.perf_counter(), 0
        while (seconds := time.perf_counter() - begin) < _SECONDS:
            device.run(TrainTiles(0, 1 if plan.device == "cpu" else 8), rates)
            count += device.land().pairs
    return count / seconds


def _device(graph: KnowledgeGraph, plan: TriplePlan) -> Device:
    """Return the device of a plan, with tables of its own."""
    if plan.device == "cpu":
        from nodeloom.engine.cpu.triples import CpuTriples as Triples

        storage = storage_in(MainMemory(plan.num_thread))
    else:
        from nodeloom.engine.gpu.memory import memories_of
        from nodeloom.engine.gpu.triples import GpuTriples as Triples  # type: ignore[assignment]

        storage = storage_in(*memories_of(plan.device, plan.table_dtype))
    stage = plan.stages[0]
    tables = Tables(stage.objective.tables, plan.optimizer.num_moment, storage)
    tables.initialize()
    return Triples(graph, plan, stage, tables)
