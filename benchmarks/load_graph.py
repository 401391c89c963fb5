"""From a file to a graph: rate and peak memory for integer and text names, and the opening of a compiled graph."""

from __future__ import annotations

import os
import statistics
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from common import SkippedError, arguments, load, run_worker
from report import Report, spread

SET = "debian_large"
TARGETS = {"integers": 5.0, "text names": 2.0}
TARGET_MEMORY = 4.0
TARGET_OPEN = 10e-9  # CPU seconds for each entry: checksums and rows are checked


# A file that is large beside the limit under which it is compiled: 1.4 GB of text, 0.8 GB of rows.
BOUNDED_NODES, BOUNDED_EDGES = 6_000_000, 100_000_000
BOUNDED_LIMIT = 1_000_000_000


@dataclass
class Case:
    """One file and one way to load it."""

    name: str
    file: str
    how: str = "nodeloom"
    options: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("integers", "integers.txt"),
    Case("integers, 1 thread", "integers.txt", options={"num_thread": 1}),
    Case("integers, lines shuffled", "shuffled_integers.txt"),
    Case("integers and weights", "weights.txt"),
    Case("64-bit integers, scattered", "sparse.txt"),
    Case("text names", "text.txt"),
    Case("text names, 1 thread", "text.txt", options={"num_thread": 1}),
    Case("text names, lines shuffled", "shuffled_text.txt"),
    Case("text names, commas and comments", "commas.txt", options={"delimiters": ",", "comment": "//"}),
    Case("text names, gzip", "text.txt.gz"),
    Case("text names, Parquet", "text.parquet"),
    Case("compiled graph", "compiled.graph", how="open"),
    Case("pandas + SciPy, integers", "integers.txt", how="pandas"),
    Case("pandas + SciPy, text names", "text.txt", how="pandas"),
)


