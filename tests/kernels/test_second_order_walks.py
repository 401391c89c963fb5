"""node2vec walks: the same on every family, and the distribution of the paper."""

from __future__ import annotations

import numpy as np
import pytest
from backends import CPU, GPU, REFERENCE
from gpu_calls import INTERPRETED
from scipy import stats
from walk_graphs import chi_square, from_adjacency, random_graph

from nodeloom.kernels.reference import walks as reference

NEEDS = ("walks",)
CORNERS = [(1.0, 1.0), (0.25, 4.0), (4.0, 0.25), (0.1, 0.1), (10.0, 10.0), (0.5, 2.0), (0.01, 1.0)]


def exact_shares(graph, previous, node, p, q):
    """Return the transition distribution of the paper (section 3.2.2) from sets, independently of all kernels."""
    neighbours = set(graph.row(previous).tolist())
    bias = [1 / p if x == previous else 1 if x in neighbours else 1 / q for x in graph.row(node).tolist()]
    return np.array(bias) * graph.row_weights(node)


def transition_pvalue(graph, walks, p, q, least=150):
    """Return the p-value of the transitions (u, v) -> x seen often enough against the paper, and how many (u, v) they are."""
    n = graph.num_nodes
    u, v, x = (walks[:, i : walks.shape[1] - 2 + i].ravel().astype(np.int64) for i in range(3))
    alive = x >= 0
    counts = np.bincount((u[alive] * n + v[alive]) * n + x[alive], minlength=n**3).reshape(n, n, n)
    # One test for all: a row of counts is one multinomial; Pearson's statistics add up.
    statistic, freedom, number = 0.0, 0, 0
    for previous, node in zip(*np.nonzero(counts.sum(2) >= least), strict=True):
        row = counts[previous, node][graph.row(node)]
        assert row.sum() == counts[previous, node].sum()
        shares = exact_shares(graph, previous, node, p, q)
        expected = row.sum() * shares / shares.sum()
        # Entries expected less than 5 times are taken together.
        rare = expected < 5.0
        if rare.any():
            row, expected = np.r_[row[~rare], row[rare].sum()], np.r_[expected[~rare], expected[rare].sum()]
        if expected[-1] < 5.0:
            row, expected = row[:-1], expected[:-1]
        statistic += ((row - expected) ** 2 / expected).sum()
        freedom += len(row) - 1
        number += 1
    return stats.chi2.sf(statistic, freedom), number


@pytest.mark.covering(1)
@pytest.mark.parametrize("hubs", [[], [0, 3]], ids=["search", "hub bits"])
@pytest.mark.parametrize(("weighted", "fold"), [(False, False), (False, True), (True, False)])
@pytest.mark.parametrize(("p", "q"), CORNERS)
def test_walks_equal_the_reference(fast, p, q, weighted, fold, hubs):
    graph = random_graph(11, 70, weighted=weighted, density=0.06)
    options = {"fold": fold, "hubs": hubs}
    length = 9 if fold or p > 0.01 else 4  # nearly every trial is refused
    got = graph.second_order(fast, 21, length, p, q, **options)
    np.testing.assert_array_equal(got, graph.second_order(REFERENCE, 21, length, p, q, **options))


@pytest.mark.covering(1)
@pytest.mark.parametrize("walk", range(4))
def test_a_chance_on_the_edge_is_refused(fast, walk):
    # 1/q is the chance that the first trial of a walk's second step draws: accepted is what is below.
    key = REFERENCE.rng.item_key(77, walk)
    chance = float(REFERENCE.rng.unit(REFERENCE.rng.draw(key, 2 << 32)))
    graph = random_graph(18, 40, density=0.03)
    assert np.float32(1.0 / (1.0 / chance)) == np.float32(chance)
    got = graph.second_order(fast, 5, 3, 1.0 / chance, 1.0 / chance)
    np.testing.assert_array_equal(got, graph.second_order(REFERENCE, 5, 3, 1.0 / chance, 1.0 / chance))


@pytest.mark.covering(1)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_directed_walks_equal_the_reference(fast, weighted, dtype):
    graph = random_graph(12, 40, weighted=weighted, directed=True, density=0.1, dtype=dtype)
    got = graph.second_order(fast, 40, 12, 0.5, 3.0, dtype=dtype, first_walk=2**33)
    np.testing.assert_array_equal(got, graph.second_order(REFERENCE, 40, 12, 0.5, 3.0, dtype=dtype, first_walk=2**33))
    assert (got == -1).any()


