"""Every key alone: what is accepted, what is refused, and the sentence that says so."""

from __future__ import annotations

import re

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.config import (
    Config,
    OptimizerConfig,
    ResourceConfig,
    TrainConfig,
    check_training,
    train_config,
    validated,
)
from nodeloom.config.problems import allowed, key_paths
from nodeloom.errors import ConfigError


@pytest.mark.parametrize(
    ("model", "key", "value", "expected"),
    [
        (ResourceConfig, "dim", 0, "an integer >= 1 and <= 65536, got 0"),
        (ResourceConfig, "dim", True, "an integer >= 1 and <= 65536, got True"),
        (ResourceConfig, "dim", 1.5, "an integer >= 1 and <= 65536, got 1.5"),
        (ResourceConfig, "gpus", [0, -1], "a list, each item an integer >= 0, got -1"),
        (ResourceConfig, "gpus", 0, "a list, each item an integer >= 0, got 0"),
        (ResourceConfig, "num_thread", 0, "an integer >= 1 and <= 4096 or 'auto', got 0"),
        (ResourceConfig, "cpu_per_gpu", "all", "an integer >= 1 and <= 4096 or 'auto', got 'all'"),
        (
            ResourceConfig,
            "device",
            "gpu",
            "'auto' or 'cpu' or 'cuda' or 'cuda:N', N being the number of a GPU, got 'gpu'",
        ),
        (ResourceConfig, "device", "cuda:", "N being the number of a GPU, got 'cuda:'"),
        (ResourceConfig, "device", "cuda:-1", "N being the number of a GPU, got 'cuda:-1'"),
        (ResourceConfig, "device", "cuda:0,1", "N being the number of a GPU, got 'cuda:0,1'"),
        (ResourceConfig, "device", 0, "'auto' or 'cpu' or 'cuda' or 'cuda:N', got 0"),
        (ResourceConfig, "gpu_memory_limit", 0, "an integer >= 1 or 'auto', got 0"),
        (ResourceConfig, "memory_limit", "8 XB", "an integer >= 1 or 'auto', got '8 XB'"),
        (ResourceConfig, "table_dtype", "fp16", "'auto' or 'fp32' or 'bf16', got 'fp16'"),
        (ResourceConfig, "sampler", "gpu", "'auto' or 'device' or 'host', got 'gpu'"),
        (TrainConfig, "num_epoch", -1, "an integer >= 1 and <= 1000000000 or 'auto', got -1"),
        (TrainConfig, "p", 0, "a number >= 1e-06 and <= 1000000, got 0"),
        (TrainConfig, "q", -0.5, "a number >= 1e-06 and <= 1000000, got -0.5"),
        (TrainConfig, "p", float("nan"), "a number >= 1e-06 and <= 1000000, got nan"),
        (TrainConfig, "q", float("inf"), "a number >= 1e-06 and <= 1000000, got inf"),
        (TrainConfig, "augmentation_step", 0, "an integer >= 1 and <= 1000 or 'auto', got 0"),
        (TrainConfig, "negative_weight", 0, "a number > 0 and <= 1000000, got 0"),
        (TrainConfig, "hub_threshold", -1, "a number >= 0 or 'auto', got -1"),
        (TrainConfig, "order", 3, "1 or 2 or 'both', got 3"),
        (TrainConfig, "order", True, "1 or 2 or 'both', got True"),
        (TrainConfig, "seed", -1, "an integer >= 0"),
        (TrainConfig, "seed", 2**63, "an integer >= 0"),
        (TrainConfig, "deterministic", "maybe", "true or false, got 'maybe'"),
        (TrainConfig, "model", "DeepWlak", "Did you mean 'DeepWalk'?"),
        (OptimizerConfig, "type", "Adan", "Did you mean 'Adam'?"),
        (OptimizerConfig, "lr", 0, "a number > 0 or 'auto', got 0"),
        (OptimizerConfig, "momentum", 1, "a number >= 0 and < 1, got 1"),
        (OptimizerConfig, "schedule", "cosine", "'linear' or 'constant' or a function, got 'cosine'"),
    ],
)
def test_refused_values_name_the_key_and_what_is_allowed(model, key, value, expected):
    with pytest.raises(ConfigError) as caught:
        validated(model, {key: value}, "DeepWalk")
    message = str(caught.value)
    assert re.match(rf"DeepWalk\.{key}(\.\d+)?: expected", message)
    assert expected in message
    assert "\n" not in message


def test_unknown_key_suggests_the_near_miss_and_lists_the_known():
    with pytest.raises(ConfigError, match=r"DeepWalk\.num_epochs: unknown key\. Did you mean 'num_epoch'\?.*p, q"):
        validated(TrainConfig, {"num_epochs": 3}, "DeepWalk")


def test_key_of_another_section_is_sent_home():
    with pytest.raises(ConfigError, match=r"train\.num_negative: unknown key\. It belongs to 'build'"):
        validated(Config, {"train": {"num_negative": 3}})
    with pytest.raises(ConfigError, match=r"build\.lr: unknown key\. It belongs to 'build\.optimizer'"):
        validated(Config, {"build": {"lr": 3}})


def test_every_problem_is_told_not_only_the_first():
    with pytest.raises(ConfigError) as caught:
        validated(TrainConfig, {"num_epoch": 0, "p": 0, "sed": 1})
    assert len(str(caught.value).splitlines()) == 3


def test_auto_means_the_default_where_the_default_is_a_plain_value():
    assert validated(TrainConfig, {"positive_reuse": "auto"}).positive_reuse == 1
    assert validated(TrainConfig, {"augmentation_step": "auto"}).augmentation_step == "auto"
    assert validated(Config, {"build": {"optimizer": "auto"}}).build.optimizer == OptimizerConfig()


