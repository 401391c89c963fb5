"""Data sets that are knowledge graphs: what comes with the package, and what is found or fetched."""

import lzma

import numpy as np
import pytest

from nodeloom import KnowledgeGraph, datasets
from nodeloom.datasets import conversion
from nodeloom.datasets.references import load_lastfm_asia
from nodeloom.errors import DatasetError


@pytest.fixture
def offline(tmp_path, monkeypatch):
    monkeypatch.setenv("NODELOOM_DATA", str(tmp_path))
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))
    return tmp_path


def test_text_files_of_the_user(offline):
    (offline / "wn18").mkdir()
    for split, text in (("train", "# a comment\na#\tr\tb\nb\tr\tc\n"), ("valid", "a#\ts\tc\n"), ("test", "x\tr\tb\n")):
        (offline / "wn18" / f"wn18_{split}.txt").write_text(text)
    train, valid, test = KnowledgeGraph.from_dataset("wn18")
    assert train.entity_names.to_list() == ["a#", "b", "c", "x"]
    assert train.relation_names.to_list() == ["r", "s"]
    assert [graph.triples.tolist() for graph in (train, valid, test)] == [
        [[0, 0, 1], [1, 0, 2]],
        [[0, 1, 2]],
        [[3, 0, 1]],
    ]
    assert valid.entity_names == train.entity_names


@pytest.mark.parametrize("named", [True, False])
def test_arrays_of_the_user(offline, named):
    folder = offline / "own"
    folder.mkdir()
    parts = {"train": [[0, 0, 1], [2, 1, 0]], "valid": [[0, 1, 1]], "test": [[2, 0, 2]]}
    np.savez(folder / "triples.npz", **{split: np.array(rows, np.int32) for split, rows in parts.items()})
    if named:
        (folder / "entities.txt.xz").write_bytes(lzma.compress(b"New York\nb\nc\n"))
        (folder / "relations.txt").write_text("is\nhas\n")
    graphs = KnowledgeGraph.from_dataset("own")
    for graph, rows in zip(graphs, parts.values(), strict=True):
        if not named:
            assert graph.triples.tolist() == rows
            continue
        names = [(a, b, c) for a, b, c in zip(
            graph.entity_names.take(graph.heads), graph.relation_names.take(graph.relations),
            graph.entity_names.take(graph.tails), strict=True)]  # fmt: skip
        entities, relations = ["New York", "b", "c"], ["is", "has"]
        assert names == [(entities[h], relations[r], entities[t]) for h, r, t in rows]


def test_what_is_refused(offline):
    folder = offline / "own"
    folder.mkdir()
    np.savez(folder / "triples.npz", train=np.array([[0, 0, 5]]), valid=np.zeros((2, 2), int))
    (folder / "entities.txt").write_text("a\nb\n")
    with pytest.raises(DatasetError, match="expected ids from 0 to 1, got 5"):
        datasets.resolve("<own.train>")
    with pytest.raises(DatasetError, match=r"triples.npz: valid: expected integers \[k, 3\]"):
        datasets.resolve("<own.valid>")
    with pytest.raises(DatasetError, match="expected an array 'test', got none"):
        datasets.resolve("<own.test>")
    with pytest.raises(
        DatasetError, match=r"expected a knowledge graph, got a graph of edges. There are wordnet-mini, fb15k"
    ):
        KnowledgeGraph.from_dataset("lastfm_asia")
    with pytest.raises(DatasetError, match=r"unknown. Did you mean 'wn18rr'"):
        KnowledgeGraph.from_dataset("wn18r")
    assert load_lastfm_asia()


def test_lines_are_dealt_as_graphvite_does(tmp_path, monkeypatch):
    monkeypatch.setattr(conversion, "_BLOCK", 50)
    lines = [f"a{i}\tr\tb\n" for i in range(500)]
    (tmp_path / "all.txt").write_text("".join(lines))
    paths = {split: tmp_path / split for split in ("train", "valid", "test")}
    conversion.line_split((8, 1, 1))([tmp_path / "all.txt"], paths)
    # GraphVite: one number a line of a generator with seed 1024.
    draws = np.random.RandomState(1024).random_sample(500)
    expected = {"train": draws < 0.8, "valid": (draws >= 0.8) & (draws < 0.9), "test": draws >= 0.9}
    for split, path in paths.items():
        assert path.read_text() == "".join(np.array(lines)[expected[split]])


def test_sizes_are_those_of_the_files():
    listed = {line.name: line for line in datasets.list_datasets()}
    assert listed["wordnet-mini"].available == ("train", "valid", "test")
    assert (listed["fb15k237"].num_relations, listed["lastfm_asia"].num_relations) == (237, 0)
    assert listed["fb15k237"].num_edges == 272_115 + 17_535 + 20_466
