"""Encodings of text files: told by a byte order mark or by zeros, named by the user, or refused."""

from __future__ import annotations

import codecs

import pytest

from nodeloom.errors import ConfigError, DataError
from nodeloom.graph import Graph
from nodeloom.io.labels import Labels
from nodeloom.io.vocabulary import Vocabulary

EDGES = "é b\nb ü\n"
NAMES = ["é", "b", "ü"]


def write(folder, content):
    path = folder / "edges"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
@pytest.mark.parametrize("mark", ["utf-8", "utf-16-le", "utf-16-be"])
def test_a_mark_tells_the_encoding(tmp_path, mark, encoding):
    if (mark, encoding) in {("utf-16-le", "latin-1"), ("utf-16-be", "latin-1")}:
        pytest.skip("these two characters may begin a text in latin-1")
    path = write(tmp_path, ("\ufeff" + EDGES).encode(mark))
    assert Graph.from_file(path, encoding=encoding).names.to_list() == NAMES
    labels = Labels.from_file(path, Vocabulary.from_names(["é", "b"]), encoding=encoding)
    assert labels.class_names == ("b", "ü")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("written", ["utf-16-le", "utf-16-be"])
def test_without_a_mark_zeros_tell_utf_16(tmp_path, written, encoding):
    path = write(tmp_path, EDGES.encode(written))
    assert Graph.from_file(path, encoding=encoding).names.to_list() == NAMES
    assert Labels.from_file(path, Vocabulary.from_names(["é", "b"]), encoding=encoding).num_classes == 2


def test_utf_32_with_a_mark(tmp_path):
    assert Graph.from_file(write(tmp_path, codecs.BOM_UTF32_LE + EDGES.encode("utf-32-le"))).names.to_list() == NAMES


@pytest.mark.parametrize(
    "encoding",
    [
        "hex",
        "zlib",
        "bz2",
        "base64",
        "rot13",
        "uu",
        "quopri",
        "punycode",
        "idna",
        "undefined",
        "unicode_escape",
        "",
        "a\0",
    ],
)
def test_no_encoding_of_text(tmp_path, encoding):
    path = write(tmp_path, b"a b\n")
    for read in (
        Graph.from_file,
        lambda path, encoding: Labels.from_file(path, Vocabulary.range(3), encoding=encoding),
    ):
        with pytest.raises(DataError, match="encoding: expected an encoding of text that Python knows"):
            read(path, encoding=encoding)
    from nodeloom.config import config_from_dict

    with pytest.raises(ConfigError, match="encoding: expected an encoding of text"):
        config_from_dict(
            {"application": "graph", "graph": {"file_name": "x"}, "format": {"encoding": encoding}}, "c.yaml"
        )


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"a b\n\xff", "utf-16"),
        (b"a b\n", "utf-32"),
        (b"\xff\xfea b\n\n", "utf-16"),
        (b"+2AA- b\n", "utf-7"),
        (b"\x80\xff\n", "shift_jis"),
    ],
)
def test_text_in_another_encoding(tmp_path, content, encoding):
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=r"edges.*: expected text in .*encoding"):
        Graph.from_file(path, encoding=encoding)


def test_plain_text_is_not_utf_16(tmp_path):
    with pytest.raises(
        DataError, match="encoding: expected that of the file, which begins with plain ASCII, got 'utf-16'"
    ):
        Graph.from_file(write(tmp_path, b"a b\nb c\n"), encoding="utf-16")


def test_words_of_a_model_inside_an_edge_list(tmp_path):
    # The first 1024 bytes were searched for them.
    path = write(tmp_path, b'a {"format":"nodeloom"}\nb "format":"nodeloom-graph"\n')
    assert Graph.from_file(path).num_edges == 2
