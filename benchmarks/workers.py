"""Several workers beside one: rate, what they send, and the AUC of hidden edges, each on one thread of this machine.

Every contender is the command line that a user would type. Two processes that train on their own at the same time show how much
the machine has for a second one.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from common import SkippedError, arguments, load
from report import Report, spread

TARGET_RATE, TARGET_AUC = 1.8, 0.005
EPOCHS = 200
HIDDEN = 0.005


def compiled(folder: str, options: argparse.Namespace) -> str:
    """Write the graph and return its file: debian_large, or a small planted partition."""
    from nodeloom import Graph
    from nodeloom.datasets import planted_partition

    if options.quick:
        graph = Graph.from_edges(planted_partition(5000, 40_000, 10, mixing=0.3, seed=1)[0], num_nodes=5000)
    else:
        data = load("debian_large")
        graph = Graph.from_edges(data["edges"], num_nodes=int(data["num_nodes"]))
    file = str(Path(folder, "graph.nlg"))
    graph.save(file)
    return file


def embed(graph: str, output: str, epochs: int, num_worker: int, *, judged: bool = True) -> dict[str, Any]:
    """Run the command line with one thread a worker, and return what it prints as JSON."""
    command = [
        sys.executable, "-m", "nodeloom", "embed", graph, "-o", output, "--json", "--num-epoch", str(epochs), "--num-thread", "1",
        "--num-worker", str(num_worker), "--device", "cpu", "--no-checkpoint",
        *(["--hold-out", str(HIDDEN)] if judged else []),
    ]  # fmt: skip
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )
    if done.returncode:
        raise SkippedError((done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1])
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--num-epoch", type=int, default=EPOCHS, help="epochs")
    parser.add_argument("--workers", type=int, nargs="+", default=[2], help="numbers of workers beside one")
    options = parser.parse_args()
    epochs = 100 if options.quick else options.num_epoch
    report = Report("workers", "Several workers beside one", options)
    table = report.table(
        "debian_large" if not options.quick else "a planted partition",
        "workers", "rate, M pairs/s", "beside one", "AUC", "AP", "sent by each, a round", "a context part", "rounds", "peak memory, MB",
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        try:
            graph = compiled(folder, options)
        except SkippedError as reason:
            report.note(f"Skipped: {reason}.")
            report.finish()
            return
        found: dict[int, list[dict[str, Any]]] = {}
        alone: list[float] = []
        for _ in range(options.repeats):
            for number in (1, *options.workers):
                result = embed(graph, str(Path(folder, "model")), epochs, number)
                found.setdefault(number, []).append(result)
                report.say(f"{number} workers: {result['training']['rate'] / 1e6:.2f} M pairs/s")
            with ThreadPoolExecutor(2) as pool:  # how much faster could two be?
                outputs = [str(Path(folder, f"alone{number}")) for number in (1, 2)]
                pair = list(
                    pool.map(lambda output: embed(graph, output, max(1, epochs // 4), 1, judged=False), outputs)
                )
            alone.append(sum(result["training"]["rate"] for result in pair))
    rates = {number: [result["training"]["rate"] for result in results] for number, results in found.items()}
    one = statistics.median(rates[1])
    scores = {number: [result["evaluation"][0] for result in results] for number, results in found.items()}
    for number, results in found.items():
        training, plan = results[0]["training"], results[0]["plan"]
        sent, part = "", ""
        if number > 1:
            rows = -(-plan["num_nodes"] // plan["mode"]["grid"]["num_context_part"])
            part_bytes = rows * plan["parts"][0]["row"] * 4
            each = training["sent_bytes"] / training["num_sent"]
            sent, part = f"{each:,.0f} B", f"{part_bytes:,} B"
            report.check(f"{number} workers, bytes a round", "one context part", sent, each == part_bytes)
        auc, ap = (statistics.mean(score[name] for score in scores[number]) for name in ("auc", "ap"))
        table.add(
            number, spread([rate / 1e6 for rate in rates[number]]), f"{statistics.median(rates[number]) / one:.2f}",
            f"{auc:.4f}", f"{ap:.4f}", sent, part, training["num_sent"] or "",
            f"{max(result['training']['peak_memory'] for result in results) / 1e6:.0f}",
        )  # fmt: skip
    table.add("two alone at once", spread([rate / 1e6 for rate in alone]), f"{statistics.median(alone) / one:.2f}")
    if 2 in found:
        ratio = statistics.median(rates[2]) / one
        report.check("rate of 2 workers beside 1", f"at least {TARGET_RATE}", f"{ratio:.2f}", ratio >= TARGET_RATE)
    aucs = {number: statistics.mean(score["auc"] for score in scores[number]) for number in scores}
    for number in options.workers:
        difference = aucs[number] - aucs[1]
        report.check(
            f"AUC of {number} workers",
            f"within {TARGET_AUC} of one",
            f"{difference:+.4f}",
            abs(difference) <= TARGET_AUC,
        )
    control = statistics.mean(score["control"]["auc"] for score in scores[1])
    report.note(
        f"One thread for each worker. {epochs} epochs, {HIDDEN:.1%} of the edges hidden, the same for all; random vectors reach an AUC "
        f"of {control:.4f}. One worker trains with whole tables in memory (the resident engine), several in a grid."
    )
    report.raw |= {"runs": found, "alone": alone}
    report.finish()


if __name__ == "__main__":
    main()
