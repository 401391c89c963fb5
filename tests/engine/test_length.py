"""How long a training is where nobody says it."""

from __future__ import annotations

import pytest

from nodeloom import LINE, DeepWalk, Graph, load
from nodeloom.datasets import planted_partition
from nodeloom.plan.defaults import LONGER_PAIRS, PAIRS_PER_NODE, num_epoch


@pytest.mark.parametrize(
    ("nodes", "edges", "epochs"),
    [
        (2708, 5278, 8000),  # Cora
        (51_000, 127_500, 8000),
        (7624, 27_806, 5500),  # LastFM
        (61_630, 323_415, 3800),  # Debian's packages
        (3860, 37_845, 2000),  # PPI
        (10_312, 333_983, 2000),  # BlogCatalog
        (2, 1, 8000),
        (1_138_499, 2_990_443, 2000),  # as many nodes as YouTube, fewer edges
        (65_608_366, 1_806_067_135, 2000),  # Friendster
    ],
)
def test_sparse_graphs_are_trained_longer(nodes, edges, epochs):
    assert num_epoch(nodes, edges) == epochs
    assert epochs == 2000 or epochs * edges <= LONGER_PAIRS
    assert epochs in (2000, 8000) or abs(epochs * edges / nodes / PAIRS_PER_NODE - 1) < 0.02


def test_isolated_nodes_do_not_count():
    graph = Graph.from_edges(planted_partition(200, 1000, 4, seed=0)[0], num_nodes=2000)
    assert DeepWalk(dim=8).plan(graph, compiled_only=True).num_epoch == 4000


def test_auto_is_resolved_in_the_plan_and_kept_in_files(tmp_path):
    graph = Graph.from_edges([[0, 1], [1, 2], [2, 3], [3, 0]])
    for kind in (DeepWalk, LINE):
        model = kind(dim=8, num_thread=1)
        plan = model.plan(graph, compiled_only=True)
        assert (plan.num_epoch, plan.total_pair) == (8000, 32_000)
        assert ("training", "8,000 epochs = 32,000 positive pairs, 8,000 for each node") in plan.rows()
        model.fit(graph).save(tmp_path / "m")
        again = load(tmp_path / "m.safetensors")
        assert again.num_epoch == "auto"
        assert again.num_epoch_ == pytest.approx(8000)
    given = DeepWalk(dim=8, num_epoch=2000).plan(graph, compiled_only=True)
    assert (given.num_epoch, given.total_pair) == (2000, 8000)
