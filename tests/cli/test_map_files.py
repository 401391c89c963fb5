"""GraphVite's files for maps run unchanged, and every key acts or is told."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import load
from nodeloom.cli.mapping import _parameters, normalized
from nodeloom.config import load_config
from nodeloom.config.map_rules import map_notices

# GraphVite's config/visualization/largevis_mnist_2d.yaml, with fewer neighbors and epochs, and a page.
MNIST = """\
application:
  visualization

resource:
  gpus: [0]
  cpu_per_gpu: auto
  dim: 2

graph:
  vectors: <mnist.image_data>
  num_neighbor: 20
  perplexity: 10

build:
  optimizer:
    type: Adam
    lr: 0.5
    weight_decay: 1.0e-5
  num_partition: auto
  num_negative: 5
  batch_size: 100000
  episode_size: 200

train:
  model: LargeVis
  num_epoch: 2
  negative_weight: 3
  log_frequency: 1000

evaluate:
  task: visualization
  Y: <mnist.label_data>
  save_file: mnist_2d.html

save:
  file_name: largevis_mnist_2d.pkl
"""
VECTORS = np.random.default_rng(0).normal(size=(60, 7)).astype(np.float32) * [1, 2, 3, 4, 5, 6, 0]
CLASSES = np.arange(60) % 3


@pytest.fixture
def here(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    np.save(folder / "mnist_image_data.npy", VECTORS)
    np.save(folder / "mnist_label_data.npy", CLASSES)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(cli, here, monkeypatch):
    def call(text, *arguments):
        monkeypatch.setenv("NODELOOM_DATA", str(here / "data"))
        (here / "map.yaml").write_text(text)
        return cli("run", "map.yaml", "--device", "cpu", *arguments)

    return call


def test_the_file_of_mnist_runs_unchanged(run, here):
    answer = run(MNIST)
    assert answer.code == 0, answer.err
    model = load("largevis_mnist_2d.safetensors")
    made = model.get_params()
    assert model.coordinates_.shape == (60, 2)
    assert [made[key] for key in ("num_neighbor", "perplexity", "num_epoch", "num_negative", "negative_weight")] == [
        20,
        10,
        2,
        5,
        3,
    ]
    assert '"2"' in (here / "mnist_2d.html").read_text()  # the names of classes
    for told in ("build.optimizer has no effect but for SGD", "build.episode_size has no effect"):
        assert told in answer.err
    assert "log_frequency" not in answer.err and "batch_size" not in answer.err
    np.testing.assert_allclose(model._vectors, normalized(VECTORS))
    np.save(here / "data" / "mnist" / "mnist_image_data.npy", VECTORS[:50])
    assert "expected a label for each of 50 points, got '60 labels'" in run(MNIST).err


def test_normalized_columns_are_those_of_graphvite():
    expected = np.zeros(VECTORS.shape)
    for column in range(6):
        values = VECTORS[:, column].astype(np.float64) - VECTORS[:, column].mean(dtype=np.float64)
        expected[:, column] = values / np.abs(values).max()
    np.testing.assert_allclose(normalized(VECTORS), expected, atol=1e-6)
    assert normalized(VECTORS.astype(np.float16)).dtype == np.float32


def test_a_text_of_vectors_with_comments_and_labels_beside_it(run, here):
    lines = ["# three columns", *(" ".join(f"{x:.3f}" for x in row[:3]) for row in VECTORS), ""]
    (here / "v.txt").write_text("\n".join(lines))
    (here / "l.txt").write_text("# labels\n" + "\n".join(f"c{c} # {c}" for c in CLASSES))
    text = "application: visualization\ngraph: {vector_file: v.txt, num_neighbor: auto, perplexity: auto}\n"
    text += "train: {model: TSNE, num_iteration: 20}\n"
    answer = run(text + "evaluate: [{task: visualization, file_name: l.txt, save_file: m.csv}]\nsave: {file_name: m}\n")
    assert answer.code == 0, answer.err
    rows = (here / "m.csv").read_text().splitlines()
    assert len(rows) == 61 and rows[1].endswith('"c0"')
    again = run(text.replace("train:", "load: {file_name: m.safetensors}\ntrain:") + "save: {file_name: n}\n")
    assert again.code == 0 and "the map is made of" not in again.err
    (here / "v.txt").write_text("1 2 3\n1 x 3\n")
    assert "v.txt:2: expected 3 numbers, got '1 x 3'" in run(text).err


def test_edges_make_a_map_too(run, here):
    edges = ", ".join(f"[{i}, {(i + 1) % 12}]" for i in range(12))
    answer = run(
        f"application: visualization\ngraph: {{edge_list: [{edges}], vector_normalization: false}}\n"
        "train: {num_epoch: 3, exaggeration: 2}\nevaluate: [{task: visualization}]\nsave: {file_name: ring}\n"
    )
    assert answer.code == 0, answer.err
    assert (here / "ring.html").exists() and "no save_file is given; the picture goes to ring.html" in answer.err
    assert "graph.vector_normalization has no effect: the map is made of a graph." in answer.err
    assert "train.exaggeration has no effect: the model is LargeVis." in answer.err


def test_moving_pictures(run, here):
    pytest.importorskip("matplotlib", reason="pictures need matplotlib")
    base = MNIST.replace("num_epoch: 2", "num_epoch: 1")
    head, tail = base[: base.index("evaluate:")], base[base.index("save:") :]
    (here / "h.txt").write_text("\n".join(f"all {'odd' if c % 2 else 'even'} c{c}" for c in CLASSES))
    task = "evaluate:\n  task: hierarchy\n  file_name: h.txt\n  target: c2\n  save_file: h.gif\n  figure_size: 2\n  duration: 0.1\n\n"
    answer = run(head + task + tail)
    assert answer.code == 0, answer.err
    turning = "evaluate:\n  task: animation\n  Y: <mnist.label_data>\n  save_file: t.gif\n  num_frame: 2\n  figure_size: 2\n  scale: 3\n\n"
    answer = run(head.replace("dim: 2", "dim: 3") + turning + tail)
    assert answer.code == 0, answer.err
    assert "scale has no effect" in answer.err
    assert all((here / name).read_bytes().startswith(b"GIF8") for name in ("h.gif", "t.gif"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("num_neighbor", 9), ("perplexity", 4), ("metric", "cosine"), ("num_negative", 2), ("train.num_epoch", 7), ("negative_weight", 7),
        ("seed", 5), ("dim", 3), ("num_thread", 1), ("device", "cpu"), ("memory_limit", 10**9), ("gpu_memory_limit", 10**9),
    ],
)  # fmt: skip
def test_the_value_of_a_key_arrives(here, key, value):
    (here / "map.yaml").write_text(MNIST)
    assert _parameters(load_config("map.yaml", [f"{key}={value}"]))[key.rpartition(".")[2]] == value


def test_the_rate_is_that_of_sgd_alone(here):
    (here / "map.yaml").write_text(MNIST)
    assert not {"lr", "schedule"} & _parameters(load_config("map.yaml")).keys()
    sgd = _parameters(load_config("map.yaml", ["build.optimizer.type=SGD", "schedule=constant"]))
    assert (sgd["lr"], sgd["schedule"]) == (0.5, "constant")
    told = map_notices(
        load_config("map.yaml", ["build.optimizer.type=SGD", "positive_reuse=2", "negative_sample_exponent=1"])
    )
    assert [sentence.split()[0] for sentence in told] == [
        "episode_size", "negative_sample_exponent", "positive_reuse", "weight_decay",
    ]  # fmt: skip
    tsne = _parameters(load_config("map.yaml", ["train.model=tsne", "exaggeration=2", "num_iteration=9"]))
    assert (tsne["exaggeration"], tsne["num_iteration"]) == (2, 9) and "lr" not in tsne


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("dim: 2", "dim: 128"), "map.yaml:7: resource.dim: expected 2 or 3"),
        (("  vectors: <mnist.image_data>\n", ""), "graph.vector_file: expected exactly one of vector_file, vectors"),
        (("perplexity: 10", "perplexity: 30"), "graph.perplexity: expected at most graph.num_neighbor (20), got 30"),
        (
            ("num_neighbor: 20", "num_neighbor: 99"),
            "graph.num_neighbor: expected at most 59, as the points allow, got 99",
        ),
        (("num_epoch: 2", "num_epoch: 2\n  resume: true"), "train.resume: expected false: a map has no checkpoint"),
        (
            ("task: visualization", "task: animation"),
            "expected a task for maps of 2 dimensions, got 'animation'. Give resource.dim: 3",
        ),
        (("task: visualization", "task: hierarchy"), "evaluate.Y: unknown key"),
        (("mnist_2d.html", "mnist_2d.xyz"), "mnist_2d.xyz: expected a file for a map"),
        (("largevis_mnist_2d.pkl", "m.txt"), "m.txt: expected a name for a map"),
        (("num_epoch: 2", "num_epoch: 2\n  augmentation_step: 2"), "train.augmentation_step: unknown key"),
        (("<mnist.image_data>", "none.npy"), "none.npy: expected a file of vectors"),
    ],
)
def test_mistakes_are_told_in_keys_before_anything_is_computed(run, here, change, message):
    answer = run(MNIST.replace(*change))
    assert answer.code == 2 and message in answer.err, answer.err
    assert not list(here.glob("*.safetensors"))


def test_visualize_of_graphvite_needs_no_output(cli, here):
    np.save(here / "v.npy", VECTORS)
    assert cli("visualize", "v.npy", "--perplexity", "5").code == 0
    assert (here / "v.html").exists()
