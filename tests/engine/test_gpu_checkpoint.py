"""A training on a GPU that is stopped goes on, there or on the CPU, from where its tables were."""

from __future__ import annotations

import itertools
import math
import signal
from types import SimpleNamespace

import numpy as np
import pytest

from gpu_runs import snapshots
from nodeloom import LINE, DeepWalk, Graph, load
from nodeloom.datasets import planted_partition
from nodeloom.errors import TrainingInterrupted
from nodeloom.io.model_file import read_model

MODELS = {
    "SGD": {},
    "host sampler": {"sampler": "host"},
    "padded rows, Adam": {"dim": 20, "optimizer": "Adam"},
    "order 1": {"model": "LINE", "order": 1, "dim": 20, "optimizer": "Momentum"},
    "both orders": {"model": "LINE", "order": "both", "dim": 20, "optimizer": "Adam"},
    "node2vec, reuse": {"model": "node2vec", "p": 0.5, "random_walk_length": 31, "positive_reuse": 2},
}
EDGES = planted_partition(100, 300, 4, seed=3)[0]


@pytest.fixture(scope="module")
def small():
    return Graph.from_edges(EDGES)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.safetensors"


@pytest.fixture
def run(quick, small):
    """Train in small pools at a constant rate, so that tables depend on the number of tiles alone."""

    def run(tiles=2, **values):
        quick.pools(tiles=tiles)
        return quick.train(small, **{"schedule": "constant", "num_epoch": 60, **values})

    return run


@pytest.fixture
def at(quick, small):
    """Return the tables of an undisturbed training on the CPU by (part, number of tiles)."""

    def at(**values):
        quick.pools(tiles=1)
        values = {**values, "schedule": "constant", "num_epoch": 60, "device": "cpu"}
        return snapshots(small, quick.plan(small, **values))

    return at


def stopped(run, path, stop, **values):
    """Train until a callback stops it; return the checkpoint, None if the training was over before."""
    try:
        run(callbacks=[stop], checkpoint=path, **values)
    except TrainingInterrupted as interrupted:
        assert interrupted.checkpoint == path
        return read_model(path)
    return None


def check_tables(quick, data, found, plan):
    """Check that a checkpoint has the tables of its position."""
    part, tiles = data.state["part"], data.state["num_tile"]
    assert data.state["num_pair"] == found[part, tiles].num_pair
    if not quick.exact:
        return
    columns = slice(plan.stages[part].first, plan.stages[part].first + plan.stages[part].dim)
    for name, table in found[part, tiles].tables.items():
        np.testing.assert_array_equal(data.tensors[name][:, columns], table[:, : plan.stages[part].dim], err_msg=name)


@pytest.mark.parametrize("name", MODELS)
def test_position_and_tables_of_a_checkpoint_belong_together(quick, small, run, at, engine, path, name):
    values, found = MODELS[name], at(**MODELS[name])
    plan = quick.plan(small, **values)
    for pool in itertools.count(step=2):
        calls = quick.record()
        data = stopped(run, path, engine.StopAt(pool), **values)
        if data is None:
            break
        trained = [call for call in calls if call.tied == (plan.stages[data.state["part"]].tied)]
        assert data.state["num_tile"] == sum(len(call.lr) for call in trained) // plan.positives.reuse
        assert math.isfinite(data.state["loss"]) and data.state["lr"] > 0
        check_tables(quick, data, found, plan)
    assert pool >= (8 if name == "both orders" else 4)


@pytest.mark.parametrize("name", MODELS)
def test_what_was_stopped_goes_on_to_the_end(quick, small, run, at, engine, path, name):
    values, found = MODELS[name], at(**MODELS[name])
    whole = run(**values)
    for pool in (0, 3, 9):
        data = stopped(run, path, engine.StopAt(pool), **values)
        if data is None:
            continue
        calls, last = quick.record(), engine.StopAt(10**9)
        resumed = run(resume=path, callbacks=[last], **values)
        plan = quick.plan(small, **values)
        done = data.state["part"] * plan.total_pair // len(plan.stages) + data.state["num_pair"]
        assert resumed.report.num_pair == pytest.approx(whole.report.num_pair, rel=0.05)
        assert resumed.history[0]["num_pair"] > done
        if len(plan.stages) > 1 or not quick.exact:
            continue
        tiles = data.state["num_tile"] + sum(len(call.lr) for call in calls) // plan.positives.reuse
        assert resumed.report.num_pair == found[0, tiles].num_pair
        np.testing.assert_array_equal(resumed.vertex, found[0, tiles].tables["vertex"][:, : plan.dim])


