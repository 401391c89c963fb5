"""Two trainings of a tiny graph: the first loads or compiles the kernels, the second shows what is left."""

import numpy as np
from child import Stopwatch, answer

import nodeloom

ring = np.arange(64)
graph = nodeloom.Graph.from_edges(np.stack([ring, (ring + 1) % 64], axis=1))
with Stopwatch() as first:
    nodeloom.DeepWalk(num_epoch=1).fit(graph)
with Stopwatch() as second:
    nodeloom.DeepWalk(num_epoch=1).fit(graph)
answer(first_seconds=first.seconds, first_cpu_seconds=first.cpu_seconds, second_seconds=second.seconds)
