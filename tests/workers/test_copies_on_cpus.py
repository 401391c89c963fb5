"""Workers with whole tables in main memory: each trains its own walks, and all have the same tables after every merge."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest
from worker_runs import accuracy, one_training, settings_of, stopped_and_resumed, whole_and_in_two

from local_transport import together
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import machine, make_plan, modes
from nodeloom.engine.cpu.tiles import CpuTiles
from nodeloom.engine.merger import Merger
from nodeloom.errors import ConfigError, GraphError, MemoryLimitError, TrainingError
from nodeloom.kernels.reference import merge
from nodeloom.plan import memory, merges
from nodeloom.plan.memory import merged_bytes
from nodeloom.sampling import WalkSampler
from nodeloom.schedule import TILE_OFFSET_PER_RANK, Position

NODES, EPOCHS = 900, 150


@pytest.fixture(scope="module")
def communities():
    edges, community = planted_partition(NODES, 7000, 6, mixing=0.35, seed=3)
    return Graph.from_edges(edges, num_nodes=NODES), community


@pytest.fixture(autouse=True)
def quick_links(monkeypatch):
    """Plan for links that are fast, however busy this machine is."""
    real = machine._add_speed
    monkeypatch.setattr(machine, "_add_speed", lambda transport: max(1e9, real(transport)))


@pytest.fixture
def few_merges(monkeypatch):
    monkeypatch.setattr(merges, "MERGES", 6)
    monkeypatch.setattr(merges, "LEAST_MERGES", 6)
    monkeypatch.setattr(memory, "_HOST_BUFFER", 100 * 33 * 4)  # nine pieces of each table


def in_copies(**values):
    return settings_of(**{"parallelism": "data", "num_epoch": EPOCHS, **values})


def tables_of(store):
    return {name: storage.array.copy() for name, storage in store.storages().items()}


def run_of(monkeypatch, graph, num_worker, settings):
    """Run the engine of every worker; return, for each, what there is after every merge, its engine and its plan."""

    def work(transport):
        plan = make_plan(graph, settings, transport)
        found = []
        for part in plan.stages:
            store = modes.allocate(plan, part, graph, transport)
            store.initialize()
            engine, position = modes.loop_of(graph, plan, part, store, transport), Position()
            found += [(dataclasses.replace(position), tables_of(store)) for _ in engine.run(position)]
        return SimpleNamespace(steps=found, engine=engine, plan=plan, total_pair=engine.total_pair)

    return together(num_worker, work)


WAYS = [
    (2, {}),
    (3, {"optimizer": "Adam"}),
    (2, {"model": "LINE", "order": "both", "dim": 31}),
    (2, {"model": "LINE", "order": 1}),
    (2, {"positive_reuse": 2, "num_thread": 2}),
    (2, {"model": "node2vec", "p": 0.25, "q": 4.0}),
]


@pytest.mark.parametrize(("num_worker", "values"), WAYS, ids=str)
def test_all_have_the_same_after_a_merge(monkeypatch, communities, few_merges, num_worker, values):
    graph, _ = communities
    found = run_of(monkeypatch, graph, num_worker, in_copies(num_epoch=12, **values))
    first = found[0]
    assert 6 * len(first.plan.stages) <= len(first.steps) <= 8 * len(first.plan.stages)
    for other in found[1:]:
        for (position, tables), (same, others) in zip(first.steps, other.steps, strict=True):
            assert (position.num_pair, position.num_tile, position.episode, position.loss, position.lr) == (
                same.num_pair, same.num_tile, same.episode, same.loss, same.lr,
            )  # fmt: skip
            for name, table in tables.items():
                np.testing.assert_array_equal(table, others[name], err_msg=name)
    (_, before), (_, after) = first.steps[-2:]
    assert all(np.isfinite(after[name]).all() and not np.array_equal(before[name], after[name]) for name in after)
    for name, base in first.engine.device.merger.base.items():
        np.testing.assert_array_equal(base, after[name])
    # Pairs add up, to a tile of each worker.
    position = first.steps[-1][0]
    assert 0 <= position.num_pair - first.total_pair <= 2 * num_worker * position.num_pair / position.num_tile
    assert position.num_tile % num_worker == 0


@pytest.mark.parametrize("num_worker", [2, 3])
def test_a_merge_is_that_of_the_definition(monkeypatch, communities, few_merges, num_worker):
    graph, _ = communities

    def work(transport):
        plan = make_plan(graph, in_copies(optimizer="Momentum", num_thread=2), transport)
        store = modes.allocate(plan, plan.stages[0], graph, transport)
        store.initialize()
        base, random = tables_of(store), np.random.default_rng(transport.rank)
        merger = modes.loop_of(graph, plan, plan.stages[0], store, transport).device.merger
        merger.prepare()
        for table in merger.tables.values():
            table += random.normal(0, 0.1, table.shape).astype(np.float32)
        own = tables_of(store)
        merger.merge(0)
        return base, own, tables_of(store), merger

    found = together(num_worker, work)
    base, _, merged, merger = found[0]
    assert len(merger._lane.buffers) == 2 and merger._lane.rows == 100
    for name, table in merged.items():
        owns = [own[name].astype(np.float64) for _, own, _, _ in found]
        if name in merger.base:
            changes = [own - base[name] for own in owns]
            squares = sum((change**2).sum(1) for change in changes)
            expected, before = np.empty_like(owns[0]), base[name].astype(np.float64)
            merge.apply(expected, before, 0, sum(changes), squares, num_worker, 0)
        else:
            expected = sum(owns) / num_worker
        np.testing.assert_allclose(table, expected, atol=1e-6, err_msg=name)


def test_what_is_sent_is_counted(monkeypatch, communities, few_merges):
    graph, _ = communities
    for num_worker, num_moment in ((2, 0), (4, 1)):
        settings = in_copies(num_epoch=6, optimizer="Momentum" if num_moment else "SGD")
        found = run_of(monkeypatch, graph, num_worker, settings)
        merged = 2 * NODES * (32 * (4 + 4 * num_moment) + 4)
        assert merged_bytes(found[0].plan) == merged
        for result in found:
            assert result.engine.sent == [round(merged * 2 * (num_worker - 1) / num_worker)] * len(result.steps)
            assert 0 < result.engine.waited <= result.steps[-1][0].seconds


def test_no_walk_is_drawn_twice_and_the_rate_sees_the_pairs_of_all(monkeypatch, communities, few_merges):
    graph, _ = communities
    calls, real = {0: [], 1: [], 2: []}, CpuTiles._train_slice

    def train_slice(self, base, first, last, lr):
        if last > first:
            calls[base // TILE_OFFSET_PER_RANK].append((base + first, base + last, lr[first:last]))
        return real(self, base, first, last, lr)

    monkeypatch.setattr(CpuTiles, "_train_slice", train_slice)
    run_of(monkeypatch, graph, 3, in_copies(num_epoch=60, lr=0.01))
    tiles = [np.concatenate([np.arange(first, last) for first, last, _ in calls[rank]]) for rank in range(3)]
    for rank in range(3):
        np.testing.assert_array_equal(tiles[rank], rank * TILE_OFFSET_PER_RANK + np.arange(len(tiles[0])))
        rates = np.concatenate([lr for _, _, lr in calls[rank]])
        assert np.abs(rates - 0.01 * (1 - np.arange(len(rates)) / len(rates))).max() < 0.05 * 0.01
    # Numbers that large arrive in the walks.
    walks = np.empty((2, 8, 64), graph.indices.dtype)
    sampler = WalkSampler.of(graph, seed=1)
    for number, out in enumerate(walks):
        sampler.sample(number * TILE_OFFSET_PER_RANK, out)
    assert not np.array_equal(walks[0], walks[1])


# ------------------------------------------------------------------------------------------------------------ quality


def test_workers_learn_what_one_learns_and_without_merges_less(monkeypatch, communities):
    graph, community = communities
    expected = accuracy(one_training(graph, settings_of(num_epoch=EPOCHS)).vertex, community)
    assert expected > 90
    for num_worker, least in ((2, expected - 3), (4, expected - 3)):
        found = together(num_worker, lambda transport: one_training(graph, in_copies(), transport=transport))
        assert [result.vertex is None for result in found] == [False] + [True] * (num_worker - 1)
        assert accuracy(found[0].vertex, community) > least
    assert accuracy(found[0].vertex, np.random.default_rng(1).permutation(community)) < 45  # control
    monkeypatch.setattr(Merger, "merge", lambda self, number: None)  # the judge must not be content with that
    found = together(4, lambda transport: one_training(graph, in_copies(), transport=transport))
    assert accuracy(found[0].vertex, community) < expected - 3


# -------------------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize(("before", "after"), [(2, 3), (2, 1), (1, 2)])
def test_a_checkpoint_goes_on_with_another_number_of_workers(tmp_path, monkeypatch, communities, before, after):
    graph, community = communities
    alone = settings_of(num_epoch=EPOCHS)
    found = stopped_and_resumed(monkeypatch, graph, tmp_path / "c.safetensors", before, after, in_copies(), alone)
    assert EPOCHS * graph.num_edges <= found.report.num_pair < (EPOCHS + 1) * graph.num_edges
    assert accuracy(found.vertex, community) > accuracy(one_training(graph, alone).vertex, community) - 3


def test_the_same_workers_go_on_exactly(tmp_path, monkeypatch, communities):
    graph, _ = communities
    settings = in_copies(num_epoch=10, model="LINE", order="both", optimizer="Adam", deterministic=True)
    whole, again = whole_and_in_two(monkeypatch, graph, tmp_path / "c.safetensors", settings, 70)
    np.testing.assert_array_equal(whole.vertex, again.vertex)
    np.testing.assert_array_equal(whole.context, again.context)


# --------------------------------------------------------------------------------------------------- errors and plan


@pytest.mark.parametrize("rank", [0, 1])
def test_a_worker_that_diverges_ends_all(monkeypatch, communities, rank):
    graph, _ = communities

    def work(transport):
        real = Merger.merge

        def merge_badly(self, number):
            real(self, number)
            if self._lane.transport.rank == rank:
                self.tables["vertex"].fill(np.nan)

        with pytest.MonkeyPatch.context() as patch:
            if transport.rank == rank:
                patch.setattr(Merger, "merge", merge_badly)
            transport.barrier()
            try:
                one_training(graph, in_copies(), transport=transport)
            except TrainingError as error:
                return str(error)
        return ""

    found = together(2, work)
    assert found[0] == found[1] and found[0].startswith("training diverged at epoch ")


def test_walks_without_pairs_end_all(monkeypatch):
    edges = np.array([[i, i] for i in range(40)] + [[40, 41]])
    graph = Graph.from_edges(edges, weights=np.r_[np.full(40, 1e6), 1e-6], num_nodes=42)
    monkeypatch.setattr("nodeloom.engine.loop.EMPTY_POOLS", 5)
    with pytest.raises(GraphError, match="5 pools of walks had not one pair"):
        together(2, lambda transport: one_training(graph, in_copies(num_epoch=500), transport=transport))


def test_the_plan_says_what_workers_have(monkeypatch, communities):
    graph, _ = communities

    def plans(**values):
        return together(2, lambda transport: make_plan(graph, in_copies(**values), transport))

    first, second = plans()
    assert first == dataclasses.replace(second, optimizer=first.optimizer)
    assert (first.mode.num_merge, first.num_worker, first.grid) == (merges.MERGES, 2, None)
    assert first.memory["base"] == first.memory["tables"] == 2 * NODES * 32 * 4
    assert first.memory["merge buffers"] == NODES * 33 * 4
    assert dict(first.rows())["tables"] == (
        f"2 workers with whole tables each in main memory; changes are merged {merges.MERGES} times, 238 kB each."
    )
    with pytest.raises(ConfigError, match="num_partition: expected 1 or 'auto', since parallelism is data, got 4"):
        plans(num_partition=4)
    with pytest.raises(MemoryLimitError, match=r"plan, worker 0: expected at most 300 kB of memory"):
        plans(memory_limit=300_000)


def test_parts_do_not_train_all_models_so_auto_takes_copies_for_those(monkeypatch, communities):
    graph, _ = communities

    def modes(**values):
        found = together(2, lambda transport: make_plan(graph, settings_of(**values), transport))
        return {type(plan.mode).__name__ for plan in found}

    assert modes() == {"Ring"}
    assert modes(model="LINE", order=1) == modes(model="LINE", order="both") == {"Copies"}


def test_a_slow_link_is_measured_and_merges_are_fewer(monkeypatch, communities):
    graph, _ = communities
    speeds = []

    def plan_of(speed, **values):
        def add_speed(transport):
            speeds.append(speed)
            return speed

        with monkeypatch.context() as patch:
            patch.setattr("nodeloom.engine.machine._add_speed", add_speed)
            return together(2, lambda transport: make_plan(graph, in_copies(num_epoch=2000, **values), transport))[0]

    fast, slow, slowest = (plan_of(speed).mode for speed in (1e9, 2e7, 1e5))
    assert fast.num_merge == merges.MERGES > slow.num_merge > slowest.num_merge == merges.LEAST_MERGES
    assert fast.merge_seconds < slow.merge_seconds < slowest.merge_seconds
    plan = plan_of(2e7)
    seconds = merged_bytes(plan) * (1 / 2e9 + 1 / 2e7)
    assert plan.mode.merge_seconds == pytest.approx(seconds)
    assert slow.num_merge * seconds == pytest.approx(0.25 + 0.04 * merges.expected_seconds(plan, 2), rel=0.1)
    speeds.clear()
    assert plan_of(1e5, deterministic=True).mode.num_merge == merges.MERGES and not speeds


def test_the_speed_between_workers_is_that_of_the_slowest(monkeypatch):
    first, second = together(2, machine._add_speed)
    assert first == second > 0
