"""Edges of a planted partition, each by itself; :mod:`nodeloom.kernels.reference.generate` is the definition.

Nothing is looked up but the communities, so drawing costs the same however many nodes there are.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.rng import below, draw, item_key, unit

NUM_TRY = 50
NUM_ROUND = 4
_ONE, _S11 = np.uint64(1), np.uint64(11)


@jit
def _rounds(shuffle):
    """Return the factors and the terms of the rounds of :func:`_node_at`, uint64 [2, NUM_ROUND]."""
    rounds = np.empty((2, NUM_ROUND), np.uint64)
    for i in range(NUM_ROUND):
        rounds[0, i] = draw(shuffle, 2 * i) | _ONE
        rounds[1, i] = draw(shuffle, 2 * i + 1)
    return rounds


@jit
def _num_bit(value):
    bits = 0
    while value >> bits:
        bits += 1
    return bits


@jit(inline=True)
def _node_at(place, num_nodes, mask, half, rounds):
    value = np.uint64(place)
    while True:
        for i in range(NUM_ROUND):
            value = (value * rounds[0, i] + rounds[1, i]) & mask
            value ^= value >> half
        if value < np.uint64(num_nodes):
            return np.int64(value)


@jit(inline=True)
def _place_in(community, bits, low, high, inverse, offset, bounds):
    rank = (low + np.float64(bits >> _S11) * 2.0**-53 * (high - low)) ** inverse - offset
    start = bounds[community]
    size = bounds[community + 1] - start
    return start + min(max(np.int64(rank / bounds[-1] * size), 0), size - 1)


@jit(fastmath=False)
def draw_edges(stream, shuffle, first, last, mixing, offset, power, bounds, edges):
    """Draw the edges ``first`` to ``last``; see the definition for the arguments."""
    num_nodes = bounds[-1]
    spacing = edges.shape[0] // num_nodes
    low = offset**power
    high = (num_nodes + offset) ** power
    inverse = 1 / power
    num_bit = _num_bit(num_nodes - 1)
    mask = (_ONE << np.uint64(num_bit)) - _ONE
    half = np.uint64((num_bit + 1) // 2)
    rounds = _rounds(shuffle)
    # The community of a place that is drawn evenly is at or a little after the one that stands here for its first bits.
    guide_bit = _num_bit(4 * bounds.size)
    shift = np.uint64(64 - guide_bit)
    guide = np.empty(1 << guide_bit, np.int32)
    community = 0
    for i in range(guide.size):
        place = below(np.uint64(i) << shift, num_nodes)
        while place >= bounds[community + 1]:
            community += 1
        guide[i] = community

    for e in range(first, last):
        key = item_key(stream, e)
        if spacing > 0 and e % spacing == 0 and e // spacing < num_nodes:
            head = e // spacing
            home = np.searchsorted(bounds, head, side="right") - 1
        else:
            bits = draw(key, 0)
            head = below(bits, num_nodes)
            home = np.int64(guide[bits >> shift])
            while head >= bounds[home + 1]:
                home += 1
            head = _place_in(home, draw(key, 1), low, high, inverse, offset, bounds)
        tail = head
        for trial in range(NUM_TRY):
            community = home
            if unit(draw(key, 2 + 3 * trial)) < mixing:
                bits = draw(key, 3 + 3 * trial)
                place = below(bits, num_nodes)
                community = np.int64(guide[bits >> shift])
                while place >= bounds[community + 1]:
                    community += 1
            tail = _place_in(community, draw(key, 4 + 3 * trial), low, high, inverse, offset, bounds)
            if tail != head:
                break
        edges[e, 0] = _node_at(head, num_nodes, mask, half, rounds)
        edges[e, 1] = _node_at(tail, num_nodes, mask, half, rounds)


@jit
def place_communities(shuffle, first, last, bounds, community):
    """Set the entries of `community` (int32 [N]) at the nodes in the places ``first`` to ``last``."""
    num_nodes = bounds[-1]
    num_bit = _num_bit(num_nodes - 1)
    mask = (_ONE << np.uint64(num_bit)) - _ONE
    half = np.uint64((num_bit + 1) // 2)
    rounds = _rounds(shuffle)
    here = np.searchsorted(bounds, first, side="right") - 1
    for place in range(first, last):
        while place >= bounds[here + 1]:
            here += 1
        community[_node_at(place, num_nodes, mask, half, rounds)] = here
