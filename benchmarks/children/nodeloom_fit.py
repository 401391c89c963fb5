"""Training of nodeloom on a graph: rate, memory and tables. Kernels are compiled before the clock starts."""

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request

asked = request()
with Stopwatch() as importing:
    import nodeloom

with np.load(asked["graph"]) as archive:
    num_nodes, edges = int(archive["num_nodes"]), archive["edges"]
with Stopwatch() as building:
    graph = nodeloom.Graph.from_edges(edges, num_nodes=num_nodes)
del edges
options = asked["options"] | {"num_thread": asked["num_thread"], "seed": asked["seed"]}
estimator = getattr(nodeloom, asked["model"])

ring = np.arange(64)
small = nodeloom.Graph.from_edges(np.stack([ring, (ring + 1) % 64], axis=1))
with Stopwatch() as compiling:
    estimator(**(options | {"num_epoch": 1})).fit(small)

resident = memory("VmRSS")
model = estimator(**options)
with Stopwatch() as watch:
    model.fit(graph)
report = model.report_
peak = peak_bytes()
vectors, contexts = model.vectors_, model.context_vectors_
for path, table in ((asked.get("vectors"), vectors), (asked.get("contexts"), contexts)):
    if path:
        np.save(path, table)
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, pairs=report["num_pair"], rate=report["num_pair"] / watch.seconds,
    compile_seconds=compiling.seconds, import_seconds=importing.seconds, build_seconds=building.seconds,
    num_edges=graph.num_edges, resident_bytes=resident, peak_bytes=peak,
    table_bytes=vectors.nbytes + (0 if contexts is None else contexts.nbytes),
    graph_bytes=sum(array.nbytes for array in (graph.indptr, graph.indices, graph.weights) if array is not None),
    finite=bool(np.isfinite(vectors).all()), plan=model.plan(graph).to_dict(),
)  # fmt: skip
