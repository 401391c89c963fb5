"""Random walks: steps per second and memory, against GRAPE (ensmallen), PecanPy and fastnode2vec."""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from common import PEERS, SkippedError, adjacency, arguments, available, data_file, load, run_peer, run_worker
from report import Report, spread

P, Q = 0.25, 4.0
NUM_WALKS = {"blogcatalog": 20, "debian_large": 1}  # first-order walks from every node
SHRINK = 10  # second-order walks are ten times dearer or more
KINDS = ("first order", "weighted", "node2vec")
CONTENDERS = {
    "nodeloom": ("", "nodeloom_walks.py", {}, KINDS),
    "GRAPE": ("ensmallen", "ensmallen_walks.py", {}, ("first order",)),
    "GRAPE (default, 100 neighbours)": ("ensmallen", "ensmallen_walks.py", {}, ("weighted", "node2vec")),
    "GRAPE (exact, all neighbours)": ("ensmallen", "ensmallen_walks.py", {"exact": True}, ("weighted", "node2vec")),
    "PecanPy": ("pecanpy", "pecanpy_walks.py", {}, KINDS),
    "fastnode2vec": ("fastnode2vec", "fastnode2vec_walks.py", {}, KINDS),
}
SLOW = {"GRAPE (exact, all neighbours)", "PecanPy"}  # measured on a hundredth of the second-order walks


