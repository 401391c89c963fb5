"""Neighbors and maps by nodeloom on a GPU, each once to compile and load everything, then some times from main memory to main memory."""

import numpy as np
from child import Stopwatch, answer, request

import nodeloom
from nodeloom.graph.neighbors import NeighborGraph

asked = request()
vectors, device, repeats = np.load(asked["vectors"]), asked["device"], asked["repeats"]


def timed(work):
    """Return the seconds of each repeat, and the last result."""
    seconds, found = [], work()
    for _ in range(repeats):
        with Stopwatch() as watch:
            found = work()
        seconds.append(watch.seconds)
    return seconds, found


def recall(near, k):
    """Return the part of the neighbors of 200 points, by float64, that were found."""
    checked = np.random.default_rng(0).choice(len(vectors), min(200, len(vectors)), replace=False)
    points = vectors[checked].astype(np.float64)
    squares = np.empty((len(checked), len(vectors)))
    for first in range(0, len(vectors), 16384):
        block = vectors[first : first + 16384].astype(np.float64)
        squares[:, first : first + 16384] = (block**2).sum(1) - 2 * points @ block.T
    squares[np.arange(len(checked)), checked] = np.inf
    nearest = np.argpartition(squares, k - 1, axis=1)[:, :k]
    right = sum(len(np.intersect1d(a, b)) for a, b in zip(nearest, near.indices[checked], strict=True))
    return right / (k * len(checked))


def mapped(kind, options, data=vectors, **more):
    """Return a function that makes a map."""
    model = getattr(nodeloom, kind)
    return lambda: model(**options, device=device, verbose=False).fit(data, **more)


results = {}
for k in asked.get("searches", ()):
    seconds, near = timed(lambda k=k: NeighborGraph.of(vectors, k, device=device))
    results[str(k)] = {"seconds": seconds, "recall": recall(near, k)}
for name, (kind, options, path) in asked.get("maps", {}).items():
    seconds, made = timed(mapped(kind, options))
    results[name] = {"seconds": seconds, "report": made.report_}
    if path:
        np.save(path, made.coordinates_)
if asked.get("layout"):
    # Neighbors of points of a plane, and the points as the start: the layout alone.
    from scipy.spatial import cKDTree

    distances, indices = cKDTree(vectors).query(vectors, 16, workers=-1)
    near = NeighborGraph.from_arrays(indices, distances)
    start = (vectors * (1e-4 / vectors.std())).astype(np.float32)
    seconds, made = timed(mapped("TSNE", {}, near, init=start))
    results["layout"] = {"seconds": seconds, "report": made.report_}
answer(results=results)
