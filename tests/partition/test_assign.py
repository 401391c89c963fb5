"""Placement: one numbering, parts of equal size and weight on both sides."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nodeloom.partition import assign
from placements import node_of, parts_of

STRENGTHS = st.lists(st.one_of(st.integers(0, 4), st.integers(0, 4000)), max_size=90)
NUM_PARTS = st.tuples(st.integers(1, 6), st.integers(1, 6), st.booleans()).map(
    lambda of: (of[0] * of[1], of[0]) if of[2] else (of[0], of[0] * of[1])
)
SIDES = ("vertex", "context")


@given(strengths=STRENGTHS, num_parts=NUM_PARTS)
def test_every_node_has_its_row(strengths, num_parts):
    placement = assign(np.array(strengths, np.float64), *num_parts)
    finer = max(num_parts)
    assert placement.num_slot - len(strengths) < finer
    assert placement.num_slot % finer == 0
    assert placement.slot.dtype == np.int32
    nodes = node_of(placement)
    assert len(nodes) == placement.num_slot
    np.testing.assert_array_equal(nodes[placement.slot], np.arange(len(strengths)))
    assert (np.sort(nodes[nodes >= 0]) == np.arange(len(strengths))).all()


@given(strengths=STRENGTHS, num_parts=NUM_PARTS)
@example(strengths=[9, 0, 0, 0], num_parts=(2, 2))  # the bound is reached
def test_parts_are_equal(strengths, num_parts):
    strengths = np.array(strengths, np.float64)
    placement = assign(strengths, *num_parts)
    nodes = node_of(placement)
    bound = strengths.max(initial=0)
    if len(strengths) == placement.num_slot:
        bound -= strengths.min(initial=bound)
    for side, num_part in zip(SIDES, num_parts, strict=True):
        parts = parts_of(placement, side)
        assert len(parts) == num_part
        assert {part.stop - part.start for part in parts} == {placement.rows(side)}
        assert [part.start for part in parts] == [0, *(part.stop for part in parts[:-1])]
        assert parts[-1].stop == placement.num_slot
        counts = [np.count_nonzero(nodes[part] >= 0) for part in parts]
        assert max(counts) - min(counts) <= 1
        found = masses(placement, strengths, side)
        assert max(found) - min(found) <= bound


def masses(placement, strengths, side):
    padded = np.append(strengths, 0.0)[node_of(placement)]
    return [padded[part].sum() for part in parts_of(placement, side)]


def test_what_falls_evenly_is_balanced():
    # Dealing in one direction only would give the first part the most in every round.
    twelve = np.arange(12.0)
    assert set(masses(assign(twelve, 6, 2), twelve, "vertex")) == {11.0}  # two rounds of 6
    assert set(masses(assign(twelve, 12, 3), twelve, "context")) == {22.0}  # one round, four laps of 3


@given(strengths=STRENGTHS, num_parts=NUM_PARTS)
def test_rows_fall_and_padding_is_last(strengths, num_parts):
    strengths = np.array(strengths, np.float64)
    placement = assign(strengths, *num_parts)
    nodes = node_of(placement)
    for part in parts_of(placement, "vertex" if num_parts[0] >= num_parts[1] else "context"):
        found = nodes[part][: np.count_nonzero(nodes[part] >= 0)]
        assert (found >= 0).all()
        # Falling strength, then rising number.
        assert sorted(found, key=lambda node: (-strengths[node], node)) == list(found)


@pytest.mark.parametrize("scale", [5e-324, 1e-300, 1.0, 1e300])
def test_strengths_of_any_size(scale):
    strengths = np.array([1.0, 3.0, 2.0, 0.0]) * scale
    np.testing.assert_array_equal(node_of(assign(strengths, 1, 1)), [1, 2, 0, 3])


def test_slices_do_not_matter(monkeypatch):
    strengths = np.random.default_rng(0).pareto(1.0, 1000)
    whole = assign(strengths, 2, 6)
    monkeypatch.setattr(sys.modules["nodeloom.partition.assign"], "_SLICE", 17)  # the function has its name
    sliced = assign(strengths, 2, 6)
    np.testing.assert_array_equal(whole.slot, sliced.slot)
    np.testing.assert_array_equal(node_of(whole), node_of(sliced))


@pytest.mark.parametrize("num_parts", [(2, 3), (4, 6), (0, 1), (1, 0), (-2, 2)])
def test_parts_that_do_not_divide_are_refused(num_parts):
    with pytest.raises(ValueError, match="one must divide the other"):
        assign(np.ones(8), *num_parts)


@given(
    num_nodes=st.integers(0, 60), num_parts=NUM_PARTS, seed=st.integers(0, 9), strengths=st.sampled_from([1, 5, 100])
)
def test_given_parts_are_kept(num_nodes, num_parts, seed, strengths):
    finer = max(num_parts)
    random = np.random.default_rng(seed)
    rows = -(-num_nodes // finer)
    parts = random.permutation(np.repeat(np.arange(finer), rows))[:num_nodes]
    strengths = random.integers(0, strengths, num_nodes).astype(np.float64)
    placement = assign(strengths, *num_parts, parts)
    np.testing.assert_array_equal(placement.slot // max(rows, 1), parts)
    nodes = node_of(placement)
    np.testing.assert_array_equal(nodes[placement.slot], np.arange(num_nodes))
    for part in parts_of(placement, "vertex" if num_parts[0] >= num_parts[1] else "context"):
        found = nodes[part][: np.count_nonzero(nodes[part] >= 0)]
        assert sorted(found, key=lambda node: (-strengths[node], node)) == list(found)  # padding is last


def test_slices_do_not_matter_for_given_parts(monkeypatch):
    random = np.random.default_rng(0)
    strengths, parts = random.pareto(1.0, 1000), random.permutation(np.arange(1000) % 6)
    whole = assign(strengths, 2, 6, parts)
    monkeypatch.setattr(sys.modules["nodeloom.partition.assign"], "_SLICE", 17)
    np.testing.assert_array_equal(assign(strengths, 2, 6, parts).slot, whole.slot)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([0, 1, 0], "expected 4, as many"),
        ([0, 0, 0, 1], "part 0 has 3 nodes: expected at most 2 of 4"),
        ([0, 1, 2, 0], "expected 0 to 1"),
        ([0, 1, -1, 0], "expected 0 to 1"),
    ],
)
def test_parts_that_do_not_fit_are_refused(parts, message):
    with pytest.raises(ValueError, match=message):
        assign(np.ones(4), 2, 1, np.array(parts))
