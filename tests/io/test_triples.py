"""Triples from files and tables: what is read, what is told, and what is refused."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from nodeloom import Graph, KnowledgeGraph
from nodeloom.errors import ConfigError, DataError


def read(tmp_path, text, name="kg.tsv", **options):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return KnowledgeGraph.from_file(path, **options)


def rows(graph):
    columns = (
        graph.entity_names.take(graph.heads),
        graph.relation_names.take(graph.relations),
        graph.entity_names.take(graph.tails),
    )
    return list(zip(*columns, strict=True))


def test_integer_names_are_whole(tmp_path):
    # pykeen 694: the loader turned 10280 into 1028.
    graph = read(tmp_path, "10280\t50\t51\n51\t51\t10280\n")
    assert graph.entity_names.to_list() == [51, 10280]
    assert graph.relation_names.to_list() == [50, 51]
    assert rows(graph) == [(10280, 50, 51), (51, 51, 10280)]


def test_numbers_are_ids_and_each_kind_is_numbered_alone(tmp_path):
    graph = read(tmp_path, "0 7 1\n2 5 0\n")
    assert graph.entity_names.is_range
    assert graph.relation_names.to_list() == [5, 7]
    graph = read(tmp_path, "0 r 1\n2 s 0\n")
    assert graph.entity_names.is_range
    assert graph.relation_names.to_list() == ["r", "s"]
    graph = read(tmp_path, "a 0 b\nb 1 c\n")
    assert graph.relation_names.is_range
    assert graph.entity_names.to_list() == ["a", "b", "c"]


def test_names_that_other_readers_take_for_none(tmp_path, caplog):
    # pykeen 883: the entity "nan" became a float.
    graph = read(tmp_path, "a\tr\tnan\nNA\tr\tnull\nnone\tNone\tb\n")
    assert graph.entity_names.to_list() == ["a", "nan", "NA", "null", "none", "b"]
    assert "kg.tsv:1: an entity or relation is called 'nan'. If that stands for none, leave the line out" in caplog.text
    with pytest.raises(DataError, match=r"kg.tsv:2: expected names, got '2\\tr\\tnan'. 'nan' stands for none"):
        read(tmp_path, "1\tr\t2\n2\tr\tnan\n")


@pytest.mark.parametrize("text", ["a\tr\tb\na\tr\t\n", "a\tr\tb\n\tr\ta\n", "a\tr\tb\na\t\tc\n", "a,r,b\nc,r,\n"])
def test_empty_cells_are_refused_with_their_line(tmp_path, text):
    with pytest.raises(
        DataError, match=r"kg.tsv:2: expected .head.relation.tail. as in the lines before.*A cell is empty"
    ):
        read(tmp_path, text)


def test_quotes(tmp_path, caplog):
    text = '"a ""b"" c"\tr\t\'d\n'
    assert rows(read(tmp_path, text)) == [('"a ""b"" c"', "r", "'d")]
    assert "quotes are part of names" in caplog.text
    assert "give quotes=True" in caplog.text
    assert rows(read(tmp_path, text, quotes=True)) == [('a "b" c', "r", "'d")]
    lines = '"Paris"@en\tr\tb\n"x\tr\ty\n'
    assert rows(read(tmp_path, lines)) == [('"Paris"@en', "r", "b"), ('"x', "r", "y")]
    # In CSV quotes are those of RFC 4180.
    assert rows(read(tmp_path, '"a, b",r,"c ""d"""\ne,r,f\n', "kg.csv"))[0] == ("a, b", "r", 'c "d"')
    assert rows(read(tmp_path, '"a b" r c\n')) == [("a b", "r", "c")]
    with pytest.raises(ConfigError, match="quotes: expected True, False or 'auto', got 1"):
        read(tmp_path, text, quotes=1)


def test_a_quote_never_joins_lines(tmp_path):
    lines = [f'e{i}\tr\t"f{i}' for i in range(50)]
    assert read(tmp_path, "\n".join(lines)).num_triples == 50
    with pytest.raises(DataError, match=r"kg.tsv:1: expected cells in whole quotes"):
        read(tmp_path, "\n".join(lines), quotes=True)


