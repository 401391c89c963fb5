"""Vocabulary: names of nodes, and the way back."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import DataError
from nodeloom.io import interning
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.interning import IntegerInterner, TextInterner
from nodeloom.io.vocabulary import Vocabulary, text_buffers
from nodeloom.kernels.reference import names as reference

TEXT = ["ann", "", "bob", "é", "a much longer name than eight bytes", "7"]
INTEGERS = [5, -3, 2**62, 0]


@pytest.fixture(params=["text", "large text", "integers", "sorted integers", "range"])
def vocabulary(request):
    return {
        "text": Vocabulary.from_names(TEXT),
        "large text": Vocabulary.from_arrow(pa.array(TEXT, pa.large_string())),
        "integers": Vocabulary.from_names(INTEGERS),
        "sorted integers": Vocabulary.from_names(sorted(INTEGERS)),
        "range": Vocabulary.range(4),
    }[request.param]


class TestEvery:
    def test_names_and_back(self, vocabulary):
        names = vocabulary.to_list()
        assert len(vocabulary) == len(names)
        assert list(vocabulary) == names == [vocabulary[i] for i in range(len(names))]
        assert vocabulary.find(names).tolist() == list(range(len(names)))
        assert vocabulary.take([2, 0]) == [names[2], names[0]]
        assert vocabulary[-1] == names[-1]
        assert vocabulary[1:3] == names[1:3]
        assert all(name in vocabulary for name in names)

    def test_out_of_range(self, vocabulary):
        with pytest.raises(IndexError):
            vocabulary[len(vocabulary)]

    def test_unknown(self, vocabulary):
        assert "nobody" not in vocabulary
        assert 99 not in vocabulary
        assert 2**70 not in vocabulary
        assert None not in vocabulary
        assert True not in vocabulary
        assert vocabulary.find(["nobody", vocabulary[1]], missing=-1).tolist() == [-1, 1]
        with pytest.raises(DataError, match="got 1 unknown name: 'nobody'"):
            vocabulary.find([str(vocabulary[0]), "nobody"])

    def test_equality_pickle_and_bytes(self, vocabulary):
        assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary
        assert Vocabulary.from_bytes(vocabulary.to_bytes(), len(vocabulary)) == vocabulary
        assert Vocabulary.from_arrow(vocabulary.to_arrow()) == vocabulary
        assert Vocabulary.from_names(vocabulary.to_list()) == vocabulary
        assert vocabulary != Vocabulary.from_names(["other"])
        assert vocabulary != Vocabulary.range(99)
        assert vocabulary != "x"

    def test_queries_of_every_kind(self, vocabulary):
        names = vocabulary.to_list()
        for queries in (
            iter(names),
            np.array(names, object),
            pa.array(names),
            pa.chunked_array([pa.array(names)]),
            pa.array(list(map(str, names))),
            pa.array(list(map(str, names))).dictionary_encode(),
            vocabulary,
        ):
            assert vocabulary.find(queries).tolist() == list(range(len(names)))
        assert vocabulary.find(pa.array(list(map(str, names)))[1:]).tolist() == list(range(1, len(names)))
        assert vocabulary.find([]).tolist() == []
        assert vocabulary.find(names[1]).tolist() == [1]


def test_the_unknown_are_told():
    with pytest.raises(
        DataError, match=r"\(such as 'ann' and ''\), got 7 unknown names: '0', '1', '2', '3', '4', \.\.\.$"
    ):
        Vocabulary.from_names(TEXT).find(["ann", *map(str, range(7))])
    with pytest.raises(DataError, match=r"\(0 to 3\), got 1 unknown name: 4$"):
        Vocabulary.range(4).find([4])
    with pytest.raises(DataError, match="which has none"):
        Vocabulary.range(0).find([4])


def test_a_range_takes_no_memory_and_is_recognised():
    assert Vocabulary.range(10**12).nbytes == 0
    assert Vocabulary.from_names([0, 1, 2]).is_range
    assert not Vocabulary.from_names([1, 2, 3]).is_range
    assert not Vocabulary.from_names(["0", "1"]).is_range
    assert Vocabulary.from_names([]).is_range


def test_integers_and_their_text():
    assert Vocabulary.range(4).find(["3", "03", "+3", "x"], missing=-1).tolist() == [3, -1, -1, -1]
    big = Vocabulary.from_names([2**63 - 1, -(2**63)])
    assert big.find([str(2**63 - 1), str(-(2**63)), str(2**63)], missing=-1).tolist() == [0, 1, -1]
    assert Vocabulary.from_names(["5", "x"]).find([5]).tolist() == [0]
    assert Vocabulary.from_names(["5", 6]).to_list() == ["5", "6"]
    assert Vocabulary.from_names([2**64, 1]).to_list() == [str(2**64), "1"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", "b", "a"], "expected each name once, got 'a' twice"),
        ([3, 1, 3], "expected each name once, got 3 twice"),
        (["1", 1], "got '1' twice"),
        ([1.5], "expected text or integers, got 1.5 of type float"),
        ([None], "got None of type NoneType"),
        ([True, False], "got True of type bool"),
    ],
)
def test_refused(names, message):
    with pytest.raises(DataError, match=message):
        Vocabulary.from_names(names)


def test_arrow_refused():
    with pytest.raises(DataError, match="got none for node 1"):
        Vocabulary.from_arrow(pa.array(["a", None]))
    with pytest.raises(DataError, match="got values of type double"):
        Vocabulary.from_arrow(pa.array([1.5]))
    with pytest.raises(ValueError, match="names"):
        Vocabulary.from_bytes(b"no Arrow stream", 3)


def test_repr():
    assert repr(Vocabulary.from_names(["a", "b"])) == "Vocabulary(['a', 'b'], 2 names)"
    assert repr(Vocabulary.from_names(range(1, 5))) == "Vocabulary([1, 2, 3, ...], 4 names)"
    assert repr(Vocabulary.range(3)) == "Vocabulary.range(3)"


def tokens_of(lines):
    """Lines of equal numbers of names, as one block and packed tokens [S, L]."""
    offsets, data = text_buffers(pa.array([name for line in lines for name in line], pa.string()))
    tokens = (offsets[:-1] << 32 | np.diff(offsets)).reshape(len(lines), -1).T
    return data, np.ascontiguousarray(tokens)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.tuples(*[st.text(max_size=20)] * 2), min_size=1, max_size=30), max_size=5), st.integers(1, 3)
)
def test_interning_text_equals_reference(blocks, num_thread):
    interner, known = TextInterner(num_thread, room=1), {}
    for lines in blocks:
        got = interner.add(*tokens_of(lines))
        np.testing.assert_array_equal(got.T, reference.intern(lines, known))
    assert interner.to_arrow().to_pylist() == list(known)
    if known:
        vocabulary = Vocabulary.from_arrow(interner.to_arrow())
        queries = [*known, "surely not here"]
        np.testing.assert_array_equal(vocabulary.find(queries, missing=-1), reference.find(queries, known))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.lists(st.tuples(*[st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 5)] * 2), min_size=1, max_size=30),
        max_size=5,
    )
)
def test_interning_integers_equals_reference(blocks):
    interner, known = IntegerInterner(room=1), {}
    for lines in blocks:
        got = interner.add(np.ascontiguousarray(np.array(lines, np.int64).T))
        np.testing.assert_array_equal(got.T, reference.intern(lines, known))
    assert interner.names().tolist() == list(known)


def test_interning_through_many_growths():
    names = [f"name {i}" for i in range(20_000)]
    lines = [(names[i], names[-i]) for i in range(20_000)]
    interner, known = TextInterner(), {}
    np.testing.assert_array_equal(interner.add(*tokens_of(lines)).T, reference.intern(lines, known))
    assert len(interner) == 20_000
    assert interner.to_arrow().to_pylist() == list(known)


@pytest.mark.parametrize("step", [1, 3, 10**9], ids=["all there", "with gaps", "far apart"])
def test_more_integers_than_ids_are_refused(monkeypatch, step):
    ends = np.arange(40, dtype=np.int64).reshape(2, 20) * step

    def collect():
        collector = EdgeCollector()
        collector.add_integers(ends)
        return collector.finish()

    monkeypatch.setattr(interning, "MAX_NAMES", 42)
    assert len(collect().names) == 40
    monkeypatch.setattr(interning, "MAX_NAMES", 41)
    with pytest.raises(DataError, match="expected at most 41 different ones, got more"):
        collect()
