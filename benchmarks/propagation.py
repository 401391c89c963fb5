"""Propagation and ProNE beside pycleora and DeepWalk: time, memory, F1, scores of edges, and what a warm start saves."""

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
LINKS = ("blogcatalog", "snap_slashdot0902")
WARM = ("blogcatalog", "youtube77k", "snap_slashdot0902")
PARTS = ("f1", "links", "warm")
OURS = {"Propagation": "Propagation", "ProNE": "ProNE"}
ITERATIONS = {"blogcatalog": (40, 100), "youtube77k": (40, 100), "debian_large": (40,)}
LENGTH = 2.0
SPEED = 1.5
MOST_SECONDS = {"debian_large": 60.0}
MOST_MEMORY = {"debian_large": 3.0}


# Scores of edges.
HIDDEN = 0.01
NO_RESIDUAL: dict[str, Any] = {"residual": 0.0}
SHORT = {"num_epoch": 500}  # a quarter of the default
TO_CLASSIFY = {"options": {}}
TO_SCORE = {"options": NO_RESIDUAL, "length": 3.0}
LINK_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "Propagation": ("nodeloom_spectral.py", {"model": "Propagation", "options": {}}),
    "Propagation, residual 0": ("nodeloom_spectral.py", {"model": "Propagation", "options": NO_RESIDUAL}),
    "Propagation, residual 0, through enhance": (
        "nodeloom_spectral.py", {"model": "Propagation", "options": NO_RESIDUAL, "enhance": True},
    ),
    "ProNE": ("nodeloom_spectral.py", {"model": "ProNE", "options": {}}),
    "DeepWalk": ("nodeloom_warm.py", {"options": {}}),
    "DeepWalk, 500 epochs": ("nodeloom_warm.py", {"options": SHORT}),
    "DeepWalk, 500 epochs from Propagation, lr 0.01": (
        "nodeloom_warm.py", {"options": SHORT | {"lr": 0.01}, "start": TO_CLASSIFY},
    ),
    "DeepWalk, 500 epochs from Propagation, residual 0, rows of length 3, lr 0.04": (
        "nodeloom_warm.py", {"options": SHORT | {"lr": 0.04}, "start": TO_SCORE},
    ),
    "the same, Propagation through enhance": (
        "nodeloom_warm.py", {"options": SHORT | {"lr": 0.04}, "start": TO_SCORE | {"enhance": True}},
    ),
}  # fmt: skip
DEFAULT, WARM_F1, WARM_LINKS = list(LINK_MODELS)[4], list(LINK_MODELS)[6], list(LINK_MODELS)[7]


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


def small(request: dict[str, Any], options: argparse.Namespace) -> dict[str, Any]:
    """Return the request, with few epochs if the benchmark is only tried out."""
    if options.quick and "model" not in request:
        return request | {"options": request["options"] | {"num_epoch": 20}}
    return request


def hidden_edges(
    name: str, models: list[str], seed: int, options: argparse.Namespace, report: Report, folder: str
) -> dict[str, tuple[float, float, float]]:
    """Hide edges, compute vectors without them, and return AUC, AP and seconds of each model."""
    import nodeloom
    from nodeloom.tasks import link_prediction, score_pairs, split_edges

    data = load(name)
    num_nodes = int(data["num_nodes"])
    split = split_edges(nodeloom.Graph.from_edges(data["edges"], num_nodes=num_nodes), fraction=HIDDEN, seed=seed)
    kept = split.train_graph.to_scipy().tocoo()
    once = kept.row < kept.col
    files = {what: str(Path(folder, f"{what}.npy")) for what in ("vectors", "contexts")}
    graph = str(Path(folder, "graph.npz"))
    np.savez(graph, num_nodes=num_nodes, edges=np.stack([kept.row[once], kept.col[once]], axis=1).astype(np.int32))
    degrees = split.train_graph.degrees.astype(np.float64)
    control = link_prediction(degrees[split.heads] * degrees[split.tails], split.labels)
    found = {"control: product of degrees": (control.auc, control.ap, 0.0)}
    for label in models:
        worker, request = LINK_MODELS[label]
        result = run_worker(
            worker, small(request, options) | files | {"graph": graph, "seed": seed}, num_thread=options.threads
        )
        vectors, contexts = np.load(files["vectors"]), np.load(files["contexts"])
        score = link_prediction(score_pairs(vectors, contexts, split.heads, split.tails), split.labels)
        found[label] = (score.auc, score.ap, result["seconds"])
        report.say(f"{name}, {label}: {result['seconds']:.2f} s, AUC {score.auc:.4f}, AP {score.ap:.4f}")
    return found


def links(options: argparse.Namespace, report: Report, folder: str) -> dict[str, dict[str, float]]:
    """Score hidden edges by every model; return the AUC."""
    names, reasons = available(name for name in LINKS if name in options.data)
    report.notes += [f"Skipped: {reason}." for reason in reasons]
    table = report.table("AUC of hidden edges", "data", "scored by", "AUC", "AP", "seconds")
    means: dict[str, dict[str, float]] = {}
    for name in names:
        runs = [hidden_edges(name, list(LINK_MODELS), seed, options, report, folder) for seed in range(options.repeats)]
        for label in runs[0]:
            auc, ap, seconds = (list(values) for values in zip(*(run[label] for run in runs), strict=True))
            table.add(name, label, spread(auc, "{:.4f}"), spread(ap, "{:.4f}"), spread(seconds) if any(seconds) else "")
            means.setdefault(name, {})[label] = statistics.mean(auc)
        report.raw[f"links, {name}"] = runs
    report.note(
        f"Scores of edges: {100 * HIDDEN:g} % of the edges are hidden from all, as many random pairs that are no edges "
        "stand against them; the score is the vector of the head times the context vector of the tail. Seconds: of the "
        "start and the training together."
    )
    return means


