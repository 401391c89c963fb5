"""What the first lines of a text file tell: delimiters, header, comments, columns; and what is said about it."""

from __future__ import annotations

import logging

import pytest

from nodeloom.errors import DataError
from nodeloom.graph import Graph


def read(folder, text, **options):
    path = folder / "edges"
    path.write_text(text, encoding="utf-8", newline="")
    graph = Graph.from_file(path, directed=True, duplicates="keep", **options)
    heads, tails, weights = graph.edge_columns()
    ends = zip(graph.names.take(heads), graph.names.take(tails), strict=True)
    rows = list(ends) if weights is None else [(*pair, w) for pair, w in zip(ends, weights.tolist(), strict=True)]
    return sorted(rows, key=str)


WORDS = [
    "source target", "Source Target", "from to", "head tail", "src dst", "u v", "node1 node2", "id1 id2", "FromNodeId ToNodeId",
    "node_a node_b", "user_1 user_2", "source_id target_id", "START_ID END_ID", "subject object", "citing cited",
]  # fmt: skip


@pytest.mark.parametrize("delimiter", [" ", "\t", ",", ";", "|", ", "])
@pytest.mark.parametrize("words", WORDS)
def test_a_header_above_integers_is_no_edge(tmp_path, caplog, words, delimiter):
    lines = [words, "1 2", "2 3"]
    text = "".join(line.replace(" ", delimiter) + "\n" for line in lines)
    assert read(tmp_path, text) == [(1, 2), (2, 3)]
    assert "edges:1: taken as a header" in caplog.text
    if delimiter in ",;|\t":
        assert read(tmp_path, text, delimiters=delimiter) == [(1, 2), (2, 3)]


@pytest.mark.parametrize("words", WORDS[:12])
def test_a_header_above_text_is_no_edge(tmp_path, caplog, words):
    assert read(tmp_path, f"{words}\nann bob\nbob eve\n".replace(" ", ",")) == [("ann", "bob"), ("bob", "eve")]
    assert "edges:1: taken as a header" in caplog.text


@pytest.mark.parametrize("words", ["a b", "x y", "person friend", "Knoten1 Knoten2"])
def test_any_words_above_integers_are_a_header(tmp_path, caplog, words):
    assert read(tmp_path, f"{words}\n1 2\n2 3\n") == [(1, 2), (2, 3)]
    assert "taken as a header" in caplog.text


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("from,to,weight\nann,bob,1\nbob,eve,2\n", [("ann", "bob", 1.0), ("bob", "eve", 2.0)]),
        ("a b weight\n1 2 0.5\n2 3 1\n", [(1, 2, 0.5), (2, 3, 1.0)]),
        ('"from" "to"\n"a" "b"\n"b" "c"\n', [("a", "b"), ("b", "c")]),
        ("Id,Source,Target,Type,Weight\n0,a,b,Directed,1.5\n1,b,c,Directed,2\n", [("a", "b", 1.5), ("b", "c", 2.0)]),
        (",source,target\n0,a,b\n1,b,c\n", [("a", "b"), ("b", "c")]),
        ("weight,target,source\n5,1,2\n6,2,3\n", [(2, 1, 5.0), (3, 2, 6.0)]),
        ("source target\n1 2\n\ufeffsource target\n2 3\n", [(1, 2), (2, 3)]),
    ],
)
def test_a_header_says_which_columns_are_meant(tmp_path, text, rows):
    assert read(tmp_path, text) == rows


def test_columns_that_are_not_read_are_told(tmp_path, caplog):
    assert read(tmp_path, "source,target,timestamp\n1,2,100\n2,3,200\n") == [(1, 2), (2, 3)]
    assert "not read: 'timestamp'" in caplog.text


def test_a_header_of_other_words_with_three_columns_is_refused(tmp_path):
    text = "user_id,movie_id,rating\n1,2,5\n2,3,4\n"
    with pytest.raises(DataError, match=r"give columns=\['user_id', 'movie_id'\], or others; a third holds weights"):
        read(tmp_path, text)
    assert read(tmp_path, text, columns=["user_id", "movie_id"]) == [(1, 2), (2, 3)]
    assert read(tmp_path, text, columns=["user_id", "movie_id", "rating"]) == [(1, 2, 5.0), (2, 3, 4.0)]


@pytest.mark.parametrize(
    "text",
    [
        "user item\nann x\nbob y\n",
        "a b\n1 2\n",
        "u v\na b\nb c\n",
        "s t\na b\nb c\n",
        "x y\nann bob\nbob eve\n",
        "person 1\n2 3\n3 4\n",
        "mother child\nann bob\nbob eve\n",
        "one two\n" + "".join(f"n{i} m{i}\n" for i in range(12)),
    ],
)
def test_a_doubtful_header_is_told(tmp_path, caplog, text):
    rows = read(tmp_path, text)
    first = text.partition("\n")[0]
    assert tuple(first.split()) in [tuple(map(str, row)) for row in rows]
    assert f"edges:1: {first!r} is taken as an edge, but may be a header" in caplog.text
    caplog.clear()
    assert len(read(tmp_path, text, columns=first.split())) == len(rows) - 1
    assert caplog.text == ""


