"""Draw the edges of a planted partition, build the graph, and prepare what a training reads: seconds and memory of each step."""

from functools import partial
from pathlib import Path

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak

from nodeloom import Graph
from nodeloom.datasets import planted_partition_edges
from nodeloom.sampling.alias import over_nodes
from nodeloom.sampling.negatives import NegativeSampler

CHUNK = 1 << 24  # edges that are looked at at once

asked = request()
threads = asked["num_thread"]
steps = []


def step(name, function):
    """Run one step and note its seconds, and the largest size of the process while it ran."""
    reset_peak()
    with Stopwatch() as watch:
        result = function()
    steps.append({"name": name, "seconds": watch.seconds, "cpu_seconds": watch.cpu_seconds, "peak_bytes": peak_bytes()})
    return result


def draw(num_nodes, num_edges, num_communities):
    """Draw the edges, int32 [E, 2]."""
    return planted_partition_edges(
        num_nodes, num_edges, num_communities, exponent=asked["exponent"], seed=asked["seed"], num_thread=threads
    )[0]


def prepare(graph):
    """Yield the steps that come once before a training, in the order in which it asks for them."""
    yield "degrees and strengths", lambda: graph.strengths
    yield "fingerprint", graph.fingerprint
    yield "starts", lambda: over_nodes(graph.strengths)
    yield "negatives", lambda: NegativeSampler.of(graph, exponent=0.75, seed=0)


def right_rows(graph, edges, count):
    """Tell whether the rows of the first `count` nodes are what NumPy makes of all edges that touch them."""
    touching = []
    for start in range(0, len(edges), CHUNK):
        part = edges[start : start + CHUNK]
        touching.append(part[(part < count).any(axis=1)])
    found = np.concatenate(touching).astype(np.int64)
    both = np.concatenate([found, found[:, ::-1]])
    both = both[both[:, 0] < count]
    codes = np.unique(both[:, 0] * graph.num_nodes + both[:, 1])
    ends = graph.indptr[: count + 1]
    rows = np.repeat(np.arange(count), np.diff(ends))
    return np.array_equal(codes, rows * graph.num_nodes + graph.indices[: ends[-1]])


# Kernels are compiled before the clock starts.
small = Graph.from_edges(draw(100, 400, 3), num_thread=threads)
for _, prepared in prepare(small):
    prepared()
process_bytes = memory("VmRSS") or peak_bytes()

num_nodes = asked["num_nodes"]
edges = step("draw edges", lambda: draw(num_nodes, asked["num_edges"], asked["num_communities"]))
build = partial(Graph.from_edges, edges, num_nodes=num_nodes, num_thread=threads)
graph = step("build graph", build)
right = right_rows(graph, edges, min(num_nodes, max(100, num_nodes // 10_000)))
edge_bytes = edges.nbytes
del edges, build
for name, prepared in prepare(graph):
    step(name, prepared)
if asked["save"]:
    step("save", lambda: graph.save(Path(asked["save"])))
    opened = step("open", lambda: Graph.open(Path(asked["save"])))
    right = right and opened.fingerprint() == graph.fingerprint() and opened.num_edges == graph.num_edges
answer(
    steps=steps, right=right, process_bytes=process_bytes, edge_bytes=edge_bytes, graph_bytes=graph.nbytes,
    num_edges=graph.num_edges, num_loops=graph.num_loops, largest_degree=int(graph.degrees.max()),
    isolated=int((graph.degrees == 0).sum()),
)  # fmt: skip
