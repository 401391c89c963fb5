"""What a fitted estimator answers."""

from __future__ import annotations

import copy
import ctypes

import numpy as np
import pytest

import nodeloom
from nodeloom import LINE, DeepWalk, Graph, Node2Vec
from nodeloom.errors import ConfigError, DataError, NodeloomError
from nodeloom.estimators.base import NotFittedError
from nodeloom.io.model_file import read_model


@pytest.fixture(scope="module")
def model(graph):
    return DeepWalk(dim=12, num_epoch=200, deterministic=True).fit(graph)


@pytest.mark.parametrize("kind", [DeepWalk, LINE, Node2Vec])
def test_shapes(graph, kind):
    model = kind(dim=5, num_epoch=3)
    assert model.fit(graph) is model
    for table in (model.vectors_, model.context_vectors_):
        assert table.shape == (300, 5)
        assert table.dtype == np.float32
        assert np.isfinite(table).all()
    assert model.graph_names_ == graph.names
    assert len(model) == 300
    assert set(model.report_) == {
        "seconds",
        "num_pair",
        "rate",
        "unit",
        "loss",
        "peak_memory",
        "device",
        "peak_device_memory",
        "num_worker",
        "sent_bytes",
        "num_sent",
        "waited_seconds",
        "num_thread",
    }
    assert model.history_[-1]["num_pair"] == 3 * graph.num_edges


def test_first_order_has_one_table(graph):
    model = LINE(dim=4, num_epoch=3, order=1).fit(graph)
    assert model.context_vectors_ is model.vectors_


def test_both_orders_are_joined(graph):
    both = LINE(dim=9, num_epoch=20, order="both", deterministic=True, seed=5).fit(graph)
    first = LINE(dim=4, num_epoch=20, order=1, deterministic=True, seed=5).fit(graph)
    assert (both.vectors_[:, :4] == first.vectors_).all()
    assert (both.context_vectors_[:, :4] == both.vectors_[:, :4]).all()
    assert not np.allclose(both.context_vectors_[:, 4:], both.vectors_[:, 4:])


def test_transform(graph, model):
    assert model.transform() is model.vectors_
    assert model.transform(graph) is model.vectors_
    assert (model.transform(["n3", "n0", "n3"]) == model.vectors_[[3, 0, 3]]).all()
    assert (model.transform(iter(["n3"])) == model.vectors_[[3]]).all()
    assert (model.transform(np.array(["n9", "n1"])) == model.vectors_[[9, 1]]).all()
    assert model.transform([]).shape == (0, 12)
    with pytest.raises(DataError, match=r"2 unknown names: 'x', 'y'"):
        model.transform(["n0", "x", "y"])


def test_transform_of_another_graph_goes_by_name(model):
    # Regression: it gave the vectors of the fitted graph, whatever graph was asked for.
    part = Graph.from_edges([[0, 1], [1, 2]], names=["n20", "n10", "n30"])
    assert (model.transform(part) == model.vectors_[[20, 10, 30]]).all()
    with pytest.raises(DataError, match="unknown name"):
        model.transform(Graph.from_edges([[0, 1]], names=["n20", "new"]))


def test_fit_transform(graph, tmp_path):
    model = DeepWalk(dim=4, num_epoch=2, deterministic=True)
    found = model.fit_transform(graph, None, checkpoint=tmp_path / "c.safetensors", checkpoint_interval=0)
    assert found is model.vectors_
    assert (tmp_path / "c.safetensors").exists()
    assert (found == DeepWalk(dim=4, num_epoch=2, deterministic=True).fit(graph).vectors_).all()


def test_by_name(model):
    assert (model["n7"] == model.vectors_[7]).all()
    assert "n7" in model
    for name in ("x", 7, None, ("n7",)):
        assert name not in model
        with pytest.raises(KeyError, match=r"x|7|None"):
            model[name]


def test_by_number():
    model = DeepWalk(dim=4, num_epoch=2).fit(Graph.from_edges([[0, 1], [1, 2]]))
    assert (model[2] == model.vectors_[2]).all()
    assert (model[np.int64(2)] == model.vectors_[2]).all()
    assert (model["2"] == model.vectors_[2]).all()  # as a label file writes it
    for name in (3, -1, "x", True, 1.0):
        with pytest.raises(KeyError):
            model[name]


