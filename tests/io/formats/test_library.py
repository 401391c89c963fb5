"""NetworkX as a reader: it may be missing, need too much memory, fail in any way, or take in silence what is not right."""

from __future__ import annotations

import sys
import tracemalloc

import numpy as np
import pytest

from nodeloom.errors import DataError, MemoryLimitError
from nodeloom.graph import Graph
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.io.edgelist import collect_edges
from nodeloom.io.formats import library, pajek
from nodeloom.memory import resident_memory

pytest.importorskip("networkx")

GRAPHML = """<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected"><node id="a"/><node id="b"/>
<edge source="a" target="b"/></graph></graphml>"""
GEXF = """<gexf xmlns="http://www.gexf.net/1.2draft"><graph><nodes><node id="a"/><node id="b"/></nodes>
<edges><edge source="a" target="b"/></edges></graph></gexf>"""
GML = "graph [\n node [ id 1 ]\n node [ id 2 ]\n edge [ source 1 target 2 ]\n]\n"
PAJEK = "*Vertices 2\n1 Ann\n2 Bob\n*Edges\n1 2\n"
ADJLIST = "#/x.py\n# GMT Mon\n# \na b\n"
MULTILINE = "a 1\nb {'weight': 2}\nb 0\n"
FILES = {
    "GraphML": GRAPHML,
    "GEXF": GEXF,
    "GML": GML,
    "Pajek": PAJEK,
    "adjacency lists": ADJLIST,
    "multi-line": MULTILINE,
}


def edges_of(graph):
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    return list(ends) if weights is None else [(*e, w) for e, w in zip(ends, weights.tolist(), strict=True)]


def read(tmp_path, content, **options):
    path = tmp_path / "file.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Graph.from_file(path, **options)


@pytest.mark.parametrize("what", FILES)
def test_without_networkx_one_message_says_how_to_get_it(tmp_path, monkeypatch, what):
    assert read(tmp_path, FILES[what]).num_edges == 1
    monkeypatch.setitem(sys.modules, "networkx", None)
    named = what.replace("multi-line", "adjacency lists")
    with pytest.raises(DataError, match=rf"file\.txt: expected NetworkX, which reads {named}, .* pip install networkx"):
        read(tmp_path, FILES[what])


@pytest.mark.parametrize("what", FILES)
def test_refused_before_it_is_read_where_memory_is_too_small(tmp_path, what):
    class Small(EdgeCollector):
        room = 4000

    (tmp_path / "file.txt").write_text(FILES[what] + 100 * "\n")
    with pytest.raises(MemoryLimitError, match=r"file\.txt: expected a file of at most .* NetworkX, .* list of edges"):
        collect_edges(tmp_path / "file.txt", Small(), EdgeFormat(), 1)


def _ends(num_edge, num_node):
    return np.random.default_rng(0).integers(1, num_node + 1, (num_edge, 2)).tolist()


def _sample(shape):
    """Return a file of some 100 kB in a short form of its format."""
    if shape == "GraphML":
        nodes = "".join(f'<node id="{i}"/>' for i in range(1, 5000))
        return GRAPHML.replace("<edge", nodes + "<edge", 1)
    if shape == "GEXF":
        return GEXF.replace("</nodes>", "".join(f'<node id="{i}"/>' for i in range(1, 5000)) + "</nodes>")
    if shape == "GML":
        return GML.replace("edge", "".join(f"node [ id {i} ]\n" for i in range(3, 6000)) + "edge", 1)
    if shape == "Pajek":
        return "*Vertices 3000\n*Edges\n" + "".join(f"{head} {tail}\n" for head, tail in _ends(10_000, 3000))
    if shape == "adjacency lists":
        return "".join(f"{head} {' '.join(map(str, range(tail, tail + 10)))}\n" for head, tail in _ends(2000, 3000))
    return "".join(f"{head} 3\n{tail}\n{tail + 7}\n{tail + 9}\n" for head, tail in _ends(5000, 3000))


