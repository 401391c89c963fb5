"""Measures how fast a grid trains on this machine, before the training."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine import loops
from nodeloom.engine.files import FileStorage, grid_tables
from nodeloom.engine.memory import MainMemory
from nodeloom.engine.rows import RowOrder
from nodeloom.partition import assign
from nodeloom.plan.mode import Blocks
from nodeloom.schedule import Position

if TYPE_CHECKING:
    from nodeloom.plan.plan import Plan

_NODES, _EDGES_PER_NODE = 1 << 15, 8
_PAIRS = {"cpu": 2_000_000, "gpu": 60_000_000}  # a fraction of a second
_COPIED = 1 << 26  # bytes
_BLOCK_SECONDS = 2e-4  # that it takes to begin a block, however few pairs it has


def measured_rate(plan: Plan) -> float:
    """Return positive pairs per second: of a random graph in four blocks, or of the transfers if they are slower.

    Sorting pairs and drawing walks are part of it. The graph is small, so that its rows are nearer than those of a large one. Kernels are
    compiled here if they are not in the cache.
    """
    from nodeloom.graph import Graph

    grid = plan.grid
    assert grid is not None
    nodes = min(_NODES, plan.num_nodes)
    ends = np.random.default_rng(0).integers(nodes, size=(_EDGES_PER_NODE * nodes, 2), dtype=np.int32)
    graph = Graph.from_edges(ends, num_nodes=nodes)
    stage = max(plan.stages, key=lambda stage: stage.row * len(stage.objective.tables))
    objective = dataclasses.replace(
        stage.objective,
        tables=tuple(dataclasses.replace(table, num_rows=nodes) for table in stage.objective.tables),
        positives=dataclasses.replace(plan.positives, two_sided=True),
    )
    stage = dataclasses.replace(stage, objective=objective)
    pairs = _PAIRS["cpu" if plan.device == "cpu" else "gpu"]
    cut = dataclasses.replace(
        grid, num_vertex_part=2, num_context_part=2, vertex_slots=2, context_slots=2, episode_pairs=pairs // 2
    )
    small = dataclasses.replace(
        plan, num_nodes=nodes, num_edges=graph.num_edges, num_epoch=max(1, pairs // graph.num_edges), mode=Blocks(cut),
        lr=1e-6, weight_decay=0.0, stages=(stage,),
    )  # fmt: skip
    tables = grid_tables(small, stage, assign(graph.strengths, 2, 2))
    tables.initialize()
    marks = [(seen.num_pair, seen.seconds) for seen in loops.blocks(graph, small, stage, tables).run(Position())]
    first = marks[min(1, len(marks) - 2)]  # without what is compiled in the first episode
    rate = (marks[-1][0] - first[0]) / max(marks[-1][1] - first[1], 1e-9)
    num_block = grid.num_vertex_part * grid.num_context_part
    return 1.0 / (1.0 / min(rate, _transfer_rate(plan)) + _BLOCK_SECONDS * num_block / grid.episode_pairs)


def _transfer_rate(plan: Plan) -> float:
    """Return the pairs per second that the transfers of the plan allow."""
    grid = plan.grid
    assert grid is not None
    per_pair = grid.moved_bytes / grid.episode_pairs
    if per_pair == 0 or (plan.device == "cpu" and plan.mode == Blocks(grid)):
        return float("inf")
    if plan.device != "cpu":
        from nodeloom.engine.rates.gpu import copied_per_second

        return copied_per_second(plan.device, _COPIED) / per_pair
    rows = np.ones((_COPIED // 4096, 1024), np.float32)
    storage = FileStorage(MainMemory(), RowOrder(len(rows), len(rows)), rows.shape[1])
    begin = time.perf_counter()
    storage.store(0, rows)
    storage.load(0, rows)
    return rows.nbytes / (time.perf_counter() - begin) / per_pair
