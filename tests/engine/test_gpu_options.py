"""Every option of a training on a GPU arrives where it acts."""

from __future__ import annotations

import numpy as np
import pytest

from gpu_runs import Trained, same_tables
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import training
from nodeloom.kernels.cpu.optimizer import SGD
from nodeloom.model.optimizer import LARGEST_STEP
from nodeloom.plan.learning_rate import factors

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

from nodeloom.engine.gpu import samplers, tiles
from nodeloom.engine.gpu.layout import CLIP_ABOVE
from nodeloom.kernels.gpu.skipgram import Launch

NODES = 200
LENGTH, STEP = 15, 3
WALKS = 4  # in a tile
PAIRS = WALKS * (1 + 2 + 3 * (LENGTH - 2))  # in a tile
RING = {"random_walk_length": LENGTH, "augmentation_step": STEP, "num_epoch": 80}


@pytest.fixture(scope="module")
def ring():
    """Return a directed ring: walks never end and never return, so that each tile has the same number of pairs."""
    return Graph.from_edges([[i, (i + 1) % NODES] for i in range(NODES)], directed=True)


@pytest.fixture(scope="module")
def small():
    return Graph.from_edges(planted_partition(100, 300, 4, seed=3)[0])


# ------------------------------------------------------------------------------------------------- tables and samplers


@pytest.mark.parametrize(("asked", "used"), [("auto", "fp32"), ("fp32", "fp32"), ("bf16", "bf16")])
def test_table_dtype(quick, small, monkeypatch, asked, used):
    stores, real = [], training.allocate
    monkeypatch.setattr(training, "allocate", lambda *arguments: stores.append(real(*arguments)) or stores[-1])
    calls = quick.record()
    tables = quick.train(small, table_dtype=asked, optimizer="Adam")
    (store,) = stores
    wanted = {"fp32": "torch.float32", "bf16": "torch.bfloat16"}[used]
    dtypes = {name: str(storage.array.dtype) for name, storage in store.storages().items()}
    assert dtypes == {name: "torch.float32" if "moment" in name else wanted for name in dtypes} and len(dtypes) == 6
    assert {str(call.vertex) for call in calls} == {str(call.context) for call in calls} == {wanted}
    assert tables.vertex.dtype == tables.context.dtype == np.float32


@pytest.mark.parametrize(("asked", "used"), [("auto", "DeviceWalks"), ("device", "DeviceWalks"), ("host", "HostWalks")])
@pytest.mark.parametrize("p", [1.0, 0.5])
def test_sampler(quick, small, monkeypatch, asked, used, p):
    filled = []
    for name in ("DeviceWalks", "HostWalks"):
        kind = getattr(samplers, name)
        monkeypatch.setattr(
            kind, "fill", lambda self, *a, real=kind.fill: filled.append(type(self).__name__) or real(self, *a)
        )
    quick.train(small, sampler=asked, model="node2vec", p=p)
    assert set(filled) == {used}


@pytest.mark.parametrize("num_thread", [1, 3])
def test_threads_of_the_host_sampler(quick, small, monkeypatch, num_thread):
    asked, real = [], samplers.WalkPool
    monkeypatch.setattr(samplers, "WalkPool", lambda *a, **k: asked.append(k["num_thread"]) or real(*a, **k))
    quick.train(small, sampler="host", num_thread=num_thread)
    assert asked == [num_thread]


def test_layout(quick, small, monkeypatch):
    chosen, asked = Launch(num_program=3, num_warps=8, add=False), []
    monkeypatch.setattr(tiles, "layout", lambda *arguments: asked.append(arguments) or chosen)
    calls = quick.record()
    quick.train(small)
    assert len(asked) == 1
    assert asked[0][0].to_dict() == quick.plan(small).to_dict()
    assert all(call.launch is chosen for call in calls)


