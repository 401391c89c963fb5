"""What "auto" means, as functions of numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.plan import defaults

OPTIMIZERS = ("SGD", "Momentum", "AdaGrad", "RMSprop", "Adam")
EPOCHS = st.integers(1, 10**7)
COUNTS = st.integers(1, 10**10)


def test_documented_points():
    assert defaults.learning_rate("SGD", 2000) == pytest.approx(0.01)
    assert defaults.learning_rate("SGD", 50) == pytest.approx(0.05)
    assert defaults.weight_decay("SGD", 10_000, 320_000) == pytest.approx(0.002)
    assert defaults.initial_scale(100) == pytest.approx(0.05)
    assert defaults.random_walk_length(5) == defaults.RANDOM_WALK_LENGTH == 63


@given(epochs=EPOCHS, more=EPOCHS)
def test_sgd_steps_less_on_a_longer_training(epochs, more):
    first, second = (defaults.learning_rate("SGD", n) for n in (epochs, epochs + more))
    assert 0.005 <= second <= first <= 0.05


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@given(epochs=EPOCHS, nodes=COUNTS, edges=COUNTS)
def test_every_optimizer_has_numbers(optimizer, epochs, nodes, edges):
    rate, decay = defaults.learning_rate(optimizer, epochs), defaults.weight_decay(optimizer, nodes, edges)
    assert 0 < rate < 1
    assert 0 <= decay < 0.1
    assert math.isfinite(rate) and math.isfinite(decay)


@given(nodes=COUNTS, edges=COUNTS, more=COUNTS)
def test_sparse_graphs_decay_more(nodes, edges, more):
    sparse, dense = defaults.weight_decay("SGD", nodes, edges), defaults.weight_decay("SGD", nodes, edges + more)
    assert 0 < dense <= sparse


@pytest.mark.parametrize("optimizer", OPTIMIZERS[2:])
def test_adaptive_optimizers_do_without_decay(optimizer):
    assert defaults.weight_decay(optimizer, 100, 1000) == 0


def test_no_nodes_are_no_division_by_zero():
    assert defaults.weight_decay("SGD", 0, 0) > 0


@given(dim=st.integers(1, 65536))
def test_first_rows_are_equally_long_at_any_dim(dim):
    # Uniform in ±scale: the mean square of a value is scale² / 3.
    assert math.sqrt(dim * defaults.initial_scale(dim) ** 2 / 3) == pytest.approx(0.5 / math.sqrt(3))


@given(step=st.integers(1, 10_000))
def test_a_walk_is_no_shorter_than_the_step(step):
    assert defaults.random_walk_length(step) == max(step, 63)


@given(step=st.integers(1, 10_000), epochs=EPOCHS)
def test_fewer_pairs_take_fewer_negatives_and_short_trainings_more(step, epochs):
    expected = 8 if step <= 2 else 24 if epochs <= 500 else 16
    assert defaults.num_shared_negative(step, epochs) == expected


@given(sinks=st.floats(0, 1), more=st.floats(0, 1), step=st.integers(1, 100))
def test_walks_are_shorter_where_more_of_them_end(sinks, more, step):
    few, many = sorted((sinks, more))
    assert defaults.random_walk_length(step, many) <= defaults.random_walk_length(step, few)
    assert defaults.random_walk_length(step, many) >= (1 if many > 0.9 else step)