def test_the_second_part_goes_on(quick, small, run, at, engine, path):
    values, found = MODELS["both orders"], at(**MODELS["both orders"])
    plan = quick.plan(small, num_epoch=60, schedule="constant", **values)
    pools = [[], []]

    class Watch:
        def on_pool_end(self, progress):
            pools[progress.part].append(progress.num_pair)

    run(callbacks=[Watch()], **values)
    data = stopped(run, path, engine.StopAt(len(pools[0]) + 2), **values)
    assert data.state["part"] == 1
    check_tables(quick, data, found, plan)
    resumed = run(resume=path, **values)
    assert resumed.vertex.shape == (100, 20)
    assert resumed.report.num_pair == pytest.approx(plan.total_pair, rel=0.05)
    if quick.exact:  # the first part is as it was
        np.testing.assert_array_equal(resumed.vertex[:, :10], data.tensors["vertex"][:, :10])
        assert (resumed.vertex[:, 10:] != data.tensors["vertex"][:, 10:]).any()


def test_stopped_again_and_again(quick, run, engine, path):
    options, stops = {}, 0
    while True:
        try:
            tables = run(callbacks=[engine.StopAt(1)], checkpoint=path, **options)
            break
        except TrainingInterrupted:
            options, stops = {"resume": path}, stops + 1
    assert stops > 2
    whole = run()
    assert tables.report.num_pair == pytest.approx(whole.report.num_pair, rel=0.05)
    assert tables.report.loss == pytest.approx(whole.report.loss, rel=0.3)


@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
@pytest.mark.parametrize("name", MODELS)
def test_from_device_to_device(quick, small, run, at, engine, path, first, second, name):
    values, found = MODELS[name], at(**MODELS[name])
    data = stopped(run, path, engine.StopAt(3), device=first, **values)
    plan = quick.plan(small, **values)
    check_tables(quick, data, found, plan)
    calls = quick.record(device="cpu" if second == "cpu" else "cuda")
    resumed = run(resume=path, device=second, **values)
    assert resumed.report.device == ("cpu" if second == "cpu" else "cuda:0")
    assert resumed.report.num_pair == pytest.approx(60 * small.num_edges * len(plan.stages), rel=0.1)
    if len(plan.stages) == 1 and quick.exact:
        tiles = data.state["num_tile"] + sum(len(call.lr) for call in calls) // plan.positives.reuse
        assert tiles > data.state["num_tile"]
        np.testing.assert_array_equal(resumed.vertex, found[0, tiles].tables["vertex"][:, : plan.dim])


def test_bf16_tables_come_back_as_they_were(quick, run, engine, path):
    data = stopped(run, path, engine.StopAt(3), table_dtype="bf16")
    for table in data.tensors.values():
        np.testing.assert_array_equal(table.view(np.uint32) & 0xFFFF, 0)
    resumed = run(resume=path, table_dtype="bf16", checkpoint=path, callbacks=[engine.StopAt(10**9)])
    assert np.isfinite(resumed.vertex).all()
    wider = run(resume=path, table_dtype="fp32")
    assert (wider.vertex.view(np.uint32) & 0xFFFF).any()


# ----------------------------------------------------------------------------------------------------- stops and intervals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals(quick, small, run, at, engine, path, number):
    before, found = signal.getsignal(number), at()
    stop = engine.StopAt(4, lambda: signal.raise_signal(number))
    data = stopped(run, path, stop)
    check_tables(quick, data, found, quick.plan(small))
    assert stop.seen == 5  # that pool was the last
    assert signal.getsignal(number) == before
    assert run(resume=path).report.num_pair >= 60 * small.num_edges


