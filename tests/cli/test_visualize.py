"""``nodeloom visualize``: what it takes, what it refuses before anything is computed."""

from __future__ import annotations

import numpy as np
import pytest

import nodeloom


@pytest.fixture
def vectors(tmp_path):
    random = np.random.default_rng(0)
    path = tmp_path / "vectors.npy"
    groups = random.normal(size=(3, 6))[np.arange(60) % 3]
    np.save(path, (groups * 9 + random.normal(size=(60, 6))).astype(np.float32))
    return path


@pytest.fixture
def no_map(monkeypatch):
    monkeypatch.setattr(nodeloom.TSNE, "fit", lambda self, *given, **more: pytest.fail("a map was computed"))


def test_graph_to_page(cli, edges, labels, tmp_path):
    answer = cli("visualize", edges, "-o", tmp_path / "map.html", "--labels", labels)
    assert answer.code == 0, answer.err
    assert "A map of a graph: its edges, and neighbors by vectors of propagation" in answer.out
    assert "Wrote a map of 24 points" in answer.out
    assert (tmp_path / "map.html").read_text().startswith("<!DOCTYPE html>")
    assert cli("visualize", edges, "-o", tmp_path / "map.html", "-q").code == 0  # a map is replaced by a map


def test_vectors_of_all_files_make_the_same_map(cli, vectors, tmp_path):
    import pyarrow.parquet

    array = np.load(vectors)
    np.savetxt(tmp_path / "vectors.txt", array, fmt="%.9g")
    np.savez(tmp_path / "vectors.npz", features=array, other=np.zeros(3))
    maps = []
    for name in ("vectors.npy", "vectors.txt", "vectors.npz"):
        output = tmp_path / f"{name}.parquet"
        answer = cli("visualize", tmp_path / name, "-o", output, "--json", "--num-thread", 1)
        assert answer.json["map"]["num_points"] == 60
        maps.append(pyarrow.parquet.read_table(output)["x"].to_pylist())
    assert maps[0] == maps[1] == maps[2]


def test_options_act(cli, vectors, tmp_path, monkeypatch):
    seen = {}

    def fit(self, data, **more):
        seen.update(self.get_params())
        self.coordinates_ = np.zeros((len(data), self.dim), np.float32)
        self.report_ = {}

    monkeypatch.setattr(nodeloom.TSNE, "fit", fit)
    cli("visualize", vectors, "-o", tmp_path / "a.csv", "--3d", "--perplexity", 7, "--exaggeration", 2, "--seed", 5,
        "--device", "cpu", "--num-thread", 1)  # fmt: skip
    expected = {"dim": 3, "perplexity": 7, "exaggeration": 2, "seed": 5, "device": "cpu", "num_thread": 1}
    assert {key: seen[key] for key in expected} == expected
    assert (tmp_path / "a.csv").read_text().startswith('"name","x","y","z"')


def test_names_of_graphvite(cli, vectors, tmp_path):
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    (tmp_path / "labels.txt").write_text("\n".join(str(i % 3) for i in range(60)) + "\n")
    answer = cli("visualize", vectors, "--label", tmp_path / "labels.txt", "--save", tmp_path / "map.png", "--3d")
    assert answer.code == 0, answer.err
    assert (tmp_path / "map.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", "map.jpg"], "map.jpg: expected a file for a map, got '.jpg'"),
        (["-o", "none/map.html"], "expected a folder that exists"),
        (["-o", "map.html", "--3d"], "expected a map of 2 dimensions for a page"),
        (["-o", "map.csv", "--perplexity", "-3"], "error: --perplexity: expected a number >= 1"),
        (
            ["-o", "map.csv", "--labels", "short.txt"],
            "short.txt: expected a label for each of 60 points, got '2 labels'",
        ),
        (["-o", "map.csv", "--color", "age"], "expected one of auto, got 'age'"),
        (["-o", "vectors.npy"], "a file for a map"),
    ],
)
def test_bad_input_is_refused_first(cli, vectors, tmp_path, monkeypatch, no_map, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short.txt").write_text("a\nb\n")
    answer = cli("visualize", vectors, *arguments)
    assert answer.code == 2
    assert message in answer.err
    assert sorted(path.name for path in tmp_path.iterdir() if path.name != "cache") == ["short.txt", "vectors.npy"]


def test_unknown_names_are_told(cli, edges, tmp_path, no_map):
    (tmp_path / "labels.txt").write_text("a0 x\nnobody y\n")
    answer = cli("visualize", edges, "-o", tmp_path / "map.html", "--labels", tmp_path / "labels.txt")
    assert answer.code == 2
    assert "nobody" in answer.err


def test_embed_ends_with_a_map(cli, edges, labels, tmp_path):
    output = tmp_path / "vectors.txt"
    answer = cli("embed", edges, "-o", output, "--fast", "--dim", 8, "--map", tmp_path / "map.html", "--labels", labels)
    assert answer.code == 0, answer.err
    assert "Wrote a map of 24 points" in answer.out
    assert (tmp_path / "map.html").exists()
    answer = cli("embed", edges, "-o", tmp_path / "other.txt", "--fast", "--map", tmp_path / "map.jpg")
    assert answer.code == 2
    assert not (tmp_path / "other.txt").exists()


def test_edges_that_could_be_sizes_of_vectors_are_edges(cli, tmp_path):
    path = tmp_path / "edges.txt"
    path.write_text("".join(f"{node} {(node + 1) % 20}\n{node} {(node + 5) % 20}\n" for node in range(20)))
    answer = cli("visualize", path, "-o", tmp_path / "map.csv")
    assert answer.code == 0, answer.err
    assert "A map of a graph" in answer.out and "20 points" in answer.out


def test_mistakes_are_told_in_the_words_of_the_command(cli, vectors, tmp_path):
    bad = tmp_path / "bad.npy"
    np.save(bad, np.where(np.arange(80).reshape(20, 4) == 5, np.nan, np.load(vectors)[:20, :4]))
    answer = cli("visualize", bad, "-o", tmp_path / "map.csv")
    assert answer.code == 2 and answer.err.startswith(f"error: {bad}: expected finite numbers, got 'nan in row 1")
    answer = cli("visualize", vectors, "-o", tmp_path / "map.csv", "--color", "degree")
    assert answer.code == 2 and answer.err.startswith("error: --color: expected one of auto, got 'degree'")
