"""Maps of MNIST: time, memory and quality beside umap-learn, openTSNE and PaCMAP; of graphs; large ones; on a GPU, by TorchDR too."""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from common import SkippedError, arguments, run_peer, run_worker
from graph_maps import PEERS as GRAPH_PEERS
from graph_maps import graph_maps
from report import Report, Table

PARTS = ("maps", "threads", "graphs", "large", "gpu")
MAPS = ("umap", "opentsne", "pacmap")
PEERS = (*MAPS, "pynndescent", "torchdr")
WARM_UP = 1500
TARGETS = {"recall@15": 0.34, "trustworthiness@15": 0.972, "accuracy@10": 0.965, "triplets": 0.62}
MOST_SECONDS, MOST_BYTES, MOST_FIRST, MOST_CACHED = 20.0, 1.2e9, 10.0, 2.0
OURS: dict[str, dict[str, Any]] = {"nodeloom TSNE": {}, "nodeloom TSNE, exaggeration 4": {"exaggeration": 4.0}}
LARGE = (300_000, 100)
SEARCHES = {"mnist": {15: 0.25, 150: 0.25}, "1 M x 128": {15: 5.0}}  # seconds at most, by neighbors
ON_GPU: dict[str, tuple[str, dict[str, Any], float | None]] = {
    "TSNE": ("TSNE", {}, 0.5),
    "TSNE, exaggeration 4": ("TSNE", {"exaggeration": 4.0}, 0.5),
    "LargeVis": ("LargeVis", {}, 0.25),
    "TSNE, 3 dimensions": ("TSNE", {"dim": 3}, None),
}
TORCHDR = ("LargeVis", "UMAP")
WIDE, WIDE_SECONDS = (1_000_000, 128), 8.0
POINTS, LAYOUT_SECONDS = 1_300_000, 3.0


