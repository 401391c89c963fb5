"""Walks made by the host against walks made by the card, and how busy the card is meanwhile."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from common import SkippedError
from gpu_sections.card import DTYPES, ON_CARD, Trained, fit
from gpu_sections.shapes import youtube_shaped
from nodeloom import Graph
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.sampling import WalkSampler
from nodeloom.sampling.pool import WalkPool
from report import Report, spread

EPOCHS, STEP = 2000, 5
SAMPLERS = ("device", "host")
TARGET_SLOWER, TARGET_BUSY = 1.20, 0.90


def busy_share(graph: Graph, options: dict[str, Any], dtype: str) -> float:
    """Share of the time between the first and the last kernel of a training in which a kernel runs, by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    try:
        with profile(activities=[ProfilerActivity.CUDA]) as profiler:
            fit(graph, "cuda", dtype, **options)
    except RuntimeError as error:
        raise SkippedError(f"busy share: torch's profiler: {error}") from error
    spans = sorted(
        (event.time_range.start, event.time_range.end, event.name)
        for event in profiler.events()
        if event.device_type == torch.autograd.DeviceType.CUDA and not event.name.startswith(("Memcpy", "Memset"))
    )
    time_of: dict[str, float] = {}
    for start, stop, name in spans:
        time_of[name] = time_of.get(name, 0.0) + stop - start
    longest = max(time_of, key=time_of.__getitem__, default="")
    training = [span for span in spans if span[2] == longest]
    if len(training) < 3:
        raise SkippedError("busy share: torch's profiler saw no training kernels")
    # Both variants of the kernel, with and without the loss, were launched to compile before the training.
    first, last = training[2][0], training[-1][1]
    covered, end = 0.0, first
    for start, stop, _ in spans:
        start, stop = max(start, end), min(stop, last)
        if stop > start:
            covered, end = covered + stop - start, stop
    return covered / (last - first)


def host_rate(graph: Graph, threads: int) -> float:
    """Return the steps per second that threads of the host make into buffers, with nobody to wait for."""
    sampler = WalkSampler.of(graph)
    buffers = [np.zeros((1 << 15, 64), graph.indices.dtype) for _ in range(3)]
    sampler.sample(0, buffers[0][:2])
    count = 3 * (4 + 2 * threads)
    with WalkPool(sampler, buffers, num_walk=count << 15, num_thread=threads) as pool:
        begin = time.perf_counter()
        for _ in pool:
            pass
        return (count << 15) * 63 / (time.perf_counter() - begin)


def feeding(options: argparse.Namespace, report: Report) -> None:
    """Train the YouTube-shaped graph from walks of the host and of the card, in turn."""
    graph = youtube_shaped(options.scale).graph
    threads = available_threads()
    asked = {"num_epoch": 5 if options.quick else EPOCHS, "augmentation_step": STEP}
    rates = {count: host_rate(graph, count) for count in sorted({1, threads})}
    report.say(
        "host walks: " + ", ".join(f"{count} threads {rate / 1e6:.0f} M steps/s" for count, rate in rates.items())
    )
    if not ON_CARD:
        raise SkippedError("host sampling: it needs a card")
    runs: dict[tuple[str, str], list[Trained]] = {(dtype, sampler): [] for dtype in DTYPES for sampler in SAMPLERS}
    for dtype in DTYPES:
        fit(graph, "cuda", dtype, sampler="host", **asked)
    for seed in range(options.repeats):
        for (dtype, sampler), found in runs.items():
            run = fit(graph, "cuda", dtype, sampler=sampler, seed=seed, **asked)
            assert run.finite
            run.vectors = run.contexts = np.empty((0, 0), np.float32)
            found.append(run)
            report.say(f"walks of the {sampler}, {dtype}: {run.seconds:.2f} s, {run.rate / 1e9:.2f} G pairs/s")
    table = report.table(
        f"Walks made by {threads} threads of the host, {graph.num_nodes:,} nodes, {asked['num_epoch']} epochs, step {STEP}, dim 128",
        "walks made by", "tables", "seconds", "G pairs/s", "card busy", "needs, M steps/s", "host makes, M steps/s",
    )  # fmt: skip
    pairs_per_step = 2 * (STEP * 64 - STEP * (STEP + 1) // 2) / 63
    for (dtype, sampler), found in runs.items():
        rate = statistics.median(run.rate for run in found)
        busy: float | None
        try:
            busy = busy_share(graph, asked | {"sampler": sampler}, dtype)
        except SkippedError as reason:
            busy = None
            report.note(f"Skipped: {reason}.")
        table.add(
            sampler, dtype, spread([run.seconds for run in found]), spread([run.rate / 1e9 for run in found]),
            "?" if busy is None else f"{100 * busy:.0f} %", f"{rate / pairs_per_step / 1e6:.0f}",
            f"{rates[threads] / 1e6:.0f}" if sampler == "host" else "",
        )  # fmt: skip
        report.raw.setdefault("host", {})[f"{sampler}, {dtype}"] = {"runs": [run.report for run in found], "busy": busy}
        if sampler == "host" and dtype == "fp32":
            seconds = {name: statistics.median(run.seconds for run in runs[dtype, name]) for name in SAMPLERS}
            slower = seconds["host"] / seconds["device"]
            report.check("walks of the host, fp32, against the card's", f"at most {TARGET_SLOWER:g}x the time", f"{slower:.2f}x",
                         slower <= TARGET_SLOWER)  # fmt: skip
            if busy is not None:
                report.check("card busy with walks of the host, fp32", f"at least {100 * TARGET_BUSY:.0f} %", f"{100 * busy:.0f} %",
                             busy >= TARGET_BUSY)  # fmt: skip
    report.raw.setdefault("host", {})["steps per second by threads"] = rates
    report.note(
        "Host makes: walks into plain buffers by the same pool, with nobody to wait for; "
        + ", ".join(f"{count} threads {rate / 1e6:.0f} M steps/s" for count, rate in rates.items())
        + ". Card busy: share of the time in which a kernel runs, between the first and the last training kernel of a run under "
        "torch's profiler."
    )
