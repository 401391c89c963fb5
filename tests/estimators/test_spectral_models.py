"""Propagation and ProNE as estimators, from files and from the command line; warm starts and the filter."""

from __future__ import annotations

import inspect
import json

import numpy as np
import pytest
from sklearn.base import clone

from nodeloom import DeepWalk, Graph, ProNE, Propagation, enhance, load
from nodeloom.cli.entry import run
from nodeloom.cli.pipeline import estimator_of
from nodeloom.config import config_from_dict
from nodeloom.errors import ConfigError, DataError, GraphError, MemoryLimitError, ModelError

BASE = {"dim": 8, "seed": 3, "device": "cpu"}
CHANGES = [
    (Propagation, {"dim": 9}),
    (Propagation, {"num_iteration": 4}),
    (Propagation, {"tolerance": 0.9}),
    (Propagation, {"degree_exponent": 0.4}),
    (Propagation, {"residual": 0.2}),
    (Propagation, {"whiten": False}),
    (Propagation, {"num_scale": 2}),
    (Propagation, {"row_length": 1.0}),
    (Propagation, {"seed": 4}),
    (ProNE, {"dim": 9}),
    (ProNE, {"theta": 0.8}),
    (ProNE, {"mu": 0.4}),
    (ProNE, {"num_term": 5}),
    (ProNE, {"num_negative": 5}),
    (ProNE, {"negative_sample_exponent": 0.5}),
    (ProNE, {"row_length": 1.0}),
    (ProNE, {"seed": 4}),
]
HOW = {"verbose", "num_thread", "deterministic", "device", "gpus", "gpu_memory_limit", "memory_limit"}
ON_ARCS = {"direction"}
MODELS = {Propagation: "propagation", ProNE: "ProNE"}
IDS = [f"{model.__name__} {key}={value}" for model, change in CHANGES for key, value in change.items()]


@pytest.fixture(scope="module")
def plain(graph):
    return {model: model(**BASE).fit(graph).vectors_ for model in MODELS}


def same(a, b):
    return a.shape == b.shape and bool((a == b).all())


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_tried_here(model):
    tried = {key for kind, change in CHANGES if kind is model for key in change} | HOW
    assert set(inspect.signature(model.__init__).parameters) - {"self"} - ON_ARCS == tried


@pytest.mark.parametrize(("model", "change"), CHANGES, ids=IDS)
def test_constructor_and_configuration(graph, plain, model, change):
    changed = model(**{**BASE, **change}).fit(graph).vectors_
    assert not same(changed, plain[model])
    tree = {
        "graph": {"edge_list": [["a", "b"]]},
        "train": {"model": MODELS[model].upper()},
        "resource": {},
        "build": {},
    }
    homes = {"dim": "resource", "device": "resource", "num_negative": "build"}
    for key, value in {**BASE, **change}.items():
        tree[homes.get(key, "train")][key] = value
    from_file = estimator_of(config_from_dict(tree))
    assert type(from_file) is model
    assert same(from_file.fit(graph).vectors_, changed)


