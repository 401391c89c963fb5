"""Files and overrides: every error names file, line, key path and what is allowed."""

from __future__ import annotations

import pytest

from nodeloom.config import Config, config_from_dict, load_config
from nodeloom.config.notices import notices
from nodeloom.errors import ConfigError
from nodeloom.words import of_yaml, spoken

MINIMAL = """\
application:
  graph

graph:
  file_name: edges.txt
"""


@pytest.fixture(autouse=True)
def yaml():
    """Messages as 'nodeloom run' gives them."""
    with spoken(of_yaml):
        yield


@pytest.fixture
def write(tmp_path):
    def write(text, name="run.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_minimal_file_gets_all_defaults(write):
    config = load_config(write(MINIMAL))
    assert config.graph.file_name == ("edges.txt",)
    assert config.train == Config().train
    assert config.evaluate == ()


def test_references_stay_as_they_are(write):
    config = load_config(write(MINIMAL.replace("edges.txt", "<youtube.graph>")))
    assert config.graph.file_name == ("<youtube.graph>",)


def test_empty_values_and_sections_are_as_good_as_absent(write):
    config = load_config(write(MINIMAL + "load:\nsave:\n  file_name:\nbuild:\n  optimizer:\n"))
    assert config.load.file_name is None
    assert config.save.file_name is None


def test_numbers_that_yaml_takes_for_text_are_numbers(write):
    # PyYAML reads 5e-5 as a string: YAML 1.1 wants a dot in it.
    config = load_config(write(MINIMAL + "build:\n  optimizer:\n    lr: 5e-5\n"))
    assert config.build.optimizer.lr == 5e-5


def test_evaluate_may_be_one_task_or_a_list(write):
    one = load_config(write(MINIMAL + "evaluate:\n  task: node classification\n  file_name: l.txt\n  portions: 0.5\n"))
    many = load_config(
        write(MINIMAL + "evaluate:\n  - {task: node classification, file_name: l.txt, portions: [0.5]}\n")
    )
    assert one == many
    assert one.evaluate[0].portions == (0.5,)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("train:\n  num_epch: 3\n", 7, "train.num_epch: unknown key. Did you mean 'num_epoch'?"),
        ("trian:\n  num_epoch: 3\n", 6, "trian: unknown key. Did you mean 'train'?"),
        ("resource:\n  dim: 0\n", 7, "resource.dim: expected an integer >= 1 and <= 65536, got 0."),
        ("train:\n  seed: 1\n\n  p: -1\n", 9, "train.p: expected a number >= 1e-06 and <= 1000000, got -1."),
        ("train:\n  augmentation_step: 9\n  random_walk_length: 4\n", 7, "train.augmentation_step: expected at most"),
        ("build:\n  optimizer:\n    typ: SGD\n", 8, "build.optimizer.typ: unknown key. Did you mean 'type'?"),
        ("build:\n  optimizer:\n    type: SGD\n    momentum: 0.5\n", 9, "build.optimizer.momentum: expected no such"),
        ("train: 3\n", 6, "train: expected a group of keys, got 3."),
        ("evaluate:\n  task: entity prediction\n", 7, "evaluate.task: expected 'node classification' or"),
        ("evaluate:\n  - file_name: x\n", 7, "evaluate.0.task: expected 'node classification' or"),
        ("evaluate:\n  - task: link prediction\n    file_name: x\n    times: 2\n", 9, "evaluate.0.times: unknown key"),
        ("evaluate:\n  - task: node classification\n    file_name:\n", 8, "evaluate.0.file_name: expected a label"),
        ("evaluate:\n  - task: link prediction\n", 7, "evaluate.0.file_name: expected exactly one of"),
        ("train:\n  resume: true\n", 7, "train.resume: expected a checkpoint"),
        ("train:\n  p: 1\n  p: 2\n", 8, "train.p: this key is given twice"),
        ("train:\n  p: 1\n q: 2\n", 8, "this is not YAML"),
        ("train:\n  p: [1\n", 8, "this is not YAML"),
        ("train:\n  p: !!python/name:os.system 1\n", 7, "this is not YAML"),
        ("train:\n  3: 1\n", 7, "expected a name as key, got 3"),
    ],
)
def test_errors_name_file_line_key_and_what_is_allowed(write, text, line, message):
    path = write(MINIMAL + text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"{path}:{line}: "), first
    assert message in first


def test_tasks_of_knowledge_graphs_are_named_as_such(write):
    with pytest.raises(ConfigError, match="That task belongs to the application knowledge graph"):
        load_config(write(MINIMAL + "evaluate:\n  task: entity prediction\n"))


def test_graph_needs_exactly_one_source(write):
    with pytest.raises(ConfigError, match=r"graph\.file_name: expected exactly one of"):
        load_config(write("application: graph\n"))
    with pytest.raises(ConfigError, match=r"run\.yaml:6: graph\.edge_list: expected exactly one of"):
        load_config(write(MINIMAL + "  edge_list: [[a, b]]\n"))


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "the file is empty"), (b"- a\n", "expected sections"), (b"\xff\xfe\x00", "not a text file in UTF-8")],
)
def test_files_that_are_no_configuration(write, content, message):
    with pytest.raises(ConfigError, match=message):
        load_config(write(content))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: there is no such file.*nodeloom list"):
        load_config(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="this is a folder"):
        load_config(tmp_path)


def test_byte_order_mark_and_windows_line_ends(write):
    assert load_config(write(b"\xef\xbb\xbf" + MINIMAL.replace("\n", "\r\n").encode())).graph.file_name == (
        "edges.txt",
    )


