"""Maps of graphs of every kind: components, nodes without edges, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from map_cases import largevis, make
from scipy.spatial import cKDTree

from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.errors import GraphError


def star(count):
    return [[0, i] for i in range(1, count)]


@pytest.mark.parametrize(
    "edges",
    [
        star(40),
        [[i, i + 1] for i in range(300)],
        [[i, j] for i in range(12) for j in range(i)],
        [[5 * k + i, 5 * k + (i + 1) % 5] for k in range(60) for i in range(5)],  # many components
        [*star(9), *([i, i] for i in range(20))],  # self-loops, and nodes with nothing else
    ],
    ids=["star", "path", "complete", "components", "loops"],
)
def test_graphs_of_every_kind(edges, recwarn):
    y = make().fit_transform(Graph.from_edges(edges))
    assert np.isfinite(y).all()
    nearest = cKDTree(y).query(y, 2)[0][:, 1]
    assert nearest.min() > 1e-3 * np.median(nearest) > 0  # nothing is on top of anything else
    recwarn.clear()  # propagation says how many vectors it has


@pytest.mark.parametrize("estimator", ["TSNE", "LargeVis"])
@pytest.mark.parametrize("dim", [2, 3])
def test_components_and_nodes_without_edges_are_packed_around_the_largest(estimator, dim, recwarn):
    edges, _ = planted_partition(120, 700, 3, seed=0)
    cycles = [[120 + 8 * k + i, 120 + 8 * k + (i + 1) % 8] for k in range(10) for i in range(8)]
    graph = Graph.from_edges(np.vstack([edges, cycles]), num_nodes=220)
    seen = []

    class Watch:
        def on_pool_end(self, progress):
            seen.append(progress.snapshot())

    make_one = make if estimator == "TSNE" else largevis
    y = make_one(dim=dim).fit(graph, callbacks=[Watch()]).coordinates_
    recwarn.clear()
    assert seen[-1].shape == (220, dim) and np.isfinite(y).all()
    middle = y[:120].mean(axis=0)
    away = np.linalg.norm(y - middle, axis=1)
    assert away[:120].max() < away[120:].min()
    near = cKDTree(y).query(y[120:200], 3)[1]
    assert all({*np.sort(near[i])} <= {*range(120 + i // 8 * 8, 128 + i // 8 * 8)} for i in range(80))
    assert away.max() < 4 * away[:120].max()  # and nothing is far away


def test_nodes_without_edges_stay_where_an_earlier_map_had_them(recwarn):
    edges, _ = planted_partition(120, 700, 3, seed=0)
    graph = Graph.from_edges(edges, num_nodes=140)
    first = make().fit(graph)
    for hold in (0.0, 1.0):
        y = make().fit_transform(Graph.from_edges(edges[:-50], num_nodes=140), init=first, hold=hold)
        np.testing.assert_array_equal(y[120:], first.coordinates_[120:])
        assert np.linalg.norm(y - first.coordinates_, axis=1).max() < np.ptp(y)
    recwarn.clear()


def test_a_graph_without_edges_is_refused():
    with pytest.raises(GraphError, match="an edge between two different nodes"):
        make().fit(Graph.from_edges([[i, i] for i in range(9)]))
