"""Small and odd graphs, all widths, all lengths of walks: finite vectors, and nothing moves that was not trained."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import LINE, DeepWalk, Graph, Node2Vec
from nodeloom.errors import GraphError

LOOPS = [[i, i] for i in range(10)]
PATH = [[i, i + 1] for i in range(9)]

GRAPHS = {
    "one edge": Graph.from_edges([[0, 1]]),
    "one edge and isolated nodes": Graph.from_edges([[3, 7]], num_nodes=10),
    "star": Graph.from_edges([[0, i] for i in range(1, 40)]),
    "path": Graph.from_edges(PATH),
    "two components": Graph.from_edges([*PATH, [20, 21], [21, 22]]),
    "loops and edges": Graph.from_edges([*LOOPS, *PATH]),
    "parallel edges": Graph.from_edges([*PATH, *PATH, [0, 1]], duplicates="keep"),
    "complete": Graph.from_edges([[i, j] for i in range(12) for j in range(i)]),
    "weighted": Graph.from_edges(PATH, weights=[1e-6, 1e6, 1, 1, 1, 3, 1e-30, 1, 1]),
    "arc": Graph.from_edges([[0, 1]], directed=True),
    "source and sinks": Graph.from_edges([[0, i] for i in range(1, 20)], directed=True),
    "sources and sink": Graph.from_edges([[i, 0] for i in range(1, 20)], directed=True),
    "cycle": Graph.from_edges([*PATH, [9, 0]], directed=True),
    "directed with loops": Graph.from_edges([*LOOPS, *PATH], directed=True),
    "directed weighted": Graph.from_edges(PATH, weights=np.arange(1.0, 10.0), directed=True),
}
MODELS = {
    "DeepWalk": (DeepWalk, {}),
    "first order": (LINE, {"order": 1}),
    "both orders": (LINE, {"order": "both"}),
    "edges": (LINE, {"augmentation_step": 1}),
    "node2vec": (Node2Vec, {"p": 0.25, "q": 4.0}),
    "Adam": (DeepWalk, {"optimizer": "Adam"}),
}


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("num_epoch", [1, 200])
def test_finite_and_trained(name, model, num_epoch):
    graph, (kind, parameters) = GRAPHS[name], MODELS[model]
    fitted = kind(dim=6, num_epoch=num_epoch, **parameters).fit(graph)
    for table in (fitted.vectors_, fitted.context_vectors_):
        assert table.shape == (graph.num_nodes, 6)
        assert np.isfinite(table).all()
    assert fitted.context_vectors_.any()
    assert fitted.report_["num_pair"] >= num_epoch * graph.num_edges
    assert np.isfinite(fitted.report_["loss"])


@pytest.mark.parametrize("edges", [LOOPS, LOOPS[:1], np.zeros((0, 2), np.int64)])
@pytest.mark.parametrize("directed", [False, True])
def test_nothing_to_learn_from(edges, directed):
    graph = Graph.from_edges(edges, num_nodes=12, directed=directed)
    for use in (DeepWalk(dim=4).fit, DeepWalk(dim=4).plan):
        with pytest.raises(GraphError, match="an edge between two different nodes"):
            use(graph)


@pytest.mark.parametrize("directed", [False, True])
def test_isolated_nodes_have_zeros(directed):
    graph = Graph.from_edges([[1, 3], [3, 5], [5, 1]], num_nodes=8, directed=directed)
    isolated = [0, 2, 4, 6, 7]
    few, many = (DeepWalk(dim=10, num_epoch=n).fit(graph) for n in (1, 500))
    assert not many.vectors_[isolated].any()
    assert not many.context_vectors_[isolated].any()
    assert (few.vectors_[[1, 3, 5]] != many.vectors_[[1, 3, 5]]).all()


def test_sinks_are_contexts_and_sources_are_vertices():
    graph = Graph.from_edges([[i, 10 + (i * 3 + k) % 7] for i in range(10) for k in (0, 1)], directed=True)
    few, many = (LINE(dim=10, num_epoch=n).fit(graph) for n in (1, 500))
    assert not many.vectors_[10:].any()  # no pair has a sink as its vertex
    assert (few.vectors_[:10] != many.vectors_[:10]).any(axis=1).all()
    assert not many.context_vectors_[:10].any()  # sources are nobody's context, nor negatives
    assert many.context_vectors_[10:].any(axis=1).all()


def test_direction_matters_for_scores():
    random = np.random.default_rng(0)
    order = random.permutation(60)
    heads, tails = random.integers(60, size=(2, 900))
    apart = (order[heads] < order[tails]) & (order[tails] - order[heads] < 8)
    edges = np.column_stack([heads, tails])[apart]
    model = LINE(dim=16, num_epoch=2000, augmentation_step=1, deterministic=True).fit(
        Graph.from_edges(edges, num_nodes=60, directed=True)
    )
    forward, backward = model.score_edges(*edges.T), model.score_edges(*edges.T[::-1])
    assert (forward > backward).mean() > 0.9


def test_weights_matter():
    # A ring of pairs: heavy inside a pair, light between pairs. With the weights the heavy partner is nearest.
    edges = [[2 * i, 2 * i + 1] for i in range(20)] + [[2 * i + 1, (2 * i + 2) % 40] for i in range(20)]
    weights = [50.0] * 20 + [1.0] * 20

    def partners(graph):
        model = DeepWalk(dim=16, num_epoch=1000, augmentation_step=1, deterministic=True).fit(graph)
        scores = model.vectors_ @ model.context_vectors_.T
        return np.mean([scores[2 * i, 2 * i + 1] > scores[2 * i, (2 * i - 1) % 40] for i in range(20)])

    assert partners(Graph.from_edges(edges, weights=weights)) > 0.9
    assert partners(Graph.from_edges(edges)) < 0.9


def test_parallel_edges_count_as_often():
    once = Graph.from_edges([*PATH, *LOOPS[:1]], weights=[2.0] + [1.0] * 9)
    twice = Graph.from_edges([*PATH, [0, 1], *LOOPS[:1]], duplicates="keep")
    assert (once.num_edges, twice.num_edges) == (10, 11)
    assert np.allclose(once.strengths, twice.strengths)
    assert np.isfinite(DeepWalk(dim=4, num_epoch=50).fit(twice).vectors_).all()


@pytest.mark.parametrize("dim", [1, 2, 3, 15, 16, 17, 100, 130])
@pytest.mark.parametrize("model", MODELS)
def test_all_widths(graph, dim, model):
    kind, parameters = MODELS[model]
    if parameters.get("order") == "both" and dim == 1:
        return
    fitted = kind(dim=dim, num_epoch=40, deterministic=True, **parameters).fit(graph)
    assert fitted.vectors_.shape == fitted.context_vectors_.shape == (300, dim)
    assert np.isfinite(fitted.vectors_).all()
    losses = [seen["loss"] for seen in fitted.history_]
    assert np.mean(losses[-len(losses) // 4 :]) < losses[0]  # that of one pool is left to chance


@pytest.mark.parametrize("length", [1, 2, 3, 5, 20, 31, 32, 33, 62, 63, 64, 65, 100, 127, 128, 129, 191, 192, 200])
@pytest.mark.parametrize("step", [1, 2, 5, 70, 200])
@pytest.mark.parametrize("directed", [False, True])
def test_all_lengths_of_walks(length, step, directed):
    if step > length:
        return
    ring = Graph.from_edges([[i, (i + k) % 50] for i in range(50) for k in (1, 2)], directed=directed)
    model = DeepWalk(dim=8, num_epoch=20, random_walk_length=length, augmentation_step=step).fit(ring)
    assert np.isfinite(model.vectors_).all()
    assert model.vectors_.any(axis=1).all()
    assert model.report_["num_pair"] >= 20 * ring.num_edges


@pytest.mark.slow
def test_wide_ids(graph):
    # As on graphs of more than 2^31 nodes.
    wide = Graph(graph.indptr, graph.indices.astype(np.int64), None, graph.names)
    for kind, parameters in ((DeepWalk, {}), (Node2Vec, {"p": 0.5})):
        narrow, other = (kind(dim=8, num_epoch=50, deterministic=True, **parameters).fit(g) for g in (graph, wide))
        assert (narrow.vectors_ == other.vectors_).all()