def write_files(edges: np.ndarray, folder: Path) -> None:
    """Write one graph in every form: in the order of the data set, tab-separated, unless the name says otherwise."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.csv
    import pyarrow.parquet

    from nodeloom import Graph

    rng = np.random.default_rng(0)
    heads, tails = (pa.array(column) for column in edges.T)
    order = rng.permutation(len(edges))

    def write(name: str, columns: list[pa.Array], delimiter: str = "\t") -> None:
        table = pa.table(columns, names=[str(i) for i in range(len(columns))])
        options = pyarrow.csv.WriteOptions(include_header=False, delimiter=delimiter, quoting_style="none")
        pyarrow.csv.write_csv(table, folder / name, options)

    write("integers.txt", [heads, tails])
    write("shuffled_integers.txt", [heads.take(order), tails.take(order)])
    write("weights.txt", [heads, tails, pa.array(rng.integers(1, 1000, len(edges)) / 100)])
    scattered = rng.permutation(rng.integers(10**12, 10**18, int(edges.max()) + 1))
    write("sparse.txt", [pa.array(scattered[column]) for column in edges.T])
    # About as long as names of packages or users.
    text = [pc.binary_join_element_wise("node-", column.cast(pa.string()), "") for column in (heads, tails)]
    write("text.txt", text)
    write("shuffled_text.txt", [column.take(order) for column in text])
    write("commas.txt", text, ",")
    with (folder / "commas.txt").open("a") as file:
        file.write("// the end\n")
    pyarrow.parquet.write_table(pa.table(text, names=["head", "tail"]), folder / "text.parquet")
    with pa.CompressedOutputStream(str(folder / "text.txt.gz"), "gzip") as sink:
        sink.write((folder / "text.txt").read_bytes())
    Graph.from_file(folder / "text.txt").save(folder / "compiled.graph")


def write_large(path: Path, num_nodes: int, num_edges: int) -> None:
    """Write random edges between integers, hubs among them, a part at a time."""
    import pyarrow as pa
    import pyarrow.csv

    rng = np.random.default_rng(0)
    options = pyarrow.csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    with path.open("wb") as file:
        for start in range(0, num_edges, 5_000_000):
            ends = (num_nodes * rng.random((2, min(5_000_000, num_edges - start))) ** 2).astype(np.int32)
            pyarrow.csv.write_csv(pa.table(list(ends), names=["head", "tail"]), file, options)


def bounded(report: Report, options: Any, folder: Path) -> None:
    """Compile a large file within a limit of memory, and in memory; add a table, and delete the files."""
    scale = 0.01 if options.quick else 1.0
    num_edges = int(BOUNDED_EDGES * scale)
    path = folder / "large.txt"
    write_large(path, int(BOUNDED_NODES * scale), num_edges)
    report.say(f"{num_edges:,} edges written")
    table = report.table(
        f"{num_edges:,} random edges, {path.stat().st_size / 1e9:.2f} GB of text, to a compiled graph",
        "how", "limit, MB", "M edges/s", "seconds", "CPU seconds", "peak of the process, MB", "graph, MB",
    )  # fmt: skip
    results = []
    for how, limit in (("bounded", BOUNDED_LIMIT), ("in memory", None)):
        request = {"how": "compile", "path": str(path), "options": {"memory_limit": limit}, "sample": ["0 1", "1 2"]}
        result = run_worker("load_graph.py", request, num_thread=options.threads)
        seconds, peak = result["seconds"], result["peak_bytes"]
        table.add(
            how, "" if limit is None else f"{limit / 1e6:.0f}", f"{num_edges / seconds / 1e6:.1f}", f"{seconds:.1f}",
            f"{result['cpu_seconds']:.1f}", f"{peak / 1e6:.0f}", f"{result['graph_bytes'] / 1e6:.0f}",
        )  # fmt: skip
        if limit is not None:
            report.check("bounded: memory", f"{limit / 1e6:.0f} MB", f"{peak / 1e6:.0f} MB", peak <= limit)
        results.append(result)
    same = results[0]["fingerprint"] == results[1]["fingerprint"]
    report.check("bounded and in memory give the same graph", "one fingerprint", "one" if same else "two", same)
    report.note("The peak of a compilation is that before the graph is opened, whose pages are mapped from the file.")
    report.raw["bounded"] = results
    path.unlink()


def sample(path: Path) -> list[str]:
    """Return some lines of a file, to compile the kernels by."""
    if path.suffix not in (".txt",):
        path = path.parent / "text.txt"
    with path.open() as file:
        return [next(file).strip() for _ in range(50)]


def main() -> None:
    """Run the benchmark."""
    parser = arguments(__doc__)
    parser.set_defaults(repeats=5)
    parser.add_argument("--only-bounded", action="store_true", help="only the file that is large beside the limit")
    parser.add_argument("--threads", type=int, default=2, help="threads that read and build")
    options = parser.parse_args()
    if options.quick:
        options.repeats = 1
    report = Report("load_graph", "From a file to a graph", options)
    if not options.only_bounded:
        known(report, options)
    # 5 GB for a while: TMPDIR says where.
    with tempfile.TemporaryDirectory(prefix="nodeloom-load-") as name:
        bounded(report, options, Path(name))
    report.finish()


def known(report: Report, options: Any) -> None:
    """Load a data set in every form."""
    try:
        edges = load(SET)["edges"]
    except SkippedError as reason:
        report.note(f"Skipped: {reason}.")
        return
    if options.quick:
        edges = edges[:: len(edges) // 100_000]
    results: dict[str, list[dict[str, Any]]] = {}
    loads: list[float] = []
    with tempfile.TemporaryDirectory(prefix="nodeloom-load-") as name:
        folder = Path(name)
        write_files(edges, folder)
        report.say("files written")
        for _ in range(options.repeats):
            loads.append(os.getloadavg()[0])
            for case in CASES:
                request = {"how": case.how, "path": str(folder / case.file), "options": dict(case.options)}
                num_thread = request["options"].pop("num_thread", options.threads)
                request["sample"] = sample(folder / case.file)
                try:
                    result = run_worker("load_graph.py", request, num_thread=num_thread)
                except SkippedError as reason:
                    report.say(f"{case.name}: {reason}")
                    continue
                results.setdefault(case.name, []).append(result)
        sizes = {case.name: (folder / case.file).stat().st_size for case in CASES}
    report_results(report, results, sizes, len(edges))
    busy = ", ".join(f"{load:.1f}" for load in loads)
    report.note(f"Load average of the machine before each round: {busy}. This benchmark alone makes it 1 to 2.")
    report.raw = {"load_average": loads} | results


def report_results(
    report: Report, results: dict[str, list[dict[str, Any]]], sizes: dict[str, int], num_edges: int
) -> None:
    """Fill the table and hold it against the targets."""
    table = report.table(
        f"{num_edges:,} edges of {SET}",
        "file", "MB", "M edges/s", "seconds", "CPU seconds", "peak growth, MB", "graph and names, MB", "growth / graph",
    )  # fmt: skip
    shapes = {name: (runs[0]["nnz"], runs[0]["num_names"], runs[0]["largest_degree"]) for name, runs in results.items()}
    for name, runs in results.items():
        seconds = [run["seconds"] for run in runs]
        growth = statistics.median(run["growth_bytes"] for run in runs)
        size = runs[0]["graph_bytes"]
        opened = name == "compiled graph"
        rate = "" if opened else spread([num_edges / s / 1e6 for s in seconds], "{:.1f}")
        table.add(
            name, f"{sizes[name] / 1e6:.0f}", rate, spread(seconds, "{:.4f}" if opened else "{:.2f}"),
            f"{statistics.median(run['cpu_seconds'] for run in runs):.2f}", f"{growth / 1e6:.0f}", f"{size / 1e6:.0f}",
            f"{growth / size:.2f}",
        )  # fmt: skip
        if name in TARGETS:
            measured = num_edges / statistics.median(seconds) / 1e6
            report.check(f"{name}: rate", f"{TARGETS[name]:g} M edges/s", f"{measured:.1f}", measured >= TARGETS[name])
        if opened:
            each = statistics.median(run["cpu_seconds"] for run in runs) / runs[0]["nnz"]
            target, measured = (f"{1e9 * value:.1f} ns an entry" for value in (TARGET_OPEN, each))
            report.check("opening a compiled graph, with its checks", target, measured, each <= TARGET_OPEN)
        elif not name.startswith("pandas"):
            times = growth / size
            report.check(f"{name}: memory", f"{TARGET_MEMORY:g} times", f"{times:.2f} times", times <= TARGET_MEMORY)
    report.check("all give the same rows", "one shape", f"{len(set(shapes.values()))}", len(set(shapes.values())) == 1)
    report.note("Growth is the peak of resident memory during the load, less what was resident before it.")
    report.note("Lines are in the order of the data set, sorted by head, as downloads are; shuffled where it says so.")
    report.note("CPU seconds tell when other programs held the cores: at rest, seconds are below them with 2 threads.")
    report.note("The files are in the cache of the operating system; kernels are compiled before the clock starts.")


if __name__ == "__main__":
    main()