def test_direction_acts_on_directed_graphs():
    arcs = Graph.from_edges(np.random.default_rng(0).integers(40, size=(200, 2)), directed=True)
    results = [Propagation(**BASE, direction=way).fit(arcs).vectors_ for way in ("both", "out", "in")]
    assert not any(same(results[i], results[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


@pytest.mark.parametrize("model", MODELS)
def test_threads_and_determinism_change_nothing(graph, plain, model):
    assert same(model(**BASE, num_thread=3).fit(graph).vectors_, plain[model])
    assert same(model(**BASE, num_thread=2, deterministic=True).fit(graph).vectors_, plain[model])


@pytest.mark.parametrize("model", MODELS)
def test_interface(graph, tmp_path, model):
    events = []

    class Watch:
        def on_train_begin(self, plan):
            events.append(plan.model)

        def on_pool_end(self, progress):
            events.append(progress.step)

        def on_train_end(self, report):
            events.append(report.num_step)

    fitted = model(**BASE).fit(graph, callbacks=[Watch()])
    assert events[0] == MODELS[model] and events[-1] == len(events) - 2 == len(fitted.history_)
    assert fitted.plan(graph).seconds > 0
    assert same(fitted.transform(["n5", "n2"]), fitted.vectors_[[5, 2]])
    assert fitted.nearest("n1", 3)[0][1] <= 1.0001
    scores = fitted.score_edges(["n0"], ["n1"])
    np.testing.assert_allclose(scores, fitted.vectors_[0] @ fitted.context_vectors_[1], rtol=1e-4)
    read = load(fitted.save(tmp_path / "m"))
    assert type(read) is model and read.get_params() == fitted.get_params()
    assert same(read.vectors_, fitted.vectors_) and same(read.context_vectors_, fitted.context_vectors_)
    assert not clone(fitted).__sklearn_is_fitted__()
    assert repr(model(residual=0.1) if model is Propagation else model(mu=0.1)).endswith("=0.1)")


@pytest.mark.parametrize("model", MODELS)
def test_memory_limit(graph, plain, model):
    need = model(**BASE).plan(graph).num_bytes
    assert same(model(**BASE, memory_limit=need).fit(graph).vectors_, plain[model])
    with pytest.raises(MemoryLimitError, match="raise memory_limit"):
        model(**BASE, memory_limit=need - 1).fit(graph)


def test_mistakes(graph):
    for bad in ({"residual": 1.0}, {"num_iteration": 0}, {"direction": "up"}, {"num_scale": 17}, {"row_length": 0}):
        with pytest.raises(ConfigError, match=f"Propagation.{next(iter(bad))}"):
            Propagation(**bad).fit(graph)
    with pytest.raises(ConfigError, match=r"ProNE\.mu"):
        ProNE(mu=3).fit(graph)
    with pytest.raises(GraphError, match=r"expected a nodeloom\.Graph"):
        ProNE().fit([[0, 1]])
    with pytest.raises(DataError):
        ProNE(**BASE).fit(graph).transform(["nobody"])


def edge_file(tmp_path):
    path = tmp_path / "e.txt"
    path.write_text("".join(f"{i} {(7 * i + k) % 60}\n" for i in range(60) for k in (1, 2)))
    return path


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--fast"], Propagation(dim=8, device="cpu")),
        (
            ["--model", "propagation", "--num-iteration", "5", "--no-whiten"],
            Propagation(8, num_iteration=5, whiten=False),
        ),
        (["--model", "prone", "--theta", "0.3", "--num-negative", "2"], ProNE(8, theta=0.3, num_negative=2)),
    ],
)
def test_command_line(tmp_path, capsys, options, expected):
    path = edge_file(tmp_path)
    command = ["embed", str(path), "-o", str(tmp_path / "m"), "--dim", "8", "--device", "cpu", "--json", *options]
    assert run(command) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["alternative"]["model"].startswith("DeepWalk")
    assert answer["training"]["num_step"] >= 1
    written = load(tmp_path / "m.safetensors")
    assert same(written.vectors_, expected.set_params(device="cpu").fit(Graph.from_file(path)).vectors_)


def test_fast_does_not_wait_for_kernels_of_a_training(tmp_path, capsys, monkeypatch):
    # Regression: the comparison compiled them, for five seconds beside one of work.
    monkeypatch.setenv("COLUMNS", "200")
    command = ["embed", str(edge_file(tmp_path)), "-o", str(tmp_path / "m"), "--dim", "8", "--device", "cpu", "--fast"]
    DeepWalk(8, device="cpu").plan(Graph.from_edges([[0, 1], [1, 2]]))  # compiled, or in the cache
    assert run(command) == 0
    assert "for the best scores of edges: about" in capsys.readouterr().out
    monkeypatch.setattr("nodeloom.engine.rates.tiles.is_compiled", lambda kernel, *arguments: False)
    monkeypatch.setattr("nodeloom.kernels.cpu.skipgram.train_walks", None)
    assert run(command) == 0
    assert "for the best scores of edges: not measured yet" in capsys.readouterr().out


def test_a_training_says_that_there_is_a_faster_way(tmp_path, capsys):
    command = ["embed", str(edge_file(tmp_path)), "-o", str(tmp_path / "m"), "--dim", "8", "--num-epoch", "2"]
    assert run([*command, "--device", "cpu"]) == 0
    assert "--fast (propagation)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fast", "--model", "LINE"], "--fast: expected no other --model"),
        (["--fast", "--resume"], "--resume: expected false, since --model is propagation"),
        (["--fast", "--init", "m.safetensors"], "--init: expected none, since --model is propagation"),
    ],
)
def test_what_does_not_go_together(tmp_path, capsys, options, message):
    assert run(["embed", str(edge_file(tmp_path)), "-o", str(tmp_path / "m"), *options]) != 0
    assert message in capsys.readouterr().err


