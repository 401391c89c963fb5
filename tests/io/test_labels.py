"""Label, link and filter files: what they hold arrives, what is wrong is told with its line."""

import bz2
import gzip
import io
import logging
import lzma
import sys
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import DataError
from nodeloom.io.labels import Labels
from nodeloom.io.links import read_filter, read_links
from nodeloom.io.vocabulary import Vocabulary

NAMES = Vocabulary.from_names(["ann", "bob", "eve", "ünï"])


def write(folder, content, name="labels.txt"):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def pairs(labels):
    return [(int(n), labels.class_names[c]) for n, c in zip(labels.nodes, labels.classes, strict=True)]


def test_lines_of_node_and_label(tmp_path):
    path = write(tmp_path, "eve red\nann blue\n\n# a comment\nann red # another\nünï grün")
    labels = Labels.from_file(path, NAMES)
    assert pairs(labels) == [(0, "blue"), (0, "red"), (2, "red"), (3, "grün")]
    assert labels.class_names == ("blue", "grün", "red")
    assert labels.num_nodes == 4
    assert labels.labelled.tolist() == [0, 2, 3]
    assert labels.indicator().toarray().astype(int).tolist() == [[1, 0, 1], [0, 0, 1], [0, 1, 0]]
    assert (labels.nodes.dtype, labels.classes.dtype) == (np.int64, np.int32)


def test_numbers_are_in_the_order_of_numbers(tmp_path):
    path = write(tmp_path, "0 10\n1 9\n2 -1\n")
    assert Labels.from_file(path, Vocabulary.range(3)).class_names == ("-1", "9", "10")


@pytest.mark.parametrize(
    "content",
    [
        b"ann\tred\r\nbob\tblue\r\n",
        b"\xef\xbb\xbfann red\nbob blue\n",
        b"ann red\rbob blue\r",
        b"  ann   red  \n\t bob \t blue",
        b"ann red\nbob blue\nbob blue\n",
    ],
)
def test_ends_of_lines_marks_and_blanks(tmp_path, content):
    assert pairs(Labels.from_file(write(tmp_path, content), NAMES)) == [(0, "red"), (1, "blue")]


@pytest.mark.parametrize("delimiters", [",", ";,", "|", "^", "]", "-", "\\", "\t"])
def test_delimiters_are_plain_characters(tmp_path, delimiters):
    names = Vocabulary.from_names(["ann lee", "bob"])
    first, last = delimiters[0], delimiters[-1]
    path = write(tmp_path, f"ann lee{first}dark red\nbob{last}{first}blue{last}\n")
    labels = Labels.from_file(path, names, delimiters=delimiters)
    assert pairs(labels) == [(0, "dark red"), (1, "blue")]


def test_blanks_around_names_are_no_part_of_them(tmp_path):
    # As in edge lists, where ``New York, Boston`` names 'New York' and 'Boston'.
    path = write(tmp_path, "New York, big city\n  \nBoston ,\tbig city \n")
    labels = Labels.from_file(path, Vocabulary.from_names(["New York", "Boston"]), delimiters=",")
    assert pairs(labels) == [(0, "big city"), (1, "big city")]


def test_several_labels_in_a_line(tmp_path, caplog):
    path = write(tmp_path, 'ann red blue\nbob blue\neve "dark red"\n')
    assert pairs(Labels.from_file(path, NAMES)) == [(0, "blue"), (0, "red"), (1, "blue"), (2, "dark red")]
    assert "1 lines have several labels, such as line 1: 'ann red blue'" in caplog.text
    caplog.clear()
    path = write(tmp_path, "ann,dark red,blue\nbob,blue,\n")
    assert pairs(Labels.from_file(path, NAMES)) == [(0, "blue"), (0, "dark red"), (1, "blue")]
    assert caplog.text == ""


@pytest.mark.parametrize("header", ["node label", "id class", "name group"])
@pytest.mark.parametrize("delimiter", [" ", ",", "\t", ";"])
def test_a_header_of_labels(tmp_path, caplog, header, delimiter):
    path = write(tmp_path, f"{header}\nann red\nbob blue\n".replace(" ", delimiter))
    assert pairs(Labels.from_file(path, NAMES)) == [(0, "red"), (1, "blue")]
    assert "labels.txt:1: taken as a header" in caplog.text
    path = write(tmp_path, f"{header}\n0 red\n1 blue\n".replace(" ", delimiter))
    assert pairs(Labels.from_file(path, Vocabulary.range(3))) == [(0, "red"), (1, "blue")]
    path = write(tmp_path, "source,target\nann,bob\nbob,eve\n")
    assert read_links(path, NAMES).heads.tolist() == [0, 1]


