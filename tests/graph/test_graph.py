"""Graph: what is built of edges, what it tells, and what it refuses."""

from __future__ import annotations

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError, GraphError, MemoryLimitError
from nodeloom.graph import Graph
from nodeloom.io.vocabulary import Vocabulary


def rows(graph):
    """The neighbours of each node, with weights where there are any."""
    out = []
    for u in range(graph.num_nodes):
        part = slice(graph.indptr[u], graph.indptr[u + 1])
        neighbors = graph.indices[part].tolist()
        out.append(
            neighbors if graph.weights is None else list(zip(neighbors, graph.weights[part].tolist(), strict=True))
        )
    return out


def test_undirected():
    graph = Graph.from_edges([[0, 1], [2, 1], [3, 3]])
    assert rows(graph) == [[1], [0, 2], [1], [3]]
    assert (graph.num_nodes, graph.num_edges, graph.num_loops) == (4, 3, 1)
    assert graph.indptr.dtype == np.int64
    assert graph.indices.dtype == np.int32
    assert graph.weights is None
    assert not graph.is_weighted
    assert graph.degrees.tolist() == [1, 2, 1, 1]
    assert graph.strengths.tolist() == graph.in_strengths.tolist() == [1.0, 2.0, 1.0, 1.0]
    assert graph.neighbors(1) == [0, 2]
    assert repr(graph) == "Graph(4 nodes, 3 edges, undirected, unweighted)"


def test_directed():
    graph = Graph.from_edges([[0, 1], [2, 1], [3, 3]], weights=[1, 2, 4], directed=True)
    assert rows(graph) == [[(1, 1.0)], [], [(1, 2.0)], [(3, 4.0)]]
    assert (graph.num_edges, graph.num_loops) == (3, 1)
    assert graph.strengths.tolist() == [1.0, 0.0, 2.0, 4.0]
    assert graph.in_strengths.tolist() == [0.0, 3.0, 0.0, 4.0]
    assert repr(graph) == "Graph(4 nodes, 3 arcs, directed, weighted)"


def test_directed_in_strengths_without_weights_count_arcs():
    graph = Graph.from_edges([[0, 1], [2, 1]], directed=True)
    assert graph.in_strengths.tolist() == [0.0, 2.0, 0.0]


EDGES = [[0, 1], [1, 0], [0, 1], [1, 2]]


@pytest.mark.parametrize(
    ("duplicates", "weights", "first_row"),
    [
        ("auto", None, [1]),
        ("first", None, [1]),
        ("max", None, [1]),
        ("sum", None, [(1, 3.0)]),
        ("keep", None, [1, 1, 1]),
        ("auto", [1, 5, 2, 1], [(1, 8.0)]),
        ("sum", [1, 5, 2, 1], [(1, 8.0)]),
        ("first", [1, 5, 2, 1], [(1, 1.0)]),
        ("max", [1, 5, 2, 1], [(1, 5.0)]),
        ("keep", [1, 5, 2, 1], [(1, 1.0), (1, 5.0), (1, 2.0)]),
    ],
)
def test_duplicates(duplicates, weights, first_row):
    graph = Graph.from_edges(EDGES, weights, duplicates=duplicates)
    assert rows(graph)[0] == first_row
    assert graph.num_edges == (4 if duplicates == "keep" else 2)


def test_self_loops_can_be_dropped():
    assert rows(Graph.from_edges([[0, 0], [0, 1]], self_loops="drop")) == [[1], [0]]
    assert rows(Graph.from_edges([[0, 0], [0, 1]])) == [[0, 1], [0]]


def test_normalization_is_that_of_graphvite():
    edges, weights = [[0, 1], [0, 2], [1, 2]], np.array([1.0, 2.0, 4.0])
    out = np.array([3.0, 4.0, 0.0])
    into = np.array([0.0, 1.0, 6.0])
    graph = Graph.from_edges(edges, weights, directed=True, normalization=True)
    want = [w / np.sqrt(out[u] * into[v]) for (u, v), w in zip(edges, weights, strict=True)]
    np.testing.assert_allclose(graph.weights, want, rtol=1e-6)
    undirected = Graph.from_edges(edges, normalization=True)
    np.testing.assert_allclose(undirected.weights, np.full(6, 0.5), rtol=1e-6)


