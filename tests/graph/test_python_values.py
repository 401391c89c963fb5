"""Values of Python that are no names or no weights: each ends in a graph that is right, or in one sentence."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
import scipy.sparse

from nodeloom.errors import ConfigError, DataError
from nodeloom.graph import Graph

NAN = float("nan")


def edges_of(graph):
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    return list(ends) if weights is None else [(*e, w) for e, w in zip(ends, weights.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([["a", NAN], ["b", "c"]], "names: expected text or integers, got nan of type float"),
        ([("a", 1.0), ("b", "c")], "got 1.0 of type float"),
        ([("a", None)], "got None of type NoneType"),
        ([[True, 1]], "got True of type bool"),
        ([[[0], [1]]], r"got \[0\] of type list"),
        ([(1, "b"), ("1", "c")], "expected every node in one form, got 1 and '1'"),
        ([("\udce9", "b")], r"names: expected text in UTF-8, got '\\udce9'"),
        ([(b"\xe9", b"b")], r"names: expected text in UTF-8, got b'\\xe9'"),
        (np.array([[b"\xe9", b"b"]]), "names: expected text in UTF-8"),
        (np.ma.array([[0, 1], [1, 2]], mask=[[0, 0], [0, 1]]), "edges: expected a value in every row, got a masked one in row 1"),
        ({"a": ["b"]}, "edges: expected pairs of nodes, got dict"),
        (None, "edges: expected pairs of nodes, got NoneType"),
        (3, "got int"),
        ("ab", "got str"),
        ([(1, 2), (1, 2, 3)], r"got rows of different length \(2, 3\)"),
        ([(1, 2, 0.5)], r"got shape \[1, 3\]"),
        (np.array([[1j, 2]]), "got values of type complex128"),
    ],
)  # fmt: skip
def test_edges_that_are_none(edges, message):
    with pytest.raises(DataError, match=message):
        Graph.from_edges(edges)


@pytest.mark.parametrize(
    ("edges", "expected"),
    [
        ([(b"a", "b")], [("a", "b")]),
        ([(np.int64(0), np.int32(1))], [(0, 1)]),
        ([(np.str_("a"), "b")], [("a", "b")]),
        ([[2**70, 1]], [("1180591620717411303424", "1")]),
        ([[0, 2**63], [1, 2]], [("0", "9223372036854775808"), ("1", "2")]),
        ([("a\0", "a")], [("a\0", "a")]),
        (np.matrix([[0, 1]]), [(0, 1)]),
        (((i, i + 1) for i in range(2)), [(0, 1), (1, 2)]),
    ],
)
def test_edges_that_are_some(edges, expected):
    assert edges_of(Graph.from_edges(edges)) == expected


def test_long_names_do_not_widen_all_others():
    graph = Graph.from_edges(
        [("x" * 100_000, "y"), *((f"a{i}", f"b{i}") for i in range(20_000))]
    )  # 4 bytes each: 16 GB
    assert graph.num_edges == 20_001


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, None], "weights: expected numbers, got None of type NoneType in row 1"),
        (np.ma.array([1.0, 2.0], mask=[0, 1]), "got a masked one in row 1"),
        ([[1], [1, 2]], "weights: expected an array, got list"),
        ([1, NAN], "expected positive, finite weights, got nan in row 1"),
        ([1, 10**400], "got inf in row 1"),
        ([1, 10**39], "beyond the range of float32"),
        ({1.0, 2.0}, "weights: expected numbers"),
    ],
)
def test_weights_that_are_none(weights, message):
    with pytest.raises(DataError, match=message):
        Graph.from_edges([[0, 1], [1, 2]], weights)


def test_weights_that_are_some():
    assert Graph.from_edges([[0, 1], [1, 2]], [10**30, Decimal("1.5")]).weights[0] == np.float32(1e30)


@pytest.mark.parametrize("num_nodes", [-1, 1.5, "x", True])
def test_number_of_nodes(num_nodes):
    with pytest.raises(DataError, match="num_nodes: expected a whole number of at least 0, got"):
        Graph.from_edges([[0, 1]], num_nodes=num_nodes)
    with pytest.raises(DataError, match="num_nodes: expected edges of node ids beside it"):
        Graph.from_edges([("a", "b")], num_nodes=5)


@pytest.mark.parametrize("option", ["directed", "normalization"])
def test_switches_are_true_or_false(option):
    with pytest.raises(ConfigError, match=f"{option}: expected True or False, got 'no'"):
        Graph.from_edges([[0, 1]], **{option: "no"})


class TestMatrices:
    ONES = scipy.sparse.coo_array(([1.0, 1.0, 1.0], ([0, 0, 1], [1, 1, 2])), shape=(3, 3))

    @pytest.mark.parametrize("form", ["coo", "csr", "csc", "lil", "dok", "bsr", "dia"])
    def test_entries_that_are_there_again_are_added_in_every_form(self, form):
        assert edges_of(Graph.from_scipy(self.ONES.copy().asformat(form))) == [(0, 1, 2.0), (1, 2, 1.0)]

    def test_what_was_given_stays(self):
        Graph.from_scipy(self.ONES)
        assert self.ONES.nnz == 3

    def test_unless_something_else_is_asked_for(self):
        assert Graph.from_scipy(self.ONES, duplicates="keep").num_edges == 3
        assert not Graph.from_scipy(self.ONES, duplicates="first").is_weighted

    def test_indices_beyond_the_shape(self):
        matrix = scipy.sparse.csr_array(np.eye(3))
        matrix.indices[0] = 99
        with pytest.raises(DataError, match="matrix: expected rows and columns within its shape"):
            Graph.from_scipy(matrix)


class TestNetworkx:
    @pytest.fixture(autouse=True)
    def nx(self):
        self.nx = pytest.importorskip("networkx")

    def test_an_attribute_that_no_edge_has(self):
        graph = self.nx.Graph()
        graph.add_edge("a", "b", w=5)
        graph.add_edge("b", "c")
        with pytest.raises(DataError, match=r"expected an edge attribute 'wieght', got \['w'\]"):
            Graph.from_networkx(graph, weight="wieght")
        assert edges_of(Graph.from_networkx(graph, weight="w")) == [("a", "b", 5.0), ("b", "c", 1.0)]

    def test_integers_of_numpy_are_integers(self):
        edges = np.array([[0, 1], [1, 2]])
        graph = self.nx.Graph()
        graph.add_edges_from(edges)
        assert Graph.from_networkx(graph).names == Graph.from_edges(edges).names
        assert list(Graph.from_networkx(graph).to_networkx()) == [0, 1, 2]

    @pytest.mark.parametrize(
        ("edge", "data", "message"),
        [
            ((NAN, 1), {}, "expected a name for every node, got nan"),
            (("\udce9", "b"), {}, "names: expected text in UTF-8"),
            ((1, "1"), {}, "expected each name once, got '1' twice"),
            ((0, 1), {"weight": None}, "edge attribute 'weight': expected numbers, got None"),
            ((0, 1), {"weight": 10**400}, "got inf"),
        ],
    )
    def test_refused(self, edge, data, message):
        graph = self.nx.Graph()
        graph.add_edge(*edge, **data)
        with pytest.raises(DataError, match=message):
            Graph.from_networkx(graph)

    def test_a_class(self):
        with pytest.raises(DataError, match="expected a NetworkX graph, got type"):
            Graph.from_networkx(self.nx.Graph)


def test_weights_of_igraph():
    ig = pytest.importorskip("igraph")
    graph = ig.Graph(3, [(0, 1), (1, 2)])
    graph.es["weight"] = [1, None]
    with pytest.raises(DataError, match="edge attribute 'weight': expected numbers, got None"):
        Graph.from_igraph(graph)


def test_tensors():
    torch = pytest.importorskip("torch")
    both = torch.tensor([[0, 1], [1, 0]])
    assert edges_of(Graph.from_pyg(both, weights=torch.ones(2, dtype=torch.bfloat16, requires_grad=True))) == [
        (0, 1, 1.0)
    ]
    assert edges_of(Graph.from_edges([[0, 1]], torch.tensor([1.5], requires_grad=True))) == [(0, 1, 1.5)]
    with pytest.raises(DataError, match="edge_index: expected an array, got Tensor"):
        Graph.from_pyg(torch.eye(2).to_sparse())
