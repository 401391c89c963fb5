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
from nodeloom.plan.grid_choice import PASS_BYTES
from nodeloom.plan.grid_size import VISIT_BYTES
from nodeloom.plan.mode import Blocks
from nodeloom.schedule import Position

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.plan.plan import Plan

_NODES, _EDGES_PER_NODE = 1 << 15, 8
_PAIRS = {"cpu": 2_000_000, "gpu": 60_000_000}  # a fraction of a second
_COPIED = 1 << 26  # bytes
_BLOCK_SECONDS = 2e-4  # that it takes to begin a block, however few pairs it has
_PARTS = 2  # of each side, that are trained here


def measured_rate(plan: Plan) -> float:
    """Return positive pairs per second: of a random graph in four blocks, or of the transfers if they are slower.

    Sorting pairs and drawing walks are part of it. The graph is small, so that its rows are nearer than those of a large one. What more
    blocks, drawing for more vertex parts and transfers that are waited for add on a GPU is that of
    :func:`nodeloom.plan.grid_choice.choose_grid`. Kernels are compiled here if they are not in the cache.
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
        grid, num_vertex_part=_PARTS, num_context_part=_PARTS, vertex_slots=2, context_slots=2, episode_pairs=pairs // 2
    )
    small = dataclasses.replace(
        plan, num_nodes=nodes, num_edges=graph.num_edges, num_epoch=max(1, pairs // graph.num_edges), mode=Blocks(cut),
        lr=1e-6, weight_decay=0.0, stages=(stage,),
    )  # fmt: skip
    tables = grid_tables(small, stage, assign(graph.strengths, _PARTS, _PARTS))
    tables.initialize()
    marks = [(seen.num_pair, seen.seconds) for seen in loops.blocks(graph, small, stage, tables).run(Position())]
    return 1.0 / _seconds_of_pair(plan, 1.0 / _rate_of(marks))


def _rate_of(marks: Sequence[tuple[int, float]]) -> float:
    """Return the pairs per second between looks at a training, without the first rows of blocks and the last few pairs.

    What is compiled for the first row is no part of the rate, nor are kernels for the few pairs that the walks of all episodes were short
    of: those take seconds to compile, and a training of minutes has them once.
    """
    steps = np.diff(np.array([(0, 0.0), *marks]), axis=0)
    whole = np.flatnonzero(steps[:, 0] >= 0.5 * steps[:, 0].max())
    counted = steps[whole[min(2, len(whole) - 1) :]]
    return float(counted[:, 0].sum() / max(counted[:, 1].sum(), 1e-9))


def _seconds_of_pair(plan: Plan, trained: float) -> float:
    """Return the seconds that a pair takes in the blocks of the plan, of which it is trained for `trained` in those measured here."""
    grid = plan.grid
    assert grid is not None
    trained_alone = trained + _BLOCK_SECONDS * grid.num_vertex_part * grid.num_context_part / grid.episode_pairs
    if grid.moved_bytes == 0 or (plan.device == "cpu" and plan.mode == Blocks(grid)):
        return trained_alone
    of_byte = 1.0 / _bytes_per_second(plan.device)
    if plan.device == "cpu":
        return max(0.0, grid.moved_bytes / grid.episode_pairs * of_byte - trained) + trained_alone
    tied = any(stage.tied for stage in plan.stages)
    # Training waits while the one buffer of a vertex part is stored and loaded; two buffers of context parts take turns.
    waited = 0
    if grid.vertex_slots == 1 and not tied:
        waited = (grid.num_vertex_part - 1) * grid.memory["vertex parts"]
    beside = (grid.moved_bytes - waited) * (1 if grid.context_slots > 2 or tied else 2)
    visits = plan.num_nodes * grid.num_context_part * VISIT_BYTES["gpu"]
    passes = max(0, grid.num_vertex_part - _PARTS) * PASS_BYTES
    slower = max(0.0, beside / grid.episode_pairs * of_byte - trained)
    return trained_alone + slower + ((2 * waited + visits) / grid.episode_pairs + passes) * of_byte


def _bytes_per_second(device: str) -> float:
    """Return how fast parts travel to a GPU, or to files."""
    if device != "cpu":
        from nodeloom.engine.rates.gpu import copied_per_second

        return copied_per_second(device, _COPIED)
    rows = np.ones((_COPIED // 4096, 1024), np.float32)
    storage = FileStorage(MainMemory(), RowOrder(len(rows), len(rows)), rows.shape[1])
    begin = time.perf_counter()
    storage.store(0, rows)
    storage.load(0, rows)
    return rows.nbytes / (time.perf_counter() - begin)
