"""What is left of a grid where kernels are interpreted."""

from __future__ import annotations

from itertools import product

from covering import covering, launches

GRID = [dict(zip("abc", values, strict=True)) for values in product(range(5), range(3), range(2))]


def test_every_value_is_seen():
    chosen = [GRID[number] for number in covering(GRID, 1)]
    assert len(chosen) == 5
    assert all({case[name] for case in chosen} == {case[name] for case in GRID} for name in "abc")


def test_every_pair_is_seen():
    chosen = [GRID[number] for number in covering(GRID, 2)]
    assert len(chosen) < 20 < len(GRID)
    for a, b in ("ab", "ac", "bc"):
        assert {(case[a], case[b]) for case in chosen} == {(case[a], case[b]) for case in GRID}


def test_what_only_a_card_does_is_for_a_card():
    params = launches([{"num_warps": 2}, {"num_warps": 2, "keep": 0}, {}])
    assert [[mark.name for mark in param.marks] for param in params] == [["gpu"], [], []]
