"""Maps at the limits: very many points or columns, copies, Ctrl-C in every stage, a full disk, settings that let a map grow."""

from __future__ import annotations

import errno
import os
import signal
import threading

import numpy as np
import pytest
from map_cases import blobs, make
from scipy.spatial import cKDTree

from nodeloom import Graph
from nodeloom.errors import ConfigError, DataError, MemoryLimitError, OutputError
from nodeloom.estimators.fitted import NotFittedError
from nodeloom.graph.neighbors import NeighborGraph
from nodeloom.tasks import graph_map_quality


def test_a_thousand_copies_of_each_row():
    y = make(num_iteration=150).fit_transform(np.repeat(np.random.default_rng(0).normal(size=(5, 6)), 1000, axis=0))
    assert np.isfinite(y).all()
    row = np.arange(5000) // 1000
    assert (row[cKDTree(y).query(y, 15)[1]] == row[:, None]).mean() > 0.99


def test_twenty_thousand_columns_of_a_file(tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 20_000)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert np.array_equal(make().fit_transform(mapped), make().fit_transform(x))
    assert np.isfinite(make().fit_transform(np.column_stack([np.ones(40), x[:, 0]]))).all()


def test_ten_groups_far_apart_stay_whole_and_near():
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(10, 1, 5)) * 1e4 + rng.normal(size=(10, 40, 5))).reshape(400, 5)
    y = make().fit_transform(x)
    group = np.arange(400) // 40
    assert (group[cKDTree(y).query(y, 15)[1]] == group[:, None]).all()
    wide = np.mean([np.ptp(y[group == g]) for g in range(10)])
    assert np.ptp(y) < 20 * wide


def test_one_neighbor_each():
    x = blobs(60)[0]
    assert np.isfinite(make().fit_transform(NeighborGraph.of(x, 1))).all()
    assert np.isfinite(make(num_neighbor=1, perplexity=1).fit_transform(x)).all()


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), 1e-300, 1e300])
def test_weights_that_cannot_be(weight):
    with pytest.raises(DataError, match=r"weights: expected positive, finite weights, got .* in row 7"):
        make().fit(Graph.from_edges([[i, (i + 1) % 8] for i in range(8)], weights=[1.0] * 7 + [weight]))


@pytest.mark.slow
def test_a_path_of_a_hundred_thousand_nodes():
    count = 100_000
    graph = Graph.from_edges(np.column_stack([np.arange(count - 1), np.arange(1, count)]))
    y = make().fit_transform(graph)
    assert np.isfinite(y).all() and len(np.unique(y, axis=0)) == count
    scores = graph_map_quality(y, graph).scores
    assert scores["neighbor recall"] > 0.8 and scores["edge AUC"] > 0.99


@pytest.mark.slow
def test_a_thousand_components_and_nodes_without_edges(recwarn):
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 60, size=1000)
    first = np.concatenate([[0], np.cumsum(sizes)])
    edges = [(a + i, a + (i + 1) % s) for a, s in zip(first.tolist(), sizes.tolist(), strict=False) for i in range(s)]
    graph = Graph.from_edges([edge for edge in edges if edge[0] != edge[1]], num_nodes=int(first[-1]) + 500)
    y = make().fit_transform(graph)
    recwarn.clear()
    assert np.isfinite(y).all()
    nearest = cKDTree(y).query(y, 2)[0][:, 1]
    assert nearest.min() > 1e-3 * np.median(nearest)
    assert graph_map_quality(y, graph).scores["neighbor recall"] > 0.9
    middle = y[: first[-1]].mean(axis=0)
    assert np.linalg.norm(y - middle, axis=1).max() < 2 * np.linalg.norm(y[: first[-1]] - middle, axis=1).max()


@pytest.mark.slow
def test_a_million_points():
    from nodeloom import LargeVis

    x = np.random.default_rng(0).normal(size=(1_000_000, 4)).astype(np.float32)
    plan = make().plan(x)
    assert plan.num_bytes < 2e9 and plan.num_iteration > 700
    with pytest.raises(
        MemoryLimitError, match=r"expected at most 500 MB of memory, got .*neighbors .*Lower num_neighbor"
    ):
        make(memory_limit="500MB").fit(x)
    rows = np.arange(1_000_000)
    ids = (rows[:, None] + [-2, -1, 1, 2]) % 1_000_000
    near = NeighborGraph.from_arrays(ids, np.tile([2.0, 1, 1, 2], (1_000_000, 1)))
    for estimator in (make(num_iteration=20), LargeVis(num_epoch=1, num_thread=2, device="cpu", verbose=False)):
        y = estimator.fit_transform(near)
        assert y.shape == (1_000_000, 2) and np.isfinite(y).all()


def interrupted(after, work):
    """Return whether Ctrl-C, some seconds after the start, has ended the work."""
    timer = threading.Timer(after, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        timer.cancel()
        timer.join()
    return False


def test_ctrl_c_in_the_search_for_neighbors():
    x = np.random.default_rng(0).normal(size=(60_000, 60)).astype(np.float32)
    make(num_iteration=2).fit(x[:200])  # compiled
    model = make()
    assert interrupted(0.7, lambda: model.fit(x))
    with pytest.raises(NotFittedError):
        model.transform()
    assert model.fit(blobs()[0]).coordinates_.shape == (240, 2)


def test_ctrl_c_in_the_layout_keeps_the_map():
    near = NeighborGraph.of(blobs()[0], 15)

    class Interrupt:
        def on_pool_end(self, progress):
            if progress.step == 40:
                os.kill(os.getpid(), signal.SIGINT)

    model = make()
    with pytest.raises(KeyboardInterrupt, match="stopped after step 40 of 350") as caught:
        model.fit(near, callbacks=[Interrupt()])
    assert "keeps the coordinates so far" in caught.value.__notes__[0]
    assert model.partial_ and model.coordinates_.shape == (240, 2)


def test_less_memory_than_the_neighbors_take():
    with pytest.raises(MemoryLimitError, match=r"neighbors .*Lower num_neighbor, or raise memory_limit"):
        make(memory_limit="2MB").fit(np.random.default_rng(0).normal(size=(5000, 4)))


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    model = make(num_iteration=20).fit(blobs()[0])

    def full(*given, **more):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("nodeloom.io.atomic.os.replace", full)
    with pytest.raises(OutputError, match="No space left on device"):
        model.save(tmp_path / "map.safetensors")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_map_that_is_pushed_apart_for_long():
    y = make(exaggeration=0.1, perplexity=1, num_iteration=100_000).fit_transform(blobs(60)[0])
    assert np.isfinite(y).all()


@pytest.mark.parametrize("parameters", [{"num_iteration": 0}, {"exaggeration": 0}, {"dim": 1}, {"dim": 4}])
def test_settings_of_no_map(parameters):
    with pytest.raises(ConfigError, match=next(iter(parameters))):
        make(**parameters).fit(blobs()[0])