@pytest.mark.parametrize(
    ("shape", "share"),
    [
        ("GraphML", 0.5), ("GEXF", 0.5), ("GML", 0.5), ("Pajek", 0.3), ("adjacency lists", 0.5),
        ("adjacency lists, multi-line", 0.3),
    ],
)  # fmt: skip
def test_the_memory_that_is_foreseen_is_that_which_is_taken(tmp_path, shape, share):
    content = _sample(shape)
    options = {"format": "multiline-adjlist" if "multi" in shape else "adjlist"} if shape.startswith("adj") else {}
    read(tmp_path, content, **options)  # imports
    tracemalloc.start()
    read(tmp_path, content, **options)
    taken = tracemalloc.get_traced_memory()[1] / len(content)
    tracemalloc.stop()
    foreseen = library._PER_BYTE[shape.split(",")[0]]
    assert share < taken / foreseen < 1


def test_vertices_and_lists_of_pajek_are_counted(tmp_path):
    class Small(EdgeCollector):
        room = 1 << 20

    lists = "".join(f"{head} {' '.join(map(str, range(tail, tail + 10)))}\n" for head, tail in _ends(500, 700))
    for content, got in (
        ("*Vertices 5000\n*Edges\n1 2\n", "5,000 vertices and 1 edges"),
        (f"*Vertices 800\n*Edgeslist\n{lists[:5000]}\n", "800 vertices and 1,[0-9]{3} edges"),
    ):
        (tmp_path / "file.txt").write_text(content)
        with pytest.raises(
            MemoryLimitError, match=rf"file\.txt: expected a network that fits .* got {got}, which take"
        ):
            collect_edges(tmp_path / "file.txt", Small(), EdgeFormat(), 1)
    (tmp_path / "file.txt").write_text("*Vertices 800\n*Edgeslist\n" + lists)
    tracemalloc.start()
    collect_edges(tmp_path / "file.txt", EdgeCollector(), EdgeFormat(), 1)
    taken = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0.5 < taken / (pajek._PER_NODE * 800 + pajek._PER_EDGE * 5000) < 1


def test_a_limit_of_memory_counts(tmp_path):
    (tmp_path / "file.gml").write_text(GML + "# \n" * 8_000_000)
    with pytest.raises(MemoryLimitError, match="got 24"):
        Graph.compile(tmp_path / "file.gml", tmp_path / "g.nlg", memory_limit=resident_memory() + (500 << 20))


def test_failures_of_any_kind_end_in_one_message(tmp_path, monkeypatch):
    import networkx

    for error in (RecursionError("deep"), MemoryError(), StopIteration(), KeyError("no"), SystemError("x\n\n y")):
        monkeypatch.setattr(networkx, "parse_gml", lambda *_, e=error, **__: (_ for _ in [0]).throw(e))
        with pytest.raises(DataError, match=r"file\.txt: expected GML that NetworkX can read, got .*Error|Iteration"):
            read(tmp_path, GML)


