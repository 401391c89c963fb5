"""Edge lists in text: what is read, and what each bad file is told."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import random
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import ConfigError, DataError
from nodeloom.graph import Graph
from nodeloom.io import source as source_module
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.edgelist import read_edges
from nodeloom.io.edgelist_text import hide_escapes, kinds_of
from nodeloom.io.layout import Layout, Line
from nodeloom.kernels.cpu import tokens as kernels
from nodeloom.kernels.reference import tokens as reference


def read(tmp_path, content, *, num_thread=2, **form):
    path = tmp_path / "edges.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_edges(path, EdgeFormat(**form), num_thread=num_thread)


def named(columns):
    """The edges with the names of their ends, and weights where there are any."""
    ends = zip(columns.names.take(columns.heads), columns.names.take(columns.tails), strict=True)
    if columns.weights is None:
        return list(ends)
    return [(*pair, w) for pair, w in zip(ends, columns.weights.tolist(), strict=True)]


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks so small that lines, comments and names fall on their edges."""
    original = source_module.line_blocks
    monkeypatch.setattr(
        "nodeloom.io.edgelist_text.line_blocks", lambda source, encoding: original(source, encoding, size=7)
    )


class TestLines:
    @pytest.mark.parametrize(
        ("text", "edges"),
        [
            ("a b\nb c\n", [("a", "b"), ("b", "c")]),
            ("a b", [("a", "b")]),
            ("a\tb\r\nb \t c\r\n", [("a", "b"), ("b", "c")]),
            ("  a   b  \n\n \t\n", [("a", "b")]),
            ("# a comment\na b # another\n#\nc d#e\n", [("a", "b"), ("c", "d#e")]),
            ("a b 2\nc d .5\n", [("a", "b", 2.0), ("c", "d", 0.5)]),
            ("a b +1.5e1\nc d 25E-2\n", [("a", "b", 15.0), ("c", "d", 0.25)]),
            ("é 漢字\n", [("é", "漢字")]),
            ("a b\rb c\r# note\rc a", [("a", "b"), ("b", "c"), ("c", "a")]),
            ("a b\rb c\r\nc a\n", [("a", "b"), ("b", "c"), ("c", "a")]),
        ],
    )
    def test_text(self, tmp_path, text, edges):
        assert named(read(tmp_path, text)) == edges

    def test_text_names_are_numbered_in_reading_order(self, tmp_path):
        columns = read(tmp_path, "z a\nb z\nc a\n")
        assert columns.names.to_list() == ["z", "a", "b", "c"]
        assert columns.heads.tolist() == [0, 2, 3]
        assert columns.heads.dtype == columns.tails.dtype == np.int32

    def test_a_range_of_integers_takes_no_names(self, tmp_path):
        columns = read(tmp_path, "3 1\n0 2\n")
        assert columns.names.is_range
        assert columns.heads.tolist() == [3, 0]

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ("7 5\n5 9\n", [5, 7, 9]),
            ("1 2\n2 3\n", [1, 2, 3]),
            ("-3 2\n2 -1\n", [-3, -1, 2]),
            ("3000000000 5\n", [5, 3000000000]),
            ("9223372036854775807 -9223372036854775808\n", [-9223372036854775808, 9223372036854775807]),
        ],
    )
    def test_other_integers_are_names_in_ascending_order(self, tmp_path, text, names):
        columns = read(tmp_path, text)
        assert columns.names.to_list() == names
        assert named(columns) == [tuple(map(int, line.split())) for line in text.splitlines()]

    @pytest.mark.parametrize(
        "odd", ["x", "07", "+7", "-0", "1.0", "9223372036854775808", "-9223372036854775809", "1_0", "１", "-"]
    )
    def test_with_one_name_that_is_no_integer_all_are_text(self, tmp_path, odd):
        columns = read(tmp_path, f"5 3\n3 {odd}\n")
        assert columns.names.to_list() == ["5", "3", odd]

    def test_integers_turn_to_text_in_later_blocks(self, tmp_path, small_blocks):
        lines = [(str(i % 13), str(i % 7)) for i in range(60)] + [("x", "3")] + [("11", "y")]
        columns = read(tmp_path, "".join(f"{h} {t}\n" for h, t in lines))
        assert named(columns) == lines
        assert columns.names.to_list() == list(dict.fromkeys(name for line in lines for name in line))

    @pytest.mark.parametrize("num_thread", [1, 2, 5])
    def test_blocks_and_threads_change_nothing(self, tmp_path, small_blocks, num_thread):
        rng = random.Random(1)
        lines = [(f"n{rng.randrange(40)}", f"n{rng.randrange(40)}", rng.randrange(1, 9) / 4) for _ in range(300)]
        text = "".join(f"{h} {t} {w}\n" + ("# note\n" if w > 2 else "") for h, t, w in lines)
        assert named(read(tmp_path, text, num_thread=num_thread)) == lines

    def test_byte_order_mark(self, tmp_path):
        assert named(read(tmp_path, codecs.BOM_UTF8 + b"1 2\n")) == [(1, 2)]

    def test_bytes_of_another_encoding_in_comments_do_not_matter(self, tmp_path):
        assert named(read(tmp_path, b"# \xe9\na b # \xfc\n")) == [("a", "b")]

    @pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
    def test_encoding(self, tmp_path, encoding):
        assert named(read(tmp_path, "é b\nb ü\n".encode(encoding), encoding=encoding)) == [("é", "b"), ("b", "ü")]


