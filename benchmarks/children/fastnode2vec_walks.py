"""Walks of fastnode2vec: its compiled walk function from a pool of threads (it releases the lock), ids out."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak, return_rate, some_starts
from fastnode2vec import graph as library

asked = request()
with np.load(asked["graph"]) as archive:
    edges = archive["edges"]
weights = np.load(asked["weights"]) if asked["weights"] else None
rows = zip(*edges.T.tolist(), strict=True) if weights is None else zip(*edges.T.tolist(), weights.tolist(), strict=True)
with Stopwatch() as loading:
    graph = library.Graph(rows, directed=False, weighted=weights is not None, verbose=False, number_of_edges=len(edges))
length, p, q = asked["length"] + 1, float(asked["p"]), float(asked["q"])
starts = some_starts(np.arange(len(graph.node_names)), asked)


def walk(some):
    """Walk from these starts and count the steps; fastnode2vec drops the walks themselves too, once trained on."""
    return sum(len(one_walk(start)) - 1 for start in some)


def one_walk(start):
    """Return a walk of ids."""
    if weights is None:
        return library._random_walk(graph.indptr, graph.indices, length, p, q, start)
    return library._random_walk_weighted(graph.indptr, graph.indices, graph.data, length, p, q, start)


walk(starts[:4].tolist())
load_peak = reset_peak()
resident = memory("VmRSS")
chunks = [chunk.tolist() for chunk in np.array_split(starts, asked["num_thread"])]
with ThreadPoolExecutor(asked["num_thread"]) as pool, Stopwatch() as watch:
    steps = sum(pool.map(walk, chunks))
peak = peak_bytes()
sample = np.stack([one_walk(start) for start in starts[:1000].tolist()])
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, steps=steps, rate=steps / watch.seconds,
    load_seconds=loading.seconds, load_peak_bytes=load_peak, resident_bytes=resident, walk_bytes=0, peak_bytes=peak,
    return_rate=return_rate(sample),
)  # fmt: skip
