"""What the GPU is held to, ``skipgram_units``, against the reference: how far they differ, and where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skipgram_units
from backends import REFERENCE
from optimizer_cases import SETTINGS
from skipgram_cases import Case, differences, train


def distance(case, **options):
    """Return how far units are from the reference, as a share of the largest move, and the difference of their losses."""
    got, num_got = train(case, REFERENCE, skipgram_units.train_walks, **options)
    want, num_want = train(case, REFERENCE)
    assert num_got == num_want > 0
    apart = max(np.abs(g - w).max() / np.abs(w).max() for _, g, w in differences(got, want) if w.any())
    return apart, np.abs(got.statistics / want.statistics - 1.0).max()


@pytest.mark.parametrize("merge", [False, True], ids=["added", "merged"])
@pytest.mark.parametrize("two_sided", [False, True])
@pytest.mark.parametrize("name", SETTINGS)
def test_no_difference_where_no_node_stands_in_two_places(name, two_sided, merge):
    merge = merge or not name.startswith("SGD")
    case = Case(
        nodes=9, num_walk=16, num_nodes=80, apart=True, distinct=True, dead=0.3, optimizer=name, weight_decay=0.02,
        two_sided=two_sided,
    )  # fmt: skip
    assert case.exact_on_gpu
    assert max(distance(case, merge=merge)) < 1e-12


@pytest.mark.parametrize("name", ["SGD", "SGD with a largest step"])
def test_no_difference_where_places_add_up(name):
    case = Case(nodes=9, num_walk=16, num_nodes=12, apart=True, dead=0.3, optimizer=name)
    assert case.exact_on_gpu
    assert max(distance(case)) < 1e-12


@pytest.mark.parametrize("merge", [False, True], ids=["added", "merged"])
@pytest.mark.parametrize("shared_table", [False, True], ids=["two tables", "one table"])
@pytest.mark.parametrize("nodes", [20, 64, 130])
def test_differences_of_sgd_are_of_second_order(nodes, shared_table, merge):
    # The difference is a share of the move that shrinks with the rate: half the rate, half the share.
    case = Case(nodes=nodes, num_walk=3, num_nodes=25, apart=True, weight_decay=0.02, shared_table=shared_table)
    shares = [distance(replace(case, lr=lr), merge=merge) for lr in (5e-4, 2.5e-4)]
    assert shares[0][0] < 0.05
    assert 1.8 < shares[0][0] / shares[1][0] < 2.2
    if nodes <= 64:
        assert shares[0][1] < 1e-12
    else:  # the loss of a unit is that after the units before it
        assert shares[0][1] < 2e-3
        assert 1.6 < shares[0][1] / shares[1][1] < 2.2


def test_units_are_trained_in_the_order_of_the_gpu():
    order = skipgram_units.units_in_order(34, 2)
    assert order[:5] == [(0, 0), (0, 1), (32, 0), (32, 1), (1, 0)]
    assert order[-1] == (33, 1)
    assert sorted(order) == [(tile, chunk) for tile in range(34) for chunk in range(2)]