@pytest.mark.parametrize("values", [{}, {"dim": 10}, {"model": "LINE", "order": "both"}, {"sampler": "host"}], ids=str)
def test_the_seed_changes_everything(quick, small, values):
    runs = []
    for seed in (0, 1):
        calls = quick.record()
        tables = quick.train(small, seed=seed, **values)
        runs.append((Trained.of([call for call in calls if not call.tied]), tables))
    (a, first), (b, second) = runs
    assert (a.walks[0] != b.walks[0]).any()
    assert (a.negatives[0] != b.negatives[0]).mean() > 0.5
    assert np.abs(first.vertex - second.vertex).mean() > 0.01
    if quick.exact:
        assert same_tables(first, quick.train(small, seed=0, **values))


def test_parts_have_their_own_walks_and_negatives(quick, small):
    calls = quick.record()
    quick.train(small, model="LINE", order="both", dim=32)
    first, second = (Trained.of([call for call in calls if call.tied == tied]) for tied in (True, False))
    assert (first.walks[0] != second.walks[0]).any()
    assert (first.negatives[0] != second.negatives[0]).any()


def test_the_rate_of_busy_nodes_is_limited(quick):
    star = Graph.from_edges([[0, i] for i in range(1, 200)])
    even = Graph.from_edges([[i, (i + 1) % 20_000] for i in range(20_000)])
    for graph, is_limited in ((star, True), (even, False)):
        calls = quick.record()
        quick.train(graph, num_epoch=2, random_walk_length=9)
        rates = calls[0].largest_rate
        assert (rates is not None) is is_limited
        if is_limited:
            assert rates.argmin() == 0 and 0 < rates[0] < calls[0].lr.max() / 10 < rates[1:].min()


def test_rounding_has_a_seed_of_its_own_in_every_launch(quick, small):
    for values in ({}, {"positive_reuse": 3}):
        calls = quick.record()
        quick.train(small, table_dtype="bf16", **values)
        assert len({call.seed for call in calls}) == len(calls) > 10


# ------------------------------------------------------------------------------------------------------ learning rate


def halved(done, total):
    return 0.5 if done > total / 2 else 1.0


@pytest.mark.parametrize("sampler", ["device", "host"])
@pytest.mark.parametrize("schedule", ["linear", "constant", pytest.param(halved, id="halved")])
@pytest.mark.parametrize("tiles", [1, 7, 1000])
def test_rate_of_every_tile(quick, ring, schedule, sampler, tiles):
    quick.pools(tiles=tiles)
    calls = quick.record()
    plan = quick.plan(ring, schedule=schedule, lr=0.02, **RING)
    assert plan.pairs_per_tile == PAIRS
    report = quick.train(ring, schedule=schedule, lr=0.02, sampler=sampler, **RING).report
    rates = Trained.of(calls).lr
    assert report.num_pair == len(rates) * PAIRS
    assert 0 <= report.num_pair - plan.total_pair < PAIRS
    done = PAIRS * np.arange(len(rates), dtype=np.float64)
    wanted = factors("constant" if schedule == "constant" else "linear", done, plan.total_pair)
    if schedule is halved:
        wanted = np.array([halved(pairs, plan.total_pair) for pairs in done])
    np.testing.assert_allclose(rates, 0.02 * wanted, rtol=1e-6)
    assert [len(call.lr) for call in calls[:-1]] == [min(tiles, plan.tiles_per_pool)] * (len(calls) - 1)


def test_rate_of_every_reuse(quick, ring):
    calls = quick.record()
    quick.train(ring, positive_reuse=4, lr=0.02, **RING)
    rates = [Trained.of(calls[reuse::4]).lr for reuse in range(4)]
    total = RING["num_epoch"] * NODES
    for rate in rates:
        np.testing.assert_allclose(rate, 0.02 * factors("linear", 4 * PAIRS * np.arange(len(rate)), total), rtol=1e-6)


def test_a_schedule_is_asked_about_pairs_that_grow(quick, small):
    asked = []
    quick.train(small, schedule=lambda done, total: asked.append((done, total)) or 1.0)
    assert {total for _, total in asked} == {100 * small.num_edges}
    places = [done for done, _ in asked]
    assert places[0] == 0
    assert 0.9 < places[-1] / asked[0][1] <= 1
    assert np.mean(np.diff(places) > 0) > 0.9  # later estimates are better, so a place may come again


