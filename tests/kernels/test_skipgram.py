"""Training on walk tiles: every family of kernels against the reference, number by number, on awkward shapes."""

from __future__ import annotations

import numpy as np
import pytest
from backends import CPU, GPU
from gpu_calls import on_card
from hypothesis import given, settings
from hypothesis import strategies as st
from skipgram_cases import Case, Problem, compare

from nodeloom.kernels.cpu.parallel import run_slices

NEEDS = ("skipgram",)
LENGTHS = [1, 2, 3, 5, 31, 32, 33, 63, 64, 65, 66, 127, 128, 129, 130, 131]


def changes(case, fast):
    """Compare, and check that there was something to compare."""
    num_pair, change = compare(case, fast)
    assert num_pair > 0
    assert change > 1e-3
    return num_pair


def assert_same_bits(got, want, family):
    """Check that tables are equal to the last bit; not on a card, where additions to a row come in any order."""
    for a, b in zip(got, want, strict=True):
        if family is GPU and on_card():
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b)


@pytest.mark.covering(1)
@pytest.mark.parametrize("two_sided", [True, False], ids=["both sides", "one side"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 7])
@pytest.mark.parametrize("nodes", LENGTHS)
def test_lengths_and_steps(fast, nodes, step, two_sided):
    # Short walks: several to a tile, and a last tile that is not full.
    num_walk = 2 if nodes > 32 else 64 // nodes + 2
    case = Case(nodes=nodes, num_walk=num_walk, step=step, num_negative=3, two_sided=two_sided, dead=0.2, seed=step)
    num_pair, _ = compare(case, fast)
    assert num_pair > 0 or nodes == 1


@pytest.mark.covering(1)
@pytest.mark.parametrize("num_negative", [1, 3, 4, 5, 16, 33])
@pytest.mark.parametrize("dim", [16, 32, 48, 112, 128, 256])
def test_dims_and_negatives(fast, dim, num_negative):
    changes(Case(nodes=9, num_walk=12, dim=dim, num_negative=num_negative, scale=0.3 if dim < 100 else 0.1), fast)


@pytest.mark.covering(1)
@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("shared_table", [False, True], ids=["two tables", "one table"])
@pytest.mark.parametrize(
    "optimizer", ["SGD", "SGD with a largest step", "Momentum", "AdaGrad", "RMSprop", "Adam", "Adam as in GraphVite"]
)
def test_optimizers(fast, optimizer, shared_table, weight_decay):
    options = {"optimizer": optimizer, "shared_table": shared_table, "weight_decay": weight_decay}
    changes(Case(nodes=130, num_walk=2, **options), fast)
    changes(Case(nodes=7, num_walk=20, dead=0.3, dim=32, two_sided=False, **options), fast)


@pytest.mark.covering(1)
@pytest.mark.parametrize("shared_table", [False, True], ids=["two tables", "one table"])
@pytest.mark.parametrize("optimizer", ["SGD with a largest step", "Momentum", "AdaGrad", "RMSprop", "Adam"])
def test_optimizers_where_no_node_stands_in_two_places(fast, optimizer, shared_table):
    # A row is then changed once by a tile, or once as a vertex and once as a context: in whatever way that is done.
    case = Case(
        nodes=9, num_walk=10, num_nodes=80, distinct=True, dead=0.2, optimizer=optimizer, shared_table=shared_table,
        weight_decay=0.0 if optimizer.startswith("SGD") else 0.02,
    )  # fmt: skip
    assert case.exact_on_gpu
    changes(case, fast)


@pytest.mark.covering(1)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("aligned", [True, False])
def test_ids_and_addresses(fast, dtype, aligned):
    changes(Case(nodes=20, num_walk=7, dtype=dtype, aligned=aligned, dead=0.3, dim=48), fast)


@pytest.mark.covering(1)
@pytest.mark.parametrize("num_nodes", [2, 3, 8])
@pytest.mark.parametrize("shared_table", [False, True])
def test_few_nodes_stand_in_many_places(fast, num_nodes, shared_table):
    # Every node is repeated in every tile, is its own neighbour, and is drawn as a negative of itself.
    changes(Case(nodes=64, num_walk=1, num_nodes=num_nodes, shared_table=shared_table, lr=0.01), fast)
    changes(Case(nodes=10, num_walk=8, num_nodes=num_nodes, shared_table=shared_table, lr=0.01), fast)


@pytest.mark.parametrize("negative_weight", [0.0, 0.5, 1.0, 20.0])
def test_negative_weights(fast, negative_weight):
    changes(Case(negative_weight=negative_weight, lr=0.03), fast)
    # The moments of a negative are changed also where its samples weigh nothing.
    case = Case(nodes=9, num_walk=8, num_nodes=80, distinct=True, optimizer="Momentum", negative_weight=negative_weight)
    changes(case, fast)


