"""Quality at default settings: the card in both table types against the CPU engine of the same run."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from common import available, classify, load
from gpu_sections.card import ON_CARD, Trained, fit
from nodeloom import Graph
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.tasks import link_prediction, score_pairs, split_edges
from report import Report, Table, spread

LABELLED = {"blogcatalog": (0.1, 0.5, 0.9), "youtube77k": (0.1, 0.5)}
LINKED = ("blogcatalog", "snap_slashdot0902")
SPLITS = 3
FRACTION = 0.01
TARGET_LOSS = 0.3  # points of F1
TARGETS = {("blogcatalog", 0.5): (41.5, 27.5), ("youtube77k", 0.5): (48.0, 42.0)}
TARGET_SECONDS = {"blogcatalog": 0.2}
TARGET_LOSS_AUC = 0.003
WAYS = (("cuda", "fp32"), ("cuda", "bf16"), ("cpu", "fp32"))

Scores = dict[float, tuple[float, float]]


def label(way: tuple[str, str]) -> str:
    """Return how a way to train is called in tables."""
    return f"{way[0]}, {way[1]}" if way[0] == "cuda" else f"cpu, {available_threads()} threads"


def mean_scores(found: Sequence[Scores]) -> Scores:
    """Mean micro- and macro-F1 over trainings."""
    return {
        portion: (statistics.mean(one[portion][0] for one in found), statistics.mean(one[portion][1] for one in found))
        for portion in found[0]
    }


def compare(report: Report, name: str, what: str, ours: Scores, theirs: Scores) -> None:
    """Hold scores against others: neither micro- nor macro-F1 may be lower by more than TARGET_LOSS."""
    for portion in ours:
        loss = [theirs[portion][i] - ours[portion][i] for i in (0, 1)]
        report.check(
            f"{name}, {100 * portion:.0f} %: micro/macro-F1 lost by {what}", f"at most {TARGET_LOSS}",
            f"{loss[0]:.2f}/{loss[1]:.2f}", max(loss) <= TARGET_LOSS,
        )  # fmt: skip


def classes(name: str, options: argparse.Namespace, report: Report, table: Table) -> None:
    """Train one labelled set in all ways and score it."""
    data = load(name)
    graph = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))
    epochs: dict[str, Any] = {"num_epoch": 20} if options.quick else {}
    portions = LABELLED[name]
    scores: dict[tuple[str, str], list[Scores]] = {way: [] for way in WAYS}
    runs: dict[tuple[str, str], list[Trained]] = {way: [] for way in WAYS}
    for device, dtype in WAYS:  # compiled and warm
        fit(graph, device, dtype, **({"num_epoch": 1} if device == "cpu" else epochs))
    for seed in range(options.repeats):
        for way in WAYS:
            if way[0] == "cpu" and seed >= options.cpu_repeats:
                continue
            run = fit(graph, *way, seed=seed, **epochs)
            found = {portion: one[:2] for portion, one in classify(run.vectors, data, portions, SPLITS).items()}
            scores[way].append(found)
            runs[way].append(run)
            report.say(
                f"{name}, {label(way)}: {run.seconds:.3f} s, F1 "
                + ", ".join(f"{a:.2f}/{b:.2f}" for a, b in found.values())
            )
    means = {way: mean_scores(found) for way, found in scores.items()}
    for way in WAYS:
        cells = [f"{means[way][p][0]:.2f}/{means[way][p][1]:.2f}" if p in portions else "" for p in (0.1, 0.5, 0.9)]
        table.add(
            name, label(way), len(runs[way]), spread([run.seconds for run in runs[way]], "{:.3f}"),
            spread([run.rate / 1e9 for run in runs[way]], "{:.3f}" if way[0] == "cpu" else "{:.2f}"), *cells,
        )  # fmt: skip
    cuda, bf16, cpu = WAYS
    compare(report, name, "the card (fp32) against the CPU", means[cuda], means[cpu])
    compare(report, name, "bf16 against fp32", means[bf16], means[cuda])
    for portion in portions:
        if (name, portion) in TARGETS:
            micro, macro = TARGETS[name, portion]
            got = means[cuda][portion]
            report.check(f"{name}, {100 * portion:.0f} %, the card (fp32): micro/macro-F1", f"at least {micro}/{macro}",
                         f"{got[0]:.2f}/{got[1]:.2f}", got[0] >= micro and got[1] >= macro)  # fmt: skip
    if name in TARGET_SECONDS:
        seconds = statistics.median(run.seconds for run in runs[cuda])
        most = TARGET_SECONDS[name]
        report.check(f"{name}, fp32, training after warm-up", f"below {most} s", f"{seconds:.3f} s", seconds < most)
    report.raw.setdefault("quality", {})[name] = {
        label(way): {"scores": [{str(p): list(s) for p, s in one.items()} for one in scores[way]],
                     "runs": [run.report for run in runs[way]]}
        for way in WAYS
    }  # fmt: skip


def links(name: str, options: argparse.Namespace, report: Report, table: Table) -> None:
    """Hide edges of one set, train in all ways and score the hidden edges."""
    data = load(name)
    whole = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))
    split = split_edges(whole, fraction=FRACTION, seed=0)
    graph = split.train_graph
    epochs: dict[str, Any] = {"num_epoch": 20} if options.quick else {}
    found: dict[tuple[str, str], list[float]] = {way: [] for way in WAYS}
    for seed in range(options.repeats):
        for way in WAYS:
            if way[0] == "cpu" and seed >= 1:
                continue
            run = fit(graph, *way, seed=seed, **epochs)
            scores = score_pairs(run.vectors, run.contexts, split.heads, split.tails)
            found[way].append(link_prediction(scores, split.labels).auc)
    degrees = graph.degrees.astype(np.float64)
    random = np.random.default_rng(0).standard_normal((graph.num_nodes, 128)).astype(np.float32)
    controls = {
        "control: product of degrees": degrees[split.heads] * degrees[split.tails],
        "control: random vectors": score_pairs(random, random, split.heads, split.tails),
    }
    for way in WAYS:
        table.add(name, label(way), len(found[way]), spread(found[way], "{:.4f}"))
    for control, scores in controls.items():
        table.add(name, control, "", f"{link_prediction(scores, split.labels).auc:.4f}")
    cuda, bf16, cpu = WAYS
    mean = {way: statistics.mean(values) for way, values in found.items()}
    for what, ours, theirs in (("the card (fp32) against the CPU", cuda, cpu), ("bf16 against fp32", bf16, cuda)):
        loss = mean[theirs] - mean[ours]
        report.check(
            f"{name}: AUC lost by {what}", f"at most {TARGET_LOSS_AUC}", f"{loss:.4f}", loss <= TARGET_LOSS_AUC
        )
    report.raw.setdefault("links", {})[name] = {label(way): values for way, values in found.items()}
    report.say(f"{name}: AUC " + ", ".join(f"{label(way)} {value:.4f}" for way, value in mean.items()))


def quality(options: argparse.Namespace, report: Report) -> None:
    """Node classification and link prediction."""
    here, reasons = available(LABELLED)
    table = report.table(
        "Node classification at the defaults, micro/macro-F1", "data", "trained on", "trainings", "seconds", "G pairs/s",
        "10 %", "50 %", "90 %",
    )  # fmt: skip
    for name in here[:1] if options.quick else here:
        classes(name, options, report, table)
    linked, more = available(LINKED)
    auc = report.table("Hidden edges at the defaults", "data", "scored by", "trainings", "AUC")
    for name in linked[:1] if options.quick else linked:
        links(name, options, report, auc)
    for reason in dict.fromkeys(reasons + more):
        report.note(f"Skipped: {reason}.")
    report.note(
        f"F1: labelled nodes only, C=1, raw vectors, top-k labels; mean of {SPLITS} splits, the same for all, and of the trainings "
        f"(seeds). AUC: {100 * FRACTION:g} % of the edges hidden, as many random pairs against them."
    )
    if not ON_CARD:
        report.note("Without a card the rows of cuda were trained on the CPU.")
