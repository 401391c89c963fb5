"""Affinities and plans of small maps."""

from __future__ import annotations

import numpy as np

from nodeloom.config import ResourceConfig
from nodeloom.config.layout import LayoutConfig
from nodeloom.engine.layout import Affinities, Held, Task, make_layout_plan


def groups(count=200, number=4, seed=0):
    """Return affinities of points in groups, each with six of its own group and now and then one of another; and the groups."""
    rng = np.random.default_rng(seed)
    group = np.arange(count) % number
    dense = np.zeros((count, count))
    for i in range(count):
        dense[i, rng.choice(np.flatnonzero(group == group[i]), 6)] = 1
    dense[rng.integers(count, size=count // 10), rng.integers(count, size=count // 10)] = 0.3
    np.fill_diagonal(dense, 0)
    dense = dense + dense.T
    dense /= dense.sum()
    indptr = np.concatenate([[0], np.cumsum((dense > 0).sum(axis=1))]).astype(np.int64)
    return Affinities(indptr, np.nonzero(dense)[1].astype(np.int32), dense[dense > 0].astype(np.float32)), group, dense


def small_start(count, dim, seed=1):
    return np.random.default_rng(seed).normal(scale=1e-4, size=(count, dim)).astype(np.float32)


def plan_of(affinities, dim=2, *, device="cpu", num_thread=1, warm=False, **settings):
    task = Task(num_points=len(affinities), num_entry=len(affinities.indices))
    layout, resource = LayoutConfig(dim=dim, **settings), ResourceConfig(num_thread=num_thread, device=device)
    return make_layout_plan("TSNE", task, layout, resource, warm=warm)


FREE = {dim: Held.nothing(dim) for dim in (2, 3)}
