"""Tables in memory and in files: which columns are the edges, and what they may hold."""

from __future__ import annotations

import gzip
import io
import sys
import tracemalloc

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from nodeloom.errors import DataError
from nodeloom.graph import Graph
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.columns import choose_columns
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.edgelist import collect_edges


def edges_of(graph):
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    values = [None] * len(heads) if weights is None else weights.tolist()
    return sorted((*sorted(pair, key=str), w) for pair, w in zip(ends, values, strict=True))


TABLE = pa.table({"time": [9, 8, 7], "target": ["b", "c", "a"], "source": ["a", "b", "c"], "weight": [1.0, 2.0, 3.0]})
EDGES = [("a", "b", 1.0), ("a", "c", 3.0), ("b", "c", 2.0)]


class TestColumns:
    @pytest.mark.parametrize(
        ("available", "columns", "weighted", "chosen"),
        [
            (["head", "tail"], None, "auto", ["head", "tail"]),
            (["x", "Target", "SOURCE", "Weight"], None, "auto", ["SOURCE", "Target", "Weight"]),
            (["x", "src", "dst", "weight"], None, False, ["src", "dst"]),
            (["a", "b"], None, "auto", ["a", "b"]),
            (["a", "b", "c"], ["c", "a"], "auto", ["c", "a"]),
            (["a", "b", "c"], ["c", "a", "b"], "auto", ["c", "a", "b"]),
        ],
    )
    def test_chosen(self, available, columns, weighted, chosen):
        assert [available[i] for i in choose_columns(available, columns, weighted, "t")] == chosen

    @pytest.mark.parametrize(
        ("available", "columns", "weighted", "message"),
        [
            (["a", "b", "c"], None, "auto", "t: expected columns 'head' and 'tail'.*got the columns 'a', 'b', 'c'"),
            (["a", "b"], ["a", "x"], "auto", "expected the column 'x', got a table with the columns 'a', 'b'"),
            (["head", "tail"], None, True, "expected a column of weights"),
            (["head", "tail", "head"], None, "auto", "got 'head' twice"),
        ],
    )
    def test_refused(self, available, columns, weighted, message):
        with pytest.raises(DataError, match=message):
            choose_columns(available, columns, weighted, "t")


class TestArrow:
    def test_table(self):
        graph = Graph.from_arrow(TABLE)
        assert edges_of(graph) == EDGES
        assert graph.names.to_list() == ["a", "b", "c"]
        assert not Graph.from_arrow(TABLE, weighted=False).is_weighted
        assert Graph.from_arrow(TABLE, directed=True).directed

    def test_batch_and_reader(self):
        assert edges_of(Graph.from_arrow(TABLE.to_batches()[0])) == EDGES
        assert edges_of(Graph.from_arrow(TABLE.to_reader())) == EDGES

    @pytest.mark.parametrize(
        "kind", [pa.int8(), pa.uint16(), pa.int64(), pa.uint64(), pa.dictionary(pa.int8(), pa.int64())]
    )
    def test_integers(self, kind):
        values = (
            pa.array([5, 7, 5]).cast(kind)
            if not pa.types.is_dictionary(kind)
            else pa.array([5, 7, 5]).dictionary_encode()
        )
        graph = Graph.from_arrow(pa.table({"u": values, "v": values[::-1] if False else pa.array([7, 9, 9])}))
        assert graph.names.to_list() == [5, 7, 9]
        assert [e[:2] for e in edges_of(graph)] == [(5, 7), (5, 9), (7, 9)]

    def test_integers_beyond_int64_are_text(self):
        graph = Graph.from_arrow(pa.table({"u": pa.array([2**63], pa.uint64()), "v": pa.array([1], pa.uint64())}))
        assert graph.names.to_list() == [str(2**63), "1"]

    @pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
    def test_text(self, kind):
        column = (
            pa.array(["x", "é"]).dictionary_encode() if pa.types.is_dictionary(kind) else pa.array(["x", "é"], kind)
        )
        graph = Graph.from_arrow(pa.table({"u": column, "v": ["", "x"]}))
        assert graph.names.to_list() == ["x", "", "é"]

    def test_text_beside_integers(self):
        graph = Graph.from_arrow(pa.table({"u": ["x", "y"], "v": [1, 2]}))
        assert graph.names.to_list() == ["x", "1", "y", "2"]

    def test_slices_and_chunks(self):
        column = pa.chunked_array([["zz", "a", "b"], ["c"]])
        table = pa.table({"u": column, "v": pa.chunked_array([["q", "b"], ["c", "a"]])}).slice(1)
        assert edges_of(Graph.from_arrow(table)) == [("a", "b", None), ("a", "c", None), ("b", "c", None)]

    @pytest.mark.parametrize(
        ("table", "message"),
        [
            (
                {"head": ["a", None], "tail": ["b", "c"]},
                "expected a value in every row of column 'head', got none in row 1",
            ),
            (
                {"head": [1.5], "tail": [2.5]},
                "expected names as text or integers in column 'head', got values of type double",
            ),
            ({"head": ["a"], "tail": ["b"], "weight": [-1.0]}, "got -1.0 in row 0"),
            ({"head": ["a"], "tail": ["b"], "weight": [True]}, "expected numbers as weights, got values of type bool"),
            ({"head": [], "tail": []}, "got a table without rows"),
        ],
    )
    def test_refused(self, table, message):
        with pytest.raises(DataError, match=message):
            Graph.from_arrow(pa.table(table))

    def test_another_object(self):
        with pytest.raises(DataError, match="expected an Arrow table, got list"):
            Graph.from_arrow([1, 2])