def test_headers(tmp_path, caplog):
    # pykeen 475: headers were read as triples.
    body = "a b\tr\tc\nd\tr\te\n"
    graph = read(tmp_path, "head\trelation\ttail\n" + body)
    assert rows(graph) == [("a b", "r", "c"), ("d", "r", "e")]
    assert "taken as a header. Heads are from 'head', tails from 'tail', relations from 'relation'" in caplog.text
    caplog.clear()
    assert rows(read(tmp_path, "head\trelation\ttail\n" + body, columns=["head", "relation", "tail"])) == rows(graph)
    assert not caplog.text
    assert rows(read(tmp_path, "Object,x,Predicate,Subject\nc,0,r,a\n")) == [("a", "r", "c")]
    assert rows(read(tmp_path, "h,t,r\na,b,r\n", columns=["h", "r", "t"])) == [("a", "r", "b")]
    caplog.clear()
    assert read(tmp_path, "name\tis\ttype\n" + body).num_triples == 3
    assert "is taken as a triple, but may be a header. If so, give columns=['name', 'is', 'type']" in caplog.text


def test_weights(tmp_path):
    graph = read(tmp_path, "a r b 1\nb s c 0\na s c 0.5\n")
    assert graph.weights.tolist() == [1, 0, 0.5]
    assert read(tmp_path, "a r b 1\nb s c 0\n", weighted=False).weights is None
    assert read(tmp_path, "w,h,r,t\n0.5,a,r,b\n", columns=["h", "r", "t", "w"]).weights.tolist() == [0.5]
    for text, message in (
        ("a r b 1\nb s c -1\n", "kg.tsv:2: expected positive, finite weights, got -1"),
        ("a r b\nb s c 2\n", "To read the triples without weights, give weighted=False"),
        ("a r b 2014-01-01\nb r c 2014-01-02\n", r"give columns=\[1, 2, 3\]"),
        ("a r b c d\nb r c c d\n", r"give columns=\[1, 2, 3\]"),
    ):
        with pytest.raises(DataError, match=message):
            read(tmp_path, text)
    assert read(tmp_path, "a r b 2014-01-01\n", columns=[1, 2, 3]).num_triples == 1


def test_numbers_as_tails_are_told(tmp_path, caplog):
    read(tmp_path, "a b 0.5\nb c 0.25\nc d 0.5\na d 0.125\n")
    assert (
        "the tails are numbers such as 0.25. If they are weights, this is a list of edges: use Graph.from_file"
        in caplog.text
    )


def test_other_orders_and_other_files(tmp_path):
    with pytest.raises(DataError, match=r"If it says how many triples follow.*give columns=\[1, 3, 2\]"):
        read(tmp_path, "2\n0 1 5\n1 2 5\n", "train2id.txt")
    assert rows(read(tmp_path, "0 1 5\n1 2 5\n", columns=[1, 3, 2])) == [(0, 5, 1), (1, 5, 2)]
    with pytest.raises(DataError, match=r"A list of edges is read by Graph.from_file"):
        read(tmp_path, "a b\nb c\n")
    (tmp_path / "kg").write_text("a r b\nb r c\nc r b\n")
    with pytest.raises(DataError, match=r"Triples of a knowledge graph are read by KnowledgeGraph.from_file"):
        Graph.from_file(tmp_path / "kg")
    with pytest.raises(DataError, match=r"kg.tsv: expected triples, got only comments"):
        read(tmp_path, "# a\n\n")
    with pytest.raises(ConfigError, match="format: expected one of auto, triples, n-triples, rdf, neo4j, got 'edges'"):
        read(tmp_path, "a r b\n", format="edges")
    with pytest.raises(ConfigError, match="columns: expected the names, or the numbers, of three or four columns"):
        read(tmp_path, "a r b\n", columns=[1, 2])


def test_comments_and_delimiters_as_graphvite_has_them(tmp_path):
    graph = read(tmp_path, "# a b c\na r b # note\n\nb\tr\tc\n")
    assert rows(graph) == [("a", "r", "b"), ("b", "r", "c")]
    assert rows(read(tmp_path, "a#1\tx#y\tb\n")) == [("a#1", "x#y", "b")]
    assert rows(read(tmp_path, "#a;r;b\n%c;r;d\n", delimiters=";", comment="%")) == [("#a", "r", "b")]


def test_repeated_lines_are_told(tmp_path, caplog):
    # OpenKE 364: 574,457 lines became 299,929 triples without a word.
    graph = read(tmp_path, "a r b\nb r c\na r b\n")
    assert graph.num_triples == 2
    assert "1 of 3 triples are given again and are merged" in caplog.text


