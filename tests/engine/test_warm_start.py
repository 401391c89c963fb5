"""First values from another model."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.engine import make_plan
from nodeloom.engine.initial import warm_tables
from nodeloom.errors import ModelError
from nodeloom.io.vocabulary import Vocabulary

NAMES = ["a", "b", "c", "d"]


def model(names=NAMES, dim=16, seed=0):
    random = np.random.default_rng(seed)
    vocabulary = Vocabulary.range(names) if isinstance(names, int) else Vocabulary.from_names(names)
    shape = (len(vocabulary), dim)
    return SimpleNamespace(
        vectors_=random.random(shape, dtype=np.float32) + 1,
        context_vectors_=random.random(shape, dtype=np.float32) + 1,
        graph_names_=vocabulary,
    )


def warm(engine, graph, init, **values):
    return warm_tables(graph, make_plan(graph, engine.settings(**values)), init).tensors


def named(edges, names, **options):
    return Graph.from_edges([[names.index(a), names.index(b)] for a, b in edges], names=names, **options)


def test_rows_go_by_name(engine):
    old = model()
    tables = warm(engine, named(["db", "ca", "ab"], ["d", "c", "a", "b"]), old)
    order = [3, 2, 0, 1]
    assert (tables["vertex"] == old.vectors_[order]).all()
    assert (tables["context"] == old.context_vectors_[order]).all()


def test_new_nodes_begin_at_the_mean_of_their_neighbours(engine):
    old = model()
    graph = named(["ab", "bc", "cd", "xa", "xb", "xy", "yz"], [*NAMES, "x", "y", "z"], weights=[1, 1, 1, 3, 1, 9, 9])
    tables = warm(engine, graph, old)
    for name, table in (("vertex", old.vectors_), ("context", old.context_vectors_)):
        np.testing.assert_allclose(tables[name][4], (3 * table[0] + table[1]) / 4, rtol=1e-6)
        assert not tables[name][5:].any()  # y knows only x, which is new itself: the usual first values


def test_directed_neighbours_are_at_both_ends(engine):
    # Regression: a new node with arcs into it only began at random.
    old = model()
    tables = warm(engine, named(["ab", "cd", "ax", "xb", "dy"], [*NAMES, "x", "y"], directed=True), old)
    np.testing.assert_allclose(tables["vertex"][4], (old.vectors_[0] + old.vectors_[1]) / 2, rtol=1e-6)
    np.testing.assert_allclose(tables["vertex"][5], old.vectors_[3], rtol=1e-6)


def test_integer_names_and_their_digits_are_the_same(engine):
    old = model(4)
    tables = warm(engine, named([("2", "0"), ("0", "1")], ["2", "0", "1"]), old)
    assert (tables["vertex"] == old.vectors_[[2, 0, 1]]).all()
    tables = warm(engine, Graph.from_edges([[0, 1], [1, 2]]), model(["1", "0", "x"]))
    assert (tables["vertex"][:2] == model(["1", "0", "x"]).vectors_[[1, 0]]).all()


@pytest.mark.parametrize("order", [1, "both"])
def test_training_begins_there(engine, graph, order):
    old = model(graph.num_nodes, dim=20)
    values = {"model": "LINE", "order": order, "dim": 20, "lr": 1e-12, "weight_decay": 0.0, "num_epoch": 1}
    tables = engine.train(graph, init=old, **values)
    if order == 1:
        assert tables.context is tables.vertex
        np.testing.assert_allclose(tables.vertex, old.vectors_, rtol=1e-5)
        return
    np.testing.assert_allclose(tables.vertex, old.vectors_, rtol=1e-5)
    np.testing.assert_allclose(tables.context[:, 10:], old.context_vectors_[:, 10:], rtol=1e-5)


def test_rows_without_knowledge_begin_as_usual(engine):
    graph = named(["ab", "bc", "cd", "yz"], [*NAMES, "y", "z"])
    values = {"lr": 1e-12, "weight_decay": 0.0, "num_epoch": 1}
    cold, begun = engine.train(graph, **values), engine.train(graph, init=model(), **values)
    np.testing.assert_allclose(begun.vertex[4:], cold.vertex[4:], rtol=1e-5)
    assert (begun.vertex[:4] > 0.9).all()


def test_moments_begin_at_zero(engine, graph):
    old = model(graph.num_nodes)
    tables = engine.train(graph, init=old, optimizer="Adam", num_epoch=1)
    assert np.isfinite(tables.vertex).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors_": np.ones((4, 8), np.float32)}, "vectors of dim 16, got 'dim 8'. Give dim=8"),
        ({"vectors_": np.ones((3, 16), np.float32)}, "a vertex vector for each of its 4 names"),
        ({"vectors_": np.ones(16, np.float32)}, "a vertex vector for each of its 4 names"),
        ({"context_vectors_": np.ones((4, 8), np.float32)}, "vectors of dim 16, got 'dim 8'"),
        ({"vectors_": np.full((4, 16), np.nan, np.float32)}, "finite vectors, got 'NaN or infinity in the vertex"),
        (
            {"context_vectors_": np.full((4, 16), np.inf, np.float32)},
            "finite vectors, got 'NaN or infinity in the context table'",
        ),
        (
            {"graph_names_": Vocabulary.from_names(["p", "q", "r", "s"])},
            "a model that shares node names .*got 'none in common'",
        ),
    ],
)
def test_refusals(engine, change, message):
    init = SimpleNamespace(**{**vars(model()), **change})
    with pytest.raises(ModelError, match=f"init: expected {message}"):
        warm(engine, named(["ab", "bc", "cd"], NAMES), init)


def test_a_file_name_is_no_model(engine):
    with pytest.raises(ModelError, match=r"init: expected a fitted model, got 'str'\. .*nodeloom\.load"):
        warm(engine, named(["ab", "bc", "cd"], NAMES), "model.safetensors")
