"""The schedule of each mode on a null device: everything is trained once, whatever the numbers, and a stop loses nothing."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_transport import together
from nodeloom.engine.loop import Loop
from nodeloom.errors import GraphError, TrainingError
from nodeloom.partition import Grid
from nodeloom.schedule import (
    TILE_OFFSET_PER_RANK,
    BlocksSchedule,
    CopiesSchedule,
    Landed,
    Position,
    RingSchedule,
    WholeSchedule,
)
from nodeloom.transport.alone import ALONE
from null_modes import NullBlocks, NullRing, NullTiles

PLAN = SimpleNamespace(
    lr=0.5, schedule="linear", num_nodes=10, num_edges=100, num_epoch=5, optimizer=SimpleNamespace(name="SGD")
)  # what the loop asks of a plan
EXPECTED = 10.0


def pairs_of(number):
    """Return what a tile or a block has in truth: about as many as expected."""
    return 5 + number * 7919 % 9


def trained(make, position, *, stops=(), transport=ALONE):
    """Train to the end, anew from the position at each of the looks `stops`; return the devices, and a copy of each position seen."""
    devices, seen, loop = [], [], None
    while True:
        schedule, device = make()
        devices.append(device)
        loop = Loop(PLAN, schedule, device, transport)
        for _ in loop.run(position):
            seen.append(copy.deepcopy(position))
            if len(seen) in stops and position.num_pair < loop.total_pair:  # else nothing is left
                loop.settle()
                position = copy.deepcopy(position)
                break
        else:
            return devices, seen, position


STOPS = st.sets(st.integers(1, 12), max_size=3)


@given(
    total=st.integers(1, 3000), pool=st.integers(1, 40), walks=st.integers(1, 5), depth=st.integers(0, 3), stops=STOPS
)
@settings(max_examples=150, deadline=None)
def test_whole_trains_every_tile_once(total, pool, walks, depth, stops):
    def make():
        return WholeSchedule(total, EXPECTED, walks, pool), NullTiles(walks, pairs_of, depth)

    devices, seen, position = trained(make, Position(), stops=stops)
    tiles = [tile for device in devices for tile in device.tiles]
    assert tiles == list(range(position.num_tile))
    assert position.num_pair == sum(map(pairs_of, tiles)) >= total
    # Of the last pool no more is trained than was expected to be lacking; others are in flight then.
    assert position.num_pair < total + 2 * EXPECTED * (1 + depth * pool) + 0.7 * EXPECTED * pool
    assert [one.num_pair for one in seen] == sorted(one.num_pair for one in seen)
    rates = np.concatenate([device.rates for device in devices])
    assert rates[0] == PLAN.lr and (rates >= 0).all() and (rates <= PLAN.lr).all()
    assert position.loss == 1.0


@given(
    size=st.integers(1, 4), total=st.integers(200, 4000), pool=st.integers(1, 20), depth=st.integers(0, 2),
    num_merge=st.integers(1, 8), stops=st.sets(st.integers(1, 4), max_size=2),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_copies_train_apart_and_merge_together(size, total, pool, depth, num_merge, stops):
    def work(transport):
        def make():
            schedule = CopiesSchedule(total, EXPECTED, 2, pool, transport.rank, num_merge)
            return schedule, NullTiles(2, pairs_of, depth, transport)

        return trained(make, Position(), stops=stops, transport=transport)

    found = together(size, work)
    devices, seen, position = found[0]
    for others, others_seen, _ in found[1:]:
        assert [(one.num_pair, one.num_tile, one.lr, one.episode) for one in others_seen] == [
            (one.num_pair, one.num_tile, one.lr, one.episode) for one in seen
        ]
        assert [device.merges for device in others] == [device.merges for device in devices]
    tiles = [[tile for device in run[0] for tile in device.tiles] for run in found]
    for rank, own in enumerate(tiles):  # as many of each, of its own
        assert own == [rank * TILE_OFFSET_PER_RANK + number for number in range(len(tiles[0]))]
    assert position.num_tile == size * len(tiles[0])
    assert position.num_pair == sum(pairs_of(tile) for own in tiles for tile in own) >= total
    for run in found:  # merged tables have what all have trained
        assert sum(device.value for device in run[0]) == position.num_pair
    assert len(seen) <= num_merge + len(stops) + 2


def grid_of(vertex, context, vertex_slots=1, context_slots=1, episode_pairs=300):
    return Grid(
        vertex, context, vertex_slots, context_slots, episode_pairs, row_pairs=0, context_bytes=4, moved_bytes=0, memory={}, reason=""
    )  # fmt: skip


GRIDS = st.builds(
    grid_of, st.integers(1, 5), st.integers(1, 6), st.integers(1, 3), st.integers(1, 4), st.integers(50, 400)
)


@given(grid=GRIDS, total=st.integers(1, 1500), stops=STOPS, tied=st.booleans())
@settings(max_examples=80, deadline=None)
def test_blocks_are_trained_once_an_episode_and_stored(grid, total, stops, tied):
    if tied:
        grid = dataclasses.replace(grid, num_context_part=grid.num_vertex_part)

    def make():
        return BlocksSchedule(total, EXPECTED, 3, grid, tied), NullBlocks(grid, pairs_of, tied=tied)

    devices, _, position = trained(make, Position(), stops=stops)
    places = [place for device in devices for place in device.places]
    assert sorted(places) == list(range(len(places)))  # once, of each episode
    num_block = grid.num_vertex_part * grid.num_context_part
    assert len(places) % num_block == 0 and position.episode == {"number": len(places) // num_block}
    assert position.num_pair == sum(map(pairs_of, places)) >= total
    # Walks follow each other from episode to episode; one that is gone on with has the same walks.
    drawn = list(dict.fromkeys(one for device in devices for one in device.drawn))
    assert [first for first, _ in drawn] == np.cumsum([0, *(count for _, count in drawn)])[:-1].tolist()
    # Each device has given everything back: what it has trained is in its tables.
    for device in devices:
        rows = len(device.vertex)
        changed = device.vertex.sum() + (0 if device.context is None else device.context.sum())
        per_block = rows // grid.num_vertex_part + rows // grid.num_context_part
        assert changed == len(device.places) * per_block


@given(
    size=st.integers(1, 4), rows=st.integers(1, 2), share=st.integers(1, 3), total=st.integers(1, 1500),
    stops=st.sets(st.integers(1, 8), max_size=2),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_a_ring_trains_every_block_once_and_no_part_twice_at_a_time(size, rows, share, total, stops):
    grid = grid_of(rows * size, share * size)

    def work(transport):
        def make():
            schedule = RingSchedule(total, EXPECTED, 3, grid, transport.rank, transport.size)
            return schedule, NullRing(grid, pairs_of, transport)

        return trained(make, Position(), stops=stops, transport=transport)

    found = together(size, work)
    position, num_block = found[0][2], grid.num_vertex_part * grid.num_context_part
    places = [[place for device in run[0] for place in device.places] for run in found]
    assert sorted(place for own in places for place in own) == list(range(len(places[0]) * size))
    assert {run[2].num_pair for run in found} == {sum(pairs_of(place) for own in places for place in own)}
    assert position.num_pair >= total
    for blocks in zip(*places, strict=True):  # a round
        parts = [divmod(place % num_block, grid.num_context_part) for place in blocks]
        assert len({vertex for vertex, _ in parts}) == len({context for _, context in parts}) == size
    for number in range(len(found[0][0])):  # each time that all went on
        held = [run[0][number] for run in found]
        counts = Counter({part: value[0] for device in held for part, value in device.context.items()})
        assert sorted(part for device in held for part in device.context) == list(range(grid.num_context_part))
        assert sum(counts.values()) == sum(len(device.places) for device in held)  # no change was lost on the way
    for run in found:
        assert all(device.most <= share + 1 for device in run[0])


# ------------------------------------------------------------------------------------------------------------- errors


def loop_with(device):
    return Loop(PLAN, WholeSchedule(10**6, EXPECTED, 1, 4), device)


def test_a_loss_that_is_no_number_ends_the_loop():
    for loss in (np.nan, np.inf):
        device = NullTiles(1, pairs_of)
        device.land = lambda loss=loss: Landed(10, loss, 10.0)
        with pytest.raises(TrainingError, match=r"training diverged at epoch 0\.1 of 5: .* at lr 0\.5 \(SGD\)"):
            list(loop_with(device).run(Position()))


def test_pools_without_pairs_end_the_loop():
    device = NullTiles(1, lambda tile: 0)
    seen = []
    with pytest.raises(GraphError, match="64 pools of walks had not one pair of different nodes"):
        seen.extend(loop_with(device).run(Position()))
    assert len(seen) == 63


def test_the_clock_stands_still_while_the_caller_looks():
    import time

    position = Position()
    for number, _ in enumerate(loop_with(NullTiles(1, pairs_of)).run(position)):
        time.sleep(0.02)
        if number == 20:
            break
    assert position.seconds < 0.2