def test_pandas():
    pd = pytest.importorskip("pandas")
    frame = TABLE.to_pandas()
    assert edges_of(Graph.from_pandas(frame)) == EDGES
    assert Graph.from_pandas(frame.set_index("time")).num_edges == 3
    mixed = pd.DataFrame({"u": ["a", 1], "v": [2, "b"]})
    assert Graph.from_pandas(mixed).names.to_list() == ["a", "2", "1", "b"]
    with pytest.raises(DataError, match="got none in row 1"):
        Graph.from_pandas(pd.DataFrame({"u": ["a", None], "v": ["b", "c"]}))
    with pytest.raises(DataError, match="expected a pandas data frame, got dict"):
        Graph.from_pandas({})


def test_pandas_columns_by_number():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame([[0, 1, 0.5], [1, 2, 0.5]])
    for columns in ([0, 1, 2], ["0", "1", "2"]):
        assert edges_of(Graph.from_pandas(frame, columns)) == [(0, 1, 0.5), (1, 2, 0.5)]
    assert edges_of(Graph.from_pandas(frame, [1, 0])) == [(0, 1, None), (1, 2, None)]


def test_pandas_numbers_beyond_64_bits():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"u": [2**70, 1], "v": [1, 2], "weight": [10**30, 1]})
    graph = Graph.from_pandas(frame)
    assert graph.names.to_list() == [str(2**70), "1", "2"]
    assert graph.weights.max() == np.float32(1e30)


def test_polars():
    pl = pytest.importorskip("polars")
    assert edges_of(Graph.from_polars(pl.from_arrow(TABLE))) == EDGES
    assert edges_of(Graph.from_arrow(pl.from_arrow(TABLE), ["source", "target"])) == [(*e[:2], None) for e in EDGES]


