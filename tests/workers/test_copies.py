"""Workers with whole tables on GPUs train what one trains, each its own walks, and have the same tables after every merge."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import gpu_workers
import numpy as np
import pytest
from worker_runs import accuracy, one_training, settings_of, stopped_and_resumed, whole_and_in_two

from gpu_runs import INTERPRETED
from local_transport import together
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan, modes
from nodeloom.errors import GraphError, TrainingError
from nodeloom.plan import copies, memory, merges
from nodeloom.schedule import Position, TrainTiles

NODES, EPOCHS = 900, 150
MARGIN = {"Adam": 12}
"""Points that an optimizer may lose; the moments of Adam are those of each worker's own changes."""


@pytest.fixture(scope="module")
def communities():
    edges, community = planted_partition(NODES, 7000, 6, mixing=0.35, seed=3)
    return Graph.from_edges(edges, num_nodes=NODES), community


@pytest.fixture
def on_gpus(monkeypatch):
    gpu_workers.prepare(monkeypatch)


def of_gpus(**values):
    return settings_of(**{"device": "cuda", "num_epoch": EPOCHS, **values})


def tables_of(store):
    """Return the tables of a worker itself, whoever it is."""
    return {name: storage.array.float().cpu().numpy().copy() for name, storage in store.storages().items()}


def run_of(monkeypatch, graph, num_worker, settings, **changes):
    """Run the engine of every worker; return, for each, what there is after every merge, and the last engine."""

    def work(transport):
        plan = dataclasses.replace(make_plan(graph, settings, transport), **changes)
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
    (2, {"table_dtype": "bf16"}),
    (2, {"table_dtype": "bf16", "optimizer": "AdaGrad", "sampler": "host"}),
    (2, {"model": "LINE", "order": "both", "dim": 31}),
    (2, {"model": "LINE", "order": 1}),
    (2, {"positive_reuse": 2}),
    (2, {"model": "node2vec", "p": 0.25, "q": 4.0}),
]


@pytest.mark.parametrize(("num_worker", "values"), WAYS, ids=str)
def test_all_have_the_same_after_a_merge(monkeypatch, communities, on_gpus, num_worker, values):
    graph, _ = communities
    monkeypatch.setattr(merges, "MERGES", 6)
    monkeypatch.setattr(merges, "LEAST_MERGES", 6)
    found = run_of(monkeypatch, graph, num_worker, of_gpus(num_epoch=12, **values))
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
    # The base is what all have now.
    for name, base in first.engine.device.merger.base.items():
        np.testing.assert_array_equal(base.float().cpu().numpy(), after[name])
    # Pairs add up, to a tile of each worker.
    position = first.steps[-1][0]
    per_tile = position.num_pair / position.num_tile
    assert 0 <= position.num_pair - first.total_pair <= 2 * num_worker * per_tile
    assert position.num_tile % num_worker == 0


def test_interpreted_kernels_do_the_same(monkeypatch):
    gpu_workers.prepare(monkeypatch, kernels_of_the_cpu=False)
    edges, _ = planted_partition(60, 200, 3, seed=1)
    graph = Graph.from_edges(edges, num_nodes=60)
    monkeypatch.setattr(merges, "MERGES", 2)
    monkeypatch.setattr(merges, "LEAST_MERGES", 2)
    found = run_of(monkeypatch, graph, 2, of_gpus(num_epoch=24, dim=8))
    for name, table in found[0].steps[-1][1].items():
        np.testing.assert_array_equal(table, found[1].steps[-1][1][name])
        assert np.isfinite(table).all() and table.any()


def test_what_is_sent_is_counted(monkeypatch, communities, on_gpus):
    graph, _ = communities
    monkeypatch.setattr(merges, "MERGES", 5)
    monkeypatch.setattr(merges, "LEAST_MERGES", 5)
    for num_worker, values in ((2, {}), (4, {"table_dtype": "bf16", "optimizer": "Momentum"})):
        found = run_of(monkeypatch, graph, num_worker, of_gpus(num_epoch=6, **values))
        itemsize, num_moment = (4, 0) if num_worker == 2 else (2, 1)
        merged = 2 * NODES * (32 * (itemsize + 4 * num_moment) + 4)
        each = round(merged * 2 * (num_worker - 1) / num_worker)
        assert memory.merged_bytes(found[0].plan) == merged
        for result in found:
            assert result.engine.sent == [each] * len(result.steps)
            assert 0 < result.engine.waited <= result.steps[-1][0].seconds