@pytest.mark.parametrize(
    "text",
    ["u v\nv w\nw u\n", "ann bob\nbob eve\n", "node1 node2\nnode3 node4\n", "1 2\n2 x\n", "a b 1\nb c 2\n", "ann bob\n",
     "# source target\n1 2\n", "0 1\n", "10 20 3\n20 30 4\n", "source sink\nsink source\n"],
)  # fmt: skip
def test_no_word_where_there_is_no_header(tmp_path, caplog, text):
    read(tmp_path, text)
    assert "header" not in caplog.text


def test_every_file_may_have_a_header(tmp_path, caplog):
    (tmp_path / "a").write_text("source,target,weight\n1,2,3\n")
    (tmp_path / "b").write_text("weight,source,target\n5,2,3\n")
    graph = Graph.from_file([tmp_path / "a", tmp_path / "b"], directed=True)
    assert graph.names.to_list() == [1, 2, 3]
    assert graph.weights.tolist() == [3.0, 5.0]
    for name in ("a", "b"):
        (tmp_path / name).write_text("eins zwei\n" + ("ann bob\n" if name == "a" else "eve joe\n"))
    Graph.from_file([tmp_path / "a", tmp_path / "b"])
    assert "another file begins with it" in caplog.text


def test_only_a_header(tmp_path):
    with pytest.raises(DataError, match="expected edges, got a header and no line below it"):
        read(tmp_path, "source,target\n")


DELIMITERS = [
    ("a,b\nb,c\n", [("a", "b"), ("b", "c")]),
    ("a, b\nb , c\n", [("a", "b"), ("b", "c")]),
    ("1, 2\n2 ,3\n", [(1, 2), (2, 3)]),
    ("New York,Boston\nLos Angeles,San Diego\n", [("Los Angeles", "San Diego"), ("New York", "Boston")]),
    ("New York,Boston,306\nBoston,Reno, 406\n", [("Boston", "Reno", 406.0), ("New York", "Boston", 306.0)]),
    ("New York\tBoston\nReno\tSan Diego\n", [("New York", "Boston"), ("Reno", "San Diego")]),
    ("a;b;2\nb;c;3\n", [("a", "b", 2.0), ("b", "c", 3.0)]),
    ("1 2\t0.5\n2 3\t0.6\n", [(1, 2, 0.5), (2, 3, pytest.approx(0.6))]),
    ("a\tb\nb c\n", [("a", "b"), ("b", "c")]),
    ("a\tb # x\nb\tc\n", [("a", "b"), ("b", "c")]),
    ("Doe,J Roe,R\nPoe,E Doe,J\n", [("Doe,J", "Roe,R"), ("Poe,E", "Doe,J")]),
    ("a,b,\nb,c,\n,,\n", [("a", "b"), ("b", "c")]),
    ('"a, x","b ""q"""\n"b ""q""",c\n', [("a, x", 'b "q"'), ('b "q"', "c")]),
    ('"New York" Boston\nBoston 6" 2\n', None),
]


@pytest.mark.parametrize(("text", "rows"), DELIMITERS[:-1])
def test_delimiters_are_found(tmp_path, text, rows):
    assert read(tmp_path, text) == rows


def test_quotes_between_blanks(tmp_path):
    assert read(tmp_path, '"New York" Boston\n"Boston" 6"x\n') == [("Boston", '6"x'), ("New York", "Boston")]


def test_lines_that_can_be_cut_in_two_ways_are_refused(tmp_path):
    text = "New York,Boston\nLos Angeles,Reno\n"
    with pytest.raises(DataError, match=r"It has ',' and blanks.* Give delimiters=',' or delimiters=' '"):
        read(tmp_path, text)
    assert read(tmp_path, text, delimiters=",") == [("Los Angeles", "Reno"), ("New York", "Boston")]
    assert read(tmp_path, text, delimiters=" ") == [("Los", "Angeles,Reno"), ("New", "York,Boston")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,,0.5\nb,c,1\n", "edges:1: expected 'head,tail,weight', got 'a,,0.5'. A cell is empty"),
        ("a,b\n,c\n", "edges:2: expected 'head,tail' as in the lines before, got ',c'. A cell is empty"),
        ("a,b,1\nb,c,\n", "edges:2: .*got 'b,c,'. A cell is empty"),
        ("a,b\nc,d\ne,\n", "edges:3: .*got 'e,'. A cell is empty"),
        ("s,t,w\na,1\n", "edges:2: expected 3 columns, got 'a,1'"),
        ('"a,b\nc,d\n', "edges:1: expected cells in whole quotes"),
        ('"a"x,b\nc,d\n', "edges:1: expected cells in whole quotes"),
        ("a,b\nParis, TX,c\ne,f\n", "edges:2: .*got 'Paris, TX,c'. If a name contains ',', write it in quotes"),
    ],
)
def test_cells_that_are_empty_or_too_many(tmp_path, text, message):
    columns = ("s", "t", "w") if text.startswith("s,t,w") else None
    with pytest.raises(DataError, match=message):
        read(tmp_path, text, columns=columns, **({"delimiters": ","} if '"' in text else {}))


