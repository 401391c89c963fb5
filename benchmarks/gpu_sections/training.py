"""Training on graphs of YouTube's size, against one warp per pair."""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import numpy as np
import torch

from baselines.warp_per_pair import LR, WarpPerPair, pairs_of
from common import SkippedError, classify, load
from gpu_sections.card import DTYPES, ON_CARD, Trained, fit, tensor
from gpu_sections.recovery import recovery
from gpu_sections.shapes import youtube_shaped
from nodeloom import Graph
from nodeloom.kernels.gpu.negatives import draw_negatives
from nodeloom.kernels.gpu.walks import first_order_walks
from nodeloom.sampling import NegativeSampler, WalkSampler
from report import Report, spread

EPOCHS = 4000  # GraphVite's on YouTube
WARM_EPOCHS = 1000  # long enough for the kernels and the learning rates of the full training
STEP = 5
BASELINE_WALKS = 1 << 18  # of a pool: 160 M pairs
FLOOR = 1e-4  # of the linear schedule
TARGETS = {"fp32": (2.5, 8e9), "bf16": (1.7, 12e9)}
TARGET_GAIN, TARGET_FACTOR, TARGET_DEBIAN = 1.5, 8.0, 7e9
TARGET_LOSS = 0.3  # points of recovery and of F1
PORTION = 0.1  # of the labelled nodes of debian_large to learn from


def youtube(options: argparse.Namespace, report: Report) -> None:
    """Train the whole budget of GraphVite's YouTube benchmark in both table types, then by the baseline."""
    shaped = youtube_shaped(options.scale)
    graph, degrees = shaped.graph, shaped.graph.degrees
    epochs = 10 if options.quick else EPOCHS
    report.say(f"youtube: {graph!r}, made in {shaped.seconds:.1f} s, largest degree {degrees.max():,}")
    for dtype in DTYPES:
        fit(graph, "cuda", dtype, num_epoch=5 if options.quick else WARM_EPOCHS, augmentation_step=STEP)
    runs: dict[str, list[Trained]] = {dtype: [] for dtype in DTYPES}
    found: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    controls = []
    for seed in range(options.repeats):
        for dtype in DTYPES:
            run = fit(graph, "cuda", dtype, num_epoch=epochs, augmentation_step=STEP, seed=seed)
            score = recovery(run.vectors, shaped.community, degrees)
            run.vectors = run.contexts = np.empty((0, 0), np.float32)
            runs[dtype].append(run)
            found[dtype].append(score.accuracy)
            controls.append(score.control)
            report.say(
                f"youtube, {dtype}: {run.seconds:.2f} s, {run.rate / 1e9:.2f} G pairs/s, fit {run.wall:.1f} s, "
                f"communities {score.accuracy:.2f} %"
            )
    table = report.table(
        f"{graph.num_nodes:,} nodes, {graph.num_edges:,} edges, {epochs} epochs, dim 128, step {STEP}: graph to vectors",
        "trainer", "tables", "seconds", "G pairs/s", "G pairs", "communities found", "shuffled (control)", "on the card, GB",
        "fit with copies, s",
    )  # fmt: skip
    for dtype in DTYPES:
        table.add(
            "nodeloom", dtype, spread([run.seconds for run in runs[dtype]]),
            spread([run.rate / 1e9 for run in runs[dtype]]), f"{runs[dtype][0].report['num_pair'] / 1e9:.2f}",
            spread(found[dtype]) + " %", f"{statistics.mean(controls):.2f} %",
            f"{max(run.device_bytes for run in runs[dtype]) / 1e9:.2f}", spread([run.wall for run in runs[dtype]], "{:.1f}"),
        )  # fmt: skip
        seconds, rate = (
            statistics.median(values) for values in zip(*((r.seconds, r.rate) for r in runs[dtype]), strict=True)
        )
        most, least = TARGETS[dtype]
        report.check(
            f"YouTube-shaped, {dtype}, walks included", f"at most {most} s", f"{seconds:.2f} s", seconds <= most
        )
        report.check(
            f"YouTube-shaped, {dtype}", f"at least {least / 1e9:g} G pairs/s", f"{rate / 1e9:.2f}", rate >= least
        )
    rates = {dtype: statistics.median(run.rate for run in runs[dtype]) for dtype in DTYPES}
    scores = {dtype: statistics.median(found[dtype]) for dtype in DTYPES}
    gain = rates["bf16"] / rates["fp32"]
    report.check("bf16 against fp32", f"at least {TARGET_GAIN:g}x", f"{gain:.2f}x", gain >= TARGET_GAIN)
    loss = scores["fp32"] - scores["bf16"]
    report.check("communities found, bf16 below fp32", f"at most {TARGET_LOSS}", f"{loss:.2f}", loss <= TARGET_LOSS)
    report.raw["youtube"] = {
        dtype: [{"wall": run.wall, "device_bytes": run.device_bytes, "recovery": score, **run.report}
                for run, score in zip(runs[dtype], found[dtype], strict=True)]
        for dtype in DTYPES
    }  # fmt: skip
    try:
        baseline = train_baseline(graph, epochs * graph.num_edges, options, report)
    except SkippedError as reason:
        table.add("warp per pair", "fp32", str(reason))
        report.note(f"Skipped: {reason}.")
        return
    score = recovery(baseline.pop("vectors"), shaped.community, degrees)
    rate = baseline["pairs"] / baseline["seconds"]
    table.add(
        "warp per pair, GraphVite's way", "fp32", f"{baseline['seconds']:.2f}", f"{rate / 1e9:.3f}",
        f"{baseline['pairs'] / 1e9:.2f}", f"{score.accuracy:.2f} %", f"{score.control:.2f} %", "", "",
    )  # fmt: skip
    report.raw["youtube"]["baseline"] = baseline | {"recovery": score.accuracy}
    factor = rates["fp32"] / rate
    report.check(
        "fp32 against one warp per pair", f"at least {TARGET_FACTOR:g}x", f"{factor:.1f}x", factor >= TARGET_FACTOR
    )
    if baseline["pairs"] >= epochs * graph.num_edges:
        for dtype in DTYPES:
            loss = score.accuracy - scores[dtype]
            report.check(
                f"communities found, {dtype} below one warp per pair",
                f"at most {TARGET_LOSS}",
                f"{loss:.2f}",
                loss <= TARGET_LOSS,
            )
    else:
        report.note(
            "The baseline trained a part of the budget, with its learning rate falling to the end of that part: compare its "
            "rate, not its score (--baseline-share 1 trains all)."
        )


