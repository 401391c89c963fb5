"""Rows that are no graph's are refused, from a file and from arrays; all that we build are accepted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import DataError, GraphError
from nodeloom.graph import Graph
from nodeloom.graph.soundness import check_rows
from nodeloom.io.tensors import read_tensors, write_tensors

N = 40


def changed(name, change):
    def make(arrays):
        arrays[name] = change(arrays[name].copy())

    return make


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


WRONG = {
    "huge indices": (
        changed("indices", lambda a: np.full_like(a, 2_000_000_000)),
        r"indices\[0\]: expected nodes from 0",
    ),
    "negative indices": (changed("indices", lambda a: np.full_like(a, -2_000_000_000)), r"indices\[0\]"),
    "one index beyond": (changed("indices", put(50, N)), r"indices\[50\]: expected nodes from 0 to 39.*got '40"),
    "one index elsewhere": (changed("indices", lambda a: put(-1, a[-2])(a)), "rows that are not symmetric"),
    "shuffled indices": (changed("indices", lambda a: a[::-1].copy()), r"indices\[\d+\]: .* rising in each row"),
    "huge offsets": (changed("indptr", put(slice(1, -1), 2**40)), r"indptr\[0\]: expected offsets that rise"),
    "negative offsets": (changed("indptr", put(slice(1, -1), -(2**40))), r"indptr\[0\]"),
    "falling offsets": (changed("indptr", lambda a: np.r_[a[0], a[1:-1][::-1], a[-1]]), r"ind(ptr|ices)\[\d+\]"),
    "first offset": (changed("indptr", put(0, 1)), "indptr: expected offsets from 0"),
    "last offset": (changed("indptr", put(-1, 9)), "indptr: expected offsets from 0"),
    "no offsets": (changed("indptr", lambda a: a[:0]), "indptr: expected offsets of at least one row"),
    "NaN": (changed("weights", put(7, np.nan)), r"weights\[7\]: expected a positive, finite number, got nan"),
    "negative weight": (changed("weights", put(7, -1)), r"weights\[7\]"),
    "zero weight": (changed("weights", put(7, 0)), r"weights\[7\]"),
    "infinite weight": (changed("weights", put(7, np.inf)), r"weights\[7\]"),
    "another weight": (changed("weights", put(7, 99)), "rows that are not symmetric"),
    "few weights": (changed("weights", lambda a: a[:-1]), "weights: expected one for each of"),
}


@pytest.fixture(scope="module")
def sound():
    edges = np.random.default_rng(0).integers(0, N, (200, 2))
    return Graph.from_edges(edges, weights=np.arange(1, 201), num_nodes=N, self_loops="drop")


@pytest.mark.parametrize("wrong", WRONG)
def test_a_compiled_graph_that_lies_is_refused(sound, tmp_path, wrong):
    change, words = WRONG[wrong]
    sound.save(tmp_path / "graph")
    file = read_tensors(tmp_path / "graph")
    arrays = dict(file.tensors)
    change(arrays)
    write_tensors(tmp_path / "forged", arrays, file.metadata)
    with pytest.raises(DataError, match=f"forged: expected a compiled graph, got .*{words}"):
        Graph.open(tmp_path / "forged")


@pytest.mark.parametrize("wrong", WRONG)
def test_arrays_that_are_no_graph_are_refused(sound, wrong):
    change, words = WRONG[wrong]
    arrays = {"indptr": sound.indptr, "indices": sound.indices, "weights": sound.weights}
    change(arrays)
    with pytest.raises(GraphError, match=words):
        Graph(**arrays)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("directed", "1"),
        ("directed", "maybe"),
        ("num_loops", "-1"),
        ("num_loops", "7"),
        ("num_loops", "x"),
        ("fingerprint", "abc"),
    ],
)
def test_what_the_header_says_must_be_so(sound, tmp_path, key, value):
    sound.save(tmp_path / "graph")
    file = read_tensors(tmp_path / "graph")
    write_tensors(tmp_path / "forged", file.tensors, {**file.metadata, key: value})
    with pytest.raises(DataError, match=f"expected a compiled graph, got .*{key}"):
        Graph.open(tmp_path / "forged")


def test_arrays_of_other_types_become_ours():
    graph = Graph(np.array([0, 1, 2], np.int32), np.array([1, 0], np.uint16), [2, 2])
    assert (graph.indptr.dtype, graph.indices.dtype, graph.weights.dtype) == (np.int64, np.int64, np.float32)
    with pytest.raises(GraphError, match="indices: expected integers in one dimension, got 'float64"):
        Graph(np.array([0, 1, 2]), np.array([1.0, 0.0]))
    with pytest.raises(GraphError, match="names: expected one for each of 2 nodes, got 3"):
        Graph(np.array([0, 1, 2]), np.array([1, 0]), names=Graph.from_edges([[0, 1], [1, 2]]).names)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    num_edge=st.integers(0, 300),
    weighted=st.booleans(),
    directed=st.booleans(),
    duplicates=st.sampled_from(["auto", "sum", "first", "max", "keep"]),
    self_loops=st.sampled_from(["keep", "drop"]),
    normalization=st.booleans(),
)
def test_all_that_we_build_is_sound(seed, num_edge, weighted, directed, duplicates, self_loops, normalization):
    rng = np.random.default_rng(seed)
    weights = rng.random(num_edge, np.float32) + 1e-3 if weighted else None
    graph = Graph.from_edges(
        rng.integers(0, 12, (num_edge, 2)),
        weights,
        num_nodes=12,
        directed=directed,
        duplicates=duplicates,
        self_loops=self_loops,
        normalization=normalization,
    )
    assert check_rows(graph.indptr, graph.indices, graph.weights, directed) == graph.num_loops
