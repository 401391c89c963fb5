"""info and convert of triples; and that triples given for edges are told."""

import pytest

from nodeloom import KnowledgeGraph

TEXT = "paris\tcapital of\tfrance\nberlin\tcapital of\tgermany\nfrance\tnext_to\tgermany\ngermany\tnext_to\tfrance\n"


@pytest.fixture
def triples(tmp_path):
    path = tmp_path / "kg.tsv"
    path.write_text(TEXT)
    return path


def test_info_names_a_knowledge_graph(cli, triples):
    answer = cli("info", triples)
    assert answer.code == 0
    assert "Triples of a knowledge graph" in answer.out
    assert "capital of 2, next_to 2" in answer.out
    assert "symmetric relations" in answer.out
    found = cli("info", triples, "--json").json
    assert (found["num_entities"], found["num_relations"], found["num_triples"]) == (4, 2, 4)


def test_info_of_numbers_only_where_it_is_said(cli, tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("0 0 1\n1 0 2\n2 1 1\n")
    assert "num_nodes" in cli("info", path, "--json").json
    found = cli("info", path, "--triples", "--json").json
    assert (found["num_entities"], found["num_relations"]) == (3, 2)


def test_convert(cli, triples, tmp_path):
    output = tmp_path / "kg.nlk"
    answer = cli("convert", triples, "-o", output)
    assert answer.code == 0, answer.err
    assert "KnowledgeGraph(4 entities, 2 relations, 4 triples" in answer.out
    assert KnowledgeGraph.open(output).fingerprint() == KnowledgeGraph.from_file(triples).fingerprint()
    assert "Knowledge graph" in cli("info", output).out
    again = cli("convert", output, "--triples", "-o", tmp_path / "again.nlk")
    assert again.code == 0, again.err
    assert KnowledgeGraph.open(tmp_path / "again.nlk").entity_names.to_list() == [
        "paris",
        "france",
        "berlin",
        "germany",
    ]
    assert "got a saved knowledge graph" in cli("embed", output, "--model", "DeepWalk", "-o", tmp_path / "m").err


def test_options_of_triples_act(cli, tmp_path):
    path = tmp_path / "kg.csv"
    path.write_text('x,h,t,r,w\n1,"a",b,r,0.5\n2,b,c,s,1\n')
    output = tmp_path / "kg.nlk"
    answer = cli("convert", path, "-o", output, "--triples", "--columns", "h,r,t,w", "--no-quotes")
    assert answer.code == 0, answer.err
    graph = KnowledgeGraph.open(output)
    assert graph.entity_names.to_list() == ['"a"', "b", "c"]
    assert graph.weights.tolist() == [0.5, 1]
    path.write_text('<a:b> <c:d> "e" .\n<a:b> <c:d> <f:g> .\n')
    cli("convert", path, "-o", output, "--overwrite")
    assert KnowledgeGraph.open(output).num_triples == 1
    cli("convert", path, "-o", output, "--overwrite", "--literals")
    assert KnowledgeGraph.open(output).num_triples == 2
    answer = cli("convert", path, "-o", output, "--overwrite", "--format", "triples")
    assert answer.code == 2
    assert "give --format n-triples" in answer.err


def test_triples_for_a_model_of_nodes_are_refused(cli, triples, tmp_path):
    answer = cli("embed", triples, "--model", "DeepWalk", "-o", tmp_path / "m")
    assert answer.code == 2
    assert "Triples are for models of knowledge graphs, such as ComplEx" in answer.err
    assert not (tmp_path / "m").exists()
