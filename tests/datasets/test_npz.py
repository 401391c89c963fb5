"""``graph.npz`` of a user: what does not fit is told, and a small file takes no large memory."""

from __future__ import annotations

import tracemalloc
import zipfile

import numpy as np
import pytest

from nodeloom.datasets import compiled
from nodeloom.errors import DatasetError

EDGES = np.array([[0, 1], [1, 2]], np.int32)


@pytest.fixture
def text(tmp_path, monkeypatch):
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))

    def make(split, **arrays):
        np.savez(tmp_path / "graph.npz", **arrays)
        return compiled.text_of(tmp_path / "graph.npz", "mine", split).read_text()

    return make


def test_names_of_labels_are_one_word_each(text):
    names = np.array(["neural nets", "theory, pure"])
    assert text("label", labels=np.array([[2, 0], [0, 1]]), label_names=names) == "2\tneural_nets\n0\ttheory_pure\n"
    assert text("label", labels=np.array([[2, 7]])) == "2\t7\n"


WRONG = {
    "label beyond the names": (
        "label",
        {"labels": [[0, 2]], "label_names": ["a", "b"]},
        r"labels\[0\]: expected labels from 0 to 1",
    ),
    "label below 0": ("label", {"labels": [[0, 0], [0, -1]], "label_names": ["a", "b"]}, r"labels\[1\]: .* got -1"),
    "two of one name": (
        "label",
        {"labels": [[0, 0]], "label_names": ["a b", "a_b"]},
        "label_names: expected each name once",
    ),
    "names of objects": (
        "label",
        {"labels": [[0, 0]], "label_names": np.array(["a", 1], object)},
        "an array of objects",
    ),
    "names in two dimensions": ("label", {"labels": [[0, 0]], "label_names": [["a"]]}, "text in one dimension"),
    "edges of floats": ("graph", {"edges": [[0.5, 1.0]]}, r"edges: expected integers \[k, 2\], got 'float64 \[1, 2\]'"),
    "edges of three": ("graph", {"edges": [[0, 1, 2]]}, r"edges: expected integers \[k, 2\]"),
    "edges of text": ("graph", {"edges": [["a", "b"]]}, r"edges: expected integers \[k, 2\]"),
    "beyond int64": ("graph", {"edges": np.array([[0, 2**63]], np.uint64)}, r"numbers below 2\^63"),
    "no edges": ("graph", {"other": EDGES}, "expected an array 'edges', got none"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_arrays_that_do_not_fit_are_told(text, wrong):
    split, arrays, words = WRONG[wrong]
    with pytest.raises(DatasetError, match=f"graph.npz.*{words}"):
        text(split, **{key: np.asarray(value) for key, value in arrays.items()})


def test_a_small_file_takes_no_large_memory(tmp_path):
    path = tmp_path / "graph.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("edges.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<i8", "fortran_order": False, "shape": (8 << 20, 2)})
        for _ in range(128):
            member.write(bytes(1 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(DatasetError, match="edges: expected an array that is packed to a 100th at most"):
            compiled.text_of(path, "mine", "graph")
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("shape", [(1 << 40, 2), (1 << 62, 1 << 62), (-1, 2)])
def test_a_header_that_asks_for_more_than_there_is(tmp_path, shape):
    path = tmp_path / "graph.npz"
    with zipfile.ZipFile(path, "w") as archive, archive.open("edges.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<i8", "fortran_order": False, "shape": shape})
        member.write(bytes(64))
    with pytest.raises(DatasetError, match="expected NumPy's npz format, got something else"):
        compiled.text_of(path, "mine", "graph")


def test_any_cut_or_flipped_byte_is_a_result_or_one_message(tmp_path, monkeypatch):
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "graph.npz"
    np.savez(path, edges=EDGES)
    whole = path.read_bytes()
    for position in range(0, len(whole), 3):
        for content in (whole[:position], whole[:position] + bytes([whole[position] ^ 0x41]) + whole[position + 1 :]):
            path.write_bytes(content)
            try:
                compiled._pairs(path, "edges", "graph")
            except DatasetError as error:
                assert str(path) in str(error)