@pytest.mark.parametrize(
    ("edges", "num_nodes", "num_edges"),
    [
        ([[0, 1]], None, 1),
        ([[0, 0]], None, 1),
        ([[0, i] for i in range(1, 50)], None, 49),
        ([[i, i + 1] for i in range(50)], None, 50),
        ([[0, 1], [2, 3]], None, 2),
        ([[0, 1]], 10, 1),
        ([], 3, 0),
    ],
    ids=["one edge", "one loop", "star", "path", "two components", "isolated", "no edges"],
)
def test_small_and_odd_graphs(edges, num_nodes, num_edges):
    graph = Graph.from_edges(edges, num_nodes=num_nodes)
    assert graph.num_edges == num_edges
    assert graph.num_nodes == (num_nodes or np.max(edges) + 1)
    assert graph.degrees.sum() == len(graph.indices)
    assert len(graph.fingerprint()) == 32
    assert graph.strengths.shape == (graph.num_nodes,)
    assert graph.to_scipy().shape == (graph.num_nodes, graph.num_nodes)
    heads, tails, _ = graph.edge_columns()
    assert rows(graph.remove_edges(heads, tails)) == [[] for _ in range(graph.num_nodes)]
    if edges:
        assert graph.has_edges(heads, tails).all()


def test_without_nodes_it_is_refused():
    with pytest.raises(GraphError, match="expected at least one node, got none"):
        Graph.from_edges([])


def test_names():
    graph = Graph.from_edges([[0, 1], [1, 2]], names=["ann", "bob", "eve"])
    assert graph.names.to_list() == ["ann", "bob", "eve"]
    assert repr(graph) == "Graph(3 nodes, 2 edges, undirected, unweighted, named 'ann', ...)"
    graph = Graph.from_edges([[0, 1]], names=Vocabulary.from_names([7, 5, 3]))
    assert graph.num_nodes == 3
    assert graph.names.find([3]).tolist() == [2]


def test_edges_between_names():
    graph = Graph.from_edges([("bob", "ann"), ("ann", "eve")], weights=[2, 3])
    assert graph.names.to_list() == ["bob", "ann", "eve"]
    assert rows(graph) == [[(1, 2.0)], [(0, 2.0), (2, 3.0)], [(1, 3.0)]]
    assert Graph.from_edges(np.array([["b", "a"]], object)).names.to_list() == ["b", "a"]
    assert Graph.from_edges(np.array([[b"b", b"\xc3\xa9"]])).names.to_list() == ["b", "é"]
    assert Graph.from_edges(iter([("x", "y")])).num_edges == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": [[0, 1, 2]]}, r"expected an array of shape \[E, 2\], got shape \[1, 3\]"),
        ({"edges": [[0, 1], [2]]}, "rows of different length"),
        ({"edges": [[0.5, 1.0]]}, "expected integer node ids or names as text, got values of type float64"),
        ({"edges": [[0, 1], [-1, 2]]}, "expected node ids at least 0, got head -1 in row 1"),
        ({"edges": [[0, 1], [1, 5]], "num_nodes": 3}, "expected node ids from 0 to 2, got tail 5 in row 1"),
        ({"edges": [[0, 3]], "names": ["a", "b"]}, "expected node ids from 0 to 1, got tail 3 in row 0"),
        ({"edges": [[0, 1]], "names": ["a", "a"]}, "expected each name once, got 'a' twice"),
        ({"edges": [[0, 1]], "names": ["a", "b"], "num_nodes": 3}, r"expected 3 names \(num_nodes\), got 2"),
        ({"edges": [["a", "b"]], "names": ["a", "b"]}, "Leave out names"),
        ({"edges": [[0, 1]], "weights": [1, 2]}, "expected one weight for each of 1 edges"),
        ({"edges": [[0, 1]], "weights": ["x"]}, "expected numbers, got values of type"),
        ({"edges": [[0, 1], [1, 2]], "weights": [1, np.nan]}, "got nan in row 1"),
        ({"edges": [[0, 1]], "weights": [np.inf]}, "got inf in row 0"),
        ({"edges": [[0, 1]], "weights": [-2]}, "got -2.0 in row 0"),
        ({"edges": [[0, 1]], "weights": [0]}, "an edge of weight 0 is never walked"),
        ({"edges": [[0, 1]], "weights": [1e39]}, "beyond the range of float32"),
        ({"edges": [[0, 1]], "weights": [1e-60]}, "beyond the range of float32"),
    ],
)
def test_bad_edges(arguments, message):
    with pytest.raises(DataError, match=message):
        Graph.from_edges(**arguments)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"duplicates": "merge"}, "duplicates: expected one of 'auto', 'sum'"),
        ({"self_loops": "no"}, "self_loops: expected one of 'keep', 'drop', got 'no'"),
        ({"num_thread": 0}, "num_thread: expected 'auto' or a whole number of at least 1, got 0"),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(ConfigError, match=message):
        Graph.from_edges([[0, 1]], **option)