class TestFiles:
    def test_parquet(self, tmp_path):
        path = tmp_path / "edges.whatever"
        pyarrow.parquet.write_table(TABLE, path, row_group_size=2)
        assert edges_of(Graph.from_file(path)) == EDGES
        assert edges_of(Graph.from_file(path, columns=["source", "target", "time"]))[0] == ("a", "b", 9.0)

    def test_arrow(self, tmp_path):
        path = tmp_path / "edges.arrow"
        pyarrow.feather.write_feather(TABLE, str(path))
        assert edges_of(Graph.from_file(path)) == EDGES

    def test_parquet_from_standard_input(self, monkeypatch):
        sink = io.BytesIO()
        pyarrow.parquet.write_table(TABLE, sink)
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(sink.getvalue())))
        assert edges_of(Graph.from_file("-")) == EDGES

    @pytest.mark.parametrize("write", [pyarrow.parquet.write_table, pyarrow.feather.write_feather])
    def test_truncated(self, tmp_path, write):
        path = tmp_path / "edges"
        write(TABLE, str(path))
        path.write_bytes(path.read_bytes()[:-20])
        with pytest.raises(DataError, match=r"edges: expected a whole (Parquet|Arrow) file, got"):
            Graph.from_file(path)

    def test_csv(self, tmp_path):
        path = tmp_path / "edges.csv"
        path.write_bytes(b'# a comment\n\ntime,source,target,weight\r\n1,"a, x",b,1\r\n# another\r\n2,b,c,2.5\r\n')
        graph = Graph.from_file(path, columns=("source", "target", "weight"))
        assert edges_of(graph) == [("a, x", "b", 1.0), ("b", "c", 2.5)]
        assert edges_of(Graph.from_file(path, columns=("source", "target"))) == [("a, x", "b", None), ("b", "c", None)]

    @pytest.mark.parametrize("delimiter", [",", "\t", ";", "|", " "])
    def test_the_delimiter_is_found_in_the_header(self, tmp_path, delimiter):
        path = tmp_path / "edges"
        path.write_text("\n".join(delimiter.join(row) for row in (["x", "u", "v"], ["0", "5", "7"], ["0", "7", "3"])))
        graph = Graph.from_file(path, columns=("u", "v"))
        assert graph.names.to_list() == [3, 5, 7]

    def test_a_given_delimiter(self, tmp_path):
        path = tmp_path / "edges"
        path.write_text("u:v\na:b\n")
        assert edges_of(Graph.from_file(path, columns=("u", "v"), delimiters=":")) == [("a", "b", None)]

    def test_compressed_with_a_byte_order_mark(self, tmp_path):
        path = tmp_path / "edges"
        path.write_bytes(gzip.compress(b"\xef\xbb\xbfu,v\n1,2\n2,x\n"))
        assert edges_of(Graph.from_file(path, columns=("u", "v"))) == [("1", "2", None), ("2", "x", None)]

    def test_integers_that_are_written_otherwise_are_text(self, tmp_path):
        path = tmp_path / "edges"
        path.write_text("u,v\n007,7\n")
        assert Graph.from_file(path, columns=("u", "v")).names.to_list() == ["007", "7"]

    def test_encoding(self, tmp_path):
        path = tmp_path / "edges"
        path.write_bytes("u,v\na,b\né,b\n".encode("latin-1"))
        with pytest.raises(
            DataError, match=r"edges:3: expected text in UTF-8, got b'\\xe9,b'\. Give encoding='latin-1'"
        ):
            Graph.from_file(path, columns=("u", "v"))
        assert "é" in Graph.from_file(path, columns=("u", "v"), encoding="latin-1").names

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (b"", "edges: expected edges, got an empty file"),
            (b"# nothing\n", "edges: expected edges, got"),
            (b"u,v,w\n", "edges: expected edges, got"),
            (b"a,b\n1,2\n", "expected the columns 'u', 'v', 'w', got a table with the columns 'a', 'b'"),
            (b"u,v,w\n1,2,3\n4,5\n", "edges:3: expected 3 columns, got '4,5'"),
            (b"u,v,w\n1,2,1\n3,4,x\n", "edges:3: expected a number as the weight, got 'x'"),
            (b"u,v,w\n1,2,\n", "edges:2: expected 3 columns, got '1,2,'. A cell is empty"),
            (b"u,v,w\n1,2,nan\n", "edges:2: expected positive, finite weights, got nan"),
            (b"u,v,w\n1,2,0\n", "an edge of weight 0 is never walked"),
            (b"\x1f\x8b\x08garbage", "expected a whole gzip file, got a truncated or damaged one"),
        ],
    )
    def test_refused(self, tmp_path, content, message):
        path = tmp_path / "edges"
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            Graph.from_file(path, columns=("u", "v", "w"))


def test_many_batches_keep_the_order(tmp_path, monkeypatch):
    monkeypatch.setattr("nodeloom.io.tables._BATCH", 3)
    rng = np.random.default_rng(0)
    ends = rng.integers(0, 50, (2, 100)).astype(str)
    table = pa.table({"u": ends[0], "v": ends[1]})
    first_seen = list(dict.fromkeys(ends.T.ravel().tolist()))
    assert Graph.from_arrow(table).names.to_list() == first_seen


def test_large_batches_of_text_are_taken_in_parts(monkeypatch):
    from nodeloom.io import collector

    monkeypatch.setattr(collector, "_ROWS", 3)
    heads = pa.chunked_array([[f"n{i % 7}" for i in range(20)]]).combine_chunks()
    tails = pa.array([f"n{(i * 3 + 1) % 11}" for i in range(20)])
    weights = np.arange(1, 21, dtype=np.float32)
    edges = collector.EdgeCollector()
    edges.add_arrow(heads, tails, weights=weights)
    columns = edges.finish()
    assert columns.names.take(columns.heads) == heads.to_pylist()
    assert columns.names.take(columns.tails) == tails.to_pylist()
    assert columns.weights.tolist() == weights.tolist()


@pytest.mark.parametrize("row_group_size", [1 << 18, 1 << 23], ids=["many row groups", "one row group"])
def test_a_parquet_file_is_never_in_memory_as_a_whole(tmp_path, row_group_size):
    # It was: iter_batches read all column chunks ahead, or at least all of a row group.
    class Counter(EdgeCollector):
        def _keep(self, ends):
            pass

    numbers = np.random.default_rng(0).integers(0, 2**30, (2, 1 << 23)).astype(np.int32)
    path = tmp_path / "edges.parquet"
    pa.parquet.write_table(pa.table(list(numbers), names=["head", "tail"]), path, row_group_size=row_group_size)
    collector = Counter()
    tracemalloc.start()  # Arrow reads through Python, which makes the bytes
    try:
        collect_edges([path], collector, EdgeFormat(), 1)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert collector.num_edges == 1 << 23
    assert peak < 25 << 20 < path.stat().st_size
