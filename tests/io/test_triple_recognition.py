"""Triples are told from edges only where they can be nothing else."""

import pyarrow as pa
import pyarrow.parquet
import pytest

from nodeloom.io.triple_recognition import holds_triples


@pytest.mark.parametrize(
    "text",
    [
        "paris\tcapital_of\tfrance\n",
        "a r b\nb r c\n",
        "# note\na;r;b\nb;r;c d\n",
        '"a, b",r,c\nd,r,e\n',
        "head,relation,tail\n1,2,3\n2,3,4\n",
        "Subject\tPredicate\tObject\tweight\nx\tis\ty\t0.5\n",
        "<http://a.b/c> <http://d.e/f> <http://g.h/i> .\n",
        "@prefix a: <http://b/> .\na:c a:d a:e .\n",
    ],
)
def test_triples(tmp_path, text):
    (tmp_path / "kg").write_text(text)
    assert holds_triples(tmp_path / "kg")


@pytest.mark.parametrize(
    "text",
    [
        "a b\nb c\n",
        "a b 1\nb c 2\n",
        "a b 1\nb c x\n",
        "1 2 3\n2 3 4\n",
        "source,target,type\na,b,Undirected\n",
        ":START_ID,:END_ID,:TYPE\n1,2,KNOWS\n",
        "a b c d\nb c d e\n",
        "a r\tb\nb\tc\n",
        "node1\tnode2\tnode3\nnode2\tnode4\nnode3\n",
        "%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 1\n",
        "",
        "# only\n",
        "a,,b\nc,,d\n",
    ],
)
def test_no_triples(tmp_path, text):
    (tmp_path / "edges").write_text(text)
    assert not holds_triples(tmp_path / "edges")
    assert not holds_triples(tmp_path / "none")
    assert not holds_triples(tmp_path)


def test_tables(tmp_path):
    for names, expected in (
        (["head", "relation", "tail"], True),
        (["source", "target", "type"], False),
        (["a", "b", "c"], False),
    ):
        pyarrow.parquet.write_table(pa.table({name: ["x"] for name in names}), tmp_path / "kg.parquet")
        assert holds_triples(tmp_path / "kg.parquet") == expected
