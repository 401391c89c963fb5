"""Splits of edges: nothing that is judged has been seen, whatever the graph."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, GraphError
from nodeloom.graph import Graph
from nodeloom.tasks import LinkSplit, find_leaks, negatives, split_edges, splits


def ring(n=200, chords=3, seed=0, directed=False):
    rng = np.random.default_rng(seed)
    around = np.stack([np.arange(n), (np.arange(n) + 1) % n], axis=1)
    edges = np.concatenate([around, rng.integers(0, n, (chords * n, 2))])
    return Graph.from_edges(edges, num_nodes=n, directed=directed)


def edge_set(graph):
    heads, tails, _ = graph.edge_columns()
    return set(zip(heads.tolist(), tails.tolist(), strict=True))


@st.composite
def graphs(draw):
    """Small graphs with loops, parallel edges, weights, nodes without edges, both kinds of direction."""
    n = draw(st.integers(2, 12))
    ends = st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))
    edges = draw(st.lists(ends, min_size=1, max_size=40))
    weights = np.arange(1, len(edges) + 1, dtype=np.float32) if draw(st.booleans()) else None
    duplicates = draw(st.sampled_from(["keep", "auto"]))
    directed = draw(st.booleans())
    return Graph.from_edges(np.array(edges), weights=weights, num_nodes=n, directed=directed, duplicates=duplicates)


@settings(deadline=None, max_examples=150)
@given(
    graph=graphs(), fraction=st.floats(0.01, 0.9), seed=st.integers(0, 99), keep=st.integers(0, 2), small=st.booleans()
)
def test_no_split_leaks(graph, fraction, seed, keep, small):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(splits, "_BLOCK", 3)
        patch.setattr(negatives, "_BLOCK", 3)
        if small:
            patch.setattr(negatives, "_SMALL", 0)  # draw, instead of listing all pairs
        try:
            split = split_edges(graph, fraction=fraction, seed=seed, keep_degree=keep)
        except GraphError:
            assume(False)
    assert find_leaks(graph, split).size == 0
    full = {pair for pair in edge_set(graph) if pair[0] != pair[1]}
    pairs = list(zip(split.heads.tolist(), split.tails.tolist(), strict=True))
    assert len(set(pairs)) == len(pairs)
    hidden = {pair for pair, label in zip(pairs, split.labels, strict=True) if label}
    others = {pair for pair, label in zip(pairs, split.labels, strict=True) if not label}
    assert hidden <= full
    assert not others & full
    assert all(head != tail for head, tail in others)
    assert len(hidden) == len(others) == max(1, round(fraction * len(full)))
    assert edge_set(split.train_graph) == edge_set(graph) - hidden
    assert split.train_graph.num_nodes == graph.num_nodes


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(8, 30),
    chords=st.integers(2, 3),
    directed=st.booleans(),
    seed=st.integers(0, 99),
    keep=st.integers(1, 2),
)
def test_keep_degree_leaves_neighbours(n, chords, directed, seed, keep):
    def counts(which):
        found = [set() for _ in range(n)]
        for head, tail in edge_set(which):
            if head != tail:
                found[head].add(tail)
                if not directed:
                    found[tail].add(head)
        return np.array([len(near) for near in found])

    graph = ring(n, chords, seed, directed)
    split = split_edges(graph, fraction=0.05, seed=seed, keep_degree=keep, num_negative=0)
    assert (counts(split.train_graph) >= np.minimum(counts(graph), keep)).all()


def test_keep_degree_turns():
    """A path with tails: without the knob some node is left alone, with it none."""
    graph = ring(50, 0)
    alone = [
        int((split_edges(graph, fraction=0.3, seed=s, keep_degree=k).train_graph.degrees == 0).sum())
        for k in (0, 1)
        for s in range(5)
    ]
    assert min(alone[:5]) > 0
    assert max(alone[5:]) == 0


def test_the_check_finds_every_kind_of_leak():
    graph = ring()
    split = split_edges(graph, fraction=0.1)
    k = int(split.labels.sum())
    assert find_leaks(graph, split).size == 0
    not_removed = LinkSplit(graph, split.heads, split.tails, split.labels)
    assert find_leaks(graph, not_removed).tolist() == list(range(k))
    turned = LinkSplit(graph, split.tails, split.heads, split.labels)
    assert find_leaks(graph, turned).tolist() == list(range(k))
    wrong = LinkSplit(split.train_graph, split.heads, split.tails, ~split.labels)
    assert find_leaks(graph, wrong).size == len(wrong.labels)


def test_a_directed_graph_hides_one_direction():
    graph = Graph.from_edges(np.array([[0, 1], [1, 0], [1, 2], [2, 3]]), directed=True, num_nodes=6)
    for seed in range(10):
        split = split_edges(graph, fraction=0.25, seed=seed)
        assert split.train_graph.num_edges == 3
        assert find_leaks(graph, split).size == 0


def test_the_same_seed_gives_the_same_split():
    graph = ring()
    first, again, other = (split_edges(graph, fraction=0.1, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.heads, again.heads)
    np.testing.assert_array_equal(first.tails, again.tails)
    assert not np.array_equal(first.heads, other.heads)


def test_negatives_are_uniform(monkeypatch):
    """Both ways of drawing give every free pair the same chance."""
    graph = Graph.from_edges(np.array([[0, 1], [1, 2], [2, 3], [0, 4]]), num_nodes=6)
    for small in (0, 1 << 13):
        monkeypatch.setattr(negatives, "_SMALL", small)
        counts: dict[tuple[int, int], int] = {}
        for seed in range(600):
            split = split_edges(graph, fraction=0.5, seed=seed)
            for pair in zip(split.heads[~split.labels].tolist(), split.tails[~split.labels].tolist(), strict=True):
                counts[pair] = counts.get(pair, 0) + 1
        assert len(counts) == 15 - 4
        expected = 1200 / 11
        chi_square = sum((count - expected) ** 2 / expected for count in counts.values())
        assert chi_square < 35, counts  # 10 degrees of freedom: one in 10,000 is above


def test_hidden_edges_are_uniform():
    graph = Graph.from_edges(np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 4]]), num_nodes=20)
    hidden = [int(split_edges(graph, fraction=0.1, seed=seed).heads[0]) for seed in range(400)]
    counts = np.bincount(hidden, minlength=4)
    assert len(counts) == 4
    assert counts.min() > 60


def test_num_negative_turns():
    split = split_edges(ring(), fraction=0.1, num_negative=2.5)
    positive = int(split.labels.sum())
    assert len(split.labels) - positive == round(2.5 * positive)


@pytest.mark.parametrize("fraction", [0, 1, -0.1, 50])
def test_fraction_is_a_share(fraction):
    with pytest.raises(ConfigError, match="between 0 and 1"):
        split_edges(ring(), fraction=fraction)


def test_other_arguments_out_of_range():
    with pytest.raises(ConfigError, match="num_negative"):
        split_edges(ring(), num_negative=-1)
    with pytest.raises(ConfigError, match="keep_degree"):
        split_edges(ring(), keep_degree=-1)


@pytest.mark.parametrize(
    ("edges", "options", "words"),
    [
        ([[0, 0]], {}, "at least 2 edges between different nodes, got 0"),
        ([[0, 1]], {}, "at least 2 edges between different nodes, got 1"),
        ([[0, 1], [1, 2], [0, 2]], {}, "too dense"),
        ([[0, 1], [2, 3]], {"keep_degree": 1}, "Hide a smaller fraction"),
    ],
)
def test_graphs_that_cannot_be_split(edges, options, words):
    with pytest.raises(GraphError, match=words):
        split_edges(Graph.from_edges(np.array(edges)), **options)
