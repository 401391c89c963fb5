"""The template and the files that come with the package are configurations that load."""

from __future__ import annotations

import importlib.resources
import itertools

import pytest

from nodeloom.config import Config, config_from_dict, load_config
from nodeloom.config.map_rules import map_notices
from nodeloom.config.maps import MapConfig
from nodeloom.config.notices import notices
from nodeloom.config.problems import key_paths
from nodeloom.config.template import template
from nodeloom.errors import ConfigError

BASELINES = sorted(
    (path for path in (importlib.resources.files("nodeloom") / "baselines").iterdir() if path.name.endswith(".yaml")),
    key=lambda path: path.name,
)
# config: (model, epochs, step, episode, dim), from GraphVite's table of hyperparameters
EXPECTED = {
    "deepwalk_flickr": ("DeepWalk", 2000, 1, 1000, 128),
    "deepwalk_friendster": ("DeepWalk", 2000, 2, 2500, 96),
    "deepwalk_friendster-small": ("DeepWalk", 2000, 1, 3500, 128),
    "deepwalk_hyperlink-pld": ("DeepWalk", 2000, 2, 5000, 128),
    "deepwalk_youtube": ("DeepWalk", 4000, 5, 500, 128),
    "line_flickr": ("LINE", 2000, 1, 1000, 128),
    "line_friendster": ("LINE", 2000, 2, 2500, 96),
    "line_friendster-small": ("LINE", 2000, 1, 3500, 128),
    "line_hyperlink-pld": ("LINE", 2000, 2, 5000, 128),
    "line_youtube": ("LINE", 4000, 5, 500, 128),
    "node2vec_youtube": ("node2vec", 4000, 5, 500, 128),
    "quick_start": ("LINE", 2000, 2, 500, 128),
}
# Of maps and words, whose data the package cannot fetch: (model, epochs, episode, dim).
OTHERS = {
    "largevis_imagenet": ("LargeVis", 50, 200, 2),
    "largevis_mnist_2d": ("LargeVis", 50, 200, 2),
    "largevis_mnist_3d": ("LargeVis", 50, 200, 3),
    "line_wikipedia": ("LINE", 80, 1000, 128),
}
# Of knowledge graphs, nodeloom's own: (model, epochs if they are said, dim).
TRIPLES = {
    "complex_fb15k237": ("ComplEx", 25, 2000),
    "quate_fb15k237": ("QuatE", 25, 1000),
    "rotate_fb15k237": ("RotatE", 50, 1000),
    "simple_fb15k237": ("SimplE", 20, 2000),
    "transe_fb15k237": ("TransE", 50, 500),
    "complex_wn18rr": ("ComplEx", 40, 2000),
    "distmult_wn18rr": ("DistMult", 30, 1000),
    "quate_wn18rr": ("QuatE", 40, 1000),
    "rotate_wn18rr": ("RotatE", "auto", 1000),
    "transe_wn18rr": ("TransE", 100, 500),
}
GRAPHS = [path for path in BASELINES if path.name.removesuffix(".yaml") not in {*OTHERS, *TRIPLES}]


def test_template_is_a_configuration_with_the_defaults(tmp_path):
    path = tmp_path / "graph.yaml"
    path.write_text(template("graph"))
    config = load_config(path)
    fresh = Config()
    for section in ("resource", "format", "build", "train", "load"):
        assert getattr(config, section) == getattr(fresh, section), section
    assert [task.task for task in config.evaluate] == ["node classification", "link prediction"]
    assert notices(config) == []


def test_template_of_word_graphs_has_their_defaults(tmp_path):
    path = tmp_path / "words.yaml"
    path.write_text(template("word graph"))
    config, short = (
        load_config(path),
        config_from_dict({"application": "word graph", "graph": {"file_name": "text.txt"}}),
    )
    assert (config.train, config.graph, config.evaluate) == (short.train, short.graph, ())
    assert (config.train.model, config.train.num_epoch, config.train.augmentation_step) == ("LINE", 80, 1)
    assert notices(config) == []


def test_template_of_a_map_is_a_configuration_with_the_defaults(tmp_path):
    path = tmp_path / "map.yaml"
    path.write_text(template("visualization"))
    config, fresh = load_config(path), MapConfig()
    for section in ("resource", "format", "build", "train", "load"):
        assert getattr(config, section) == getattr(fresh, section) or section == "resource", section
    assert config.resource.dim == 2 and config.graph.vector_file == "vectors.npy"
    assert [task.task for task in config.evaluate] == ["visualization"]
    assert map_notices(config) == []


def test_template_explains_every_key_it_has():
    lines = template().splitlines()
    keys = {path[-1] for path in key_paths(Config)}
    for before, line in itertools.pairwise(lines):
        key = line.strip().removeprefix("# ").removeprefix("- ").split(":")[0]
        if key in keys and key != "task" and not line.startswith("#"):
            assert before.strip().startswith("#"), line


def test_the_template_of_knowledge_graphs_is_valid(tmp_path):
    path = tmp_path / "knowledge_graph.yaml"
    path.write_text(template("knowledge graph"))
    config = load_config(path)
    assert (config.train.model, config.resource.dim, config.build.optimizer.type) == ("ComplEx", 256, "AdaGrad")
    assert config.graph.file_name == ("<wordnet-mini.train>",)
    assert config.evaluate[0].filter_files == ("<wordnet-mini.train>", "<wordnet-mini.valid>")


