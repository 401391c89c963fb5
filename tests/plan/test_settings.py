"""Which keys may change between a checkpoint and the run that goes on from it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig, train_config, train_fields
from nodeloom.config.train import KINDS, NodeTrain, SpectralTrain
from nodeloom.engine import Settings
from nodeloom.plan.settings import differences

# Another valid value of every key, and whether the key decides what is trained.
OTHER = {
    ("train", "model"): ("LINE", True),
    ("train", "num_epoch"): (7, True),
    ("train", "augmentation_step"): (2, True),
    ("train", "random_walk_length"): (9, True),
    ("train", "p"): (0.5, True),
    ("train", "q"): (2.0, True),
    ("train", "order"): (1, True),
    ("train", "negative_weight"): (1.0, True),
    ("train", "negative_sample_exponent"): (0.5, True),
    ("train", "num_shared_negative"): (4, True),
    ("train", "hub_threshold"): (0.1, False),
    ("train", "positive_reuse"): (2, True),
    ("train", "seed"): (5, True),
    ("train", "deterministic"): (True, True),
    ("train", "num_iteration"): (3, True),
    ("train", "tolerance"): (0.5, True),
    ("train", "degree_exponent"): (0.5, True),
    ("train", "residual"): (0.25, True),
    ("train", "whiten"): (False, True),
    ("train", "direction"): ("out", True),
    ("train", "num_scale"): (2, True),
    ("train", "row_length"): (3.0, True),
    ("train", "theta"): (0.75, True),
    ("train", "mu"): (0.5, True),
    ("train", "num_term"): (4, True),
    ("train", "resume"): (True, False),
    ("train", "log_frequency"): (5, False),
    ("train", "random_walk_batch_size"): (5, False),
    ("train", "shuffle_base"): (5, False),
    ("train", "triples_per_batch"): (64, True),
    ("train", "bernoulli"): (True, True),
    ("train", "filter_negatives"): (True, True),
    ("train", "typed_negatives"): (True, True),
    ("train", "loss"): ("logistic", True),
    ("train", "margin"): (3.0, True),
    ("train", "adversarial_temperature"): (0.5, True),
    ("train", "l3_regularization"): (0.02, True),
    ("train", "dura_regularization"): (0.02, True),
    ("train", "distance"): ("L2", True),
    ("train", "relation_lr_multiplier"): (2.0, True),
    ("train", "adagrad_state"): ("row", True),
    ("train", "validation"): (("v.tsv",), True),
    ("train", "validation_metric"): ("mr", True),
    ("train", "validation_side"): ("head", True),
    ("train", "validation_interval"): (3, True),
    ("train", "patience"): (7, True),
    ("train", "sample_batch_size"): (9, False),
    ("build", "optimizer"): (OptimizerConfig(type="Adam"), True),
    ("build", "num_partition"): (4, False),
    ("build", "num_negative"): (2, True),
    ("build", "batch_size"): (10, False),
    ("build", "episode_size"): (10, False),
    ("resource", "gpus"): ((0,), False),
    ("resource", "gpu_memory_limit"): (1000, False),
    ("resource", "memory_limit"): (1000, False),
    ("resource", "cpu_per_gpu"): (2, False),
    ("resource", "num_thread"): (2, False),
    ("resource", "num_worker"): (2, False),
    ("resource", "parallelism"): ("model", False),
    ("resource", "worker_tables"): ("split", False),
    ("resource", "max_restart"): (2, False),
    ("resource", "worker_timeout"): (30.0, False),
    ("resource", "dim"): (64, True),
    ("resource", "device"): ("cpu", False),
    ("resource", "table_dtype"): ("bf16", False),
    ("resource", "sampler"): ("host", False),
}
SECTIONS = {"build": BuildConfig, "resource": ResourceConfig}


def keys_of(kind):
    return {(name, key) for name, section in (SECTIONS | {"train": kind}).items() for key in section.model_fields}


def built(changes=(), kind=NodeTrain):
    values = {"train": {"model": kind.models[0]}, **{name: {} for name in SECTIONS}}
    for section, key in changes:
        values[section][key] = kind.models[1] if key == "model" else OTHER[section, key][0]
    sections = {name: section(**values[name]) for name, section in SECTIONS.items()}
    return Settings(train=train_config(**values["train"]), **sections)


def through_json(settings):
    return json.loads(json.dumps(settings.to_dict()))


def test_every_key_is_judged_here():
    assert set(OTHER) == {("train", key) for key in train_fields()} | keys_of(NodeTrain)


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_exactly_the_deciding_keys_are_told(kind, data):
    changes = data.draw(st.sets(st.sampled_from(sorted(keys_of(kind)))))
    found = differences(through_json(built(kind=kind)), through_json(built(changes, kind)))
    deciding = [f"{section}.{key}" for section, key in changes if OTHER[section, key][1]]
    assert sorted(line.split(" was ")[0] for line in found) == sorted(deciding)
    assert differences(through_json(built(changes, kind)), built(changes, kind).to_dict()) == []


def test_keys_of_other_kinds_of_models_decide_nothing():
    saved = through_json(built())
    saved["train"] |= through_json(built([("train", "theta")], SpectralTrain))["train"] | saved["train"]
    assert saved["train"]["theta"] == 0.75  # as older files have them
    assert differences(saved, built().to_dict()) == []


def test_the_message_shows_both_values():
    assert differences(built().to_dict(), built([("resource", "dim")]).to_dict()) == ["resource.dim was 128, is 64"]


@pytest.mark.parametrize("saved", [{}, {"train": {}}])
def test_a_file_without_settings_differs(saved):
    assert differences(saved, built().to_dict())


def test_functions_are_told_apart_by_name():
    def one(done, total):
        return 1.0

    def two(done, total):
        return 1.0

    first, again, second = (
        Settings(train_config(), BuildConfig(optimizer=OptimizerConfig(schedule=f)), ResourceConfig()).to_dict()
        for f in (one, one, two)
    )
    assert differences(first, again) == []
    assert len(differences(first, second)) == 1