def test_ids_that_are_names():
    with pytest.raises(GraphError, match=r"got the id 3,000,000,000 among 1 edges\. If the ids are names, use"):
        Graph.from_edges([[0, 3_000_000_000]])


def random_pairs(num_nodes, num_edges):
    return np.random.default_rng(0).integers(0, num_nodes, (num_edges, 2), dtype=np.int32)


@pytest.mark.parametrize(
    "lay_out",
    [
        lambda edges: edges.astype(np.int64),
        lambda edges: edges.astype(np.uint16),
        lambda edges: edges.astype(">i4"),
        np.asfortranarray,
        lambda edges: np.frombuffer(edges.tobytes(), np.int32).reshape(-1, 2),  # read-only
        lambda edges: np.frombuffer(bytearray(b" " + edges.tobytes()), np.int32, offset=1).reshape(-1, 2),
        lambda edges: np.column_stack([edges, edges])[:, 1:3][:, ::-1],
    ],
    ids=["int64", "uint16", "byte order", "by column", "read-only", "not aligned", "part of an array"],
)
def test_edges_lie_in_memory_as_they_may(lay_out):
    edges = random_pairs(60, 500)
    given = lay_out(edges)
    kept = given.copy()
    assert rows(Graph.from_edges(given, num_nodes=60)) == rows(Graph.from_edges(edges, num_nodes=60))
    np.testing.assert_array_equal(given, kept)


def test_building_takes_six_bytes_for_each_entry_beside_the_edges():
    edges = random_pairs(4000, 300_000)
    edges[::2] = edges[1::2]  # half of the entries are merged
    Graph.from_edges(edges[:10])
    tracemalloc.start()
    graph = Graph.from_edges(edges, num_nodes=4000)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 6 * 2 * len(edges) + 250_000
    assert held < graph.nbytes + 50_000


def test_the_first_of_many_wrong_ids_is_told():
    edges = np.zeros((3_000_000, 2), np.int32)
    edges[[1_234_567, 2_500_000, 2_999_999], 1] = 7, 8, 9
    with pytest.raises(DataError, match="got tail 7 in row 1234567"):
        Graph.from_edges(edges, num_nodes=5)
    edges[999, 0] = -1
    with pytest.raises(DataError, match="got head -1 in row 999"):
        Graph.from_edges(edges)
    edges[edges < 0] = 0
    assert Graph.from_edges(edges).num_nodes == 10


def test_more_nodes_than_memory():
    with pytest.raises(MemoryLimitError, match="do not fit the memory"):
        Graph.from_edges([[0, 1]], num_nodes=10**17)


def test_weights_of_parallel_edges_beyond_float32():
    with pytest.raises(GraphError, match="Scale the weights"):
        Graph.from_edges([[0, 1], [0, 1]], [3e38, 3e38])


def test_arrays_cannot_be_written():
    source = np.array([[0, 1], [1, 2]])
    graph = Graph.from_edges(source, weights=np.ones(2, np.float32))
    for array in (graph.indptr, graph.indices, graph.weights, graph.degrees, graph.strengths):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    source[0] = 2
    assert rows(graph)[0] == [(1, 1.0)]


