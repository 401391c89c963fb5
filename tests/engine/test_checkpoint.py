"""Checkpoints: training that was stopped anywhere goes on to the very same vectors, or is refused with a reason."""

from __future__ import annotations

import errno
import itertools
import logging
import signal
from pathlib import Path

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.engine import checkpoint as checkpoint_module
from nodeloom.errors import ConfigError, ModelError, OutputError, TrainingError, TrainingInterrupted
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import read_model, write_model
from nodeloom.kernels.cpu import skipgram

MODELS = {
    "SGD": {},
    "SGD, padded rows": {"dim": 20},
    "Adam": {"optimizer": "Adam"},
    "Adam, padded rows": {"dim": 20, "optimizer": "Adam"},
    "order 1": {"model": "LINE", "order": 1, "dim": 20, "optimizer": "Momentum"},
    "both orders": {"model": "LINE", "order": "both", "dim": 32},
    "both orders, Adam, padded rows": {"model": "LINE", "order": "both", "dim": 20, "optimizer": "Adam"},
    "node2vec, short walks, reuse": {"model": "node2vec", "p": 0.5, "random_walk_length": 6, "positive_reuse": 2},
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "c.safetensors"


def stop_and_go(engine, graph, path, pool, *, action=None, init=None, **values):
    """Train until pool number `pool`, and go on from the checkpoint; None if the training was over before."""
    stop = engine.StopAt(pool, action)
    try:
        engine.train(graph, callbacks=[stop], init=init, checkpoint=path, **values)
    except TrainingInterrupted as interrupted:
        assert interrupted.checkpoint == path
        return engine.train(graph, checkpoint=path, resume=path, **values)
    assert stop.seen <= pool
    return None


@pytest.mark.parametrize("name", MODELS)
def test_stopped_at_any_pool(engine, graph, path, name):
    whole = engine.train(graph, **MODELS[name])
    for pool in itertools.count():
        resumed = stop_and_go(engine, graph, path, pool, **MODELS[name])
        if resumed is None:
            break
        assert engine.same(resumed, whole), f"pool {pool}"
        assert resumed.report.num_pair == whole.report.num_pair
        assert resumed.report.loss == whole.report.loss
    assert pool >= (30 if MODELS[name].get("order") == "both" else 15)


def test_stopped_again_and_again(engine, graph, path):
    values = {"model": "LINE", "order": "both", "dim": 20, "optimizer": "Adam"}
    whole = engine.train(graph, **values)
    options = {}
    for _ in range(100):
        try:
            resumed = engine.train(graph, callbacks=[engine.StopAt(2)], checkpoint=path, **options, **values)
            break
        except TrainingInterrupted:
            options = {"resume": path}
    assert engine.same(resumed, whole)


def test_warm_start_survives_in_the_parts_to_come(engine, graph, path):
    # Regression: after a stop in the first part, the second began with random values.
    values = {"model": "LINE", "order": "both", "dim": 20}
    first = engine.train(graph, seed=1, **values)

    class Model:
        vectors_, context_vectors_, graph_names_ = first.vertex, first.context, graph.names

    whole = engine.train(graph, init=Model, **values)
    assert not engine.same(whole, engine.train(graph, **values))
    for pool in (0, 5, 15, 16, 20):
        assert engine.same(stop_and_go(engine, graph, path, pool, init=Model, **values), whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("name", ["SGD", "Adam", "both orders"])
def test_signals(engine, graph, path, number, name):
    before = signal.getsignal(number)
    whole = engine.train(graph, **MODELS[name])
    for pool in (0, 7, 14):
        resumed = stop_and_go(engine, graph, path, pool, action=lambda: signal.raise_signal(number), **MODELS[name])
        assert engine.same(resumed, whole)
        assert signal.getsignal(number) == before


def test_messages_of_a_stop(engine, graph, path):
    stop = engine.StopAt(3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(TrainingInterrupted, match=rf"stopped at epoch \d+\.\d of 100; it can go on from {path}"):
        engine.train(graph, callbacks=[stop], checkpoint=path)
    stop = engine.StopAt(3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.raises(TrainingInterrupted, match="nothing was written, since no checkpoint was asked for") as caught:
        engine.train(graph, callbacks=[stop])
    assert caught.value.checkpoint is None


def test_every_interval(engine, graph, path):
    sizes = []

    class Watch:
        def on_pool_end(self, progress):
            sizes.append((progress.num_pair, read_model(path).state["num_pair"] if path.exists() else None))

    engine.train(graph, callbacks=[Watch()], checkpoint=path, checkpoint_interval=0)
    # After every pool but the last, each file holding the pool before.
    assert [saved for _, saved in sizes] == [None, *(done for done, _ in sizes[:-1])]
    sizes.clear()
    path.unlink()
    engine.train(graph, callbacks=[Watch()], checkpoint=path, checkpoint_interval=3600)
    assert not path.exists()


def test_a_finished_training_leaves_its_last_checkpoint(engine, graph, path, tmp_path):
    whole = engine.train(graph, checkpoint=path, checkpoint_interval=0)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert engine.same(engine.train(graph, resume=path), whole)


def test_threads_and_devices_may_change(engine, graph, path):
    with pytest.raises(TrainingInterrupted):
        engine.train(graph, callbacks=[engine.StopAt(4)], checkpoint=path, num_thread=1)
    tables = engine.train(graph, resume=path, num_thread=2, cpu_per_gpu=1, device="cpu", batch_size=10)
    assert np.isfinite(tables.vertex).all()


# ---------------------------------------------------------------------------------------------------- refusals


@pytest.fixture
def stopped(engine, graph, path):
    """A checkpoint of `graph` with the settings of the fixtures."""
    with pytest.raises(TrainingInterrupted):
        engine.train(graph, callbacks=[engine.StopAt(4)], checkpoint=path)
    return path


def test_another_graph(engine, graph, stopped):
    other = Graph.from_edges(np.column_stack(graph.edge_columns()[:2])[1:], num_nodes=graph.num_nodes)
    with pytest.raises(
        ModelError, match=r"c\.safetensors: expected the undirected graph .*1499 edges\).*give it as init"
    ):
        engine.train(other, resume=stopped)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 32}, "resource.dim was 16, is 32"),
        ({"num_epoch": 200}, "train.num_epoch was 100, is 200"),
        ({"optimizer": "Adam"}, "build.optimizer was "),
        ({"seed": 1}, "train.seed was 0, is 1"),
        ({"model": "LINE"}, "train.model was 'DeepWalk', is 'LINE'"),
        ({"num_thread": 1}, "train.deterministic was True, is False"),
    ],
)
def test_other_settings(engine, graph, stopped, changes, message):
    with pytest.raises(ConfigError) as caught:
        engine.train(graph, resume=stopped, **changes)
    assert message in str(caught.value)
    assert "Resume with the settings of the checkpoint" in str(caught.value)


