"""Estimators as scikit-learn expects them: parameters, copies, pipelines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom import LINE, DeepWalk, Node2Vec, Propagation
from nodeloom.errors import ParameterError

MODELS = [DeepWalk, LINE, Node2Vec]


@pytest.mark.parametrize("model", MODELS)
def test_defaults_are_the_same_everywhere(model):
    # One schema: a model made by hand is the model of an empty configuration.
    from nodeloom.cli.pipeline import parameters_of
    from nodeloom.config import Config, train_config

    name = {"DeepWalk": "DeepWalk", "LINE": "LINE", "Node2Vec": "node2vec"}[model.__name__]
    defaults = parameters_of(Config(application="graph", train=train_config(model=name)))
    for key, value in model().get_params().items():
        if key == "optimizer":
            assert value == defaults[key]["type"]
        elif key not in (
            "verbose",
            "hub_threshold",
            "worker_tables",
        ):  # the command line shows progress by its own options; notices tell of the others
            assert value == defaults[key], key


@pytest.mark.parametrize("model", [*MODELS, Propagation])
def test_unknown_parameters(model):
    for use in (model, model().set_params):
        with pytest.raises(
            ParameterError, match=rf"{model.__name__}: .* 'size'\. Did you mean 'dim'\? There are dim, .*seed"
        ) as raised:
            use(seed=5, size=3)
        assert isinstance(raised.value, TypeError)
    with pytest.raises(TypeError):
        model(16, 100)  # only dim goes without a name


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("dims", "dim"),
        ("vector_size", "dim"),
        ("window", "augmentation_step"),
        ("walk_length", "random_walk_length"),
        ("epochs", "num_epoch"),
        ("learning_rate", "lr"),
        ("workers", "num_thread"),
        ("random_state", "seed"),
        ("num_epoc", "num_epoch"),
        ("xyzzy", None),
    ],
)
def test_words_of_other_libraries(word, meant):
    with pytest.raises(ParameterError, match="Did you mean") if meant else pytest.raises(ParameterError) as raised:
        DeepWalk(**{word: 1})
    assert (f"Did you mean {meant!r}?" in str(raised.value)) == bool(meant)


def test_a_word_for_what_another_model_has_gets_no_guess():
    # Regression: the command line suggested --whiten for --window.
    with pytest.raises(ParameterError) as raised:
        Propagation(window=5)
    assert "Did you mean" not in str(raised.value)


def test_repr_shows_what_differs():
    assert repr(DeepWalk()) == "DeepWalk()"
    assert repr(LINE(64, order="both", lr=0.5)) == "LINE(dim=64, order='both', lr=0.5)"
    assert repr(Node2Vec(p=1)) == "Node2Vec(p=1)"  # the type differs
    assert repr(DeepWalk(optimizer={"type": "Adam"})) == "DeepWalk(optimizer={'type': 'Adam'})"


@given(dim=st.integers(1, 1000), seed=st.integers(0, 2**62), p=st.floats(0.01, 100))
def test_repr_is_code(dim, seed, p):
    model = Node2Vec(dim=dim, seed=seed, p=p)
    again = eval(repr(model))
    assert again.get_params() == model.get_params()


@pytest.mark.parametrize("model", MODELS)
def test_clone(graph, model):
    from sklearn.base import clone

    schedule = lambda done, total: 1.0  # noqa: E731  any callable
    devices = {"device": "cpu", "gpus": [0, 1], "gpu_memory_limit": 10**9, "table_dtype": "bf16", "sampler": "host"}
    optimizer = {"type": "Adam", "beta1": 0.9}
    original = model(dim=8, num_epoch=5, optimizer=optimizer, schedule=schedule, **devices).fit(graph)
    twin = clone(original)
    assert type(twin) is model
    assert twin.get_params() == original.get_params()
    assert not hasattr(twin, "vectors_")
    assert hasattr(original, "vectors_")


def test_in_a_pipeline(graph):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = np.arange(graph.num_nodes) % 2
    pipeline = make_pipeline(DeepWalk(dim=8, num_epoch=20), StandardScaler(), LogisticRegression())
    predicted = pipeline.fit(graph, labels).predict(graph)
    assert predicted.shape == (graph.num_nodes,)
    assert pipeline.set_params(deepwalk__dim=4)[0].dim == 4


def test_is_fitted(graph):
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    model = DeepWalk(dim=4, num_epoch=1)
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    check_is_fitted(model.fit(graph))
