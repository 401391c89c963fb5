"""MatrixMarket: what is read of it, and what is refused."""

from __future__ import annotations

import gzip
import io
import lzma

import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError
from nodeloom.graph import Graph

W = "%%MatrixMarket matrix coordinate real symmetric\n%\n3 3 2\n2 1 1.5\n3 2 2.5\n"
P = "%%MatrixMarket matrix coordinate pattern symmetric\n%\n5 5 4\n2 1\n3 1\n4 3\n5 4\n"


def edges_of(graph):
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    return list(ends) if weights is None else [(*e, w) for e, w in zip(ends, weights.tolist(), strict=True)]


def read(tmp_path, content, name="m.mtx", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Graph.from_file(path, **options)


@pytest.mark.parametrize("options", [{}, {"comment": "%"}, {"format": "matrix-market"}])
def test_the_line_of_sizes_is_no_edge(tmp_path, options):
    assert edges_of(read(tmp_path, W, **options)) == [(1, 2, 1.5), (2, 3, 2.5)]
    assert edges_of(read(tmp_path, P, **options)) == [(1, 2), (1, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_compressed_and_under_another_name(tmp_path, pack):
    assert read(tmp_path, pack(W.encode()), "edges.txt").num_edges == 2


def test_nodes_without_entries_are_nodes(tmp_path):
    graph = read(tmp_path, "%%MatrixMarket matrix coordinate integer general\n4 4 1\n2 3 7\n")
    assert (graph.names.to_list(), edges_of(graph)) == ([1, 2, 3, 4], [(2, 3, 7.0)])
    assert (
        Graph.compile(tmp_path / "m.mtx", tmp_path / "g.nlg", memory_limit="2GB").fingerprint() == graph.fingerprint()
    )


def test_direction(tmp_path):
    both = "%%MatrixMarket matrix coordinate real general\n3 3 3\n1 2 2\n2 1 2\n3 3 1\n"
    assert edges_of(read(tmp_path, both)) == [(1, 2, 2.0), (3, 3, 1.0)]
    assert edges_of(read(tmp_path, both, directed=True)) == [(1, 2, 2.0), (2, 1, 2.0), (3, 3, 1.0)]
    assert edges_of(read(tmp_path, W, directed=True)) == [(1, 2, 1.5), (2, 1, 1.5), (2, 3, 2.5), (3, 2, 2.5)]


def test_options_of_weights(tmp_path):
    assert not read(tmp_path, W, weighted=False).is_weighted
    with pytest.raises(DataError, match="expected edges with weights, got edges without"):
        read(tmp_path, P, weighted=True)


HEAD = "%%MatrixMarket matrix coordinate real general\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("%%MatrixMarket matrix array real general\n1 1\n5\n", "expected a sparse matrix .* got a dense one"),
        ("%%MatrixMarket matrix coordinate real skew-symmetric\n2 2 1\n2 1 1\n", "skew-symmetric .*abs"),
        ("%%MatrixMarket matrix coordinate complex general\n2 2 1\n2 1 1 2\n", "got complex ones"),
        (HEAD + "2 3 1\n1 3 1\n", r"expected a square matrix, got shape \[2, 3\]"),
        (HEAD + "1000000000000 1000000000000 1\n1 2 1\n", "expected sizes that fit a file of"),
        (HEAD + "3 3 1000000000000\n1 2 1\n", "expected sizes that fit a file of"),
        (HEAD + "3 3 2\n1 2 1\n", "expected a whole MatrixMarket file"),
        (HEAD + "3 3 2\n1 2 1\n1 4 1\n", "expected a whole MatrixMarket file"),
        (HEAD + "3 3 2\n1 2 x\n1 3 1\n", "expected a whole MatrixMarket file"),
        (HEAD + "3 3 1\n1 2 -1\n", "expected positive, finite weights, got -1.0"),
        (HEAD + "3 3 1\n1 2 nan\n", "got nan"),
        (HEAD + "3 3 0\n", "expected edges, got 3 nodes without any"),
        ("%%MatrixMarket\n", "expected a whole MatrixMarket file"),
        (HEAD, "expected a whole MatrixMarket file"),
    ],
)
def test_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=r"m\.mtx: .*" + message):
        read(tmp_path, text)


def test_option_format(tmp_path):
    with pytest.raises(ConfigError, match=r"format: expected one of auto, edges,"):
        read(tmp_path, W, format="mtx")
    assert edges_of(read(tmp_path, "%matrixmarket a\n", format="edges")) == [("%matrixmarket", "a")]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.data(), st.booleans(), st.booleans())
def test_as_scipy_and_from_scipy(tmp_path_factory, n, data, symmetric, directed):
    dense = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n * n, max_size=n * n))).reshape(n, n)
    dense = dense + dense.T if symmetric else dense
    if not dense.any():
        return
    file = io.BytesIO()
    scipy.io.mmwrite(file, scipy.sparse.coo_array(dense))
    graph = read(tmp_path_factory.mktemp("m"), file.getvalue(), directed=directed)
    same = Graph.from_scipy(scipy.sparse.csr_array(dense), directed=directed)
    assert graph.fingerprint() == same.fingerprint()
    assert graph.names.to_list() == list(range(1, n + 1))


DAMAGED = {
    "a byte 0": b"1 2 0.5\0 .5 3\n2 3 1.5\n",
    "a number too many in the last line, which crashed SciPy": b"1 2 0.5\n2 3 1.5 5",
    "numbers too many, which SciPy leaves out": b"1 2 0.5 0.5 0.5\n2 3 1.5\n",
    "an entry too few": b"1 2 0.5\n",
    "an entry too many": b"1 2 0.5\n2 3 1.5\n3 3 1\n",
}


@pytest.mark.parametrize("what", DAMAGED)
def test_entries_of_another_form(tmp_path, what):
    head = b"%%MatrixMarket matrix coordinate real general\n% c\n\n3 3 2\n"
    assert read(tmp_path, head + b"1 2 0.5\n\n  2\t3 1.5").num_edges == 2
    with pytest.raises(DataError, match=r"m\.mtx: expected"):
        read(tmp_path, head + DAMAGED[what])
