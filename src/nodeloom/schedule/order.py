"""The order of the blocks of an episode, for one device or several."""

from __future__ import annotations

import math

from nodeloom.partition.block import Block


def blocks(num_vertex_part: int, num_context_part: int, episode: int = 0) -> list[Block]:
    """Return the blocks of an episode in the order of one device.

    Each vertex part comes once; context parts go there and back. Consecutive blocks share a part, so that with one buffer
    for each side every block but the first costs one transfer, and none can cost less. Odd episodes go backwards: they
    begin with the block that the one before ended with.

    Parameters
    ----------
    num_vertex_part, num_context_part : int
        Parts of the two tables, at least 1.
    episode : int
        Number of the episode, from 0.
    """
    return [
        block
        for at in range(num_vertex_part)
        for block in blocks_of_row(num_vertex_part, num_context_part, episode, at)
    ]


def blocks_of_row(num_vertex_part: int, num_context_part: int, episode: int, row: int) -> list[Block]:
    """Return those blocks of an episode whose vertex part comes `row`-th, from 0, in the order of :func:`blocks`."""
    length = num_vertex_part * num_context_part
    numbers = range(row * num_context_part, (row + 1) * num_context_part)
    if episode % 2:
        numbers = range(length - 1 - numbers.start, length - 1 - numbers.stop, -1)
    return [_block(0, number, length, num_context_part, num_context_part) for number in numbers]


def rounds(
    num_vertex_part: int, num_context_part: int, num_device: int, episode: int = 0
) -> list[tuple[Block | None, ...]]:
    """Return the rounds of an episode: for each the block of every device, or None for a device that has none.

    No two blocks of a round share a part, so at most ``n = min(num_device, num_vertex_part, num_context_part)`` devices have
    work, and there are ``ceil(num_vertex_part * num_context_part / n)`` rounds, the fewest that can be. Devices beyond n
    are idle; of the others only the last one, at the end (odd episodes: at the beginning), if blocks do not fill the rounds.

    The blocks, vertex part by vertex part, are cut into one piece per device, so that a device keeps its vertex part as long as
    possible and at most n - 1 vertex parts go to a second device. Context parts rotate. If n divides `num_vertex_part` all
    devices change their vertex parts at once, and the rotation turns round there. Until then device d takes over
    what device d + 1 (then d - 1) had ``num_context_part // n`` rounds before; from twice as many context parts as devices on
    there is a round in between, in which they can travel. With one buffer for each side an episode costs ``blocks + n``
    loads, the fewest that can be; if n does not divide `num_vertex_part`, fewer than ``blocks + num_vertex_part + n``.

    Parameters
    ----------
    num_vertex_part, num_context_part, num_device : int
        At least 1.
    episode : int
        Number of the episode, from 0. Odd ones go backwards.
    """
    num_block = num_vertex_part * num_context_part
    busy = min(num_device, num_vertex_part, num_context_part)
    length = -(-num_block // busy)
    order = []
    for number in range(length):
        row = [_block(device, number, length, num_context_part, num_context_part // busy) for device in range(busy)]
        found = [block if block.vertex < num_vertex_part else None for block in row]
        order.append((*found, *[None] * (num_device - busy)))
    return order[::-1] if episode % 2 else order


def _block(device: int, number: int, length: int, num_context_part: int, distance: int) -> Block:
    """Return the block of a device in a round of `length`.

    Vertex parts of a round differ, since `length` is at least `num_context_part`. Context parts differ as the offsets of the
    devices do. If vertex parts do not go from one device to the next, those are multiples of `distance`. Else they have to be
    multiples of `length`, which are all different up to the first that is a multiple of `num_context_part`. There a
    vertex part ends with its device, so that the next devices may have the multiples plus one.
    """
    place = device * length + number
    vertex = place // num_context_part
    if length % num_context_part == 0:
        step = number % num_context_part
        if number // num_context_part % 2:
            step = num_context_part - 1 - step
        return Block(vertex, (step + device * distance) % num_context_part)
    period = num_context_part // math.gcd(length, num_context_part)
    return Block(vertex, (place + device // period) % num_context_part)