# ------------------------------------------------------------------------------------------------- numbers of the kernel


@pytest.mark.parametrize(
    ("values", "name", "wanted"),
    [
        ({"weight_decay": 0.125}, "weight_decay", 0.125),
        ({"negative_weight": 3.0}, "negative_weight", 3.0),
        ({"negative_weight": 3.0, "num_negative": 4}, "negative_weight", 12.0),
        ({"augmentation_step": 2}, "step", 2),
        ({"optimizer": {"type": "Momentum", "momentum": 0.75}}, "settings", (0.75, 0, 0, 0)),
        ({"optimizer": {"type": "AdaGrad", "epsilon": 0.5}}, "settings", (0.5, 0, 0, 0)),
        ({"optimizer": {"type": "RMSprop", "alpha": 0.5, "epsilon": 0.25}}, "settings", (0.5, 0.25, 0, 0)),
        ({"optimizer": {"type": "Adam", "beta1": 0.5, "beta2": 0.75, "epsilon": 0.25}}, "settings", (0.5, 0.75, 0.25, 0)),
        ({"lr": CLIP_ABOVE}, "settings", (0, 0, 0, 0)),
        ({"lr": CLIP_ABOVE * 1.01}, "settings", (LARGEST_STEP, 0, 0, 0)),
    ],
    ids=str,
)  # fmt: skip
def test_numbers(quick, small, values, name, wanted):
    calls = quick.record()
    quick.train(small, num_epoch=20, **values)
    assert {getattr(call, name) for call in calls} == {wanted}


@pytest.mark.parametrize("lr", [1e-3, 1.0])
def test_other_optimizers_are_never_clipped(quick, small, lr):
    for name in ("Momentum", "Adam"):
        calls = quick.record()
        quick.train(small, num_epoch=20, optimizer=name, lr=lr)
        assert calls[0].optimizer != SGD
        assert calls[0].settings == tuple(map(float, quick.plan(small, optimizer=name).optimizer.settings))


@pytest.mark.parametrize("count", [1, 5, 40])
def test_num_shared_negative(quick, small, count):
    calls = quick.record()
    quick.train(small, num_shared_negative=count, random_walk_length=100)
    assert {call.negatives.shape[1:] for call in calls} == {(2, count)}
    drawn = Trained.of(calls).negatives
    assert drawn.min() >= 0 and drawn.max() < small.num_nodes


def test_negatives_follow_the_degrees(quick):
    star = Graph.from_edges([[0, i] for i in range(1, 60)])
    shares = []
    for exponent in (0.0, 1.0):
        calls = quick.record()
        quick.train(star, negative_sample_exponent=exponent, random_walk_length=20, num_epoch=1500)
        shares.append((Trained.of(calls).negatives == 0).mean())
    assert shares == pytest.approx([1 / 60, 1 / 2], abs=0.02)


def test_directed_graphs_are_trained_in_one_direction(quick, ring, small):
    calls = quick.record()
    quick.train(ring, num_epoch=20)
    quick.train(small, num_epoch=20)
    assert [call.two_sided for call in calls] == sorted(call.two_sided for call in calls)
    assert {call.two_sided for call in calls} == {False, True}


def test_products_are_in_bf16_on_a_card_only(quick, small):
    calls = quick.record()
    quick.train(small, num_epoch=20)
    assert {call.product for call in calls} == {"fp32" if quick.exact else "bf16"}


def test_the_plan_is_what_is_trained(quick, small):
    seen = []

    class Watch:
        def on_train_begin(self, plan):
            seen.append(plan.to_dict())

    quick.train(small, callbacks=[Watch()], sampler="host", table_dtype="bf16")
    assert seen == [quick.plan(small, sampler="host", table_dtype="bf16").to_dict()]
    assert (seen[0]["device"], seen[0]["sampler"], seen[0]["table_dtype"]) == ("cuda:0", "host", "bf16")