def test_tiny_and_large_scores(fast):
    changes(Case(nodes=31, num_walk=3, scale=1e-6, lr=50.0), fast)
    # Scores up to 50 and more, where float32 rounds s to 1: the gradient is right, the loss rough.
    compare(Case(nodes=31, num_walk=3, scale=4.0), fast, loss_tolerance=0.1)


def test_saturated_scores_stay_finite(backend):
    problem = Problem(Case(nodes=31, num_walk=3, scale=100.0), backend)
    problem.train()
    assert all(np.isfinite(table).all() for table in problem.tables)
    assert np.isfinite(problem.statistics).all()


def test_a_step_beyond_the_walk(fast):
    changes(Case(nodes=4, num_walk=20, step=50), fast)
    changes(Case(nodes=70, num_walk=2, step=100, lr=0.02), fast)


@pytest.mark.parametrize("nodes", [2, 64, 40])
def test_all_walks_dead_change_nothing(backend, nodes):
    problem, before = (
        Problem(Case(nodes=nodes, num_walk=5, optimizer="Momentum", weight_decay=0.1), backend) for _ in "ab"
    )
    problem.walks[:] = -1
    assert problem.train() == 0
    for a, b in zip(problem.tables, before.tables, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(problem.statistics, 0.0)
    # One node alone is no pair.
    problem.walks[:, 0] = 3
    assert problem.train() == 0
    np.testing.assert_array_equal(problem.tables[0], before.tables[0])


CASES = st.builds(
    Case,
    nodes=st.integers(1, 140),
    num_walk=st.integers(1, 5),
    step=st.integers(1, 9),
    num_negative=st.integers(1, 20),
    two_sided=st.booleans(),
    dim=st.sampled_from([16, 32, 64]),
    num_nodes=st.sampled_from([5, 30, 200]),
    optimizer=st.sampled_from(["SGD", "SGD with a largest step", "Momentum", "AdaGrad"]),
    weight_decay=st.sampled_from([0.0, 0.02]),
    shared_table=st.booleans(),
    dead=st.sampled_from([0.0, 0.5, 1.0]),
    lr=st.just(0.02),
    seed=st.integers(0, 1000),
)


@settings(max_examples=60, deadline=None)
@given(case=CASES)
def test_any_shape(case):
    compare(case, CPU)


@pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")
@pytest.mark.skipif(not GPU.missing and on_card(), reason="a card would compile a kernel or two for every shape")
@settings(max_examples=10, deadline=None)
@given(case=CASES)
def test_any_shape_of_the_gpu(case):
    compare(case, GPU)


@pytest.mark.covering(1)
@pytest.mark.parametrize("nodes", [3, 40, 64, 100])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_tiles_leave_nothing_behind_in_buffers(backend, nodes, optimizer):
    # One call on all tiles, or a call with fresh buffers for each: the same to the last bit.
    tiles = 5
    case = Case(
        nodes=nodes, num_walk=tiles * max(1, 64 // nodes) - (nodes < 32), dead=0.4, optimizer=optimizer, lr=0.05,
        apart=backend is GPU,
    )  # fmt: skip
    whole, parts = Problem(case, backend), Problem(case, backend)
    per_tile = case.walks_per_tile
    num_pair = sum(parts.train(t * per_tile, min((t + 1) * per_tile, case.num_walk)) for t in range(tiles))
    assert whole.train() == num_pair > 0
    assert_same_bits(whole.tables, parts.tables, backend)


def test_the_same_call_gives_the_same_bits(backend):
    case = Case(nodes=20, num_walk=10, optimizer="Adam", dead=0.2, apart=backend is GPU)
    one, two = Problem(case, backend), Problem(case, backend)
    one.train(), two.train()
    for a, b in zip(one.tables, two.tables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("nodes", [5, 64, 129])
def test_rows_outside_the_tiles_stay_to_the_bit(backend, nodes):
    case = Case(nodes=nodes, num_walk=4, num_nodes=500, optimizer="Momentum", weight_decay=0.1)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.train()
    on_walks = np.unique(problem.walks)
    in_context = np.union1d(on_walks, problem.negatives)
    for index, touched in [(0, on_walks), (2, on_walks), (1, in_context), (4, in_context)]:
        changed = np.flatnonzero((problem.tables[index] != before.tables[index]).any(1))
        assert set(changed) <= set(touched)
        assert len(changed) > 0.9 * len(touched)
    for index in (3, 5):  # momentum has no second moment
        np.testing.assert_array_equal(problem.tables[index], before.tables[index])


def test_the_number_of_pairs(backend):
    def count(two_sided, nodes=20, step=3):
        problem = Problem(Case(nodes=nodes, num_walk=3, num_nodes=1000, two_sided=two_sided, step=step), backend)
        problem.walks[:] = np.arange(3 * nodes).reshape(3, nodes)  # no node twice
        return problem.train()

    one_side = 3 * ((20 - 1) + (20 - 2) + (20 - 3))
    assert count(False) == one_side
    assert count(True) == 2 * one_side
    assert count(True, step=40) == 3 * 20 * 19
    assert count(False, nodes=1) == 0


def test_one_side_trains_heads_to_tails_only(backend):
    case = Case(nodes=2, num_walk=1, num_nodes=6, two_sided=False, num_negative=1)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.walks[:] = [[0, 1]]
    problem.negatives[:] = 5
    assert problem.train() == 1
    changed = [set(np.flatnonzero((a != b).any(1))) for a, b in zip(problem.tables[:2], before.tables[:2], strict=True)]
    assert changed == [{0}, {1, 5}]


def test_every_tile_has_its_own_rate(backend):
    case = Case(nodes=64, num_walk=3, num_nodes=500)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.walks[:] = np.arange(3 * 64).reshape(3, 64)
    problem.lr[:] = [0.1, 0.0, 0.2]
    problem.train()
    moved = np.abs(problem.tables[0] - before.tables[0]).max(1)[: 3 * 64].reshape(3, 64)
    assert (moved[0] > 0).all() and (moved[1] == 0).all() and (moved[2] > 0).all()


def test_largest_step_bounds_every_row(backend):
    case = Case(nodes=33, num_walk=1, num_nodes=300, optimizer="SGD with a largest step", lr=50.0)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.walks[0] = np.arange(33)
    problem.negatives[:] = np.arange(100, 105)
    problem.train()
    for a, b in zip(problem.tables[:2], before.tables[:2], strict=True):
        length = np.linalg.norm(a.astype(np.float64) - b, axis=1)
        np.testing.assert_allclose(length[length > 0], 0.02, rtol=1e-4)  # each moved once, and as far as it may


def test_statistics_add_up_the_loss_of_every_32nd_tile(backend):
    case = Case(nodes=16, num_walk=4 * 34 + 1, num_negative=2, step=2, lr=0.01, apart=backend is GPU)  # 35 tiles
    problem, apart = Problem(case, backend), Problem(case, backend)
    problem.statistics[:] = [1000.0, 10.0]
    problem.train()
    want = np.array([1000.0, 10.0])
    for tile in range(case.num_tile):
        if case.apart and tile not in (0, 32):
            continue  # what it does is nothing to the others
        apart.statistics[:] = 0.0
        apart.train(4 * tile, min(4 * tile + 4, case.num_walk))
        if tile in (0, 32):
            want += apart.statistics
    np.testing.assert_allclose(problem.statistics, want, rtol=1e-6)


def test_training_lowers_the_loss(backend):
    problem = Problem(Case(nodes=64, num_walk=1, num_nodes=200, lr=0.2), backend)
    losses = []
    for _ in range(10):
        problem.statistics[:] = 0.0
        problem.train()
        losses.append(problem.statistics[0] / problem.statistics[1])
    assert losses[-1] < 0.6 * losses[0]
    assert (np.diff(losses) < 0).all()


@pytest.mark.parametrize("table", [0, 1])
def test_nan_shows_in_the_loss(backend, table):
    # The engine's guard against divergence looks at the loss: no comparison on the way may swallow a NaN.
    problem = Problem(Case(nodes=12, num_walk=5), backend)
    problem.tables[table][problem.walks[0, 5], 7] = np.nan
    problem.train()
    assert np.isnan(problem.statistics[0])


def test_threads_on_their_own_rows_do_what_one_thread_does():
    # Nothing is shared between calls but the tables: two threads on disjoint nodes equal one after the other.
    problems = []
    for num_thread in (1, 2):
        problem = Problem(Case(nodes=64, num_walk=8, num_nodes=1000, optimizer="Adam"), CPU)
        for w in range(8):
            problem.walks[w] = problem.walks[w] % 100 + 100 * w
            problem.negatives[w] = problem.negatives[w] % 100 + 100 * w
        run_slices(problem.train, 8, num_thread)
        problems.append(problem)
    for a, b in zip(problems[0].tables, problems[1].tables, strict=True):
        np.testing.assert_array_equal(a, b)