class TestFormat:
    def test_delimiters_are_a_set(self, tmp_path):
        text = "a.b;c\n;d..e ;;\n"
        with pytest.raises(DataError):
            read(tmp_path, text)
        assert named(read(tmp_path, "a,b\n;c,;d\n", delimiters=",;")) == [("a", "b"), ("c", "d")]

    def test_names_with_blanks(self, tmp_path):
        columns = read(tmp_path, "New York, San José , 2\r\n", delimiters=",")
        assert named(columns) == [("New York", "San José", 2.0)]

    def test_comment_prefix(self, tmp_path):
        assert named(read(tmp_path, "a/b c //x\n// y\n", comment="//")) == [("a/b", "c")]
        assert named(read(tmp_path, "a# #b\n", comment="")) == [("a#", "#b")]
        assert named(read(tmp_path, "% x\na#1 b\n", comment="%")) == [("a#1", "b")]

    def test_weighted(self, tmp_path):
        text = "a b 2 9\nc d x\n"
        assert named(read(tmp_path, text, weighted=False)) == [("a", "b"), ("c", "d")]
        assert named(read(tmp_path, "a b 2\n", weighted=True)) == [("a", "b", 2.0)]
        with pytest.raises(DataError, match="expected 'head tail weight', got 'a b'"):
            read(tmp_path, "a b\n", weighted=True)

    @pytest.mark.parametrize(
        ("form", "message"),
        [
            ({"delimiters": ""}, "delimiters: expected a string"),
            ({"delimiters": "é"}, "delimiters: expected ASCII"),
            ({"comment": "a b"}, "comment: expected a prefix without delimiters"),
            ({"weighted": "yes"}, "weighted: expected True, False or 'auto', got 'yes'"),
            ({"columns": "ab"}, "columns: expected the names, or the numbers, of two or three"),
            ({"columns": ["a"]}, "columns: expected the names, or the numbers, of two or three"),
        ],
    )
    def test_refused(self, form, message):
        with pytest.raises(ConfigError, match=message):
            EdgeFormat(**form)

    def test_unknown_encoding(self, tmp_path):
        with pytest.raises(DataError, match=r"encoding: expected an encoding of text that Python knows.*got 'utf-9'"):
            read(tmp_path, "a b\n", encoding="utf-9")


