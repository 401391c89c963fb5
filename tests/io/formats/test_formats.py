"""Formats of graphs: recognised by their first bytes, read as NetworkX reads them, refused where they cannot be right."""

from __future__ import annotations

import gzip
import lzma

import pytest

from nodeloom.config import GraphConfig
from nodeloom.errors import DataError
from nodeloom.graph import Graph
from nodeloom.io.edge_format import FORMATS
from nodeloom.io.triple_format import TRIPLE_FORMATS


def edges_of(graph):
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    return list(ends) if weights is None else [(*e, w) for e, w in zip(ends, weights.tolist(), strict=True)]


def read(tmp_path, content, name="file.txt", **options):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Graph.from_file(path, **options)


GRAPHML = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><key id="d0" for="edge" attr.name="weight" attr.type="double"/>
<key id="d1" for="edge" attr.name="cost" attr.type="double"><default>7</default></key>
<graph edgedefault="undirected"><node id="a"/><node id="b"/><node id="c"/><edge source="a" target="b"><data key="d0">1.5</data>
</edge><edge source="b" target="b"/></graph></graphml>"""
GEXF = """<gexf xmlns="http://www.gexf.net/1.2draft"><graph defaultedgetype="directed"><nodes><node id="0" label="Ann"/>
<node id="1" label="Bob"/></nodes><edges><edge source="0" target="1" weight="2.0"/></edges></graph></gexf>"""
GML = """Creator "x [y"
# a comment
graph
[
  directed 0
  node [ id 1 label "A &#233;" graphics [ x 1 ] ]
  node [ id 2 label "B" ]
  node [ id 3 label "C" ]
  edge [ source 1 target 2 weight 3 ]
  edge [ source 1 target 2 weight 1 ]
]
"""
PAJEK = '% c\n*Vertices 4\n1 "Ann" 0.1\n2 "Bob B"\n3 "Eve"\n4 "Joe"\n*Edges\n1 2 1\n*Edgeslist\n2 3 4\n'
METIS = "4 4\n2 4\n1 3\n2 4\n1 3\n"
MULTILINE = "0 1\n1 {}\n1 1\n2 {'weight': 3}\n2 0\n"
KONECT = "% sym unweighted\n% 3 4 4\n1 2\n2 3\n3 1\n"

READ = {
    "graphml": (GRAPHML, [("a", "b", 1.5), ("b", "b", 1.0)], ["a", "b", "c"]),
    "gexf": (GEXF, [("Ann", "Bob", 2.0)], ["Ann", "Bob"]),
    "gml": (GML, [("A é", "B", 4.0)], ["A é", "B", "C"]),
    "pajek": (PAJEK, [("Ann", "Bob B"), ("Bob B", "Eve"), ("Bob B", "Joe")], ["Ann", "Bob B", "Eve", "Joe"]),
    "metis": (METIS, [(1, 2), (1, 4), (2, 3), (3, 4)], [1, 2, 3, 4]),
    "multiline-adjlist": (MULTILINE, [(0, 1, 1.0), (1, 2, 3.0)], [0, 1, 2]),
    "konect": (KONECT, [(1, 2), (1, 3), (2, 3)], [1, 2, 3]),
}


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_recognised(tmp_path, name, pack):
    text, edges, names = READ[name]
    graph = read(tmp_path, pack(text.encode()))
    assert edges_of(graph) == edges
    assert graph.names.to_list() == names
    assert read(tmp_path, text, format=name).fingerprint() == graph.fingerprint()


@pytest.mark.parametrize("name", READ)
def test_compiled_in_bounded_memory(tmp_path, name):
    graph = read(tmp_path, READ[name][0])
    small = Graph.compile(tmp_path / "file.txt", tmp_path / "g.nlg", memory_limit="2GB")
    assert small.fingerprint() == graph.fingerprint()
    assert small.names == graph.names


def test_formats_are_those_of_the_configuration():
    assert GraphConfig.model_fields["format"].annotation.__args__ == tuple(dict.fromkeys((*FORMATS, *TRIPLE_FORMATS)))


def test_an_undirected_file_read_as_directed_has_arcs_each_way(tmp_path):
    assert edges_of(read(tmp_path, METIS, directed=True)).count((1, 2)) == 1
    assert edges_of(read(tmp_path, METIS, directed=True)).count((2, 1)) == 1
    assert edges_of(read(tmp_path, GRAPHML, directed=True)) == [("a", "b", 1.5), ("b", "a", 1.5), ("b", "b", 1.0)]
    assert len(edges_of(read(tmp_path, KONECT, directed=True))) == 6


SNAP = "# Directed graph (each unordered pair of nodes is saved once): x.txt\n# Nodes: 3\n# FromNodeId\tToNodeId\n0\t1\n1\t2\n"


@pytest.mark.parametrize("text", [SNAP, GEXF, PAJEK.replace("*Edges\n", "*Arcs\n"), KONECT.replace("sym", "asym")])
def test_a_directed_file_read_as_undirected_is_told(tmp_path, caplog, text):
    assert not read(tmp_path, text).directed
    assert "says that its edges are directed; they are followed both ways" in caplog.text


def test_another_attribute_holds_weights(tmp_path):
    assert edges_of(read(tmp_path, GRAPHML, columns=("source", "target", "cost")))[0] == ("a", "b", 7.0)
    with pytest.raises(DataError, match=r"expected an edge attribute 'price', got \['weight'\]"):
        read(tmp_path, GRAPHML, columns=("source", "target", "price"))


def test_names_are_ids_where_labels_repeat(tmp_path, caplog):
    assert read(tmp_path, GML.replace('"B"', '"C"')).names.to_list() == [1, 2, 3]
    assert "named by their ids" in caplog.text


def test_gml_of_newman_has_a_value(tmp_path, caplog):
    text = GML.replace("weight", "value")
    assert not read(tmp_path, text).is_weighted
    assert "give columns=['source', 'target', 'value']" in caplog.text
    assert edges_of(read(tmp_path, text, columns=("source", "target", "value"))) == [("A é", "B", 4.0)]


class TestKonect:
    def test_weight_before_time(self, tmp_path):
        text = "% bip weighted\n1 2 5 1082008561\n1 3 1\t1082008562\n"
        assert edges_of(read(tmp_path, text)) == [(1, 2, 5.0), (1, 3, 1.0)]
        assert not read(tmp_path, text, weighted=False).is_weighted

    def test_ones_before_a_time_are_no_weights(self, tmp_path):
        assert edges_of(read(tmp_path, "% sym unweighted\n1 2 1 1082008561\n")) == [(1, 2)]

    def test_two_sides_that_share_numbers(self, tmp_path, caplog):
        assert edges_of(read(tmp_path, "% bip unweighted\n% 3 2 2\n1 1\n2 1\n2 2\n")) == [(1, 3), (2, 3), (2, 4)]
        assert "node j of the second side is called 2 + j" in caplog.text

    def test_signed(self, tmp_path):
        with pytest.raises(DataError, match=r"expected positive, finite weights, got -1\.0"):
            read(tmp_path, "% sym signed\n1 2 -1\n")

    def test_cut(self, tmp_path, caplog):
        read(tmp_path, "% sym unweighted\n% 5 4 4\n1 2\n")
        assert "says that it has 5 edges, and has 1" in caplog.text


class TestMetis:
    def test_weights_and_isolated_nodes(self, tmp_path):
        graph = read(tmp_path, "% c\n4 2 011\n9 2 5\n9 1 5 3 7\n9 2 7\n9\n", "g.graph")
        assert edges_of(graph) == [(1, 2, 5.0), (2, 3, 7.0)]
        assert graph.names.to_list() == [1, 2, 3, 4]
        assert edges_of(read(tmp_path, "3 1\n\n3\n2\n", "g.graph")) == [(2, 3)]

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("34 78 0\n2 3 4\n", "expected 34 lines of neighbors, as the first line tells, got 1"),
            ("2 1\n2\n\n", "expected 2 neighbors for the 1 edges"),
            ("2 1\n3\n1\n", "expected nodes from 1 to 2, got 3"),
            ("4 2\n2\n3\n4\n1\n", "expected every edge in the lines of both of its ends"),
            ("2 1 1\n2 5\n1 4\n", "with one weight"),
            ("2 1\n2\nx\n", "expected whole numbers alone"),
        ],
    )
    def test_refused(self, tmp_path, text, message):
        with pytest.raises(DataError, match=message + ".*If the file is a list of edges, give format='edges'"):
            read(tmp_path, text, "g.graph")

    @pytest.mark.parametrize(
        "text", ["1 1\n2 3\n", "5 5\n1 2\n2 3\n", "0 1\n1 2\n", "2 3 1\n3 4 1\n", "3 3\n1 2\n2 3\n4 5\n"]
    )
    def test_lists_of_edges_stay(self, tmp_path, text):
        assert read(tmp_path, text).num_edges == text.count("\n")
        assert read(tmp_path, text * 400).num_edges == text.count("\n")

    def test_a_long_list_that_begins_with_a_loop(self, tmp_path):
        assert read(tmp_path, "5000 5000\n" + "".join(f"{i} {i + 1}\n" for i in range(1, 2000))).num_edges == 2000


@pytest.mark.parametrize("text", ["3 2\na 0.1 0.2\nb 0.3 0.1\n", "a 0.1 0.2 0.3 0.4\nb 0.3 0.1 0.2 0.5\n"])
def test_vectors_are_no_edges(tmp_path, text):
    with pytest.raises(DataError, match=r"expected a list of edges, got vectors \(word2vec\)"):
        read(tmp_path, text)


def test_adjacency_lists(tmp_path):
    assert edges_of(read(tmp_path, "a b c\nb c\nd\n", "g.adjlist")) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert read(tmp_path, "a b c\nd\n", format="adjlist").num_nodes == 4
    assert read(tmp_path, "#/x.py\n# GMT Mon\n# \n0 1 2\n1 3 4\n").num_edges == 4


def test_ogb(tmp_path):
    (tmp_path / "num-node-list.csv").write_text("6\n")
    graph = read(tmp_path, gzip.compress(b"0,1\n1,2\n"), "edge.csv.gz")
    assert (graph.num_nodes, graph.num_edges, graph.names.is_range) == (6, 2, True)
    with pytest.raises(DataError, match="expected nodes below 6, got 9"):
        read(tmp_path, "0,9\n", "edge.csv")
    (tmp_path / "num-node-list.csv").write_text("6\n7\n")
    with pytest.raises(DataError, match="expected the number of nodes of one graph"):
        read(tmp_path, "0,1\n", "edge.csv")


def test_neo4j(tmp_path, caplog):
    text = ":START_ID,weight:float,:END_ID,:TYPE\na,2.5,b,KNOWS\nb,1,c,KNOWS\n"
    assert edges_of(read(tmp_path, text)) == [("a", "b", 2.5), ("b", "c", 1.0)]
    text = ":START_ID(P);:END_ID(M);:TYPE\n1;1;X\n2;1;X\n"
    assert edges_of(read(tmp_path, text)) == [("P:1", "M:1"), ("M:1", "P:2")]
    assert "share ids" in caplog.text
    with pytest.raises(DataError, match="a table of nodes of Neo4j"):
        read(tmp_path, "id:ID(P),name,:LABEL\n1,a,b\n")


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GRAPHML.replace("<graphml", BOMB + "<graphml", 1), "expected XML without entities of its own"),
        (GRAPHML[:300], "expected XML that is whole"),
        (GRAPHML.replace('target="b"', 'target="x"', 1), "expected the ends of edges among the nodes, got 'x'"),
        (GRAPHML.replace('id="b"', 'id="a"'), "expected each node once, got 'a twice'"),
        (GRAPHML.replace("</graph>", "</graph><graph/>"), "expected one graph, got a second one"),
        (GRAPHML.replace("<edge", "<hyperedge/><edge", 1), "got a hyperedge"),
        (GRAPHML.replace("1.5", "heavy"), "expected GraphML that NetworkX can read, got .*heavy"),
        (GRAPHML.replace("1.5", "-1"), r"expected positive, finite weights, got -1\.0"),
        (GML.rstrip("]\n"), r"expected GML that NetworkX can read, got .*found EOF at \(11, 1\)"),
        (GML + GML, "expected GML that NetworkX can read, got 'input contains more than one graph'"),
        (PAJEK.replace("1 2 1", "1 5 1"), "expected the number of a vertex from 1 to 4, got '5'"),
        (PAJEK.replace("4\n1", "99999999999\n1"), "expected a number of vertices that fits its edges"),
        (PAJEK + PAJEK, "expected one network"),
        (MULTILINE.replace("2 0", "2 3"), r"expected adjacency lists that NetworkX can read, got .*Failed to find neighbor for node \(2\)"),
    ],
)  # fmt: skip
def test_refused(tmp_path, text, message):
    with pytest.raises(DataError, match=r"file\.txt.*" + message):
        read(tmp_path, text)


FOREIGN = {
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d\nsize 12345\n",
    "a page of HTML": b"<!DOCTYPE html>\n<html><body>404</body></html>",
    "XML of <svg>": b'<?xml version="1.0"?>\n<svg width="1"></svg>',
    "DOT": b"digraph G {\n a -> b;\n}\n",
    "JSON. .*node_link_graph": b'{"directed": false, "nodes": [{"id": 1}], "links": []}',
    "JSON. .*from_edges": b"[[1, 2], [2, 3]]",
    "JSON. .*cytoscape_graph": b'{"elements": {"nodes": []}}',
    "a file of R": b"RDX3\nX\n" + bytes(50),
    "lines of JSON": b'{"source": 1, "target": 2}\n{"source": 2, "target": 3}\n',
    "an HDF5 file": b"\x89HDF\r\n\x1a\n" + bytes(50),
    "a MATLAB file": b"MATLAB 5.0 MAT-file, Platform" + bytes(50),
    "a pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x0enetworkx",
    "an SQLite": b"SQLite format 3\0" + bytes(50),
    "a PDF": b"%PDF-1.4\n1 0 obj\n",
    "an Excel file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(50),
    "a tar archive": b"edges.txt".ljust(257, b"\0") + b"ustar  \0" + bytes(200),
    "DIMACS": b"c x\np edge 3 2\ne 1 2\ne 2 3\n",
    "GDF": b"nodedef>name VARCHAR\na\nedgedef>node1,node2\na,b\n",
    "graph6": b">>graph6<<A_\n",
    "triples of RDF": b"<http://a> <http://p> <http://b> .\n",
}


@pytest.mark.parametrize("what", FOREIGN)
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_foreign_files_are_refused_by_name(tmp_path, what, pack):
    with pytest.raises(DataError, match=r"file\.txt: expected a list of edges, got " + what):
        read(tmp_path, pack(FOREIGN[what]))


@pytest.mark.parametrize("first", ["ORC1 b", "PAR1 b", "BZh b", "graph b", "{a} b", "LZIP b", "[x] b", "Creator x"])
def test_names_that_only_look_like_a_format(tmp_path, first):
    assert edges_of(read(tmp_path, first + "\nb c\n"))[0] == tuple(first.split())


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.mtx", "3 3 2\n2 1 1.5\n3 2 2.5\n", "a matrix without its first line"),
        ("g.tgf", "1 First\n2 Second\n#\n1 2\n", "the Trivial Graph Format"),
        ("g.lgl", "# a\nb 2\n# b\n", "LGL"),
    ],
)
def test_suffixes_of_formats_that_look_like_edges(tmp_path, name, text, message):
    with pytest.raises(DataError, match=f"expected a list of edges, got {message}"):
        read(tmp_path, text, name)


def test_comments_alone_are_no_edges_of_ogb(tmp_path):
    with pytest.raises(DataError, match="expected edges, got only comments"):
        read(tmp_path, "# Nodes: 3\n# a b\n", format="ogb")