def vectors_of(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, float32 [N, D], and labels of ``mnist`` or ``digits`` in the folder vis of NODELOOM_DATA."""
    root = os.environ.get("NODELOOM_DATA")
    file = {"mnist": "mnist70k.npz", "digits": "digits.npz"}[name]
    path = Path(root or ".", "vis", name, file)
    if root is None or not path.is_file():
        raise SkippedError(f"{name}: no vis/{name}/{file} in the folder that NODELOOM_DATA names")
    with np.load(path) as archive:
        images = archive["images"] if "images" in archive else archive[archive.files[0]]
        labels = archive["labels"] if "labels" in archive else archive[archive.files[1]]
    rows = images.reshape(len(images), -1).astype(np.float32)
    return rows / np.float32(rows.max()), labels.astype(np.int64)


def clustered(count: int, dim: int) -> np.ndarray:
    """Vectors in a thousand clusters with a falling spectrum, as embeddings have it, float32."""
    rng = np.random.default_rng(0)
    centers = rng.standard_normal((1000, dim), np.float32)
    spread = np.exp(-np.arange(dim, dtype=np.float32) / 40)
    rows = np.empty((count, dim), np.float32)
    for first in range(0, count, 100_000):
        some = rng.integers(0, 1000, min(100_000, count - first))
        rows[first : first + len(some)] = centers[some] + rng.standard_normal((len(some), dim), np.float32) * spread
    return rows


def ours(folder: str, rows: str, options: dict[str, Any], num_thread: int, **more: Any) -> Any:
    """Run nodeloom in a process of its own."""
    environment = more.pop("environment", None)
    request = {
        "vectors": rows,
        "map": f"{folder}/map.npy",
        "k": 15,
        "options": options,
        "warm_up": WARM_UP,
        "device": "cpu",
    }
    return run_worker("nodeloom_map.py", request | more, num_thread=num_thread, environment=environment)


def judged(places: np.ndarray, rows: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Measures of a map."""
    from nodeloom.tasks import map_quality

    return map_quality(places, rows, labels=labels).scores


def row(table: Table, name: str, result: dict[str, Any], scores: dict[str, float] | None) -> None:
    """Add a contender."""
    stages = result["stages"]
    parts = [f"{stages[s][0]:.1f}" if s in stages else "" for s in ("neighbors", "affinities", "whole")]
    wall = f"{stages['whole'][1]:.1f}" if "whole" in stages else ""
    quality = [f"{scores[m]:.3f}" for m in (*TARGETS, "recall@50")] if scores else []
    table.add(name, *parts, wall, f"{result['compile_seconds']:.1f}", f"{result['peak_bytes'] / 1e6:.0f}", *quality)


def compare_maps(
    report: Report, folder: str, rows: np.ndarray, labels: np.ndarray, options: argparse.Namespace
) -> None:
    """Draw the map by everyone, and judge it."""
    measures = [*TARGETS, "recall@50"]
    columns = ("neighbors", "affinities", "vectors to map, CPU s", "wall s", "first 1,500 rows, CPU s", "peak MB")
    table = report.table(f"{len(rows):,} x {rows.shape[1]}, {options.num_thread} threads", "", *columns, *measures)
    path = f"{folder}/rows.npy"
    np.save(path, rows)
    few = f"{folder}/few.npy"
    np.save(few, rows[:WARM_UP])
    for name, settings in OURS.items():
        report.say(name)
        with tempfile.TemporaryDirectory() as cache:
            kept = {"NUMBA_CACHE_DIR": cache}
            # Compilation alone: of the rows that warm up.
            first = (
                ours(folder, few, settings, options.num_thread, environment=kept) if name == "nodeloom TSNE" else None
            )
            result = ours(folder, path, settings, options.num_thread, environment=kept if first else None)
        scores = judged(np.load(f"{folder}/map.npy"), rows, labels)
        row(table, name, result, scores)
        report.raw[name] = result | {"scores": scores}
        report.write()
        if first is None or options.quick:
            continue
        seconds = result["stages"]["whole"][0]
        report.check("CPU seconds, vectors to map", f"<= {MOST_SECONDS:.0f}", f"{seconds:.1f}", seconds <= MOST_SECONDS)
        report.check(
            "peak memory", "<= 1.2 GB", f"{result['peak_bytes'] / 1e9:.2f} GB", result["peak_bytes"] <= MOST_BYTES
        )
        for measure, least in TARGETS.items():
            report.check(measure, f">= {least}", f"{scores[measure]:.3f}", scores[measure] >= least)
        for what, run, most in (("compiled", first, MOST_FIRST), ("from the cache", result, MOST_CACHED)):
            taken = run["import_seconds"] + run["compile_seconds"]
            report.check(
                f"import and first 1,500 rows, kernels {what}", f"<= {most:.0f} s", f"{taken:.1f}", taken <= most
            )
        recall = result["neighbor_recall"]
        report.check("neighbors of 200 points against float64", "1.000", f"{recall:.4f}", recall == 1)
    for name in (peer for peer in options.peers if peer != "torchdr"):
        report.write()
        report.say(name)
        request = {"vectors": path, "map": f"{folder}/{name}.npy", "peer": name, "warm_up": min(WARM_UP, len(rows))}
        try:
            result = run_peer(name, "peer_map.py", request, num_thread=options.num_thread)
        except SkippedError as reason:
            table.add(name, str(reason))
            continue
        found = np.load(f"{folder}/{name}.npy")
        scores = judged(found, rows, labels) if name in MAPS else None
        row(table, name if scores else "pynndescent, 15 neighbors alone", result, scores)
        report.raw[name] = result | {"scores": scores}


def compare_threads(report: Report, folder: str, rows: np.ndarray) -> None:
    """Show that threads do not change a byte."""
    path = f"{folder}/some.npy"
    np.save(path, rows[:5000])
    digests = {threads: ours(folder, path, {}, threads)["digest"] for threads in (1, 2, 8)}
    report.raw["digests"] = digests
    same = len(set(digests.values())) == 1
    report.check("map of 5,000 rows by 1, 2 and 8 threads", "the same bytes", "same" if same else "differ", same)


def large(report: Report, folder: str, options: argparse.Namespace) -> None:
    """Draw a map of many vectors."""
    count, dim = (3000, 100) if options.quick else LARGE
    path = f"{folder}/large.npy"
    np.save(path, clustered(count, dim))
    result = ours(folder, path, {}, options.num_thread)
    report.raw["large"] = result
    table = report.table(
        f"{count:,} x {dim} generated vectors, {options.num_thread} threads", "stage", "CPU s", "wall s"
    )
    for name, (cpu, wall) in result["stages"].items():
        table.add(name, f"{cpu:.1f}", f"{wall:.1f}")
    wall = result["stages"]["whole"][1]
    report.note(f"peak of {count:,} x {dim}: {result['peak_bytes'] / 1e9:.2f} GB.")
    if not options.quick:
        report.check(f"{count:,} x {dim}, wall seconds", "<= 600", f"{wall:.0f}", wall <= 600)


def on_gpu(report: Report, folder: str, mnist: np.ndarray, labels: np.ndarray, options: argparse.Namespace) -> None:
    """Search for neighbors and draw maps on a GPU, from main memory to main memory, beside TorchDR."""
    from nodeloom.engine.device import num_gpus

    if not num_gpus():
        report.note("no GPU that torch can use: the part gpu was left out.")
        return
    import torch  # noqa: F401  the report names the card

    title = "One GPU, from vectors in main memory to coordinates there, after a map that compiles and loads everything"
    measures = [*TARGETS, "recall@50"]
    maps = report.table(title, "", "seconds", "layout alone", "GPU memory, MB", *measures)
    searches = report.table("Exact neighbors on one GPU", "vectors", "k", "seconds", "recall against float64")
    path = f"{folder}/rows.npy"
    np.save(path, mnist)
    asked = {name: (kind, given, f"{folder}/{name}.npy") for name, (kind, given, _) in ON_GPU.items()}
    found = _on_gpu(report, options, {"vectors": path, "searches": [*SEARCHES["mnist"]], "maps": asked})
    judgements = _judged({name: path for name, (_, _, path) in asked.items()}, mnist, labels)
    for name, (_, _, most) in ON_GPU.items():
        scores = judgements[name]
        seconds = _row_on_gpu(maps, f"{len(mnist):,} x {mnist.shape[1]}, {name}", found[name], scores)
        report.raw[f"gpu {name}"] = found[name] | {"scores": scores}
        if most is not None and not options.quick:
            report.check(f"MNIST on a GPU, {name}, seconds", f"<= {most}", f"{seconds:.3f}", seconds <= most)
        if name == "TSNE" and not options.quick:
            for measure, least in TARGETS.items():
                reached = scores[measure] >= least - 0.01
                report.check(f"MNIST on a GPU, {measure}", f">= {least - 0.01:.3f}", f"{scores[measure]:.3f}", reached)
    _rows_of_searches(report, searches, "mnist", found, options)
    report.write()
    count, dim = (10_000, 128) if options.quick else WIDE
    np.save(path, clustered(count, dim))
    wide = {"TSNE": ("TSNE", {}, None), "LargeVis": ("LargeVis", {}, None)}
    found = _on_gpu(report, options, {"vectors": path, "searches": [15], "maps": wide, "repeats": 1})
    for name in wide:
        seconds = _row_on_gpu(maps, f"{count:,} x {dim}, {name}", found[name], None)
        if not options.quick:
            what = f"{count:,} x {dim} to coordinates, {name}, seconds"
            report.check(what, f"<= {WIDE_SECONDS:.0f}", f"{seconds:.2f}", seconds <= WIDE_SECONDS)
    _rows_of_searches(report, searches, "1 M x 128", found, options)
    report.write()
    points = np.random.default_rng(0).normal(size=(5000 if options.quick else POINTS, 2)).astype(np.float32)
    np.save(path, points)
    found = _on_gpu(report, options, {"vectors": path, "layout": True, "repeats": 1})
    layout = found["layout"]["report"]["seconds"]
    maps.add(f"{len(points):,} points of a plane, TSNE", "", f"{layout:.2f}", *_memory_of(found["layout"]))
    report.raw["gpu layout"] = found["layout"]
    if not options.quick:
        what = f"layout of {len(points):,} points, seconds"
        report.check(what, f"<= {LAYOUT_SECONDS:.0f}", f"{layout:.2f}", layout <= LAYOUT_SECONDS)
    report.write()
    np.save(path, mnist)
    peers: dict[str, dict[str, Any]] = {}
    for method in TORCHDR if "torchdr" in options.peers else ():
        report.say(f"torchdr {method}")
        request = {"vectors": path, "map": f"{folder}/{method}.npy", "peer": "torchdr", "method": method}
        try:
            request["warm_up"] = min(WARM_UP, len(mnist))
            peers[method] = run_peer("torchdr", "peer_map.py", request, num_thread=options.num_thread)
        except SkippedError as reason:
            maps.add(f"TorchDR {method}", str(reason))
    judgements = _judged({method: f"{folder}/{method}.npy" for method in peers}, mnist, labels)
    for method, result in peers.items():
        quality = [f"{judgements[method][m]:.3f}" for m in measures]
        seconds = result["stages"]["whole"][1]
        maps.add(f"{len(mnist):,} x {mnist.shape[1]}, TorchDR {method}", f"{seconds:.2f}", "", "", *quality)
        report.raw[f"gpu torchdr {method}"] = result | {"scores": judgements[method]}
    report.write()


def _judged(paths: dict[str, str], rows: np.ndarray, labels: np.ndarray) -> dict[str, dict[str, float]]:
    """Return the measures of maps in files, all at the same time."""
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda path: judged(np.load(path), rows, labels), paths.values())
        return dict(zip(paths, found, strict=True))


