"""A map of vectors by nodeloom: stages and the whole, after a map of a few rows has compiled and loaded everything."""

import hashlib

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak

asked = request()
with Stopwatch() as importing:
    import nodeloom
    from nodeloom.graph.affinity import affinities
    from nodeloom.graph.neighbors import NeighborGraph

vectors = np.load(asked["vectors"])
threads, k, options = asked["num_thread"], asked["k"], asked["options"]
stages, found = {}, None


def run(rows, timed):
    """Find neighbors, weigh them and lay them out; return the neighbors and the map."""
    with Stopwatch() as watch:
        near = NeighborGraph.of(rows, k, device=asked["device"], num_threads=threads)
    timed["neighbors"] = watch
    with Stopwatch() as watch:
        affinities(near, k / 1.5, num_threads=threads)
    timed["affinities"] = watch
    model = nodeloom.TSNE(**options, num_neighbor=k, num_thread=threads, device=asked["device"], verbose=False)
    with Stopwatch() as watch:
        places = model.fit_transform(rows)
    timed["whole"] = watch
    return near, places


with Stopwatch() as compiling:
    run(vectors[: asked["warm_up"]], {})
reset_peak()
resident = memory("VmRSS")
near, places = run(vectors, stages)
peak = peak_bytes()
np.save(asked["map"], places)
checked = np.random.default_rng(0).choice(len(vectors), min(200, len(vectors)), replace=False)
asked_for = vectors[checked].astype(np.float64)
squares = np.empty((len(checked), len(vectors)))
for first in range(0, len(vectors), 4096):
    block = vectors[first : first + 4096].astype(np.float64)
    squares[:, first : first + 4096] = (block**2).sum(1) - 2 * asked_for @ block.T
squares[np.arange(len(checked)), checked] = np.inf
nearest = np.argpartition(squares, k - 1, axis=1)[:, :k]
right = sum(len(np.intersect1d(a, b)) for a, b in zip(nearest, near.indices[checked], strict=True))
answer(
    stages={name: (watch.cpu_seconds, watch.seconds) for name, watch in stages.items()}, peak_bytes=peak,
    resident_bytes=resident, import_seconds=importing.cpu_seconds, compile_seconds=compiling.cpu_seconds,
    neighbor_recall=right / (k * len(checked)), is_exact=near.is_exact,
    digest=hashlib.sha256(places.tobytes()).hexdigest(),
)  # fmt: skip
