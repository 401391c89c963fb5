"""How many tiles a GPU trains at a time, and how it changes rows: rules from a graph and a plan, as properties."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom import Graph
from nodeloom.engine import make_plan
from nodeloom.kernels.cpu.optimizer import SGD
from nodeloom.kernels.units import heads_for, programs_for
from nodeloom.partition import Grid
from nodeloom.plan import tiles_in_flight
from nodeloom.plan.mode import Blocks
from nodeloom.plan.tiles_in_flight import (
    MAX_SLOWDOWN_SECONDS,
    MAX_UPDATES_IN_FLIGHT_TIMES_LR,
    block_launch_of,
    launch_of,
)

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

from nodeloom.engine.gpu.layout import CLIP_ABOVE, largest_rates, optimizer_settings
from nodeloom.kernels.gpu.skipgram import TILE

MANY = settings(deadline=None, max_examples=300)

STAR = Graph.from_edges([[0, i] for i in range(1, 500)])  # one node has half of all visits
EVEN = Graph.from_edges([[i, (i + 1) % 50_000] for i in range(50_000)])
GRAPHS = st.sampled_from([STAR, EVEN])
OPTIMIZERS = st.sampled_from(["SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"])
RATES = st.floats(1e-5, 1.0)
EPOCHS = st.integers(1, 10**7)
CARDS = st.integers(1, 300)


@pytest.fixture(scope="module")
def plan_of(engine):
    """Return a function that makes plans quickly: those of a graph differ in a few numbers only."""
    plans = {}

    def plan_of(graph, *, lr=0.01, num_epoch=100, optimizer="SGD", table_dtype="fp32", **values):
        key = (id(graph), optimizer, *sorted(values.items()))
        if key not in plans:
            plans[key] = make_plan(graph, engine.settings(optimizer=optimizer, device="cpu", **values))
        pairs = num_epoch * graph.num_edges * len(plans[key].stages)
        return dataclasses.replace(plans[key], lr=lr, num_epoch=num_epoch, total_pair=pairs, table_dtype=table_dtype)

    return plan_of


def under_way(launch, card):
    """Return how many programs run at a time: all that are launched, or all that the card takes."""
    return launch.num_program or card * {4: 2, 8: 1}[launch.num_warps]


def calm(graph, plan):
    """Return how many tiles may be under way before the changes of the busiest node add up."""
    return MAX_UPDATES_IN_FLIGHT_TIMES_LR * graph.strengths.sum() / (graph.strengths.max() * TILE * plan.lr)


@given(
    graph=GRAPHS, lr=RATES, num_epoch=EPOCHS, optimizer=OPTIMIZERS, dtype=st.sampled_from(["fp32", "bf16"]), card=CARDS
)
@MANY
def test_programs_and_changes(plan_of, graph, lr, num_epoch, optimizer, dtype, card):
    plan = plan_of(graph, lr=lr, num_epoch=num_epoch, optimizer=optimizer, table_dtype=dtype)
    launch = launch_of(graph, plan, card)
    assert launch.num_program >= 0
    assert launch.num_warps in (4, 8)
    assert 1 <= under_way(launch, card) <= 2 * card
    assert under_way(launch, card) >= min(4, card)
    if launch.num_program:
        assert launch.num_program < card
        assert launch.num_warps == 8
    assert launch.add is (plan.optimizer.code == SGD and dtype == "fp32")
    if launch.add and launch.num_program > 4:
        assert launch.num_program * TILE <= graph.num_nodes
    if plan.optimizer.code != SGD and launch.num_program > 4:
        assert launch.num_program * TILE <= 0.2 * graph.num_nodes
    assert launch.num_in_flight == under_way(launch, card)
    rates = largest_rates(graph, dataclasses.replace(plan, launch=launch))
    assert launch.is_limited is (rates is not None)
    if rates is None:
        assert not launch.add or under_way(launch, card) <= calm(graph, plan) * 1.0001
    else:
        assert launch.add
        assert rates.dtype == np.float32
        assert under_way(launch, card) > calm(graph, plan) * 0.9999
        assert 0 < rates.min() < lr
        # No node has more updates under way than it may, at its own rate, and those that could have more are at the limit.
        updates = np.minimum(rates, lr) * graph.strengths / graph.strengths.sum() * TILE * under_way(launch, card)
        assert updates.max() == pytest.approx(MAX_UPDATES_IN_FLIGHT_TIMES_LR, rel=1e-3)


@given(graph=GRAPHS, lr=RATES, times=st.floats(1.0, 100.0), num_epoch=EPOCHS, card=CARDS)
@MANY
def test_longer_steps_never_run_more_tiles(plan_of, graph, lr, times, num_epoch, card):
    short, long = (launch_of(graph, plan_of(graph, lr=r, num_epoch=num_epoch), card) for r in (lr, lr * times))
    assert under_way(long, card) <= under_way(short, card)


@given(graph=GRAPHS, lr=RATES, times=st.integers(1, 100), num_epoch=st.integers(1, 10**5), card=CARDS)
@MANY
def test_longer_trainings_never_run_fewer_tiles(plan_of, graph, lr, times, num_epoch, card):
    short, long = (launch_of(graph, plan_of(graph, lr=lr, num_epoch=n), card) for n in (num_epoch, num_epoch * times))
    assert under_way(long, card) >= under_way(short, card)


@given(lr=RATES, num_epoch=EPOCHS, card=CARDS)
@MANY
def test_graphs_without_hubs_never_run_fewer_tiles(plan_of, lr, num_epoch, card):
    pairs = num_epoch * EVEN.num_edges
    hub, even = (dataclasses.replace(plan_of(g, lr=lr), total_pair=pairs) for g in (STAR, EVEN))
    assert under_way(launch_of(EVEN, even, card), card) >= under_way(launch_of(STAR, hub, card), card)


def test_the_longest_trainings_use_the_whole_card_and_short_ones_of_long_steps_few_programs(plan_of):
    whole = launch_of(STAR, plan_of(STAR, num_epoch=10**7, table_dtype="bf16"), 132)
    assert (whole.num_program, whole.num_warps, whole.add) == (0, 4, False)
    small = launch_of(STAR, plan_of(STAR, num_epoch=10**7), 132)  # changes that are added need room
    assert (small.num_program, small.num_warps, small.add) == (500 // TILE, 8, True)
    calm_one = launch_of(EVEN, plan_of(EVEN), 132)
    assert (calm_one.num_program, calm_one.num_warps, calm_one.add) == (0, 4, True)
    few = launch_of(STAR, plan_of(STAR, lr=0.04, num_epoch=2), 132)
    assert (few.num_program, few.num_warps, few.add) == (4, 8, True)
    moments = launch_of(STAR, plan_of(STAR, lr=0.001, num_epoch=2, optimizer="Adam"), 132)
    assert (moments.num_program, moments.num_warps, moments.add) == (4, 8, False)


def test_a_training_is_slowed_down_by_no_more_than_patience(plan_of):
    for num_epoch in np.geomspace(1, 10**6, 30).astype(int):
        plan = plan_of(STAR, lr=1.0, num_epoch=int(num_epoch), table_dtype="bf16")
        launch = launch_of(STAR, plan, 132)
        if launch.num_program:
            tiles = plan.total_pair / plan.pairs_per_tile
            seconds = tiles / launch.num_program * tiles_in_flight._SECONDS_PER_TILE
            assert seconds <= MAX_SLOWDOWN_SECONDS * (1 + 1 / launch.num_program) * 1.01


def test_parts_count_alone_and_long_walks_as_several_tiles(plan_of):
    values = {"num_epoch": 400_000, "lr": 1.0, "table_dtype": "bf16"}
    one, both = (plan_of(STAR, model="LINE", order=order, dim=32, **values) for order in (2, "both"))
    assert both.total_pair == 2 * one.total_pair
    assert launch_of(STAR, one, 10**6) == launch_of(STAR, both, 10**6)
    short, long = (plan_of(STAR, random_walk_length=n, **values) for n in (63, 639))
    programs = [launch_of(STAR, plan, 10**6).num_program for plan in (short, long)]
    assert programs[0] == pytest.approx(programs[1], rel=0.1)
    assert programs[0] > 20


def test_busy_nodes_count_wherever_edges_come_in(plan_of):
    # Regression: a node that all others point to was no hub if few edges lead out of it.
    into = Graph.from_edges([[i, 0] for i in range(1, 500)] + [[0, 1]], directed=True)
    out = Graph.from_edges([[0, i] for i in range(1, 500)] + [[1, 0]], directed=True)
    for graph in (into, out):
        plan = plan_of(graph, lr=0.04, num_epoch=2, random_walk_length=5)
        planned = dataclasses.replace(plan, launch=launch_of(graph, plan, 132))
        assert largest_rates(graph, planned).argmin() == 0


# ----------------------------------------------------------------------------------------------------------- blocks


def in_blocks(plan, row, part_rows):
    """Return the launch of a plan in 4 x 4 blocks, of rows and parts of another size."""
    grid = Grid(4, 4, 2, 3, 10**6, 10**6, 4, 0, {}, "")
    stage = plan.stages[0]
    tables = tuple(dataclasses.replace(table, dim=row, align=1) for table in stage.objective.tables)
    stage = dataclasses.replace(stage, objective=dataclasses.replace(stage.objective, tables=tables))
    return dataclasses.replace(plan, stages=(stage,), num_nodes=4 * part_rows, mode=Blocks(grid))


@given(lr=RATES, optimizer=OPTIMIZERS, row=st.integers(1, 2048), part_rows=st.integers(1, 10**8), card=CARDS)
@MANY
def test_small_parts_have_few_units_under_way(plan_of, lr, optimizer, row, part_rows, card):
    plan = in_blocks(plan_of(STAR, lr=lr, optimizer=optimizer), row, part_rows)
    launch = block_launch_of(plan, 1, card)
    heads, number = launch.heads, launch.num_program
    assert heads == heads_for(row)
    most = programs_for(heads, row, card)
    room = 0.005 / lr if optimizer == "SGD" else 0.2
    if number == 0:  # as many as the card takes
        assert most <= max(4, room * part_rows / heads + 1)
    else:
        assert number == 4 or number * heads <= room * part_rows
        assert number < most


def test_a_part_of_usual_size_fills_the_card(plan_of):
    def programs(lr, part_rows):
        return block_launch_of(in_blocks(plan_of(STAR, lr=lr), 128, part_rows), 1, 132).num_program

    assert [programs(lr, 100_000) for lr in (0.01, 0.04)] == [0, 0]
    assert [programs(lr, 2_500) for lr in (0.01, 0.04)] == [78, 19]


# -------------------------------------------------------------------------------------------------- largest step


@given(lr=st.floats(1e-6, 10.0), optimizer=OPTIMIZERS)
@MANY
def test_the_largest_step_is_enforced_where_it_may_occur(plan_of, lr, optimizer):
    plan = plan_of(STAR, lr=lr, optimizer=optimizer)
    numbers = optimizer_settings(plan)
    assert len(numbers) == 4
    assert all(type(number) is float for number in numbers)
    if optimizer == "SGD" and lr <= CLIP_ABOVE:
        assert numbers == (0.0, 0.0, 0.0, 0.0)
    else:
        assert numbers == tuple(plan.optimizer.settings.tolist())
        assert numbers[0] > 0
