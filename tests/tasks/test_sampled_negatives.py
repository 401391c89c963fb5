"""Negatives: pairs that are no edges, drawn uniformly, whatever is known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError, GraphError
from nodeloom.graph import Graph
from nodeloom.tasks import negatives, sample_negatives

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=12)


def columns(pairs):
    return tuple(np.array(pairs).T)


@settings(deadline=None, max_examples=150)
@given(
    edges=PAIRS,
    known=PAIRS,
    trained=st.none() | PAIRS,
    directed=st.booleans(),
    duplicates=st.sampled_from(["keep", "auto"]),
    seed=st.integers(0, 99),
    small=st.booleans(),
    share=st.floats(0, 1),
)
def test_none_is_an_edge(edges, known, trained, directed, duplicates, seed, small, share):
    graph = None
    if trained is not None:
        graph = Graph.from_edges(np.array(trained), num_nodes=8, directed=directed, duplicates=duplicates)
    taken = set(edges) | set(known) | set(trained or ())
    if not directed:
        taken |= {(tail, head) for head, tail in taken}
    free = {(h, t) for h in range(8) for t in range(8) if h != t and (directed or h < t)} - taken
    settings = {"num_nodes": 8, "known": [columns(known)], "graph": graph, "directed": directed, "seed": seed}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(negatives, "_BLOCK", 3)
        if small:
            patch.setattr(negatives, "_SMALL", 0)  # draw, instead of listing all pairs
        count = round(share * len(free))
        heads, tails = sample_negatives(*columns(edges), count=count, **settings)
        again = sample_negatives(*columns(edges), count=count, **settings)
        with pytest.raises(GraphError, match=f"{len(free) + 1} negatives, got '{len(free)} pairs"):
            sample_negatives(*columns(edges), count=len(free) + 1, **settings)
    np.testing.assert_array_equal((heads, tails), again)
    pairs = set(zip(heads.tolist(), tails.tolist(), strict=True))
    assert not pairs & taken
    assert len({pair if directed else tuple(sorted(pair)) for pair in pairs} & free) == count == len(heads)


@pytest.mark.parametrize("small", [False, True])
@pytest.mark.parametrize("directed", [False, True])
def test_all_pairs_that_are_free_are_as_likely(directed, small, monkeypatch):
    if small:
        monkeypatch.setattr(negatives, "_SMALL", 0)
    graph = Graph.from_edges([[0, 1], [2, 3]], num_nodes=5, directed=directed)
    counts = np.zeros((5, 5), int)
    for seed in range(1500):
        heads, tails = sample_negatives([1, 0], [2, 4], num_nodes=5, graph=graph, seed=seed)
        counts[heads, tails] += 1
    free = counts > 0
    assert free.sum() == (20 - 4 if directed else 20 - 2 * 4)
    # Two of 16 ordered pairs (two of 6 unordered ones, each either way round) in each of 1500 draws.
    expected = 3000 / free.sum()
    assert (np.abs(counts[free] - expected) < 5 * np.sqrt(expected)).all()


def test_as_many_as_edges_by_default_and_by_seed():
    heads = np.arange(50)
    first = sample_negatives(heads, heads + 1, num_nodes=1000)
    assert len(first[0]) == len(first[1]) == 50
    assert (sample_negatives(heads, heads + 1, num_nodes=1000, seed=1)[0] != first[0]).any()


def test_what_does_not_fit_is_refused():
    with pytest.raises(ConfigError, match="at least 0, got -1"):
        sample_negatives([0], [1], num_nodes=3, count=-1)
    with pytest.raises(GraphError, match="a graph of 3 nodes, got 'one of 4'"):
        sample_negatives([0], [1], num_nodes=3, graph=Graph.from_edges([[0, 3]]))
    with pytest.raises(DataError, match="ids from 0 to 2, got tail 3"):
        sample_negatives([0], [3], num_nodes=3)
