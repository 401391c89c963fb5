"""What is no list of edges though it can be cut like one: refused with advice that leads to the right graph, or told."""

from __future__ import annotations

import gzip

import pytest

from nodeloom.errors import DataError
from nodeloom.graph import Graph


def read(folder, content, **options):
    path = folder / "edges"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    graph = Graph.from_file(path, **options)
    heads, tails, _ = graph.edge_columns()
    return list(zip(graph.names.take(heads), graph.names.take(tails), strict=True))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("(1, 2)\n(2, 3)\n", "got lines in brackets"),
        ("# pairs\n(1, 2, {'weight': 3})\n(2, 3, {})\n", "got lines in brackets"),
        ("[1, 2],\n[2, 3],\n", "got lines in brackets"),
        ("{a,b}\n{b,c}\n", "got lines in brackets"),
        ("1 2 {'weight': 3}\n2 3 {'weight': 1}\n", "networkx.read_edgelist .* give columns"),
        ("# by networkx\n1 2 {}\n2 3 {}\n", "networkx.read_edgelist .* give columns"),
        ("1 2 1,5\n2 3 2,5\n", "Write weights with a point"),
        (b"\xef\xbb\xbfversion https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 1\n", "Git LFS"),
        ("version https://hawser.github.com/spec/v1\noid sha256:ab\nsize 1\n", "Git LFS"),
        ("404: Not Found", "the answer of a server"),
        (gzip.compress(gzip.compress(b"a b\n", mtime=0), mtime=0), "compressed twice, by gzip and gzip"),
    ],
)
def test_refused(tmp_path, content, message):
    with pytest.raises(DataError, match=message):
        read(tmp_path, content)


@pytest.mark.parametrize(
    ("content", "columns", "edges"),
    [
        ('"","V1","V2"\n"1",5,6\n"2",6,7\n"3",7,8\n', ["V1", "V2"], [(5, 6), (6, 7), (7, 8)]),
        ("1 2 {'weight': 3, 'kind': 'x y'}\n2 3 {}\n", [1, 2], [(1, 2), (2, 3)]),
        ("1 2 50%\n2 3 20%\n", [1, 2], [(1, 2), (2, 3)]),
    ],
)
def test_the_columns_that_are_advised_are_right(tmp_path, content, columns, edges):
    advised = rf"columns=\[{', '.join(map(repr, columns))}\]"
    with pytest.raises(DataError, match=advised):
        read(tmp_path, content)
    assert read(tmp_path, content, columns=columns) == edges


def test_no_columns_are_advised_for_a_matrix(tmp_path):
    for content in (",a,b,c\na,0,1,0\nb,1,0,1\nc,0,1,0\n", ",1,2,3\n1,0,1,0\n2,1,0,1\n3,0,1,0\n"):
        with pytest.raises(DataError) as caught:
            read(tmp_path, content)
        assert "columns=" not in str(caught.value)


def test_no_columns_are_advised_for_one_line_that_is_none(tmp_path):
    with pytest.raises(DataError, match=r"edges:3: expected a number as the weight, got 'edges'$"):
        read(tmp_path, "a b 1\nb c 2\nTotal: 2 edges\n")


def test_sizes_above_edges_are_told(tmp_path, caplog):
    edges = "1 2\n2 3\n3 4\n4 5\n5 6\n"
    read(tmp_path, "6 5\n" + edges)
    assert "edges:1: '6 5' is read as an edge, but 5 lines follow" in caplog.text
    caplog.clear()
    read(tmp_path, "6 6 5\n" + edges.replace("\n", " 1\n"))
    assert "lines follow" in caplog.text
    caplog.clear()
    read(tmp_path, "1 6 5\n" + edges.replace("\n", " 1\n"))
    for content in (edges, "6 4\n" + edges, "a 5\n" + edges, "99 5\n" + edges):
        read(tmp_path, content)
    assert "lines follow" not in caplog.text
