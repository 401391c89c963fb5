"""A graph of Friendster's size on one card: drawn, built and trained at GraphVite's settings, for a minute of its 2000 epochs."""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import nodeloom
from children.child import peak_bytes, reset_peak
from gpu_sections.card import ON_CARD
from gpu_sections.recovery import recovery
from nodeloom.datasets import planted_partition_edges
from nodeloom.errors import TrainingInterrupted
from nodeloom.graph import Graph
from report import Report

NODES, EDGES, COMMUNITY, EXPONENT = 65_608_366, 1_806_067_135, 65_600, 2.5
EPOCHS, STEP = 2000, 2
WARM = 5.0  # seconds of a training before it is watched
TARGET_BUILD, TARGET_BUILD_MEMORY = 180.0, 3.0
TARGET_MINUTES, TARGET_HOST_MINUTES = 12.0, 60.0
HOST_LIMIT = 40_000_000_000  # less than two bf16 tables and the graph


@dataclass
class Made:
    """The graph, its communities, and what making it took."""

    graph: Graph
    community: np.ndarray


@functools.cache
def made(scale: float, report: Report, keep: Path | None = None) -> Made:
    """Draw the edges and build the graph, once; in a folder to keep them they are found again."""
    if keep is not None and (keep / "community.npy").exists():
        report.say(f"the graph is that of {keep}")
        return Made(Graph.open(keep / "graph.safetensors"), np.load(keep / "community.npy"))
    nodes, edges = int(NODES * scale), int(EDGES * scale)
    table = report.table(f"{nodes:,} nodes, {edges:,} edges drawn", "step", "seconds", "peak, GB", "M edges/s")

    def step(name: str, function: Any) -> Any:
        reset_peak()
        begin = time.perf_counter()
        result = function()
        seconds, peak = time.perf_counter() - begin, peak_bytes()
        table.add(name, f"{seconds:.1f}", f"{peak / 1e9:.1f}", f"{edges / seconds / 1e6:.0f}")
        report.say(f"{name}: {seconds:.1f} s, peak {peak / 1e9:.1f} GB")
        return result, seconds, peak

    parts = max(5, nodes // COMMUNITY)
    (drawn, community), _, _ = step(
        "draw", lambda: planted_partition_edges(nodes, edges, parts, exponent=EXPONENT, seed=7)
    )
    graph, seconds, peak = step("build", lambda: Graph.from_edges(drawn, num_nodes=nodes))
    rows = graph.indptr.nbytes + graph.indices.nbytes
    report.say(f"{graph!r}, largest degree {graph.degrees.max():,}")
    if scale == 1.0:
        report.check("build: seconds", f"at most {TARGET_BUILD:.0f}", f"{seconds:.0f}", seconds <= TARGET_BUILD)
        report.check("build: peak of the process over the rows", f"at most {TARGET_BUILD_MEMORY:g}", f"{peak / rows:.2f}",
                     peak / rows <= TARGET_BUILD_MEMORY)  # fmt: skip
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        graph.save(keep / "graph.safetensors")
        np.save(keep / "community.npy", community)
    return Made(graph, community)


class Watch:
    """Ends a training after a while, and knows its rate from WARM seconds on."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.first, self.last, self.loss = seconds, (0, 0.0), (0, 0.0), float("nan")

    def on_pool_end(self, progress: Any) -> None:
        """Look at the progress."""
        self.last, self.loss = (progress.num_pair, progress.seconds), progress.loss
        if progress.seconds < min(WARM, self.seconds / 4):
            self.first = self.last
        elif progress.seconds - self.first[1] > self.seconds:
            raise TrainingInterrupted("watched long enough")

    @property
    def rate(self) -> float:
        """Positive pairs per second."""
        return (self.last[0] - self.first[0]) / max(self.last[1] - self.first[1], 1e-9)


def watched(made_: Made, options: argparse.Namespace, report: Report, **how: Any) -> tuple[Any, Watch]:
    """Train at GraphVite's settings for a while; return the plan and the watch."""
    model = nodeloom.LINE(num_epoch=EPOCHS, augmentation_step=STEP, device="cuda" if ON_CARD else "cpu", **how)
    gc.collect()  # the plan looks at the memory that is free
    begin = time.perf_counter()
    from nodeloom.engine import make_plan

    plan = make_plan(made_.graph, model._settings())
    report.say(f"plan after {time.perf_counter() - begin:.1f} s:\n{plan}")
    watch = Watch(options.seconds)
    begin = time.perf_counter()
    with contextlib.suppress(TrainingInterrupted):
        model.fit(made_.graph, callbacks=[watch])
    report.say(
        f"{time.perf_counter() - begin - watch.last[1]:.1f} s before and after {watch.last[1]:.1f} s of training"
    )
    return plan, watch


def _row(table: Any, report: Report, name: str, plan: Any, watch: Watch, target: float, scale: float) -> None:
    pairs = EPOCHS * plan.num_edges
    minutes = pairs / watch.rate / 60
    report.say(
        f"{name}, dim {plan.dim}: {watch.rate / 1e9:.3f} G pairs/s, {minutes:.1f} minutes, loss {watch.loss:.4f}"
    )
    grid = "" if plan.grid is None else f"{plan.grid.num_vertex_part} x {plan.grid.num_context_part}"
    table.add(
        name, str(plan.dim), plan.table_dtype, grid, f"{watch.last[1] - watch.first[1]:.0f}", f"{watch.rate / 1e9:.2f}",
        f"{watch.loss:.3f}", f"{pairs / 1e12:.2f}", f"{minutes:.1f}", f"{plan.num_device_bytes / 1e9:.1f}", f"{plan.num_bytes / 1e9:.1f}",
    )  # fmt: skip
    report.raw[f"{name}, dim {plan.dim}"] = {
        "plan": plan.to_dict(),
        "rate": watch.rate,
        "watched": [watch.first, watch.last],
    }
    if scale == 1.0:
        report.check(f"{name}, dim {plan.dim}: 2000 epochs, walks included, from the rate", f"under {target:g} minutes",
                     f"{minutes:.1f}", minutes < target)  # fmt: skip


_HEAD = (
    "tables", "dim", "dtype", "grid", "watched, s", "G pairs/s", "loss", "pairs of 2000 epochs, T", "minutes of them (from the rate)",
    "GPU memory, GB", "main memory, GB",
)  # fmt: skip


def chosen(options: argparse.Namespace, report: Report) -> None:
    """Train where the planner puts it; then a whole short training whose vectors are judged."""
    found = made(options.scale, report, options.keep)
    table = report.table(f"LINE, step {STEP}, where the planner puts it", *_HEAD)
    rate = 0.0
    for dim in options.dims:
        plan, watch = watched(found, options, report, dim=dim)
        _row(table, report, "on the card" if plan.grid is None else "host", plan, watch, TARGET_MINUTES, options.scale)
        rate = watch.rate
        report.write()
    if options.no_whole:
        return
    epochs = max(1, int(rate * 20 / found.graph.num_edges)) if ON_CARD else 4
    model = nodeloom.LINE(
        num_epoch=epochs, augmentation_step=STEP, dim=options.dims[-1], device="cuda" if ON_CARD else "cpu"
    )
    begin = time.perf_counter()
    model.fit(found.graph)
    wall = time.perf_counter() - begin
    score = recovery(model.vectors_, found.community, found.graph.degrees)
    judged = report.table(
        "A whole training of fewer epochs",
        "dim",
        "epochs",
        "training, s",
        "fit with copies, s",
        "communities found",
        "control",
    )
    judged.add(str(options.dims[-1]), str(epochs), f"{model.report_['seconds']:.1f}", f"{wall:.1f}", f"{score.accuracy:.2f} %",
               f"{score.control:.2f} %")  # fmt: skip


def host(options: argparse.Namespace, report: Report) -> None:
    """Train with tables in main memory."""
    found = made(options.scale, report, options.keep)
    table = report.table(f"LINE, step {STEP}, tables forced to main memory", *_HEAD)
    how: dict[str, Any] = {"gpu_memory_limit": HOST_LIMIT} if options.scale == 1.0 else {"num_partition": 4}
    plan, watch = watched(found, options, report, dim=options.dims[-1], table_dtype="fp32", **how)
    _row(table, report, "host", plan, watch, TARGET_HOST_MINUTES, options.scale)