@pytest.mark.parametrize("metric", ["cosine", "dot", "euclidean"])
def test_nearest(model, metric):
    found = model.nearest("n5", k=4, metric=metric)
    vectors = model.vectors_.astype(np.float64)
    scores = {
        "cosine": vectors @ vectors[5] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(vectors[5]),
        "dot": vectors @ vectors[5],
        "euclidean": np.linalg.norm(vectors - vectors[5], axis=1),
    }[metric]
    order = np.argsort(scores if metric == "euclidean" else -scores, kind="stable")
    expected = [node for node in order if node != 5][:4]
    assert [name for name, _ in found] == [f"n{node}" for node in expected]
    np.testing.assert_allclose([score for _, score in found], scores[expected], rtol=1e-4, atol=1e-6)
    assert all(type(score) is float for _, score in found)


def test_nearest_of_what_is_not_there(model):
    with pytest.raises(DataError, match="unknown name: 'x'"):
        model.nearest("x")
    with pytest.raises(ConfigError, match="metric"):
        model.nearest("n1", metric="hamming")
    with pytest.raises(ConfigError, match="k: "):
        model.nearest("n1", k=0)
    assert len(model.nearest("n1", k=10_000)) == 299


def test_score_edges(graph, model):
    heads, tails = ["n1", "n2", "n1"], ["n2", "n1", "n1"]
    expected = [model.vectors_[h] @ model.context_vectors_[t] for h, t in [(1, 2), (2, 1), (1, 1)]]
    np.testing.assert_allclose(model.score_edges(heads, tails), expected, rtol=1e-4)
    assert model.score_edges([], []).shape == (0,)
    with pytest.raises(DataError, match=r"score_edges: expected as many tails as heads \(3\), got 2"):
        model.score_edges(heads, tails[:2])
    with pytest.raises(DataError, match="unknown"):
        model.score_edges(["n1"], ["x"])
    # Edges score above pairs by chance.
    rows, columns, _ = graph.edge_columns()
    random = np.random.default_rng(0).integers(300, size=(2, 2000))
    name = np.array([f"n{i}" for i in range(300)])
    edges = model.score_edges(name[rows], name[columns])
    assert np.median(edges) > np.quantile(model.score_edges(name[random[0]], name[random[1]]), 0.9)


@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.transform(),
        lambda model: model.transform(["a"]),
        lambda model: model["a"],
        lambda model: "a" in model,
        lambda model: len(model),
        lambda model: model.nearest("a"),
        lambda model: model.score_edges(["a"], ["b"]),
        lambda model: model.save("m.safetensors"),
    ],
)
def test_not_fitted(ask, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NotFittedError, match=r"DeepWalk: not fitted yet. Call fit\(graph\) first.") as caught:
        ask(DeepWalk())
    assert isinstance(caught.value, NodeloomError)
    assert not list(tmp_path.iterdir())


def test_fit_again_replaces_everything(graph):
    model = DeepWalk(dim=4, num_epoch=2).fit(graph)
    model.set_params(dim=6).fit(Graph.from_edges([[0, 1], [1, 2]]))
    assert model.vectors_.shape == (3, 6)
    assert list(model.graph_names_) == [0, 1, 2]


def test_plan(graph):
    plan = DeepWalk(dim=12, num_epoch=200).plan(graph)
    assert plan.rate > 0 and plan.seconds > 0
    assert plan.total_pair == 200 * graph.num_edges
    assert {"memory", "time", "training"} <= dict(plan.rows()).keys()