def test_template_of_no_application():
    with pytest.raises(ConfigError, match="'visualization' or 'knowledge graph', got 'music'"):
        template("music")


def test_all_baselines_are_there():
    assert {path.name.removesuffix(".yaml") for path in BASELINES} == {*EXPECTED, *OTHERS, *TRIPLES}


@pytest.mark.parametrize("name", TRIPLES)
def test_baselines_of_knowledge_graphs_say_what_to_expect(name):
    from nodeloom.datasets import DATASETS

    path = next(path for path in BASELINES if path.name == f"{name}.yaml")
    config = load_config(str(path))
    assert (config.train.model, config.train.num_epoch, config.resource.dim) == TRIPLES[name]
    assert config.save.file_name == f"{name}.safetensors"
    assert "# Source: " in path.read_text() and "# Expected on one H200" in path.read_text()
    (task,) = config.evaluate
    for reference in (*config.graph.file_name, task.file_name, *task.filter_files):
        data, split = reference.strip("<>").split(".")
        assert data == name.split("_")[1] and split in DATASETS[data].splits


@pytest.mark.parametrize("name", OTHERS)
def test_baselines_of_maps_and_words_are_valid(name):
    path = next(path for path in BASELINES if path.name == f"{name}.yaml")
    config = load_config(str(path))
    model, num_epoch, episode, dim = OTHERS[name]
    assert (config.train.model, config.train.num_epoch) == (model, num_epoch)
    assert (config.build.episode_size, config.resource.dim) == (episode, dim)
    text = path.read_text()
    assert "# Source: " in text and "ublished" in text and "NODELOOM_DATA" in text


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.name)
def test_baseline_is_valid_and_says_where_it_comes_from(path):
    name = path.name.removesuffix(".yaml")
    config = load_config(str(path))
    model, num_epoch, step, episode, dim = EXPECTED[name]
    assert config.train.model == model
    assert config.train.num_epoch == num_epoch
    assert config.train.augmentation_step == step
    assert config.build.episode_size == episode
    assert config.resource.dim == dim
    assert (config.build.optimizer.lr, config.build.optimizer.weight_decay) == (0.025, 0.005)
    assert (config.train.p, config.train.q) == ((4, 2) if model == "node2vec" else (1, 1))
    assert config.save.file_name == f"{name}.safetensors"
    assert config.evaluate
    text = path.read_text()
    assert "# Source: " in text
    assert "ublished" in text


@pytest.mark.parametrize("path", GRAPHS, ids=lambda path: path.name)
def test_references_of_a_baseline_are_registered(path):
    from nodeloom.datasets import DATASETS

    config = load_config(str(path))
    references = [*config.graph.file_name]
    for task in config.evaluate:
        references += [name for name in (task.file_name, getattr(task, "filter_file", None)) if name]
    for reference in references:
        name, split = reference.strip("<>").split(".")
        assert split in DATASETS[name].splits


# Written in the form of GraphVite's own files: these must load as they are.
OLD_FILES = {
    "node2vec": """
application:
  graph

resource:
  gpus: []
  cpu_per_gpu: auto
  dim: 128

graph:
  file_name: <youtube.train>
  as_undirected: true

build:
  optimizer:
    type: SGD
    lr: 0.025
    weight_decay: 0.005
  num_partition: auto
  num_negative: 1
  batch_size: 100000
  episode_size: 500

train:
  model: node2vec
  num_epoch: 4000
  negative_weight: 5
  augmentation_step: 5
  random_walk_length: 40
  random_walk_batch_size: 100
  p: 4
  q: 2
  log_frequency: 1000

evaluate:
  task: node classification
  file_name: <youtube.label>
  portions: [0.01, 0.02]
  times: 5

save:
  file_name: node2vec_youtube.pkl
""",
    "everything": """
application: graph
resource: {gpus: [0, 1], gpu_memory_limit: auto, cpu_per_gpu: 8, dim: 32}
format: {delimiters: " \\t\\r\\n", comment: "#"}
graph: {file_name: edges.txt, as_undirected: true, normalization: false}
build:
  optimizer: {type: Adam, lr: 0.001, weight_decay: 0, schedule: constant, beta1: 0.9, beta2: 0.999, epsilon: 1.0e-8}
  num_partition: 4
  num_negative: 2
  batch_size: 100000
  episode_size: auto
load: {file_name: graph.pkl}
train: {model: LINE, num_epoch: 10, resume: true, log_frequency: 100, positive_reuse: 2, negative_weight: 3,
        negative_sample_exponent: 0.5, augmentation_step: auto, random_walk_length: 40, random_walk_batch_size: 100,
        shuffle_base: auto, p: 1, q: 1}
evaluate:
  - {task: node classification, file_name: l.txt, portions: [0.1], normalization: true, times: 2, patience: 50}
  - {task: link prediction, file_name: test.txt, filter_file: train.txt}
save: {file_name: graph.pkl, save_hyperparameter: true}
""",
}


@pytest.mark.parametrize("name", OLD_FILES)
def test_files_of_graphvite_load_unchanged(name, tmp_path):
    path = tmp_path / "old.yaml"
    path.write_text(OLD_FILES[name])
    config = load_config(path)
    assert config.save.file_name.endswith(".pkl")
