"""Layouts on a GPU against those of the CPU; in Triton's interpreter where there is no GPU."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from layout_cases import FREE, groups, small_start

torch = pytest.importorskip("torch")
pytest.importorskip("triton")

from nodeloom.config import ResourceConfig  # noqa: E402
from nodeloom.config.layout import LargeVisConfig  # noqa: E402
from nodeloom.engine.layout import Task, make_layout_plan  # noqa: E402
from nodeloom.engine.layout.cpu import CpuLayout  # noqa: E402
from nodeloom.engine.layout.gpu import GpuLayout  # noqa: E402
from nodeloom.engine.layout.gpu_largevis import GpuLargeVis  # noqa: E402
from nodeloom.engine.layout.largevis import CpuLargeVis, widened  # noqa: E402
from nodeloom.kernels.gpu._triton import INTERPRETED  # noqa: E402

pytestmark = pytest.mark.skipif(
    not INTERPRETED and not torch.cuda.is_available(), reason="there is no GPU, and TRITON_INTERPRET is not 1"
)


@pytest.mark.parametrize("dim", [2, 3])
@pytest.mark.parametrize("width", [1e-4, 6.0])
@pytest.mark.parametrize("way", ["grid", "pairs"])
def test_steps_are_those_of_the_cpu(dim, width, way, monkeypatch):
    if way == "grid":
        monkeypatch.setattr("nodeloom.engine.layout.gpu.PAIRS", {2: 0, 3: 0})
    affinities, _, _ = groups(64)
    start = small_start(64, dim) * np.float32(width / 1e-4)
    found, losses = [], []
    for kind, place in ((CpuLayout, 1), (GpuLayout, "cuda:0")):
        with kind(affinities, start, FREE[dim], place).running() as points:
            losses.append([points.loss(2.0)])
            points.steps(2, 12.0, 5.0, 0.5, 5.0)
            found.append(points.snapshot())
            losses[-1].append(points.loss(2.0))
    moved = np.abs(found[0] - start).max()
    np.testing.assert_allclose(found[1], found[0], atol=(1e-4 if way == "pairs" else 0.03 if dim == 2 else 0.1) * moved)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5 if way == "pairs" else 0.01)


@pytest.mark.parametrize("dim", [2, 3])
def test_sweeps_of_largevis_are_those_of_the_cpu(dim):
    affinities, _, _ = groups(64)
    settings, task = LargeVisConfig(dim=dim, num_epoch=3), Task(num_points=64, num_entry=len(affinities.indices))
    plan = make_layout_plan("LargeVis", task, settings, ResourceConfig(device="cpu", num_thread=1))
    start = widened(small_start(64, dim))
    gpu_plan = dataclasses.replace(plan, device="cuda:0")
    with (
        CpuLargeVis(affinities, start, plan).running() as slow,
        GpuLargeVis(affinities, start, gpu_plan).running() as fast,
    ):
        for points in (slow, fast):
            points.advance(plan, 0, 3)
            points.advance(plan, 3, 4)
        np.testing.assert_allclose(fast.snapshot(), slow.snapshot(), atol=1e-3)
        assert fast.loss(1.0) == pytest.approx(slow.loss(1.0), rel=1e-3)
