"""The part of maps.py about graphs: neighbors and labels that a map keeps, beside DrL, ForceAtlas2, sfdp and UMAP; and the pictures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from common import SkippedError, available, data_file, load, run_peer, run_worker
from report import Report

GRAPHS = ("cora", "lastfm_asia", "blogcatalog", "debian_pkg")
PEERS = {"drl": "igraph's DrL", "forceatlas2": "ForceAtlas2", "sfdp": "sfdp", "umap_vectors": "UMAP of vectors"}
MEASURES = ("neighbor recall", "edge AUC", "accuracy@10")
OURS = "nodeloom TSNE"
_SIDE, _MARGIN = 330, 26  # pixels of a map in the picture


def graph_maps(report: Report, folder: str, options: argparse.Namespace) -> None:
    """Draw the maps of each graph by everyone, judge them, and put them side by side."""
    from nodeloom import Graph
    from nodeloom.io.labels import Labels
    from nodeloom.tasks import graph_map_quality

    here, reasons = available(GRAPHS[:1] if options.quick else GRAPHS)
    for reason in reasons:
        report.note(reason)
    maps: dict[str, dict[str, Any]] = {}
    for name in here:
        data = load(name)
        count = int(data["num_nodes"])
        graph = Graph.from_edges(data["edges"], num_nodes=count)
        labels = Labels.from_pairs(data["labels"][:, 0], data["labels"][:, 1], num_nodes=count)
        table = report.table(
            f"{name}, {count:,} nodes, {len(data['edges']):,} edges", "", "CPU s", "peak MB", *MEASURES
        )
        maps[name] = {"labels": data["labels"], "places": {}}
        scores: dict[str, dict[str, float]] = {}
        of_vectors = 0.0  # CPU seconds that the vectors for UMAP take
        for who in (OURS, *options.graph_peers):
            report.say(f"{name}, {PEERS.get(who, who)}")
            request = {"graph": str(data_file(name)), "map": f"{folder}/{name}.npy", "vectors": f"{folder}/vectors.npy"}
            try:
                if who == OURS:
                    asked = request | {"options": {}}
                    result = run_worker("nodeloom_graph_map.py", asked, num_thread=options.num_thread)
                else:
                    asked = request | {"peer": who}
                    threads, seconds = options.num_thread, options.peer_seconds
                    result = run_peer(who, "peer_graph_map.py", asked, num_thread=threads, seconds=seconds)
            except SkippedError as reason:
                table.add(PEERS.get(who, who), str(reason))
                continue
            places = np.load(request["map"])
            found = scores[who] = graph_map_quality(places, graph, labels=labels).scores
            cpu = result["stages"]["whole"][0] + (of_vectors if who == "umap_vectors" else 0.0)
            of_vectors = result.get("vectors", of_vectors)
            cells = [f"{found[measure]:.3f}" for measure in MEASURES]
            table.add(PEERS.get(who, who), f"{cpu:.1f}", f"{result['peak_bytes'] / 1e6:.0f}", *cells)
            report.raw.setdefault("graphs", {}).setdefault(name, {})[who] = result | {"scores": found}
            maps[name]["places"][PEERS.get(who, who)] = places
            report.write()
        others = [who for who in scores if who != OURS]
        for measure in ("neighbor recall", "accuracy@10") if others and not options.quick else ():
            best = max(others, key=lambda who: scores[who][measure])
            most, own = scores[best][measure], scores[OURS][measure]
            report.check(f"{name}, {measure}", f"> {most:.3f} ({PEERS[best]})", f"{own:.3f}", own > most)
    if not options.quick and maps:
        side_by_side(maps, options.output / "maps-graphs.png", report)


def side_by_side(maps: dict[str, dict[str, Any]], path: Path, report: Report) -> None:
    """Write all maps into one picture: a row for each graph, a column for each contender, colours by the first label."""
    try:
        from PIL import Image, ImageDraw
    except ImportError:
        report.note("no picture: Pillow is not installed.")
        return
    from nodeloom.figures import MapPoints, map_figure

    columns = [OURS, *PEERS.values()]
    paper = Image.new("RGB", (len(columns) * _SIDE, len(maps) * (_SIDE + _MARGIN)), "white")
    pen = ImageDraw.Draw(paper)
    for row, (name, found) in enumerate(maps.items()):
        for column, who in enumerate(columns):
            corner = (column * _SIDE, row * (_SIDE + _MARGIN))
            pen.text((corner[0] + 8, corner[1] + 8), f"{name}: {who}", fill="black", font_size=14)
            if who not in found["places"]:
                continue
            places = found["places"][who]
            classes: list[int | None] = [None] * len(places)
            for node, number in found["labels"][::-1].tolist():
                classes[node] = number
            figure = map_figure(MapPoints.of(places, labels=classes), size=_SIDE / 120, legend=False, names=False)
            figure.canvas.draw()
            drawn = Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3]).resize((_SIDE, _SIDE))
            paper.paste(drawn, (corner[0], corner[1] + _MARGIN))
    paper.quantize(128).save(path, optimize=True)
