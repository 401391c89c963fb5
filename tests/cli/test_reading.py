"""Edge lists of habits of their own on the command line: what is read, and advice in its words."""

from __future__ import annotations

import pytest

from nodeloom.graph import Graph


@pytest.mark.parametrize("options", [(), ("--delimiters", ",")])
def test_csv_with_a_header_is_read_as_it_is(cli, tmp_path, options):
    (tmp_path / "e.csv").write_bytes(b"source,target\r\n1,2\r\n2,3\r\n")
    answer = cli("convert", tmp_path / "e.csv", "-o", tmp_path / "g", *options)
    assert answer.code == 0, answer.err
    assert "e.csv:1: taken as a header. Heads are from 'source', tails from 'target'." in answer.err
    assert Graph.open(tmp_path / "g").names.to_list() == [1, 2, 3]


@pytest.mark.parametrize(
    ("text", "advice", "names"),
    [
        ("6,2,4,1289.7\n6,5,2,1290\n", "--columns 1,2,3", [2, 5, 6]),
        ("% by me\n1 2\n2 3\n", "--comment %", [1, 2, 3]),
        ("1::2\n2::3\n", "--delimiters :", [1, 2, 3]),
        ("a b 1\nc d\n", "--no-weighted", ["a", "b", "c", "d"]),
        ("who whom how\n1 2 7\n2 3 8\n", "--columns who,whom", [1, 2, 3]),
    ],
)
def test_advice_leads_to_the_right_graph(cli, tmp_path, text, advice, names):
    (tmp_path / "e").write_text(text)
    answer = cli("convert", tmp_path / "e", "-o", tmp_path / "g")
    assert answer.code == 2
    assert advice in answer.err
    answer = cli("convert", tmp_path / "e", "-o", tmp_path / "g", *advice.split())
    assert answer.code == 0, answer.err
    assert Graph.open(tmp_path / "g").names.to_list() == names


def test_the_columns_of_triples_that_are_advised_make_a_graph(cli, tmp_path):
    (tmp_path / "e").write_text("Q1\tP31\tQ5\nQ2\tP31\tQ5\n")
    answer = cli("embed", tmp_path / "e", "-o", tmp_path / "m")
    assert answer.code == 2 and "give --columns 1,3 if the second is no node" in answer.err
    assert cli("convert", tmp_path / "e", "-o", tmp_path / "g", "--columns", "1,3").code == 0
    assert Graph.open(tmp_path / "g").names.to_list() == ["Q1", "Q5", "Q2"]
