"""Link prediction at default settings: AUC and AP of edges hidden before training, beside controls and gensim."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import PEERS, SkippedError, arguments, available, load, random_walks, run_peer, run_worker
from report import Report, Table

TARGET = {"blogcatalog": 0.90}
FRACTION = 0.01
WALKS = {"num_walks": 10, "length": 39, "window": 5, "passes": 1}


def tables(
    contender: str, graph: dict[str, Any], options: argparse.Namespace, seed: int, folder: str
) -> dict[str, Any]:
    """Train on the graph without the hidden edges; leaves ``vectors.npy`` and ``contexts.npy`` in `folder`."""
    files = {name: str(Path(folder, f"{name}.npy")) for name in ("vectors", "contexts")}
    if contender == "nodeloom":
        asked: dict[str, Any] = {"num_epoch": 20} if options.quick else {}
        request = {"model": "DeepWalk", "options": asked, "graph": graph["file"], "seed": seed} | files
        return run_worker("nodeloom_fit.py", request, num_thread=options.threads)
    if contender == "gensim":
        walks = str(Path(folder, "walks.npy"))
        num_walks = 1 if options.quick else WALKS["num_walks"]
        np.save(walks, random_walks(graph["num_nodes"], graph["edges"], num_walks, WALKS["length"], seed))
        request = {
            "walks": walks, "num_nodes": graph["num_nodes"], "dim": 128, "num_negative": 5, "window": WALKS["window"],
            "passes": WALKS["passes"], "source": "list", "seed": seed,
        } | files  # fmt: skip
        return run_peer("gensim", "gensim_skipgram.py", request, num_thread=options.threads)
    rng = np.random.default_rng(seed)
    for path in files.values():
        np.save(path, rng.standard_normal((graph["num_nodes"], 128), np.float32))
    return {}


def measure(name: str, options: argparse.Namespace, report: Report, table: Table, folder: str) -> None:
    """Hide edges, train and score on one data set, once for every seed."""
    import nodeloom
    from nodeloom.tasks import link_prediction, score_pairs, split_edges

    data = load(name)
    num_nodes = int(data["num_nodes"])
    whole = nodeloom.Graph.from_edges(data["edges"], num_nodes=num_nodes)
    found: dict[str, list[tuple[float, float]]] = {}
    runs: dict[str, list[dict[str, Any]]] = {}
    for seed in range(options.repeats):
        split = split_edges(whole, fraction=FRACTION, seed=seed)
        kept = split.train_graph.to_scipy().tocoo()
        once = kept.row < kept.col
        edges = np.stack([kept.row[once], kept.col[once]], axis=1).astype(np.int32)
        graph = {"num_nodes": num_nodes, "edges": edges, "file": str(Path(folder, "graph.npz"))}
        np.savez(graph["file"], num_nodes=num_nodes, edges=edges)
        degrees = np.bincount(edges.ravel(), minlength=num_nodes).astype(np.float64)
        control = link_prediction(degrees[split.heads] * degrees[split.tails], split.labels)
        found.setdefault("control: product of degrees", []).append((control.auc, control.ap))
        for contender in ("nodeloom", "random", "gensim"):
            try:
                result = tables(contender, graph, options, seed, folder)
            except SkippedError as reason:
                if seed == 0:
                    table.add(name, contender, str(reason))
                report.say(f"{name}, {contender}: {reason}")
                continue
            vectors, contexts = (np.load(Path(folder, f"{part}.npy")) for part in ("vectors", "contexts"))
            label = {
                "nodeloom": "nodeloom DeepWalk", "random": "control: random vectors",
                "gensim": f"gensim DeepWalk, {WALKS['num_walks']} walks x 40, window {WALKS['window']}, 1 epoch",
            }[contender]  # fmt: skip
            score = link_prediction(score_pairs(vectors, contexts, split.heads, split.tails), split.labels)
            found.setdefault(label, []).append((score.auc, score.ap))
            runs.setdefault(label, []).append(result)
            report.say(f"{name}, {label}: AUC {score.auc:.4f}, AP {score.ap:.4f}")
    for label, scores in found.items():
        auc, ap = (statistics.mean(values) for values in zip(*scores, strict=True))
        deviation = statistics.stdev([one for one, _ in scores]) if len(scores) > 1 else 0.0
        seconds = [result["seconds"] for result in runs.get(label, ()) if "seconds" in result]
        table.add(name, label, f"{auc:.4f} ± {deviation:.4f}", f"{ap:.4f}",
                  f"{statistics.median(seconds):.1f}" if seconds else "")  # fmt: skip
        if label == "nodeloom DeepWalk" and name in TARGET:
            report.check(f"{name}, AUC", f"at least {TARGET[name]:.2f}", f"{auc:.4f}", auc >= TARGET[name])
    report.raw[name] = {"scores": found, "runs": runs}


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    names = ["blogcatalog", "snap_slashdot0902"]
    parser.add_argument("--data", nargs="+", default=names, choices=names, help="data sets")
    parser.add_argument("--threads", type=int, default=2, help="threads of training")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.data = 1, options.data[:1]
    report = Report("link_prediction", "Link prediction at default settings", options, peers=["gensim"])
    table = report.table("AUC of hidden edges", "data", "scored by", "AUC", "AP", "training, s")
    here, reasons = available(options.data)
    with tempfile.TemporaryDirectory() as folder:
        for name in here:
            measure(name, options, report, table, folder)
    for reason in reasons:
        report.note(f"Skipped: {reason}.")
    report.note(
        f"GraphVite's protocol: {100 * FRACTION:g} % of the edges are hidden before training, as many random pairs "
        "that are no edges stand against them, the score is vertex vector of the head times context vector of the "
        "tail. "
        "Every run hides other edges; ± is the deviation over the runs. GraphVite's quick start reports 0.8999 on "
        "BlogCatalog."
    )
    report.note(
        "Non-edges are drawn uniformly, so degrees alone tell much: the product of degrees is the control to look at "
        "beside random vectors."
    )
    report.note(f"{PEERS['gensim'].variable} names the Python that has gensim.")
    report.finish()


if __name__ == "__main__":
    main()
