"""A map of a graph by nodeloom, after one of a small graph has compiled and loaded everything; and vectors for a map of vectors."""

import numpy as np
from child import Stopwatch, answer, peak_bytes, request, reset_peak

import nodeloom
from nodeloom.datasets import planted_partition

asked = request()
with np.load(asked["graph"]) as archive:
    graph = nodeloom.Graph.from_edges(archive["edges"], num_nodes=int(archive["num_nodes"]))
settings = {"num_thread": asked["num_thread"], "device": "cpu", "verbose": False}
model = nodeloom.TSNE(**asked["options"], **settings)
with Stopwatch() as compiling:
    model.fit(nodeloom.Graph.from_edges(planted_partition(1000, 5000, 4, seed=0)[0]))
reset_peak()
with Stopwatch() as watch:
    found = model.fit_transform(graph)
np.save(asked["map"], found)
peak = peak_bytes()
if asked["vectors"]:
    with Stopwatch() as embedding:
        vectors = nodeloom.Propagation(**settings).fit(graph).vectors_
    np.save(asked["vectors"], vectors)
    answer(stages={"whole": (watch.cpu_seconds, watch.seconds)}, peak_bytes=peak, vectors=embedding.cpu_seconds)
else:
    answer(stages={"whole": (watch.cpu_seconds, watch.seconds)}, peak_bytes=peak)
