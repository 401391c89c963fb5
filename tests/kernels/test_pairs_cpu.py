"""The pairs of a grid on the CPU: several threads at once, and what only its kernels have (batches, lists, reciprocals)."""

from __future__ import annotations

import numpy as np
import pytest
from backends import CPU, REFERENCE
from pair_cases import Case, Problem

from nodeloom.kernels.cpu.pairs import PAIRS
from nodeloom.kernels.cpu.parallel import run_slices

STEP = 3


def walks_of(num_walk, num_slot, dtype=np.int32, length=20, seed=0):
    """Return walks that often come back to the same slots, some of them ending early."""
    rng = np.random.default_rng(seed)
    walks = (num_slot * rng.random((num_walk, length)) ** 3).astype(dtype)
    walks[rng.random(num_walk) < 0.2, length // 2 :] = -1
    return walks


def exclusive_sums(counts):
    """Return where the pairs of every context part and head begin."""
    return (np.cumsum(counts.ravel(), dtype=np.int64) - counts.ravel()).reshape(counts.shape)


def sorted_lists(contexts, ends):
    """Return the contexts, those of each list in ascending order."""
    return np.concatenate([np.sort(part) for part in np.split(contexts, ends.ravel()[:-1])])


@pytest.mark.parametrize("num_thread", [2, 5])
@pytest.mark.parametrize("narrow", [False, True], ids=["int32", "uint16"])
def test_threads_count_and_place_the_same_pairs(num_thread, narrow):
    num_slot, num_part = 300, 4
    part_rows, first_head, num_head = 75, 60, 100
    walks = walks_of(20_000, num_slot)

    def arrange(threads):
        counts = np.zeros((num_part, num_head), np.int32)
        run_slices(
            lambda a, b: CPU.pairs.count_pairs(walks[a:b], STEP, True, first_head, part_rows, counts),
            len(walks),
            threads,
        )
        cursors, contexts = (
            exclusive_sums(counts),
            np.full(counts.sum(), 9999).astype(np.uint16 if narrow else np.int32),
        )
        run_slices(
            lambda a, b: CPU.pairs.place_pairs(walks[a:b], STEP, True, first_head, part_rows, cursors, contexts),
            len(walks), threads,
        )  # fmt: skip
        return counts, cursors, contexts

    counts, cursors, contexts = arrange(num_thread)
    want_counts, want_cursors, want_contexts = arrange(1)
    assert len(contexts) > 100_000
    np.testing.assert_array_equal(counts, want_counts)
    np.testing.assert_array_equal(cursors, want_cursors)
    np.testing.assert_array_equal(cursors, exclusive_sums(counts) + counts)
    np.testing.assert_array_equal(sorted_lists(contexts, cursors), sorted_lists(want_contexts, cursors))
    # The same pairs as the definition's, of a few walks.
    few, want_few = np.zeros_like(counts), np.zeros_like(counts)
    CPU.pairs.count_pairs(walks[:50], STEP, True, first_head, part_rows, few)
    REFERENCE.pairs.count_pairs(walks[:50], STEP, True, first_head, part_rows, want_few)
    np.testing.assert_array_equal(few, want_few)


@pytest.mark.parametrize("part_rows", [1, 2, 3, 7, 1 << 20, (1 << 31) + 1, (1 << 32) - 5, (1 << 40) + 1])
def test_parts_of_any_size_and_slots_beyond_32_bits(part_rows):
    # The part of a slot is found without a division where that is exact, and with one elsewhere.
    num_part = min(5, max(1, (1 << 50) // part_rows))
    edges = [part_rows * b + d for b in range(num_part) for d in (0, 1, part_rows // 2, part_rows - 1)]
    slots = np.unique([e for e in edges if 0 < e < part_rows * num_part and e % part_rows < 1 << 31])
    walks = np.stack([np.zeros_like(slots), slots], axis=1)  # slot 0 is the head of all
    counts = np.zeros((num_part, 1), np.int32)
    CPU.pairs.count_pairs(walks, 1, True, 0, part_rows, counts)
    np.testing.assert_array_equal(counts[:, 0], np.bincount(slots // part_rows, minlength=num_part))
    cursors, contexts = exclusive_sums(counts), np.full(len(slots), -1, np.int32)
    CPU.pairs.place_pairs(walks, 1, True, 0, part_rows, cursors, contexts)
    np.testing.assert_array_equal(contexts, slots % part_rows)


@pytest.mark.parametrize("step", [1, 5, 300])
def test_more_pairs_than_a_list_holds(step):
    walks = walks_of(3, 40, length=400)
    counts, want = np.zeros((2, 40), np.int32), np.zeros((2, 40), np.int32)
    CPU.pairs.count_pairs(walks, step, True, 0, 20, counts)
    REFERENCE.pairs.count_pairs(walks, step, True, 0, 20, want)
    np.testing.assert_array_equal(counts, want)


def test_units_of_rows_of_any_shape():
    rng = np.random.default_rng(3)
    for num_part, num_head, heads_per_unit in [(1, 1, 1), (3, 50, 8), (2, 33, 32), (4, 7, 64), (2, 0, 4), (1, 200, 1)]:
        counts = rng.integers(0, 60, (num_part, num_head)) * (rng.random((num_part, num_head)) < 0.3)
        got, want = (b.pairs.units_of(counts.astype(np.int32), heads_per_unit) for b in (CPU, REFERENCE))
        for a, b in zip(got, want, strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("num_context", [1, 2, 3, 5, 17])
@pytest.mark.parametrize("optimizer", ["SGD", "SGD with a largest step", "Momentum", "Adam"])
def test_contexts_that_come_again_are_trained_one_after_the_other(num_context, optimizer):
    # On the CPU the definition holds also there: a batch ends before a row that it already has.
    case = Case(
        num_context=num_context,
        distinct=False,
        optimizer=optimizer,
        lr=0.02,
        hub=100,
        weight_decay=0.01,
        num_negative=3,
    )
    got, want = (Problem(case, backend) for backend in (CPU, REFERENCE))
    got.train()
    want.train()
    got.check_guards()
    for a, b in zip(got.tables, want.tables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=1e-4)


def test_rows_with_the_same_last_digits():
    # Batches tell rows apart by their last bits; rows that share them only end a batch early.
    case = Case(num_context=4000, distinct=False, most=PAIRS)
    got, want = (Problem(case, backend) for backend in (CPU, REFERENCE))
    for problem in (got, want):
        problem.contexts[:] = 1024 * (np.arange(len(problem.contexts)) % 3)
        problem.train()
    np.testing.assert_allclose(got.tables[1], want.tables[1], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(got.tables[0], want.tables[0], rtol=1e-4, atol=1e-5)


def test_threads_train_slices_of_the_units():
    # Units apart share no rows: in whatever order threads come to them, the result is the same.
    case = Case(apart=True, most=PAIRS, num_head=400, num_context=70)
    got, want = Problem(case, CPU), Problem(case, CPU)
    assert len(got.units) > 50
    want.train()
    run_slices(lambda a, b: got.train(slice(a, b)), len(got.units), 4)
    got.check_guards()
    for a, b in zip(got.tables, want.tables, strict=True):
        np.testing.assert_array_equal(a, b)
