"""Pairs in the blocks of a grid: every family of kernels against the reference, number by number, on awkward shapes."""

from __future__ import annotations

import numpy as np
import pytest
from backends import CPU, GPU, REFERENCE
from gpu_calls import on_card
from pair_cases import Case, Problem, compare, listed, some_walks, train

from nodeloom.kernels.reference.pairs import PAIRS, shuffled
from nodeloom.kernels.reference.skipgram import positive_pairs

NEEDS = ("pairs",)
OPTIMIZERS = ["SGD", "SGD with a largest step", "Momentum", "AdaGrad", "RMSprop", "Adam", "Adam as in GraphVite"]


def by_hand(walks, step, two_sided, num_slot, row, heads, rows):
    """Return what :func:`listed` should, from nothing but the definition of a pair."""
    found = {}
    for walk in walks:
        for i, j in positive_pairs(walk, len(walk), step, two_sided):
            u, v = int(walk[i]), int(walk[j])
            if u // heads == row:
                found.setdefault((v // rows, u % heads), []).append(v % rows)
    return {at: sorted(pairs) for at, pairs in found.items()}


@pytest.mark.covering(1)
@pytest.mark.parametrize("two_sided", [True, False], ids=["both sides", "one side"])
@pytest.mark.parametrize("step", [1, 2, 5, 6, 40])
@pytest.mark.parametrize(("heads", "rows"), [(30, 30), (7, 13), (8, 5), (1, 1)])
def test_pairs_are_those_of_the_walks(backend, heads, rows, step, two_sided):
    num_slot = 30 if heads > 1 else 6
    walks = some_walks(num_slot, seed=step)
    whole = 0
    for row in range(-(-num_slot // heads)):
        counts, got = listed(backend, walks, step, two_sided, num_slot, row, heads, rows, narrow=step % 2 == 0)
        want = by_hand(walks, step, two_sided, num_slot, row, heads, rows)
        assert {at: pairs for at, pairs in got.items() if pairs} == want
        whole += counts.sum()
    assert whole == sum(len(positive_pairs(walk, 11, step, two_sided)) for walk in walks) > 0


@pytest.mark.covering(1)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize(("num_walk", "nodes"), [(1, 1), (300, 2), (1, 300), (140, 3), (5, 70)])
def test_shapes_of_walks(fast, num_walk, nodes, dtype):
    walks = some_walks(50, (num_walk, nodes), dtype=dtype)
    got, want = (listed(b, walks, 3, True, 50, 1, 20, 25) for b in (fast, REFERENCE))
    np.testing.assert_array_equal(got[0], want[0])
    assert got[1] == want[1]


def test_counts_are_added(backend):
    counts = np.full((3, 10), 5, np.int32)
    walks = np.array([[12, 25, 13, -1]], np.int32)
    backend.pairs.count_pairs(walks, 2, True, 10, 10, counts)
    want = np.full((3, 10), 5)
    want[2, 2] += 1  # 12 with 25
    want[1, 2] += 1  # 12 with 13
    want[2, 3] += 1  # 13 with 25
    want[1, 3] += 1  # 13 with 12
    np.testing.assert_array_equal(counts, want)


def test_contexts_of_16_bits(backend):
    counts = np.array([[0, 3]], np.int32)
    contexts = np.zeros(3, np.uint16)
    walks = np.array([[1, 65535, 1, 40000], [1, 32768, -1, -1]], np.int32)
    backend.pairs.place_pairs(walks, 1, False, 0, 65536, np.cumsum(counts).reshape(1, 2) - counts, contexts)
    assert sorted(contexts) == [32768, 40000, 65535]


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("family", [CPU, GPU], ids=repr)
def test_nodes_become_slots(family, dtype):
    if family.missing:
        pytest.skip(f"{family.name}: {family.missing}")
    rng = np.random.default_rng(0)
    slot = rng.permutation(900)[:700].astype(dtype)
    walks = rng.integers(-1, 700, (37, 41)).astype(dtype)
    want = walks.copy()
    REFERENCE.pairs.renumber(want, slot)
    assert ((walks < 0) == (want < 0)).all() and (want[walks >= 0] == slot[walks[walks >= 0]]).all()
    family.pairs.renumber(walks, slot)
    np.testing.assert_array_equal(walks, want)


# ------------------------------------------------------------------------------------------------------------- units

COUNTS = {
    "nothing": np.zeros((2, 5), np.int32),
    "one head": np.array([[0], [40]], np.int32),
    "full and a bit": np.array([[8, 9, 0, 0, 1], [0, 0, 0, 7, 17], [0, 0, 0, 0, 0]], np.int32),
    "a hub": np.array([[3, 0, 0, 500, 2, 0, 0], [0, 0, 0, 100, 0, 0, 0]], np.int32),
}


@pytest.mark.covering(1)
@pytest.mark.parametrize("heads", [1, 2, 4, 32])
@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("family", [CPU, GPU], ids=repr)
def test_units(family, name, heads):
    if family.missing or not family.has("pairs.units_of"):
        pytest.skip(f"{family.name}: {family.missing or 'no units_of yet'}")
    got = [np.atleast_1d(a) for a in family.pairs.units_of(COUNTS[name], heads)]
    want = REFERENCE.pairs.units_of(COUNTS[name], heads)
    for g, w in zip(got, want, strict=True):
        np.testing.assert_array_equal(g.reshape(w.shape), w)


def test_units_hold_every_pair_once_and_give_every_head_its_negatives():
    rng = np.random.default_rng(0)
    counts = rng.integers(0, 50, (3, 40)).astype(np.int32) * (rng.random((3, 40)) < 0.5)
    counts = counts.astype(np.int32)
    counts[:, 4:8] = 0  # a tile without pairs
    units, num_unit, num_pair = REFERENCE.pairs.units_of(counts, 4)
    np.testing.assert_array_equal(num_pair, counts.sum(1))
    assert num_unit.sum() == len(units)
    for part, of_part in enumerate(np.split(units, np.cumsum(num_unit)[:-1])):
        assert len({tuple(u) for u in of_part}) == len(of_part)
        hashes = [shuffled(int(tile), int(chunk)) for tile, chunk in of_part]
        assert hashes == sorted(hashes)
        for h in range(40):
            chunks = of_part[of_part[:, 0] == h // 4, 1]
            assert sorted(chunks) == list(range(len(chunks)))
            own = max(1, -(-counts[part, h] // PAIRS)) if counts[:, h].any() else 0
            assert len(chunks) >= own
            assert len(chunks) == 0 or counts[:, h // 4 * 4 : h // 4 * 4 + 4].any()


def test_the_units_of_a_hub_are_far_apart():
    counts = np.full((1, 400), 8, np.int32)
    counts[0, 100] = 8000
    units, _, _ = REFERENCE.pairs.units_of(counts, 4)
    places = np.flatnonzero(units[:, 0] == 25) / len(units)
    others = np.flatnonzero(units[:, 0] != 25) / len(units)
    assert len(places) == 1000 and len(others) == 99
    for where in (places, others):  # evenly over the block
        assert abs(np.sort(where) - (np.arange(len(where)) + 0.5) / len(where)).max() < 0.12


# ---------------------------------------------------------------------------------------------------------- training


@pytest.mark.covering(1)
@pytest.mark.parametrize("dim", [2, 16, 48, 100, 128, 256])
@pytest.mark.parametrize(("heads", "num_negative"), [(1, 1), (4, 5), (16, 16), (32, 33)])
def test_dims_heads_and_negatives(fast, heads, num_negative, dim):
    if fast is CPU and dim % 16:
        pytest.skip("rows of the CPU are whole numbers of 16 columns")
    num_head = 37 if heads < 16 else 70
    case = Case(
        num_head=num_head, heads=heads, num_negative=num_negative, dim=dim, num_context=520, scale=0.3 if dim < 100 else 0.1
    )  # fmt: skip
    compare(case, fast)


@pytest.mark.covering(1)
@pytest.mark.parametrize("weight_decay", [0.0, 0.02])
@pytest.mark.parametrize("tied", [False, True], ids=["two tables", "one table"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_optimizers(fast, optimizer, tied, weight_decay):
    # Rounding differs more where moments are changed often.
    options = {"optimizer": optimizer, "tied": tied, "weight_decay": weight_decay, "lr": 0.03}
    compare(Case(num_head=18, **options), fast)
    compare(Case(num_head=35, heads=16, num_context=260, **options), fast)


@pytest.mark.parametrize("negative_weight", [0.0, 0.5, 20.0])
def test_negative_weights(fast, negative_weight):
    compare(Case(negative_weight=negative_weight, lr=0.01), fast)
    compare(Case(negative_weight=negative_weight, lr=0.01, optimizer="Momentum", heads=16, num_context=260), fast)


@pytest.mark.covering(1)
@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("begin", [0, 1000])
def test_where_pairs_lie(fast, begin, narrow):
    compare(Case(begin=begin, narrow=narrow, hub=70, aligned=not narrow), fast)


def test_contexts_of_16_bits_are_trained(fast):
    # Rows beyond 32767, which as signed numbers of 16 bits are negative.
    case = Case(num_head=6, num_context=40_000, narrow=True)
    want = compare(case, fast)
    assert (want.contexts[want.places(0)] > 1 << 15).any()


def test_many_pairs_of_few_rows(fast):
    if fast is GPU:
        pytest.skip("the GPU loses changes where a context stands in several pairs of a unit")
    compare(Case(num_head=9, num_context=3, distinct=False, lr=0.01), fast)
    compare(Case(num_head=40, num_context=11, heads=16, distinct=False, lr=0.01, tied=True, optimizer="AdaGrad"), fast)


def test_units_side_by_side(fast):
    # More than 32 units in one call, and their losses.
    case = Case(num_head=120, heads=2, most=4, num_context=10, apart=True)
    want = compare(case, fast)
    assert len(want.units) > 33 and want.statistics[1] > 0


@pytest.mark.parametrize("shape", ["4 heads", "16 heads"])
def test_negatives_that_are_the_head_are_left_out(backend, shape):
    heads = int(shape.split()[0])
    case = Case(num_head=heads, heads=heads, tied=True, most=0, num_context=64, num_negative=1, hub=0)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.totals[:] = 0
    problem.totals[2] = 5
    problem.negatives[:] = 2  # tied: row 2 is the head itself
    problem.units = np.array([[0, 0]], np.int32)
    problem.train(slice(0, 1))
    np.testing.assert_array_equal(problem.tables[0], before.tables[0])
    assert problem.statistics.tolist() == [0.0, 15.0]


def test_what_is_not_in_a_unit_stays_to_the_bit(backend):
    case = Case(num_head=70, heads=4, optimizer="Momentum", weight_decay=0.1, num_context=300)
    problem, before = Problem(case, backend), Problem(case, backend)
    unit = 3
    problem.train(slice(unit, unit + 1))
    contexts = set(problem.contexts[problem.places(unit)]) | set(problem.negatives[unit])
    touched = {0: set(problem.heads(unit)), 1: contexts, 2: set(problem.heads(unit)), 4: contexts}
    for index, rows in touched.items():
        changed = np.flatnonzero((problem.tables[index] != before.tables[index]).any(1))
        assert set(changed) == rows
    for index in (3, 5):  # momentum has no second moment
        np.testing.assert_array_equal(problem.tables[index], before.tables[index])


def test_a_unit_without_heads_changes_nothing(backend):
    case = Case(optimizer="Momentum", weight_decay=0.1, heads=16, num_context=300)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.totals[:] = 0
    problem.train()
    for a, b in zip(problem.tables, before.tables, strict=True):
        np.testing.assert_array_equal(a, b)
    assert problem.statistics.tolist() == [0.0, 0.0]


@pytest.mark.parametrize("heads", [4, 16])
def test_a_head_gets_negatives_for_all_its_pairs_whatever_the_block(backend, heads):
    # No pair in this block, 20 in others: one unit, negatives of the weight 20 * 3.
    case = Case(num_head=heads, heads=heads, most=0, num_context=64)
    problem = Problem(case, backend)
    problem.totals[:] = 0
    problem.totals[1] = 20
    problem.units = np.array([[0, 0]], np.int32)
    problem.train(slice(0, 1))
    assert problem.statistics[1] == pytest.approx(60.0)


def test_largest_step_bounds_every_row(backend):
    case = Case(num_head=16, heads=16, optimizer="SGD with a largest step", lr=50.0, num_context=300, most=PAIRS)
    problem, before = Problem(case, backend), Problem(case, backend)
    problem.negatives[:] = np.setdiff1d(np.arange(300), problem.contexts)[:5]
    problem.train(slice(0, 1))
    for a, b in zip(problem.tables[:2], before.tables[:2], strict=True):
        length = np.linalg.norm(a.astype(np.float64) - b, axis=1)
        assert (length > 0).sum() > 5
        np.testing.assert_allclose(length[length > 0], 0.02, rtol=1e-4)


@pytest.mark.covering(1)
@pytest.mark.parametrize("heads", [4, 16])
@pytest.mark.parametrize("table", [0, 1])
def test_nan_shows_in_the_loss(backend, table, heads):
    case = Case(heads=heads, num_context=300)
    problem = Problem(case, backend)
    row = problem.heads(0)[0] if table == 0 else problem.contexts[problem.places(0)[0]]
    problem.tables[table][row, 7] = np.nan
    problem.train()
    assert np.isnan(problem.statistics[0])


def test_saturated_scores_stay_finite(backend):
    problem = train(Case(scale=100.0, heads=16, num_context=300), backend)
    assert all(np.isfinite(table).all() for table in problem.tables)
    assert np.isfinite(problem.statistics).all()


def test_statistics_are_those_of_every_32nd_unit(backend):
    case = Case(num_head=120, heads=2, most=4, num_context=10, apart=True, lr=0.0)
    problem, apart = Problem(case, backend), Problem(case, backend)
    problem.statistics[:] = [1000.0, 10.0]
    problem.train()
    for unit in range(0, len(apart.units), 32):
        apart.train(slice(unit, unit + 1))
    assert len(apart.units) > 33
    np.testing.assert_allclose(problem.statistics, np.add(apart.statistics, [1000.0, 10.0]), rtol=1e-6)


def test_training_lowers_the_loss(backend):
    problem = Problem(Case(num_head=16, heads=16, num_context=200, lr=0.005, most=PAIRS), backend)
    losses = []
    for _ in range(10):
        problem.statistics[:] = 0.0
        problem.train()
        losses.append(problem.statistics[0] / problem.statistics[1])
    assert losses[-1] < 0.7 * losses[0]
    assert (np.diff(losses) < 0).all()


def test_the_same_call_gives_the_same_bits(backend):
    one, two = (train(Case(optimizer="Adam", heads=16, num_context=300), backend) for _ in "ab")
    for a, b in zip(one.tables, two.tables, strict=True):
        if backend is GPU and on_card():
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(a, b)
