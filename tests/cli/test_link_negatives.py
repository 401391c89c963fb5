"""Link files of edges alone: pairs that are no edges are drawn, from a saved model and from a configuration."""

from __future__ import annotations

import pytest

from nodeloom.graph import Graph


def test_evaluate_on_edges_alone_draws_the_others(cli, model, edges, tmp_path):
    links, known = tmp_path / "links.txt", tmp_path / "known.txt"
    links.write_text("".join(f"{part}{i} {part}{i + 3}\n" for part in "ab" for i in range(9)))
    known.write_text("a0 a3\n")
    call = ("evaluate", model, "--links", links, "--json")
    (result,) = cli(*call).json["evaluation"]
    assert (result["num_positive"], result["num_negative"]) == (18, 18)
    assert 0.6 < result["auc"] < 1  # within the communities most scores are high, and half of the others are within
    assert abs(result["control"]["auc"] - 0.5) < 0.3
    assert cli(*call).json["evaluation"] == [result]
    assert cli(*call, "--seed", 1).json["evaluation"][0]["auc"] != result["auc"]
    # For each edge that the filter leaves, not for each line.
    (result,) = cli(*call, "--filter", known, "--num-negative", 3).json["evaluation"]
    assert (result["num_positive"], result["num_negative"], result["num_filtered"]) == (17, 51, 1)


@pytest.mark.parametrize("compiled", [False, True])
def test_edges_of_the_graph_are_not_drawn(cli, model, edges, tmp_path, compiled):
    links, graph = tmp_path / "links.txt", tmp_path / "graph"
    links.write_text("a1 a4\n")
    # All pairs but those of a0, the other way round, and in another order of the nodes than that of the model.
    names = [f"{part}{i}" for part in "ba" for i in range(12)]
    pairs = [(left, right) for i, left in enumerate(names) for right in names[:i] if "a0" not in (left, right)]
    graph.write_text("x y\n" + "".join(f"{left} {right}\n" for left, right in pairs))
    if compiled:
        Graph.from_file(graph).save(graph)
    call = ("evaluate", model, "--links", links, "--graph", graph, "--json", "--num-negative")
    assert cli(*call, 23).json["evaluation"][0]["num_negative"] == 23
    answer = cli(*call, 24)
    assert answer.code == 2
    assert "expected 24 negatives, got '23 pairs that are no edges'" in answer.err


def test_num_negative_needs_a_file_without_negatives(cli, model, labels, tmp_path):
    links = tmp_path / "links.txt"
    links.write_text("a0 a1 1\na0 b1 0\n")
    answer = cli("evaluate", model, "--links", links, "--num-negative", 2)
    assert answer.code == 0
    assert "num_negative has no effect" in answer.err
    answer = cli("evaluate", model, "--labels", labels, "--num-negative", 2)
    assert (answer.code, "--num-negative: expected --links" in answer.err) == (2, True)
    answer = cli("evaluate", model, "--links", links, "--num-negative", 0)
    assert "--num-negative: expected an integer >= 1 and <= 10000, got 0" in answer.err


def test_edges_alone_are_judged_beside_pairs_that_the_graph_lacks(cli, fake, tmp_path):
    names = [f"{part}{i}" for part in "ab" for i in range(6)]
    pairs = [(left, right) for i, left in enumerate(names) for right in names[:i] if "a0" not in (left, right)]
    (tmp_path / "edges.txt").write_text("a0 a1\n" + "".join(f"{left} {right}\n" for left, right in pairs))
    (tmp_path / "links.txt").write_text("a0 a2\n")
    path = tmp_path / "config.yaml"
    text = "graph: {{file_name: {0}/edges.txt}}\nevaluate: [{{task: link prediction, file_name: {0}/links.txt, num_negative: {1}}}]\n"
    path.write_text(text.format(tmp_path, 9))
    result = cli("run", path, "--json").json["evaluation"][0]
    assert (result["num_positive"], result["num_negative"]) == (1, 9)  # the 9 others of a0: all that is free
    path.write_text(text.format(tmp_path, 10))
    assert "expected 10 negatives, got '9 pairs" in cli("run", path).err