def test_a_stranger_in_the_first_line_is_no_header(tmp_path):
    with pytest.raises(DataError, match=r":1: expected nodes of the graph"):
        Labels.from_file(write(tmp_path, "zoe red\nann red\n"), NAMES)
    with pytest.raises(DataError, match=r":1: expected nodes of the graph"):
        Labels.from_file(write(tmp_path, "7 red\n1 red\n"), Vocabulary.range(3))


def test_a_comment_begins_a_line_or_a_label(tmp_path):
    labels = Labels.from_file(write(tmp_path, "ann c#1 # no\n  # no\nbob x\n#bob y\n"), NAMES)
    assert pairs(labels) == [(0, "c#1"), (1, "x")]


def test_other_comments(tmp_path):
    path = write(tmp_path, "% head\nann #1\nbob #2 % tail\n")
    assert pairs(Labels.from_file(path, NAMES, comment="%")) == [(0, "#1"), (1, "#2")]
    assert Labels.from_file(write(tmp_path, "ann #1\n"), NAMES, comment="").class_names == ("#1",)


PACKERS = {
    "gzip": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zstd": lambda data: pa.compress(data, "zstd", asbytes=True),
}


@pytest.mark.parametrize("kind", PACKERS)
def test_compressed_files_of_any_name(tmp_path, kind):
    pack = PACKERS[kind]
    path = write(tmp_path, pack(b"ann red\n"), "labels")
    assert pairs(Labels.from_file(path, NAMES)) == [(0, "red")]
    with pytest.raises(DataError, match=rf"labels: expected a whole {kind} file, got a truncated or damaged one"):
        Labels.from_file(write(tmp_path, pack(b"ann red\n" * 1000)[:-9], "labels"), NAMES)


def test_standard_input(monkeypatch):
    def stdin(data):
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))

    stdin(gzip.compress(b"ann red\n"))
    assert pairs(Labels.from_file("-", NAMES)) == [(0, "red")]
    stdin(b"ann bob 1\n")
    assert read_links("-", NAMES).heads.tolist() == [0]
    stdin(b"ann\n")
    with pytest.raises(DataError, match="standard input:1: expected 'node label', got 'ann'"):
        Labels.from_file("-", NAMES)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "cp1252"])
def test_other_encodings(tmp_path, encoding):
    path = write(tmp_path, "ünï grün\nann rot\n".encode(encoding))
    assert pairs(Labels.from_file(path, NAMES, encoding=encoding)) == [(0, "rot"), (3, "grün")]
    with pytest.raises(DataError, match="encoding: expected an encoding of text that Python knows"):
        Labels.from_file(path, NAMES, encoding="klingon")


token = st.text(st.characters(exclude_characters='#,;|"%/!-', exclude_categories=("Z", "C")), min_size=1, max_size=6)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(token, token), min_size=1, max_size=20))
def test_what_was_written_is_read(tmp_path_factory, rows):
    names = Vocabulary.from_names(sorted({node for node, _ in rows}))
    path = write(tmp_path_factory.mktemp("l"), "".join(f"{node} {label}\n" for node, label in rows))
    labels = Labels.from_file(path, names)
    assert {(str(names[n]), label) for n, label in pairs(labels)} == set(rows)