def test_hub_bits_change_nothing(fast):
    graph = random_graph(13, 130, density=0.1)  # bit rows of three words
    plain = graph.second_order(fast, 200, 20, 0.5, 4.0)
    np.testing.assert_array_equal(plain, graph.second_order(fast, 200, 20, 0.5, 4.0, hubs=range(130)))
    np.testing.assert_array_equal(plain, graph.second_order(fast, 200, 20, 0.5, 4.0, hubs=[129, 0, 64]))


@pytest.mark.parametrize(
    ("weighted", "directed", "fold"),
    [(False, False, False), (False, False, True), (True, False, False), (False, True, False), (True, True, False)],
)
@pytest.mark.parametrize(("p", "q"), CORNERS)
def test_transitions_follow_the_paper(p, q, weighted, directed, fold):
    graph = random_graph(14, 12, weighted=weighted, directed=directed, density=0.35)
    # Some rows by bits and some by search; another test shows that they are the same.
    walks = graph.second_order(CPU, 8000, 30, p, q, fold=fold, hubs=[0, 3, 5])
    pvalue, number = transition_pvalue(graph, walks, p, q)
    assert number > (10 if directed else 40)
    assert pvalue > 1e-4


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize(("p", "q", "other"), [(0.5, 2.0, (0.5, 2.4)), (0.5, 2.0, (0.6, 2.0)), (1.0, 1.0, (1.0, 1.2))])
def test_the_chi_square_test_notices_wrong_parameters(p, q, other, fold):
    graph = random_graph(14, 12, density=0.35)
    pvalue, _ = transition_pvalue(graph, graph.second_order(CPU, 8000, 30, *other, fold=fold), p, q)
    assert pvalue < 1e-6


@pytest.mark.covering(1)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("hubs", [[], range(5)], ids=["search", "hub bits"])
def test_steps_that_rejection_never_ends_are_drawn_exactly(fast, weighted, hubs, monkeypatch):
    # No triangle, so every bias is 1/p or 1/q: all far below the envelope of 1, and every trial is refused.
    adjacency = np.zeros((8, 8))
    for a in range(3):
        for b in range(3, 8):
            adjacency[a, b] = adjacency[b, a] = 1.0 + (a + 2 * b) % 5
    graph = from_adjacency(adjacency, weighted=weighted)
    p, q = 1e7, 4e6
    asked = []
    bits = reference._bits
    monkeypatch.setattr(
        reference, "_bits", lambda key, step, number: (asked.append(number), bits(key, step, number))[1]
    )
    want = graph.second_order(REFERENCE, 6, 5, p, q, hubs=hubs)
    assert asked.count(2 * reference.MAX_TRIAL) == 6 * 3  # all steps but the first, which has no bias
    np.testing.assert_array_equal(graph.second_order(fast, 6, 5, p, q, hubs=hubs), want)
    if fast is GPU and INTERPRETED:  # of many walks those of the CPU, which are the same, will do
        return
    pvalue, number = transition_pvalue(graph, graph.second_order(fast, 4000, 12, p, q, hubs=hubs), p, q)
    assert number == 30
    assert pvalue > 1e-4


def test_rare_biases_keep_their_share_where_rejection_sometimes_gives_up():
    # Acceptance of about 1 in 40: some steps end by rejection, some exactly; the mixture must be right.
    graph = random_graph(15, 10, density=0.3, loops=False)
    walks = graph.second_order(CPU, 5000, 30, 80.0, 40.0)
    pvalue, _ = transition_pvalue(graph, walks, 80.0, 40.0)
    assert pvalue > 1e-4


def test_p_and_q_of_one_are_first_order():
    graph = random_graph(16, 15, weighted=True)
    first, second = graph.first_order(CPU, 20_000, 5), graph.second_order(CPU, 20_000, 5, 1.0, 1.0)
    for walks in (first, second):
        counts = np.bincount(walks[:, 3], minlength=15)
        transition = np.zeros((15, 15))
        for node in range(15):
            transition[node, graph.row(node)] = graph.row_weights(node) / graph.row_weights(node).sum()
        start = graph.start_weights / graph.start_weights.sum()
        assert chi_square(counts, start @ np.linalg.matrix_power(transition, 3)) > 1e-4


def test_large_return_parameter_avoids_and_small_one_forces_the_way_back():
    graph = random_graph(17, 30, density=0.3, loops=False)

    def returns(p):
        walks = graph.second_order(CPU, 2000, 10, p, 1.0)
        return np.mean(walks[:, 2:] == walks[:, :-2])

    assert returns(100.0) < 0.01 < 0.05 < returns(1.0) < 0.3 < 0.9 < returns(0.001)
