"""Compiling in bounded memory: number for number what is built in memory, whatever the limits, and nothing left behind."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom import DeepWalk, Graph
from nodeloom.errors import ConfigError, DataError, GraphError, MemoryLimitError, OutputError
from nodeloom.graph import compile as compile_module
from nodeloom.graph.build import BuildOptions
from nodeloom.graph.compile import automatic_limit, compile_within
from nodeloom.graph.ranges import Budget, range_bytes
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.estimate import estimate_edges


def shares(capacity=1 << 20, rows=1000, room=1 << 20):
    return Budget(room=room, num_thread=1, rows=rows, capacity=capacity)


def compiled(files, path, shares, weighted="auto", report=lambda *_: None, **options):
    compile_within(files, path, EdgeFormat(weighted=weighted), BuildOptions(num_thread=1, **options), shares, report)
    return Graph.open(path)


def check_same(got, want):
    assert got.names == want.names
    assert got.directed == want.directed
    assert (got.num_edges, got.num_loops) == (want.num_edges, want.num_loops)
    for name in ("indptr", "indices", "weights"):
        ours, theirs = getattr(got, name), getattr(want, name)
        assert (ours is None) == (theirs is None), name
        if ours is not None:
            assert ours.dtype == theirs.dtype
            np.testing.assert_array_equal(ours, theirs, name)
    assert got.fingerprint() == want.fingerprint()
    again = Graph(got.indptr, got.indices, got.weights, directed=got.directed)
    assert again.fingerprint() == want.fingerprint()


NAMES = {
    "numbers": lambda i: str(i),
    "gaps": lambda i: str(3 * i + 5),
    "negative": lambda i: str(i * i - 40),
    "scattered": lambda i: str((i * 2654435761987) % 2**62),
    "text": lambda i: f"n{i % 7}{i}",
    "text from the middle on": lambda i: str(i) if i < 9 else f"x{i}",
}


@st.composite
def edge_files(draw):
    """Draw lines of one or two files: few nodes, so that there are hubs, parallel edges and self-loops."""
    num_nodes = draw(st.integers(1, 30))
    node = st.integers(0, num_nodes - 1)
    if draw(st.booleans()):
        node = st.one_of(st.just(0), node)  # a hub
    name = NAMES[draw(st.sampled_from(sorted(NAMES)))]
    weight = st.sampled_from(["0.1", "1", "3.7", "1e-3", "16777217"]) if draw(st.booleans()) else st.just("")
    lines = draw(st.lists(st.tuples(node, node, weight), min_size=1, max_size=80))
    text = [f"{name(a)} {name(b)} {w}\n" for a, b, w in lines]
    middle = draw(st.integers(0, len(text) - 1))
    return ["".join(text[:middle]), "".join(text[middle:])]


@settings(max_examples=300, deadline=None)
@given(
    files=edge_files(),
    weighted=st.sampled_from(["auto", False]),
    directed=st.booleans(),
    duplicates=st.sampled_from(["auto", "sum", "first", "max", "keep"]),
    self_loops=st.sampled_from(["keep", "drop"]),
    normalization=st.booleans(),
    # From one entry at a time to all at once.
    entries=st.sampled_from([1, 2, 5, 17, 1000]),
    rows=st.sampled_from([1, 3, 1000]),
    room=st.sampled_from([3000, 100_000]),
)
def test_it_is_the_graph_that_is_built_in_memory(
    files, weighted, directed, duplicates, self_loops, normalization, entries, rows, room
):
    options = {
        "directed": directed,
        "duplicates": duplicates,
        "self_loops": self_loops,
        "normalization": normalization,
    }
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for i, text in enumerate(files):
            paths.append(Path(folder, f"{i}.txt"))
            paths[-1].write_text(text)
        want = Graph.from_file(paths, weighted=weighted, **options)
        output = Path(folder, "graph")
        held = want.num_nodes * (16 if directed else 8) if normalization else 0
        limits = shares(range_bytes(entries, 1, False) + held, rows, room * 100)
        got = compiled(paths, output, limits, weighted, **options)
        check_same(got, want)
        assert len(list(Path(folder).iterdir())) == 3
        del got, want


@pytest.mark.parametrize("duplicates", ["auto", "sum", "first", "max", "keep"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("normalization", [False, True])
@pytest.mark.parametrize("directed", [False, True])
def test_rows_and_pairs_beyond_the_memory(duplicates, weighted, normalization, directed, tmp_path):
    rng = np.random.default_rng(0)
    ends = np.concatenate([np.full((60, 2), [4, 9]), np.full((50, 2), 4), [[4, i] for i in range(40)]])
    path = tmp_path / "edges.txt"
    path.write_text(
        "".join(f"{a} {b} {w:.3f}\n" for (a, b), w in zip(rng.permutation(ends), rng.random(150), strict=True))
    )
    options = {"duplicates": duplicates, "directed": directed, "normalization": normalization}
    held = 40 * (16 if directed else 8) if normalization else 0
    for entries, rows in ((1, 1), (3, 7), (20, 1000)):
        limits = shares(range_bytes(entries, 1, weighted) + held, rows)
        got = compiled([path], tmp_path / "graph", limits, "auto" if weighted else False, **options)
        check_same(got, Graph.from_file(path, weighted="auto" if weighted else False, **options))


@pytest.fixture
def edges(tmp_path):
    """A file of 4,000 edges between 300 nodes."""
    ends = np.random.default_rng(0).integers(0, 300, (4000, 2))
    path = tmp_path / "edges.txt"
    path.write_text("".join(f"{a} {b}\n" for a, b in ends.tolist()))
    return path


def test_through_the_method(edges, tmp_path):
    want = Graph.from_file(edges)
    stages = []
    got = Graph.compile(edges, tmp_path / "graph", memory_limit="2GB", report=lambda *told: stages.append(told))
    check_same(got, want)
    assert list(dict.fromkeys(stage for stage, _, _ in stages)) == ["reading", "counting", "sorting", "building"]
    assert [told for told in stages if told[0] == "reading"][-1] == ("reading", 4000, None)
    assert [told[1] == told[2] for told in stages if told[0] == "building"][-1]
    stages.clear()
    check_same(Graph.compile(edges, tmp_path / "graph", report=lambda *told: stages.append(told)), want)
    assert stages == []  # small: in memory
    directed = Graph.compile(edges, tmp_path / "graph", memory_limit=2 * 10**9, directed=True, self_loops="drop")
    check_same(directed, Graph.from_file(edges, directed=True, self_loops="drop"))


def test_automatic_is_bounded_where_memory_would_be_short(edges, tmp_path, monkeypatch):
    assert automatic_limit(10**9, 64 * 10**9) is None
    assert automatic_limit(2 * 10**9, 64 * 10**9) == 32 * 10**9
    assert automatic_limit(None, 64 * 10**9) is automatic_limit(10**12, None) is None
    monkeypatch.setattr(compile_module, "_BYTES_IN_MEMORY", 10**9)
    stages = []
    got = Graph.compile(edges, tmp_path / "graph", report=lambda *told: stages.append(told))
    check_same(got, Graph.from_file(edges))
    assert stages


def test_compressed_and_parquet(edges, tmp_path):
    import gzip

    import pyarrow as pa
    import pyarrow.parquet as pq

    want = Graph.from_file(edges)
    with gzip.open(tmp_path / "edges.gz", "wb") as file:
        file.write(edges.read_bytes())
    check_same(compiled([tmp_path / "edges.gz"], tmp_path / "graph", shares(5000)), want)
    ends = np.loadtxt(edges, np.int64)
    table = pa.table({"source": ends[:, 0], "target": ends[:, 1], "weight": np.arange(1, 4001)})
    pq.write_table(table, tmp_path / "edges.parquet", row_group_size=700)
    form = EdgeFormat()
    compile_within(
        [tmp_path / "edges.parquet"], tmp_path / "graph", form, BuildOptions(), shares(5000), lambda *_: None
    )
    check_same(Graph.open(tmp_path / "graph"), Graph.from_file(tmp_path / "edges.parquet"))
    assert estimate_edges([tmp_path / "edges.parquet"], form) == 4000
    assert estimate_edges([edges], form) == pytest.approx(4000, rel=0.05)
    assert estimate_edges([edges, tmp_path / "none"], form) is estimate_edges(["-"], form) is None


def test_a_long_row_has_the_same_normalised_weights(tmp_path):
    # Sums of thousands of weights are added in vectors: in parts they would be others.
    rng = np.random.default_rng(1)
    path = tmp_path / "star.txt"
    path.write_text("".join(f"0 {i} {w:.3f}\n" for i, w in enumerate(rng.random(20_000) + 0.01, 1)))
    for directed in (False, True):
        options = {"normalization": True, "directed": directed}
        held = 20_001 * (16 if directed else 8)
        got = compiled([path], tmp_path / "graph", shares(300_000 + held), **options)
        check_same(got, Graph.from_file(path, **options))


def test_training_on_the_opened_graph(edges, tmp_path):
    got = compiled([edges], tmp_path / "graph", shares(5000))
    models = [DeepWalk(dim=8, num_epoch=2, seed=1, num_thread=1, device="cpu") for _ in range(2)]
    for model, graph in zip(models, (got, Graph.from_file(edges)), strict=True):
        model.fit(graph)
    np.testing.assert_array_equal(models[0].vectors_, models[1].vectors_)


def entries(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_left_after_an_error(edges, tmp_path):
    Graph.from_edges([[0, 1]]).save(tmp_path / "graph")
    before = (tmp_path / "graph").read_bytes()
    edges.write_text(edges.read_text() + "7\n")
    with pytest.raises(DataError, match=r"edges\.txt:4001: expected 'head tail'"):
        compiled([edges], tmp_path / "graph", shares(5000))
    edges.write_text("0 1 3e38\n1 0 3e38\n")
    with pytest.raises(GraphError, match="got infinity"):
        compiled([edges], tmp_path / "graph", shares(range_bytes(1, 1, False)))

    edges.write_text("".join(f"{i} {i + 1}\n" for i in range(2000)))

    def stop(what, done, total):
        if what == "building":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compiled([edges], tmp_path / "graph", shares(5000), report=stop)
    assert entries(tmp_path) == ["edges.txt", "graph"]
    assert (tmp_path / "graph").read_bytes() == before


def test_nothing_is_left_after_ctrl_c(tmp_path):
    rows = np.random.default_rng(0).integers(0, 10**6, (2_000_000, 2))
    path = tmp_path / "edges.parquet"
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"head": rows[:, 0], "tail": rows[:, 1]}), path)
    code = (
        "import sys; from nodeloom import Graph\n"
        "Graph.compile(sys.argv[1], sys.argv[2], memory_limit='4GB', "
        "report=lambda *_: print('.', flush=True))"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code, path, tmp_path / "graph"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout is not None
    assert child.stdout.readline()
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert b"KeyboardInterrupt" in err
    assert entries(tmp_path) == ["edges.parquet"]


def test_too_little_memory(edges, tmp_path):
    with pytest.raises(MemoryLimitError, match=r"memory_limit: expected at least .* already, got 50 MB\. Raise it"):
        Graph.compile(edges, tmp_path / "graph", memory_limit="50MB")
    with pytest.raises(ConfigError, match=r"memory_limit: expected a number of bytes such as .*, got 'much'"):
        Graph.compile(edges, tmp_path / "graph", memory_limit="much")
    with pytest.raises(MemoryLimitError, match=r"normalization needs 2\.4 kB of memory for 300 nodes alone"):
        compiled([edges], tmp_path / "graph", shares(5000, room=2000), normalization=True)
    edges.write_text("".join(f"node{i} node{i + 1}\n" for i in range(3000)))
    with pytest.raises(MemoryLimitError, match=r"the names of .* nodes alone need .*, and memory_limit leaves 100 kB"):
        compiled([edges], tmp_path / "graph", shares(5000, room=100_000))
    edges.write_text("".join(f"{i**7} {(i + 1) ** 7}\n" for i in range(1, 480)))
    with pytest.raises(MemoryLimitError, match=r"the names of .* nodes alone need"):
        compiled([edges], tmp_path / "graph", shares(5000, room=20_000))
    assert entries(tmp_path) == ["edges.txt"]


def test_too_little_space_on_the_disk(edges, tmp_path, monkeypatch):
    import shutil

    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=50_000))
    expected = r"graph: expected .* GB of free space on the disk, got '5e-05 GB'\. Free some space"
    with pytest.raises(OutputError, match=expected):  # before it is read
        Graph.compile(edges, tmp_path / "graph", memory_limit="2GB")
    with pytest.raises(OutputError, match=expected):  # when it is known how much it is
        compiled([edges], tmp_path / "graph", shares(5000))
    assert entries(tmp_path) == ["edges.txt"]


def test_a_pipe_cannot_be_written_in_parts(edges):
    with pytest.raises(OutputError, match="expected a file, to be written in parts"):
        compiled([edges], "/dev/null", shares(5000))
