"""Parts that keep communities together: as few edges as possible lead from one part to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu import clusters
from nodeloom.kernels.cpu import parts as kernel
from nodeloom.partition.balance import balance
from nodeloom.rng import Purpose, stream

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray

MAX_PART = 256
"""Parts, at most: the work on the coarsest graph grows with the square of their number."""

STRENGTH_SLACK = 0.02
"""By how much the strength of a part may exceed the mean, if single nodes are not stronger than that.

At 5 % up to 1 % more of the edges are inside parts; but then the last of 8 parts can be left with 65 % of the mean.
"""

_NODE_SLACK = 0.02  # the same for nodes, until they are counted off at the end
_COARSE = 2000  # nodes of the coarsest graph, about; more if there are many parts
_COARSE_OF_PART = 16
_SHARE = 12  # a cluster has at most this fraction of a part
_SWEEPS = 4
_BATCHES = 48  # of a sweep: labels stand still within a batch
_TRIES = 8  # first divisions, of which the best is kept
_PRICES = 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0  # of excess, as multiples of the weight of a part
_SHRINK = 0.9  # merging ends where fewer than a tenth of the nodes go


@dataclass(frozen=True)
class _Level:
    """A graph of the hierarchy: masses are the nodes and the strength that each of its nodes stands for, float64 [N, 2]."""

    indptr: OffsetArray
    indices: IndexArray
    weights: FloatArray | None
    masses: DoubleArray
    merges: bool = True  # whether its nodes stand for several, as in all but the first

    def sweep(
        self,
        labels: IndexArray,
        loads: DoubleArray,
        limits: DoubleArray,
        order: IndexArray,
        key: int,
        num_thread: int,
    ) -> int:
        """Let every node follow its neighbours once, in batches; return how many have moved."""
        graph = self.indptr, self.indices, self.weights
        moved = 0
        for batch in np.array_split(order, min(_BATCHES, len(order))):
            wanted, _ = clusters.propose(
                batch, *graph, labels, self.masses, loads, limits, -1, key, num_thread=num_thread
            )
            moved += clusters.accept(batch, wanted, labels, self.masses, loads, limits)
        return moved

    def pack(self, labels: IndexArray, loads: DoubleArray, limits: DoubleArray, key: int, num_thread: int) -> None:
        """Put nodes that are alone together, where their neighbours' clusters have no room: those of one cluster, those of none.

        Without that the leaves of a star, and nodes without edges, would stay as many as they are.
        """
        alone = np.flatnonzero(np.bincount(labels, minlength=len(labels))[labels] == 1).astype(np.int32)
        everywhere = np.full(2, np.inf)
        graph = self.indptr, self.indices, self.weights
        wanted, _ = clusters.propose(
            alone, *graph, labels, self.masses, loads, everywhere, -1, key, num_thread=num_thread
        )
        wanted[wanted == labels[alone]] = -1
        order = np.argsort(wanted, kind="stable")
        alone, wanted = alone[order], wanted[order]
        filled = np.floor(np.cumsum(self.masses[alone], axis=0) / np.where(limits > 0, limits, np.inf))
        starts = np.ones(len(alone), np.bool_)
        starts[1:] = (wanted[1:] != wanted[:-1]) | (filled[1:] != filled[:-1]).any(axis=1)
        labels[alone] = alone[starts][np.cumsum(starts) - 1]

    def merged(self, labels: IndexArray, num_thread: int) -> tuple[_Level, npt.NDArray[np.int32]]:
        """Return the graph of the clusters, and the node of it that each node becomes."""
        used = np.zeros(len(labels), np.bool_)
        used[labels] = True
        numbers = (np.cumsum(used) - 1).astype(np.int32)
        home = numbers[labels]
        count = int(numbers[-1]) + 1
        sums = [np.bincount(home, mass, minlength=count) for mass in self.masses.T]
        masses = np.column_stack(sums).astype(np.float64, copy=False)
        indptr, indices, weights = clusters.contract(
            home, count, self.indptr, self.indices, self.weights, num_thread=num_thread
        )
        return _Level(indptr, indices, weights, masses), home


def communities(
    indptr: OffsetArray,
    indices: IndexArray,
    weights: FloatArray | None,
    strengths: DoubleArray,
    num_part: int,
    *,
    num_thread: int = 1,
    seed: int = 0,
) -> npt.NDArray[np.int32]:
    """Divide a graph into parts of equal size, so that little weight lies between them.

    Nodes join the clusters of their neighbours as long as those are small (Meyerhenke, Sanders and Schulz, "Partitioning
    complex networks via size-constrained clustering", SEA 2014); clusters become the nodes of a smaller graph, and so on.
    The smallest graph is divided by growing parts one after the other, several times, and the best division is taken back
    from graph to graph while nodes at the borders go where more of their neighbours are. At the end parts are made equal by
    moves that cost the least, and pairs of nodes change places where both together gain.

    Parts are numbered so that those that have much in common are neighbours: parts 0 and 1 together are a good part of half as many,
    and so on.

    Parameters
    ----------
    indptr : int64 [N + 1]
    indices : int32 or int64 [nnz]
        Edges are entered from both ends. Otherwise the result is as balanced, but follows the edges out of the nodes only.
    weights : float32 [nnz] or None
        Positive; None for ones.
    strengths : float64 [N]
        Not negative; what is to be balanced beside the nodes.
    num_part : int
        P, from 1 to 256.
    num_thread : int
        The result does not depend on it.
    seed : int
        The same seed gives the same parts.

    Returns
    -------
    int32 [N]
        Part of each node. Two parts differ by at most one node. The strength of a part is above the mean by at most 2 % of it, or by
        the strength of the strongest node if that is more; it may be further below. 1.3 M nodes with 5.9 M edges in 8 parts: 3 s on
        two threads, and 90 bytes per node at the peak.

    Raises
    ------
    ValueError
        If the number of parts is out of range, or there are more than 2^31 - 1 nodes.
    """
    if not 1 <= num_part <= MAX_PART:
        raise ValueError(f"{num_part} parts: expected 1 to {MAX_PART}")
    num_nodes = len(strengths)
    if num_nodes > np.iinfo(np.int32).max:
        raise ValueError(f"{num_nodes} nodes: expected at most 2^31 - 1")
    if num_part == 1 or num_nodes <= num_part:
        return np.arange(num_nodes, dtype=np.int32) % np.int32(num_part)
    masses = np.column_stack([np.ones(num_nodes), strengths])
    fine = _Level(indptr, indices, weights, masses, merges=False)
    key, random = stream(seed, Purpose.NODE_ORDER), np.random.default_rng(seed)
    levels, homes = _coarsen(fine, num_part, key, random, num_thread)
    parts = _first_parts(levels[-1], num_part, random)
    for level, home in zip(levels[-2::-1], homes[::-1], strict=True):
        parts = parts[home]
        _refine(level, parts, num_part, _PRICES[-1:])
    balance(fine.indptr, fine.indices, fine.weights, masses, parts, num_part, STRENGTH_SLACK, key, num_thread)
    between = np.zeros((num_part, num_part))
    rows = clusters.contract(parts, num_part, indptr, indices, weights, num_thread=num_thread)
    between[np.repeat(np.arange(num_part), np.diff(rows[0])), rows[1]] = rows[2]
    return _nested(between + between.T)[parts]


def _coarsen(
    fine: _Level, num_part: int, key: int, random: np.random.Generator, num_thread: int
) -> tuple[list[_Level], list[npt.NDArray[np.int32]]]:
    """Return the graphs from `fine` to the coarsest, and the node of the next that each node becomes."""
    levels: list[_Level] = [fine]
    homes: list[npt.NDArray[np.int32]] = []
    limits = fine.masses.sum(axis=0) / (num_part * _SHARE)
    while len(levels[-1].masses) > max(_COARSE, num_part * _COARSE_OF_PART):
        level = levels[-1]
        count = len(level.masses)
        labels, loads = np.arange(count, dtype=np.int32), level.masses.copy()
        # Those with few edges first: they have little choice. Chance decides among equals.
        order = random.permutation(count).astype(np.int32)
        order = order[np.argsort(np.diff(level.indptr)[order], kind="stable")]
        for _ in range(_SWEEPS):
            if level.sweep(labels, loads, limits, order, key, num_thread) < count // 100:
                break
        level.pack(labels, loads, limits, key, num_thread)
        merged, home = level.merged(labels, num_thread)
        if len(merged.masses) > _SHRINK * count:
            break
        levels.append(merged)
        homes.append(home)
    return levels, homes


def _limits(level: _Level, num_part: int) -> DoubleArray:
    """Return what a part may have while nodes move."""
    slack = np.array([_NODE_SLACK if level.merges else 0.0, STRENGTH_SLACK])
    limits: DoubleArray = level.masses.sum(axis=0) / num_part * (1.0 + slack)
    return np.where(limits > 0, limits, 1.0)


def _refine(level: _Level, parts: IndexArray, num_part: int, prices: tuple[float, ...]) -> float:
    """Let nodes go where they gain, at rising prices of parts that are too large; return what the last state costs."""
    loads = _loads(level, parts, num_part)
    limits = _limits(level, num_part)
    graph = level.indptr, level.indices, level.weights
    total = float(len(level.indices) if level.weights is None else level.weights.sum(dtype=np.float64))
    count = len(parts)
    every = np.arange(count, dtype=np.int32)  # in this order their rows are found fastest
    for price in prices:
        order = every
        for _ in range(_SWEEPS):
            moved, border = kernel.settle(order, *graph, parts, level.masses, loads, limits, price * total / num_part)
            if moved <= count // 1000:
                break
            order = order[border]  # who was in the middle of a part is there still, but for few
    return total / num_part * prices[-1] * float((np.maximum(loads / limits - 1.0, 0.0) ** 2).sum())


def _loads(level: _Level, parts: IndexArray, num_part: int) -> DoubleArray:
    return np.column_stack([np.bincount(parts, mass, minlength=num_part) for mass in level.masses.T])


def _first_parts(level: _Level, num_part: int, random: np.random.Generator) -> npt.NDArray[np.int32]:
    """Return the best of several divisions of the coarsest graph."""
    count = len(level.masses)
    weights = np.ones(len(level.indices), np.float32) if level.weights is None else level.weights
    totals = level.masses.sum(axis=0)
    mass = (level.masses / np.where(totals > 0, totals, 1.0)).sum(axis=1)
    best: tuple[float, npt.NDArray[np.int32]] | None = None
    heads = np.repeat(np.arange(count), np.diff(level.indptr))
    for _ in range(_TRIES):
        order = random.permutation(count).astype(np.int32)
        parts = kernel.grow(order, level.indptr, level.indices, weights, mass, num_part)
        cost = _refine(level, parts, num_part, _PRICES)
        cost += float(weights[parts[heads] != parts[level.indices]].sum(dtype=np.float64))
        if best is None or cost < best[0]:
            best = cost, parts
    assert best is not None
    return best[1]


def _nested(between: DoubleArray) -> npt.NDArray[np.int32]:
    """Return new numbers of the parts, so that halves, quarters and so on of the numbers have little between them."""
    numbers = np.empty(len(between), np.int32)
    numbers[_halved(np.arange(len(between)), between)] = np.arange(len(between))
    return numbers


def _halved(parts: npt.NDArray[np.int64], between: DoubleArray) -> npt.NDArray[np.int64]:
    if len(parts) <= 2:
        return parts
    affinity = between[np.ix_(parts, parts)].copy()
    np.fill_diagonal(affinity, 0.0)
    half = len(parts) // 2
    best: tuple[float, npt.NDArray[np.bool_]] | None = None
    for first in range(0, len(parts), -(-len(parts) // _TRIES)):
        inside = np.zeros(len(parts), np.bool_)
        inside[first] = True
        for _ in range(half - 1):
            inside[np.where(inside, -np.inf, affinity @ inside).argmax()] = True
        _swap(affinity, inside)
        cut = float(affinity[inside][:, ~inside].sum())
        if best is None or cut < best[0]:
            best = cut, inside
    assert best is not None
    return np.concatenate([_halved(parts[side], between) for side in (best[1], ~best[1])])


def _swap(affinity: DoubleArray, inside: npt.NDArray[np.bool_]) -> None:
    """Let two parts of different halves change places while the cut falls."""
    for _ in range(len(inside)):
        outward = affinity @ np.where(inside, -1.0, 1.0) * np.where(inside, 1.0, -1.0)
        ours, theirs = np.flatnonzero(inside), np.flatnonzero(~inside)
        gain = outward[ours][:, None] + outward[theirs][None, :] - 2 * affinity[np.ix_(ours, theirs)]
        at = np.unravel_index(gain.argmax(), gain.shape)
        if gain[at] <= 1e-9 * affinity.sum():
            return
        inside[ours[at[0]]], inside[theirs[at[1]]] = False, True