COMMENTS = [
    ("% sym\n% 3 3\n1 2\n2 3\n", "%"), ("// c\n1 2\n", "//"), ("; c\n1 2\n", ";"), ("-- c d\n1 2\n", "--"), ("! x\n1 2\n", "!"),
    ("1 2\n% a b\n2 3\n", "%"), ("%% a\n1 2\n", "%"),
]  # fmt: skip


@pytest.mark.parametrize("options", [{}, {"weighted": False}])
@pytest.mark.parametrize(("text", "sign"), COMMENTS)
def test_other_comments_are_told(tmp_path, text, sign, options):
    with pytest.raises(DataError, match=f"If lines that begin with '{sign}' are comments, give comment='{sign}'"):
        read(tmp_path, text, **options)
    assert (1, 2) in read(tmp_path, text, comment=sign, **options)


def test_names_that_begin_like_comments(tmp_path):
    assert read(tmp_path, "%a %b\n%b %c\n") == [("%a", "%b"), ("%b", "%c")]
    assert read(tmp_path, "a b\n%b c\nc d\n") == [("%b", "c"), ("a", "b"), ("c", "d")]


@pytest.mark.parametrize("text", ["s,t\n# exported 2020, by me\na,b\n", "# x, y\ns,t\n#\n  # c\na,b\n# foo\n"])
def test_rows_of_comments(tmp_path, text):
    assert read(tmp_path, text, columns=("s", "t")) == [("a", "b")]
    assert read(tmp_path, text.replace("s,t", "source,target")) == [("a", "b")]


def test_a_comment_begins_a_line_or_a_column(tmp_path, caplog):
    assert read(tmp_path, "a http://x/o#B\nb http://x/o#C # end\n") == [("a", "http://x/o#B"), ("b", "http://x/o#C")]
    assert read(tmp_path, "a,o#B\nb,C #5\nann,#py\nc,d,# end\n") == [
        ("a", "o#B"),
        ("ann", "#py"),
        ("b", "C #5"),
        ("c", "d"),
    ]
    assert caplog.text == ""
    assert read(tmp_path, "a,b\n#py,#np\nc,d\n") == [("a", "b"), ("c", "d")]
    assert "edges:2: '#py,#np' is taken as a comment" in caplog.text
    assert ("#py", "#np") in read(tmp_path, "a,b\n#py,#np\nc,d\n", comment="")
    with pytest.raises(DataError, match=r"got only comments and blank lines. If '#' begins names, give comment=''"):
        read(tmp_path, "#py #np\n")


class TestPositions:
    BITCOIN = "6,2,4,1289241911.7\n6,5,2,1289241941\n"

    def test_weight_and_time(self, tmp_path):
        with pytest.raises(
            DataError, match=r"give columns=\[1, 2, 3\] for the third as the weight, or columns=\[1, 2\]"
        ):
            read(tmp_path, self.BITCOIN)
        weighted = [(6, 2, 4.0), (6, 5, 2.0)]
        assert read(tmp_path, self.BITCOIN, columns=[1, 2, 3]) == weighted
        assert read(tmp_path, self.BITCOIN, columns=["1", "2", "3"]) == weighted
        assert read(tmp_path, self.BITCOIN, weighted=True) == weighted
        assert read(tmp_path, self.BITCOIN.replace(",", " "), weighted=True) == weighted
        assert read(tmp_path, self.BITCOIN, columns=[2, 1]) == [(2, 6), (5, 6)]

    def test_triples(self, tmp_path):
        text = "Q1\tP31\tQ5\nQ2\tP31\tQ5\n"
        with pytest.raises(DataError, match=r"give columns=\[1, 3\] if the second is no node"):
            read(tmp_path, text)
        assert read(tmp_path, text, columns=[1, 3]) == [("Q1", "Q5"), ("Q2", "Q5")]

    def test_movielens(self, tmp_path):
        text = "1::2::5::9\n1::3::4::8\n"
        with pytest.raises(DataError, match="If ':' separates the columns, give delimiters=':'"):
            read(tmp_path, text)
        assert read(tmp_path, text, delimiters="::", columns=[1, 2, 3]) == [(1, 2, 5.0), (1, 3, 4.0)]

    def test_a_header_above_positions(self, tmp_path, caplog):
        assert read(tmp_path, "id,a,b\n7,1,2\n8,2,3\n", columns=[2, 3]) == [(1, 2), (2, 3)]
        assert "Heads are from 'a', tails from 'b'" in caplog.text

    def test_columns_that_are_not_there(self, tmp_path):
        with pytest.raises(DataError, match="edges:1: expected 4 columns at least, got '2'"):
            read(tmp_path, "1 2\n", columns=[1, 4])
        with pytest.raises(DataError, match="expected the columns 's', 't', got a table with the columns 'a', 'b'"):
            read(tmp_path, "a,b\n1,2\n", columns=["s", "t"])


