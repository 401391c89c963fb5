"""Propagation and ProNE beside pycleora, at default settings: time, memory and F1 in one run."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import PEERS, SkippedError, arguments, available, classify, data_file, load, run_peer, run_worker
from report import Report, Table, spread

# Shares of the labelled nodes to train on, and splits: large label sets take liblinear minutes for each.
DATA = {"blogcatalog": ((0.1, 0.5, 0.9), 5), "youtube77k": ((0.1, 0.5), 2), "debian_large": ((0.5,), 1)}
OURS = {"Propagation": "Propagation", "ProNE": "ProNE"}
ITERATIONS = {"blogcatalog": (40, 100), "youtube77k": (40, 100), "debian_large": (40,)}
LENGTH = 2.0
SPEED = 1.5
MOST_SECONDS = {"debian_large": 60.0}
MOST_MEMORY = {"debian_large": 3.0}


def contenders(name: str) -> list[str]:
    """Return who runs on a data set."""
    return [*OURS, *(f"pycleora, {number} iterations" for number in ITERATIONS[name])]


def compute(name: str, contender: str, options: argparse.Namespace, seed: int, vectors: str) -> dict[str, Any]:
    """Run one contender once."""
    request: dict[str, Any] = {"graph": str(data_file(name)), "vectors": vectors, "seed": seed}
    if contender in OURS:
        request |= {"model": OURS[contender], "options": {}}
        return run_worker("nodeloom_spectral.py", request, num_thread=options.threads)
    steps = 3 if options.quick else int(contender.split()[1])
    request |= {"dim": 128, "num_iteration": steps}
    return run_peer("pycleora", "pycleora_embed.py", request, num_thread=options.threads)


def scored(name: str, vectors: np.ndarray, options: argparse.Namespace) -> dict[float, Any]:
    """Score vectors by the labels of a data set."""
    portions, times = DATA[name]
    if options.quick:
        portions, times = portions[:1], 1
    return classify(vectors, load(name), portions, times)


def measure(name: str, options: argparse.Namespace, report: Report, table: Table, folder: str) -> None:
    """Run all on one data set, alternating, and score the vectors of the first run."""
    path = str(Path(folder, "vectors.npy"))
    runs: dict[str, list[dict[str, Any]]] = {}
    scores: dict[str, dict[float, Any]] = {}
    for seed in range(options.repeats):
        for contender in contenders(name):
            try:
                result = compute(name, contender, options, seed, path)
            except SkippedError as reason:
                if seed == 0:
                    table.add(name, contender, str(reason))
                    report.say(f"{name}, {contender}: {reason}")
                continue
            runs.setdefault(contender, []).append(result)
            report.say(f"{name}, {contender}: {result['seconds']:.2f} s")
            if seed == 0 and not options.no_scores:
                vectors = np.load(path)
                scores[contender] = scored(name, vectors, options)
                if contender not in OURS:  # as our rows are: the best of the two counts
                    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
                    vectors *= LENGTH / np.maximum(lengths, 1e-10)
                    scores[f"{contender}, rows of length 2"] = scored(name, vectors, options)
                report.say(f"    {scores[contender]}")
    for contender, results in runs.items():
        seconds = spread([result["seconds"] for result in results])
        memory = statistics.median(result["peak_bytes"] / result["table_bytes"] for result in results)
        for label in (contender, f"{contender}, rows of length 2"):
            if label == contender or label in scores:
                found = scores.get(label, {})
                table.add(name, label, seconds, f"{memory:.2f}", *(
                    f"{found[share][0]:.2f} / {found[share][1]:.2f}" if share in found else "" for share in (0.1, 0.5, 0.9)
                ))  # fmt: skip
    check(name, runs, scores, report)
    report.raw[name] = {"runs": runs, "scores": scores}


def check(name: str, runs: dict[str, list[dict[str, Any]]], scores: dict[str, Any], report: Report) -> None:
    """Hold propagation against the targets."""
    times = {who: statistics.median(result["seconds"] for result in results) for who, results in runs.items()}
    ours = times.get("Propagation")
    if ours is None:
        return
    if name in MOST_SECONDS:
        report.check(f"{name}, seconds", f"under {MOST_SECONDS[name]:g}", f"{ours:.1f}", ours < MOST_SECONDS[name])
        peak = max(result["peak_bytes"] / result["table_bytes"] for result in runs["Propagation"])
        report.check(f"{name}, peak memory over the vectors", f"at most {MOST_MEMORY[name]:g}", f"{peak:.2f}",
                     peak <= MOST_MEMORY[name])  # fmt: skip
    peers = {who: value for who, value in times.items() if who not in OURS}
    if peers:
        fastest = min(peers.values())
        report.check(f"{name}, times faster than pycleora at its fewest iterations", f"at least {SPEED:g}",
                     f"{fastest / ours:.1f}", fastest / ours >= SPEED)  # fmt: skip
    for share, found in scores.get("Propagation", {}).items():
        rivals = [score[share] for who, score in scores.items() if who.startswith("pycleora")]
        if rivals:
            best = max(score[0] for score in rivals), max(score[1] for score in rivals)
            report.check(
                f"{name}, F1 at {100 * share:g} %", f"pycleora's best {best[0]:.2f} / {best[1]:.2f}",
                f"{found[0]:.2f} / {found[1]:.2f}", found[0] >= best[0] and found[1] >= best[1],
            )  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--data", nargs="+", default=list(DATA), choices=list(DATA), help="data sets")
    parser.add_argument("--threads", type=int, default=2, help="threads")
    parser.add_argument("--no-scores", action="store_true", help="time and memory alone")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.data = 1, options.data[:1]
    report = Report("propagation", "Propagation beside pycleora", options, peers=["pycleora"])
    table = report.table(
        "Time, memory and F1", "data", "vectors", "seconds", "peak / vectors", "F1 at 10 %", "at 50 %", "at 90 %"
    )
    names, reasons = available(options.data)
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            measure(name, options, report, table, folder)
    for reason in reasons:
        report.note(f"Skipped: {reason}.")
    report.note(
        "micro / macro. One-vs-rest logistic regression (liblinear, C=1), labelled nodes only, as many labels predicted as a "
        "node has; the same seeded splits for every row, vectors of the first run."
    )
    report.note(
        f"dim 128, {options.threads} threads. Seconds: `fit` (kernels compiled before) and `embed` alone, the graph built "
        "before. Peak: of the process while it runs, over the bytes of the vectors."
    )
    report.note(f"{PEERS['pycleora'].variable} names the Python of pycleora.")
    report.finish()


if __name__ == "__main__":
    main()
