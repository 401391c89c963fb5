"""Whole walks inside a block of the grid: the CPU against the reference, the reference against whole walks, number by number."""

from __future__ import annotations

import numpy as np
import pytest
from backends import CPU, REFERENCE
from block_cases import Case, Problem, compare, train
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.kernels.reference.skipgram import positive_pairs, train_walks

NEEDS = ("block_walks",)
LENGTHS = [1, 2, 3, 11, 31, 33, 63, 64, 65, 127, 128, 130]


def changes(case, fast):
    """Compare, and check that there was something to compare."""
    num_pair, change = compare(case, fast)
    assert num_pair > 0
    assert change > 1e-3


@pytest.mark.parametrize("two_sided", [True, False], ids=["both sides", "one side"])
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5, 6, 100])
@pytest.mark.parametrize("nodes", LENGTHS)
def test_lengths_and_steps(fast, nodes, step, two_sided):
    case = Case(nodes=nodes, step=step, two_sided=two_sided, lr=0.02 if step < 100 else 0.002, seed=step)
    num_pair, _ = compare(case, fast)
    assert num_pair > 0 or nodes < 11


@pytest.mark.parametrize("num_negative", [1, 2, 3, 4, 5, 6, 7, 8, 9, 33])
@pytest.mark.parametrize("dim", [16, 32, 48, 128, 272])
def test_dims_and_negatives(fast, dim, num_negative):
    changes(Case(dim=dim, num_negative=num_negative, scale=0.3 if dim < 100 else 0.1), fast)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize("tied", [False, True], ids=["two tables", "one table"])
@pytest.mark.parametrize(
    "optimizer", ["SGD", "SGD with a largest step", "Momentum", "AdaGrad", "RMSprop", "Adam", "Adam as in GraphVite"]
)
def test_optimizers(fast, optimizer, tied, weight_decay):
    options = {"optimizer": optimizer, "weight_decay": weight_decay, "lr": 0.05}
    if tied:
        options |= {"tied": True, "heads": (15, 45), "contexts": (15, 45)}
    changes(Case(nodes=40, **options), fast)
    changes(Case(dim=128, scale=0.1, **options), fast)  # on the CPU SGD has a way of its own for it
    changes(Case(nodes=9, walks_per_tile=5, num_walk=23, dim=32, two_sided=False, **options), fast)


@pytest.mark.parametrize(
    ("heads", "contexts"),
    [
        ((0, 60), (0, 60)),  # one block
        ((0, 60), (20, 40)),
        ((20, 40), (0, 60)),
        ((10, 40), (30, 60)),  # some slots in both
        ((30, 31), (0, 60)),
        ((0, 60), (59, 60)),
        ((0, 4), (40, 60)),  # most walks have no head
        ((20, 200), (10, 300)),  # parts beyond the slots of walks
    ],
)
@pytest.mark.parametrize("walks_per_tile", [1, 3, 20])
def test_parts(fast, heads, contexts, walks_per_tile):
    changes(Case(num_walk=30, walks_per_tile=walks_per_tile, heads=heads, contexts=contexts, lr=0.03), fast)


def test_parts_that_are_empty_or_on_no_walk(fast):
    for case in (
        Case(heads=(30, 30)),
        Case(heads=(5, 5), contexts=(0, 60)),
        Case(heads=(100, 120)),
        Case(contexts=(20, 20)),
    ):
        assert compare(case, fast) == (0, 0.0)
    # No context on the walks: the heads get their negatives nevertheless.
    num_pair, change = compare(Case(contexts=(100, 150)), fast)
    assert num_pair == 0 and change > 1e-3


