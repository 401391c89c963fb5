"""``evaluate`` of maps: the measures of ``tasks.maps``, whatever file the map is in, beside places dealt at random."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import TSNE, Graph
from nodeloom.tasks import graph_map_quality, map_quality

CLASSES = np.arange(120) % 4
VECTORS = (np.eye(4, 6)[CLASSES] * 9 + np.random.default_rng(0).normal(size=(120, 6))).astype(np.float32)
EDGES = [(i, i + 4) for i in range(116)] + [(i, (i * 7) % 120) for i in range(1, 120, 9)]


@pytest.fixture(scope="module")
def model():
    return TSNE(num_iteration=50, num_thread=1, device="cpu", verbose=False).fit(VECTORS)


@pytest.fixture
def here(tmp_path, monkeypatch, model):
    monkeypatch.chdir(tmp_path)
    model.save("map.safetensors")
    np.save("map.npy", model.coordinates_)
    np.save("vectors.npy", VECTORS)
    rows = (f"n{i},{x:.9g},{y:.9g}" for i, (x, y) in enumerate(model.coordinates_))
    (tmp_path / "map.csv").write_text("\n".join(["name,x,y", *rows]))
    (tmp_path / "edges.txt").write_text("\n".join(f"{u} {v}" for u, v in EDGES))
    (tmp_path / "named.txt").write_text("\n".join(f"n{u} n{v}" for u, v in EDGES))
    (tmp_path / "labels.txt").write_text("\n".join(f"c{c}" for c in CLASSES))
    return tmp_path


def metrics(answer):
    assert answer.code == 0, answer.err
    return [(one["metrics"], one.get("control")) for one in answer.json["evaluation"]]


def test_a_map_of_vectors(cli, here, model):
    right = map_quality(model.coordinates_, VECTORS, labels=CLASSES, seed=3)
    for arguments in (("map.safetensors",), ("map.npy", "--vectors", "vectors.npy")):
        ((scores, control),) = metrics(cli("evaluate", *arguments, "--labels", "labels.txt", "--seed", 3, "--json"))
        assert scores == pytest.approx(right.scores) and control == pytest.approx(right.control)
    answer = cli("evaluate", "map.safetensors", "--no-control")
    assert "recall@15" in answer.out and "at random" not in answer.out
    assert "places at random" in cli("evaluate", "map.safetensors").out


def test_a_map_of_a_graph(cli, here, model):
    right = graph_map_quality(model.coordinates_, Graph.from_edges(EDGES, num_nodes=120))
    for file, edges in (("map.npy", "edges.txt"), ("map.csv", "named.txt"), ("map.safetensors", "edges.txt")):
        ((scores, control),) = metrics(cli("evaluate", file, "--graph", edges, "--json"))
        assert scores == pytest.approx(right.scores) and control == pytest.approx(right.control), file
    both = metrics(cli("evaluate", "map.npy", "--graph", "edges.txt", "--vectors", "vectors.npy", "--json"))
    assert [sorted(scores) for scores, _ in both] == [
        ["edge AUC", "neighbor recall"],
        ["recall@15", "recall@50", "triplets", "trustworthiness@15"],
    ]


def test_visualize_writes_a_map_that_evaluate_reads(cli, here):
    answer = cli("visualize", "vectors.npy", "-o", "own.safetensors", "--perplexity", 5, "--device", "cpu")
    assert answer.code == 0, answer.err
    assert metrics(cli("evaluate", "own.safetensors", "--json"))[0][0]["recall@15"] > 0.3
    assert cli("visualize", "vectors.npy", "-o", "own.parquet", "--device", "cpu").code == 0
    assert metrics(cli("evaluate", "own.parquet", "--vectors", "vectors.npy", "--json"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("map.npy",), "map.npy: expected --vectors or --graph beside a map without vectors, got 'neither'"),
        (("map.npy", "--links", "edges.txt"), "--links: expected no such option for a map"),
        (("map.npy", "--vectors", "map.csv"), "map.csv"),
        (("vectors.npy", "--vectors", "vectors.npy"), "expected coordinates [N, 2] or [N, 3]"),
        (("map.npy", "--graph", "named.txt"), "expected edges between nodes of the model"),
        (("nothing.safetensors", "--vectors", "vectors.npy"), "--vectors: expected a map beside it"),
    ],
)
def test_what_does_not_fit_is_refused(cli, here, arguments, message):
    answer = cli("evaluate", *arguments)
    assert answer.code == 2 and message in answer.err, answer.err


def test_options_of_models_are_told(cli, here):
    answer = cli("evaluate", "map.safetensors", "--times", 3, "--C", 2)
    assert "--times has no effect: map.safetensors is a map." in answer.err and "--C has no effect" in answer.err
