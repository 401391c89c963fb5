"""Walks of GRAPE (ensmallen): ``complete_walks``, all nodes as starts, ids out; memory before and after."""

import numpy as np
import pandas as pd
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak, return_rate
from ensmallen import Graph

asked = request()
with np.load(asked["graph"]) as archive:
    edges = archive["edges"]
    weights = np.load(asked["weights"]) if asked["weights"] else None
frame = pd.DataFrame({"subject": edges[:, 0].astype(str), "object": edges[:, 1].astype(str)})
options = {}
if weights is not None:
    frame["weight"] = weights
    options["edge_weight_column"] = "weight"
with Stopwatch() as loading:
    graph = Graph.from_pd(edges_df=frame, directed=False, name="benchmark", **options)
    # Its own switch for faster walks: it "buys time as you accept to spend more memory".
    graph.enable(vector_sources=True)
del frame, edges, weights
options = {"walk_length": asked["length"] + 1}
if asked["p"] != 1 or asked["q"] != 1:
    options |= {"return_weight": 1 / asked["p"], "explore_weight": 1 / asked["q"]}
if asked.get("max_neighbours"):
    options["max_neighbours"] = asked["max_neighbours"]
load_peak = reset_peak()
resident = memory("VmRSS")
graph.random_walks(**options, quantity=1)
with Stopwatch() as watch:
    if asked["fraction"] < 1:
        quantity = max(1, round(asked["fraction"] * graph.get_number_of_nodes()))
        walks = graph.random_walks(
            **options, quantity=quantity, iterations=asked["num_walks"], random_state=asked["seed"]
        )
    else:
        walks = graph.complete_walks(**options, iterations=asked["num_walks"], random_state=asked["seed"])
steps = walks.shape[0] * (walks.shape[1] - 1)
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, steps=steps, rate=steps / watch.seconds,
    load_seconds=loading.seconds, load_peak_bytes=load_peak, resident_bytes=resident, walk_bytes=walks.nbytes,
    peak_bytes=peak_bytes(),
    return_rate=return_rate(walks),
)  # fmt: skip