def test_has_edges():
    graph = Graph.from_edges([[0, 1], [1, 2]], directed=True)
    assert graph.has_edges([0, 1, 1], [1, 0, 2]).tolist() == [True, False, True]
    assert graph.has_edges([], []).tolist() == []
    with pytest.raises(GraphError, match="expected node ids from 0 to 2, got tail 3"):
        graph.has_edges([0], [3])
    with pytest.raises(GraphError, match="two columns of one length"):
        graph.has_edges([0, 1], [1])
    with pytest.raises(GraphError, match="expected integer node ids"):
        graph.has_edges([0.0], [1.0], ids=True)
    with pytest.raises(DataError, match=r"expected text or integers, got 0\.0"):
        graph.has_edges([0.0], [1.0])


def test_remove_edges():
    graph = Graph.from_edges([[0, 1], [1, 2], [2, 2]], [1, 2, 3], names=["a", "b", "c"])
    less = graph.remove_edges([2], [1], ids=True)
    assert rows(less) == [[(1, 1.0)], [(0, 1.0)], [(2, 3.0)]]
    assert less.names is graph.names
    assert rows(graph.remove_edges(["c"], ["c"]))[2] == [(1, 2.0)]
    with pytest.raises(GraphError, match=r"got the pair \('a', 'c'\) in row 1"):
        graph.remove_edges(["a", "a"], ["b", "c"])
    assert rows(graph.remove_edges([0, 0], [1, 2], missing="ignore", ids=True))[0] == []


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_edges_that_are_removed_are_gone_and_no_others(data):
    num_nodes = data.draw(st.integers(1, 12))
    node = st.integers(0, num_nodes - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), min_size=1, max_size=40))
    directed, duplicates = data.draw(st.booleans()), data.draw(st.sampled_from(["auto", "keep"]))
    graph = Graph.from_edges(pairs, num_nodes=num_nodes, directed=directed, duplicates=duplicates)
    gone = data.draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=10))
    less = graph.remove_edges(*np.array(gone).T)
    removed = set(gone) if directed else {p for h, t in gone for p in ((h, t), (t, h))}
    left = [p for p in pairs if p not in removed]
    want = Graph.from_edges(left, num_nodes=num_nodes, directed=directed, duplicates=duplicates)
    assert less.fingerprint() == want.fingerprint()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_edge_columns_give_the_graph_back(data):
    num_nodes = data.draw(st.integers(1, 12))
    node = st.integers(0, num_nodes - 1)
    pairs = data.draw(st.lists(st.tuples(node, node), max_size=40))
    weights = data.draw(st.one_of(st.none(), st.just(np.arange(1, len(pairs) + 1, dtype=np.float32))))
    directed = data.draw(st.booleans())
    graph = Graph.from_edges(pairs, weights, num_nodes=num_nodes, directed=directed)
    heads, tails, values = graph.edge_columns()
    assert len(heads) == graph.num_edges
    again = Graph.from_edges(np.stack([heads, tails], 1), values, num_nodes=num_nodes, directed=directed)
    assert again.fingerprint() == graph.fingerprint()


def test_fingerprint_sees_structure_weights_and_direction():
    prints = {
        Graph.from_edges([[0, 1], [1, 2]]).fingerprint(),
        Graph.from_edges([[0, 1], [0, 2]]).fingerprint(),
        Graph.from_edges([[0, 1], [1, 2]], num_nodes=4).fingerprint(),
        Graph.from_edges([[0, 1], [1, 2]], [1, 1]).fingerprint(),
        Graph.from_edges([[0, 1], [1, 2]], [1, 2]).fingerprint(),
        Graph.from_edges([[0, 1], [1, 0], [1, 2], [2, 1]], directed=True).fingerprint(),
    }
    assert len(prints) == 6
    assert Graph.from_edges([[1, 2], [1, 0]], names=["a", "b", "c"]).fingerprint() in prints


def test_pickle():
    graph = Graph.from_edges([("a", "b")], [2])
    again = pickle.loads(pickle.dumps(graph))
    assert again.fingerprint() == graph.fingerprint()
    assert again.names == graph.names
    assert not again.indices.flags.writeable
