"""Propagation and factorization: what they compute, on any number of threads, and how they end."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.special
from spectral_settings import settings

from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine.spectral import choose, make_spectral_plan, run_spectral
from nodeloom.engine.spectral.operator import backward, forward
from nodeloom.engine.spectral.prone import Chebyshev, shifted_pmi
from nodeloom.engine.spectral.tables import CpuTables, group_bounds
from nodeloom.engine.spectral.training import context_vectors, scale_ends
from nodeloom.errors import ConfigError, GraphError, TrainingError, TrainingInterrupted


def computed(graph, **options):
    return run_spectral(graph, make_spectral_plan(graph, settings(**options))).vertex


@pytest.fixture(scope="module")
def graph():
    edges = planted_partition(500, 3000, 5, seed=3)[0]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(edges))
    return Graph.from_edges(edges, weights=weights, num_nodes=503)  # the last three have no edges


@pytest.fixture(scope="module")
def arcs():
    edges = np.random.default_rng(1).integers(200, size=(900, 2))
    return Graph.from_edges(edges, num_nodes=205, directed=True)


def dense(matrix):
    data = matrix.weights if len(matrix.weights) else np.ones(len(matrix.indices))
    n = len(matrix.factors)
    return sp.csr_array((data, matrix.indices, matrix.indptr), shape=(n, n)).toarray() * matrix.factors


def test_operators(graph, arcs):
    adjacency = graph.to_scipy().toarray()
    strengths = np.where(graph.strengths > 0, graph.strengths, 1)
    np.testing.assert_allclose(dense(forward(graph, 0.5)), adjacency / np.sqrt(strengths / strengths.max()), rtol=1e-5)
    adjacency = arcs.to_scipy().toarray()
    np.testing.assert_allclose(dense(forward(arcs, 0.0)), adjacency)
    np.testing.assert_allclose(dense(backward(arcs, 0.0)), adjacency.T)
    out = np.where(arcs.strengths > 0, arcs.strengths, 1)
    np.testing.assert_allclose(dense(backward(arcs, 1.0)), adjacency.T / (out / out.max()), rtol=1e-5)


def by_definition(graph, start, steps, exponent, residual):
    """Propagate in float64, without blocks."""
    adjacency = graph.to_scipy().toarray().astype(np.float64)
    strengths = np.where(graph.strengths > 0, graph.strengths, 1)
    walk = adjacency / strengths**exponent
    walk /= np.where(walk.sum(axis=1) > 0, walk.sum(axis=1), 1)[:, None]
    table, some = start.astype(np.float64), graph.strengths > 0
    for _ in range(steps):
        table = (1 - residual) * walk @ table + residual * table
        table[some] /= np.linalg.norm(table[some], axis=1, keepdims=True)
        table[~some] = 0
        centred = table[some] - table[some].mean(axis=0)
        values, vectors = np.linalg.eigh(centred.T @ centred / (some.sum() - 1))
        table[some] = centred @ vectors / np.sqrt(values)
    return table


@pytest.mark.parametrize(("exponent", "residual"), [(0.0, 0.0), (0.25, 0.0), (0.5, 0.3)])
def test_propagation_is_what_it_says(graph, exponent, residual):
    with CpuTables(1).running() as backend:
        from nodeloom.rng import Purpose, stream

        start = backend.random(stream(0, Purpose.PROPAGATION), graph.num_nodes, 8)
    if residual:
        start[graph.strengths == 0] = 0
    want = by_definition(graph, start, 4, exponent, residual)
    got = computed(graph, num_iteration=4, degree_exponent=exponent, residual=residual, row_length=1.0)
    length = np.linalg.norm(want, axis=1, keepdims=True)
    want /= np.where(length > 0, length, 1)
    if residual:
        got = got[graph.strengths > 0]
        want = want[graph.strengths > 0]
    # Up to a rotation: products of rows.
    np.testing.assert_allclose(got @ got.T, want @ want.T, atol=2e-4)


@pytest.mark.parametrize("model", ["propagation", "ProNE"])
def test_the_same_on_any_number_of_threads(graph, model):
    one = computed(graph, model=model, dim=33, num_thread=1)
    for num_thread in (2, 5):
        np.testing.assert_array_equal(computed(graph, model=model, dim=33, num_thread=num_thread), one)
    assert not np.array_equal(computed(graph, model=model, dim=33, seed=1), one)


@pytest.mark.parametrize(
    "options", [{}, {"model": "ProNE"}, {"whiten": False}, {"num_scale": 3}, {"residual": 0.4}], ids=str
)
def test_rows_have_the_length_of_the_plan(graph, options):
    vectors = computed(graph, dim=10, row_length=1.5, **options)
    assert vectors.shape == (503, 10) and vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors[:500], axis=1), 1.5, rtol=1e-4)
    np.testing.assert_array_equal(vectors[500:], 0.0)


@pytest.mark.parametrize("direction", ["both", "out", "in"])
def test_directions(arcs, direction):
    vectors = computed(arcs, direction=direction, num_iteration=3)
    assert np.isfinite(vectors).all()
    sources, sinks = arcs.degrees > 0, arcs.in_strengths > 0
    has = {"both": sources | sinks, "out": sources, "in": sinks}[direction]
    np.testing.assert_array_equal(vectors.any(axis=1), has)


def test_communities_are_found(graph):
    labels = planted_partition(500, 3000, 5, seed=3)[1]
    for model in ("propagation", "ProNE"):
        vectors = computed(graph, model=model, dim=4)[:500]
        centres = np.stack([vectors[labels == i].mean(axis=0) for i in range(5)])
        assert ((vectors @ centres.T).argmax(axis=1) == labels).mean() > 0.9


@pytest.mark.parametrize("model", ["propagation", "ProNE"])
@pytest.mark.parametrize("dim", [11, 12, 64])
@pytest.mark.parametrize("num_scale", [1, 3])
def test_more_columns_than_nodes(caplog, model, dim, num_scale):
    # Regression: from dim N - 1 on all vectors were at the same angle to each other, and columns were zeros.
    path = Graph.from_edges([[i, i + 1] for i in range(11)], num_nodes=15)
    vectors = computed(path, model=model, dim=dim, num_scale=num_scale if model == "propagation" else 1)
    most = 12 if model == "ProNE" else 6 * num_scale
    assert 4 <= vectors.shape[1] <= min(dim, most)
    assert vectors.any(axis=0).all()
    assert vectors.any(axis=1).tolist() == [True] * 12 + [False] * 3
    cosines = vectors[:12] @ vectors[:12].T / 4
    neighbours = cosines[np.arange(11), np.arange(1, 12)]
    assert neighbours.min() > cosines[0, 6:].max() + 0.1
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "3 of 15 nodes have no edge to another node: their vectors are zeros."
    if vectors.shape[1] < dim:
        assert said[1].startswith(f"{model}: vectors have {vectors.shape[1]} columns instead of {dim}")


def star(leaves):
    return [[0, i] for i in range(1, leaves + 1)]


def complete(nodes):
    return list(itertools.combinations(range(nodes), 2))


@pytest.mark.parametrize("dim", [2, 16])
@pytest.mark.parametrize("edges", [[[0, 1]], star(2), star(30), complete(3), complete(8), complete(70)], ids=len)
def test_graphs_that_tell_no_nodes_apart_are_refused(edges, dim):
    # Regression: a single edge gave zeros, and cliques random vectors, without a word.
    with pytest.raises(GraphError, match=r"Take model='DeepWalk'\."):
        computed(Graph.from_edges(edges, num_nodes=100), dim=dim)
    if len(edges) != len(star(30)) and len(edges) != 2:  # ProNE tells the middle of a star from its leaves
        with pytest.raises(GraphError, match=r"Take model='DeepWalk'\."):
            computed(Graph.from_edges(edges, num_nodes=100), dim=dim, model="ProNE")


def test_parts_of_a_graph_are_told_apart():
    pairs = Graph.from_edges([[2 * i, 2 * i + 1] for i in range(10)])
    cliques = Graph.from_edges([*complete(6), *(np.array(complete(6)) + 6), [0, 6]])
    for graph, apart in ((pairs, 2), (cliques, 6)):
        vectors = computed(graph, dim=64)
        cosines = vectors @ vectors.T / 4
        assert cosines[0, 1 : min(apart, 6)].min() > 0.9
        assert cosines[0, apart:].max() < 0.2
        assert 1 <= vectors.shape[1] <= graph.num_nodes // 2


@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1e30])
@pytest.mark.parametrize("options", [{}, {"residual": 0.0, "num_scale": 4}, {"model": "ProNE"}], ids=str)
def test_the_unit_of_weights_does_not_matter(graph, scale, options):
    # Regression: weights of 1e-30 gave zeros, and ProNE another filter.
    edges = np.stack(graph.edge_columns()[:2], axis=1)
    some = [Graph.from_edges(edges, weights=np.full(len(edges), weight), num_nodes=503) for weight in (scale, 1.0)]
    np.testing.assert_allclose(*(computed(g, **options) for g in some), atol=1e-5)


def test_it_ends_when_it_has_converged():
    two = Graph.from_edges([[0, 1], [1, 2], [2, 0], [2, 3], [3, 4], [4, 5], [5, 3]])
    result = run_spectral(two, make_spectral_plan(two, settings(dim=2)))
    assert result.report.converged
    assert result.report.num_step < choose.NUM_ITERATION
    assert len(result.history) == result.report.num_step
    fixed = run_spectral(two, make_spectral_plan(two, settings(dim=2, num_iteration=40)))
    assert fixed.report.num_step == 40 and not fixed.report.converged


def test_scales():
    assert scale_ends(30, 3) == [7, 15, 30]
    assert scale_ends(2, 4) == [1, 1, 1, 2]


def test_filter_is_the_chebyshev_sum(graph, arcs):
    for g in (graph, arcs):
        adjacency = g.to_scipy().toarray().astype(np.float64)
        adjacency = adjacency + adjacency.T if g.directed else adjacency
        loop = adjacency.sum() / (len(g.indices) * (2 if g.directed else 1))
        adjacency = adjacency + loop * np.eye(g.num_nodes)
        start = np.random.default_rng(2).normal(size=(g.num_nodes, 5)).astype(np.float32)
        modulated = np.eye(g.num_nodes) - adjacency / adjacency.sum(axis=1, keepdims=True) - 0.2 * np.eye(g.num_nodes)
        terms = [start.astype(np.float64)]
        terms.append(0.5 * modulated @ (modulated @ terms[0]) - terms[0])
        total = scipy.special.iv(0, 0.5) * terms[0] - 2 * scipy.special.iv(1, 0.5) * terms[1]
        for i in range(2, 6):
            terms.append(modulated @ (modulated @ terms[-1]) - 2 * terms[-1] - terms[-2])
            total += (-1) ** i * 2 * scipy.special.iv(i, 0.5) * terms[i]
        with CpuTables(1).running() as backend:
            *_, got = Chebyshev(g, backend, num_term=6, theta=0.5, mu=0.2).run(start.copy())
        np.testing.assert_allclose(got, adjacency @ (start - total), rtol=1e-3, atol=1e-3)


def test_shifted_pmi(arcs):
    ahead, back = shifted_pmi(arcs, 3.0, 0.75)
    adjacency = arcs.to_scipy().toarray()
    noise = arcs.in_strengths**0.75 / (arcs.in_strengths**0.75).sum()
    i, j = np.nonzero(adjacency)
    want = np.zeros_like(adjacency, dtype=np.float64)
    want[i, j] = np.log(adjacency[i, j] / arcs.strengths[i]) - np.log(3.0 * noise[j])
    np.testing.assert_allclose(dense(ahead), want, atol=1e-5)
    np.testing.assert_allclose(dense(back), want.T, atol=1e-5)


def test_context_vectors_are_sums_over_those_that_lead_there(arcs):
    vectors = np.random.default_rng(0).normal(size=(205, 6)).astype(np.float32)
    adjacency = arcs.to_scipy().toarray()
    want = adjacency.T @ vectors / np.sqrt(np.where(arcs.in_strengths > 0, arcs.in_strengths, 1))[:, None]
    np.testing.assert_allclose(context_vectors(arcs, vectors, 2), want, rtol=1e-4, atol=1e-5)


def test_groups_of_blocks_cover_all_rows():
    for shape in ((1, 1), (31, 7), (10_312, 128), (1_000_003, 16), (5000, 2048)):
        bounds = group_bounds(*shape)
        assert bounds[0][0] == 0 and bounds[-1][1] == shape[0]
        assert all(a[1] == b[0] for a, b in itertools.pairwise(bounds))


def test_nothing_to_learn_from():
    with pytest.raises(GraphError, match="nothing to learn from"):
        make_spectral_plan(Graph.from_edges([[0, 0]]), settings())


def test_more_scales_than_columns(graph):
    with pytest.raises(ConfigError, match="num_scale"):
        make_spectral_plan(graph, settings(dim=2, num_scale=3))


def test_overflow_is_not_returned():
    wild = Graph.from_edges([[0, 1], [1, 2], [2, 3], [3, 4]], weights=[1e-30, 1.0, 1e-30, 1.0])
    with pytest.raises(TrainingError, match="extreme weights"):
        computed(wild, dim=2, degree_exponent=2.0)


def test_callbacks_can_end_it(graph):
    class Stop:
        seen: list = []  # noqa: RUF012  of the one object

        def on_train_begin(self, plan):
            self.seen.append(plan.model)

        def on_pool_end(self, progress):
            self.seen.append(progress.step)
            if progress.step == 2:
                raise TrainingInterrupted("enough")

    with pytest.raises(TrainingInterrupted, match="enough"):
        run_spectral(graph, make_spectral_plan(graph, settings()), callbacks=[Stop()])
    assert Stop.seen == ["propagation", 1, 2]


def test_plan_says_all(graph):
    plan = make_spectral_plan(graph, settings(num_scale=2, residual=0.1))
    text = str(plan)
    assert "residual 0.1" in text and "2 scales" in text
    assert plan.num_bytes == sum(plan.memory.values()) > 503 * 8 * 4 * 2
    assert plan.to_dict()["num_iteration"] == 32


def test_rule_of_the_degree_exponent():
    assert choose.degree_exponent(100, 100) == choose.degree_exponent(100, 500) == 0.0
    assert 0.05 < choose.degree_exponent(100, 1000) < 0.15
    assert choose.residual(100, 100) == 0.5 and choose.residual(100, 3200) == 0.0
    assert choose.degree_exponent(100, 3200) == choose.degree_exponent(100, 90_000) == 0.25
