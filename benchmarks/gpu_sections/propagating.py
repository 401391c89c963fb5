"""Propagation on the card: from the graph on it to vectors on it, and the whole of `fit`."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np

import nodeloom
from common import SkippedError, classify, load
from gpu_sections.card import DEVICE, ON_CARD, synchronize
from gpu_sections.recovery import recovery
from gpu_sections.shapes import youtube_shaped
from nodeloom import Graph
from nodeloom.engine.spectral.propagation import Propagation
from nodeloom.engine.spectral.training import backend_of
from nodeloom.kernels.cpu.parallel import available_threads
from report import Report, spread

TARGET_SECONDS = 1.0
TARGET_LOSS = 0.3
PORTION = 0.1


def on_device(graph: Graph, model: Any) -> float:
    """Seconds from the graph on the device to the vectors there."""
    plan = model.plan(graph)
    with backend_of(plan) as backend:
        work = Propagation(graph, plan, backend)
        synchronize()
        begin = time.perf_counter()
        for change in work.steps(plan.num_iteration):
            if change < plan.tolerance:
                break
        work.release()
        synchronize()
        return time.perf_counter() - begin


def propagation(options: argparse.Namespace, report: Report) -> None:
    """Propagate the YouTube-shaped graph and debian_large on the card and on the CPU."""
    shaped = youtube_shaped(options.scale)

    def communities(vectors: np.ndarray) -> tuple[float, ...]:
        return (recovery(vectors, shaped.community, shaped.graph.degrees).accuracy,)

    cases = [("YouTube-shaped", shaped.graph, communities, "communities found")]
    try:
        data = load("debian_large")
        graph = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))

        def labels(vectors: np.ndarray) -> tuple[float, ...]:
            return tuple(classify(vectors, data, (PORTION,), 2)[PORTION][:2])

        cases.append(("debian_large", graph, labels, f"micro/macro-F1, {100 * PORTION:.0f} %"))
    except SkippedError as reason:
        report.note(f"Skipped: {reason}.")
    device = DEVICE if ON_CARD else "cpu"
    table = report.table(
        "Propagation at defaults, dim 128", "graph", "where", "graph on the device to vectors there, s", "fit with copies, s",
        "steps", "score", "what",
    )  # fmt: skip
    for name, graph, score, what in cases:
        scores: dict[str, tuple[float, ...]] = {}
        for where in dict.fromkeys((device, "cpu")):
            inner, walls, steps = [], [], 0
            for seed in range(options.repeats + 1 if where != "cpu" else 1):
                model = nodeloom.Propagation(device=where, seed=seed)
                seconds = on_device(graph, model) if where != "cpu" else float("nan")
                begin = time.perf_counter()
                model.fit(graph)
                wall = time.perf_counter() - begin
                steps = model.report_["num_step"]
                if where == "cpu" or seed:  # the first on a card loads libraries
                    inner.append(seconds)
                    walls.append(wall)
                report.say(f"{name}, {where}: {seconds:.2f} s on the device, fit {wall:.2f} s, {steps} steps")
                scores.setdefault(where, ()) or scores.update({where: score(model.vectors_)})
            shown = "/".join(f"{value:.2f}" for value in scores[where])
            label = where if where != "cpu" else f"cpu, {available_threads()} threads"
            table.add(name, label, spread(inner) if where != "cpu" else "", spread(walls), str(steps), shown, what)
            report.raw.setdefault("propagation", {})[f"{name}, {where}"] = {
                "inner": inner,
                "walls": walls,
                "steps": steps,
            }
            if where != "cpu":
                seconds = statistics.median(inner)
                report.check(
                    f"{name}: propagation on the card", f"under {TARGET_SECONDS:g} s", f"{seconds:.2f} s",
                    seconds < TARGET_SECONDS,
                )  # fmt: skip
        if device != "cpu":
            loss = max(b - a for a, b in zip(scores[device], scores["cpu"], strict=True))
            report.check(
                f"{name}: points lost by propagation on the card against the CPU", f"at most {TARGET_LOSS}", f"{loss:.2f}",
                loss <= TARGET_LOSS,
            )  # fmt: skip
