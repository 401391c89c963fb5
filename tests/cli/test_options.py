"""Every key of the configuration that concerns training is an option, and its value arrives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.cli.options import config_of, options_of_config, words_of
from nodeloom.config import train_fields
from nodeloom.config.train import models_with
from nodeloom.errors import ConfigError
from nodeloom.words import in_words

EDGES = {"graph.file_name": ["edges.txt"]}
# a value other than the default for every option
OTHER = {
    "model": "LINE", "num_epoch": "7", "augmentation_step": "3", "random_walk_length": "9", "p": "0.5", "q": "2",
    "order": "both", "negative_weight": "2.5", "negative_sample_exponent": "0.5", "num_shared_negative": "8",
    "hub_threshold": "1e-4", "positive_reuse": "2", "seed": "5", "deterministic": True, "log_frequency": "10",
    "random_walk_batch_size": "50", "shuffle_base": "3", "optimizer": "adam", "lr": "1e-3", "weight_decay": "0",
    "schedule": "constant", "beta1": "0.8", "beta2": "0.99", "epsilon": "1e-6", "num_partition": "4",
    "num_negative": "2", "batch_size": "1000", "episode_size": "5", "delimiters": ",", "comment": "%",
    "encoding": "latin-1", "normalization": True, "weighted": False, "duplicates": "keep", "self_loops": "drop",
    "columns": "source, target", "format": "edges", "dim": "64", "device": "cuda:1", "table_dtype": "bf16", "sampler": "host",
    "gpus": "2, 0", "gpu_memory_limit": "1000000", "memory_limit": "2000000", "num_thread": "1", "num_worker": "2",
    "parallelism": "model", "worker_tables": "split", "max_restart": "3", "worker_timeout": "9.5", "init": "old.safetensors",
    "num_iteration": "9", "tolerance": "0.01", "degree_exponent": "0.3", "residual": "0.1", "whiten": False,
    "direction": "out", "num_scale": "2", "row_length": "3", "theta": "0.4", "mu": "0.1", "num_term": "6",
    "window": "3", "min_count": "9", "checkpoint": "c.safetensors", "checkpoint_interval": "5", "momentum": "0.8", "alpha": "0.9",
    "quotes": True, "literals": True, "triples_per_batch": "99", "bernoulli": True, "filter_negatives": True, "typed_negatives": True,
    "loss": "logistic", "margin": "3", "adversarial_temperature": "0.5", "l3_regularization": "0.01", "dura_regularization": "0.02",
    "distance": "L2", "relation_lr_multiplier": "0.5", "adagrad_state": "row", "validation_metric": "mr", "validation_side": "tail",
    "validation_interval": "3", "patience": "2", "validation": "valid.tsv", "sample_batch_size": "77",
}  # fmt: skip


def _value(config, path):
    for part in path:
        config = getattr(config, part)
    return config


def test_every_option_is_tried_here():
    assert {option.parameter for option in options_of_config()} == set(OTHER)


def test_every_key_of_training_has_an_option():
    names = {option.parameter for option in options_of_config()}
    assert set(train_fields()) - {"resume"} <= names


@pytest.mark.parametrize("option", options_of_config(), ids=lambda option: option.flag)
def test_the_value_of_an_option_arrives(option):
    given_options = {option.parameter: OTHER[option.parameter]}
    if option.path[0] == "train" and option.parameter not in ("model", "hub_threshold"):
        given_options["model"] = models_with(option.parameter)[0]
    if option.parameter in ("momentum", "alpha", "epsilon", "beta1", "beta2"):
        given_options["optimizer"] = {"momentum": "Momentum", "alpha": "RMSprop"}.get(option.parameter, "Adam")
    config = config_of(given_options, EDGES)
    changed, default = _value(config, option.path), option.field.default
    assert changed != default
    expected = OTHER[option.parameter]
    if isinstance(changed, (int, float)) and not isinstance(changed, bool):
        assert changed == float(expected)
    elif option.parameter == "columns":
        assert changed == ("source", "target")
    elif option.parameter == "validation":
        assert changed == ("valid.tsv",)
    elif option.parameter == "gpus":
        assert changed == (2, 0)
    else:
        assert str(changed).lower() == str(expected).lower()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dim": "0"}, "--dim: expected an integer >= 1 and <= 65536, got 0."),
        ({"dim": "wide"}, "--dim: expected an integer >= 1 and <= 65536, got 'wide'."),
        ({"dim": "null"}, "--dim: expected an integer >= 1 and <= 65536, got 'null'."),
        ({"dim": "[1, 2"}, "--dim: expected an integer"),
        ({"p": "0"}, "--p: expected a number >= 1e-06 and <= 1000000, got 0."),
        ({"q": "-1"}, "--q: expected a number >= 1e-06 and <= 1000000, got -1."),
        (
            {"augmentation_step": "9", "random_walk_length": "4"},
            "--augmentation-step: expected at most --random-walk-length (4)",
        ),
        (
            {"model": "glove"},
            "--model: expected 'DeepWalk' or 'LINE' or 'node2vec' or 'propagation' or 'ProNE' or 'TransE' or 'DistMult'",
        ),
        ({"optimizer": "SGD", "momentum": "0.8"}, "--momentum: expected no such key for SGD"),
        ({"order": "1"}, "--order: expected 2, since --model is DeepWalk"),
        ({"device": "gpu"}, "--device: expected 'auto' or 'cpu' or 'cuda' or 'cuda:N', N being"),
        (
            {"device": "cuda", "deterministic": True},
            "--device: expected 'auto' or 'cpu', since --deterministic is set",
        ),
        ({"gpus": "first"}, "--gpus: expected a list, each item an integer >= 0, got 'first'"),
        ({"encoding": "klingon"}, "--encoding: expected an encoding of text that Python knows"),
    ],
)
def test_errors_name_the_option(options, message):
    with pytest.raises(ConfigError) as caught:
        config_of(options, EDGES)
    assert in_words(caught.value.args[0], words_of(options_of_config(), {})).startswith(message)


def test_text_is_taken_as_it_is():
    config = config_of({"comment": "#", "delimiters": "\\t|", "checkpoint": "5"}, EDGES)
    assert config.format.comment == "#"
    assert config.format.delimiters == "\t|"
    assert config.save.checkpoint == "5"


@given(st.integers(0, 2**63 - 1), st.floats(1e-6, 1e6))
def test_numbers_survive_as_text(seed, p):
    config = config_of({"seed": str(seed), "p": repr(p)}, EDGES)
    assert config.train.seed == seed
    assert config.train.p == p
