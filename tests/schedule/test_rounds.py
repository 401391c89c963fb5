"""Order of the blocks: each once, no part in two places, as few rounds and transfers as can be."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.partition import Block
from nodeloom.schedule import blocks, rounds

PARTS = st.integers(1, 14)
DEVICES = st.integers(1, 10)


def loads(order):
    """Return the parts that devices with one buffer for each side have to get."""
    held = {}
    count = 0
    for row in order:
        for device, block in enumerate(row):
            if block is not None:
                count += held.get((device, "vertex")) != block.vertex
                count += held.get((device, "context")) != block.context
                held[device, "vertex"], held[device, "context"] = block
    return count


def everything(num_vertex_part, num_context_part):
    return sorted((a, b) for a in range(num_vertex_part) for b in range(num_context_part))


@given(num_vertex_part=PARTS, num_context_part=PARTS, episode=st.integers(0, 3))
def test_one_device(num_vertex_part, num_context_part, episode):
    order = blocks(num_vertex_part, num_context_part, episode)
    assert sorted(order) == everything(num_vertex_part, num_context_part)
    # Each block but the first has to bring at least one part, and the first both.
    assert loads([(block,) for block in order]) == len(order) + 1
    vertex_parts = [block.vertex for block in order]
    assert vertex_parts == sorted(vertex_parts, reverse=bool(episode % 2))
    assert order[-1] == blocks(num_vertex_part, num_context_part, episode + 1)[0]
    assert [(block,) for block in order] == rounds(num_vertex_part, num_context_part, 1, episode)


def test_there_and_back():
    assert blocks(2, 3) == [Block(0, 0), (0, 1), (0, 2), (1, 2), (1, 1), (1, 0)]


@given(num_vertex_part=PARTS, num_context_part=PARTS, num_device=DEVICES, episode=st.integers(0, 3))
@settings(max_examples=300)
def test_rounds(num_vertex_part, num_context_part, num_device, episode):
    order = rounds(num_vertex_part, num_context_part, num_device, episode)
    found = [block for row in order for block in row if block is not None]
    assert sorted(found) == everything(num_vertex_part, num_context_part)
    assert {len(row) for row in order} == {num_device}
    for row in order:
        busy = [block for block in row if block is not None]
        assert len({block.vertex for block in busy}) == len({block.context for block in busy}) == len(busy)
    # No round holds more blocks than there are devices, vertex parts or context parts.
    most = min(num_device, num_vertex_part, num_context_part)
    assert len(order) == -(-len(found) // most)
    assert order[-1] == rounds(num_vertex_part, num_context_part, num_device, episode + 1)[0]


@given(num_vertex_part=PARTS, num_context_part=PARTS, num_device=DEVICES, episode=st.integers(0, 1))
@settings(max_examples=300)
def test_rounds_move_little(num_vertex_part, num_context_part, num_device, episode):
    order = rounds(num_vertex_part, num_context_part, num_device, episode)
    most = min(num_device, num_vertex_part, num_context_part)
    # Both parts for the first block of a device, and one for each other.
    least = num_vertex_part * num_context_part + most
    if num_vertex_part % most == 0:
        assert loads(order) == least
    else:
        assert least <= loads(order) < least + num_vertex_part
    holders = {}
    for row in order:
        for device, block in enumerate(row):
            if block is not None:
                holders.setdefault(block.vertex, set()).add(device)
    assert sum(len(devices) for devices in holders.values()) <= num_vertex_part + most - 1


@given(groups=st.integers(1, 3), num_device=st.integers(2, 5), distance=st.integers(1, 4), more=st.integers(0, 4))
def test_context_parts_go_round_a_ring(groups, num_device, distance, more):
    num_context_part = num_device * distance + min(more, num_device - 1)
    order = rounds(groups * num_device, num_context_part, num_device)
    context = [[block.context for block in row] for row in order]
    for turn in range(num_context_part, len(order), num_context_part):  # all get the next vertex part
        assert context[turn - 1] == context[turn]
    for number in range(len(order) - distance):
        lap, last = number // num_context_part, (number + distance) // num_context_part
        if lap == last and lap % 2 == 0:
            assert context[number][1:] == context[number + distance][:-1]
        elif lap == last:
            assert context[number][:-1] == context[number + distance][1:]
