"""The first call of a process: kernels compiled, and kernels from the cache."""

from __future__ import annotations

import argparse
import tempfile
from typing import Any

from common import SkippedError, run_worker
from gpu_sections.card import DTYPES, ON_CARD
from report import Report

TARGETS = {"compiled": 20.0, "from the cache": 2.0}


def first_call(options: argparse.Namespace, report: Report) -> None:
    """Train a small graph twice in a fresh process, with an empty cache of kernels and with a full one."""
    del options
    if not ON_CARD:
        raise SkippedError("first call: it needs a card")
    table = report.table(
        "The first call of a process", "kernels", "tables", "import nodeloom, s", "import torch, open the card, s",
        "first fit, s", "second fit, s", "kernels ready, s",
    )  # fmt: skip
    raw: dict[str, Any] = report.raw.setdefault("first call", {})
    for dtype in DTYPES:
        with tempfile.TemporaryDirectory(prefix="nodeloom-kernels-") as cache:
            for kernels, most in TARGETS.items():
                found = run_worker(
                    "gpu_first_call.py", {"table_dtype": dtype}, num_thread=8, environment={"TRITON_CACHE_DIR": cache}
                )
                ready = found["first_seconds"] - found["second_seconds"]
                table.add(
                    kernels, dtype, f"{found['import_seconds']:.2f}", f"{found['open_seconds']:.2f}",
                    f"{found['first_seconds']:.2f}", f"{found['second_seconds']:.2f}", f"{ready:.2f}",
                )  # fmt: skip
                report.check(f"kernels ready, {kernels}, {dtype}", f"below {most:g} s", f"{ready:.2f} s", ready < most)
                report.say(f"first call, {kernels}, {dtype}: {ready:.2f} s")
                raw[f"{kernels}, {dtype}"] = found
    report.note(
        "Kernels ready: the first fit of a small graph less the second, in a fresh process that has imported torch and opened the "
        "card; Triton's cache is empty or holds what the process before left, Numba's is full."
    )
