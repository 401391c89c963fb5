"""evaluate, export, nearest, convert, info, new, list: commands that do not train."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import yaml

from nodeloom import __version__
from nodeloom.config import load_config
from nodeloom.graph import Graph
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import write_model
from nodeloom.io.vocabulary import Vocabulary


def test_evaluate_on_labels(cli, model, labels):
    answer = cli("evaluate", model, "--labels", labels, "--portions", "0.5,0.9", "--times", 3, "--json")
    assert answer.code == 0, answer.err
    (result,) = answer.json["evaluation"]
    assert list(result["metrics"]) == ["micro-F1@50%", "macro-F1@50%", "micro-F1@90%", "macro-F1@90%"]
    assert result["metrics"]["micro-F1@50%"] == 1.0
    assert result["control"]["metrics"]["micro-F1@50%"] < 0.9
    text = cli("evaluate", model, "--labels", labels, "--no-control").out
    assert "Node classification: 24 labelled nodes, 2 classes" in text
    assert "random" not in text


def test_evaluate_on_links(cli, model, tmp_path):
    links, known = tmp_path / "links.txt", tmp_path / "known.txt"
    links.write_text("a0 a1 1\na2 a3 1\na0 b1 0\na2 b3 0\n")
    known.write_text("a0 a1\n")
    result = cli("evaluate", model, "--links", links, "--filter", known, "--json").json["evaluation"][0]
    assert result["auc"] == 1.0
    assert (result["num_positive"], result["num_negative"], result["num_filtered"]) == (1, 2, 1)


def test_evaluate_can_skip_unknown_nodes(cli, model, labels):
    labels.write_text(labels.read_text() + "zz a\n")
    assert cli("evaluate", model, "--labels", labels).code == 2
    answer = cli("evaluate", model, "--labels", labels, "--skip-unknown")
    assert answer.code == 0
    assert "24 labelled nodes" in answer.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "expected --labels, --links or --triples, got none"),
        (
            ("--labels", "LABELS", "--portions", "1.5"),
            "--portions: expected a list, each item a number > 0 and < 1, got '1.5'",
        ),
        (("--labels", "LABELS", "--times", "0"), "--times: expected an integer >= 1 and <= 10000, got 0"),
        (("--labels", "LABELS", "--C", "0"), "--C: expected a number > 0, got 0"),
        (("--labels", "nowhere.txt"), "nowhere.txt: expected a file"),
    ],
)
def test_evaluate_refuses(cli, model, labels, arguments, message):
    answer = cli("evaluate", model, *(str(labels) if part == "LABELS" else part for part in arguments))
    assert answer.code == 2
    assert message in answer.err


def test_nearest(cli, model):
    answer = cli("nearest", model, "a3", "b4", "-k", 5, "--json")
    assert answer.code == 0, answer.err
    for name, found in answer.json["nearest"].items():
        assert len(found) == 5
        assert all(item["name"][0] == name[0] and item["name"] != name for item in found)
        assert found == sorted(found, key=lambda item: -item["score"])
    text = cli("nearest", model, "a3", "-q").out
    assert "Nearest to a3" in text


def test_nearest_of_integer_names(cli, fake, tmp_path):
    (tmp_path / "e.txt").write_text("1 2\n2 3\n3 10\n")
    assert cli("embed", tmp_path / "e.txt", "-o", tmp_path / "m").code == 0
    assert len(cli("nearest", tmp_path / "m.safetensors", "10", "--json").json["nearest"]["10"]) == 3
    answer = cli("nearest", tmp_path / "m.safetensors", "ten")
    assert answer.code == 2
    assert "such as 1 and 2), got 1 unknown name: 'ten'" in answer.err


def test_nearest_of_an_unknown_name(cli, model):
    answer = cli("nearest", model, "nobody")
    assert answer.code == 2
    assert "nobody" in answer.err


def test_export(cli, model, tmp_path):
    answer = cli("export", model, "-o", tmp_path / "v.txt")
    assert answer.code == 0, answer.err
    head, first, *_ = (tmp_path / "v.txt").read_text().splitlines()
    assert head == "24 4"
    assert first.split()[0] in {f"{part}{i}" for part in "ab" for i in range(12)}
    assert cli("export", model, "-o", tmp_path / "v.dat").code == 2
    assert cli("export", model, "-o", tmp_path / "v.dat", "--format", "tsv").code == 0
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_convert_and_use_the_compiled_graph(cli, fake, edges, tmp_path):
    compiled = tmp_path / "g.nodeloom"
    answer = cli("convert", edges, "-o", compiled)
    assert answer.code == 0, answer.err
    assert Graph.open(compiled).num_nodes == 24
    answer = cli("embed", compiled, "-o", tmp_path / "m", "--self-loops", "drop")
    assert answer.code == 0, answer.err
    assert fake.seen[0][2].num_nodes == 24
    assert "--self-loops has no effect: the compiled graph was built already" in answer.err


def test_convert_within_a_limit_of_memory(cli, edges, tmp_path, monkeypatch):
    from nodeloom.cli import progress

    monkeypatch.setattr(progress, "SECONDS_BETWEEN_LINES", -1.0)
    plain, limited = tmp_path / "plain", tmp_path / "limited"
    assert "sorting" not in cli("convert", edges, "-o", plain, "--self-loops", "drop").err
    answer = cli("convert", edges, "-o", limited, "--memory-limit", "2GB", "--self-loops", "drop")
    assert answer.code == 0, answer.err
    assert "limited" in answer.out
    for line in ("reading: 89 edges", "counting: 100% of 89 edges", "building: 100% of 178 entries"):
        assert line in answer.err
    assert Graph.open(limited).fingerprint() == Graph.open(plain).fingerprint()
    assert cli("convert", edges, "-o", limited, "--memory-limit", "2GB", "--quiet", "--overwrite").err == ""
    for size, words in (
        ("3", "--memory-limit: expected at least"),
        ("x", "--memory-limit: expected a number of bytes"),
    ):
        answer = cli("convert", edges, "-o", limited, "--memory-limit", size)
        assert answer.code != 0
        assert words in answer.err


def test_info(cli, model, edges, tmp_path):
    found = cli("info", model, "--json").json
    assert (found["num_nodes"], found["dim"]) == (24, 4)
    assert "num_nodes" in cli("info", model).out
    cli("convert", edges, "-o", tmp_path / "g")
    assert cli("info", tmp_path / "g", "--json").json == cli("info", edges, "--json").json
    machine = cli("info", "--json").json
    assert machine["version"] == __version__
    assert machine["num_thread"] >= 1
    answer = cli("info", tmp_path / "none")
    assert answer.code == 2
    assert "expected a model or a graph, got nothing of that name" in answer.err


def test_new_writes_a_template_once(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("new", "graph").code == 0
    path = tmp_path / "graph.yaml"
    load_config(path)
    path.write_text("mine")
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    answer = cli("new", "graph")
    assert answer.code == 2
    assert "was not overwritten" in answer.err
    assert path.read_text() == "mine"
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert cli("new", "graph").code == 2
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    assert cli("new", "graph").code == 0
    assert path.read_text() != "mine"
    assert cli("new", "graph", "--force").code == 0
    assert cli("new", "graph", "--file", tmp_path / "other.yaml").code == 0
    assert yaml.safe_load((tmp_path / "other.yaml").read_text())["application"] == "graph"


@pytest.mark.parametrize("words", [("knowledge", "graph"), ("knowledge graph",)])
def test_new_of_a_knowledge_graph(cli, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli("new", *words).code == 0
    assert load_config(tmp_path / "knowledge_graph.yaml").application == "knowledge graph"


def test_list(cli):
    answer = cli("list")
    for part in ("line_youtube", "quick_start", "lastfm_asia", "friendster", "small_graph"):
        assert part in answer.out
    found = cli("list", "--json").json
    assert len(found["baselines"]) == 26
    assert {item["name"] for item in found["datasets"]} >= {"blogcatalog", "youtube", "flickr", "friendster"}


def test_version(cli):
    answer = cli("--version")
    assert (answer.code, answer.out) == (0, f"nodeloom {__version__}\n")


def test_a_model_of_other_tables_than_those_of_nodes(cli, tmp_path):
    path = tmp_path / "k.safetensors"
    tensors = {"place": np.ones((3, 4), np.float32), "sense": np.ones((2, 6), np.float32)}
    names = {"place": Vocabulary.from_names(["a", "b", "c"]), "sense": Vocabulary.range(2)}
    write_model(path, ModelData(tensors, {"place": "place", "sense": "sense"}, names))
    facts = cli("info", path, "--json").json
    assert facts["tables"] == "place [3, 4], sense [2, 6]"
    assert (facts["place names"], facts["sense names"]) == ("a, b, c, ...", "0, 1, ...")
    for command in (
        ("nearest", path, "a"),
        ("export", path, "-o", tmp_path / "v.txt"),
        ("evaluate", path, "--labels", path),
    ):
        answer = cli(*command)
        assert answer.code == 2
        assert (
            "k.safetensors: expected a model of nodes, with a table 'vertex', got 'tables place, sense'" in answer.err
        )
    assert not (tmp_path / "v.txt").exists()


def test_nearest_and_export_of_a_knowledge_graph(cli, tmp_path):
    path = tmp_path / "k.safetensors"
    entity = np.array([[1, 0], [0, 1], [0.9, 0.1]], np.float32)
    tensors = {"entity": entity, "relation": np.ones((2, 4), np.float32)}
    names = {"entity": Vocabulary.from_names(["a", "b", "c"]), "relation": Vocabulary.from_names(["r", "s"])}
    write_model(path, ModelData(tensors, {"entity": "entity", "relation": "relation"}, names))
    near = cli("nearest", path, "a", "-k", "1", "--json").json["nearest"]["a"]
    assert [answer["name"] for answer in near] == ["c"]
    assert cli("nearest", path, "a", "--table", "vertex").code == 2
    cli("export", path, "-o", tmp_path / "v.txt")
    assert (tmp_path / "v.relations.txt").read_text().startswith("2 2\nr 1 1\n")


def test_vectors_of_word2vec_are_used_like_a_model(cli, tmp_path):
    vectors, labels = tmp_path / "v.txt", tmp_path / "l.txt"
    vectors.write_text("4 2\na 0.1 0.2\nb 0.3 0.1\nc 0.2 0.2\nd 0.3 0.2\n")
    labels.write_text("a x\nb y\nc x\nd y\n")
    assert cli("evaluate", vectors, "--labels", labels, "--portions", "0.5").code == 0
    assert cli("nearest", vectors, "a", "--json").json["nearest"]["a"][0]["name"] == "c"
    assert cli("info", vectors, "--json").json["dim"] == 2
    assert cli("export", vectors, "-o", tmp_path / "v.bin").code == 0
    assert cli("nearest", tmp_path / "v.bin", "a", "--json").json["nearest"]["a"][0]["name"] == "c"


def test_a_graph_of_another_format_is_used_like_a_list_of_edges(cli, tmp_path):
    (tmp_path / "g.gml").write_text(
        "graph [ node [ id 1 ] node [ id 2 ] node [ id 3 ] edge [ source 1 target 2 ] edge [ source 2 target 3 ] ]"
    )
    assert cli("info", tmp_path / "g.gml", "--json").json["num_nodes"] == 3
    assert cli("convert", tmp_path / "g.gml", "-o", tmp_path / "g.nlg", "--json").json["num_edges"] == 2
    (tmp_path / "x.graph").write_text("5 4\n2\n")
    answer = cli("convert", tmp_path / "x.graph", "-o", tmp_path / "x.nlg")
    assert (answer.code, "give --format edges" in answer.err) == (2, True)
