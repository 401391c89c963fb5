"""Edges of a planted partition in plain NumPy: the definition of :mod:`nodeloom.kernels.cpu.generate`."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.reference.rng import below, draw, item_key, unit
from nodeloom.typing import DoubleArray, IndexArray, KeyArray, OffsetArray

NUM_TRY = 50
"""Draws of a tail before a self-loop is accepted."""
NUM_ROUND = 4
"""Rounds by which places are shuffled."""


def draw_edges(
    stream: int,
    shuffle: int,
    first: int,
    last: int,
    mixing: float,
    offset: float,
    power: float,
    bounds: OffsetArray,
    edges: IndexArray,
) -> None:
    """Draw the edges ``first`` to ``last`` of a planted partition.

    The nodes stand in N places: community c has the places from ``bounds[c]`` to ``bounds[c + 1]``, in falling order of
    their weights. The weights of every community are those of N ranks, of density ``(rank + offset) ** (power - 1)``,
    cut into as many equal parts as it has places; so a place is drawn from it by drawing a rank, and one from the whole
    graph by drawing a community in proportion to its size first. Edge e is item e of the stream: draws 0 and 1 are its
    head; draws 2 + 3a to 4 + 3a are whether its tail is drawn from the whole graph, from which community then, and the
    rank, in trial a: the first of :data:`NUM_TRY` that gives no self-loop counts. Where there are at least as many edges
    as nodes, every so manieth edge has the next place as its head, and every node gets an edge by that.

    Parameters
    ----------
    stream, shuffle : int
        Keys (uint64) of the draws, and of the order of the nodes.
    first, last : int
        The edges to draw.
    mixing : float
        Share of tails that are drawn from the whole graph.
    offset, power : float
        Law of the weights.
    bounds : int64 [C + 1]
        First place of each community, and the number of nodes N.
    edges : int32 [E, 2]
        Rows ``first`` to ``last`` are written.
    """
    number = np.arange(first, last)
    num_nodes, spacing = int(bounds[-1]), len(edges) // int(bounds[-1])
    key = item_key(stream, number)

    def community_of(place: IndexArray) -> IndexArray:
        return np.searchsorted(bounds, place, side="right") - 1

    def place_in(community: IndexArray, bits: KeyArray) -> IndexArray:
        low, high = offset**power, (num_nodes + offset) ** power
        rank = (low + _unit53(bits) * (high - low)) ** (1 / power) - offset
        size = bounds[community + 1] - bounds[community]
        return bounds[community] + np.clip((rank / num_nodes * size).astype(np.int64), 0, size - 1)

    home = community_of(below(draw(key, 0), num_nodes))
    heads = place_in(home, draw(key, 1))
    if spacing:
        own = (number % spacing == 0) & (number // spacing < num_nodes)
        heads[own] = number[own] // spacing
        home[own] = community_of(heads[own])
    tails = heads.copy()
    for trial in range(NUM_TRY):
        loops = np.flatnonzero(tails == heads)
        bits = [draw(key[loops], 2 + 3 * trial + i) for i in range(3)]
        community = np.where(unit(bits[0]) < mixing, community_of(below(bits[1], num_nodes)), home[loops])
        tails[loops] = place_in(community, bits[2])
    edges[first:last, 0] = _node_at(heads, num_nodes, shuffle)
    edges[first:last, 1] = _node_at(tails, num_nodes, shuffle)


def place_communities(shuffle: int, first: int, last: int, bounds: OffsetArray, community: IndexArray) -> None:
    """Set the entries of `community` (int32 [N]) at the nodes in the places ``first`` to ``last``; see :func:`draw_edges`."""
    places = np.arange(first, last)
    community[_node_at(places, int(bounds[-1]), shuffle)] = np.searchsorted(bounds, places, side="right") - 1


def _unit53(bits: KeyArray) -> DoubleArray:
    """Map 64 random bits to a float64 in [0, 1): their upper 53."""
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _node_at(places: IndexArray, num_nodes: int, shuffle: int) -> IndexArray:
    """Return the nodes in these places: a permutation of ``range(num_nodes)`` that is computed, not stored.

    Each round multiplies by an odd number and mixes the upper half of the bits into the lower, both invertible modulo
    the next power of two; what falls outside of the range is sent on until it falls inside (cycle walking).
    """
    num_bit = (num_nodes - 1).bit_length()
    mask, half = np.uint64((1 << num_bit) - 1), np.uint64((num_bit + 1) // 2)
    constants = draw(np.array(shuffle, np.uint64), np.arange(2 * NUM_ROUND))
    factors, terms = constants[::2] | np.uint64(1), constants[1::2]
    node = places.astype(np.uint64)
    out = np.ones(len(node), np.bool_)
    while out.any():
        value = node[out]
        for factor, term in zip(factors, terms, strict=True):
            value = (value * factor + term) & mask
            value ^= value >> half
        node[out] = value
        out = node >= num_nodes
    return node.astype(np.int64)
