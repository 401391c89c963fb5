"""A second objective on the same engine: whole tables, copies and blocks train what its declaration and its kernels say."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import toy_objective
from local_transport import together
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.engine.modes import with_rate
from nodeloom.engine.training import train
from nodeloom.errors import TrainingInterrupted
from nodeloom.plan.mode import Blocks, Copies

NODES, GROUPS, DIM = 600, 6, 8


@pytest.fixture(scope="module")
def communities():
    edges, community = planted_partition(NODES, 4000, GROUPS, mixing=0.2, seed=3)
    return Graph.from_edges(edges, num_nodes=NODES), community


def toy_plan(engine, graph, mode=None, **values):
    """Return the plan of a model with one table, with the toy objective in its place."""
    parts = {} if mode is None else {"num_partition": mode}
    settings = engine.settings(
        device="cpu",  # where the kernels of the toy are
        model="LINE",
        order=1,
        dim=DIM,
        num_epoch=60,
        lr=0.05,
        augmentation_step=1,
        random_walk_length=1,
        **parts,
        **values,
    )
    plan = make_plan(graph, settings)
    stage = toy_objective.declared(graph.num_nodes, DIM)
    return dataclasses.replace(plan, stages=(stage,)), settings


def separation(vectors, community):
    """Return the mean distance of nodes of two communities over that of nodes of one."""
    distance = np.linalg.norm(vectors[:, None] - vectors[None], axis=2)
    same = community[:, None] == community[None]
    np.fill_diagonal(same, False)
    return distance[~same].mean() / distance[same].mean()


def test_the_declaration_and_its_kernels_are_short():
    lines = Path(toy_objective.__file__).read_text().splitlines()
    assert len([line for line in lines if line.strip()]) < 100


def test_whole_tables(engine, communities):
    graph, community = communities
    plan, settings = toy_plan(engine, graph)
    trained = train(graph, plan, settings)
    assert trained.vertex.shape == (NODES, DIM) and trained.context is trained.vertex
    assert trained.history[-1]["loss"] < 0.8 * trained.history[0]["loss"]
    assert separation(trained.vertex, community) > 1.5
    assert separation(trained.vertex, np.random.default_rng(0).permutation(community)) < 1.1  # control


def test_its_rate_is_measured(engine, communities):
    plan, _ = toy_plan(engine, communities[0])
    assert with_rate(plan).rate > 0
    assert with_rate(plan, compiled_only=True).rate > 0


@pytest.mark.parametrize("storage", ["memory", "file"])
def test_blocks(engine, communities, storage):
    graph, community = communities
    plan, settings = toy_plan(engine, graph, mode=3)
    plan = dataclasses.replace(plan, mode=Blocks(plan.grid, storage))
    trained = train(graph, plan, settings)
    assert trained.report.num_pair >= 60 * graph.num_edges
    assert separation(trained.vertex, community) > 1.5


def test_copies(engine, communities):
    graph, community = communities
    plan, settings = toy_plan(engine, graph)
    plan = dataclasses.replace(plan, mode=Copies(num_merge=20, merge_seconds=0.0), num_worker=2)
    found = together(2, lambda transport: train(graph, plan, settings, transport=transport))
    assert found[1].vertex is None and found[0].report.num_sent >= 20
    assert separation(found[0].vertex, community) > 1.5


def test_its_settings_reach_the_kernel(engine, communities):
    # With another constant b the points keep another distance.
    graph, _ = communities
    lengths = []
    for constant in (0.0, 4.0):
        plan, settings = toy_plan(engine, graph)
        objective = dataclasses.replace(plan.stages[0].objective, settings=(constant,))
        plan = dataclasses.replace(plan, stages=(dataclasses.replace(plan.stages[0], objective=objective),))
        vectors = train(graph, plan, settings).vertex
        lengths.append(np.linalg.norm(vectors - vectors.mean(0), axis=1).mean())
    assert lengths[1] > 1.2 * lengths[0]


def test_a_checkpoint_of_it_goes_on(engine, communities, tmp_path):
    graph, community = communities
    plan, settings = toy_plan(engine, graph, num_thread=1)
    whole = train(graph, plan, settings)
    path = tmp_path / "c.safetensors"
    with pytest.raises(TrainingInterrupted):
        train(graph, plan, settings, callbacks=[engine.StopAt(3)], checkpoint=path)
    again = train(graph, plan, settings, resume=path)
    np.testing.assert_array_equal(again.vertex, whole.vertex)
    assert separation(again.vertex, community) > 1.5