@pytest.mark.parametrize("threshold", ["auto", 0, 0.01])
def test_a_checkpoint_of_the_version_that_weighed_hubs(engine, graph, stopped, threshold):
    data = read_model(stopped)
    data.config["train"]["hub_threshold"] = threshold
    write_model(stopped, data)
    if threshold != 0.01:
        assert np.isfinite(engine.train(graph, resume=stopped).vertex).all()
        return
    with pytest.raises(
        ConfigError, match=r"expected a checkpoint without hub_threshold, got 0\.01\. .*Give the file as init"
    ):
        engine.train(graph, resume=stopped)


def test_a_finished_model(engine, graph, stopped):
    data = read_model(stopped)
    write_model(
        stopped, ModelData.of_nodes(dict(data.tensors), data.names, data.config, {"finished": True}, data.graph)
    )
    with pytest.raises(
        ModelError, match=r"expected a checkpoint, got 'a finished model'\. To train further .* as init"
    ):
        engine.train(graph, resume=stopped)


@pytest.mark.parametrize("size", [0, 7, 100, -1000, -1])
def test_truncated_files(engine, graph, stopped, size):
    content = stopped.read_bytes()
    stopped.write_bytes(content[:size])
    with pytest.raises(ModelError, match=r"c\.safetensors"):
        engine.train(graph, resume=stopped)