@pytest.fixture
def trained(monkeypatch):
    """Return what each worker trains: (number of its first walk, walks, learning rates), call by call."""
    from nodeloom.engine.gpu import tiles
    from nodeloom.schedule import TILE_OFFSET_PER_RANK

    calls = {}
    real = tiles.GpuTiles._train
    fill = {kind: kind.fill for kind in (tiles.DeviceWalks, tiles.HostWalks)}
    numbers = {}

    def noted(self, first_walk, out):
        numbers[id(self)] = first_walk
        fill[type(self)](self, first_walk, out)

    def train(self, slot, walks, num_tile, seed):
        if walks.max() >= 0:
            calls.setdefault(seed // TILE_OFFSET_PER_RANK // self.plan.positives.reuse, []).append(
                (numbers[id(self._walks)], walks.cpu().numpy().copy(), slot.lr[:num_tile].cpu().numpy().copy())
            )
        real(self, slot, walks, num_tile, seed)

    monkeypatch.setattr(tiles.GpuTiles, "_train", train)
    for kind in fill:
        monkeypatch.setattr(kind, "fill", noted)
    return calls


def test_the_learning_rate_sees_the_pairs_of_all(monkeypatch, communities, on_gpus, trained):
    graph, _ = communities
    monkeypatch.setattr(merges, "MERGES", 4)
    monkeypatch.setattr(merges, "LEAST_MERGES", 4)
    monkeypatch.setattr(copies, "_POOLS", 1)  # many tiles at a time
    run_of(monkeypatch, graph, 3, of_gpus(lr=0.01))
    rates = [np.concatenate([lr for _, _, lr in trained[rank]]) for rank in range(3)]
    assert len({len(lr) for lr in rates}) == 1 and len(rates[0]) > 100
    for lr in rates:
        expected = 0.01 * (1 - np.arange(len(lr)) / len(lr))
        assert np.abs(lr - expected).max() < 0.05 * 0.01


@pytest.mark.parametrize("sampler", ["device", "host"])
def test_no_walk_is_drawn_twice(monkeypatch, communities, on_gpus, trained, sampler):
    from nodeloom.sampling import WalkSampler

    graph, _ = communities
    found = run_of(monkeypatch, graph, 3, of_gpus(num_epoch=10, sampler=sampler))
    sampler = WalkSampler.of(graph, seed=found[0].plan.stages[0].seed)
    numbers = []
    for rank in range(3):
        for first, walks, _ in trained[rank]:
            assert first >= rank << 40
            expected = np.empty(walks.shape, graph.indices.dtype)
            sampler.sample(first, expected)  # numbers of 64 bits arrive
            np.testing.assert_array_equal(walks, expected)
            numbers += range(first, first + len(walks))
    assert len(set(numbers)) == len(numbers)
    per_worker = [sum(len(walks) for _, walks, _ in trained[rank]) for rank in range(3)]
    assert len(set(per_worker)) == 1
    # Each worker's walks follow each other.
    for rank in range(3):
        ends = [first + len(walks) for first, walks, _ in trained[rank]]
        assert [first for first, _, _ in trained[rank]][1:] == ends[:-1]


# ------------------------------------------------------------------------------------------------------------ quality


@pytest.fixture(scope="module")
def learned_by_one(communities):
    graph, community = communities
    return accuracy(one_training(graph, settings_of(num_epoch=EPOCHS)).vertex, community)


@pytest.mark.parametrize(
    ("num_worker", "values"),
    [
        (2, {}),
        (4, {}),
        (2, {"table_dtype": "bf16"}),
        (2, {"optimizer": "Adam"}),
        (2, {"model": "LINE", "order": "both"}),
    ],
    ids=str,
)
def test_workers_learn_what_one_learns(monkeypatch, communities, on_gpus, learned_by_one, num_worker, values):
    graph, community = communities
    expected = learned_by_one
    if "optimizer" in values or "model" in values:
        expected = accuracy(one_training(graph, settings_of(num_epoch=EPOCHS, **values)).vertex, community)
    found = together(num_worker, lambda transport: one_training(graph, of_gpus(**values), transport=transport))
    assert [result.vertex is None for result in found] == [False] + [True] * (num_worker - 1)
    assert {result.report.num_pair for result in found} == {found[0].report.num_pair}
    reached = accuracy(found[0].vertex, community)
    assert expected > 90
    assert reached > expected - MARGIN.get(values.get("optimizer"), 3), (
        f"{reached:.1f} % of the communities against {expected:.1f} %"
    )
    assert accuracy(found[0].vertex, np.random.default_rng(1).permutation(community)) < 45  # control


def test_without_merges_workers_learn_less(monkeypatch, communities, on_gpus, learned_by_one):
    # The judge above must not be content with what one worker has learned.
    from nodeloom.engine.merger import Merger

    graph, community = communities
    monkeypatch.setattr(Merger, "merge", lambda self, number: None)
    found = together(4, lambda transport: one_training(graph, of_gpus(), transport=transport))
    assert accuracy(found[0].vertex, community) < learned_by_one - 3