def train_baseline(graph: Graph, total: int, options: argparse.Namespace, report: Report) -> dict[str, Any]:
    """Train `total` pairs, or the share of them that was asked for, one warp each; only its kernel is on the clock."""
    if not ON_CARD:
        raise SkippedError("baseline: it needs a card")
    trainer = WarpPerPair()
    total = int(total * options.baseline_share)
    walks_of, negatives_of = WalkSampler.of(graph), NegativeSampler.of(graph, exponent=0.75, seed=0)
    csr = [
        tensor(array)
        for array in (graph.indptr, graph.indices, walks_of.steps.prob, walks_of.steps.alias, *walks_of.start)
    ]
    noise = [tensor(array) for array in negatives_of.table]
    vertex, context = trainer.tables(graph.num_nodes, seed=0)
    walks = torch.empty(64, BASELINE_WALKS, dtype=torch.int32, device="cuda").t()
    events = []
    done = pool = 0
    begin = time.perf_counter()
    while done < total:
        first_order_walks(*csr, walks_of.key, pool * BASELINE_WALKS, walks)
        pairs = pairs_of(walks, STEP)[: total - done]
        negatives = torch.empty(len(pairs), 1, dtype=torch.int32, device="cuda")
        draw_negatives(*noise, negatives_of.key, done, negatives)
        rates = (LR * max(1 - place / total, FLOOR) for place in (done, done + len(pairs)))
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        trainer.train(vertex, context, pairs, negatives.view(-1), *rates)
        last.record()
        events.append((first, last))
        done, pool = done + len(pairs), pool + 1
    torch.cuda.synchronize()
    seconds = sum(first.elapsed_time(last) for first, last in events) / 1e3
    report.say(
        f"youtube, warp per pair: {done / 1e9:.2f} G pairs, kernel {seconds:.2f} s = {done / seconds / 1e9:.3f} G pairs/s, "
        f"with walks, pairs and negatives {time.perf_counter() - begin:.1f} s"
    )
    return {"vectors": vertex.cpu().numpy(), "seconds": seconds, "pairs": done, "pools": pool}


def debian(options: argparse.Namespace, report: Report) -> None:
    """Train a real graph of 1.29 M nodes at the defaults."""
    data = load("debian_large")
    graph = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))
    epochs: dict[str, Any] = {"num_epoch": 5} if options.quick else {}
    for dtype in DTYPES:
        fit(graph, "cuda", dtype, num_epoch=5 if options.quick else WARM_EPOCHS)
    runs: dict[str, list[Trained]] = {dtype: [] for dtype in DTYPES}
    scores: dict[str, list[tuple[float, float]]] = {dtype: [] for dtype in DTYPES}
    for seed in range(options.repeats):
        for dtype in DTYPES:
            run = fit(graph, "cuda", dtype, seed=seed, **epochs)
            micro, macro = classify(run.vectors, data, (PORTION,), 2)[PORTION][:2]
            run.vectors = run.contexts = np.empty((0, 0), np.float32)
            runs[dtype].append(run)
            scores[dtype].append((micro, macro))
            report.say(
                f"debian_large, {dtype}: {run.seconds:.2f} s, {run.rate / 1e9:.2f} G pairs/s, F1 {micro:.2f}/{macro:.2f}"
            )
    table = report.table(
        f"debian_large: {graph.num_nodes:,} nodes, {graph.num_edges:,} edges, largest degree {graph.degrees.max():,}, dim 128, defaults",
        "tables", "seconds", "G pairs/s", f"micro/macro-F1, {100 * PORTION:.0f} %", "on the card, GB",
    )  # fmt: skip
    means = {dtype: [statistics.mean(one[i] for one in scores[dtype]) for i in (0, 1)] for dtype in DTYPES}
    for dtype in DTYPES:
        table.add(
            dtype, spread([run.seconds for run in runs[dtype]]), spread([run.rate / 1e9 for run in runs[dtype]]),
            "{:.2f}/{:.2f}".format(*means[dtype]), f"{max(run.device_bytes for run in runs[dtype]) / 1e9:.2f}",
        )  # fmt: skip
    loss = [a - b for a, b in zip(means["fp32"], means["bf16"], strict=True)]
    report.check(
        "debian_large: micro/macro-F1 lost by bf16 against fp32", f"at most {TARGET_LOSS}", "{:.2f}/{:.2f}".format(*loss),
        max(loss) <= TARGET_LOSS,
    )  # fmt: skip
    rate = statistics.median(run.rate for run in runs["fp32"])
    report.check(
        "debian_large, fp32", f"at least {TARGET_DEBIAN / 1e9:g} G pairs/s", f"{rate / 1e9:.2f}", rate >= TARGET_DEBIAN
    )
    report.raw["debian"] = {
        dtype: {"runs": [run.report | {"wall": run.wall} for run in runs[dtype]], "scores": scores[dtype]}
        for dtype in DTYPES
    }
