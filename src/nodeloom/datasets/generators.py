"""Graphs made by chance, for sizes and properties that no file at hand has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.kernels.cpu.generate import draw_edges, place_communities
from nodeloom.kernels.cpu.parallel import available_threads, run_slices
from nodeloom.rng import Purpose, stream

if TYPE_CHECKING:
    from nodeloom.typing import Auto

_MAX_ROUND = 200  # draws before giving up; a feasible graph takes fewer than ten
_MAX_LOOP = 50  # draws of the one edge that every node gets, until it leads to another node


def planted_partition(
    num_nodes: int,
    num_edges: int,
    num_communities: int,
    *,
    exponent: float = 2.3,
    mixing: float = 0.2,
    seed: int = 0,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Draw a graph with communities and a power-law tail of degrees.

    Every node gets a weight, so that the expected degrees follow a power law cut off where a network of this size is
    cut off by chance, and a community of uneven size. An edge stays in the community of its first end, except for the
    share `mixing`; both ends are drawn in proportion to their weights. Where there are enough edges, every node gets
    one first.

    All edges are held against each other, which takes time and memory: from a hundred million on, use
    :func:`planted_partition_edges`.

    Parameters
    ----------
    num_nodes : int
        Number of nodes N, at least 2.
    num_edges : int
        Number of edges E, exactly.
    num_communities : int
        Number of communities.
    exponent : float
        Exponent of the power law of degrees, above 2. Social networks have 2 to 3; YouTube about 2.3.
    mixing : float
        Share of the edges whose second end is drawn from the whole graph, 0 to 1.
    seed : int
        Seed; the same arguments give the same graph.

    Returns
    -------
    edges : int32 [E, 2]
        Undirected edges, each once with the smaller node first, without loops, sorted.
    community : int32 [N]
        Community of each node.

    Raises
    ------
    DataError
        An argument is out of range, or the communities have no room for so many edges.
    """
    _check("planted_partition", num_nodes, num_edges, num_communities, exponent, mixing)
    random = np.random.default_rng(seed)
    draw = _Draw(num_nodes, num_edges, num_communities, exponent, mixing, random)
    codes = np.zeros(0, dtype=np.int64)
    if num_edges >= num_nodes:
        partners = draw.partners(draw.order)
        loops = np.flatnonzero(partners == draw.order)
        for _ in range(_MAX_LOOP):
            partners[loops] = draw.partners(draw.order[loops])
            loops = loops[partners[loops] == draw.order[loops]]
        codes = _distinct(_codes(draw.order, partners, num_nodes))
    yielded = 1.0  # share of the pairs drawn last that were new edges
    for _ in range(_MAX_ROUND):
        missing = num_edges - len(codes)
        if missing <= 0:
            break
        heads = draw.heads(int(missing / max(yielded, 0.1) * 1.05) + 16)
        fresh = _distinct(_codes(heads, draw.partners(heads), num_nodes))
        fresh = fresh[~_contains(codes, fresh)]
        if len(fresh) > missing:  # drop the excess evenly, not the largest codes
            fresh = np.sort(random.permutation(fresh)[:missing])
        yielded = len(fresh) / len(heads)
        codes = np.sort(np.concatenate([codes, fresh]), kind="stable")
    if len(codes) < num_edges:
        raise DataError(
            describe(
                "planted_partition",
                expected=f"num_edges that {num_communities} communities of {num_nodes} nodes have room for",
                got=num_edges,
                hint="Take fewer edges, fewer communities or more mixing.",
            )
        )
    edges = np.column_stack([codes // num_nodes, codes % num_nodes]).astype(np.int32)
    return edges, draw.community


def planted_partition_edges(
    num_nodes: int,
    num_edges: int,
    num_communities: int,
    *,
    exponent: float = 2.3,
    mixing: float = 0.2,
    seed: int = 0,
    num_thread: int | Auto = "auto",
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Draw the edges of a planted partition one by one, in several threads: for graphs of billions of edges.

    The graph is that of :func:`planted_partition` but for two things. An edge may come again, most often one between
    hubs of a community, and :meth:`nodeloom.graph.Graph.from_edges` merges it: 0.1 % of 90 million edges among 3.3
    million nodes in 50 communities at an exponent of 3, 1.5 % at 2.5 and 6 % at 2.3; more in smaller communities. And
    the weights in a community are not drawn but are evenly spread quantiles of one power law, so that its share of all
    ends is its share of all nodes.

    Every edge takes the same time, some 50 ns of one thread, and there is no memory but the result.

    Parameters
    ----------
    num_nodes, num_edges, num_communities, exponent, mixing
        As in :func:`planted_partition`.
    seed : int
        Seed; the same arguments give the same edges, whatever the number of threads.
    num_thread : int or "auto"
        Threads that draw; all CPUs of this process by default.

    Returns
    -------
    edges : int32 [E, 2]
        Undirected edges in no order. Self-loops are in it only where a community of one node has no other choice.
    community : int32 [N]
        Community of each node.

    Raises
    ------
    DataError
        An argument is out of range.

    Examples
    --------
    >>> edges, community = planted_partition_edges(1000, 5000, 10)
    >>> edges.shape, community.shape
    ((5000, 2), (1000,))
    """
    _check("planted_partition_edges", num_nodes, num_edges, num_communities, exponent, mixing)
    share = 1.0 / np.sqrt(np.arange(1, num_communities + 1))
    # None is empty.
    sizes = 1 + np.random.default_rng(seed).multinomial(num_nodes - num_communities, share / share.sum())
    bounds = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    keys = np.uint64(stream(seed, Purpose.GRAPH)), np.uint64(stream(seed, Purpose.NODE_ORDER))
    offset, power = _law(num_nodes, num_edges, exponent)
    edges = np.empty((num_edges, 2), np.int32)
    community = np.empty(num_nodes, np.int32)
    threads = available_threads() if num_thread == "auto" else num_thread
    run_slices(lambda a, b: place_communities(keys[1], a, b, bounds, community), num_nodes, threads)
    run_slices(lambda a, b: draw_edges(*keys, a, b, mixing, offset, power, bounds, edges), num_edges, threads)
    return edges, community


def _law(num_nodes: int, num_edges: int, exponent: float) -> tuple[float, float]:
    """Return offset and power of the density of weights ``(rank + offset) ** (power - 1)``, rank from 0 to N.

    The same law as that of :func:`_weights`, as a density: its integral is known, and nothing has to be summed.
    """
    power = (exponent - 2.0) / (exponent - 1.0)
    cut = min(num_nodes ** (1.0 / (exponent - 1.0)), num_nodes / 2)
    low, high = 1e-3, float(num_nodes)
    for _ in range(50):
        offset = (low * high) ** 0.5
        first = (1 + offset) ** power - offset**power
        if first / ((num_nodes + offset) ** power - offset**power) * 2 * num_edges > cut:
            low = offset
        else:
            high = offset
    return high, power


def _check(where: str, num_nodes: int, num_edges: int, num_communities: int, exponent: float, mixing: float) -> None:
    most = num_nodes * (num_nodes - 1) // 2
    for name, value, good, expected in (
        ("num_nodes", num_nodes, 2 <= num_nodes < 2**31, "2 to 2**31 - 1"),
        ("num_edges", num_edges, 0 <= num_edges <= most, f"0 to {most}, all pairs of {num_nodes} nodes"),
        ("num_communities", num_communities, 1 <= num_communities <= num_nodes, f"1 to num_nodes ({num_nodes})"),
        ("exponent", exponent, exponent > 2, "a number above 2"),
        ("mixing", mixing, 0 <= mixing <= 1, "a number from 0 to 1"),
    ):
        if not good:
            raise DataError(describe(f"{where}.{name}", expected=expected, got=value))


class _Draw:
    """Draws nodes by weight, from the whole graph or from a community.

    Nodes stand in the order of their communities, so that a community is a range of the running sum of weights and a
    node is found in it by one binary search.
    """

    def __init__(
        self,
        num_nodes: int,
        num_edges: int,
        num_communities: int,
        exponent: float,
        mixing: float,
        random: np.random.Generator,
    ) -> None:
        self.random = random
        self.mixing = mixing
        share = 1.0 / np.sqrt(np.arange(1, num_communities + 1))
        community = random.choice(num_communities, size=num_nodes, p=share / share.sum())
        community[random.permutation(num_nodes)[:num_communities]] = np.arange(num_communities)  # none is empty
        self.community = community.astype(np.int32)
        self.order = np.argsort(self.community, kind="stable").astype(np.int64)
        weights = random.permutation(_weights(num_nodes, num_edges, exponent))
        self.sums = np.concatenate([[0.0], np.cumsum(weights[self.order])])
        bounds = np.searchsorted(self.community[self.order], np.arange(num_communities + 1))
        self.low, self.high = self.sums[bounds[:-1]], self.sums[bounds[1:]]

    def heads(self, count: int) -> npt.NDArray[np.int64]:
        """Draw nodes from the whole graph, in the order of their communities, int64 [count].

        Sorted positions are found several times as fast, and so are, later on, the partners at home.
        """
        return self._at(np.sort(self.random.random(count)) * self.sums[-1])

    def partners(self, heads: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Draw the other end of an edge for each of `heads`, int64 of the same length."""
        home = self.community[heads]
        low, high = self.low[home], self.high[home]
        away = self.random.random(len(heads)) < self.mixing
        low[away], high[away] = 0.0, self.sums[-1]
        return self._at(low + self.random.random(len(heads)) * (high - low))

    def _at(self, position: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        index = np.searchsorted(self.sums, position, side="right") - 1
        return self.order[np.clip(index, 0, len(self.order) - 1)]


def _weights(num_nodes: int, num_edges: int, exponent: float) -> npt.NDArray[np.float64]:
    """Return the expected degrees up to a factor, float64 [N], falling.

    Rank r has weight ``(r + shift) ** -slope``; the shift is found by bisection so that the first has the degree at
    which a power law of N nodes is cut off by chance, ``N ** (1 / (exponent - 1))``.
    """
    slope = 1.0 / (exponent - 1.0)
    rank = np.arange(1, num_nodes + 1, dtype=np.float64)
    cut = min(num_nodes**slope, num_nodes / 2)
    low, high = 1e-3, float(num_nodes)
    for _ in range(30):
        shift = np.sqrt(low * high)
        weights = (rank + shift) ** -slope
        if weights[0] / weights.sum() * 2 * num_edges > cut:
            low = shift
        else:
            high = shift
    return (rank + high) ** -slope


def _codes(heads: npt.NDArray[np.int64], tails: npt.NDArray[np.int64], num_nodes: int) -> npt.NDArray[np.int64]:
    """Return one number for each undirected edge; loops are dropped."""
    apart = heads != tails
    heads, tails = heads[apart], tails[apart]
    return np.minimum(heads, tails) * num_nodes + np.maximum(heads, tails)


def _distinct(codes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the codes sorted, each once; for millions of them faster than the hash table of ``np.unique``."""
    codes = np.sort(codes)
    keep = np.ones(len(codes), dtype=bool)
    keep[1:] = codes[1:] != codes[:-1]
    return codes[keep]


def _contains(sorted_codes: npt.NDArray[np.int64], codes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    if len(sorted_codes) == 0:
        return np.zeros(len(codes), dtype=bool)
    at = np.minimum(np.searchsorted(sorted_codes, codes), len(sorted_codes) - 1)
    return sorted_codes[at] == codes
