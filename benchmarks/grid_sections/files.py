"""The CPU alone, with tables of four times the memory that it may use, against the same training in memory."""

from __future__ import annotations

import argparse
from typing import Any

from common import SkippedError, run_worker
from report import Report

DIM, EPOCHS, SHARE = 128, 100, 4.0
EDGES_PER_NODE = 4
TARGET = 0.5
TARGET_LOSS = 1.0


def files(options: argparse.Namespace, report: Report) -> None:
    """Train a planted partition both ways, each in a process of its own."""
    nodes = options.cpu_nodes
    tables = 2 * nodes * DIM * 4
    limit = int(tables / SHARE)
    request: dict[str, Any] = {
        "num_nodes": nodes,
        "num_edges": EDGES_PER_NODE * nodes,
        "dim": DIM,
        "epochs": 2 if options.quick else EPOCHS,
    }
    table = report.table(
        f"{nodes:,} nodes, {EDGES_PER_NODE * nodes:,} edges, dim {DIM}, {request['epochs']} epochs; tables of {tables / 1e6:.0f} MB",
        "memory", "grid", "seconds", "M pairs/s", "communities found", "peak of the process, MB", "limit, MB",
    )  # fmt: skip
    results: dict[str, dict[str, Any]] = {}
    for name, more in (
        ("in memory", {}),
        ("a quarter", {"memory_limit": limit}),
        ("four parts in memory", {"num_partition": 4}),
    ):
        if options.quick and "memory_limit" in more:
            continue
        try:
            results[name] = run_worker("nodeloom_grid.py", request | {"options": more}, num_thread=2)
        except SkippedError as reason:
            table.add(name, str(reason))
            continue
        found = results[name]
        report.say(f"{name}: {found['rate'] / 1e6:.1f} M pairs/s, {found['plan']}")
        table.add(
            name, found["grid"], f"{found['seconds']:.1f}", f"{found['rate'] / 1e6:.1f}", f"{found['accuracy']:.2f} %",
            f"{found['peak_bytes'] / 1e6:.0f}", f"{more.get('memory_limit', 0) / 1e6:.0f}" if "memory_limit" in more else "",
        )  # fmt: skip
    report.raw["cpu"] = results
    if "in memory" in results and "a quarter" in results:
        one, other = results["in memory"], results["a quarter"]
        ratio = other["rate"] / one["rate"]
        report.check(
            "tables of four times the memory: rate against in memory",
            f"at least {TARGET:g}",
            f"{ratio:.2f}",
            ratio >= TARGET,
        )
        peak = other["peak_bytes"]
        report.check(
            "tables of four times the memory: peak of the process",
            f"at most {limit / 1e6:.0f} MB",
            f"{peak / 1e6:.0f} MB",
            peak <= limit,
        )
        loss = one["accuracy"] - other["accuracy"]
        report.check(
            "tables of four times the memory: communities lost",
            f"at most {TARGET_LOSS:g}",
            f"{loss:.2f}",
            loss <= TARGET_LOSS,
        )