def test_missing_files(engine, graph, path):
    with pytest.raises(ModelError, match=r"c\.safetensors"):
        engine.train(graph, resume=path)


def test_missing_moments(engine, graph, path):
    with pytest.raises(TrainingInterrupted):
        engine.train(graph, callbacks=[engine.StopAt(4)], checkpoint=path, optimizer="Adam")
    data = read_model(path)
    tensors = {name: tensor for name, tensor in data.tensors.items() if name != "context_moment2"}
    write_model(path, ModelData.of_nodes(tensors, data.names, data.config, data.state, data.graph))
    with pytest.raises(ModelError, match="expected a tensor 'context_moment2', as Adam needs"):
        engine.train(graph, resume=path, optimizer="Adam")


def test_init_and_resume_exclude_each_other(engine, graph, stopped):
    with pytest.raises(ConfigError, match="init, resume: expected at most one of them"):
        engine.train(graph, resume=stopped, init=object())


# -------------------------------------------------------------------------------------- where it cannot be written


class Begun:
    def on_train_begin(self, plan):
        raise AssertionError("training began")


@pytest.mark.parametrize("place", ["nowhere/c.safetensors", "file/c.safetensors", "."])
def test_unwritable_paths_are_told_before_training(engine, graph, tmp_path, place):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        engine.train(graph, checkpoint=tmp_path / place, callbacks=[Begun()])


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody may write to")
def test_forbidden_folders_are_told_before_training(engine, graph):
    with pytest.raises(OutputError, match="/proc/self/c"):
        engine.train(graph, checkpoint="/proc/self/c.safetensors", callbacks=[Begun()])


def test_a_full_disk_in_between_costs_a_checkpoint_not_the_training(engine, graph, path, monkeypatch, caplog):
    real, calls = checkpoint_module.write_model, []

    def full_at_times(*arguments):
        calls.append(1)
        if len(calls) in (2, 3):
            error = OutputError(f"{path}: disk full")
            error.errno = errno.ENOSPC
            raise error
        real(*arguments)

    monkeypatch.setattr(checkpoint_module, "write_model", full_at_times)
    with caplog.at_level(logging.WARNING, "nodeloom"):
        tables = engine.train(graph, checkpoint=path, checkpoint_interval=0)
    assert [record.message for record in caplog.records] == [
        f"no checkpoint was written, training goes on: {path}: disk full"
    ] * 2
    assert len(calls) > 10
    assert engine.same(tables, engine.train(graph))


def test_a_stop_that_cannot_be_written_says_so_and_keeps_the_file(engine, graph, stopped, monkeypatch):
    content = stopped.read_bytes()

    def full(*arguments):
        raise OutputError("disk full")

    monkeypatch.setattr(checkpoint_module, "write_model", full)
    with pytest.raises(OutputError, match="disk full"):
        engine.train(graph, checkpoint=stopped, resume=stopped, callbacks=[engine.StopAt(2)])
    assert stopped.read_bytes() == content


def test_diverged_tables_never_replace_a_good_checkpoint(engine, graph, stopped, monkeypatch):
    content = stopped.read_bytes()
    real = skipgram.train_walks

    def diverge(vertex, *arguments):
        pairs = real(vertex, *arguments)
        vertex[7, 3] = np.nan
        return pairs

    monkeypatch.setattr(skipgram, "train_walks", diverge)
    with pytest.raises(TrainingError, match="diverged at epoch"):
        engine.train(graph, checkpoint=stopped, resume=stopped, checkpoint_interval=0)
    assert stopped.read_bytes() == content
    with pytest.raises(TrainingError, match="diverged"):
        engine.train(graph, checkpoint=stopped, resume=stopped, callbacks=[engine.StopAt(1)])
    assert stopped.read_bytes() == content
