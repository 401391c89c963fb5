"""A graph is asked by name, or by id where that is said; what it does not have is told with what was probably meant."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.errors import DataError, GraphError, ParameterError, UnknownNodeError

EDGES = [["ann", "bob"], ["bob", "eve"], ["eve", "ann"], ["eve", "joe"]]


@pytest.fixture
def graph():
    return Graph.from_edges(EDGES)


def test_by_name(graph):
    assert len(graph) == 4
    assert "ann" in graph
    assert "zoe" not in graph
    assert 0 not in graph
    assert graph.neighbors("eve") == ["ann", "bob", "joe"]
    assert graph.degree("eve") == 3
    assert graph.has_edges(["ann", "joe"], ["bob", "ann"]).tolist() == [True, False]
    assert graph.has_edges("ann", "bob").tolist() == [True]
    assert graph.has_edges(np.array(["ann"], object), np.array(["eve"])).tolist() == [True]
    assert graph.remove_edges(["ann"], ["bob"]).neighbors("ann") == ["eve"]


def test_by_id(graph):
    heads, tails, _ = graph.edge_columns()
    assert graph.has_edges(heads, tails, ids=True).all()
    assert graph.neighbors(2, ids=True).tolist() == [0, 1, 3]
    assert graph.degree(np.int64(2), ids=True) == 3
    assert graph.remove_edges(heads, tails, ids=True).num_edges == 0
    for wrong in (4, -1, "ann", 1.0, True, None):
        with pytest.raises(GraphError, match="expected an id from 0 to 3, got"):
            graph.neighbors(wrong, ids=True)


def test_integer_names_are_names():
    # Regression: 30 was taken for an id, and where there was one it was the wrong node.
    graph = Graph.from_edges([[0, 1], [1, 2]], names=[1, 2, 0])
    assert graph.neighbors(2) == [1, 0]
    assert graph.neighbors("2") == [1, 0]
    assert graph.neighbors(2, ids=True).tolist() == [1]
    assert graph.has_edges([1, 1], ["2", 0]).tolist() == [True, False]
    with pytest.raises(UnknownNodeError, match="such as 1 and 2"):
        graph.neighbors("007")


@pytest.mark.parametrize("ask", ["neighbors", "degree"])
@pytest.mark.parametrize("name", ["An", 7, ""])
def test_unknown_names(graph, ask, name):
    with pytest.raises(UnknownNodeError, match=f"1 unknown name: {name!r}") as raised:
        getattr(graph, ask)(name)
    assert isinstance(raised.value, KeyError | ValueError)
    assert str(raised.value).startswith("expected names of nodes")


@pytest.mark.parametrize("name", [None, 1.5, True, ("a", "b"), ["ann"]])
def test_what_is_no_name(graph, name):
    with pytest.raises(DataError, match="expected text or integers"):
        graph.neighbors(name)


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: Graph.from_edges(EDGES, weigths=[1]), "there is no parameter 'weigths'. Did you mean 'weights'?"),
        (lambda: Graph.from_file("x", sep=","), "Graph.from_file: there is no parameter 'sep'. Did you mean 'delimiters'?"),
        (lambda: Graph.from_pandas(None, weight=True), "Graph.from_pandas: .*Did you mean 'weighted'?"),
        (lambda: Graph.from_scipy(None, self_loop="drop"), "Graph.from_scipy: .*Did you mean 'self_loops'?"),
        (lambda: Graph.from_networkx(None, undirected=True), "Graph.from_networkx: .*Did you mean 'directed'?"),
        (lambda: Graph.from_arrow(None, xyzzy=1), r"Graph.from_arrow: there is no parameter 'xyzzy'\. There are table, col"),
        (lambda: Graph([[0, 1]]), "Graph: missing a required argument: 'indices'. Its parameters are indptr, indices, weights"),
        (lambda: Graph(nodes=3), "Graph: there is no parameter 'nodes'. Did you mean 'names'?"),
        (lambda: Graph.from_file(), "Graph.from_file: missing a required argument: 'path'"),
        (lambda: Graph.compile("x", "y", memory=1), "Graph.compile: .*Did you mean 'memory_limit'?"),
    ],
)  # fmt: skip
def test_unknown_keywords(call, meant):
    with pytest.raises(ParameterError, match=meant.replace("?", r"\?")) as raised:
        call()
    assert isinstance(raised.value, TypeError)
    assert "BuildOptions" not in str(raised.value)