class TestFiles:
    @pytest.mark.parametrize(
        "compress",
        [
            gzip.compress,
            bz2.compress,
            lzma.compress,
            lambda data: pa.compress(data, "zstd", asbytes=True),
            lambda data: gzip.compress(data[:4]) + gzip.compress(data[4:]),
        ],
        ids=["gzip", "bz2", "xz", "zstd", "two gzip members"],
    )
    def test_compressed(self, tmp_path, compress):
        content = compress(b"a b\nb c\n")
        assert named(read(tmp_path, content)) == [("a", "b"), ("b", "c")]

    def test_several(self, tmp_path):
        (tmp_path / "1").write_text("5 3\n")
        (tmp_path / "2").write_bytes(gzip.compress(b"3 x\n"))
        columns = read_edges([tmp_path / "1", str(tmp_path / "2")])
        assert named(columns) == [("5", "3"), ("3", "x")]

    def test_several_with_and_without_weights(self, tmp_path):
        (tmp_path / "1").write_text("5 3\n")
        (tmp_path / "2").write_text("5 3 1\n")
        with pytest.raises(
            DataError,
            match=r"1: expected weights as in .*2, got edges without. To read both without, give weighted=False",
        ):
            read_edges([tmp_path / "1", tmp_path / "2"])

        pa.parquet.write_table(pa.table({"head": [1], "tail": [2]}), tmp_path / "3")
        with pytest.raises(DataError, match=r"3: expected weights as in .*2, got edges without"):
            read_edges([tmp_path / "2", tmp_path / "3"])

    @pytest.mark.parametrize("content", [b"a b\n", gzip.compress(b"a b\n", mtime=0)])
    def test_standard_input(self, monkeypatch, content):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
        assert named(read_edges("-")) == [("a", "b")]

    def test_graph(self, tmp_path):
        path = tmp_path / "edges"
        path.write_text("b a 2\na b 3\nb b 1\n")
        graph = Graph.from_file(path)
        assert graph.num_edges == 2
        assert graph.weights.tolist() == [1.0, 5.0, 5.0]
        assert graph.names.to_list() == ["b", "a"]
        graph = Graph.from_file(path, directed=True, duplicates="first", self_loops="drop", weighted=False)
        assert (graph.directed, graph.num_edges, graph.is_weighted) == (True, 2, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"edges.txt: expected edges, got an empty file\."),
        (b"\n\n  \n", r"got only comments and blank lines\."),
        (b"# a\n  # b\n", r"got only comments and blank lines\."),
        (b"a b\n\nc\n", r"edges.txt:3: expected 'head tail' as in the lines before, got 'c'"),
        (b"a\n", r"edges.txt:1: expected 'head tail \[weight\]', got 'a'$"),
        (b"a:b\n", r"edges.txt:1: .*got 'a:b'\. If ':' separates the columns, give delimiters=':'\.$"),
        (b"a b\r\nc #d\r\n", r"edges.txt:2: .*got 'c #d'\. If names begin with '#', give comment='', or another"),
        (b"a b c d\n", r"edges.txt:1: .*got 'a b c d'\. Say which columns are head and tail, and give columns"),
        (b"a b\nc d e\n", r"edges.txt:2: .*got 'c d e'\. If names contain blanks, write them in quotes"),
        (b"a b\nc d 1\n", r"edges.txt:2: expected 'head tail' as in the lines before, got 'c d 1'\. .*weighted=False"),
        (b"a b 1\nc d\n", r"edges.txt:2: expected 'head tail weight' as in .*, got 'c d'\. .*weighted=False"),
        (b"a b 1\nc d x\n", r"edges.txt:2: expected a number as the weight, got 'x'"),
        (b"a b 1e\n", r"edges.txt:1: expected a number as the weight, got '1e'"),
        (b"a b 1_0\n", r"edges.txt:1: expected a weight in decimal digits such as 0.5 or 1e-3, got '1_0'"),
        (b"a b .\n", r"edges.txt:1: expected a number as the weight, got '\.'"),
        (b"a b nan\n", r"edges.txt:1: expected positive, finite weights, got nan$"),
        (b"a b -inf\n", r"edges.txt:1: expected positive, finite weights, got -inf$"),
        (b"a b 0.0\n", r"edges.txt:1: .*got 0.0 \(an edge of weight 0 is never walked: leave it out\)"),
        (b"1 2 -3\n", r"edges.txt:1: expected positive, finite weights, got -3.0"),
        (b"1 2 1e39\n", r"edges.txt:1: .*beyond the range of float32: scale the weights"),
        (b"1 2 1e-70\n", r"edges.txt:1: .*beyond the range of float32: scale the weights"),
        (b"a b\n\xe9 c\n", r"edges.txt:2: expected text in UTF-8, got b'\\xe9 c'\. Give encoding='latin-1'"),
        (b"a b\nc d\x00\n", r"edges.txt:2: expected lines of text, got b'c d\\x00'\. .*is this file binary"),
        (bytes(range(256)) * 20, r"edges.txt:1: expected lines of text, got .*is this file binary"),
        (gzip.compress(b"a b\n" * 99, mtime=0)[:-9], r"expected a whole gzip file, got a truncated or damaged one"),
        (bz2.compress(b"a b\n" * 99)[:-9], r"expected a whole bz2 file, got a truncated or damaged one"),
        (lzma.compress(b"a b\n" * 99)[:-9], r"expected a whole xz file, got a truncated or damaged one"),
        (pa.compress(b"a b\n" * 99, "zstd", asbytes=True)[:-9], r"expected a whole zstd file, got a truncated"),
        (gzip.compress(b"a b\n", mtime=0)[:6] + b"junk", r"expected a whole gzip file"),
    ],
)
def test_bad_files(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


def test_bad_lines_in_later_blocks_have_the_right_number(tmp_path, small_blocks):
    text = "".join(f"node{i} node{i + 1}\n\n# {i}\n" for i in range(50)) + "alone\n"
    with pytest.raises(DataError, match=r"edges.txt:151: expected 'head tail' as in the lines before, got 'alone'"):
        read(tmp_path, text)


@pytest.mark.parametrize("save", [np.save, np.savez])
def test_numpy_files(tmp_path, save):
    with (tmp_path / "edges").open("wb") as file:
        save(file, np.array([[0, 1]]))
    with pytest.raises(DataError, match=r"expected a list of edges, got a .*Graph\.from_edges"):
        read_edges(tmp_path / "edges")


def test_missing_file(tmp_path):
    with pytest.raises(DataError, match=r"nowhere.txt: expected a file, got no file of this name"):
        read_edges(tmp_path / "nowhere.txt")


def test_folder(tmp_path):
    with pytest.raises(DataError, match="expected a file, got a folder"):
        read_edges(tmp_path)


def test_no_files():
    with pytest.raises(DataError, match="expected at least one, got an empty list"):
        read_edges([])


def test_not_in_the_encoding(tmp_path):
    with pytest.raises(DataError, match="expected text in utf-16"):
        read(tmp_path, b"\xff\xfea b\n\n", encoding="utf-16")


CHARACTERS = st.sampled_from(list('ab12 \t\r,;#/é"\ufeff') + ["\n"] * 3)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_any_text_is_cut_as_the_definition_says(data):
    text = "".join(data.draw(st.lists(CHARACTERS, max_size=60))).removeprefix("\ufeff").strip("\0")
    delimiters = data.draw(st.sampled_from([" \t", ",", ", ", ",; ", "\t", " \t\r\n"]))
    comment = data.draw(st.sampled_from(["", "#", "//", "#/"]))
    places = data.draw(st.sampled_from([(0, 1), (1, 0), (0, 2)]))
    line = Line(1, "")
    layout = Layout(delimiters, np.array(places), 0, b"", (line,))
    block = text.encode()
    kinds = kinds_of(layout, comment)
    ends = np.empty((2, len(block) + 1), np.int64)
    try:
        want = reference.read_edges(text, delimiters, comment, max(places) + 1)
    except ValueError:
        want = None
    arguments = (
        kinds,
        np.frombuffer(comment.encode() or b"\0", np.uint8),
        np.empty(0, np.uint8),
        layout.places,
        0,
        bool(layout.cell),
    )
    status, num_edge, _, _, _ = kernels.read_edges(
        np.frombuffer(block or b"\n", np.uint8), *arguments, False, ends, np.empty(0, np.float32)
    )
    if status == kernels.ESCAPE:
        block = hide_escapes(block)
        status, num_edge, _, _, _ = kernels.read_edges(
            np.frombuffer(block, np.uint8), *arguments, False, ends, np.empty(0, np.float32)
        )
    if want is None:
        assert status in (kernels.BAD_QUOTE, kernels.TOO_FEW)
        return
    whole = [all(place < len(cells) and cells[place] for place in places) for cells in want]
    if not all(whole):
        assert status == kernels.TOO_FEW
        return
    assert status == kernels.OK
    tokens = [
        [block[t >> 32 :][: t & 0xFFFFFFFF].replace(b"\0", b'"').decode() for t in row]
        for row in ends[:, :num_edge].tolist()
    ]
    assert list(zip(*tokens, strict=True)) == [tuple(cells[place] for place in places) for cells in want]


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.floats(1e-30, 1e30).map(repr),
        st.floats(2.0**-90, 2.0**90, width=32).map(repr),
        st.decimals("0.000000000000001", "99999999999999999999", places=15).filter(lambda d: d > 0).map(str),
        st.integers(1, 10**30).map(str),
    )
)
def test_weights_are_read_as_python_reads_them(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "weight.txt"
    path.write_text(f"1 2 {text}\n")
    got = read_edges(path).weights[0]
    want = np.float32(float(text))
    # The digits pass through float64 with at most three roundings, so a tie of float32 may fall either way.
    assert got == want or abs(int(got.view(np.int32)) - int(want.view(np.int32))) <= 1


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\x1f\x8b\x08", b"BZh9", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PAR1", b"ARROW1", b"1 2\n"]
    ),
    st.sampled_from([None, ("a", "b")]),
)
def test_junk_is_read_or_refused_but_never_more(tmp_path_factory, junk, start, columns):
    path = tmp_path_factory.getbasetemp() / "junk"
    path.write_bytes(start + junk)
    try:
        result = read_edges(path, EdgeFormat(columns=columns))
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert len(result.heads) == len(result.tails) > 0
