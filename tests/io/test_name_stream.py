"""The block of names takes no more memory than its bytes, and holds nothing but names."""

import numpy as np
import pyarrow as pa
import pytest

from nodeloom.errors import DataError
from nodeloom.io.name_stream import read_stream
from nodeloom.io.vocabulary import Vocabulary


def stream(batches, *, compression=None, schema=None):
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_stream(sink, schema or batches[0].schema, options=options) as writer:
        for batch in batches:
            writer.write_batch(batch)
    return sink.getvalue()


def names(values, kind=None):
    return pa.record_batch([pa.array(values, kind)], names=["name"])


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.int64()])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_streams_of_names_are_read(kind, count):
    values = list(range(count)) if kind == pa.int64() else [f"é{i}" for i in range(count)]
    assert read_stream(stream([names(values, kind)]), count).to_pylist() == values
    if count > 1:
        assert read_stream(stream([names(values[:1], kind), names(values[1:], kind)]), count).to_pylist() == values


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
def test_compressed_streams_are_refused_before_they_are_unpacked(compression):
    data = stream([names(["a" * 100_000_000, "b" * 100_000_000])], compression=compression)
    assert data.size < 1_000_000
    del compression
    before = pa.total_allocated_bytes()
    pool = pa.default_memory_pool()
    peak = pool.max_memory()
    with pytest.raises(ValueError, match="expected an Arrow stream that is not compressed"):
        read_stream(data, 2)
    assert pa.total_allocated_bytes() == before
    assert pool.max_memory() == peak


OTHERS = {
    "dictionary": lambda: stream([pa.record_batch([pa.array(["a", "b"]).dictionary_encode()], names=["name"])]),
    "null": lambda: stream([pa.record_batch([pa.nulls(2)], names=["name"])]),
    "another column": lambda: stream([pa.record_batch([pa.array(["a", "b"])], names=["label"])]),
    "two columns": lambda: stream([pa.record_batch([pa.array(["a", "b"])] * 2, names=["name", "name"])]),
    "doubles": lambda: stream([names([1.0, 2.0])]),
    "none for one": lambda: stream([names(["a", None])]),
    "one more": lambda: stream([names(["a", "b", "c"])]),
    "views": lambda: stream([names(["a", "b"], pa.string_view())]),
    "nothing": lambda: b"",
    "half": lambda: stream([names(["a", "b"])]).to_pybytes()[:-60],
    "text": lambda: b"a\nb\n" * 50,
}


@pytest.mark.parametrize("other", OTHERS)
def test_other_streams_are_refused(other):
    with pytest.raises(ValueError, match=r"^names: expected"):
        read_stream(OTHERS[other](), 2)


def test_any_changed_byte_is_a_result_or_a_refusal():
    whole = stream([names(["ann", "bob"])]).to_pybytes()
    random = np.random.default_rng(0)
    for position in range(len(whole)):
        content = bytearray(whole)
        content[position] = random.integers(256)
        try:
            assert len(read_stream(bytes(content), 2)) == 2
        except ValueError as error:
            assert str(error).startswith("names: expected")


@pytest.mark.parametrize("values", [["a", "b", "a"], [3, 1, 3]])
def test_names_that_come_twice_are_told_at_the_first_search(values):
    found = Vocabulary.from_bytes(stream([names(values)]), 3)
    with pytest.raises(DataError, match="expected each name once"):
        found.find(values[:1])
