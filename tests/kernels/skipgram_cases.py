"""Training problems of awkward shapes, and the comparison of two families of kernels on them."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import skipgram_units
from backends import GPU, REFERENCE
from optimizer_cases import settings_array

GUARD = 3  # rows of NaN before and behind every table


@dataclass(frozen=True)
class Case:
    """A few tiles to train on; tables, walks and everything else follow from the seed.

    Attributes
    ----------
    nodes : int
        Nodes per walk.
    num_walk : int
        Walks; the last tile need not be full.
    dead : float
        Share of the walks that end early, some of them at once.
    shared_table : bool
        The context table is the vertex table.
    apart : bool
        Each tile has nodes of its own, `num_nodes` of them, so that it does not matter in which order tiles are trained.
    distinct : bool
        The nodes of a tile and its negatives are all different, so that a row is changed once.
    """

    nodes: int = 64
    num_walk: int = 2
    step: int = 5
    num_negative: int = 5
    two_sided: bool = True
    dim: int = 16
    num_nodes: int = 40
    optimizer: str = "SGD"
    weight_decay: float = 0.0
    negative_weight: float = 5.0
    shared_table: bool = False
    apart: bool = False
    distinct: bool = False
    dead: float = 0.0
    lr: float = 0.1
    scale: float = 0.3
    dtype: type = np.int32
    aligned: bool = True
    seed: int = 0

    @property
    def walks_per_tile(self):
        return max(1, 64 // self.nodes)

    @property
    def num_tile(self):
        return -(-self.num_walk // self.walks_per_tile)

    @property
    def num_chunk(self):
        return -(-self.walks_per_tile * self.nodes // 64)

    @property
    def exact_on_gpu(self):
        """Whether the GPU has to agree with the reference to rounding; with ``skipgram_units`` it always has to."""
        if self.num_chunk > 1:
            return False
        if self.optimizer.startswith("SGD"):
            return not self.weight_decay or (self.distinct and not self.shared_table)
        return self.distinct

    def __str__(self):
        default = Case()
        changed = {k: v for k, v in self.__dict__.items() if v != getattr(default, k)}
        return ",".join(f"{k}={getattr(v, '__name__', v)}" for k, v in changed.items()) or "default"


def _guarded(values, real, aligned):
    """Copy a table between guard rows, at an address that is (not) a whole number of cache lines."""
    values = np.pad(values, ((GUARD, GUARD), (0, 0)), constant_values=np.nan)
    memory = np.empty(values.size + 64, real)
    skip = -(memory.ctypes.data // memory.itemsize) % 16 + (0 if aligned else 5)
    table = memory[skip : skip + values.size].reshape(values.shape)
    table[:] = values
    return table


class Problem:
    """The arrays of a case, for one family of kernels."""

    def __init__(self, case, backend):
        rng = np.random.default_rng([case.seed, case.nodes, case.dim])
        n, d = case.num_nodes * (case.num_tile if case.apart else 1), case.dim
        self.case, self.backend = case, backend
        # float32 values, so that both families start from the same numbers.
        vertex, context = rng.normal(0, case.scale, (2, n, d)).astype(np.float32)
        # Adaptive optimizers divide by their moments: away from zero, so that rounding is not blown up.
        moments = rng.uniform(0.1, 1.0, (4, n, d)).astype(np.float32)
        self.walks = rng.integers(0, case.num_nodes, (case.num_walk, case.nodes)).astype(case.dtype)
        shape = (case.num_tile, case.num_chunk, case.num_negative)
        self.negatives = rng.integers(0, case.num_nodes, shape).astype(case.dtype)
        for tile in range(case.num_tile):
            walks = self.walks[tile * case.walks_per_tile : (tile + 1) * case.walks_per_tile]
            negatives = self.negatives[tile]
            if case.distinct:
                nodes = rng.permutation(case.num_nodes)[: walks.size + negatives.size]
                assert nodes.size == walks.size + negatives.size, f"too few nodes: {case}"
                walks.flat, negatives.flat = nodes[: walks.size], nodes[walks.size :]
            if case.apart:
                walks += tile * case.num_nodes
                negatives += tile * case.num_nodes
        for w in np.flatnonzero(rng.random(case.num_walk) < case.dead):
            self.walks[w, rng.integers(0, case.nodes) if w % 2 else 0 :] = -1
        self.lr = (case.lr * rng.uniform(0.5, 1.0, case.num_tile)).astype(np.float32)
        real, aligned = backend.real, case.aligned
        self.guarded = [_guarded(t, real, aligned) for t in (vertex, context, *moments)]
        tables = [t[GUARD:-GUARD] for t in self.guarded]
        if case.shared_table:
            tables[1], tables[4], tables[5] = tables[0], tables[2], tables[3]
        self.tables = tables
        self.optimizer, self.settings = settings_array(case.optimizer, real)
        self.statistics = np.zeros(2)

    def train(self, first_walk=0, last_walk=None, kernel=None, lr=None, **options):
        """Train on walks ``first_walk .. last_walk``, whole tiles; return the number of pairs."""
        case = self.case
        kernel = self.backend.skipgram.train_walks if kernel is None else kernel
        last_walk = case.num_walk if last_walk is None else last_walk
        tiles = slice(first_walk // case.walks_per_tile, -(-last_walk // case.walks_per_tile))
        rates = self.lr[tiles] if lr is None else np.full_like(self.lr[tiles], lr)
        real = self.backend.real
        if self.backend is GPU and case.num_chunk > 1:
            # The units of a tile share rows: one after the other, as the reference has them, also on a card.
            options.setdefault("launch", self.backend.skipgram.Launch(num_program=1))
        # On the GPU exp of a large score is infinite; in the interpreter NumPy says so.
        with np.errstate(over="ignore"):
            num_pairs = kernel(
                *self.tables, self.walks[first_walk:last_walk], self.negatives[tiles], rates,
                case.step, case.two_sided, real(case.negative_weight), real(case.weight_decay),
                self.optimizer, self.settings, self.statistics, **options,
            )  # fmt: skip
        return int(num_pairs)

    def check_guards(self):
        for table in self.guarded:
            assert np.isnan(table[:GUARD]).all() and np.isnan(table[-GUARD:]).all()


def train(case, family, kernel=None, **options):
    """Return the problem of a case after training, and the number of pairs; `kernel` replaces that of the family."""
    problem = Problem(case, family)
    num_pair = problem.train(kernel=kernel, **options)
    problem.check_guards()
    return problem, num_pair


def compare(case, fast, kernel=None, loss_tolerance=1e-5, within=None, trained=train):
    """Train a case on two families and compare every number of the tables, of the moments and of the loss.

    What is compared is how far each number moved. The GPU trains tiles side by side, so it is given tiles that share no
    nodes; and it is compared with what its units do where that is not what the reference does, to rounding.

    `kernel` replaces that of the reference, `within` (a share of the largest move) the usual tolerance, and `trained` does
    what :func:`train` does. Return the number of pairs and the largest move of a table.
    """
    if fast is GPU:
        case = replace(case, apart=True)
        if kernel is None and not case.exact_on_gpu:
            kernel = skipgram_units.train_walks
    (got, num_got), (want, num_want) = trained(case, fast), train(case, REFERENCE, kernel)
    assert num_got == num_want
    largest = check(got, want, within)
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=loss_tolerance, err_msg=f"statistics, {case}")
    return num_got, largest


def check(got, want, within=None):
    """Check that every number of the tables and of the moments moved alike; return the largest move of a table."""
    changes = differences(got, want)
    for name, g, w in changes:
        rtol, atol = (1e-4, 2e-6) if within is None else (0.0, within * np.abs(w).max())
        np.testing.assert_allclose(g, w, rtol, atol, err_msg=f"{name}, {want.case}")
    return max(float(np.abs(w).max()) for _, _, w in changes[:2])


def differences(got, want):
    """Return how far each number moved: (name, moves of one problem, moves of the other) of tables and moments."""
    names = ["vertex", "context", "vertex_moment1", "vertex_moment2", "context_moment1", "context_moment2"]
    start = Problem(want.case, REFERENCE)
    tables = zip(names, got.tables, want.tables, start.tables, strict=True)
    return [(name, g - s, w - s) for name, g, w, s in tables]
