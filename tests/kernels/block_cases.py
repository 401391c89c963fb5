"""Walks and two parts of the rows to train on, and the comparison of two families of kernels on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from backends import REFERENCE
from optimizer_cases import settings_array
from skipgram_cases import GUARD, _guarded


@dataclass(frozen=True)
class Case:
    """A few tiles of walks and a block of the grid; tables and everything else follow from the seed.

    Attributes
    ----------
    nodes : int
        Nodes per walk.
    num_slot : int
        Slots that stand on walks.
    heads, contexts : tuple
        (first, last) slot of the vertex and of the context part, the last one not in it.
    dead : float
        Share of the walks that end early, some of them at once.
    tied : bool
        One table, of which the parts are the same; `contexts` are the heads.
    """

    nodes: int = 20
    num_walk: int = 7
    walks_per_tile: int = 2
    num_slot: int = 60
    heads: tuple[int, int] = (0, 30)
    contexts: tuple[int, int] = (30, 60)
    step: int = 5
    two_sided: bool = True
    num_negative: int = 5
    dim: int = 16
    optimizer: str = "SGD"
    weight_decay: float = 0.0
    negative_weight: float = 3.0
    dead: float = 0.2
    tied: bool = False
    dtype: type = np.int32
    aligned: bool = True
    lr: float = 0.1
    scale: float = 0.3
    seed: int = 0

    @property
    def num_tile(self):
        return -(-self.num_walk // self.walks_per_tile)

    def __str__(self):
        default = Case()
        changed = {k: v for k, v in self.__dict__.items() if v != getattr(default, k)}
        return ",".join(f"{k}={getattr(v, '__name__', v)}" for k, v in changed.items()) or "default"


class Problem:
    """The arrays of a case, for one family of kernels."""

    def __init__(self, case, backend):
        rng = np.random.default_rng([case.seed, case.nodes, case.dim])
        self.case, self.backend = case, backend
        self.walks = rng.integers(0, case.num_slot, (case.num_walk, case.nodes)).astype(case.dtype)
        for w in np.flatnonzero(rng.random(case.num_walk) < case.dead):
            self.walks[w, rng.integers(0, case.nodes) if w % 2 else 0 :] = -1
        (self.first_head, last_head), (self.first_context, last_context) = case.heads, case.contexts
        num_row = last_head - self.first_head, last_context - self.first_context
        assert not case.tied or case.heads == case.contexts, f"one table, two parts: {case}"
        # A part of the noise without rows has no negatives either.
        shape = case.num_tile if num_row[1] else 0, case.num_negative
        self.negatives = rng.integers(0, max(num_row[1], 1), shape).astype(np.int32)
        vertex, context = (rng.normal(0, case.scale, (n, case.dim)).astype(np.float32) for n in num_row)
        # Adaptive optimizers divide by their moments: away from zero, so that rounding is not blown up.
        moments = [rng.uniform(0.1, 1.0, t.shape).astype(np.float32) for t in (vertex, vertex, context, context)]
        self.guarded = [_guarded(t, backend.real, case.aligned) for t in (vertex, context, *moments)]
        tables = [t[GUARD:-GUARD] for t in self.guarded]
        if case.tied:
            tables[1], tables[4], tables[5] = tables[0], tables[2], tables[3]
        self.tables = tables
        self.optimizer, self.settings = settings_array(case.optimizer, backend.real)
        self.statistics = np.zeros(2)

    def train(self, first_tile=0, last_tile=None, lr=None):
        """Train on tiles ``first_tile .. last_tile``; return the number of pairs."""
        case, real = self.case, self.backend.real
        last_tile = case.num_tile if last_tile is None else last_tile
        walks = self.walks[first_tile * case.walks_per_tile : last_tile * case.walks_per_tile]
        return int(
            self.backend.block_walks.train_block_walks(
                *self.tables, walks, case.walks_per_tile, self.negatives[first_tile:last_tile],
                self.first_head, self.first_context, real(case.lr if lr is None else lr), case.step, case.two_sided,
                real(case.negative_weight), real(case.weight_decay), self.optimizer, self.settings, self.statistics,
            )
        )  # fmt: skip

    def check_guards(self):
        for table in self.guarded:
            assert np.isnan(table[:GUARD]).all() and np.isnan(table[-GUARD:]).all()


def train(case, family):
    """Return the problem of a case after training, and the number of pairs."""
    problem = Problem(case, family)
    num_pair = problem.train()
    problem.check_guards()
    return problem, num_pair


def compare(case, fast, loss_tolerance=1e-5):
    """Train a case on two families and compare how far every number of the tables and of the moments moved, and the loss.

    Return the number of pairs and the largest move of a table.
    """
    (got, num_got), (want, num_want) = train(case, fast), train(case, REFERENCE)
    assert num_got == num_want
    names = ["vertex", "context", "vertex_moment1", "vertex_moment2", "context_moment1", "context_moment2"]
    start = Problem(case, REFERENCE)
    moves = [(n, g - s, w - s) for n, g, w, s in zip(names, got.tables, want.tables, start.tables, strict=True)]
    for name, g, w in moves:
        np.testing.assert_allclose(g, w, 1e-4, 2e-6, err_msg=f"{name}, {case}")
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=loss_tolerance, err_msg=f"statistics, {case}")
    return num_got, max(float(np.abs(w).max(initial=0.0)) for _, _, w in moves[:2])
