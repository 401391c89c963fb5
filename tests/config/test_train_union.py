"""The section train as a union by model: each key belongs to the models it acts with, and one table says so to all."""

from __future__ import annotations

import inspect

import pytest

from nodeloom.cli.pipeline import parameters_of
from nodeloom.config import Config, NodeTrain, SpectralTrain, config_from_dict, train_config, train_fields
from nodeloom.config.notices import WITHOUT_EFFECT, notices
from nodeloom.config.train import KINDS, TrainSection, kind_of, models_with
from nodeloom.errors import ConfigError
from nodeloom.estimators.saved import MODELS as NODE_MODELS
from nodeloom.estimators.saved import TRIPLE_MODELS

MODELS = NODE_MODELS | TRIPLE_MODELS
FILE = {"graph": {"file_name": "e.txt"}}


def test_every_model_is_of_one_kind():
    assert {name for kind in KINDS for name in kind.models} == set(MODELS)
    for name in MODELS:
        kind = kind_of(name.upper())
        assert name in kind.models and train_config(model=name.lower()) == kind(model=name)
    for kind in KINDS:
        assert kind().model == kind.models[0]
        with pytest.raises(ValueError, match=f"one of {', '.join(kind.models)}"):
            kind(model=next(name for name in MODELS if name not in kind.models))
        assert kind.only_with.keys() <= kind.model_fields.keys() - TrainSection.model_fields.keys()


@pytest.mark.parametrize("name", MODELS)
def test_an_estimator_has_the_keys_that_act_with_its_model_and_their_defaults(name):
    own = {key for key in train_fields() if name in models_with(key)} - {
        "model",
        "resume",
        "log_frequency",
        "validation",
    }
    own -= {key for section, key in WITHOUT_EFFECT if section == "train" and key != "hub_threshold"}
    signature = inspect.signature(MODELS[name].__init__).parameters
    assert own == signature.keys() & train_fields().keys()
    defaults = parameters_of(Config(train=train_config(model=name)))
    for key in own - {"hub_threshold"}:
        assert signature[key].default == defaults[key], key


@pytest.mark.parametrize(
    ("train", "told"),
    [
        ({"model": "LINE", "num_iteration": 3}, ["num_iteration has no effect: the model is LINE."]),
        ({"num_iteration": "auto", "theta": 0.5, "whiten": None}, []),  # defaults
        ({"model": "ProNE", "num_epoch": 7}, ["num_epoch has no effect: the model is ProNE."]),
        ({"model": "ProNE", "whiten": False}, ["whiten has no effect: the model is ProNE."]),
        ({"model": "propagation", "negative_sample_exponent": 0.5}, ["negative_sample_exponent has no effect: the model is propagation."]),
        ({"model": "ProNE", "negative_sample_exponent": 0.5}, []),
        (
            {"model": "propagation", "p": 2},
            ["p and q have no effect: only node2vec walks are steered, and the model is propagation."],
        ),
        (
            {"model": "propagation", "shuffle_base": 2},
            ["shuffle_base has no effect: all pairs of a walk are trained together, so there is nothing to spread."],
        ),
    ],
)  # fmt: skip
def test_keys_of_other_models_are_noticed(train, told):
    config = config_from_dict(FILE | {"train": train})
    assert notices(config) == told
    assert config.train.model_copy(update={"resume": True}).foreign == config.train.foreign


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"model": "LINE", "theta": -1}, r"train\.theta: expected a number > 0, got -1\."),
        (
            {"model": "ProNE", "num_epoch": 0},
            r"train\.num_epoch: expected an integer >= 1 and <= 1000000000 or 'auto', got 0\.",
        ),
        ({"model": "ProNE", "order": 1}, r"train\.order: expected 2, since .* is ProNE, got 1"),
        (
            {"model": "ProNE", "num_term": 1, "mu": 3},
            r"train\.mu: .*\n.*train\.num_term: |train\.num_term: .*\n.*train\.mu: ",
        ),
        ({"model": "ProNE", "num_epok": 0}, r"train\.num_epok: unknown key\."),
        ({"model": "ProNE", "num_tern": 0}, r"train\.num_tern: unknown key\. Did you mean 'num_term'\?"),
        ({"model": "nrp"}, r"train\.model: expected 'DeepWalk' or .* or 'QuatE', got 'nrp'\."),
        ({"model": 3}, r"train\.model: expected 'DeepWalk' or .* or 'QuatE', got 3\."),
        (5, r"train: expected a group of keys, got 5\."),
    ],
)
def test_wrong_keys_are_named(train, message):
    with pytest.raises(ConfigError, match=message):
        config_from_dict(FILE | {"train": train})


def test_the_model_decides_the_class():
    assert isinstance(config_from_dict(FILE).train, NodeTrain)
    assert isinstance(config_from_dict(FILE | {"train": {"model": "PRONE"}}).train, SpectralTrain)
    assert isinstance(config_from_dict(FILE | {"train": train_config(model="ProNE")}).train, SpectralTrain)