HOSTILE = {
    "nested lists of GML": "graph [" + " a [" * 50_000,
    "nested elements": GRAPHML.replace("<node", "<a>" * 50_000 + "<node", 1).replace(
        "</graph>", "</a>" * 50_000 + "</graph>"
    ),
    "groups in groups": GRAPHML.replace("</graph></graphml>", '<node id="{}" yfiles.foldertype="group"><graph>' * 2000),
    "a long number": GML.replace("2 ]", "2" * 5000 + " ]"),
    "a line of Pajek": PAJEK + "x" * 100_000,
    "attributes in attributes": MULTILINE.replace("2", "(" * 5000 + ")" * 5000),
    "a negative attribute": MULTILINE.replace("2", "-" * 60_000 + "2"),
    "quotes": PAJEK.replace("Ann", "'Ann"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused(tmp_path, what):
    with pytest.raises(DataError, match=r"file\.txt") as raised:
        read(tmp_path, HOSTILE[what])
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize("what", [*FILES][:4])
def test_long_names(tmp_path, what):
    text = (
        FILES[what]
        .replace("<node ", '<node label="yy" ', 1)
        .replace("id 1 ", 'id 1 label "a"')
        .replace("id 2", 'id 2 label "b"')
    )
    text = text.replace('"b"', '"b' + "x" * 45_000 + '"').replace("Bob", "b" + "x" * 45_000)
    assert max(map(len, map(str, read(tmp_path, text).names.to_list()))) == 45_001


SILENT = {
    "a direction written in another way": (GRAPHML.replace("<edge ", '<edge directed="1" '), "directions written as"),
    "directions that differ": (
        GRAPHML.replace("</graph>", '<edge directed="true" source="a" target="b"/></graph>'),
        "edges that are all directed, or all undirected",
    ),
    "edges of one id": (
        GRAPHML.replace("</graph>", 2 * '<edge id="e" source="a" target="b"/>' + "</graph>"),
        "expected 3 edges, as in the file, got 2 from NetworkX",
    ),
    "edges in another place": (GEXF.replace("</graph>", '<edge source="b" target="a"/></graph>'), "expected 2 edges"),
    "a second graph": (GEXF.replace("</graph>", "</graph><graph/>"), "expected one graph"),
    "a node without an id": (GRAPHML.replace('<node id="a"/>', "<node/>"), "an id for every node"),
    "an edge without an end": (GRAPHML.replace(' target="b"', ""), "two ends of every edge"),
    "a default of all": (
        GRAPHML.replace("<graph ", '<key id="w" attr.name="weight" attr.type="int"><default>2</default></key><graph '),
        'for="edge" at the key of weights',
    ),
    "two labels": (GML.replace("id 1", 'id 1 label "a" label "b"'), "one label of a node"),
    "a graph within": (GML.replace("]\n]", "]\n graph [ node [ id 3 ] ]\n]"), "nodes and edges in one list"),
    "a weight of Pajek": (
        PAJEK.replace("1 2", "1 2 heavy"),
        "expected '1 numbers as weights'|expected 1 numbers as weights",
    ),
    "an end of Pajek": (PAJEK + "2\n", "lines 'head tail"),
    "a backslash": (PAJEK.replace("Ann", "A\\nn"), "labels without backslashes"),
    "a vertex without a blank": (PAJEK.replace("2 Bob", "2Bob"), "number of a vertex from 1 to 2, got '2Bob'"),
    "a list without a tail": (PAJEK.replace("*Edges\n", "*Edges\n1 2\n*Edgeslist\n1.2\n*Edges\n"), "got '1.2'"),
    "a vertex twice": (PAJEK.replace("2 Bob", "1 Bob"), "each vertex from 1 to 2 once"),
    "a row too few": (PAJEK.replace("*Edges\n1 2", "*Matrix\n0 1"), r"2 rows of 2 numbers, got \[1, 2\]"),
    "attributes that are none": (MULTILINE.replace("2}", "x}"), "attributes as Python writes them in 1 lines"),
}


@pytest.mark.parametrize("what", SILENT)
def test_what_networkx_takes_in_silence_is_refused(tmp_path, what):
    text, message = SILENT[what]
    with pytest.raises(DataError, match=r"file\.txt.*" + message):
        read(tmp_path, text)


def test_defaults_of_weights_count(tmp_path):
    key = '<key id="w" for="edge" attr.name="weight" attr.type="int"><default>2</default></key><graph '
    assert edges_of(read(tmp_path, GRAPHML.replace("<graph ", key, 1))) == [("a", "b", 2.0)]


@pytest.mark.parametrize(
    "namespace", ["", ' xmlns="http://gexf.net/1.3"', ' xmlns="http://www.gexf.net/1.3" version="1.3"']
)
def test_namespaces_of_other_versions(tmp_path, namespace):
    assert edges_of(read(tmp_path, GEXF.replace(' xmlns="http://www.gexf.net/1.2draft"', namespace))) == [("a", "b")]
    text = GRAPHML.replace(' xmlns="http://graphml.graphdrawing.org/xmlns"', namespace)
    assert edges_of(read(tmp_path, text)) == [("a", "b")]


def test_encodings(tmp_path):
    text = '<?xml version="1.0" encoding="utf-8"?>' + GRAPHML.replace('"b"', '"é"')
    assert read(tmp_path, text.encode("utf-16")).names.to_list() == ["a", "é"]
    assert read(tmp_path, text.encode("latin-1"), encoding="latin-1").names.to_list() == ["a", "é"]
    assert read(tmp_path, text.replace("utf-8", "latin-1").encode("latin-1")).names.to_list() == ["a", "é"]
    assert read(tmp_path, GML.replace("id 1 ", 'id 1 label "é" ').replace("id 2 ", 'id 2 label "b" ')).names[0] == "é"


def test_mutual_edges(tmp_path):
    text = GEXF.replace("<graph>", '<graph defaultedgetype="directed">').replace("<edge ", '<edge type="mutual" ')
    assert edges_of(read(tmp_path, text, directed=True)) == [("a", "b"), ("b", "a")]


def test_sections_of_pajek(tmp_path, caplog):
    text = "*Vertices 3 2\n1 a\n2 b\n3 c\n*Arcs\n1 2 5\n*Edges\n2 3 4\n*Partition x\n*Vertices 3\n1\n1\n2\n"
    assert edges_of(read(tmp_path, text)) == [("a", "b", 5.0), ("b", "c", 4.0)]
    assert "says that its edges are directed" in caplog.text
    assert edges_of(read(tmp_path, text, directed=True)) == [("a", "b", 5.0), ("b", "c", 4.0), ("c", "b", 4.0)]
    assert edges_of(read(tmp_path, "*Vertices 2\n*Matrix\n0 0.5\n0 0\n", directed=True)) == [(1, 2, 0.5)]
    assert read(tmp_path, PAJEK.replace("Bob", "Ann")).names.to_list() == [1, 2]
    assert "labels are there more than once" in caplog.text
    assert read(tmp_path, PAJEK.replace("2 Bob", "2")).names.to_list() == [1, 2]
    assert "some have no label" in caplog.text


def test_names_of_adjacency_lists_stay_as_they_are(tmp_path):
    text = "a#1, b c ,d # no\n\n # none\nd\n"
    assert edges_of(read(tmp_path, text, format="adjlist", delimiters=",")) == [("a#1", "b c"), ("a#1", "d")]


def test_comments_of_gml_may_hold_a_quotation_mark(tmp_path):
    assert read(tmp_path, GML.replace("graph [", '# 5" wide\ngraph [')).num_edges == 1


def test_an_attribute_that_may_be_a_weight_is_told(tmp_path, caplog):
    key = '<key id="w" for="edge" attr.name="Weight" attr.type="int"/><graph '
    text = (
        GRAPHML.replace("<graph ", key, 1)
        .replace('"b"/>\n</', '"b"/></')
        .replace('<edge source="a" target="b"/>', '<edge source="a" target="b"><data key="w">3</data></edge>')
    )
    assert not read(tmp_path, text).is_weighted
    assert "give columns=['source', 'target', 'Weight']" in caplog.text
    assert edges_of(read(tmp_path, text, columns=("source", "target", "Weight"))) == [("a", "b", 3.0)]


def test_gml_that_would_take_the_square_of_its_size(tmp_path):
    edge, keyed = "edge [ source 1 target 2 ]\n", "edge [ source 1 target 2 key {} ]\n"
    begin, end = GML.split("edge")[0], "]\n"
    keys = "".join(keyed.format(i) for i in range(20_000, 40_000))
    # Each edge without a key would try all numbers that are taken.
    with pytest.raises(DataError, match="expected a key at every edge, or at none, got '20000 of 40000 edges without'"):
        read(tmp_path, begin + keys + 20_000 * edge + end)
    nested = keys.replace("edge [", "edge [ a [ ]")
    with pytest.raises(DataError, match="expected a key at every edge"):
        read(tmp_path, begin + nested + 20_000 * edge + end)
    assert read(tmp_path, begin + keyed.format(1) + edge + end, duplicates="keep").num_edges == 2
    named = begin.replace("id 1 ]", "id 1 key 3 ]" + 20_000 * "\n node [ id 1{} key 1 ]").format(*range(20_000))
    assert read(tmp_path, named + edge + end).num_nodes == 20_002
    # Multiples of 2^61 - 1 have one hash.
    with pytest.raises(DataError, match="expected ids of at most 20 digits"):
        read(tmp_path, GML.replace("id 2", f"id {200 * (2**61 - 1)}"))
