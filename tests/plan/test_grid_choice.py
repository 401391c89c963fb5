"""The grid that is chosen fits the memory, and no other one moves less."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nodeloom.plan.grid_choice import choose_grid
from nodeloom.schedule import Transfers, blocks
from null_device import NullDevice

NUMBERS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)
BALANCE = 1.25  # exact in binary
PROBLEM = st.fixed_dictionaries(
    {
        "num_nodes": st.integers(1, 60),
        "row_bytes": st.sampled_from([1, 40, 300]),
        "max_episode_pairs": st.integers(1, 3000),
        "fixed_bytes": st.integers(0, 50),
        "block_bytes": st.integers(0, 20),
        "pass_bytes": st.sampled_from([0.0, 8.0]),
        "visit_bytes": st.sampled_from([0.0, 3.0]),
    }
)


def memory_of(problem, parts, slots, episode_pairs):
    finer = max(parts)
    rows = math.ceil(problem["num_nodes"] / finer)
    vertex_rows, context_rows = rows * finer // parts[0], rows * finer // parts[1]
    return (
        (slots[0] * vertex_rows + slots[1] * context_rows) * problem["row_bytes"]
        + 16 * vertex_rows * parts[1]
        + 4 * vertex_rows
        + 2 * math.ceil(episode_pairs * BALANCE / parts[0])
        + problem["fixed_bytes"]
    )


def cost_of(problem, parts, slots, episode_pairs):
    """Return whether nothing is hidden, and what a pair costs in bytes."""
    finer = max(parts)
    padded = math.ceil(problem["num_nodes"] / finer) * finer
    vertex = padded * problem["row_bytes"] * max(0, parts[0] - slots[0]) / parts[0]
    context = padded * problem["row_bytes"] * parts[0] * max(0, parts[1] - slots[1]) / parts[1]
    bytes_in_all = vertex * (2 if slots[0] == 1 else 1) + context * (1 if slots[1] == 3 else 2)
    bytes_in_all += parts[0] * parts[1] * problem["block_bytes"]
    bytes_in_all += problem["num_nodes"] * parts[1] * problem["visit_bytes"]
    return slots[1] == 1 and parts[1] > 1, bytes_in_all / episode_pairs + parts[0] * problem["pass_bytes"]


def cost_of_grid(problem, grid):
    parts, slots = (grid.num_vertex_part, grid.num_context_part), (grid.vertex_slots, grid.context_slots)
    return cost_of(problem, parts, slots, grid.episode_pairs)


def brute_force(problem, free_bytes):
    """Return the least (whether nothing is hidden, cost of a pair); None if nothing fits."""
    numbers = [n for n in NUMBERS if n <= problem["num_nodes"]]
    found = []
    for parts in itertools.product(numbers, numbers):
        if max(parts) % min(parts) == 0:
            for slots in itertools.product((1, 2), (1, 2, 3)):
                if slots[0] <= parts[0] and slots[1] <= parts[1]:
                    fitting = [
                        pairs
                        for pairs in range(1, problem["max_episode_pairs"] + 1)
                        if memory_of(problem, parts, slots, pairs) <= free_bytes
                    ]
                    if fitting:
                        found.append(cost_of(problem, parts, slots, fitting[-1]))
    return min(found, default=None)


def chosen(problem, free_bytes):
    return choose_grid(**problem, free_bytes=free_bytes, balance=BALANCE)


@given(problem=PROBLEM, free_bytes=st.integers(0, 20_000))
@settings(max_examples=150, deadline=None)
def test_no_other_grid_is_better(problem, free_bytes):
    problem["max_episode_pairs"] = min(problem["max_episode_pairs"], 300)
    expected = brute_force(problem, free_bytes)
    if expected is None:
        with pytest.raises(ValueError, match="no grid of up to 4096 parts fits"):
            chosen(problem, free_bytes)
        return
    assert cost_of_grid(problem, chosen(problem, free_bytes)) == pytest.approx(expected)


@given(problem=PROBLEM, free_bytes=st.integers(0, 20_000))
@settings(max_examples=200, deadline=None)
def test_it_fits(problem, free_bytes):
    try:
        grid = chosen(problem, free_bytes)
    except ValueError:
        assume(False)
    assert sum(grid.memory.values()) <= free_bytes
    assert 1 <= grid.episode_pairs <= problem["max_episode_pairs"]
    assert grid.row_pairs >= math.ceil(grid.episode_pairs * BALANCE / grid.num_vertex_part)
    parts, slots = (grid.num_vertex_part, grid.num_context_part), (grid.vertex_slots, grid.context_slots)
    assert memory_of(problem, parts, slots, grid.episode_pairs) <= sum(grid.memory.values())
    assert max(parts) % min(parts) == 0


@given(problem=PROBLEM, free_bytes=st.integers(0, 20_000), more=st.integers(0, 2000))
@settings(max_examples=200, deadline=None)
def test_more_memory_is_never_worse(problem, free_bytes, more):
    try:
        before = cost_of_grid(problem, chosen(problem, free_bytes))
    except ValueError:
        assume(False)
    after = cost_of_grid(problem, chosen(problem, free_bytes + more))
    assert after[0] < before[0] or (after[0] == before[0] and after[1] <= before[1] * (1 + 1e-12))


def moved_by(grid, num_nodes, columns, tied):
    """Return the bytes that the third episode loads."""
    parts, slots = (grid.num_vertex_part, grid.num_context_part), (grid.vertex_slots, grid.context_slots)
    devices = NullDevice(
        np.zeros((num_nodes, columns)),
        None if tied else np.zeros((num_nodes, columns)),
        *parts,
        vertex_slots=slots[0],
        context_slots=slots[1],
    )
    transfers = Transfers(*slots, tied=tied)
    for episode in range(3):
        before = devices.bytes["Load", "vertex"] + devices.bytes["Load", "context"]
        orders = [blocks(*parts, number) for number in (episode, episode + 1)]
        for operation in transfers.operations(*orders):
            devices.run(operation)
    return devices.bytes["Load", "vertex"] + devices.bytes["Load", "context"] - before


@pytest.mark.parametrize(
    ("free_bytes", "tied"),
    [(18_000, False), (12_000, False), (27_000, True)],
)
def test_an_episode_moves_what_the_grid_says(free_bytes, tied):
    grid = choose_grid(
        96,
        row_bytes=512,
        free_bytes=free_bytes,
        max_episode_pairs=2000,
        tied=tied,
        block_bytes=0,
        pass_bytes=0,
        visit_bytes=0,
    )
    assert min(grid.num_vertex_part, grid.num_context_part) > 2  # or nothing is tested
    found = moved_by(grid, 96, 64, tied)
    if tied:
        assert 0.6 * grid.moved_bytes <= found <= grid.moved_bytes
    else:
        assert found == grid.moved_bytes


@given(num_partition=st.integers(1, 7), free_bytes=st.integers(1000, 20_000))
@settings(deadline=None)
def test_no_number_of_parts_moves_more(num_partition, free_bytes):
    num_nodes = 60 * num_partition
    try:
        grid = choose_grid(
            num_nodes,
            row_bytes=8,
            free_bytes=free_bytes,
            max_episode_pairs=100,
            num_partition=num_partition,
            block_bytes=4 << 20,
            visit_bytes=75,
        )
    except ValueError:
        assume(False)
    assert moved_by(grid, num_nodes, 1, tied=False) <= grid.moved_bytes


FRIENDSTER = {
    "num_nodes": 65_600_000,
    "row_bytes": 512,
    "block_bytes": 4 << 20,
    "visit_bytes": 75,
    "max_episode_pairs": 2_000_000_000,
}


def test_tables_that_fit_are_one_block():
    grid = choose_grid(**FRIENDSTER, free_bytes=80 * 10**9)
    assert (grid.num_vertex_part, grid.num_context_part, grid.moved_bytes) == (1, 1, 0)


def test_the_reason_names_the_memory():
    grid = choose_grid(**FRIENDSTER, free_bytes=20 * 10**9)
    assert "67.2 GB and 20 GB" in grid.reason
    assert f"{grid.num_vertex_part} x {grid.num_context_part} blocks;" in grid.reason
    assert ("training waits" in grid.reason) == (grid.vertex_slots == 1)


def test_few_context_rows_are_numbered_in_16_bits():
    for num_nodes, expected in ((4 * 65536, 2), (4 * 65536 + 1, 4)):
        problem = {**FRIENDSTER, "num_nodes": num_nodes, "max_episode_pairs": 100}
        assert choose_grid(**problem, free_bytes=10**9, num_partition=4).context_bytes == expected


def test_fixed_parts():
    grid = choose_grid(**FRIENDSTER, free_bytes=20 * 10**9, num_partition=10)
    assert (grid.num_vertex_part, grid.num_context_part) == (10, 10)
    assert "as asked" in grid.reason
    with pytest.raises(ValueError, match="no grid of 2 parts fits 20 GB: the smallest needs"):
        choose_grid(**FRIENDSTER, free_bytes=20 * 10**9, num_partition=2)


def test_passes_and_blocks_have_a_price():
    problem = {**FRIENDSTER, "free_bytes": 9 * 10**9}
    usual = choose_grid(**problem)
    assert choose_grid(**problem, pass_bytes=1000).num_vertex_part < usual.num_vertex_part
    assert choose_grid(**{**problem, "visit_bytes": 10_000}).num_context_part < usual.num_context_part
    fewer = choose_grid(**{**problem, "block_bytes": 10**10})
    assert fewer.num_vertex_part * fewer.num_context_part < usual.num_vertex_part * usual.num_context_part


def test_what_else_is_there_depends_on_the_parts():
    asked = set()

    def fixed(num_vertex_part, num_context_part):
        asked.add((num_vertex_part, num_context_part))
        return 10**10 // num_context_part

    grid = choose_grid(**FRIENDSTER, free_bytes=20 * 10**9, fixed_bytes=fixed)
    assert grid.memory["fixed"] == 10**10 // grid.num_context_part
    assert (grid.num_vertex_part, grid.num_context_part) in asked


def test_tied_tables():
    grid = choose_grid(**FRIENDSTER, free_bytes=20 * 10**9, tied=True)
    assert grid.num_vertex_part == grid.num_context_part