def test_a_stop_tells_where_it_was(quick, small, run, engine, path):
    stop = engine.StopAt(4, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(TrainingInterrupted, match=r"stopped at epoch \d+\.\d of 60; it can go on from ") as caught:
        run(callbacks=[stop], checkpoint=path)
    epoch = float(str(caught.value).split("epoch ")[1].split(" ")[0])
    assert epoch == pytest.approx(read_model(path).state["num_pair"] / small.num_edges, abs=0.051)
    with pytest.raises(TrainingInterrupted, match="nothing was written, since no checkpoint was asked for"):
        run(callbacks=[engine.StopAt(4, lambda: signal.raise_signal(signal.SIGINT))])


def test_a_stop_when_all_is_trained_gives_the_vectors(quick, small, run, path):
    class Stop:
        asked = False

        def on_pool_end(self, progress):
            if progress.num_pair > 0.97 * progress.total_pair and not self.asked:  # the rest is under way
                self.asked = True
                signal.raise_signal(signal.SIGINT)

    stop = Stop()
    tables = run(callbacks=[stop], checkpoint=path)
    assert stop.asked
    assert tables.report.num_pair >= 60 * small.num_edges
    assert not path.exists()


class Watch:
    def __init__(self, path=None):
        self.path, self.told, self.saved = path, [], []

    def on_pool_end(self, progress):
        self.told.append(progress.num_pair)
        if self.path is not None and self.path.exists():
            self.saved.append(read_model(self.path).state["num_pair"])


@pytest.mark.parametrize("sampler", ["device", "host"])
def test_every_interval(quick, small, run, at, path, tmp_path, sampler):
    found, watch = at(sampler=sampler), Watch(path)
    whole = run(sampler=sampler)
    tables = run(callbacks=[watch], checkpoint=path, checkpoint_interval=0, sampler=sampler)
    assert len(watch.saved) > 4
    assert watch.saved == sorted(watch.saved)
    assert len(set(watch.saved[:-1])) == len(watch.saved) - 1  # after the last pool there is nothing to save
    assert {entry.name for entry in tmp_path.iterdir()} == {path.name}
    check_tables(quick, read_model(path), found, quick.plan(small))
    assert tables.report.num_pair == pytest.approx(whole.report.num_pair, rel=0.05)
    path.unlink()
    run(checkpoint=path, checkpoint_interval=3600, sampler=sampler)
    assert not path.exists()


@pytest.mark.parametrize("interval", [0, 3600])
def test_callbacks_hear_of_the_end(quick, run, path, interval):
    # Regression: what a checkpoint waited for was counted, but nobody was told, so that progress ended below 100 %.
    watch = Watch()
    tables = run(callbacks=[watch], checkpoint=path, checkpoint_interval=interval)
    assert watch.told == sorted(watch.told)
    assert watch.told[-1] == 60 * 300
    assert tables.history[-1]["num_pair"] == 60 * 300
    assert tables.history[-1]["seconds_left"] == 0


# ------------------------------------------------------------------------------------------------------ warm starts, files


@pytest.mark.parametrize(
    "values", [{}, {"dim": 20}, {"model": "LINE", "order": "both", "dim": 20}, {"table_dtype": "bf16"}], ids=str
)
def test_warm_start(quick, small, run, values):
    random = np.random.default_rng(0)
    dim = values.get("dim", 16)
    # Numbers that bf16 has.
    vertex, context = (random.integers(-64, 64, (100, dim)).astype(np.float32) / 256 for _ in range(2))
    vertex[7] = 0  # a row that knows nothing gets the usual first values
    model = SimpleNamespace(vectors_=vertex, context_vectors_=context, graph_names_=small.names)
    still = {"schedule": lambda done, total: 0.0, "num_epoch": 2}
    tables, cold = run(init=model, **still, **values), run(**still, **values)
    known = np.arange(100) != 7
    np.testing.assert_array_equal(tables.vertex[known], vertex[known])
    np.testing.assert_array_equal(tables.vertex[7], cold.vertex[7])
    tied = 10 if values.get("order") == "both" else 0
    np.testing.assert_array_equal(tables.context[:, tied:], context[:, tied:])
    assert (run(init=model, **values).vertex[known] != vertex[known]).any()


@pytest.mark.parametrize("kind", [DeepWalk, LINE])
def test_a_model_of_the_gpu_is_a_model(quick, small, tmp_path, kind):
    options = {"order": "both"} if kind is LINE else {}
    model = kind(dim=16, num_epoch=60, device="cuda", table_dtype="bf16", **options).fit(small)
    assert model.report_["device"] == "cuda:0"
    assert model.report_["peak_device_memory"] >= 0
    assert model.vectors_.flags.writeable and model.vectors_.flags.c_contiguous
    back = load(model.save(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(back.vectors_, model.vectors_)
    np.testing.assert_array_equal(back.context_vectors_, model.context_vectors_)
    assert back.nearest(3, 5) == model.nearest(3, 5)
    assert np.isfinite(back.score_edges([0, 1], [2, 3])).all()
    further = kind(dim=16, num_epoch=20, device="cpu", deterministic=True, **options).fit(small, init=back)
    assert np.isfinite(further.vectors_).all()
