"""Every parameter reaches the place where it acts: from the constructor, from a file and from the command line."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import yaml

from nodeloom import LINE, DeepWalk, Graph, Node2Vec, load
from nodeloom.cli.entry import run
from nodeloom.cli.pipeline import estimator_of
from nodeloom.config import load_config
from nodeloom.engine.cpu import tiles
from nodeloom.errors import ConfigError, DeviceError

BASE = {"dim": 8, "num_epoch": 30, "deterministic": True, "augmentation_step": 3, "random_walk_length": 20, "seed": 3}

# For every parameter of every model values that change the vectors. Where BASE has a value, that is the other one.
CHANGES = [
    (DeepWalk, {"dim": 9}),
    (DeepWalk, {"num_epoch": 31}),
    (DeepWalk, {"augmentation_step": 2}),
    (DeepWalk, {"augmentation_step": "auto"}),
    (DeepWalk, {"random_walk_length": 19}),
    (DeepWalk, {"random_walk_length": "auto"}),
    (DeepWalk, {"num_negative": 2}),
    (DeepWalk, {"negative_weight": 4.0}),
    (DeepWalk, {"negative_sample_exponent": 0.5}),
    (DeepWalk, {"num_shared_negative": 7}),
    (DeepWalk, {"positive_reuse": 2}),
    (DeepWalk, {"optimizer": "Momentum"}),
    (DeepWalk, {"optimizer": "AdaGrad"}),
    (DeepWalk, {"optimizer": "RMSprop"}),
    (DeepWalk, {"optimizer": "Adam"}),
    (DeepWalk, {"lr": 0.02}),
    (DeepWalk, {"weight_decay": 0.01}),
    (DeepWalk, {"schedule": "constant"}),
    (DeepWalk, {"seed": 4}),
    (DeepWalk, {"num_partition": 2}),
    (LINE, {"order": 1}),
    (LINE, {"order": "both"}),
    (Node2Vec, {"p": 0.25}),
    (Node2Vec, {"q": 4.0}),
]
# Keys of an optimizer, against the same optimizer without them.
OPTIMIZERS = [
    {"type": "Momentum", "momentum": 0.5},
    {"type": "AdaGrad", "epsilon": 0.1},
    {"type": "RMSprop", "alpha": 0.5},
    {"type": "RMSprop", "epsilon": 0.1},
    {"type": "Adam", "beta1": 0.5},
    {"type": "Adam", "beta2": 0.5},
    {"type": "Adam", "epsilon": 0.1},
]
# These say how, not what: they are followed below.
HOW = {
    "num_thread", "deterministic", "device", "gpus", "gpu_memory_limit", "table_dtype", "sampler", "memory_limit", "num_worker",
    "parallelism", "worker_tables", "verbose", "hub_threshold",
}  # fmt: skip

MODELS = {DeepWalk: "DeepWalk", LINE: "LINE", Node2Vec: "node2vec"}
IDS = [f"{model.__name__} {key}={value}" for model, change in CHANGES for key, value in change.items()]


def vectors(model, graph):
    model.fit(graph)
    return np.concatenate([model.vectors_, model.context_vectors_], axis=1)


def same(a, b):
    return a.shape == b.shape and bool((a == b).all())


@pytest.fixture(scope="module")
def plain(graph):
    return {model: vectors(model(**BASE), graph) for model in MODELS}


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_tried_here(model):
    tried = {key for kind, change in CHANGES if issubclass(model, kind) for key in change} | HOW
    assert set(inspect.signature(model.__init__).parameters) - {"self"} == tried


@pytest.mark.parametrize(("model", "change"), CHANGES, ids=IDS)
def test_constructor(graph, plain, model, change):
    changed = vectors(model(**{**BASE, **change}), graph)
    assert not same(changed, plain[model])
    assert np.isfinite(changed).all()


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=lambda optimizer: " ".join(map(str, optimizer.values())))
def test_keys_of_optimizers(graph, optimizer):
    changed = vectors(DeepWalk(**BASE, optimizer=optimizer), graph)
    assert not same(changed, vectors(DeepWalk(**BASE, optimizer=optimizer["type"]), graph))


def config_of(path, model, change):
    """Write a configuration as a user would, and read it."""
    from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig

    tree = {"application": "graph", "train": {"model": MODELS[model]}, "build": {"optimizer": {}}, "resource": {}}
    tree["graph"] = {"edge_list": [["a", "b"]]}
    for key, value in {**BASE, **change}.items():
        if key == "optimizer":
            tree["build"]["optimizer"] |= value if isinstance(value, dict) else {"type": value}
        elif key in OptimizerConfig.model_fields:
            tree["build"]["optimizer"][key] = value
        elif key in BuildConfig.model_fields:
            tree["build"][key] = value
        elif key in ResourceConfig.model_fields:
            tree["resource"][key] = value
        else:
            tree["train"][key] = value
    path.write_text(yaml.safe_dump(tree))
    return load_config(path)


@pytest.mark.parametrize(
    ("model", "change"), [*CHANGES, *((DeepWalk, {"optimizer": optimizer}) for optimizer in OPTIMIZERS)]
)
def test_file(graph, tmp_path, model, change):
    from_file = estimator_of(config_of(tmp_path / "run.yaml", model, change))
    assert type(from_file) is model
    assert same(vectors(from_file, graph), vectors(model(**{**BASE, **change}), graph))


@pytest.mark.parametrize(
    ("model", "change"),
    [
        (
            DeepWalk,
            {
                "num_negative": 2, "negative_weight": 3.0, "negative_sample_exponent": 0.5, "num_shared_negative": 7,
                "positive_reuse": 2, "lr": 0.02, "weight_decay": 0.001, "schedule": "constant",
            },
        ),
        (DeepWalk, {"optimizer": {"type": "Adam", "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-6}}),
        (LINE, {"order": "both", "optimizer": {"type": "Momentum", "momentum": 0.9}}),
        (Node2Vec, {"p": 0.25, "q": 4.0, "optimizer": {"type": "RMSprop", "alpha": 0.9}}),
    ],
)  # fmt: skip
def test_command_line(tmp_path, capsys, model, change):
    (tmp_path / "e.txt").write_text("".join(f"{i} {(7 * i + k) % 60}\n" for i in range(60) for k in (1, 2)))
    options = ["--model", MODELS[model]]
    flat = {**BASE, **change}
    optimizer = flat.pop("optimizer", {})
    flat |= {"optimizer" if key == "type" else key: value for key, value in optimizer.items()}
    for key, value in flat.items():
        options += [f"--{key.replace('_', '-')}", *([] if value is True else [str(value)])]
    code = run(["embed", str(tmp_path / "e.txt"), "-o", str(tmp_path / "m"), "--quiet", *options])
    assert code == 0, capsys.readouterr().err
    written = load(tmp_path / "m.safetensors")
    expected = vectors(model(**{**BASE, **change}), Graph.from_file(tmp_path / "e.txt"))
    assert same(np.concatenate([written.vectors_, written.context_vectors_], axis=1), expected)


# ------------------------------------------------------------------------------------------ those that say how


def test_num_thread_and_deterministic(graph, monkeypatch):
    seen = []
    real = tiles.ThreadPoolExecutor
    monkeypatch.setattr(
        tiles, "ThreadPoolExecutor", lambda count, **options: seen.append(count) or real(count, **options)
    )
    for options in (
        {"num_thread": 3},
        {"num_thread": 1},
        {"deterministic": True},
        {"deterministic": True, "num_thread": 1},
    ):
        DeepWalk(dim=4, num_epoch=1, **options).fit(graph)
    assert seen == [3, 1, 1, 1]
    with pytest.raises(ConfigError, match=r"num_thread: expected 1 thread, since deterministic is set"):
        DeepWalk(num_thread=2, deterministic=True).fit(graph)


def test_the_hub_threshold_of_the_version_before_is_told_and_ignored(graph, tmp_path, capsys, caplog):
    expected = vectors(DeepWalk(**BASE), graph)
    assert same(vectors(DeepWalk(**BASE, hub_threshold=0), graph), expected)  # what it is now, so not a word
    assert caplog.text == ""
    assert same(vectors(DeepWalk(**BASE, hub_threshold=0.01), graph), expected)
    assert "hub_threshold has no effect any more" in caplog.text
    (tmp_path / "e.txt").write_text("0 1\n1 2\n2 0\n")
    code = run(
        ["embed", str(tmp_path / "e.txt"), "-o", str(tmp_path / "m"), "--num-epoch", "1", "--hub-threshold", "0.1"]
    )
    said = capsys.readouterr().err
    assert code == 0 and said.count("has no effect any more") == 1 and "--hub-threshold has no effect any more" in said


# Values other than the defaults that say on which device, and how there.
ON_DEVICES = {
    "device": "cuda:1", "gpus": (1, 2), "gpu_memory_limit": 10**9, "table_dtype": "bf16", "sampler": "host", "memory_limit": 10**9,
}  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("key", ON_DEVICES)
def test_keys_of_devices_reach_the_engine(graph, tmp_path, monkeypatch, model, key):
    seen = []

    class EnoughError(Exception):
        pass

    def make_plan(graph, settings, transport):
        seen.append(settings.resource)
        raise EnoughError

    monkeypatch.setattr("nodeloom.engine.make_plan", make_plan)
    change = {key: ON_DEVICES[key]}
    from_file = estimator_of(
        config_of(tmp_path / "run.yaml", model, {key: _plain(ON_DEVICES[key]), "deterministic": False})
    )
    for estimator in (model(**change), from_file):
        for use in (estimator.plan, estimator.fit):
            with pytest.raises(EnoughError):
                use(graph)
    assert [getattr(resource, key) for resource in seen] == [ON_DEVICES[key]] * 4


def _plain(value):
    return list(value) if isinstance(value, tuple) else value


@pytest.mark.parametrize("change", [{}, *({key: value} for key, value in ON_DEVICES.items() if key != "device")])
def test_on_the_cpu_they_change_nothing(graph, plain, change):
    assert same(vectors(DeepWalk(**BASE, device="cpu", **change), graph), plain[DeepWalk])


def test_a_gpu_that_is_not_there_is_refused(graph, monkeypatch):
    from nodeloom.engine import device

    monkeypatch.setattr(device, "_has_driver", lambda: False)
    model = DeepWalk(device="cuda", dim=4, num_epoch=1)
    for use in (model.fit, model.plan):
        with pytest.raises(
            DeviceError, match=r"device: expected a GPU that can be used, got 'cuda'\. Reason: there is no"
        ):
            use(graph)
    assert len(DeepWalk(dim=4, num_epoch=1).fit(graph)) == graph.num_nodes
    with pytest.raises(ConfigError, match=r"DeepWalk\.device: expected 'auto' or 'cpu', since deterministic is set"):
        DeepWalk(**BASE, device="cuda").fit(graph)


def test_num_worker_needs_torchrun(graph):
    for use in (DeepWalk(num_worker=2).fit, LINE(num_worker=2).plan, Node2Vec(num_worker=2).fit):
        with pytest.raises(ConfigError, match=r"num_worker: expected 1 or 'auto' in a program .* torchrun .*, got 2"):
            use(graph)
    assert same(vectors(DeepWalk(**BASE, num_worker=1), graph), vectors(DeepWalk(**BASE), graph))


# --------------------------------------------------------------------------------------------------- identities


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (DeepWalk(num_negative=2, negative_weight=2.5), DeepWalk(num_negative=1, negative_weight=5.0)),
        (DeepWalk(), LINE()),
        (DeepWalk(), Node2Vec()),
        (DeepWalk(optimizer="adam"), DeepWalk(optimizer={"type": "Adam"})),
        (DeepWalk(optimizer="Adam", lr=0.01), DeepWalk(optimizer={"type": "Adam", "lr": 0.01})),
        (DeepWalk(schedule="constant"), DeepWalk(schedule=lambda done, total: 1.0)),
        (DeepWalk(schedule="constant"), DeepWalk(optimizer={"type": "SGD", "schedule": "constant"})),
    ],
)
def test_two_ways_to_say_the_same(graph, one, other):
    for model in (one, other):
        model.set_params(**BASE)
    assert same(vectors(one, graph), vectors(other, graph))


@pytest.mark.parametrize("key", ["lr", "weight_decay", "schedule"])
def test_contradictions_are_refused(graph, key):
    # Regression: the key beside the mapping was dropped without a word.
    values = {"lr": (0.1, 0.2), "weight_decay": (0.1, 0.2), "schedule": ("linear", "constant")}[key]
    model = DeepWalk(optimizer={"type": "SGD", key: values[0]}, **{key: values[1]})
    with pytest.raises(ConfigError, match=rf"DeepWalk\.{key}: expected that of optimizer"):
        model.fit(graph)
    DeepWalk(optimizer={"type": "SGD", key: values[1]}, **{key: values[1]}, dim=2, num_epoch=1).fit(graph)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dim": 0}, "DeepWalk.dim: "),
        ({"dim": 1.5}, "DeepWalk.dim: "),
        ({"dim": True}, "DeepWalk.dim: "),
        ({"num_epoch": 0}, "DeepWalk.num_epoch: "),
        ({"augmentation_step": 5, "random_walk_length": 4}, "augmentation_step: expected at most"),
        ({"lr": -1.0}, "DeepWalk.*lr: "),
        ({"lr": float("nan")}, "DeepWalk.*lr: "),
        ({"optimizer": "sgdd"}, "DeepWalk.*type: "),
        ({"optimizer": 0.1}, "DeepWalk.*type: "),
        ({"optimizer": {"type": "SGD", "momentum": 0.5}}, "momentum: expected no such key for SGD"),
        ({"optimizer": {"type": "SGD", "speed": 1}}, "speed"),
        ({"schedule": "cosine"}, "DeepWalk.*schedule: "),
        ({"seed": -1}, "DeepWalk.seed: "),
        ({"negative_weight": 0}, "DeepWalk.negative_weight: "),
        ({"positive_reuse": 0}, "DeepWalk.positive_reuse: "),
        ({"device": "gpu"}, "DeepWalk.device: expected 'auto' or 'cpu' or 'cuda' or 'cuda:N'"),
        ({"gpus": 1}, "DeepWalk.gpus: expected a list, each item an integer >= 0, got 1"),
        (
            {"gpus": (0,), "device": "cuda:1"},
            r"DeepWalk.device: expected a device among gpus \(cuda:0\), got 'cuda:1'",
        ),
        ({"gpu_memory_limit": "8 XB"}, "DeepWalk.gpu_memory_limit: "),
        ({"memory_limit": "much"}, "DeepWalk.memory_limit: "),
        ({"table_dtype": "float16"}, "DeepWalk.table_dtype: "),
        ({"sampler": "cpu"}, "DeepWalk.sampler: "),
        ({"num_worker": 0}, "DeepWalk.num_worker: expected an integer >= 1 and <= 4096 or 'auto', got 0"),
        ({"parallelism": "whole"}, "DeepWalk.parallelism: expected 'auto' or 'data' or 'model', got 'whole'"),
        ({"worker_tables": []}, "DeepWalk.worker_tables: expected 'auto' or 'copies' or 'split', got "),
        (
            {"parallelism": "data", "worker_tables": "split"},
            "DeepWalk.worker_tables: expected no such key beside parallelism='data', got 'split'",
        ),
    ],
)
def test_bad_values_name_the_parameter(graph, parameters, message):
    model = DeepWalk(**parameters)  # kept as given until it is used, as scikit-learn wants it
    for use in (model.fit, model.plan):
        with pytest.raises(ConfigError, match=message):
            use(graph)


@pytest.mark.parametrize(("model", "values"), [(Node2Vec, {"p": 0}), (Node2Vec, {"q": -1.0}), (LINE, {"order": 3})])
def test_bad_values_of_models(graph, model, values):
    with pytest.raises(ConfigError, match=rf"{model.__name__}\.{next(iter(values))}: "):
        model(**values).fit(graph)
