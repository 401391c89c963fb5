"""A graph of YouTube's size on a card that may use a quarter of what its tables take."""

from __future__ import annotations

import argparse
import statistics
from typing import Any

import numpy as np

import nodeloom
from common import SkippedError
from gpu_sections.card import ON_CARD, Trained, fit
from gpu_sections.feeding import busy_share
from gpu_sections.recovery import recovery
from gpu_sections.shapes import youtube_shaped
from report import Report, spread

EPOCHS, STEP, DIM = 2000, 5, 128
TARGET_RATE, TARGET_BUSY, TARGET_LOSS = 1.5e9, 0.85, 0.5
SHARE = 0.25


def quarter(options: argparse.Namespace, report: Report) -> None:
    """Train half of GraphVite's YouTube budget resident and in a grid."""
    shaped = youtube_shaped(options.scale)
    graph = shaped.graph
    tables = 2 * graph.num_nodes * DIM * 4
    limit = int(SHARE * tables) if options.scale == 1.0 else int(SHARE * tables) + 40_000_000
    plain: dict[str, Any] = {"num_epoch": 4 if options.quick else EPOCHS, "augmentation_step": STEP, "dim": DIM}
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "resident": ("fp32", {}),
        "a quarter": ("fp32", {"gpu_memory_limit": limit}),
        "a quarter, walks of the host": ("fp32", {"gpu_memory_limit": limit, "sampler": "host"}),
        "a quarter, bf16": ("bf16", {"gpu_memory_limit": limit}),
    }
    if options.quick:
        ways = {"resident": ("fp32", {}), "a quarter": ("fp32", {"num_partition": 2})}
    table = report.table(
        f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges, {plain['num_epoch']} epochs, dim {DIM}, step {STEP}; fp32 tables have "
        f"{tables / 1e6:.0f} MB",
        "memory", "grid", "seconds", "G pairs/s", "communities found", "control", "on the card, MB", "card busy", "bytes a pair",
    )  # fmt: skip
    found: dict[str, float] = {}
    for name, (dtype, how) in ways.items():
        plan = nodeloom.DeepWalk(device="cuda" if ON_CARD else "cpu", table_dtype=dtype, **plain, **how).plan(graph)
        report.say(f"{name}:\n{plan}")
        fit(
            graph, "cuda", dtype, **(plain | how | {"num_epoch": max(1, plain["num_epoch"] // 20)})
        )  # kernels are compiled
        runs: list[Trained] = []
        scores = []
        for seed in range(options.repeats):
            run = fit(graph, "cuda", dtype, seed=seed, **plain, **how)
            scores.append(recovery(run.vectors, shaped.community, graph.degrees))
            run.vectors = run.contexts = np.empty((0, 0), np.float32)
            runs.append(run)
            report.say(
                f"{name}: {run.seconds:.2f} s, {run.rate / 1e9:.2f} G pairs/s, communities {scores[-1].accuracy:.2f} %"
            )
        busy = None
        if plan.grid is not None and ON_CARD:
            try:
                busy = busy_share(graph, {**plain, **how, "num_epoch": 400}, dtype)
            except SkippedError as reason:
                report.note(f"Skipped: {reason}.")
        grid = plan.grid
        found[name] = statistics.median(score.accuracy for score in scores)
        rate = statistics.median(run.rate for run in runs)
        table.add(
            name, "" if grid is None else f"{grid.num_vertex_part} x {grid.num_context_part}",
            spread([run.seconds for run in runs]), spread([run.rate / 1e9 for run in runs]),
            spread([score.accuracy for score in scores]) + " %", f"{statistics.mean(score.control for score in scores):.2f} %",
            f"{max(run.device_bytes for run in runs) / 1e6:.0f}", "" if busy is None else f"{100 * busy:.0f} %",
            "" if grid is None else f"{grid.moved_bytes / grid.episode_pairs:.0f}",
        )  # fmt: skip
        report.raw[name] = {
            "plan": plan.to_dict(),
            "runs": [run.report | {"wall": run.wall} for run in runs],
            "busy": busy,
        }
        if name == "a quarter" and ON_CARD:
            report.check(
                "a quarter of the tables: rate",
                f"at least {TARGET_RATE / 1e9} G/s",
                f"{rate / 1e9:.2f}",
                rate >= TARGET_RATE,
            )
            used = max(run.device_bytes for run in runs)
            report.check(
                "a quarter of the tables: memory",
                f"at most {limit / 1e6:.0f} MB",
                f"{used / 1e6:.0f} MB",
                used <= limit,
            )
            if busy is not None:
                report.check(
                    "a quarter of the tables: card busy",
                    f"at least {100 * TARGET_BUSY:.0f} %",
                    f"{100 * busy:.0f} %",
                    busy >= TARGET_BUSY,
                )
    for name in list(found)[1:]:
        loss = found["resident"] - found[name]
        report.check(
            f"{name}: communities lost against resident", f"at most {TARGET_LOSS}", f"{loss:.2f}", loss <= TARGET_LOSS
        )
    report.note(
        "Bytes a pair: of tables, to the card, and as many back; by the plan. Card busy: share of the time in which a kernel runs "
        "(torch's profiler)."
    )