class TestNames:
    def test_a_change_from_integers_to_text_is_told(self, tmp_path, caplog):
        assert read(tmp_path, "1 2\n3 x\n") == [("1", "2"), ("3", "x")]
        assert (
            "edges:2: 'x' is not written as an integer is, unlike the names before: all names are text" in caplog.text
        )

    @pytest.mark.parametrize("missing", ["nan", "NaN", "NULL", "None", "NA", "<NA>"])
    def test_a_missing_value_among_integers_is_refused(self, tmp_path, missing):
        with pytest.raises(DataError, match=f"edges:2: expected names, got .* '{missing}' stands for none"):
            read(tmp_path, f"1,2\n3,{missing}\n")
        assert read(tmp_path, f"a b\nb {missing}\n")

    @pytest.mark.parametrize("text", ["1 007\n", "1 1_0\n", "1 +5\n", "1 1e5\n", "1 １\n", f"1 {2**63}\n"])
    def test_what_is_no_integer(self, tmp_path, text):
        for content in (text, text.replace(" ", ",")):
            assert read(tmp_path, content) == [tuple(text.split())]
            assert read(tmp_path, f"s,t\n{text.replace(' ', ',')}", columns=("s", "t")) == [tuple(text.split())]

    def test_the_smallest_integer(self, tmp_path):
        assert read(tmp_path, f"{-(2**63)},1\n1,2\n") == [(-(2**63), 1), (1, 2)]


def test_names_that_may_be_none(tmp_path, caplog):
    assert read(tmp_path, "ann,bob\nbob,NaN\n") == [("ann", "bob"), ("bob", "NaN")]
    assert "edges:2: a node is called 'NaN'. If that stands for none, leave the line out." in caplog.text
    assert read(tmp_path, "ann,bob # new\nbob,eve\n") == [("ann", "bob # new"), ("bob", "eve")]
    assert "edges:1: 'bob # new' is taken as a name, with what may be a comment in it." in caplog.text


def test_decimal_commas_are_told(tmp_path):
    with pytest.raises(
        DataError, match=r"edges:2: expected a number as the weight, got '0,5'. Write weights with a point"
    ):
        read(tmp_path, "source;target;weight\n1;2;0,5\n2;3;0,7\n")


def test_blanks_around_cells_do_not_count(tmp_path):
    text = "Source, Target , Weight\na , b, 0.5\n"
    for columns in (None, ("Source", "Target", "Weight")):
        assert read(tmp_path, text, columns=columns) == [("a", "b", 0.5)]


def test_nothing_is_said_about_plain_files(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    read(tmp_path, "# c\na b\nb c\n")
    read(tmp_path, "1 2 0.5\n2 3 1\n")
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["ann bob 1262304000", "bob eve 1262304007"], "If it holds times, give weighted=False"),
        (["1 2 3", "1 3 4", "2 3 4", "4 5 6"], "If it holds nodes, give format='adjlist'"),
        (["1 2 1", "1 3 2", "2 4 1", "4 5 2"], ""),
        (["1 2 3.5", "1 3 4.25", "2 4 1.5"], ""),
        (["ann bob 3", "bob eve 4", "eve ann 5"], ""),
    ],
)
def test_a_third_column_that_may_be_no_weights_is_told(tmp_path, caplog, lines, told):
    path = tmp_path / "edges.txt"
    path.write_text("\n".join(lines) + "\n")
    assert Graph.from_file(path).is_weighted
    assert (told in caplog.text) if told else not caplog.text
    caplog.clear()
    Graph.from_file(path, weighted=True)
    assert not Graph.from_file(path, weighted=False).is_weighted
    if "adjlist" in told:
        assert Graph.from_file(path, format="adjlist").num_edges == 7
    assert not caplog.text