# ------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    "model",
    [
        DeepWalk(dim=12, num_epoch=3, lr=0.5, num_shared_negative=4, schedule="constant"),
        DeepWalk(dim=12, num_epoch=3, optimizer={"type": "Adam", "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-6}),
        DeepWalk(dim=12, num_epoch=3, optimizer="Momentum", weight_decay=0.25, seed=2**62),
        LINE(dim=12, num_epoch=3, order=1, augmentation_step=1, negative_sample_exponent=-1.0),
        LINE(dim=12, num_epoch=3, order="both", positive_reuse=2, num_negative=3, negative_weight=0.5),
        Node2Vec(dim=12, num_epoch=3, p=0.25, q=4.0, deterministic=True, random_walk_length=7),
        DeepWalk(
            dim=12, num_epoch=3, device="cpu", gpus=(2, 1), gpu_memory_limit=10**9, table_dtype="bf16", sampler="host"
        ),
    ],
    ids=repr,
)
@pytest.mark.parametrize("mmap", [True, False])
def test_round_trip(graph, tmp_path, model, mmap):
    model = copy.copy(model).fit(graph)
    path = model.save(tmp_path / "m")
    assert path == tmp_path / "m.safetensors"
    again = nodeloom.load(path, mmap=mmap)
    assert type(again) is type(model)
    assert (again.vectors_ == model.vectors_).all()
    assert (again.context_vectors_ == model.context_vectors_).all()
    assert again.graph_names_ == model.graph_names_
    assert again.report_ == model.report_
    assert (model.context_vectors_ is model.vectors_) == (again.context_vectors_ is again.vectors_)
    assert (again["n17"] == model["n17"]).all()
    assert again.nearest("n17", 3) == model.nearest("n17", 3)
    assert again._settings() == model._settings()  # every parameter, "auto" too
    first, second = read_model(path), read_model(again.save(tmp_path / "again"))
    for part in ("names", "config", "state", "graph"):
        assert getattr(first, part) == getattr(second, part)


def test_functions_come_back_as_linear(graph, tmp_path):
    model = DeepWalk(dim=4, num_epoch=2, schedule=lambda done, total: 1.0).fit(graph)
    assert nodeloom.load(model.save(tmp_path / "m")).schedule == "linear"


def test_a_mapped_model_begins_another_training(graph, tmp_path):
    # From the very file that is then replaced.
    model = DeepWalk(dim=12, num_epoch=50, deterministic=True).fit(graph)
    expected = DeepWalk(dim=12, num_epoch=5, deterministic=True).fit(graph, init=model)
    path = model.save(tmp_path / "m")
    loaded = nodeloom.load(path)
    warm = DeepWalk(dim=12, num_epoch=5, deterministic=True).fit(graph, init=loaded)
    warm.save(path)
    assert (warm.vectors_ == expected.vectors_).all()
    assert (nodeloom.load(path).vectors_ == warm.vectors_).all()
    loaded.set_params(num_epoch=5).fit(graph, init=loaded)  # itself
    assert (loaded.vectors_ == expected.vectors_).all()


def test_libraries_may_write_to_a_loaded_model(graph, tmp_path):
    # Regression: faiss.normalize_L2 asks nobody whether it may write, and crashed the process.
    model = DeepWalk(dim=12, num_epoch=5).fit(graph)
    path = model.save(tmp_path / "m")
    before, loaded, other = path.read_bytes(), nodeloom.load(path), nodeloom.load(path)
    loaded.vectors_ /= np.linalg.norm(loaded.vectors_, axis=1, keepdims=True)
    ctypes.memset(loaded.context_vectors_.ctypes.data, 0, loaded.context_vectors_.nbytes)
    assert not loaded.context_vectors_.any()
    assert (other.vectors_ == model.vectors_).all() and (other.context_vectors_ == model.context_vectors_).all()
    assert path.read_bytes() == before
    graph.save(tmp_path / "g")
    opened = Graph.open(tmp_path / "g")
    ctypes.memset(opened.indices.ctypes.data, 0, 4)  # no array of a graph says that it may be written to, but it may
    assert Graph.open(tmp_path / "g").fingerprint() == graph.fingerprint()


def test_a_checkpoint_is_a_model_too(graph, tmp_path):
    path = tmp_path / "c.safetensors"
    DeepWalk(dim=12, num_epoch=50, optimizer="Adam").fit(graph, checkpoint=path, checkpoint_interval=0)
    model = nodeloom.load(path)
    assert model.optimizer == "Adam"
    assert model.vectors_.shape == (300, 12)
    assert model.nearest("n1", 2)


def test_save_checks_the_path(graph, model, tmp_path):
    from nodeloom.errors import OutputError

    for place in ("no/m", "m.txt"):
        with pytest.raises(OutputError):
            model.save(tmp_path / place)
    assert not list(tmp_path.iterdir())
