"""Transfers: whatever order the queues of the device take, no change is lost, and as little is moved as can be."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nodeloom.partition import Block
from nodeloom.schedule import Load, Store, Train, Transfers, blocks, queue_of
from null_device import NullDevice

COUNT = st.integers(1, 6)
SLOTS = st.integers(1, 4)


def run_in_any_order(device, operations, seed):
    """Carry out operations as queues do: each in its own order, and otherwise when what it waits for is done."""
    choice = random.Random(seed)
    queues = {}
    for operation in operations:
        queues.setdefault(queue_of(operation), []).append(operation)
    numbers = {operation.number for operation in operations}
    done = set()
    while queues:
        ready = [key for key, queue in queues.items() if not set(queue[0].after) & numbers - done]
        key = choice.choice(sorted(ready))
        device.run(queues[key][0])
        done.add(queues[key].pop(0).number)
        if not queues[key]:
            del queues[key]


def tables(num_vertex_part, num_context_part, rows=2):
    num_slot = np.lcm(num_vertex_part, num_context_part) * rows
    return np.zeros((num_slot, 1)), np.zeros((num_slot, 1))


@given(
    num_parts=st.tuples(COUNT, COUNT),
    slots=st.tuples(SLOTS, SLOTS),
    num_episode=st.integers(1, 4),
    expected=st.sampled_from([None, 0, 1]),  # nothing, what comes, something else
    checkpoint=st.booleans(),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=300, deadline=None)
@example(num_parts=(6, 6), slots=(1, 3), num_episode=2, expected=1, checkpoint=False, seed=391717)
def test_no_change_is_lost(num_parts, slots, num_episode, expected, checkpoint, seed):
    vertex, context = tables(*num_parts)
    device = NullDevice(vertex, context, *num_parts, vertex_slots=slots[0], context_slots=slots[1])
    transfers = Transfers(*slots)
    operations = []
    for episode in range(num_episode):
        following = [] if expected is None else blocks(*num_parts, episode + 1 + expected)
        order = blocks(*num_parts, episode)
        found = transfers.operations(order, following)
        assert [operation.block for operation in found if isinstance(operation, Train)] == order
        operations += found
        if checkpoint:
            operations += transfers.finish()
    operations += transfers.finish()
    for position, operation in enumerate(operations):  # in the order of the list all waits are over
        assert set(operation.after) <= {earlier.number for earlier in operations[:position]}
    run_in_any_order(device, operations, seed)
    device.check_all_is_stored()
    assert (vertex == num_episode * num_parts[1]).all()
    assert (context == num_episode * num_parts[0]).all()
    assert len(device.blocks) == num_episode * num_parts[0] * num_parts[1]


@given(
    order=st.lists(st.tuples(COUNT, COUNT), max_size=40), slots=st.tuples(SLOTS, SLOTS), tied=st.booleans(), seed=COUNT
)
@settings(max_examples=300, deadline=None)
def test_any_order_of_blocks(order, slots, tied, seed):
    order = [Block(vertex - 1, context - 1) for vertex, context in order]
    vertex, context = tables(6, 6)
    device = NullDevice(vertex, None if tied else context, 6, 6, vertex_slots=slots[0], context_slots=slots[1])
    transfers = Transfers(*slots, tied=tied)
    half = len(order) // 2
    operations = transfers.operations(order[:half], order[half:]) + transfers.operations(order[half:])
    run_in_any_order(device, operations + transfers.finish(), seed)
    device.check_all_is_stored()
    assert device.blocks == order
    expected = np.zeros((2, 6))
    for block in order:
        expected[0, block.vertex] += 1
        expected[0 if tied else 1, block.context] += 1
    np.testing.assert_array_equal(vertex[:, 0], np.repeat(expected[0], 2))
    np.testing.assert_array_equal(context[:, 0], np.repeat(expected[1], 2))
    # Only what a block lacks is loaded, and a part once at most for each of its blocks.
    assert device.moved["Load", "vertex"] <= len(order) * (1 + tied)


def moved(num_parts, slots, num_episode, *, tied=False):
    """Return the loads of each side in the last of some episodes."""
    device = NullDevice(
        *(tables(*num_parts) if not tied else (tables(*num_parts)[0], None)),
        *num_parts,
        vertex_slots=slots[0],
        context_slots=slots[1],
    )
    transfers = Transfers(*slots, tied=tied)
    for episode in range(num_episode):
        before = dict(device.moved)
        orders = [blocks(*num_parts, number) for number in (episode, episode + 1)]
        for operation in transfers.operations(*orders):
            device.run(operation)
    return tuple(device.moved["Load", side] - before.get(("Load", side), 0) for side in ("vertex", "context"))


@given(num_parts=st.tuples(st.integers(1, 9), st.integers(1, 9)), slots=st.tuples(SLOTS, SLOTS))
@settings(max_examples=200, deadline=None)
def test_an_episode_loads_what_the_buffers_have_not(num_parts, slots):
    # Every vertex part comes once, and with each all context parts: at a turn the buffers have as many as they can hold.
    kept = [min(count, part) for count, part in zip(slots, num_parts, strict=True)]
    expected = (num_parts[0] - kept[0], num_parts[0] * (num_parts[1] - kept[1]))
    assert moved(num_parts, slots, 3) == expected


@pytest.mark.parametrize("num_part", [1, 2, 5, 8, 12])
@pytest.mark.parametrize("slots", [2, 3, 4, 6])
def test_tied_parts_are_loaded_once_for_both_sides(num_part, slots):
    found, _ = moved((num_part, num_part), (1, slots - 1), 3, tied=True)
    if slots >= num_part:
        assert found == 0
    else:
        # With each part come all others, less those in the buffers; at a turn those are not all the ones that are needed next.
        assert num_part * (num_part - slots) <= found <= num_part * (num_part - slots + 2)


def test_with_one_buffer_a_side_every_block_is_one_transfer():
    assert sum(moved((3, 5), (1, 1), 1)) == 3 * 5 + 1


def time_of(operations, costs):
    """Return when the last operation ends if every queue is as fast as its costs and nothing else holds it up."""
    ends, free = {}, {}
    for operation in operations:
        queue = queue_of(operation)
        begin = max([free.get(queue, 0.0), *(ends[number] for number in operation.after)])
        ends[operation.number] = free[queue] = begin + costs[queue]
    return max(free.values())


def costs(vertex, context):
    both = {
        (kind, side): cost for kind in ("Load", "Store") for side, cost in (("vertex", vertex), ("context", context))
    }
    return {**both, ("Train", ""): 1.0}


def test_transfers_hide_behind_training():
    num_parts = 8, 16
    steps = 3 * 8 * 16

    def total(slots, context):
        transfers = Transfers(*slots)
        orders = [blocks(*num_parts, episode) for episode in range(3)]
        operations = [
            operation
            for before, after in itertools.pairwise([*orders, []])
            for operation in transfers.operations(before, after)
        ]
        return time_of(operations + transfers.finish(), costs(context * 7.0, context))

    assert total((2, 3), 1.0) <= steps + 3 * 7.0  # what comes first and goes last is not hidden
    assert total((2, 2), 0.5) <= steps + 3 * 3.5  # store and load follow each other
    assert total((2, 1), 0.5) > 1.9 * steps
    assert total((1, 3), 1.0) > steps + 14.0 * 7


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="each side needs one"):
        Transfers(0, 3)


LOAD = Load(0, (), "vertex", 0, 0), Load(1, (), "context", 0, 0)
TRAIN = Train(2, (0, 1), Block(0, 0), 0, 0)


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        ([TRAIN], "before"),
        ([LOAD[0], LOAD[0]], "twice"),
        ([*LOAD, Train(2, (), Block(1, 0), 0, 0)], "finds part 0"),
        ([*LOAD, TRAIN, Load(3, (), "vertex", 1, 0)], "overwrites changes"),
        (
            [*LOAD, TRAIN, Load(3, (), "vertex", 0, 1), Train(4, (), Block(0, 0), 1, 0)],
            "another copy has changed",
        ),
        ([*LOAD, Store(3, (), "vertex", 0, 0)], "no changes"),
        ([*LOAD, TRAIN, Store(3, (), "vertex", 1, 0)], "finds part 0"),
    ],
)
def test_the_null_device_notices(operations, message):
    device = NullDevice(*tables(2, 2), 2, 2, vertex_slots=2, context_slots=1)
    with pytest.raises(RuntimeError, match=message):
        for operation in operations:
            device.run(operation)


def test_the_null_device_notices_changes_elsewhere():
    def device():
        found = NullDevice(*tables(2, 2), 2, 2, vertex_slots=2, context_slots=1)
        for operation in (*LOAD, Load(3, (), "vertex", 0, 1), TRAIN):
            found.run(operation)
        return found

    other = Train(6, (), Block(0, 0), 1, 0)
    with pytest.raises(RuntimeError, match="another copy has changed"):
        device().run(other)
    stored = device()
    with pytest.raises(RuntimeError, match="not stored"):
        stored.check_all_is_stored()
    stored.run(Store(5, (2,), "vertex", 0, 0))
    with pytest.raises(RuntimeError, match="old copy"):
        stored.run(other)
