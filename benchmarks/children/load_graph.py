"""From a file of edges to rows in memory: seconds, peak memory, and what came out. Kernels are compiled before."""

import tempfile
from pathlib import Path

import numpy as np
from child import Stopwatch, answer, memory, peak_bytes, request, reset_peak

asked = request()


def nodeloom_file(path, options):
    """Load by nodeloom; returns indptr, indices, bytes of graph and names, number of names."""
    from nodeloom import Graph

    graph = Graph.from_file(path, num_thread=asked["num_thread"], **options)
    return graph.indptr, graph.indices, graph.nbytes, len(graph.names)


def nodeloom_open(path, options):
    """Open the compiled graph."""
    from nodeloom import Graph

    graph = Graph.open(path)
    return graph.indptr, graph.indices, graph.nbytes, len(graph.names)


def nodeloom_compile(path, options):
    """Compile within a limit of memory (None: in memory), and open what came out."""
    from nodeloom import Graph
    from nodeloom.graph.compile import compile_files

    output = f"{path}.nlg"
    if options["memory_limit"] is None:
        Graph.from_file(path, num_thread=asked["num_thread"]).save(output)
    else:
        compile_files(path, output, num_thread=asked["num_thread"], **options)
    # Before the graph is opened: its pages are mapped, and belong to the cache of the system, which takes them back.
    peaks.append(peak_bytes())
    graph = Graph.open(output)
    Path(output).unlink()  # what is mapped stays until it is let go
    fingerprints.append(graph.fingerprint())
    return graph.indptr, graph.indices, graph.nbytes, len(graph.names)


def pandas_scipy(path, options):
    """Load as one does without a library: pandas reads and numbers the names, SciPy builds symmetric rows."""
    import pandas
    import scipy.sparse

    frame = pandas.read_csv(path, sep="\t", header=None, engine="c")
    ids, names = pandas.factorize(frame.to_numpy().ravel())
    heads, tails = ids[0::2].astype(np.int32), ids[1::2].astype(np.int32)
    ones = np.ones(len(heads), np.float32)
    matrix = scipy.sparse.coo_array((ones, (heads, tails)), shape=(len(names), len(names))).tocsr()
    matrix = (matrix + matrix.T).tocsr()
    return matrix.indptr, matrix.indices, matrix.indptr.nbytes + matrix.indices.nbytes, len(names)


def warm_up(folder):
    """Import what will be needed and compile the kernels, on a few edges."""
    sample = Path(folder, "sample.txt")
    sample.write_text("\n".join(asked["sample"]) + "\n")
    if asked["how"] == "open":
        from nodeloom import Graph

        Graph.from_file(sample).save(Path(folder, "sample"))
        sample = Path(folder, "sample")
    load(sample, options)
    if asked["path"].endswith("parquet"):
        import pyarrow
        import pyarrow.parquet

        sample = Path(folder, "sample.parquet")
        pyarrow.parquet.write_table(pyarrow.table({"head": ["a", "b"], "tail": ["b", "c"]}), sample)
        load(sample, options)


ways = {"nodeloom": nodeloom_file, "open": nodeloom_open, "compile": nodeloom_compile, "pandas": pandas_scipy}
load = ways[asked["how"]]
fingerprints, peaks = [], []
options = asked["options"]
with tempfile.TemporaryDirectory() as folder:
    warm_up(folder)

before = memory("VmRSS") or peak_bytes()
reset_peak()
with Stopwatch() as watch:
    indptr, indices, nbytes, num_names = load(asked["path"], options)
peak = peaks[-1] if peaks else peak_bytes()
growth = peak - before
assert indptr[-1] == len(indices)
answer(
    seconds=watch.seconds, cpu_seconds=watch.cpu_seconds, growth_bytes=growth, peak_bytes=peak, graph_bytes=nbytes,
    fingerprint=fingerprints[-1:], num_names=num_names, nnz=len(indices), largest_degree=int(np.diff(indptr).max()),
)  # fmt: skip