# -------------------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize(("before", "after"), [(2, 2), (2, 3), (2, 1), (1, 2)])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_a_checkpoint_goes_on_with_another_number_of_workers(
    tmp_path, monkeypatch, communities, on_gpus, optimizer, before, after
):
    graph, community = communities
    settings = of_gpus(optimizer=optimizer)
    alone = settings_of(optimizer=optimizer, num_epoch=EPOCHS)  # on the CPU
    found = stopped_and_resumed(monkeypatch, graph, tmp_path / "c.safetensors", before, after, settings, alone)
    assert EPOCHS * graph.num_edges <= found.report.num_pair < (EPOCHS + 1) * graph.num_edges
    expected = accuracy(one_training(graph, alone).vertex, community)
    assert accuracy(found.vertex, community) > expected - MARGIN.get(optimizer, 3)


@pytest.mark.skipif(not INTERPRETED, reason="programs of a card run in any order")
@pytest.mark.parametrize("values", [{}, {"model": "LINE", "order": "both", "optimizer": "Adam"}], ids=str)
def test_the_same_workers_go_on_exactly(tmp_path, monkeypatch, communities, on_gpus, values):
    graph, _ = communities
    settings = of_gpus(num_epoch=10, **values)
    stop = 70 if values else 6  # in the second part
    whole, again = whole_and_in_two(monkeypatch, graph, tmp_path / "c.safetensors", settings, stop)
    np.testing.assert_array_equal(whole.vertex, again.vertex)
    np.testing.assert_array_equal(whole.context, again.context)


def test_a_warm_start_is_the_base_too(monkeypatch, communities, on_gpus):
    graph, _ = communities
    values = np.random.default_rng(0).normal(0, 1, (NODES, 32)).astype(np.float32)

    def work(transport):
        plan = make_plan(graph, of_gpus(), transport)
        store = modes.allocate(plan, plan.stages[0], graph, transport)
        store.initialize()
        first = store.read("vertex")
        store.write("vertex", values)
        mask = np.arange(NODES) % 2 == 0
        store.write("context", values, mask)
        merger = modes.loop_of(graph, plan, plan.stages[0], store, transport).device.merger
        merger.prepare()
        for name, base in merger.base.items():
            np.testing.assert_array_equal(base.cpu().numpy(), tables_of(store)[name])
        assert len(merger.base) == 2
        merger.merge(0)  # changes nothing
        return first, tables_of(store)

    (first, tables), (nothing, others) = together(2, work)
    assert nothing is None
    np.testing.assert_array_equal(tables["vertex"], values)
    np.testing.assert_array_equal(tables["context"], np.where((np.arange(NODES) % 2 == 0)[:, None], values, 0))
    np.testing.assert_array_equal(tables["vertex"], others["vertex"])
    # Workers start from the values of one process.
    plan = make_plan(graph, settings_of())
    one = modes.allocate(plan, plan.stages[0], graph)
    one.initialize()
    np.testing.assert_array_equal(first, one.read("vertex"))


# ------------------------------------------------------------------------------------------------------------- errors


def failing(monkeypatch, rank, what):
    """Return the work of workers of which one fails, and all have to say so."""
    from nodeloom.engine.loop import Loop

    real = Loop._do

    def do(self, operation):
        if self.transport.rank == rank and isinstance(operation, TrainTiles) and self._standing.position.num_pair > 0:
            what(self)
        real(self, operation)

    monkeypatch.setattr(Loop, "_do", do)  # once for all workers, which are threads of one process

    def work(transport, graph, settings):
        try:
            one_training(graph, settings, transport=transport)
        except (TrainingError, GraphError) as error:
            return f"{type(error).__name__}: {error}"
        return ""

    return work


@pytest.mark.parametrize("rank", [0, 1])
def test_a_worker_that_diverges_ends_all(monkeypatch, communities, on_gpus, rank):
    graph, _ = communities
    work = failing(monkeypatch, rank, lambda loop: loop.device.tables.of("vertex")[0].fill_(float("nan")))
    found = together(2, lambda transport: work(transport, graph, of_gpus()))
    assert found[0] == found[1]
    assert found[0].startswith("TrainingError: training diverged at epoch ")


def test_walks_without_pairs_end_all(monkeypatch, on_gpus):
    # All edges are loops but one, which no walk finds.
    edges = np.array([[i, i] for i in range(40)] + [[40, 41]])
    weights = np.r_[np.full(40, 1e6), 1e-6]
    graph = Graph.from_edges(edges, weights=weights, num_nodes=42)
    monkeypatch.setattr("nodeloom.engine.loop.EMPTY_POOLS", 5)
    with pytest.raises(GraphError, match="5 pools of walks had not one pair"):
        together(2, lambda transport: one_training(graph, of_gpus(num_epoch=500), transport=transport))
