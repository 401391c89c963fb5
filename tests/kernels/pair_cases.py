"""Blocks of a grid to train on, and the comparison of two families of kernels on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from backends import GPU, REFERENCE
from optimizer_cases import settings_array
from skipgram_cases import GUARD, _guarded

from nodeloom.kernels.reference.pairs import PAIRS


@dataclass(frozen=True)
class Case:
    """A block to train on; tables, pairs and everything else follow from the seed.

    Attributes
    ----------
    num_head, num_context : int
        Rows of the two parts.
    most : int
        Pairs of a head in the block, at most; many have none.
    hub : int
        Pairs of one head, 0 for no such head.
    heads : int
        Heads of a tile.
    distinct : bool
        The contexts of a unit are all different, and its negatives are: then the GPU does what the reference does, to rounding.
    apart : bool
        Units share no rows, so that it does not matter in which order they are trained. Needs distinct contexts, no hub, and at most
        PAIRS pairs a head.
    tied : bool
        One table, of which the parts are the same.
    narrow : bool
        Contexts of 16 bits.
    """

    num_head: int = 37
    num_context: int = 150
    most: int = 20
    hub: int = 0
    heads: int = 4
    num_negative: int = 5
    dim: int = 16
    optimizer: str = "SGD"
    weight_decay: float = 0.0
    negative_weight: float = 3.0
    distinct: bool = True
    apart: bool = False
    tied: bool = False
    narrow: bool = False
    aligned: bool = True
    lr: float = 0.1
    scale: float = 0.3
    begin: int = 7
    seed: int = 0

    def __str__(self):
        default = Case()
        changed = {k: v for k, v in self.__dict__.items() if v != getattr(default, k)}
        return ",".join(f"{k}={v}" for k, v in changed.items()) or "default"


class Problem:
    """The arrays of a case, for one family of kernels."""

    def __init__(self, case, backend):
        rng = np.random.default_rng([case.seed, case.dim, case.heads])
        self.case, self.backend = case, backend
        num_pair = np.where(rng.random(case.num_head) < 0.4, 0, rng.integers(0, case.most + 1, case.num_head))
        if case.hub:
            num_pair[case.num_head // 2] = case.hub
        elsewhere = rng.choice([0, 1, 30], case.num_head)  # pairs of other blocks of the row
        counts = np.stack([elsewhere, num_pair]).astype(np.int32)
        self.totals = counts.sum(0, dtype=np.int32)
        self.ends = case.begin + np.cumsum(num_pair)
        units, num_unit, _ = REFERENCE.pairs.units_of(counts, case.heads)
        self.units = units[num_unit[0] :].copy()

        num_context = case.num_context * (len(self.units) if case.apart else 1)
        num_row = max(case.num_head, num_context) if case.tied else 0
        vertex = rng.normal(0, case.scale, (num_row or case.num_head, case.dim)).astype(np.float32)
        context = rng.normal(0, case.scale, (num_row or num_context, case.dim)).astype(np.float32)
        # Adaptive optimizers divide by their moments: away from zero, so that rounding is not blown up.
        moments = [rng.uniform(0.1, 1.0, t.shape).astype(np.float32) for t in (vertex, vertex, context, context)]
        self.first_head, self.first_context = (5000, 5000) if case.tied else (5000, 5000 + case.num_head // 2)
        self.contexts = rng.integers(0, num_context, self.ends[-1] + 9)
        self.negatives = rng.integers(0, num_context, (len(self.units), case.num_negative))
        for unit in range(len(self.units) if case.distinct else 0):
            first = case.num_context * unit if case.apart else 0
            places = self.places(unit)
            chosen = rng.permutation(case.num_context)
            assert len(places) <= case.num_context >= case.num_negative, f"too few contexts: {case}"
            self.contexts[places] = first + chosen[: len(places)]
            self.negatives[unit] = first + rng.permutation(case.num_context)[: case.num_negative]
        self.contexts = self.contexts.astype(np.uint16 if case.narrow else np.int32)
        self.negatives = self.negatives.astype(np.int32)

        self.guarded = [_guarded(t, backend.real, case.aligned) for t in (vertex, context, *moments)]
        tables = [t[GUARD:-GUARD] for t in self.guarded]
        if case.tied:
            tables[1], tables[4], tables[5] = tables[0], tables[2], tables[3]
        self.tables = tables
        self.optimizer, self.settings = settings_array(case.optimizer, backend.real)
        self.statistics = np.zeros(2)

    def heads(self, unit):
        """Return the heads of a unit that have pairs in it or get negatives from it."""
        tile, chunk = self.units[unit]
        heads = np.arange(tile * self.case.heads, min((tile + 1) * self.case.heads, self.case.num_head))
        num_pair = np.diff(self.ends, prepend=self.case.begin)
        num_chunk = np.where(self.totals > 0, np.maximum(1, -(-num_pair // PAIRS)), 0)
        return heads[chunk < num_chunk[heads]]

    def places(self, unit):
        """Return the places of the pairs of a unit in `contexts`."""
        begins, chunk = np.concatenate([[self.case.begin], self.ends]), self.units[unit, 1]
        found = [np.arange(begins[h] + PAIRS * chunk, begins[h + 1])[:PAIRS] for h in self.heads(unit)]
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def train(self, units=slice(None), lr=None, **options):
        """Train some units, or all of them."""
        case, real = self.case, self.backend.real
        # On the GPU exp of a large score is infinite; in the interpreter NumPy says so.
        with np.errstate(over="ignore"):
            self.backend.pairs.train_pairs(
                *self.tables, case.begin, self.ends, self.contexts, self.totals, self.units[units], self.negatives[units],
                case.heads, self.first_head, self.first_context, real(case.lr if lr is None else lr),
                real(case.negative_weight), real(case.weight_decay), self.optimizer, self.settings, self.statistics, **options,
            )  # fmt: skip

    def check_guards(self):
        for table in self.guarded:
            assert np.isnan(table[:GUARD]).all() and np.isnan(table[-GUARD:]).all()


def train(case, family, **options):
    """Return the problem of a case after training.

    The GPU trains units side by side and those of which the loss is summed first: units that share rows are given to it one by one.
    """
    problem = Problem(case, family)
    if case.apart:
        problem.train(**options)
    else:
        for unit in range(len(problem.units)):
            problem.train(slice(unit, unit + 1), **options)
    problem.check_guards()
    return problem


def moves(got, want):
    """Return how far each number moved: (name, moves of one problem, moves of the other) of tables and moments."""
    names = ["vertex", "context", "vertex_moment1", "vertex_moment2", "context_moment1", "context_moment2"]
    start = Problem(want.case, REFERENCE)
    tables = zip(names, got.tables, want.tables, start.tables, strict=True)
    return [(name, g - s, w - s) for name, g, w, s in tables]


def compare(case, fast, loss_tolerance=1e-5, **options):
    """Train a case on two families and compare how far every number of the tables and of the moments moved, and the loss."""
    assert fast is not GPU or case.distinct, "the GPU loses changes where a context stands in several pairs of a unit"
    got, want = train(case, fast, **options), train(case, REFERENCE)
    for name, g, w in moves(got, want):
        np.testing.assert_allclose(g, w, 1e-4, 2e-6, err_msg=f"{name}, {case}")
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=loss_tolerance, err_msg=f"statistics, {case}")
    assert max(float(np.abs(w).max()) for _, _, w in moves(got, want)[:2]) > 1e-3
    return want


def some_walks(num_slot, shape=(23, 11), dead=0.4, dtype=np.int32, seed=0):
    """Return walks of few slots, so that many stand side by side with themselves, some of which end early."""
    rng = np.random.default_rng(seed)
    walks = rng.integers(0, num_slot, shape).astype(dtype)
    for w in np.flatnonzero(rng.random(len(walks)) < dead):
        walks[w, rng.integers(0, walks.shape[1]) :] = -1
    return walks


def listed(backend, walks, step, two_sided, num_slot, row, heads, rows, narrow=False, cursor=np.int64):
    """Count and place; return the counts and, by (context part, head), the sorted contexts."""
    num_head, num_part = min(heads, num_slot - row * heads), -(-num_slot // rows)
    counts = np.zeros((num_part, num_head), np.int32)
    backend.pairs.count_pairs(walks, step, two_sided, row * heads, rows, counts)
    cursors = (np.cumsum(counts) - counts.ravel()).reshape(counts.shape).astype(cursor)
    begins = cursors.copy()
    guard = 3
    memory = np.full(counts.sum() + 2 * guard, 60000, np.uint16 if narrow else np.int32)
    contexts = memory[guard:-guard]
    backend.pairs.place_pairs(walks, step, two_sided, row * heads, rows, cursors, contexts)
    np.testing.assert_array_equal(cursors - begins, counts)
    assert (memory[:guard] == 60000).all() and (memory[-guard:] == 60000).all()
    places = [(p, h) for p in range(num_part) for h in range(num_head)]
    return counts, {at: sorted(contexts[begins[at] : cursors[at]].tolist()) for at in places}