def test_compression_and_several_files(tmp_path):
    (tmp_path / "1.gz").write_bytes(gzip.compress(b"a r b\n"))
    with pa.CompressedOutputStream(str(tmp_path / "2.zst"), "zstd") as stream:
        stream.write(b"b s a\n")
    graph = KnowledgeGraph.from_file([tmp_path / "1.gz", tmp_path / "2.zst"])
    assert rows(graph) == [("a", "r", "b"), ("b", "s", "a")]
    again = KnowledgeGraph.from_file(tmp_path / "2.zst", like=graph)
    assert again.triples.tolist() == [[1, 1, 0]]


def test_blocks_that_turn_to_text(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("nodeloom.io.source.line_blocks.__defaults__", ("utf-8", 64))
    lines = [f"{i}\t{i % 3}\t{i + 1}" for i in range(100)]
    graph = read(tmp_path, "\n".join([*lines, "x\t1\t5", "5\tr\t007"]))
    assert rows(graph)[:2] == [("0", "0", "1"), ("1", "1", "2")]
    assert rows(graph)[-2:] == [("x", "1", "5"), ("5", "r", "007")]
    assert "kg.tsv:101: 'x' is not written as an integer is" in caplog.text
    assert "kg.tsv:102: 'r' is not written as an integer is" in caplog.text


def test_tables(tmp_path):
    table = pa.table({"tail": ["b", "c"], "weight": [1.5, 0.0], "head": ["a", "b"], "relation": ["r", "s"]})
    expected = [("a", "r", "b"), ("b", "s", "c")]
    pyarrow.parquet.write_table(table, tmp_path / "kg.parquet")
    for graph in (KnowledgeGraph.from_arrow(table), KnowledgeGraph.from_file(tmp_path / "kg.parquet")):
        assert rows(graph) == expected
        assert graph.weights.tolist() == [1.5, 0]
    assert rows(KnowledgeGraph.from_arrow(table, ["tail", "relation", "head"], weighted=False))[0] == ("b", "r", "a")
    plain = pa.table({"x": [0, 1], "y": ["r", "s"], "z": [1, 2]})
    assert rows(KnowledgeGraph.from_arrow(plain)) == [(0, "r", 1), (1, "s", 2)]
    for wrong, message in (
        (pa.table({"x": ["a", None], "y": ["r", "r"], "z": ["b", "c"]}), "expected a value in every row of column 'x'"),
        (
            pa.table({"x": ["a", "b"], "y": ["r", "r"], "z": ["b", ""]}),
            "column 'z': expected a name in every row, got '' in row 1",
        ),
        (pa.table({"x": ["a"], "y": [0.5], "z": ["b"]}), "expected names as text or integers in column 'y'"),
        (
            pa.table({"a": ["a"], "b": ["r"]}),
            "expected columns 'head', 'relation' and 'tail', got the columns 'a', 'b'",
        ),
        (
            pa.table({"head": ["a"], "x": ["r"], "y": ["b"], "tail": ["c"]}),
            "expected columns 'head', 'relation' and 'tail'",
        ),
        (plain.slice(0, 0), "expected triples, got a table without rows"),
    ):
        with pytest.raises(DataError, match=message):
            KnowledgeGraph.from_arrow(wrong)
    with pytest.raises(DataError, match="tails: expected a name in every row, got '' in row 0"):
        KnowledgeGraph.from_triples([("a", "r", "")])


def test_frames():
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    columns = {"subject": ["nan", "b"], "predicate": ["r", "s"], "object": ["b", "10280"]}
    for graph in (
        KnowledgeGraph.from_pandas(pandas.DataFrame(columns)),
        KnowledgeGraph.from_polars(polars.DataFrame(columns)),
    ):
        assert rows(graph) == [("nan", "r", "b"), ("b", "s", "10280")]
    with pytest.raises(DataError, match="expected a value in every row of column 'subject', got none in row 1"):
        KnowledgeGraph.from_pandas(pandas.DataFrame(columns | {"subject": ["a", float("nan")]}))


def test_against_the_definition(tmp_path):
    random = np.random.default_rng(0)
    names = ["a", "b c", "d,e", 'f"', "#g", "ä", "1", "007", "x" * 300]
    lines = random.choice(names, (500, 3))
    text = "\n".join("\t".join(row) for row in lines)
    graph = read(tmp_path, "q\tr\ts\n" + text, duplicates="keep", comment="")
    assert rows(graph)[1:] == list(map(tuple, lines.tolist()))


NTRIPLES = """\
# a comment
<http://a.b/x> <http://p.q/r#s> <http://a.b/y>.
_:b1 <p:r> "lit \\" x"@en .
<http://a.b/x> <http://p.q/r#s> "5"^^<http://www.w3.org/2001/XMLSchema#int> . # behind

_:b1\t<p:r> _:b.2.
<http://a.b/\\u00e9> <p:r> <http://a.b/x> <http://graph> .
"""


def test_ntriples(tmp_path, caplog):
    # AmpliGraph 261: IRIs were cut at the first dot.
    kept = [
        ("http://a.b/x", "http://p.q/r#s", "http://a.b/y"),
        ("_:b1", "p:r", "_:b.2"),
        ("http://a.b/é", "p:r", "http://a.b/x"),
    ]
    for text in (NTRIPLES, NTRIPLES.replace("\n", "\r\n"), NTRIPLES.rstrip()):
        assert rows(read(tmp_path, text, "kg.nt")) == kept
        assert (
            "2 triples with a literal as the tail are left out. To take literals as entities, give literals=True"
            in caplog.text
        )
    graph = read(tmp_path, NTRIPLES, "kg.txt", literals=True)
    assert rows(graph)[1:3] == [
        ("_:b1", "p:r", '"lit \\" x"@en'),
        ("http://a.b/x", "http://p.q/r#s", '"5"^^<http://www.w3.org/2001/XMLSchema#int>'),
    ]
    for line, message in (
        ("<a:x> <b:y> <c:z>", "kg.nt:7: expected a triple of N-Triples, got '<a:x> <b:y> <c:z>'. A line is"),
        ("<<<a:b> <c:d> <e:f>>> <g:h> <i:j> .", "kg.nt:7: .*RDF-star"),
        ("a b c .", "kg.nt:7: expected a triple"),
    ):
        with pytest.raises(DataError, match=message):
            read(
                tmp_path, NTRIPLES.replace("<http://a.b/\\u00e9> <p:r> <http://a.b/x> <http://graph> .", line), "kg.nt"
            )
    with pytest.raises(DataError, match=r"kg.nt:1: expected text in UTF-8"):
        read(tmp_path, b"<a:\xff> <b:c> <d:e> .\n", "kg.nt")
    # Triples of IRIs in brackets without the full stop are a table.
    assert rows(read(tmp_path, "<a:b>\t<c:d>\t<e:f>\n")) == [("<a:b>", "<c:d>", "<e:f>")]


TURTLE = """\
@prefix x: <http://x/> .
x:a x:r x:b , x:c ; x:s "7" .
"""
RDF_XML = """<?xml version="1.0"?>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:x="http://x/">
<rdf:Description rdf:about="http://x/a"><x:r rdf:resource="http://x/b"/><x:r rdf:resource="http://x/c"/><x:s>7</x:s></rdf:Description>
</rdf:RDF>
"""


@pytest.mark.parametrize("text", [TURTLE, RDF_XML])
def test_other_rdf(tmp_path, text, caplog):
    try:
        import rdflib  # noqa: F401
    except ImportError:
        with pytest.raises(DataError, match=r"expected rdflib, which reads Turtle and RDF/XML, got none. Install it"):
            read(tmp_path, text)
        return
    assert rows(read(tmp_path, text)) == [
        ("http://x/a", "http://x/r", "http://x/b"),
        ("http://x/a", "http://x/r", "http://x/c"),
    ]
    assert "1 triples with a literal as the tail are left out" in caplog.text
    assert ("http://x/a", "http://x/s", '"7"') in rows(read(tmp_path, text, literals=True))
    with pytest.raises(DataError, match="expected RDF"):
        read(tmp_path, text.replace("x:r", "x r :"))


def test_neo4j(tmp_path, caplog):
    text = ':START_ID,role,:END_ID,:TYPE\n1,x,2,ACTED\n3,"y, z",1,SAW\n'
    assert rows(read(tmp_path, text, "rels.csv")) == [(1, "ACTED", 2), (3, "SAW", 1)]
    kinds = text.replace(":START_ID", ":START_ID(P)").replace(":END_ID", ":END_ID(M)")
    assert rows(read(tmp_path, kinds, "rels.csv")) == [("P:1", "ACTED", "M:2"), ("P:3", "SAW", "M:1")]
    assert "nodes of two kinds, which share ids: they are called P:ID and M:ID" in caplog.text
    with pytest.raises(
        DataError, match=r"expected a header with :START_ID, :TYPE and :END_ID, got ':START_ID, :END_ID'"
    ):
        read(tmp_path, ":START_ID,:END_ID\n1,2\n", "rels.csv")