BAD = {
    "one token": ("ann red\n\nbob\n", r"labels\.txt:3: expected 'node label', got 'bob'"),
    "an empty label": ("ann,red\nbob,\n", r":2: expected 'node label', got 'bob'"),
    "an open quote": ('ann,"dark\nbob,blue\n', r":1: expected"),
    "other comments": ("% node label\nann red\n", "give comment='%'"),
    "empty": ("", "expected lines of the form 'node label', got 'none'"),
    "only comments": ("# a\n# b\n", "got 'none'"),
    "binary": (bytes(range(256)), "a text file, got 'binary data'"),
    "npz": (b"PK\x03\x04" + bytes(60), "expected lines of text, got a zip archive"),
    "Parquet": (b"PAR1" + bytes(60), "expected a text file, got 'a parquet file'"),
    "latin": ("ann red\nbob bl\xe4u\n".encode("latin1"), r":2: expected text in UTF-8, got .*Set encoding"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_files(tmp_path, kind):
    content, words = BAD[kind]
    with pytest.raises(DataError, match=words):
        Labels.from_file(write(tmp_path, content), NAMES)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(DataError, match="expected a file, got no file of this name"):
        Labels.from_file(tmp_path / "none.txt", NAMES)
    with pytest.raises(DataError, match="expected a file, got a folder"):
        Labels.from_file(tmp_path, NAMES)


def test_unknown_nodes_are_told(tmp_path):
    path = write(tmp_path, "ann red\n" + "".join(f"x{i % 7} red\n" for i in range(9)))
    with pytest.raises(DataError) as caught:
        Labels.from_file(path, NAMES)
    message = str(caught.value)
    assert "labels.txt:2" in message
    assert "9 of 10 lines" in message
    assert "'x0', 'x1', 'x2', 'x3', 'x4', ..." in message
    assert "x5" not in message
    assert "give unknown='skip'" in message


def test_unknown_nodes_are_left_out_on_request(tmp_path, caplog):
    path = write(tmp_path, "ann red\nzoe red\nzoe green\nbob blue\n")
    with caplog.at_level(logging.WARNING, logger="nodeloom"):
        labels = Labels.from_file(path, NAMES, unknown="skip")
    assert pairs(labels) == [(0, "red"), (1, "blue")]
    assert labels.class_names == ("blue", "red")
    assert "2 of 4 lines" in caplog.text
    with pytest.raises(DataError, match="another graph"):
        Labels.from_file(write(tmp_path, "zoe red\n"), NAMES, unknown="skip")


def test_pairs_are_sorted_and_counted_once():
    labels = Labels.from_pairs([3, 1, 3, 3], [1, 0, 1, 0], ["a", "b"], num_nodes=9)
    assert labels.nodes.tolist() == [1, 3, 3]
    assert labels.classes.tolist() == [0, 0, 1]
    assert Labels.from_pairs([2], [1]).class_names == ("0", "1")
    assert Labels.from_pairs([2], [1]).num_nodes == 3
    assert Labels.from_pairs([], []).labelled.tolist() == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([1, 2], [0]), "as many classes"),
        (([1.5], [0]), "integers"),
        (([-1], [0]), "got -1"),
        (([1], [3], ["a"]), "a class from 0 to 0, got 3"),
    ],
)
def test_bad_pairs(arguments, words):
    with pytest.raises(DataError, match=words):
        Labels.from_pairs(*arguments)
    with pytest.raises(DataError, match="a node from 0 to 3, got 4"):
        Labels.from_pairs([4], [0], num_nodes=4)


def test_links_of_two_columns_are_edges(tmp_path):
    links = read_links(write(tmp_path, "ann bob\n# no pair\nbob eve\n"), NAMES)
    assert (links.heads.tolist(), links.tails.tolist(), links.labels) == ([0, 1], [1, 2], None)
    assert read_links(write(tmp_path, "ann zoe\nbob eve\n"), NAMES, unknown="skip").heads.tolist() == [1]
    with pytest.raises(DataError, match=r":3: expected .* on all lines, .* got 'two columns, unlike the lines before"):
        read_links(write(tmp_path, "ann bob 1\nbob eve 0\nann eve\n"), NAMES)
    with pytest.raises(DataError, match=r":2: expected .* on all lines, .* got 'three columns"):
        read_links(write(tmp_path, "ann bob\nbob eve 0\n"), NAMES)


def test_links(tmp_path, caplog):
    path = write(tmp_path, "ann bob 1\nbob eve 0 # no\n")
    links = read_links(path, NAMES)
    assert (links.heads.tolist(), links.tails.tolist(), links.labels.tolist()) == ([0, 1], [1, 2], [True, False])
    with pytest.raises(DataError, match=r":2: expected 'head tail 0\|1'.*got 'yes'"):
        read_links(write(tmp_path, "ann bob 1\nbob eve yes\n"), NAMES)
    with pytest.raises(DataError, match=r":1: expected 'head tail 0\|1' or 'head tail', got 'ann'"):
        read_links(write(tmp_path, "ann\n"), NAMES)
    path = write(tmp_path, "ann zoe 1\nbob eve 1\nkim zoe 0\n")
    with pytest.raises(DataError, match="2 of 3 lines name nodes that it lacks: 'zoe', 'kim'"):
        read_links(path, NAMES)
    with caplog.at_level(logging.WARNING, logger="nodeloom"):
        assert read_links(path, NAMES, unknown="skip").heads.tolist() == [1]
    assert "2 of 3 lines" in caplog.text


def test_filters_pass_over_weights_and_strangers(tmp_path):
    path = write(tmp_path, "ann bob 0.5\nzoe eve\neve bob\n")
    known = read_filter(path, NAMES)
    assert (known.heads.tolist(), known.tails.tolist(), known.labels) == ([0, 2], [1, 1], None)


def test_numbers_find_names_that_are_numbers(tmp_path):
    links = read_links(write(tmp_path, "0 2 1\n1 2 0\n"), Vocabulary.range(3))
    assert links.tails.tolist() == [2, 2]
