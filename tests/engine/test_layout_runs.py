"""Fields on grids against sums over all pairs, and the optimization of small maps."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest
from layout_cases import FREE, groups, plan_of, small_start

from nodeloom.engine.layout import Held, run_layout
from nodeloom.engine.layout.cpu import CpuLayout
from nodeloom.engine.layout.field import MOST_NODES, Field, grid_of
from nodeloom.engine.layout.start import laid_onto, principal_start, spectral_start, turned
from nodeloom.errors import TrainingError, TrainingInterrupted
from nodeloom.kernels.reference.layout import divergence, gradient, similarities

DIMS = pytest.mark.parametrize("dim", [2, 3])


@DIMS
@pytest.mark.parametrize("width", [1e-4, 0.5, 8.0])
def test_fields_are_sums_over_all_pairs(dim, width):
    y = np.random.default_rng(0).normal(scale=width, size=(400, dim)).astype(np.float32)
    slopes, values = np.empty_like(y), np.empty(400, np.float32)
    field = Field(dim, 1, lambda work, count: [work(0, count)])
    total = field.solve(y)
    field.sample(y, slopes, values)
    q, differences = similarities(y)
    want = -2 * ((q**2)[:, :, None] * differences).sum(axis=1)
    np.testing.assert_allclose(values, q.sum(axis=1) + 1, rtol=0.02 if dim == 2 else 0.06)
    assert total == pytest.approx(q.sum() + 400, rel=0.02)
    error = np.sqrt(((slopes - want) ** 2).sum() / (want**2).sum())
    assert error < (0.06 if dim == 2 else 0.3)


@DIMS
def test_few_points_are_summed_up_by_pairs(dim):
    y = np.random.default_rng(0).normal(scale=9.0, size=(100, dim)).astype(np.float32)
    slopes, values = np.empty_like(y), np.empty(100, np.float32)
    total = Field(dim, 1, lambda work, count: [work(0, count)]).at(y, slopes, values)
    q, differences = similarities(y)
    assert total == pytest.approx(q.sum() + 100, rel=1e-6)
    np.testing.assert_allclose(slopes, -2 * ((q**2)[:, :, None] * differences).sum(axis=1), atol=1e-5)


@DIMS
def test_the_force_is_the_gradient(dim):
    affinities, _, dense = groups(120)
    y = np.random.default_rng(1).normal(scale=2, size=(120, dim)).astype(np.float32)
    with CpuLayout(affinities, y, FREE[dim], 1).running() as points:
        points.steps(1, 3.0, 1.0, 0.5, 1e9)
        moved = points.snapshot()
    want = -1.2 * gradient(dense, y, 3.0)  # the first step has a gain of 1.2
    want = np.where(
        gradient(dense, y, 3.0) > 0, want, want / 1.2 * 0.8
    )  # ... or 0.8 where the step before, 0, counts as not up
    np.testing.assert_allclose(moved - y, want, atol=0.02 * np.abs(want).max())


@DIMS
def test_groups_come_apart_and_threads_change_nothing(dim):
    affinities, group, dense = groups()
    start = small_start(200, dim)
    maps = [
        run_layout(plan_of(affinities, dim, num_thread=threads), affinities, start, FREE[dim]).coordinates
        for threads in (1, 2, 8, 1)
    ]
    assert len({found.tobytes() for found in maps}) == 1
    y = maps[0]
    assert divergence(dense, y) < 0.5 * divergence(dense, start)
    centers = np.stack([y[group == g].mean(axis=0) for g in range(4)])
    nearest = np.linalg.norm(y[:, None] - centers, axis=2).argmin(axis=1)
    assert (nearest == group).mean() > 0.95


def test_exaggeration_pulls_groups_together():
    affinities, group, _ = groups()
    start, widths = small_start(200, 2), []
    for exaggeration in (1.0, 4.0):
        y = run_layout(plan_of(affinities, exaggeration=exaggeration), affinities, start, FREE[2]).coordinates
        widths.append(np.mean([y[group == g].std() for g in range(4)]) / y.std())
    assert widths[1] < widths[0]


def test_held_points_stay_near():
    affinities, _, _ = groups()
    earlier = run_layout(plan_of(affinities), affinities, small_start(200, 2), FREE[2]).coordinates
    changed = groups(seed=5)[0]
    far = []
    for strength in (0.0, 1.0):
        held = Held(earlier, np.full(200, strength / 200, np.float32))
        y = run_layout(plan_of(changed, warm=True), changed, earlier, held).coordinates
        far.append(np.linalg.norm(y - earlier, axis=1).mean())
    assert far[1] < 0.3 * far[0]


def test_callbacks_see_snapshots_and_may_end():
    affinities, _, _ = groups()

    class Watch:
        def __init__(self, last):
            self.last, self.seen, self.begun, self.report = last, [], None, None

        def on_train_begin(self, plan):
            self.begun = plan

        def on_pool_end(self, progress):
            self.seen.append((progress.step, progress.snapshot()))
            return progress.step >= self.last

        def on_train_end(self, report):
            self.report = report

    whole, cut = Watch(10**9), Watch(50)
    result = run_layout(plan_of(affinities), affinities, small_start(200, 2), FREE[2], callbacks=[whole])
    assert [step for step, _ in whole.seen] == list(range(10, 351, 10))
    assert (whole.seen[-1][1] == result.coordinates).all() and (whole.seen[0][1] != result.coordinates).any()
    assert whole.begun.num_iteration == 350 and whole.report.num_step == 350 and not result.is_partial
    result = run_layout(plan_of(affinities), affinities, small_start(200, 2), FREE[2], callbacks=[cut])
    assert result.is_partial and result.report.num_step == 50
    assert (result.coordinates == cut.seen[-1][1]).all() and (cut.seen[-1][1] == whole.seen[4][1]).all()


def test_interruption_keeps_the_map_so_far():
    affinities, _, _ = groups()
    kept = []

    class Interrupt:
        def on_pool_end(self, progress):
            if progress.step == 30:
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted, match="TSNE stopped after step 30 of 350"):
        run_layout(
            plan_of(affinities), affinities, small_start(200, 2), FREE[2], callbacks=[Interrupt()], keep=kept.append
        )
    assert kept[0].is_partial and np.isfinite(kept[0].coordinates).all()


def test_divergence_is_told():
    affinities, _, _ = groups()
    with pytest.raises(TrainingError, match=r"TSNE has diverged: the loss grew .* Lower lr, or leave it out"):
        run_layout(plan_of(affinities, lr=1e12), affinities, small_start(200, 2), FREE[2])


@DIMS
def test_maps_without_bounds_fit_the_grid(dim):
    for span in (1e-8, 1e-3, 1.0, 200.0, 1e5, 1e30):
        nodes, step = grid_of(span, dim)
        assert span / step + 6 < nodes * 1.1 and nodes <= MOST_NODES[dim] * 1.1
    y = np.random.default_rng(0).normal(scale=1e6, size=(50, dim)).astype(np.float32)
    slopes, values = np.empty_like(y), np.empty(50, np.float32)
    field = Field(dim, 1, lambda work, count: [work(0, count)])
    field.solve(y)
    field.sample(y, slopes, values)
    assert np.isfinite(slopes).all()


def test_starts():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)) * [1, 30, 2, 10, 1] + 100
    start = principal_start(x, 2, 0)
    assert start.std(axis=0)[0] == pytest.approx(1e-4, rel=0.02)
    assert abs(np.corrcoef(start[:, 0], x[:, 1])[0, 1]) > 0.99 and abs(np.corrcoef(start[:, 1], x[:, 3])[0, 1]) > 0.99
    line = principal_start(np.outer(np.arange(50.0), [1, 2, 3]), 3, 0)
    assert np.isfinite(line).all() and len(np.unique(line[:, 1])) == 50
    assert np.isfinite(principal_start(np.ones((20, 3)), 2, 0)).all()
    assert np.isfinite(principal_start(rng.normal(size=(20, 3000)) * 1e30, 2, 0)).all()
    many = rng.normal(size=(5000, 6))
    assert len({principal_start(many, 2, 0, num_thread=threads).tobytes() for threads in (1, 2, 5)}) == 1
    affinities, group, _ = groups()
    start = spectral_start(affinities, 2, 0)
    assert np.isfinite(start).all() and start.std(axis=0).max() == pytest.approx(1e-4, rel=0.02)
    inner = np.mean([start[group == g].std() for g in range(4)])
    assert inner < 0.7 * start.std()


@DIMS
def test_maps_are_turned_alike(dim):
    rng = np.random.default_rng(0)
    y = (rng.gamma(1.0, size=(200, dim)) * np.arange(dim, 0, -1)).astype(np.float32)
    turn = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    other = (y @ turn + 5).astype(np.float32)
    np.testing.assert_allclose(turned(other), turned(y), atol=1e-3)
    np.testing.assert_allclose(laid_onto(other, y, np.arange(200) < 50), y, atol=1e-4)
