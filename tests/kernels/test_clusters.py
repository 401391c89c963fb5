"""Clusters and parts: the kernels of the CPU against their definition, on small graphs with exact weights."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from backends import BACKENDS, having

from nodeloom.kernels.cpu import clusters as cpu
from nodeloom.kernels.cpu import parts as cpu_parts
from nodeloom.kernels.reference import clusters as reference
from nodeloom.kernels.reference import parts as reference_parts
from nodeloom.kernels.reference.csr import build_csr
from nodeloom.rng import Purpose, stream

NEEDS = ("clusters", "parts")
KEY = stream(3, Purpose.NODE_ORDER)
N, L = 60, 7


class Case:
    """A graph with loops, labels of all its nodes, and masses in eighths: sums are exact in any order."""

    def __init__(self, seed, weighted):
        rng = np.random.default_rng(seed)
        heads, tails = (N * rng.random((2, 200)) ** 2).astype(np.int32)
        weights = (rng.integers(1, 9, 200) / 8).astype(np.float32) if weighted else None
        merge = "sum" if weighted else "first"
        self.graph = build_csr(heads, tails, weights, N, symmetric=True, keep_loops=True, merge=merge)
        if weighted:
            self.graph = (*self.graph[:2], self.graph[2].astype(np.float32))
        self.labels = rng.integers(0, L, N).astype(np.int32)
        self.masses = np.column_stack([np.ones(N), rng.integers(0, 17, N) / 8])
        self.loads = np.column_stack([np.bincount(self.labels, mass, minlength=L) for mass in self.masses.T])
        self.order = rng.permutation(N).astype(np.int32)
        self.limits = self.loads.mean(axis=0) * 1.1

    def inside(self):
        indptr, indices, weights = self.graph
        heads = np.repeat(np.arange(N), np.diff(indptr))
        values = np.ones(len(indices)) if weights is None else weights
        return values[self.labels[heads] == self.labels[indices]].sum()


@pytest.fixture(params=range(12), ids=lambda seed: f"graph{seed}")
def case(request):
    return lambda: Case(request.param, weighted=request.param % 2 == 1)


def both(case, name, *arguments, **keywords):
    """Return the results of the two families, each with the case that it has changed."""
    found = []
    families = (cpu, reference) if hasattr(cpu, name) else (cpu_parts, reference_parts)
    for family in families:
        own = case()
        found.append((getattr(family, name)(*(a(own) for a in arguments), **keywords), own))
    return found


def assert_same_state(ours, theirs):
    np.testing.assert_array_equal(ours.labels, theirs.labels)
    np.testing.assert_array_equal(ours.loads, theirs.loads)
    sums = [np.bincount(ours.labels, mass, minlength=L) for mass in ours.masses.T]
    np.testing.assert_array_equal(ours.loads, np.column_stack(sums))


@pytest.mark.parametrize("fallback", [-1, 2])
def test_propose(case, fallback, monkeypatch):
    monkeypatch.setattr(cpu, "_ALONE", 0)  # so that two threads work on so few
    one = case()
    arguments = (one.order, *one.graph, one.labels, one.masses, one.loads, one.limits, fallback, KEY)
    wanted, gains = cpu.propose(*arguments, num_thread=2)
    want = reference.propose(*arguments)
    np.testing.assert_array_equal(wanted, want[0])
    np.testing.assert_array_equal(gains, want[1])
    assert (wanted != one.labels[one.order]).any()
    if fallback < 0:
        assert (gains >= 0).all()
    else:
        assert (gains < 0).any()


def test_who_has_no_neighbor_with_room_takes_the_fallback():
    for family in having(BACKENDS, *NEEDS):
        graph = np.array([0, 1, 2, 2]), np.array([1, 0], np.int32), None
        labels, masses = np.array([0, 1, 0], np.int32), np.ones((3, 2))
        loads = np.array([[2.0, 2.0], [1.0, 1.0], [0.0, 0.0]])
        order = np.arange(3, dtype=np.int32)
        wanted, gains = family.clusters.propose(order, *graph, labels, masses, loads, np.ones(2), 2, KEY)
        assert (list(wanted), list(gains)) == ([2, 2, 2], [0, 0, 0])
        wanted, _ = family.clusters.propose(order, *graph, labels, masses, loads, np.zeros(2), 2, KEY)
        assert list(wanted) == [0, 1, 0]


def test_accept(case):
    rng = np.random.default_rng(5)
    wanted = rng.integers(0, L, N).astype(np.int32)
    (ours, mine), (theirs, other) = both(
        case, "accept",
        lambda c: c.order, lambda c: wanted, lambda c: c.labels, lambda c: c.masses, lambda c: c.loads, lambda c: c.limits,
    )  # fmt: skip
    assert 0 < ours == theirs < N
    assert_same_state(mine, other)
    before = case()
    assert (mine.loads <= np.maximum(before.loads, before.limits)).all()


@pytest.mark.parametrize("price", [0.0, 1.0, 64.0])
def test_settle(case, price):
    (ours, mine), (theirs, other) = both(
        case, "settle",
        lambda c: c.order, *(lambda c, i=i: c.graph[i] for i in range(3)), lambda c: c.labels, lambda c: c.masses,
        lambda c: c.loads, lambda c: c.limits, lambda c: price,
    )  # fmt: skip
    assert ours[0] == theirs[0] > 0
    np.testing.assert_array_equal(ours[1], theirs[1])
    assert_same_state(mine, other)
    before = case()
    if price == 0:
        assert mine.inside() > before.inside()
    if price == 64:
        assert (mine.loads / mine.limits).max() < (before.loads / before.limits).max()


def test_contract(case):
    one = case()
    for num_thread in (1, 3):
        indptr, indices, weights = cpu.contract(one.labels, L, *one.graph, num_thread=num_thread)
        want = reference.contract(one.labels, L, *one.graph)
        np.testing.assert_array_equal(indptr, want[0])
        for a, b in pairwise(indptr):
            row = np.argsort(indices[a:b])
            np.testing.assert_array_equal(indices[a:b][row], want[1][a:b])
            np.testing.assert_array_equal(weights[a:b][row], want[2][a:b])
        assert weights.dtype == np.float32


def test_contract_to_one_and_of_nothing():
    for family in having(BACKENDS, *NEEDS):
        graph = np.array([0, 1, 2]), np.array([1, 0], np.int32), None
        indptr, indices, _ = family.clusters.contract(np.zeros(2, np.int32), 1, *graph)
        assert (list(indptr), list(indices)) == ([0, 0], [])
        graph = np.zeros(3, np.int64), np.empty(0, np.int32), None
        indptr, indices, _ = family.clusters.contract(np.arange(2, dtype=np.int32), 2, *graph)
        assert (list(indptr), list(indices)) == ([0, 0, 0], [])


def test_grow(case):
    one = case()
    indptr, indices, weights = one.graph
    weights = np.ones(len(indices), np.float32) if weights is None else weights
    masses = one.masses[:, 1] + 0.125
    parts = cpu_parts.grow(one.order, indptr, indices, weights, masses, 4)
    np.testing.assert_array_equal(parts, reference_parts.grow(one.order, indptr, indices, weights, masses, 4))
    assert np.bincount(parts, masses).max() <= masses.sum() / 4 + masses.max()


def test_loss(case):
    one = case()
    for label in (0, L - 1):
        ours = cpu_parts.loss(one.order, *one.graph, one.labels, label)
        np.testing.assert_array_equal(ours, reference_parts.loss(one.order, *one.graph, one.labels, label))
        assert ours.any()


@pytest.mark.parametrize("share", [0.9, 1.1])
def test_exchange(case, share):
    before = case()
    loads, most = before.loads[:, 1], share * before.loads[:, 1].mean()
    found = []
    for family in (cpu_parts, reference_parts):
        own = case()
        strengths = own.loads[:, 1].copy()
        pairs = own.order.reshape(2, -1)
        done = family.exchange(*pairs, *own.graph, own.labels, own.masses[:, 1].copy(), strengths, most)
        own.loads[:, 1] = strengths
        found.append((done, own))
    (ours, mine), (theirs, other) = found
    assert 0 < ours == theirs
    assert_same_state(mine, other)
    assert mine.inside() > before.inside()
    assert mine.loads[:, 1].max() <= max(most, loads.max())
