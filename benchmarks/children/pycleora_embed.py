"""Whitened propagation by pycleora: time of ``embed`` alone, and the vectors."""

import numpy as np
from child import Stopwatch, answer, memory, request, reset_peak
from pycleora import SparseMatrix, embed

asked = request()
with np.load(asked["graph"]) as archive:
    num_nodes, edges = int(archive["num_nodes"]), archive["edges"]
with Stopwatch() as building:
    lines = (f"{head} {tail}" for head, tail in zip(edges[:, 0].tolist(), edges[:, 1].tolist(), strict=True))
    graph = SparseMatrix.from_iterator(lines, "complex::reflexive::node")
names = np.array([int(name) for name in graph.entity_ids])
reset_peak()
resident = memory("VmRSS")
with Stopwatch() as watch:
    found = embed(
        graph, asked["dim"], asked["num_iteration"], seed=asked["seed"], num_workers=asked["num_thread"]
    )  # fmt: skip
vectors = np.zeros((num_nodes, asked["dim"]), np.float32)
vectors[names] = found
np.save(asked["vectors"], vectors)
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, build_seconds=building.seconds, resident_bytes=resident,
    table_bytes=vectors.nbytes, finite=bool(np.isfinite(vectors).all()),
)  # fmt: skip
