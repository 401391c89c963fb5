"""Nodes that no pair reaches: they are counted, said, and have zeros instead of random first values."""

from __future__ import annotations

import logging

import numpy as np
import pytest

from nodeloom import LINE, DeepWalk, Graph
from nodeloom.plan.reach import Reach, isolated, untrained, without_edges_out
from nodeloom.tasks import node_vectors

SINKS = Graph.from_edges([[0, 1], [0, 2], [3, 0], [2, 2], [4, 4]], num_nodes=6, directed=True)
"""1 is a sink, 2 one with a loop; 3 has no edges in; 4 has a loop alone, 5 nothing."""


def test_nodes_are_told_apart():
    assert np.flatnonzero(without_edges_out(SINKS)).tolist() == [1, 2, 4, 5]
    assert np.flatnonzero(isolated(SINKS)).tolist() == [4, 5]
    assert Reach.of(SINKS) == Reach(6, num_isolated=2, num_sink=2)
    both_ways = Graph.from_edges([[0, 1], [2, 2]], num_nodes=4)
    assert Reach.of(both_ways) == Reach(4, num_isolated=2, num_sink=0)
    assert np.flatnonzero(untrained(both_ways, tied=False)).tolist() == [2, 3]
    assert Reach.of(Graph.from_edges([[0, 1]])).sentences() == []


@pytest.mark.parametrize("partitions", ["auto", 2])
def test_they_are_said_and_have_zeros(caplog, partitions):
    # Regression: the rows of sinks and of isolated nodes were their random first values, without a word.
    model = DeepWalk(dim=8, num_epoch=50, num_thread=1, num_partition=partitions)
    rows = [text for name, text in model.plan(SINKS).rows() if name == "not trained"]
    with caplog.at_level(logging.WARNING, "nodeloom"):
        model.fit(SINKS)
    said = [record.getMessage() for record in caplog.records]
    assert said == rows
    assert said[0].startswith("2 of 6 nodes have no edge to another node")
    assert said[1].startswith("2 of 6 nodes have no outgoing edges")
    assert model.vectors_.any(axis=1).tolist() == [True, False, False, True, False, False]
    assert model.context_vectors_[[1, 2]].any(axis=1).all()


def test_a_warm_start_does_not_bring_them_back():
    first = DeepWalk(dim=8, num_epoch=20, num_thread=1).fit(Graph.from_edges([[0, 1], [1, 2], [2, 0]], num_nodes=6))
    again = DeepWalk(dim=8, num_epoch=20, num_thread=1).fit(SINKS, init=first)
    assert not again.vectors_[[1, 2, 4, 5]].any()


def test_one_table_has_no_sinks():
    model = LINE(dim=8, order=1, num_epoch=20, num_thread=1)
    assert model.plan(SINKS).reach == Reach(6, num_isolated=2)
    model.fit(SINKS)
    assert model.vectors_.any(axis=1).tolist() == [True, True, True, True, False, False]
    assert model.node_vectors() is model.vectors_
    both = LINE(dim=8, order="both", num_epoch=20, num_thread=1).fit(SINKS)
    assert both.vectors_[:, :4].any(axis=1).tolist() == [True, True, True, True, False, False]
    assert both.vectors_[:, 4:].any(axis=1).tolist() == [True, False, False, True, False, False]


def test_sinks_are_told_apart_by_joined_vectors():
    random = np.random.default_rng(0)
    label = random.integers(0, 3, 300)
    is_sink = np.arange(300) >= 200
    heads = random.integers(0, 200, 1500)
    tails = np.array([random.choice(np.flatnonzero(label == label[head])) for head in heads])
    graph = Graph.from_edges(np.stack([heads, tails], axis=1), num_nodes=300, directed=True)
    model = DeepWalk(dim=16, num_epoch=300, num_thread=1, seed=1).fit(graph)
    vectors = model.node_vectors()
    assert vectors.shape == (300, 32)
    reached = is_sink & (graph.in_strengths > 0)
    names = [model.nearest(int(node), k=5) for node in np.flatnonzero(reached)[:40]]
    found = [label[name] for near in names for name, _ in near]
    assert np.mean(np.array(found) == np.repeat(label[np.flatnonzero(reached)[:40]], 5)) > 0.9
    assert node_vectors(model.vectors_, model.context_vectors_, "context") is model.context_vectors_


def test_a_table_that_is_not_there_is_refused():
    from nodeloom.errors import DataError

    vectors = np.ones((3, 2), np.float32)
    assert node_vectors(vectors, None) is vectors
    for table in ("context", "joined"):
        with pytest.raises(DataError, match="expected vertex, or a model with context vectors"):
            node_vectors(vectors, None, table)
    with pytest.raises(DataError, match="auto, vertex, context or joined"):
        node_vectors(vectors, vectors, "other")