def request(kind: str, name: str, data: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Arguments of one contender's worker for one kind of walk."""
    second = kind == "node2vec"
    num_walks = NUM_WALKS[data["name"]]
    asked = {
        "graph": str(data_file(data["name"])), "weights": data["weights"] if kind == "weighted" else None,
        "p": P if second else 1.0, "q": Q if second else 1.0, "length": options.length, "num_walks": num_walks,
        "fraction": 1.0,
    }  # fmt: skip
    if name == "fastnode2vec" or (kind != "first order" and name != "nodeloom"):
        asked["fraction"] = 1 / SHRINK
    if second and name in SLOW:
        asked["fraction"] = 1 / SHRINK**2
    if options.quick:
        asked["num_walks"], asked["fraction"] = 1, asked["fraction"] / 10
    if CONTENDERS[name][2].get("exact"):
        asked["max_neighbours"] = data["max_degree"]
    return asked


def by_definition(num_nodes: int, edges: np.ndarray, length: int, starts: str, num_walks: int = 400) -> float:
    """Share of steps back in node2vec walks drawn straight from their definition: what the second order must give."""
    indptr, indices = adjacency(num_nodes, edges)
    rng = np.random.default_rng(0)
    back = total = 0
    for start in rng.choice(np.flatnonzero(np.diff(indptr)) if starts == "nodes" else edges.ravel(), num_walks):
        previous, node = None, start
        for step in range(length):
            near = indices[indptr[node] : indptr[node + 1]]
            bias = np.ones(len(near))
            if previous is not None:
                around = indices[indptr[previous] : indptr[previous + 1]]
                bias = np.where(near == previous, 1 / P, np.where(np.isin(near, around), 1.0, 1 / Q))
            following = near[np.searchsorted(np.cumsum(bias), rng.random() * bias.sum(), side="right")]
            if step > length // 2:
                back, total = back + (following == previous), total + 1
            previous, node = node, following
    return back / total


def run(name: str, asked: dict[str, Any], num_thread: int) -> dict[str, Any]:
    """One run of one contender."""
    peer, worker, _, _ = CONTENDERS[name]
    if not peer:
        return run_worker(worker, asked, num_thread=num_thread)
    return run_peer(peer, worker, asked, num_thread=num_thread)


def measure(name: str, options: argparse.Namespace, report: Report, folder: str) -> None:
    """All kinds of walks on one graph."""
    content = load(name)
    edges, num_nodes = content["edges"], int(content["num_nodes"])
    degrees = np.bincount(edges.ravel(), minlength=num_nodes)
    weights = Path(folder, f"{name}.npy")
    # No data set here has weights, so they are drawn: lognormal, which spans three orders of magnitude.
    np.save(weights, np.random.default_rng(0).lognormal(size=len(edges)).astype(np.float32))
    data = {"name": name, "weights": str(weights), "max_degree": int(degrees.max())}
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for repeat in range(options.repeats):
        for kind in options.kinds:
            for contender, (_, _, _, kinds) in CONTENDERS.items():
                row = rows.setdefault((kind, contender), {"runs": []})
                if kind not in kinds or "skipped" in row:
                    continue
                try:
                    asked = request(kind, contender, data, options) | {"seed": repeat}
                    row["runs"].append(run(contender, asked, options.threads))
                except SkippedError as reason:
                    row["skipped"] = str(reason)
                    report.say(f"{name}, {kind}, {contender}: {reason}")
                else:
                    rate = row["runs"][-1]["rate"]
                    report.say(f"{name}, {kind}, {contender}: {rate / 1e6:.2f} M steps/s")
    title = f"{name}: {num_nodes:,} nodes, {len(edges):,} edges, largest degree {data['max_degree']:,}"
    if "node2vec" in options.kinds:
        for starts in ("nodes", "edges"):
            back = by_definition(num_nodes, edges, options.length, starts)
            rows["node2vec", f"by definition, from {starts} (control)"] = {"runs": [], "skipped": "", "back": back}
    write(report, title, rows, options, graph_bytes=4 * 2 * len(edges) + 8 * (num_nodes + 1))
    report.raw[name] = {f"{kind} / {contender}": row for (kind, contender), row in rows.items()}


def write(
    report: Report,
    title: str,
    rows: dict[tuple[str, str], dict[str, Any]],
    options: argparse.Namespace,
    graph_bytes: int,
) -> None:
    """Tables and targets of one graph."""
    table = report.table(
        title, "walks", "library", "M steps/s", f"M steps/s per thread ({options.threads})", "goes straight back",
        "more while walking, MB", "after loading, MB", "peak of loading, MB", "load, s",
    )  # fmt: skip
    rate: dict[tuple[str, str], float] = {}
    for (kind, contender), row in rows.items():
        if not row["runs"]:
            if "skipped" in row:
                table.add(kind, contender, row["skipped"], "", f"{100 * row['back']:.1f} %" if "back" in row else "")
            continue
        runs = row["runs"]
        rate[kind, contender] = statistics.median(result["rate"] for result in runs)
        # What the walks need beside the graph and the output: second-order tables would show here.
        extra = max(result["peak_bytes"] - result["resident_bytes"] - result["walk_bytes"] for result in runs)
        back = [result["return_rate"] for result in runs if "return_rate" in result]
        table.add(
            kind, contender, spread([result["rate"] / 1e6 for result in runs]),
            f"{rate[kind, contender] / 1e6 / options.threads:.2f}",
            f"{100 * statistics.mean(back):.1f} %" if back else "",
            f"{max(extra, 0) / 1e6:.0f}", f"{runs[0]['resident_bytes'] / 1e6:.0f}",
            f"{runs[0]['load_peak_bytes'] / 1e6:.0f}",
            spread([result["load_seconds"] for result in runs], "{:.1f}"),
        )  # fmt: skip
    name = title.split(":")[0]
    goals = (
        ("first order", "first order", "GRAPE", 1.0),
        ("weighted", "weighted", "GRAPE (default, 100 neighbours)", 1.0),
        ("weighted", "first order", "GRAPE", 0.5),
        ("node2vec", "node2vec", "GRAPE (default, 100 neighbours)", 5.0),
        ("node2vec", "node2vec", "GRAPE (exact, all neighbours)", 5.0),
    )
    for kind, against, peer, target in goals:
        ours, theirs = rate.get((kind, "nodeloom")), rate.get((against, peer))
        if ours and theirs:
            what = f"{name}: {kind} against {peer}" + ("" if kind == against else f", {against}")
            report.check(what, f"at least {target:g}x", f"{ours / theirs:.2f}x", ours >= target * theirs)
    ours = rows.get(("node2vec", "nodeloom"), {}).get("runs")
    if ours:
        extra = max(
            max(result["peak_bytes"] - result["resident_bytes"] - result["walk_bytes"], 0) + result["table_bytes"]
            for result in ours
        )
        report.check(
            f"{name}: node2vec memory beside graph and walks, tables included",
            f"at most the graph, {graph_bytes / 1e6:.1f} MB", f"{extra / 1e6:.1f} MB", extra <= graph_bytes,
        )  # fmt: skip


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.add_argument("--graphs", nargs="+", default=list(NUM_WALKS), choices=list(NUM_WALKS), help="data sets")
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=KINDS, help="kinds of walks")
    parser.add_argument("--length", type=int, default=40, help="edges of a walk")
    parser.add_argument("--threads", type=int, default=2, help="threads of every library")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.graphs = 1, options.graphs[:1]
    report = Report("walks", "Random walks", options, peers=["ensmallen", "pecanpy", "fastnode2vec"])
    graphs, reasons = available(options.graphs)
    with tempfile.TemporaryDirectory() as folder:
        for name in graphs:
            measure(name, options, report, folder)
    for reason in reasons:
        report.note(f"Skipped: {reason}.")
    report.note(
        f"node2vec: p = {P:g}, q = {Q:g}. Weights: lognormal, drawn by seed. nodeloom starts walks at the ends "
        "of edges, the others at every node equally often; "
        "slow libraries walk from a random part of the nodes. Kernels are compiled before the clock starts. Medians "
        "(range) of alternating runs."
    )
    report.note(
        "GRAPE looks at no more than `max_neighbours` = 100 random neighbours of a node by default, which makes its "
        "weighted and second-order walks approximate: the share of steps that go straight back to the node before, "
        "which p sets, shows it."
    )
    report.note(
        "GRAPE, PecanPy and nodeloom keep the walks in one array; fastnode2vec drops each walk. PecanPy is timed in "
        "its kernel alone, without its translation of ids to strings."
    )
    report.note(
        "More while walking: peak beyond what was resident before the clock started and the array of walks. Memory "
        "after loading and its peak are of the whole process; GRAPE loads a table of strings from pandas, PecanPy is "
        "given arrays."
    )
    report.note(", ".join(PEERS[name].variable for name in report.peers) + " name the Pythons of the peers.")
    report.finish()


if __name__ == "__main__":
    main()
