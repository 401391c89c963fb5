"""Vectors of other programs: what is read, and what each damaged file is told."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nodeloom
from nodeloom.errors import ModelError
from nodeloom.io.export import export_vectors
from nodeloom.io.models import is_model, open_model
from nodeloom.io.vocabulary import Vocabulary

TEXT = b"3 2\na 0.1 0.2\nb 0.3 0.1\nc 0.2 0.2\n"


def floats(*values):
    return np.array(values, "<f4").tobytes()


BINARY = b"2 3\na " + floats(1, 2, 3) + b"b " + floats(4, 5, 6)


def read(tmp_path, content, name="vectors.emb"):
    (tmp_path / name).write_bytes(content)
    return open_model(tmp_path / name)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(
    ("content", "names", "last"),
    [
        (TEXT, ["a", "b", "c"], [0.2, 0.2]),
        (TEXT.replace(b"\n", b" \n").replace(b"3 2 ", b"3 2"), ["a", "b", "c"], [0.2, 0.2]),
        (TEXT.replace(b"\n", b"\r\n"), ["a", "b", "c"], [0.2, 0.2]),
        (b"a 1 2 3 4\nb\xc3\xa9 4 5 6 7\n", ["a", "bé"], [4, 5, 6, 7]),
        (b"7\t1\t2\t3\t4\n5\t4\t5\t6\t7\n", [7, 5], [4, 5, 6, 7]),
        (b"007 1 2 3 4\n5 4 5 6 7\n", ["007", "5"], [4, 5, 6, 7]),
        (BINARY, ["a", "b"], [4, 5, 6]),
        (b"2 2\na " + floats(1, 2) + b"\nb " + floats(3, 4) + b"\n", ["a", "b"], [3, 4]),
    ],
)
def test_read(tmp_path, content, names, last, pack):
    data = read(tmp_path, pack(content))
    assert data.names[:] == names
    assert data.vertex[-1].tolist() == pytest.approx(last)
    assert data.context is None
    assert is_model(tmp_path / "vectors.emb")


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Z", "C"]), min_size=1, max_size=5), min_size=1, max_size=9, unique=True),
    st.integers(1, 5),
    st.sampled_from(["x.txt", "x.bin", "x.tsv", "x.csv", "x.npz", "x.parquet"]),
    st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_what_is_exported_comes_back(tmp_path_factory, names, dim, suffix, seed):
    path = tmp_path_factory.mktemp("v") / suffix
    vectors = np.random.default_rng(seed).normal(size=(len(names), dim)).astype(np.float32)
    export_vectors(path, vectors, Vocabulary.from_names(names))
    data = open_model(path)
    assert data.names[:] == Vocabulary.from_names([str(i) for i in data.names[:]])[:] == names or not data.names.is_text
    assert np.array_equal(data.vertex, vectors)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TEXT.replace(b"3 2", b"4 2"), "expected 4 vectors as its first line says, got '3'. It is cut"),
        (TEXT.replace(b"3 2", b"2 2"), "expected 2 vectors as its first line says, got '3'"),
        (TEXT.replace(b"3 2", b"3 3"), "expected vectors of dim 3 as its first line says, got '2 numbers"),
        (TEXT.replace(b" 0.1\nc", b"\nc"), r"expected 'name' and 2 numbers in every line, got: .*Row #3"),
        (TEXT.replace(b"0.3", b"x"), "expected 'name' and 2 numbers in every line"),
        (TEXT.replace(b"0.3", b"nan"), "expected finite numbers, got 'nan in the vector of b'"),
        (TEXT.replace(b"\nb", b"\na"), "names: expected each name once, got 'a' twice"),
        (BINARY[:-1], "expected 2 vectors as its first line says, got '1'. It is cut"),
        (BINARY + b"c ", "expected 2 vectors of dim 3, got 'more bytes than these'"),
        (BINARY.replace(floats(6), floats(np.inf)), "expected finite numbers"),
        (BINARY.replace(b"2 3", b"999999999999 3"), "expected 999,999,999,999 vectors .* cut"),
        (BINARY.replace(b"2 3", b"2 9999999"), "expected 2 vectors .* It is cut"),
        (b"0 5\n", "expected vectors, got '0 of dim 5'"),
        (b"a b\nb c\n", "got text or bytes of something else"),
        (
            b"1 2 0.5 1082008561\n2 3 0.5 1082008561\n",
            "may be edges or labels. If these are vectors, put a line with their number",
        ),
        (b"", "got text or bytes of something else"),
        (b"PK\x03\x04" + bytes(50), "got a zip archive"),
    ],
)
def test_refused(tmp_path, content, message):
    with pytest.raises(ModelError, match=r"vectors\.emb: .*" + message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content",
    [
        b"1 2 0.5 9\n2 3 0.5 9\n", b"a b\n", b"1 2\n2 3\n", b"3 3\n1 2\n", b"",
        b"0 1\n1 2\n", b"2 1\n3 4\n5 6\n7 8\n", b"0 2\n1 2 0.5\n", b"5 1\r\n4 3\r\n",
    ],
)  # fmt: skip
def test_lists_of_edges_are_no_vectors(tmp_path, content):
    (tmp_path / "edges.txt").write_bytes(content)
    assert not is_model(tmp_path / "edges.txt")


def test_vectors_of_one_number_are_told_by_their_number(tmp_path):
    (tmp_path / "v.emb").write_bytes(b"3 1\na 0.5\nb 1\nc 2\n")
    assert is_model(tmp_path / "v.emb")


def test_a_model_is_searched_and_starts_another(tmp_path):
    (tmp_path / "v.vec").write_bytes(TEXT)
    model = nodeloom.load(tmp_path / "v.vec")
    assert model.dim == 2
    assert [name for name, _ in model.nearest("a", k=1)] == ["c"]
    graph = nodeloom.Graph.from_edges([("a", "b"), ("b", "c"), ("c", "a")])
    started = nodeloom.DeepWalk(dim=2, num_epoch=1, lr=1e-6, device="cpu").fit(graph, init=model)
    assert started.vectors_ == pytest.approx(model.vectors_, abs=0.01)


@pytest.mark.parametrize("suffix", ["tsv", "csv", "npz", "parquet", "txt", "bin"])
def test_exports_that_are_cut_or_damaged(tmp_path, suffix):
    path = tmp_path / f"v.{suffix}"
    vectors = np.arange(12, dtype=np.float32).reshape(4, 3)
    export_vectors(
        path, vectors, Vocabulary.from_names(["a", "b c" if suffix not in ("txt", "bin") else "b", "d", "e"])
    )
    whole = path.read_bytes()
    assert is_model(path)
    for size in range(1, len(whole) - 1):
        path.write_bytes(whole[:size])
        try:
            data = open_model(path)
        except ModelError:
            continue
        # Text that ends within its last number, or after a line, cannot be told from whole text without a line of sizes.
        assert suffix in ("tsv", "csv", "txt")
        assert data.num_nodes <= 4
        assert suffix != "txt" or size >= len(whole) - 3


def test_a_name_that_is_too_long_is_one_message(tmp_path):
    with pytest.raises(ModelError, match="File name too long"):
        open_model(tmp_path / ("a" * 300))