@pytest.mark.parametrize(
    ("short", "type_", "lr"),
    [("Adam", "Adam", "auto"), ("adagrad", "AdaGrad", "auto"), (0.01, "SGD", 0.01), ("auto", "SGD", "auto")],
)
def test_short_forms_of_the_optimizer(short, type_, lr):
    optimizer = validated(OptimizerConfig, short)
    assert (optimizer.type, optimizer.lr) == (type_, lr)


def test_schedule_may_be_a_function_and_is_written_as_its_name():
    def warm(done, total):
        return done / total

    optimizer = validated(OptimizerConfig, {"schedule": warm})
    assert optimizer.schedule is warm
    assert "warm" in optimizer.model_dump(mode="json")["schedule"]


def test_epsilon_has_the_default_of_its_optimizer():
    assert OptimizerConfig(type="AdaGrad").resolved_epsilon == 1e-10
    assert OptimizerConfig(type="Adam").resolved_epsilon == 1e-8
    assert OptimizerConfig(type="Adam", epsilon=1e-3).resolved_epsilon == 1e-3


def test_names_ignore_case():
    assert train_config(model="Node2Vec").model == "node2vec"
    assert train_config(model="line").model == "LINE"


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_names_of_devices(device):
    assert ResourceConfig(device=device).device == device
    assert ResourceConfig(device=f" {device.upper()}").device == device


def test_sections_are_frozen():
    with pytest.raises(pydantic.ValidationError):
        train_config().num_epoch = 3


def test_threads_come_from_either_key():
    assert ResourceConfig().threads == "auto"
    assert ResourceConfig(cpu_per_gpu=3).threads == 3
    assert ResourceConfig(cpu_per_gpu=3, num_thread=2).threads == 2


@pytest.mark.parametrize(
    ("train", "optimizer", "resource", "message"),
    [
        ({"augmentation_step": 5, "random_walk_length": 3}, {}, {}, r"augmentation_step: expected at most random_walk"),
        ({"order": 1}, {}, {}, r"order: expected 2, since model is DeepWalk, got 1"),
        ({"deterministic": True}, {}, {"num_thread": 2}, r"num_thread: expected 1 thread"),
        ({"deterministic": True}, {}, {"cpu_per_gpu": 2}, r"num_thread: expected 1 thread"),
        ({"deterministic": True}, {}, {"device": "cuda:1"}, r"device: expected 'auto' or 'cpu'.*, got 'cuda:1'"),
        (
            {},
            {},
            {"device": "cuda:1", "gpus": [0, 2]},
            r"device: expected .* among gpus \(cuda:0, cuda:2\), got 'cuda:1'",
        ),
        ({}, {"type": "SGD", "momentum": 0.5}, {}, r"momentum: expected no such key for SGD.*belongs to Momentum"),
        (
            {},
            {"type": "SGD", "momentum": 0.9},
            {},
            r"momentum: expected no such key for SGD",
        ),  # though it is the default
        ({}, {"type": "Adam", "alpha": 0.9}, {}, r"alpha: expected no such key for Adam.*belongs to RMSprop"),
    ],
)
def test_rules_between_keys(train, optimizer, resource, message):
    with pytest.raises(ConfigError, match=r"LINE\." + message):
        check_training(
            train=train_config(**train),
            optimizer=OptimizerConfig(**optimizer),
            resource=ResourceConfig(**resource),
            where="LINE",
        )


def test_rules_between_keys_hold_for_defaults_and_neighbours_of_the_bounds():
    check_training(train=train_config(), optimizer=OptimizerConfig(), resource=ResourceConfig())
    check_training(train=train_config(augmentation_step=5, random_walk_length=5))
    check_training(train=train_config(model="LINE", order="both"))
    check_training(train=train_config(deterministic=True), resource=ResourceConfig(num_thread=1))
    for device in ("auto", "cpu"):
        check_training(train=train_config(deterministic=True), resource=ResourceConfig(device=device, gpus=[1]))
    for device in ("cuda", "cuda:1"):
        check_training(train=train_config(), resource=ResourceConfig(device=device, gpus=[0, 1]))
    check_training(optimizer=OptimizerConfig(type="RMSprop", alpha=0.9, epsilon=1e-6))


def test_every_key_has_a_help_text_and_a_sentence_for_what_is_allowed():
    def sections(model):
        for name, field in model.model_fields.items():
            yield model, name, field
            for part in (field.annotation, *getattr(field.annotation, "__args__", ())):
                if isinstance(part, type) and issubclass(part, pydantic.BaseModel):
                    yield from sections(part)

    for model, name, field in sections(Config):
        assert field.description and field.description.endswith("."), (model, name)
        assert "typing" not in allowed(field.annotation, field.metadata), (model, name)
    assert len(list(key_paths(Config))) > 50


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "num_epoch": st.integers(1, 10**9),
            "augmentation_step": st.integers(1, 40) | st.just("auto"),
            "p": st.floats(1e-3, 1e3),
            "seed": st.integers(0, 2**63 - 1),
            "hub_threshold": st.floats(0, 1) | st.just("auto"),
            "model": st.sampled_from(["DeepWalk", "LINE", "node2vec"]),
        },
    )
)
def test_a_section_survives_the_way_through_json(values):
    section = train_config(**values)
    assert type(section).model_validate_json(section.model_dump_json()) == section
    assert validated(TrainConfig, section.model_dump()) == section


@pytest.mark.parametrize("key", ["memory_limit", "gpu_memory_limit"])
def test_sizes_may_have_a_unit(key):
    for value, expected in (("8GB", 8 * 10**9), ("1.5 GiB", 3 << 29), ("1000", 1000), (1000, 1000), ("auto", "auto")):
        assert getattr(ResourceConfig(**{key: value}), key) == expected