def _on_gpu(report: Report, options: argparse.Namespace, request: dict[str, Any]) -> dict[str, Any]:
    """Return what a process of its own finds on a GPU."""
    report.say(f"on a GPU: {', '.join(request.get('maps', {'the layout alone': None}))}")
    repeats = {"device": "cuda", "repeats": options.repeats}
    found = run_worker("nodeloom_gpu_map.py", repeats | request, num_thread=options.num_thread)
    results: dict[str, Any] = found["results"]
    return results


def _row_on_gpu(table: Table, name: str, result: dict[str, Any], scores: dict[str, float] | None) -> float:
    """Add a map, and return the median of its seconds."""
    seconds = statistics.median(result["seconds"])
    quality = [f"{scores[m]:.3f}" for m in (*TARGETS, "recall@50")] if scores else []
    layout = result["report"]["seconds"]
    table.add(name, f"{seconds:.3f}", f"{layout:.3f}", *_memory_of(result), *quality)
    return seconds


def _memory_of(result: dict[str, Any]) -> list[str]:
    return [f"{result['report']['peak_device_memory'] / 1e6:.0f}"]


def _rows_of_searches(
    report: Report, table: Table, name: str, found: dict[str, Any], options: argparse.Namespace
) -> None:
    """Add the searches for neighbors of some vectors."""
    for k, most in SEARCHES[name].items():
        seconds, recall = statistics.median(found[str(k)]["seconds"]), found[str(k)]["recall"]
        table.add(name, k, f"{seconds:.3f}", f"{recall:.4f}")
        report.raw[f"gpu neighbors {name} {k}"] = found[str(k)]
        if not options.quick:
            met, measured = seconds <= most and recall == 1, f"{seconds:.3f} s, {recall:.4f}"
            report.check(f"neighbors of {name}, k {k}", f"<= {most} s, 1.000", measured, met)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--num-thread", type=int, default=2, help="threads of everyone")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), help="parts to run")
    parser.add_argument("--peers", nargs="*", choices=PEERS, default=list(PEERS), help="whom to run beside")
    parser.add_argument(
        "--graph-peers", nargs="*", choices=tuple(GRAPH_PEERS), default=list(GRAPH_PEERS), help="the same for graphs"
    )
    parser.add_argument(
        "--peer-seconds", type=float, default=1800, help="wall time that a map of a graph may take a peer"
    )
    options = parser.parse_args()
    alone = (
        options.only[0] if options.only in (["graphs"], ["large"], ["gpu"]) else ""
    )  # of another machine, or another day
    peers = {"graphs": tuple(GRAPH_PEERS), "gpu": ("torchdr",), "large": ()}.get(alone, (*PEERS, *GRAPH_PEERS))
    report = Report(f"maps_{alone}" if alone else "maps", "Maps", options, peers=peers)
    with tempfile.TemporaryDirectory(prefix="nodeloom-maps-") as folder:
        try:
            rows, labels = vectors_of("digits" if options.quick else "mnist")
        except SkippedError as reason:
            report.note(str(reason))
            rows, labels = clustered(2000, 64), np.arange(2000) % 10
        parts = {
            "maps": lambda: compare_maps(report, folder, rows, labels, options),
            "threads": lambda: compare_threads(report, folder, rows),
            "graphs": lambda: graph_maps(report, folder, options),
            "large": lambda: large(report, folder, options),
            "gpu": lambda: on_gpu(report, folder, rows, labels, options),
        }
        for name in options.only:
            report.say(name)
            try:
                parts[name]()
            except SkippedError as reason:
                report.note(f"{name}: {reason}")
            report.write()
    report.finish()


if __name__ == "__main__":
    main()
