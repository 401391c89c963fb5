"""Propagation or ProNE of nodeloom: time of ``fit``, kernels compiled before, and the vectors."""

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak

import nodeloom

asked = request()
with np.load(asked["graph"]) as archive:
    num_nodes, edges = int(archive["num_nodes"]), archive["edges"]
with Stopwatch() as building:
    graph = nodeloom.Graph.from_edges(edges, num_nodes=num_nodes)
del edges
options = {"device": "cpu"} | asked["options"] | {"num_thread": asked["num_thread"], "seed": asked["seed"]}
estimator = getattr(nodeloom, asked["model"])
ring = np.arange(64)
with Stopwatch() as compiling:
    estimator(**options).fit(nodeloom.Graph.from_edges(np.stack([ring, (ring + 1) % 64], axis=1)))
model = estimator(**options)
reset_peak()
resident = memory("VmRSS")
with Stopwatch() as watch:
    model.fit(graph)
    if asked.get("enhance"):
        model = nodeloom.enhance(model, graph, num_thread=asked["num_thread"])
peak = peak_bytes()
np.save(asked["vectors"], model.vectors_)
if asked.get("contexts"):
    np.save(asked["contexts"], model.context_vectors_)
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, build_seconds=building.seconds, resident_bytes=resident,
    compile_seconds=compiling.seconds, peak_bytes=peak, table_bytes=model.vectors_.nbytes, graph_bytes=graph.nbytes,
    num_step=model.report_["num_step"], finite=bool(np.isfinite(model.vectors_).all()),
)  # fmt: skip
