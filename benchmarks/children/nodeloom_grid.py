"""Training of nodeloom on a planted partition on the CPU: rate, communities found, and memory beside what the libraries take."""

import sys
from pathlib import Path

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak

import nodeloom
from nodeloom.datasets import planted_partition

sys.path.insert(0, str(Path(__file__).parent.parent))
from gpu_sections.recovery import recovery

asked = request()
options = asked["options"] | {"device": "cpu", "num_thread": asked["num_thread"], "dim": asked["dim"]}
ring = np.arange(64)
small = nodeloom.Graph.from_edges(np.stack([ring, (ring + 1) % 64], axis=1))
for parts in (1, 2):  # kernels are compiled before the clock starts
    nodeloom.DeepWalk(**(options | {"num_epoch": 1, "memory_limit": "auto", "num_partition": parts})).fit(small)
before = memory("VmRSS")
communities = max(5, asked["num_nodes"] // 2000)
edges, community = planted_partition(asked["num_nodes"], asked["num_edges"], communities, mixing=0.3, seed=1)
graph = nodeloom.Graph.from_edges(edges, num_nodes=asked["num_nodes"])
del edges
model = nodeloom.DeepWalk(**(options | {"num_epoch": asked["epochs"]}))
from nodeloom.engine import make_plan  # noqa: E402  without measuring the rate of this machine
from nodeloom.plan.mode import Blocks  # noqa: E402

plan = make_plan(graph, model._settings())
reset_peak()
with Stopwatch() as watch:
    model.fit(graph)
peak = peak_bytes() - before
score = recovery(model.vectors_, community, graph.degrees)
grid = "" if plan.grid is None else f"{plan.grid.num_vertex_part} x {plan.grid.num_context_part}"
if isinstance(plan.mode, Blocks) and plan.mode.storage == "file":
    grid += ", in files"
answer(
    seconds=watch.seconds, rate=model.report_["num_pair"] / watch.seconds, accuracy=score.accuracy, control=score.control,
    peak_bytes=peak, grid=grid, plan=str(plan), loss=model.report_["loss"],
)  # fmt: skip
