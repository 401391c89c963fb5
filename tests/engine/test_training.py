"""A training as its callbacks see it, and as it ends: with finite tables or with an error."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import json
import math
import threading
import weakref

import numpy as np
import pytest

from nodeloom import DeepWalk, Graph
from nodeloom.engine import training
from nodeloom.engine.tables import Tables
from nodeloom.errors import ConfigError, ModelError, TrainingError, TrainingInterrupted
from nodeloom.model.optimizer import LARGEST_VALUE


class Recorder:
    def __init__(self):
        self.events = []

    def on_train_begin(self, plan):
        self.events.append(("begin", plan))

    def on_pool_end(self, progress):
        self.events.append(("pool", progress))

    def on_train_end(self, report):
        self.events.append(("end", report))

    @property
    def pools(self):
        return [value for kind, value in self.events if kind == "pool"]


@pytest.mark.parametrize("order", [2, "both"])
def test_callbacks_are_told_in_order(engine, graph, order):
    recorder = Recorder()
    tables = engine.train(graph, callbacks=iter([recorder]), model="LINE", order=order)
    kinds = [kind for kind, _ in recorder.events]
    assert kinds == ["begin", *["pool"] * (len(kinds) - 2), "end"]
    plan, report = recorder.events[0][1], recorder.events[-1][1]
    pools = recorder.pools
    assert [p.num_pair for p in pools] == sorted({p.num_pair for p in pools})
    assert pools[-1].num_pair == pools[-1].total_pair == plan.total_pair
    assert {p.num_part for p in pools} == {len(plan.stages)}
    assert [p.part for p in pools] == sorted(p.part for p in pools)
    assert sum(p.part == 0 for p in pools) >= 15
    for p in pools:
        assert p.epoch > 0 and p.num_epoch == 100
        assert math.isfinite(p.loss) and 0 < p.lr <= plan.lr * 1.000001
        assert p.rate > 0 and p.seconds > 0 and p.seconds_left >= 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            p.loss = 0
    assert pools[-1].seconds_left == 0
    assert [p.seconds for p in pools] == sorted(p.seconds for p in pools)
    assert report == tables.report
    assert report.num_pair >= plan.total_pair
    assert report.seconds == pools[-1].seconds
    assert report.loss == pools[-1].loss
    assert report.num_thread == 1
    assert report.rate == pytest.approx(report.num_pair / report.seconds)
    assert report.peak_memory > 10_000_000
    json.dumps(report.to_dict(), allow_nan=False)


def test_history_is_about_a_hundred_points(engine, graph, monkeypatch):
    monkeypatch.setattr("nodeloom.plan.planner.TILES_PER_POOL", 1)
    recorder = Recorder()
    tables = engine.train(graph, callbacks=[recorder], num_epoch=300)
    assert len(recorder.pools) > 300
    assert 90 <= len(tables.history) <= 102
    assert tables.history[-1] == dataclasses.asdict(recorder.pools[-1])
    json.dumps(tables.history, allow_nan=False)


def test_a_pool_without_pairs_is_no_division_by_zero(engine):
    # Regression: the rate was 0 and the time left was divided by it.
    graph = Graph.from_edges([[0, 0], [1, 1], [0, 1]], weights=[1000.0, 1000.0, 1.0])
    recorder = Recorder()
    engine.train(graph, callbacks=[recorder], num_epoch=20)
    assert recorder.pools[0].num_pair == 0
    assert recorder.pools[0].seconds_left > 0


@pytest.mark.parametrize("event", ["on_train_begin", "on_pool_end", "on_train_end"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_errors_of_callbacks_reach_the_caller(engine, graph, event, error):
    class Bad:
        pass

    def fail(self, argument):
        raise error("on purpose")

    setattr(Bad, event, fail)
    with pytest.raises(error, match="on purpose"):
        engine.train(graph, callbacks=[Bad()])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("nodeloom")]


def test_a_callback_may_stop_a_training(engine, graph):
    with pytest.raises(TrainingInterrupted, match="enough") as caught:
        engine.train(graph, callbacks=[engine.StopAt(2)])
    assert caught.value.checkpoint is None


def test_a_stopped_training_keeps_no_memory(engine, graph, monkeypatch):
    # Regression: the error kept the frame that raised it, so the next plan found the GPU full until garbage was collected.
    stores, real = [], training.allocate

    def allocate(*arguments):
        store = real(*arguments)
        stores.append(weakref.ref(store))
        return store

    monkeypatch.setattr(training, "allocate", allocate)
    gc.collect()
    gc.disable()
    try:
        with contextlib.suppress(TrainingInterrupted):
            engine.train(graph, callbacks=[engine.StopAt(2)])
        assert [store() for store in stores] == [None]
    finally:
        gc.enable()


def test_a_schedule_may_fail_in_the_middle(engine, graph):
    with pytest.raises(ConfigError, match=r"schedule\(\d+, 150000\): expected a finite factor"):
        engine.train(graph, schedule=lambda done, total: 1.0 if done < total / 2 else math.nan)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_schedule_of_zero_changes_nothing(engine, graph, value):
    start = engine.train(graph, schedule=lambda done, total: 0.0)
    tables = engine.train(graph, schedule=lambda done, total: value)
    assert engine.same(tables, start) == (value == 0.0)
    assert not start.context.any()  # where it began


@pytest.mark.parametrize("optimizer", ["SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"])
@pytest.mark.parametrize("lr", [1.0, 10.0, 1e6, 1e39])
def test_too_large_a_rate_is_finite_vectors_or_an_error(engine, graph, optimizer, lr):
    for num_thread in (1, 2):
        try:
            tables = engine.train(graph, optimizer=optimizer, lr=lr, num_thread=num_thread)
        except TrainingError as error:
            assert str(error).startswith("training diverged at epoch ")
            assert f"({optimizer}). Lower lr (auto is safe)" in str(error)
        else:
            assert np.isfinite(tables.vertex).all()
            assert np.isfinite(tables.context).all()
            assert math.isfinite(tables.report.loss)


@pytest.mark.parametrize(
    "values", [{"negative_weight": 1e6}, {"weight_decay": 1e39}, {"weight_decay": 1e5}, {"num_negative": 10_000}]
)
def test_other_extremes_are_finite_vectors_or_an_error(engine, graph, values):
    try:
        tables = engine.train(graph, **values)
    except TrainingError:
        return
    assert np.isfinite(tables.vertex).all()
    assert np.isfinite(tables.context).all()


def test_sgd_bears_twenty_times_its_rate(engine, graph):
    tables = engine.train(graph, lr=0.2, num_epoch=1000)
    assert np.isfinite(tables.vertex).all()


def test_nan_in_a_table_without_a_nan_loss_is_found(engine, graph, monkeypatch):
    real = Tables.is_sound
    asked = []
    monkeypatch.setattr(Tables, "is_sound", lambda store: asked.append(real(store)) or False)
    with pytest.raises(TrainingError, match=r"diverged at epoch 100\.\d of 100"):
        engine.train(graph)
    assert asked == [True]


@pytest.mark.parametrize("values", [{}, {"num_partition": 2}], ids=["whole", "parts"])
def test_values_that_grow_without_end_are_divergence(engine, graph, values):
    # Regression: Momentum at lr 0.5 came to 1e14 and no error, since nothing was infinite yet.
    with pytest.raises(TrainingError, match=r"diverged at epoch .* at lr 0\.5 \(Momentum\)\. Lower lr"):
        engine.train(graph, optimizer="Momentum", lr=0.5, num_epoch=100, **values)


@pytest.mark.parametrize(("optimizer", "lr"), [("SGD", 1.0), ("AdaGrad", 1.0), ("RMSprop", 1.0), ("Adam", 1.0)])
@pytest.mark.parametrize("dim", [1, 16])
def test_rates_far_too_high_are_no_divergence_where_values_stay(engine, graph, optimizer, lr, dim):
    tables = engine.train(
        graph, optimizer=optimizer, lr=lr, num_epoch=300, dim=dim, negative_weight=1.0, weight_decay=0.0
    )
    assert np.abs(tables.vertex).max() < LARGEST_VALUE / 2


def test_first_values_that_are_too_large_are_refused(graph):
    first = DeepWalk(dim=8, num_epoch=1, num_thread=1).fit(graph)
    first.vectors_ = first.vectors_ * np.float32(1e5)
    with pytest.raises(
        ModelError, match=r"init: expected values of the vertex table up to 1000, got [0-9.e+]+\. Scale"
    ):
        DeepWalk(dim=8, num_epoch=1, num_thread=1).fit(graph, init=first)


def test_other_threads_may_train(engine, graph):
    expected, found = engine.train(graph), []
    threads = [threading.Thread(target=lambda: found.append(engine.train(graph))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 2
    assert all(engine.same(tables, expected) for tables in found)
