"""Graphs of other libraries: in, and out again."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse

from nodeloom.errors import ConfigError, DataError
from nodeloom.graph import Graph


def edges_of(graph):
    """The edges by name, in a form that can be compared."""
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    values = [1.0] * len(heads) if weights is None else weights.tolist()
    order = tuple if graph.directed else (lambda pair: tuple(sorted(pair)))
    return sorted((*order(pair), w) for pair, w in zip(ends, values, strict=True))


@pytest.fixture
def triangle():
    """An undirected weighted triangle with a tail, a loop and a node without edges."""
    pairs = [("a", "b"), ("b", "c"), ("c", "a"), ("c", "d"), ("d", "d")]
    return Graph.from_edges(
        [["abcde".index(h), "abcde".index(t)] for h, t in pairs], [1, 2, 3, 4, 5], names=["a", "b", "c", "d", "e"]
    )


class TestScipy:
    def test_round_trip(self, triangle):
        again = Graph.from_scipy(triangle.to_scipy(), names=triangle.names)
        assert again.fingerprint() == triangle.fingerprint()
        assert again.names == triangle.names

    @pytest.mark.parametrize("form", ["csr_array", "csc_array", "coo_array", "csr_matrix", "lil_array"])
    def test_forms(self, triangle, form):
        matrix = getattr(scipy.sparse, form)(triangle.to_scipy())
        assert Graph.from_scipy(matrix).fingerprint() == triangle.fingerprint()

    def test_a_triangle_of_the_matrix_gives_the_same_graph(self, triangle):
        upper = scipy.sparse.triu(triangle.to_scipy())
        assert Graph.from_scipy(upper).fingerprint() == triangle.fingerprint()

    def test_directed_takes_every_entry(self, triangle):
        graph = Graph.from_scipy(triangle.to_scipy(), directed=True)
        assert graph.num_edges == len(triangle.indices)

    def test_all_ones_are_unweighted(self):
        matrix = scipy.sparse.csr_array(np.array([[0, 1], [1, 0]]))
        assert not Graph.from_scipy(matrix).is_weighted
        assert Graph.from_scipy(matrix, weighted=True).is_weighted
        assert not Graph.from_scipy(matrix * 2, weighted=False).is_weighted
        assert not Graph.from_scipy(matrix.astype(bool)).is_weighted

    def test_stored_zeros_are_no_edges(self):
        matrix = scipy.sparse.coo_array(([1.0, 0.0], ([0, 1], [1, 2])), shape=(3, 3))
        assert Graph.from_scipy(matrix).num_edges == 1

    def test_copy(self, triangle):
        copied, shared = triangle.to_scipy(), triangle.to_scipy(copy=False)
        copied.data[:] = 0
        assert triangle.weights.min() > 0
        assert np.shares_memory(shared.indices, triangle.indices)

    @pytest.mark.parametrize(
        ("matrix", "message"),
        [
            (np.eye(2), "expected a SciPy sparse matrix, got ndarray"),
            (scipy.sparse.csr_array((2, 3)), r"expected a square matrix, got shape \[2, 3\]"),
            (scipy.sparse.csr_array([[0, -1.0], [1, 0]]), "expected positive, finite weights, got -1.0"),
            (scipy.sparse.csr_array([[0, np.nan], [1, 0]]), "got nan"),
            (scipy.sparse.csr_array([[0, 1j], [1, 0]]), "expected real entries"),
        ],
    )
    def test_refused(self, matrix, message):
        with pytest.raises(DataError, match=message):
            Graph.from_scipy(matrix)

    def test_option_weighted(self):
        with pytest.raises(ConfigError, match="weighted: expected True, False or 'auto', got 'yes'"):
            Graph.from_scipy(scipy.sparse.csr_array([[0, 1], [1, 0]]), weighted="yes")

    def test_wrong_number_of_names(self):
        with pytest.raises(DataError, match="expected a name for each of the 2 nodes, got 1 names"):
            Graph.from_scipy(scipy.sparse.csr_array([[0, 1], [1, 0]]), names=["a"])


class TestNetworkx:
    @pytest.fixture(autouse=True)
    def nx(self):
        self.nx = pytest.importorskip("networkx")

    def test_round_trip(self, triangle):
        there = triangle.to_networkx()
        assert list(there) == ["a", "b", "c", "d", "e"]
        assert there["c"]["d"] == {"weight": 4.0}
        again = Graph.from_networkx(there)
        assert edges_of(again) == edges_of(triangle)
        assert again.num_nodes == 5

    def test_direction_is_that_of_the_graph(self):
        arcs = self.nx.DiGraph([(1, 2), (2, 1), (2, 3)])
        graph = Graph.from_networkx(arcs)
        assert graph.directed
        assert edges_of(graph) == [(1, 2, 1.0), (2, 1, 1.0), (2, 3, 1.0)]
        assert isinstance(graph.to_networkx(), self.nx.DiGraph)
        assert not Graph.from_networkx(arcs, directed=False).directed

    def test_parallel_edges(self):
        multi = self.nx.MultiGraph([("a", "b"), ("a", "b")])
        assert Graph.from_networkx(multi).num_edges == 1
        kept = Graph.from_networkx(multi, duplicates="keep")
        assert kept.num_edges == 2
        back = kept.to_networkx()
        assert isinstance(back, self.nx.MultiGraph)
        assert back.number_of_edges("a", "b") == 2

    def test_parallel_arcs(self):
        multi = self.nx.MultiDiGraph([("a", "b"), ("a", "b"), ("b", "a")])
        back = Graph.from_networkx(multi, duplicates="keep").to_networkx()
        assert isinstance(back, self.nx.MultiDiGraph)
        assert (back.number_of_edges("a", "b"), back.number_of_edges("b", "a")) == (2, 1)

    def test_weights(self):
        source = self.nx.Graph()
        source.add_edge(0, 1, weight=3, cost=7)
        source.add_edge(1, 2)
        assert edges_of(Graph.from_networkx(source)) == [(0, 1, 3.0), (1, 2, 1.0)]
        assert edges_of(Graph.from_networkx(source, weight="cost")) == [(0, 1, 7.0), (1, 2, 1.0)]
        assert not Graph.from_networkx(source, weight=None).is_weighted

    def test_weights_that_are_no_numbers(self):
        source = self.nx.Graph()
        source.add_edge(0, 1, weight="heavy")
        with pytest.raises(DataError, match="edge attribute 'weight': expected numbers, got"):
            Graph.from_networkx(source)

    def test_other_nodes_are_named_by_their_text(self):
        graph = Graph.from_networkx(self.nx.grid_2d_graph(2, 2))
        assert graph.names.to_list() == ["(0, 0)", "(0, 1)", "(1, 0)", "(1, 1)"]

    def test_another_object(self):
        with pytest.raises(DataError, match="expected a NetworkX graph, got list"):
            Graph.from_networkx([])

    def test_missing_library(self, triangle, monkeypatch):
        monkeypatch.setitem(sys.modules, "networkx", None)
        with pytest.raises(DataError, match="pip install networkx"):
            triangle.to_networkx()


class TestIgraph:
    @pytest.fixture(autouse=True)
    def ig(self):
        self.ig = pytest.importorskip("igraph")

    def test_names_weights_and_direction(self):
        source = self.ig.Graph.TupleList([("a", "b", 2.0), ("c", "b", 3.0)], weights=True, directed=True)
        graph = Graph.from_igraph(source)
        assert graph.directed
        assert edges_of(graph) == [("a", "b", 2.0), ("c", "b", 3.0)]
        assert not Graph.from_igraph(source, directed=False, weight=None).directed

    def test_without_names(self):
        graph = Graph.from_igraph(self.ig.Graph(4, [(0, 1), (1, 2)]))
        assert graph.names.is_range
        assert (graph.num_nodes, graph.num_edges, graph.is_weighted) == (4, 2, False)

    def test_refused(self):
        with pytest.raises(DataError, match="expected an igraph graph, got int"):
            Graph.from_igraph(3)
        with pytest.raises(DataError, match="expected an edge attribute 'cost'"):
            Graph.from_igraph(self.ig.Graph(2, [(0, 1)]), weight="cost")


class TestPyg:
    BOTH = np.array([[0, 1, 1, 2], [1, 0, 2, 1]])

    def test_edge_index_holds_undirected_edges_both_ways(self):
        graph = Graph.from_pyg(self.BOTH, weights=[2, 2, 3, 3])
        assert edges_of(graph) == [(0, 1, 2.0), (1, 2, 3.0)]
        assert Graph.from_pyg(self.BOTH, duplicates="keep").num_edges == 2
        assert Graph.from_pyg(self.BOTH, directed=True).num_edges == 4
        assert Graph.from_pyg(self.BOTH[:, ::2]).num_edges == 2

    def test_data(self):
        data = SimpleNamespace(edge_index=self.BOTH, edge_weight=np.array([2, 2, 3, 3]), num_nodes=5)
        graph = Graph.from_pyg(data, names=list("abcde"))
        assert graph.num_nodes == 5
        assert edges_of(graph) == [("a", "b", 2.0), ("b", "c", 3.0)]

    def test_tensors(self):
        torch = pytest.importorskip("torch")
        data = SimpleNamespace(edge_index=torch.tensor(self.BOTH), edge_weight=None, num_nodes=3)
        assert Graph.from_pyg(data).num_edges == 2

    @pytest.mark.parametrize(
        ("data", "message"),
        [
            (np.zeros((3, 2), int), r"expected integers of shape \[2, E\], got int64 of shape \[3, 2\]"),
            (np.zeros((2, 3)), "got float64"),
            (SimpleNamespace(edge_index=None), "got one without"),
            (np.array([[0], [-1]]), "got tail -1 in row 0"),
        ],
    )
    def test_refused(self, data, message):
        with pytest.raises(DataError, match=message):
            Graph.from_pyg(data)


@pytest.mark.torch
def test_import_leaves_optional_libraries_alone():
    import subprocess

    code = (
        "import sys, nodeloom.graph; "
        "optional = {'pandas', 'networkx', 'igraph', 'polars', 'torch', 'sklearn', 'pyarrow.csv', 'pyarrow.parquet'}; "
        "print(sorted(optional & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