def warm(options: argparse.Namespace, report: Report, folder: str, scored_links: dict[str, dict[str, float]]) -> None:
    """Hold DeepWalk from propagation, with a quarter of the epochs, against its default run."""
    names, reasons = available(name for name in WARM if name in options.data)
    report.notes += [f"Skipped: {reason}." for reason in reasons]
    table = report.table("A warm start", "data", "vectors", "seconds", "F1 at 10 %", "at 50 %", "AUC")
    reached = []
    for name in names:
        if name not in DATA:
            auc = scored_links.get(name) or {
                label: values[0]
                for label, values in hidden_edges(name, list(LINK_MODELS)[4:], 0, options, report, folder).items()
            }
            for label in list(LINK_MODELS)[4:]:
                table.add(name, label, "", "", "", f"{auc[label]:.4f}")
            best = max(auc[label] for label in list(LINK_MODELS)[7:])
            reached.append(best >= auc[DEFAULT])
            report.check(f"{name}, AUC from a warm start", f"default's {auc[DEFAULT]:.4f}", f"{best:.4f}", reached[-1])
            continue
        path = str(Path(folder, "vectors.npy"))
        scores = {}
        for label in list(LINK_MODELS)[4:8]:
            request = small(LINK_MODELS[label][1], options) | {
                "graph": str(data_file(name)),
                "vectors": path,
                "seed": 0,
            }
            result = run_worker("nodeloom_warm.py", request, num_thread=options.threads)
            found = classify(np.load(path), load(name), (0.1, 0.5), 1 if options.quick else 2)
            scores[label] = found
            table.add(
                name, label, f"{result['seconds']:.1f}", *(f"{found[p][0]:.2f} / {found[p][1]:.2f}" for p in found)
            )
            report.say(f"{name}, {label}: {result['seconds']:.2f} s, {found}")
        report.raw[f"warm, {name}"] = scores
        for portion in (0.1, 0.5):
            want, got = scores[DEFAULT][portion], scores[WARM_F1][portion]
            met = got[0] >= want[0] and got[1] >= want[1]
            report.check(f"{name}, F1 at {100 * portion:g} % from a warm start", f"default's {want[0]:.2f} / {want[1]:.2f}",
                         f"{got[0]:.2f} / {got[1]:.2f}", met)  # fmt: skip
            reached.append(met) if portion == 0.5 else None
    report.check("graphs where a quarter of the epochs is enough (F1 at 50 %, AUC)", f"2 of {len(WARM)}", str(sum(reached)),
                 sum(reached) >= 2)  # fmt: skip
    report.note(
        "A warm start: 500 of DeepWalk's 2000 epochs from the vectors of Propagation, one seed; vectors of all edges for F1, of "
        "the graph without the hidden edges for AUC. Seconds include those of the start."
    )


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    every = list(dict.fromkeys([*DATA, *WARM]))
    parser.add_argument("--data", nargs="+", default=every, choices=every, help="data sets")
    parser.add_argument("--only", nargs="+", default=list(PARTS), choices=PARTS, help="parts")
    parser.add_argument("--threads", type=int, default=2, help="threads")
    parser.add_argument("--no-scores", action="store_true", help="time and memory alone, of the part f1")
    options = parser.parse_args()
    if options.quick:
        options.repeats, options.data = 1, options.data[:1]
    report = Report("propagation", "Propagation beside pycleora and DeepWalk", options, peers=["pycleora"])
    with tempfile.TemporaryDirectory() as folder:
        scored_links = links(options, report, folder) if "links" in options.only else {}
        if "warm" in options.only:
            warm(options, report, folder, scored_links)
        if "f1" in options.only:  # last: its largest graph takes longest
            beside_pycleora(options, report, folder)
    report.finish()


def beside_pycleora(options: argparse.Namespace, report: Report, folder: str) -> None:
    """Measure time, memory and F1 of propagation, ProNE and pycleora."""
    table = report.table(
        "Time, memory and F1", "data", "vectors", "seconds", "peak / vectors", "F1 at 10 %", "at 50 %", "at 90 %"
    )
    names, reasons = available(name for name in DATA if name in options.data)
    for name in names:
        measure(name, options, report, table, folder)
        report.write()
    report.notes += [f"Skipped: {reason}." for reason in reasons]
    report.note(
        "F1: micro / macro. One-vs-rest logistic regression (liblinear, C=1), labelled nodes only, as many labels predicted as a "
        "node has; the same seeded splits for every row, vectors of the first run."
    )
    report.note(
        f"dim 128, {options.threads} threads. Seconds: `fit` (kernels compiled before) and `embed` alone, the graph built "
        "before. Peak: of the process while it runs, over the bytes of the vectors."
    )
    report.note(f"{PEERS['pycleora'].variable} names the Python of pycleora.")


if __name__ == "__main__":
    main()
