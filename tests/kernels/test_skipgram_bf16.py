"""Training bf16 tables on the GPU: rows are rounded up or down by chance, so that on average nothing is lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from backends import GPU
from bf16_cases import CASE, Bf16Problem, check_means, means, ulp
from skipgram_cases import Case

pytestmark = pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")

ROUNDS = 24  # seeds over which means are taken


@pytest.mark.parametrize("optimizer", ["SGD", "SGD with a largest step", "Adam"])
def test_numbers_are_one_of_two_neighbours(optimizer):
    problem = Bf16Problem(replace(CASE, optimizer=optimizer))
    tables, num_pair = problem.train(seed=5)
    assert num_pair == problem.num_pair > 0
    for got, want in zip(tables, problem.exact.tables, strict=False):
        assert (np.abs(got - want) < 1.01 * ulp(want)).all()
        up = np.mean(got > want)
        assert 0.4 < up < 0.6


@pytest.mark.parametrize(("optimizer", "lr"), [("SGD", 0.05), ("SGD", 5e-5), ("Momentum", 5e-5)])
def test_rounding_is_unbiased(optimizer, lr):
    shares = check_means(Bf16Problem(replace(CASE, optimizer=optimizer, lr=lr)), ROUNDS)
    assert min(shares) > 5.0 if lr > 0.01 else max(shares) < 0.1


def test_each_number_is_rounded_for_itself():
    # All columns of a row the same, and so are the changes: what differs is chance. No two columns may share theirs, nor two rows,
    # nor two seeds.
    problem = Bf16Problem(CASE)
    for start in problem.start:
        start[:] = start[:, :1]
    one, two = (problem.train(seed=seed)[0][0] for seed in (0, 1))
    rows = np.unique(problem.problem.walks)
    up = (one > one.mean(1, keepdims=True))[rows].astype(float)
    up = up[(up.mean(1) > 0.3) & (up.mean(1) < 0.7)]
    assert len(up) > 10
    likeness = np.corrcoef(up.T) - np.eye(up.shape[1])
    assert abs(likeness.mean()) < 0.05
    assert np.abs(likeness).max() < 0.99
    assert (one != two).any(1)[rows].mean() > 0.9


@pytest.mark.parametrize("seed", [0, 2**31 - 1, 2**63 - 1])
def test_seeds_of_any_size(seed):
    problem = Bf16Problem(replace(CASE, num_walk=14, num_nodes=90))
    first, again = problem.train(seed=seed)[0], problem.train(seed=seed)[0]
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("bits", [0x7FFFFFFF, -1, 0x7FC00000], ids=hex)
def test_nan_stays_nan(bits):
    # A card's NaN has all bits set: adding to it, as rounding does, once made a zero of it.
    problem = Bf16Problem(CASE)
    rate = np.array(bits, np.int32).view(np.float32)
    tables, _ = problem.train(lr=rate)
    for table, start in zip(tables, problem.start, strict=True):
        moved = ~(table == start.double().numpy()).all(1)
        assert moved.sum() > 5
        assert np.isnan(table[moved]).all()


@pytest.mark.parametrize("shared_table", [False, True], ids=["two tables", "one table"])
def test_places_of_a_node_are_added_up_before_rounding(shared_table):
    problem = Bf16Problem(Case(nodes=64, num_walk=1, num_nodes=8, dim=32, lr=0.01, shared_table=shared_table))
    tables = zip(means(problem, ROUNDS), problem.exact.tables, problem.start, strict=False)
    for mean, want, start in tables:
        # A row is stored once as a vertex, once as a negative and once as a context, rounded each time.
        start = start.double().numpy()
        size = ulp(2 * np.maximum(np.abs(want), np.abs(want - start)))
        assert np.abs((mean - want) / size).max() < 5.5 * 0.5 * np.sqrt(3 / ROUNDS)
        assert np.median(np.abs(want - start) / size) > 1.0


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_columns_of_zeros_stay_zeros(optimizer):
    problem = Bf16Problem(replace(CASE, optimizer=optimizer))
    for table in [*problem.start, *problem.problem.tables[2:]]:
        table[:, 60:] = 0.0
    for table in problem.train()[0]:
        assert (table[:, 60:] == 0.0).all()
