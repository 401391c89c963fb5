"""Parts made equal: as many nodes in each, about as much strength, and as little lost by it as can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu import clusters
from nodeloom.kernels.cpu import parts as kernel

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray, FloatArray, IndexArray, OffsetArray

_ROUNDS = 4  # of exchanges
_PASSES = 64  # of shifts of strength between two parts, for each part, before single steps
_STEPS = 100_000  # at most; every one brings two parts as near to each other as can be


def balance(
    indptr: OffsetArray,
    indices: IndexArray,
    weights: FloatArray | None,
    masses: DoubleArray,
    parts: npt.NDArray[np.int32],
    num_part: int,
    slack: float,
    key: int,
    num_thread: int = 1,
) -> None:
    """Make parts equal, in place.

    Parameters
    ----------
    indptr, indices, weights
        The graph, as in :func:`nodeloom.partition.communities.communities`.
    masses : float64 [N, 2]
        Ones, and the strengths.
    parts : int32 [N]
        Part of each node; changed. Afterwards two parts differ by at most one node.
    num_part : int
        P.
    slack : float
        By how much the strength of a part may exceed the mean, as a share of it.
    key : int
        Random stream, for those that can choose.
    num_thread : int
        Threads.
    """
    work = _Work((indptr, indices, weights), masses, parts, num_part, key, num_thread)
    most = float(work.loads[:, 1].mean() * (1 + slack))
    work.count_off(most)
    work.level(most)
    for _ in range(_ROUNDS):
        if work.exchange(most) <= len(parts) // 2000:
            break


class _Work:
    """Parts on their way to balance, and the nodes and strengths that each has: `loads`, float64 [P, 2]."""

    def __init__(
        self,
        graph: tuple[OffsetArray, IndexArray, FloatArray | None],
        masses: DoubleArray,
        parts: npt.NDArray[np.int32],
        num_part: int,
        key: int,
        num_thread: int,
    ) -> None:
        self.graph, self.masses, self.parts = graph, masses, parts
        self.key, self.num_thread = key, num_thread
        self.loads = np.column_stack([np.bincount(parts, mass, minlength=num_part) for mass in masses.T])

    def _options(
        self, nodes: IndexArray, limits: DoubleArray, fallback: int
    ) -> tuple[npt.NDArray[np.int32], DoubleArray]:
        return clusters.propose(
            nodes, *self.graph, self.parts, self.masses, self.loads, limits, fallback, self.key,
            num_thread=self.num_thread,
        )  # fmt: skip

    def count_off(self, most: float) -> None:
        """Move nodes between parts until these differ by one at most; where it can be to parts that stay weaker than `most`."""
        counts = self.loads[:, 0]
        rows, rest = divmod(len(self.parts), len(counts))
        while counts.max() > rows + bool(rest):
            most = self._move_out(rows + bool(rest), most)
        while counts.min() < rows:
            most = self._move_out(rows, most)

    def _move_out(self, rows: int, most: float) -> float:
        """Move nodes from parts of more than `rows` to parts of fewer, those first that lose the least; return the next `most`."""
        over = np.flatnonzero(self.loads[:, 0] > rows)
        limits = np.array([float(rows), most])
        nodes = np.flatnonzero(np.isin(self.parts, over))
        # The part with the most room takes those whose neighbours are where there is none.
        wanted, gains = self._options(nodes, limits, int(self.loads[:, 0].argmin()))
        order = np.argsort(-gains, kind="stable")
        nodes, wanted = nodes[order], wanted[order]
        moved = 0
        for part in over:
            mine = np.flatnonzero((self.parts[nodes] == part) & (wanted != part))[: int(self.loads[part, 0]) - rows]
            moved += clusters.accept(nodes[mine], wanted[mine], self.parts, self.masses, self.loads, limits)
        return most if moved else np.inf  # then one moves at least: there is room somewhere

    def level(self, most: float) -> None:
        """Exchange strong nodes of strong parts for weak nodes of weak parts, until no part is stronger than `most`.

        Where single nodes are too strong for that, it ends when no exchange brings two parts nearer to each other.
        """
        strength = self.loads[:, 1]
        for turn in range(_PASSES * len(strength) + _STEPS):
            heavy, light = int(strength.argmax()), int(strength.argmin())
            if strength[heavy] <= most:
                return
            ours, theirs = np.flatnonzero(self.parts == heavy), np.flatnonzero(self.parts == light)
            if turn < _PASSES * len(strength):
                goal = min(1.02 * (strength[heavy] - most), 0.5 * (strength[heavy] - strength[light]))
                if self._shift(heavy, light, ours, theirs, goal):
                    continue
            if not self._step(heavy, light, ours, theirs):
                return

    def _shift(self, heavy: int, light: int, ours: IndexArray, theirs: IndexArray, goal: float) -> bool:
        """Exchange nodes for the least loss until `goal` has gone from one part to the other, not more; tell whether any went."""
        strengths = self.masses[:, 1]
        ours = ours[strengths[ours] > 0]
        loss = self._loss(ours, light) / strengths[ours]
        weak = theirs[np.argsort(self._loss(theirs, heavy) + strengths[theirs], kind="stable")]
        order = ours[np.argsort(loss, kind="stable")]
        count = min(len(order), len(weak))
        steps = strengths[order[:count]] - strengths[weak[:count]]
        chosen = np.flatnonzero((steps > 0) & (steps <= goal))
        chosen = chosen[np.cumsum(steps[chosen]) <= goal]
        if not len(chosen):
            return False
        self._swap(order[chosen], weak[chosen], heavy, light)
        return True

    def _loss(self, nodes: IndexArray, other: int) -> DoubleArray:
        """Return the weight of the edges to the own part less that to another."""
        return kernel.loss(nodes, *self.graph, self.parts, other, num_thread=self.num_thread)

    def _step(self, heavy: int, light: int, ours: IndexArray, theirs: IndexArray) -> bool:
        """Exchange the two nodes that bring the strengths nearest to each other; tell whether any do."""
        strengths = self.masses[:, 1]
        gap = self.loads[heavy, 1] - self.loads[light, 1]
        theirs = theirs[np.argsort(strengths[theirs], kind="stable")]
        if not len(theirs) or not len(ours):
            return False
        at = np.searchsorted(strengths[theirs], strengths[ours] - 0.5 * gap)
        best = np.inf
        pair = None
        for near in (np.maximum(at - 1, 0), np.minimum(at, len(theirs) - 1)):
            rest = np.abs(gap - 2 * (strengths[ours] - strengths[theirs[near]]))
            k = int(rest.argmin())
            if rest[k] < best:
                best, pair = float(rest[k]), (ours[k], theirs[near[k]])
        if pair is None or best >= gap * (1 - 1e-12):
            return False
        self._swap(np.array([pair[0]]), np.array([pair[1]]), heavy, light)
        return True

    def _swap(self, ours: IndexArray, theirs: IndexArray, heavy: int, light: int) -> None:
        self.parts[ours], self.parts[theirs] = light, heavy
        step = self.masses[ours].sum(axis=0) - self.masses[theirs].sum(axis=0)
        self.loads[heavy] -= step
        self.loads[light] += step

    def exchange(self, most: float) -> int:
        """Let pairs of nodes of two parts change places where both together gain; return how many do."""
        nodes = np.arange(len(self.parts), dtype=np.int32)
        wanted, gains = self._options(nodes, np.full(2, np.inf), 0)
        # A node that loses more than any other gains has nobody to change with.
        nodes = nodes[(wanted != self.parts) & (gains > -gains.max(initial=0.0))]
        nodes = nodes[np.argsort(-gains[nodes], kind="stable")]
        num_part = len(self.loads)
        way = self.parts[nodes] * np.int32(num_part) + wanted[nodes]
        order = np.argsort(way.astype(np.uint16 if num_part <= 256 else np.int32), kind="stable")
        nodes = nodes[order]
        bounds = np.searchsorted(way[order], np.arange(num_part**2 + 1))
        ones, others = [], []
        for p in range(num_part):
            for q in range(p + 1, num_part):
                out = nodes[bounds[p * num_part + q] : bounds[p * num_part + q + 1]]
                back = nodes[bounds[q * num_part + p] : bounds[q * num_part + p + 1]]
                count = min(len(out), len(back))
                out, back = out[:count], back[:count]
                gain = gains[out] + gains[back]
                ones.append(out[gain > 0])
                others.append(back[gain > 0])
        strength = self.loads[:, 1].copy()
        done = kernel.exchange(
            np.concatenate(ones),
            np.concatenate(others),
            *self.graph,
            self.parts,
            self.masses[:, 1].copy(),
            strength,
            most,
        )
        self.loads[:, 1] = strength
        return done