def test_keys_of_other_models_are_noticed(tmp_path, capsys):
    command = ["embed", str(edge_file(tmp_path)), "-o", str(tmp_path / "m"), "--dim", "4", "--fast", "--device", "cpu"]
    assert run([*command, "--num-epoch", "3", "--theta", "0.1"]) == 0
    said = capsys.readouterr().err
    assert "--num-epoch has no effect" in said and "--theta has no effect" in said


# ------------------------------------------------------------------------------------------------- warm start


def test_warm_start(graph):
    options = {"dim": 8, "num_epoch": 3, "deterministic": True}
    cold = DeepWalk(**options).fit(graph)
    first = Propagation(dim=8, device="cpu")
    warm = DeepWalk(**options).fit(graph, init=first)
    assert not first.__sklearn_is_fitted__()  # what was handed in stays as it was
    again = DeepWalk(**options).fit(graph, init=first.fit(graph))
    assert same(warm.vectors_, again.vectors_) and same(warm.context_vectors_, again.context_vectors_)
    assert warm.report_["loss"] < cold.report_["loss"]
    with pytest.raises(ModelError, match="dim 8"):
        DeepWalk(**options).fit(graph, init=Propagation(dim=6, device="cpu"))


def test_start_is_scaled(graph):
    model = Propagation(dim=8, device="cpu", row_length=7.0).fit(graph)
    other = Propagation(dim=8, device="cpu", row_length=1.0).fit(graph)
    np.testing.assert_allclose(model.start().vectors_, other.start().vectors_, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.start().context_vectors_, other.start().context_vectors_, rtol=1e-4, atol=1e-6)
    long = model.start(3.0)
    np.testing.assert_allclose(np.linalg.norm(long.vectors_, axis=1), 3.0, rtol=1e-4)
    np.testing.assert_allclose(long.context_vectors_, 3 * model.start().context_vectors_, rtol=1e-4, atol=1e-6)
    DeepWalk(dim=8, num_epoch=1, device="cpu").fit(graph, init=long)
    with pytest.raises(ConfigError, match=r"start\.length: expected a number > 0"):
        model.start(0)


# ----------------------------------------------------------------------------------------------------- filter


@pytest.mark.parametrize(
    "model", [Propagation(dim=8, device="cpu"), DeepWalk(8, num_epoch=3, deterministic=True)], ids=repr
)
def test_enhance(graph, model):
    fitted = clone(model).fit(graph)
    before = fitted.vectors_.copy()
    better = enhance(fitted, graph)
    assert type(better) is type(fitted) and same(fitted.vectors_, before)
    assert not same(better.vectors_, before) and not same(better.context_vectors_, fitted.context_vectors_)
    np.testing.assert_allclose(np.linalg.norm(better.vectors_, axis=1), 2.0, rtol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(enhance(fitted, graph, row_length=0.5).vectors_, axis=1), 0.5, rtol=1e-4)
    assert better.nearest("n0", 2)
    # Edges are told from other pairs by their scores.
    heads, tails, _ = graph.edge_columns()
    scores = [np.sum(better.vectors_[heads] * better.context_vectors_[t], axis=1) for t in (tails, tails[::-1])]
    assert np.mean(scores[0]) > 2 * np.mean(scores[1])


def test_enhance_refuses(graph):
    fitted = Propagation(dim=4, device="cpu").fit(graph)
    with pytest.raises(ModelError, match="fitted model"):
        enhance(Propagation(), graph)
    with pytest.raises(ModelError, match="nodes of the model"):
        enhance(fitted, Graph.from_edges([[0, 1], [1, 2]]))
    with pytest.raises(ConfigError, match=r"enhance\.theta"):
        enhance(fitted, graph, theta=0)
    with pytest.raises(ConfigError, match=r"enhance\.num_term"):
        enhance(fitted, graph, num_term=1)
