"""Skip-gram with negative sampling: pairs per second and quality after the same number of pairs, against gensim."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import (
    PEERS,
    SkippedError,
    arguments,
    classify,
    count_pairs,
    data_file,
    load,
    random_walks,
    run_peer,
    run_worker,
)
from report import Report, spread

DIM, STEP, LENGTH = 128, 5, 63
TARGET_RATIO, STRETCH_RATIO, TARGET_F1_LOSS = {1: 8.0, 2: 14.0}, {1: 15.0, 2: 25.0}, 0.3


def flops_per_pair(negatives_per_pair: float, dim: int) -> float:
    """Count a dot product and two row updates, 6 flops a dimension, for a positive pair and each of its negatives."""
    return 6.0 * dim * (1.0 + negatives_per_pair)


def shared_negatives_per_pair(plan: dict[str, Any]) -> float | None:
    """Rows of negatives that a walk tile scores for each of its positive pairs: K rows against T nodes."""
    tile, shared = plan.get("random_walk_length", LENGTH) + 1, plan.get("num_shared_negative")
    return None if shared is None else shared * tile / count_pairs(1, tile, plan.get("augmentation_step", STEP))


def contenders(options: argparse.Namespace, num_edges: int, num_pair: int) -> list[dict[str, Any]]:
    """Everyone who runs, in the order in which a round runs them."""
    num_epoch = max(1, round(num_pair / num_edges))
    ours = {
        "model": "DeepWalk",
        "options": {"dim": DIM, "num_epoch": num_epoch, "augmentation_step": STEP, "random_walk_length": LENGTH},
    }
    theirs = {"dim": DIM, "window": STEP, "num_negative": 5, "passes": options.passes}
    rows: list[dict[str, Any]] = []
    for threads in options.threads:
        rows.append({"name": "nodeloom", "threads": threads, "request": ours})
        for source in ("list", "file"):
            name = f"gensim, {'lists of strings' if source == 'list' else 'corpus_file'}"
            rows.append({"name": name, "threads": threads, "request": theirs | {"source": source}})
    return [row | {"runs": [], "scores": []} for row in rows]


def run(row: dict[str, Any], shared: dict[str, Any], seed: int) -> dict[str, Any]:
    """One run of one contender."""
    request = shared | row["request"] | {"seed": seed}
    if row["name"] == "nodeloom":
        return run_worker("nodeloom_fit.py", request, num_thread=row["threads"])
    return run_peer("gensim", "gensim_skipgram.py", request, num_thread=row["threads"])


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--num-walks", type=int, default=10, help="walks from every node in gensim's corpus")
    parser.add_argument("--passes", type=int, default=1, help="passes of gensim over its corpus (its epochs)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads")
    parser.add_argument("--times", type=int, default=3, help="splits for each F1")
    options = parser.parse_args()
    if options.quick:
        options.num_walks, options.passes, options.repeats, options.times = 1, 1, 1, 1
    report = Report("skipgram", "Skip-gram training on BlogCatalog walks", options, peers=["gensim"])
    data = load("blogcatalog")
    num_nodes, edges = int(data["num_nodes"]), data["edges"]
    walks = random_walks(num_nodes, edges, options.num_walks, LENGTH, seed=0)
    num_pair = count_pairs(*walks.shape, STEP) * options.passes
    rows = contenders(options, len(edges), num_pair)
    peak = run_worker("sgemm.py", {"size": 256 if options.quick else 2048, "repeats": 5}, num_thread=1)
    with tempfile.TemporaryDirectory() as folder:
        files = {"walks": str(Path(folder, "walks.npy")), "vectors": str(Path(folder, "vectors.npy"))}
        np.save(files["walks"], walks)
        shared = files | {"graph": str(data_file("blogcatalog")), "num_nodes": num_nodes}
        for repeat in range(options.repeats):
            for row in rows:
                if "skipped" in row:
                    continue
                try:
                    result = run(row, shared, seed=repeat)
                except SkippedError as reason:
                    row["skipped"] = str(reason)
                    report.say(f"{row['name']}, {row['threads']} threads: {reason}")
                    continue
                score = classify(np.load(files["vectors"]), data, (0.5,), options.times)[0.5]
                row["runs"].append(result)
                row["scores"].append(score)
                report.say(
                    f"{row['name']}, {row['threads']} threads: {result['rate'] / 1e6:.2f} M pairs/s, "
                    f"F1 {score[0]:.2f}/{score[1]:.2f}"
                )
    write(report, options, rows, peak["flops_per_second"], num_pair)


def write(report: Report, options: argparse.Namespace, rows: list[dict[str, Any]], peak: float, num_pair: int) -> None:
    """Tables, targets and notes."""
    table = report.table(
        f"Pairs per second, dim {DIM}, step {STEP}, {num_pair / 1e6:.1f} M pairs",
        "trainer", "threads", "M pairs/s", "seconds", "M pairs per CPU second", "micro-F1", "macro-F1",
        "kflop/pair", "share of peak",
    )  # fmt: skip
    for row in rows:
        if not row["runs"]:
            table.add(row["name"], row["threads"], row["skipped"])
            continue
        rates = [result["rate"] for result in row["runs"]]
        plan = row["runs"][0].get("plan")
        negatives = 5.0 if plan is None else shared_negatives_per_pair(plan)
        flops = None if negatives is None else flops_per_pair(negatives, DIM)
        share = None if flops is None else flops * statistics.median(rates) / (peak * row["threads"])
        row |= {"rate": statistics.median(rates), "micro": statistics.mean(score[0] for score in row["scores"])}
        table.add(
            row["name"], row["threads"], spread([rate / 1e6 for rate in rates]),
            spread([result["seconds"] for result in row["runs"]], "{:.1f}"),
            spread([result["pairs"] / result["cpu_seconds"] / 1e6 for result in row["runs"]]),
            f"{row['micro']:.2f}", f"{statistics.mean(score[1] for score in row['scores']):.2f}",
            "?" if flops is None else f"{flops / 1e3:.2f}", "?" if share is None else f"{100 * share:.0f} %",
        )  # fmt: skip
    done = {(row["name"], row["threads"]): row for row in rows if row["runs"]}
    for threads in options.threads:
        ours = done.get(("nodeloom", threads))
        for source in ("lists of strings", "corpus_file"):
            theirs = done.get((f"gensim, {source}", threads))
            if not ours or not theirs:
                continue
            ratio, target = ours["rate"] / theirs["rate"], TARGET_RATIO.get(threads)
            what = f"pairs/s against gensim ({source}), {threads} thread{'s' if threads > 1 else ''}"
            if target is not None:
                wanted = f"at least {target:g}x, stretch {STRETCH_RATIO[threads]:g}x"
                report.check(what, wanted, f"{ratio:.1f}x", ratio >= target)
            loss = theirs["micro"] - ours["micro"]
            report.check(
                f"micro-F1 below gensim ({source}), {threads} threads", f"at most {TARGET_F1_LOSS}", f"{loss:.2f}",
                loss <= TARGET_F1_LOSS,
            )  # fmt: skip
    report.note(
        f"A pair is an ordered pair of nodes at most {STEP} apart in a walk of {LENGTH} edges, with its negatives: 5 "
        "in gensim, in nodeloom the weight of 5 spread over the negatives that a walk shares. gensim's window is fixed "
        "(`shrink_windows=False`), so its pairs are counted exactly."
    )
    report.note(
        "gensim is timed in `train` alone: its walks and vocabulary are ready. nodeloom's time holds everything that "
        "`fit` does, walks included; compilation is excluded (see first_result). Pairs per CPU second tell more than pairs "
        "per second where the machine has other work."
    )
    report.note(
        f"Peak: the best float32 matrix product of one thread, here {peak / 1e9:.0f} Gflop/s. Flops of a pair: 6 a "
        "dimension for it and for each row of negatives scored."
    )
    report.note(f"F1: 50 % train, {options.times} splits, C=1, raw vectors, top-k labels; mean over runs.")
    report.note(
        "gensim's corpus_file mode counts progress for each thread: in a single pass the learning rate of W threads falls "
        "only 1/W of the way, which gives its 2 threads other vectors than its 1 (its lists do not have this)."
    )
    report.note(f"{PEERS['gensim'].variable} names the Python that has gensim. Runs alternate; medians (range).")
    report.raw = {"rows": rows, "peak_flops": peak}
    report.finish()


if __name__ == "__main__":
    main()
