"""Draw one picture, page or file of each kind that nodeloom makes of a map: python examples/gallery.py FOLDER."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

from nodeloom import TSNE, DeepWalk, Graph, LargeVis
from nodeloom.datasets import planted_partition
from nodeloom.figures import (
    SUFFIXES,
    MapPoints,
    degree_figure,
    history_figure,
    map_figure,
    save_hierarchy,
    save_map,
    save_turning,
)


def gallery(folder: Path, *, num_node: int = 3000) -> list[Path]:
    """Draw everything, and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    digits = load_digits()
    flat = MapPoints.of(TSNE().fit_transform(digits.data), labels=digits.target, title="Digits, t-SNE")
    islands = TSNE(exaggeration=4).fit_transform(digits.data)
    largevis = LargeVis().fit_transform(digits.data)
    solid = MapPoints.of(LargeVis(dim=3).fit_transform(digits.data), labels=digits.target, title="Digits, LargeVis")

    edges, groups = planted_partition(num_node, 6 * num_node, 12, seed=0)
    graph = Graph.from_edges(edges, num_nodes=num_node + 60)  # 60 nodes have no edge
    labels = [f"group {group}" for group in groups] + [None] * 60
    names = [f"node {node}" for node in range(num_node + 60)]
    of_graph = MapPoints.of(
        TSNE().fit_transform(graph), names=names, labels=labels, numbers={"degree": graph.degrees}, edges=edges,
        title="A graph of twelve groups",
    )  # fmt: skip
    rng = np.random.default_rng(0)
    cloud = rng.normal(size=(12, 2))[rng.integers(12, size=400_000)] * 4 + rng.normal(size=(400_000, 2))

    save_map(folder / "digits.png", flat)
    save_map(folder / "digits-dark.png", flat, dark=True)
    save_map(folder / "digits-exaggeration-4.png", MapPoints.of(islands, labels=digits.target, title="exaggeration 4"))
    save_map(folder / "digits-largevis.png", MapPoints.of(largevis, labels=digits.target, title="LargeVis"))
    save_map(folder / "digits-3d.png", solid)
    save_map(folder / "cloud.png", MapPoints.of(cloud, title="400,000 points, their density shaded"))
    save_map(folder / "degrees.png", of_graph, color="degree")
    save_turning(folder / "digits-3d.gif", solid, num_frame=60)
    levels = [("all", "even" if digit % 2 == 0 else "odd", f"digit {digit}") for digit in digits.target]
    save_hierarchy(folder / "hierarchy.gif", flat, levels, "digit 3")
    for suffix in SUFFIXES:
        if suffix not in (".gif", ".mp4"):  # those turn, in three dimensions
            save_map(folder / f"graph{suffix}", of_graph)
    save_map(folder / "graph-dark.html", of_graph, dark=True)

    model = DeepWalk(dim=32, num_epoch=20).fit(graph)
    history_figure(model.history_).savefig(folder / "history.png")
    degree_figure(graph.degrees).savefig(folder / "degree-distribution.png")
    map_figure(flat, legend=False, size=4).savefig(folder / "digits-small.png")
    return sorted(folder.iterdir())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write")
    for file in gallery(parser.parse_args().folder):
        print(f"{file.stat().st_size:>12,}  {file}")
