"""Arrow files and streams, and the types of their columns: read as they are meant, and checked before they are used."""

from __future__ import annotations

import decimal
import io
import random
import sys

import numpy as np
import pyarrow as pa
import pytest

from nodeloom.errors import DataError
from nodeloom.graph import Graph


def ipc(table, new=pa.ipc.new_file, **options):
    sink = pa.BufferOutputStream()
    with new(sink, table.schema, **options) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def read(folder, content, **options):
    path = folder / "edges.arrow"
    path.write_bytes(content)
    return Graph.from_file(path, **options)


TABLE = pa.table({"source": ["a", "b"], "target": ["b", "c"], "weight": [1.0, 2.0]})


def test_a_stream(tmp_path, monkeypatch):
    content = ipc(TABLE, pa.ipc.new_stream)
    assert read(tmp_path, content).names.to_list() == ["a", "b", "c"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert Graph.from_file("-").is_weighted
    with pytest.raises(DataError, match="expected a whole Arrow stream"):
        read(tmp_path, content[:-60])


NAMES = {
    "view": pa.array(["a", "b"], pa.string_view()),
    "categories of views": pa.DictionaryArray.from_arrays(
        pa.array([0, 1], pa.uint32()), pa.array(["a", "b"], pa.string_view())
    ),
    "categories": pa.array(["a", "b"]).dictionary_encode(),
    "binary": pa.array([b"a", b"b"]),
    "large binary": pa.array([b"a", b"b"], pa.large_binary()),
    "fixed binary": pa.array([b"a", b"b"], pa.binary(1)),
    "runs": pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b"]),
}


@pytest.mark.parametrize("kind", NAMES)
def test_text_of_any_type(tmp_path, kind):
    table = pa.table({"source": NAMES[kind], "target": ["c", "c"]})
    assert Graph.from_arrow(table).names.to_list() == ["a", "c", "b"]
    if kind != "runs":
        assert read(tmp_path, ipc(table)).names.to_list() == ["a", "c", "b"]


def test_polars_categories(tmp_path):
    pl = pytest.importorskip("polars")
    frame = pl.DataFrame({"source": ["a", "b"], "target": ["b", "c"]})
    for kind in (pl.Categorical, pl.Enum(["a", "b", "c"])):
        cast = frame.with_columns(pl.all().cast(kind))
        cast.write_ipc(tmp_path / "c.arrow")
        cast.write_ipc_stream(tmp_path / "s.arrow")
        for graph in (
            Graph.from_polars(cast),
            Graph.from_file(tmp_path / "c.arrow"),
            Graph.from_file(tmp_path / "s.arrow"),
        ):
            assert graph.names.to_list() == ["a", "b", "c"]


def test_decimals():
    numbers = [decimal.Decimal(1), decimal.Decimal(2)]
    table = pa.table({"u": pa.array(numbers, pa.decimal128(20, 2)), "v": [5, 5], "weight": numbers})
    graph = Graph.from_arrow(table)
    assert graph.names.to_list() == [1, 2, 5]
    assert graph.weights.tolist() == [1.0, 2.0, 1.0, 2.0]
    long = pa.table({"u": pa.array([decimal.Decimal(10**30)]), "v": [5]})
    assert Graph.from_arrow(long).names.to_list() == [str(10**30), "5"]
    with pytest.raises(DataError, match="expected names as text or integers in column 'u', got values of type decimal"):
        Graph.from_arrow(pa.table({"u": [decimal.Decimal("1.5")], "v": [5]}))


def test_weights_as_text_and_categories():
    for weights in (
        pa.array([" 0.5", "2 "]),
        pa.array(["0.5", "2"], pa.string_view()),
        pa.array([0.5, 2.0]).dictionary_encode(),
    ):
        graph = Graph.from_arrow(pa.table({"u": ["a", "b"], "v": ["b", "c"], "w": weights}), ["u", "v", "w"])
        assert graph.edge_columns()[2].tolist() == [0.5, 2.0]
    with pytest.raises(DataError, match="row 1: expected a number as the weight, got 'x'"):
        Graph.from_arrow(pa.table({"u": ["a", "b"], "v": ["b", "c"], "w": ["1", "x"]}), ["u", "v", "w"])


def test_columns_by_number_and_with_blanks(tmp_path):
    table = TABLE.rename_columns(["Source", " Target", " Weight "])
    assert read(tmp_path, ipc(table)).is_weighted
    assert read(tmp_path, ipc(table), columns=["Source", "Target"]).num_edges == 2
    assert read(tmp_path, ipc(table), columns=[1, "2"]).names.to_list() == ["a", "b", "c"]
    with pytest.raises(
        DataError, match="expected the column 4, got a table with the columns 'Source', 'Target', 'Weight'"
    ):
        read(tmp_path, ipc(table), columns=[1, 4])


def damaged(content, at, value):
    changed = bytearray(content)
    changed[at : at + len(value)] = value
    return bytes(changed)


def test_wrong_offsets_are_noticed(tmp_path):
    content = ipc(TABLE)
    offsets = np.array([0, 1, 2], np.int32).tobytes()
    at = content.index(offsets)
    for value in (np.int32(2_000_000_000), np.int32(-5), np.int32(40)):
        with pytest.raises(DataError, match=r"edges\.arrow: expected a whole Arrow file, got"):
            read(tmp_path, damaged(content, at + 4, value.tobytes()))


def test_wrong_categories_are_noticed(tmp_path):
    table = pa.table({"source": pa.array(["a", "b"] * 9).dictionary_encode(), "target": ["c"] * 18})
    content = ipc(table)
    at = content.index(np.array([0, 1] * 9, np.int32).tobytes())
    with pytest.raises(DataError, match=r"edges\.arrow: expected a whole Arrow file, got"):
        read(tmp_path, damaged(content, at, np.int32(1 << 30).tobytes()))


def test_bytes_that_are_no_text_are_noticed(tmp_path):
    content = ipc(pa.table({"source": ["aéa"], "target": ["b"]}))
    with pytest.raises(DataError, match="UTF8"):
        read(tmp_path, content.replace("é".encode(), b"\xff\xff"))


def test_damaged_files_end_in_a_result_or_one_message(tmp_path):
    rng = random.Random(5)
    whole = [ipc(TABLE), ipc(TABLE, pa.ipc.new_stream), ipc(TABLE, options=pa.ipc.IpcWriteOptions(compression="lz4"))]
    for _ in range(300):
        content = bytearray(rng.choice(whole))
        for _ in range(rng.randrange(1, 5)):
            content[rng.randrange(8, len(content))] = rng.choice([0, 1, 127, 255, rng.randrange(256)])
        try:
            graph = read(tmp_path, bytes(content))
        except DataError:
            continue
        list(graph.names)
