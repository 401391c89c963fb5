"""From a text to the graph of its words: seconds, peak memory, and what came out. Kernels are compiled before."""

import tempfile
from pathlib import Path

from child import Stopwatch, answer, peak_bytes, request, reset_peak

from nodeloom import Graph
from nodeloom.graph.compile import compile_corpus
from nodeloom.graph.corpus import corpus_options

asked = request()
options = {"num_thread": asked["num_thread"], "window": asked["window"]}
with tempfile.TemporaryDirectory() as folder:
    sample = Path(folder, "sample.txt")
    sample.write_text("a b c a\nb a\n" * 9)
    Graph.from_corpus(sample, **options)
    if asked["memory_limit"]:
        Graph.compile_corpus(sample, Path(folder, "sample.nlg"), **options)
    reset_peak()
    reports = []
    with Stopwatch() as watch:
        if asked["memory_limit"]:
            output = Path(folder, "words.nlg")
            compile_corpus(asked["path"], output, asked["memory_limit"], *corpus_options(options), reports.append)
            # Before the graph is opened: its pages are mapped, and belong to the cache of the system, which takes them back.
            peak = peak_bytes()
            graph = Graph.open(output)
        else:
            graph = Graph.from_corpus(asked["path"], report=reports.append, **options)
            peak = peak_bytes()
    answer(
        seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, peak_bytes=peak, fingerprint=graph.fingerprint(),
        num_nodes=graph.num_nodes, num_edges=graph.num_edges, num_pair=reports[-1].num_pair, num_token=reports[-1].num_token,
        total=float(graph.edge_columns()[2].sum(dtype=float)),
    )  # fmt: skip