def test_overrides_are_typed_and_come_last(write):
    path = write(
        MINIMAL
        + "train:\n  num_epoch: 7\nbuild:\n  optimizer: auto\nevaluate:\n  task: link prediction\n  fraction: 0.1\n"
    )
    config = load_config(
        path,
        [
            "train.num_epoch=10",
            "dim=64",
            "build.optimizer.lr=1e-3",
            "evaluate.fraction=0.2",
            "graph.file_name=[a.txt, b.txt]",
            "deterministic=true",
            "graph.file_name=<x.y>",
        ],
    )
    assert config.train.num_epoch == 10
    assert config.resource.dim == 64
    assert config.build.optimizer.lr == 1e-3
    assert config.evaluate[0].fraction == 0.2
    assert config.train.deterministic is True
    assert config.graph.file_name == ("<x.y>",)


def test_override_of_a_task_that_stands_alone(write):
    path = write(MINIMAL + "evaluate:\n  task: node classification\n  file_name: x\n")
    assert load_config(path, ["evaluate.0.times=5"]).evaluate[0].times == 5


def test_override_of_a_task_in_a_list(write):
    path = write(MINIMAL + "evaluate:\n  - {task: node classification, file_name: l}\n")
    assert load_config(path, ["evaluate.0.times=4"]).evaluate[0].times == 4
    with pytest.raises(ConfigError, match="evaluate is a list of 1"):
        load_config(path, ["evaluate.1.times=4"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.num_epch=3", "--set train.num_epch=3: train.num_epch: unknown key. Did you mean 'num_epoch'?"),
        ("num_epch=3", "--set num_epch=3: unknown key 'num_epch'. Did you mean 'num_epoch'?"),
        ("dim=0", "--set dim=0: resource.dim: expected an integer >= 1"),
        ("dim", "--set dim: expected key=value"),
        ("=3", "--set =3: expected key=value"),
        ("file_name=x", "is in several sections: give graph.file_name or load.file_name or save.file_name"),
        ("random_walk_length=1", None),
    ],
)
def test_bad_overrides_name_themselves(write, override, message):
    path = write(MINIMAL + "train:\n  augmentation_step: 1\n")
    if message is None:
        assert load_config(path, [override]).train.random_walk_length == 1
        return
    with pytest.raises(ConfigError) as caught:
        load_config(path, [override])
    assert message in str(caught.value)


def test_values_in_memory_carry_the_names_of_the_options():
    values = {"graph": {"file_name": "e"}, "resource": {"dim": 0}}
    with pytest.raises(ConfigError, match=r"^--dim: expected an integer"):
        config_from_dict(values, places={"resource.dim": "--dim"})


def test_notices_name_what_has_no_effect_and_only_that(write):
    path = write(
        MINIMAL + "resource:\n  gpus: [0, 1]\n  cpu_per_gpu: 3\nbuild:\n  episode_size: 500\n  num_partition: auto\n"
        "train:\n  shuffle_base: 2\n  p: 4\n"
    )
    text = "\n".join(notices(load_config(path)))
    for key in ("resource.gpus", "build.episode_size", "train.shuffle_base", "train.p"):
        assert key in text
    for key in ("cpu_per_gpu", "num_partition", "random_walk_batch_size"):
        assert key not in text
    assert notices(load_config(write(MINIMAL, "other.yaml"))) == []


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"resource": {"gpus": [1], "table_dtype": "bf16", "sampler": "host", "gpu_memory_limit": 10**9}}, []),
        ({"resource": {"gpus": [], "table_dtype": "auto", "sampler": "auto", "device": "cpu"}}, []),
        ({"resource": {"device": "cpu", "gpus": [1]}}, ["resource.gpus has no effect: resource.device is cpu."]),
        (
            {"resource": {"device": "cpu", "table_dtype": "bf16", "sampler": "host", "gpu_memory_limit": 10**9}},
            [f"resource.{key} has no effect: resource.device is cpu." for key in ("gpu_memory_limit", "table_dtype", "sampler")],
        ),
        (
            {"resource": {"gpus": [0, 1]}, "train": {"deterministic": True}},
            ["resource.gpus has no effect: train.deterministic trains on the CPU."],
        ),
        (
            {"resource": {"gpus": [2, 0], "device": "cuda"}},
            [
                "resource.gpus names 2 GPUs, of which the first that can be used is trained on: several workers "
                "(resource.num_worker) take them in turn."
            ],
        ),
        ({"resource": {"gpus": [2, 0], "device": "cuda:2"}}, []),
        ({"train": {"hub_threshold": 0}}, []),
        (
            {"train": {"hub_threshold": 0.01, "model": "ProNE"}},
            [
                "train.hub_threshold has no effect any more: all pairs count in full, since weights of hubs cost up to 0.2 of the AUC of "
                "edges. Leave it out: the next version does not know it."
            ],
        ),
        ({"resource": {"gpus": [2, 0], "device": "cuda", "num_worker": 2}}, []),
        ({"resource": {"num_worker": 2, "parallelism": "model"}}, []),
        (
            {"resource": {"num_worker": 2, "worker_tables": "split"}},
            [
                "resource.worker_tables is called parallelism now: give resource.parallelism: model. The next version does not know the "
                "old name."
            ],
        ),
    ],
)  # fmt: skip
def test_notices_about_gpus(sections, told):
    assert notices(config_from_dict({"graph": {"file_name": "e.txt"}, **sections})) == told
