"""Walks of nodeloom into one array; tables are built before the clock starts and count as loading."""

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak, return_rate

from nodeloom import Graph
from nodeloom.kernels.cpu.parallel import run_slices
from nodeloom.sampling import WalkSampler

asked = request()
num_thread = asked["num_thread"]
with np.load(asked["graph"]) as archive:
    edges, num_nodes = archive["edges"], int(archive["num_nodes"])
weights = np.load(asked["weights"]) if asked["weights"] else None
with Stopwatch() as loading:
    graph = Graph.from_edges(edges, weights, num_nodes=num_nodes)
    sampler = WalkSampler.of(graph, p=asked["p"], q=asked["q"], seed=asked["seed"], num_thread=num_thread)
del edges, weights
num_walk = max(1, round(num_nodes * asked["num_walks"] * asked["fraction"]))
sampler.sample(0, np.empty((4, 3), graph.indices.dtype))
load_peak = reset_peak()
resident = memory("VmRSS")
with Stopwatch() as watch:
    walks = np.empty((num_walk, asked["length"] + 1), graph.indices.dtype)
    run_slices(lambda begin, end: sampler.sample(begin, walks[begin:end]), num_walk, num_thread)
peak = peak_bytes()
steps = int(np.count_nonzero(walks[:, 1:] >= 0))
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, steps=steps, rate=steps / watch.seconds,
    load_seconds=loading.seconds, load_peak_bytes=load_peak, resident_bytes=resident, walk_bytes=walks.nbytes,
    peak_bytes=peak, return_rate=return_rate(walks), table_bytes=sampler.nbytes,
)  # fmt: skip