@pytest.mark.parametrize("num_slot", [2, 3, 8])
@pytest.mark.parametrize("tied", [False, True])
def test_few_nodes_stand_in_many_places(fast, num_slot, tied):
    # Every node is repeated in every tile, is its own neighbour, and is drawn as a negative of itself.
    heads, contexts = ((0, num_slot), (0, num_slot)) if tied else ((0, num_slot), (num_slot // 2, num_slot))
    options = {"num_slot": num_slot, "heads": heads, "contexts": contexts, "tied": tied, "lr": 0.005, "num_negative": 9}
    changes(Case(nodes=64, num_walk=2, walks_per_tile=1, **options), fast)
    changes(Case(nodes=10, num_walk=9, walks_per_tile=4, optimizer="AdaGrad", **options), fast)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("aligned", [True, False])
def test_ids_and_addresses(fast, dtype, aligned):
    changes(Case(dtype=dtype, aligned=aligned, dim=48), fast)


@pytest.mark.parametrize("negative_weight", [0.0, 0.5, 20.0])
def test_negative_weights(fast, negative_weight):
    changes(Case(negative_weight=negative_weight, lr=0.01), fast)
    # The moments of a negative are changed also where its samples weigh nothing.
    changes(Case(negative_weight=negative_weight, lr=0.01, optimizer="Momentum"), fast)


def test_tiny_and_large_scores(fast):
    changes(Case(scale=1e-6, lr=50.0), fast)
    # Scores up to 50 and more, where float32 rounds s to 1: the gradient is right, the loss rough.
    compare(Case(scale=3.0), fast, loss_tolerance=0.1)


PARTS = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(lambda two: (min(two), max(two)))
CASES = st.builds(
    Case,
    nodes=st.integers(1, 140),
    num_walk=st.integers(1, 7),
    walks_per_tile=st.integers(1, 5),
    num_slot=st.sampled_from([5, 30, 40]),
    heads=PARTS,
    contexts=PARTS,
    step=st.integers(1, 9),
    two_sided=st.booleans(),
    num_negative=st.integers(1, 9),
    dim=st.sampled_from([16, 32, 64, 128]),
    optimizer=st.sampled_from(["SGD", "SGD with a largest step", "Momentum", "AdaGrad"]),
    weight_decay=st.sampled_from([0.0, 0.02]),
    dead=st.sampled_from([0.0, 0.5, 1.0]),
    lr=st.just(0.01),
    seed=st.integers(0, 1000),
)


@settings(max_examples=80, deadline=None)
@given(case=CASES)
def test_any_shape(case):
    compare(case, CPU)


@pytest.mark.parametrize("tied", [False, True], ids=["two tables", "one table"])
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize(("nodes", "step", "two_sided"), [(64, 5, True), (64, 3, False), (40, 2, True)])
def test_one_block_is_whole_walks(backend, nodes, step, two_sided, optimizer, tied):
    case = Case(
        nodes=nodes, step=step, two_sided=two_sided, walks_per_tile=1, heads=(0, 60), contexts=(0, 60), tied=tied,
        optimizer=optimizer, weight_decay=0.01, lr=0.02,
    )  # fmt: skip
    got, num_pair = train(case, backend)
    want = Problem(case, REFERENCE)
    rates = np.full(case.num_tile, np.float32(case.lr))
    num_whole = train_walks(
        *want.tables, want.walks, want.negatives[:, None], rates, step, two_sided,
        case.negative_weight, case.weight_decay, want.optimizer, want.settings, want.statistics,
    )  # fmt: skip
    assert num_pair == num_whole > 0
    for a, b in zip(got.tables, want.tables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=1e-5)


def trained_pairs(family, walk, heads, contexts, step, two_sided, num_slot):
    """Return how often a block trains each pair of slots of a walk, [head, context], and the weight of the negatives of its heads.

    Context rows are unit vectors and vertex rows are 0, so the gradient of a vertex row names its contexts: 1/2 for each time.
    """
    real, dim = family.real, -(-num_slot // 16) * 16
    vertex, context = (
        np.zeros((heads[1] - heads[0], dim), real),
        np.eye(num_slot, dim, dtype=real)[slice(*contexts)].copy(),
    )
    empty, negatives, number = np.empty((0, dim), real), np.zeros((1, 1), np.int32), []
    for lr, negative_weight in [(0.0, 1.0), (1.0, 0.0)]:
        statistics = np.zeros(2)
        number.append(
            family.block_walks.train_block_walks(
                vertex, context, empty, empty, empty, empty, walk[None], 1, negatives, heads[0], contexts[0], real(lr),
                step, two_sided, real(negative_weight), real(0.0), 0, np.zeros(4, real), statistics,
            )
        )  # fmt: skip
        if negative_weight:
            noise = statistics[1] - number[0]
    pairs = np.zeros((num_slot, num_slot), int)
    pairs[slice(*heads)] = np.rint(2 * vertex[:, :num_slot])
    assert number == [pairs.sum()] * 2
    return pairs, round(noise)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    nodes=st.integers(1, 70),
    step=st.integers(1, 6),
    two_sided=st.booleans(),
    parts=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
@pytest.mark.parametrize("name", ["reference", "cpu"])
def test_the_blocks_of_a_grid_have_each_pair_once(name, seed, nodes, step, two_sided, parts):
    family = {"reference": REFERENCE, "cpu": CPU}[name]
    num_slot, rng = 12, np.random.default_rng(seed)
    walks = rng.integers(0, num_slot, (3, nodes)).astype(np.int32)
    walks[1, rng.integers(0, nodes) :] = -1
    rows, columns = (-(-num_slot // n) for n in parts)
    starts = range(0, num_slot, rows), range(0, num_slot, columns)
    for walk in walks:
        pairs = np.zeros((num_slot, num_slot), int)
        for i, j in positive_pairs(walk, nodes, step, two_sided):
            pairs[walk[i], walk[j]] += 1
        found = np.zeros_like(pairs)
        for a in starts[0]:
            for b in starts[1]:
                heads, contexts = (a, min(a + rows, num_slot)), (b, min(b + columns, num_slot))
                block, noise = trained_pairs(family, walk, heads, contexts, step, two_sided, num_slot)
                found += block
                # In every block heads get negatives for their pairs of all blocks; the caller's weights are shares that sum up to 1.
                assert noise == pairs[slice(*heads)].sum()
        np.testing.assert_array_equal(found, pairs)


def test_negatives_that_are_the_head_are_left_out(backend):
    case = Case(nodes=2, num_walk=1, walks_per_tile=1, num_slot=4, heads=(3, 4), contexts=(2, 4), dead=0.0)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.walks[:] = [[3, 0]]  # head 3 has a pair with 0, which is in another part
    for row, is_other in [(1, False), (0, True)]:  # slots 3 and 2
        problem.negatives[:] = row
        assert problem.train() == 0
        for a, b in zip(problem.tables[:2], before.tables[:2], strict=True):
            assert (a != b).any() == is_other
    assert problem.statistics[1] == pytest.approx(2 * case.negative_weight)


@pytest.mark.parametrize("optimizer", ["SGD", "SGD with a largest step"])
def test_without_a_rate_nothing_changes(backend, optimizer):
    case = Case(optimizer=optimizer, weight_decay=0.1)
    problem, before = Problem(case, backend), Problem(case, backend)
    assert problem.train(lr=0.0) > 0
    for a, b in zip(problem.tables, before.tables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert problem.statistics.all()


@pytest.mark.parametrize("nodes", [1, 20, 64])
def test_dead_walks_change_nothing(backend, nodes):
    problem, before = (Problem(Case(nodes=nodes, optimizer="Momentum", weight_decay=0.1), backend) for _ in "ab")
    problem.walks[:] = -1
    assert problem.train() == 0
    problem.walks[:, 0] = 3  # one node alone is no pair
    assert problem.train() == 0
    for a, b in zip(problem.tables, before.tables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert problem.statistics.tolist() == [0.0, 0.0]


def test_rows_outside_the_block_stay_to_the_bit(backend):
    case = Case(
        num_walk=4, num_slot=500, heads=(100, 400), contexts=(50, 300), optimizer="Momentum", weight_decay=0.1, dead=0.0
    )
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.train()
    heads, contexts = set(), set(problem.negatives.ravel())
    for walk in problem.walks:
        for i, j in positive_pairs(walk, case.nodes, case.step, case.two_sided):
            if 100 <= walk[i] < 400:
                heads.add(walk[i] - 100)
                if 50 <= walk[j] < 300:
                    contexts.add(walk[j] - 50)
    for index, rows in [(0, heads), (2, heads), (1, contexts), (4, contexts)]:
        assert set(np.flatnonzero((problem.tables[index] != before.tables[index]).any(1))) == rows
    for index in (3, 5):  # momentum has no second moment
        np.testing.assert_array_equal(problem.tables[index], before.tables[index])


@pytest.mark.parametrize("dim", [16, 32, 128])
def test_largest_step_bounds_every_row(backend, dim):
    case = Case(
        dim=dim, nodes=33, num_walk=1, walks_per_tile=1, num_slot=300, heads=(0, 150), contexts=(150, 300), dead=0.0,
        optimizer="SGD with a largest step", lr=50.0,
    )  # fmt: skip
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.walks[0] = np.random.default_rng(0).permutation(300)[:33]
    problem.negatives[:] = np.setdiff1d(np.arange(150), problem.walks - 150)[:5]
    problem.train()
    for a, b in zip(problem.tables[:2], before.tables[:2], strict=True):
        length = np.linalg.norm(a.astype(np.float64) - b, axis=1)
        assert (length > 0).sum() > 5
        np.testing.assert_allclose(length[length > 0], 0.02, rtol=1e-4)  # each moved once, and as far as it may


def test_statistics_add_up_the_loss_of_every_32nd_tile(backend):
    case = Case(nodes=12, num_walk=2 * 34 + 1, num_negative=2, lr=0.01)  # 35 tiles
    problem, apart = Problem(case, backend), Problem(case, backend)
    problem.statistics[:] = [1000.0, 10.0]
    problem.train()
    want = np.array([1000.0, 10.0])
    for tile in range(case.num_tile):
        apart.statistics[:] = 0.0
        apart.train(tile, tile + 1)
        if tile in (0, 32):
            want += apart.statistics
    np.testing.assert_allclose(problem.statistics, want, rtol=1e-6)


@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
def test_tiles_leave_nothing_behind_in_buffers(backend, optimizer):
    # One call on all tiles, or a call with fresh buffers for each: the same to the last bit.
    case = Case(nodes=50, num_walk=11, heads=(0, 20), contexts=(10, 60), dead=0.4, optimizer=optimizer, lr=0.05)
    whole, parts = Problem(case, backend), Problem(case, backend)
    num_pair = sum(parts.train(t, t + 1) for t in range(case.num_tile))
    assert whole.train() == num_pair > 0
    for a, b in zip(whole.tables, parts.tables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("table", [0, 1])
def test_nan_shows_in_the_loss(backend, table):
    # The engine's guard against divergence looks at the loss: no comparison on the way may swallow a NaN.
    problem = Problem(Case(dead=0.0), backend)
    first = 30 * table
    row = next(slot for slot in problem.walks[0] if first <= slot < first + 30) - first
    problem.tables[table][row, 7] = np.nan
    problem.train()
    assert np.isnan(problem.statistics[0])


def test_saturated_scores_stay_finite(backend):
    problem, _ = train(Case(scale=100.0), backend)
    assert all(np.isfinite(table).all() for table in problem.tables)
    assert np.isfinite(problem.statistics).all()


def test_training_lowers_the_loss(backend):
    problem = Problem(Case(num_walk=2, num_slot=200, heads=(0, 100), contexts=(50, 200), lr=0.1, dead=0.0), backend)
    losses = []
    for _ in range(10):
        problem.statistics[:] = 0.0
        problem.train()
        losses.append(problem.statistics[0] / problem.statistics[1])
    assert losses[-1] < 0.7 * losses[0]
    assert (np.diff(losses) < 0).all()


def test_threads_on_their_own_rows_do_what_one_thread_does():
    # Nothing is shared between calls but the tables: two threads on disjoint nodes equal one after the other.
    case = Case(nodes=64, num_walk=8, num_slot=800, heads=(0, 800), contexts=(0, 800), optimizer="Adam", dead=0.0)
    problems = []
    for num_thread in (1, 2):
        problem = Problem(case, CPU)
        for tile in range(case.num_tile):
            problem.walks[2 * tile : 2 * tile + 2] = problem.walks[2 * tile : 2 * tile + 2] % 200 + 200 * tile
            problem.negatives[tile] = problem.negatives[tile] % 200 + 200 * tile
        run_slices(problem.train, case.num_tile, num_thread)
        problems.append(problem)
    for a, b in zip(problems[0].tables, problems[1].tables, strict=True):
        np.testing.assert_array_equal(a, b)
