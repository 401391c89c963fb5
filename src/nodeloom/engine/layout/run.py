"""The optimization of a map, from affinities and first places to coordinates, with callbacks and orderly interruption."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from nodeloom.engine.layout.affinities import Affinities, Held
from nodeloom.engine.layout.cpu import CpuLayout
from nodeloom.engine.layout.largevis import CpuLargeVis
from nodeloom.engine.layout.plan import LayoutPlan
from nodeloom.engine.layout.progress import LayoutProgress, LayoutReport
from nodeloom.engine.progress import checked_callbacks, peak_memory, tell
from nodeloom.engine.steps import Steps
from nodeloom.errors import TrainingError
from nodeloom.interrupt import StopRequest
from nodeloom.typing import FloatArray
from nodeloom.words import setting

_WORSE = 0.01
"""Part by which the loss may grow: points of a complete graph are best off in one place, where they begin."""


@dataclass(frozen=True)
class LayoutResult:
    """What a layout gives.

    Attributes
    ----------
    coordinates : float32 [N, dim]
        The points.
    report : LayoutReport
        Time, steps, memory.
    history : list of dict
        Progress, as JSON types.
    is_partial : bool
        Whether it was stopped early.
    """

    coordinates: FloatArray
    report: LayoutReport
    history: list[dict[str, Any]]
    is_partial: bool = False


def layout_of(plan: LayoutPlan, affinities: Affinities, start: FloatArray, held: Held) -> AbstractContextManager[Any]:
    """Return a context that gives the points under their forces, where the plan has them."""
    if plan.num_epoch:
        if plan.device == "cpu":
            return CpuLargeVis(affinities, start, plan).running()
        from nodeloom.engine.layout.gpu_largevis import GpuLargeVis

        return GpuLargeVis(affinities, start, plan).running()
    if plan.device == "cpu":
        return CpuLayout(affinities, start, held, plan.num_thread).running()
    from nodeloom.engine.layout.gpu import GpuLayout

    return GpuLayout(affinities, start, held, plan.device).running()


def run_layout(
    plan: LayoutPlan,
    affinities: Affinities,
    start: FloatArray,
    held: Held,
    *,
    callbacks: Iterable[Any] = (),
    place: Callable[[FloatArray], FloatArray] | None = None,
    keep: Callable[[LayoutResult], object] | None = None,
) -> LayoutResult:
    """Move points until they are a map.

    Parameters
    ----------
    plan : LayoutPlan
        Iterations, rates, device.
    affinities : Affinities
        Who attracts whom.
    start : float32 [N, dim]
        Where points begin.
    held : Held
        Points that are held.
    callbacks : iterable
        Objects with any of ``on_train_begin(plan)``, ``on_pool_end(progress)`` (every ten iterations) and ``on_train_end(report)``.
    place : callable, optional
        Makes the coordinates of a map, of snapshots and of the result, from those of the layout.
    keep : callable, optional
        Is given the map so far before an interruption, or an exception of a callback, is raised.

    Raises
    ------
    TrainingInterrupted
        After Ctrl-C or SIGTERM.
    TrainingError
        If the map is not finite, or worse than where it began.
    """
    told = checked_callbacks(callbacks)
    tell(told, "on_train_begin", plan)
    steps, step = Steps(plan.model, told), 0

    def snapshot() -> FloatArray:
        return points.snapshot() if place is None else place(points.snapshot())

    with StopRequest() as stop, layout_of(plan, affinities, start, held) as points:
        first = points.loss(plan.exaggeration)
        for before, number in plan.pieces():
            points.advance(plan, before, number)
            step, exaggeration = before + number, plan.forces(before)[0]
            seconds, left = steps.clock(step, plan.num_iteration)
            loss = points.loss(exaggeration)
            if not math.isfinite(loss):
                raise _diverged(plan, f"the loss is {loss} after {step} steps")
            progress = LayoutProgress(step, plan.num_iteration, loss, exaggeration, seconds, left, snapshot)
            if steps.end_after(progress, progress.to_dict(), step, plan.num_iteration, stop):
                break
        coordinates, device_memory = snapshot(), points.peak_memory()
        if not steps.is_partial:
            last = points.loss(plan.exaggeration)
            if last > first + _WORSE * abs(first):
                raise _diverged(plan, f"the loss grew from {first:.4g} to {last:.4g}")
    steps.mention(stop)
    if not np.isfinite(coordinates).all():
        raise _diverged(plan, "coordinates are not finite")
    report = LayoutReport(
        seconds=steps.seconds,
        num_step=step,
        loss=steps.history[-1]["loss"],
        peak_memory=peak_memory(),
        num_thread=plan.num_thread,
        device=plan.device,
        peak_device_memory=device_memory,
    )
    return steps.given_back(LayoutResult(coordinates, report, steps.history, steps.is_partial), keep)


def _diverged(plan: LayoutPlan, what: str) -> TrainingError:
    rate = "" if plan.lr is None else f" Lower {setting('layout.lr')}, or leave it out."
    return TrainingError(f"{plan.model} has diverged: {what}.{rate}")
