"""predict, and evaluate --triples."""

from __future__ import annotations

import pytest

from nodeloom import ComplEx, KnowledgeGraph
from nodeloom.tasks import triple_ranking

ROWS = [(f"a{i}", "next", f"a{(i + 1) % 12}") for i in range(12)] + [
    (f"a{i}", "back", f"a{(i - 1) % 12}") for i in range(12)
]


def write(path, rows):
    path.write_text("".join("\t".join(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def trained():
    graph = KnowledgeGraph.from_triples(ROWS[:21])
    return ComplEx(dim=16, num_epoch=100, device="cpu", verbose=False, num_shared_negative="all").fit(graph)


@pytest.fixture
def files(trained, tmp_path):
    """A model, the triples it was trained on, others, and test triples of which one has a name that is new."""
    model = trained.save(tmp_path / "model.safetensors")
    train = write(tmp_path / "train.tsv", ROWS[:21])
    valid = write(tmp_path / "valid.tsv", ROWS[21:22])
    return model, train, valid, write(tmp_path / "test.tsv", [*ROWS[22:], ("a1", "next", "somebody")])


def test_predict_tells_the_missing_part(cli, files, trained):
    model, train, *_ = files
    answer = cli("predict", model, "--head", "a3", "--relation", "next", "-k", 3, "--json")
    assert answer.code == 0, answer.err
    expected = [{"name": name, "score": score} for name, score in trained.predict_tails("a3", "next", 3)]
    assert answer.json == {"head": "a3", "relation": "next", "answers": expected}
    text = cli("predict", model, "--relation", "back", "--tail", "a3", "-k", 2).out
    assert "?  back  a3" in text and text.index("a4") > 0
    found = cli("predict", model, "--head", "a3", "--tail", "a4", "--json").json["answers"]
    assert {item["name"] for item in found} == {"next", "back"}
    one = cli("predict", model, "--head", "a3", "--relation", "next", "--tail", "a4", "--json").json
    assert one["score"] == trained.score("a3", "next", "a4")[0]
    left = cli("predict", model, "--head", "a3", "--relation", "next", "--known", train, "--json").json["answers"]
    assert "a4" not in [item["name"] for item in left] and len(left) == 10


def test_predict_says_what_is_wrong(cli, files, tmp_path):
    model = files[0]
    for arguments, message in (
        (("--head", "a3"), "predict: expected two of --head, --relation and --tail, got --head."),
        ((), "got none of them"),
        (("--head", "a33", "--relation", "next"), "head: expected names of entities of the knowledge graph"),
        (("--head", "a3", "--relation", "next", "-k", "0"), "expected an integer >= 1, got 0"),
        (("a3", "--head", "a3", "--relation", "next"), "a3: expected one model, got further names"),
        (("--head", "a3", "--relation", "next", "--known", "nowhere.tsv"), "nowhere.tsv"),
    ):
        answer = cli("predict", model, *arguments)
        assert answer.code == 2 and message in answer.err, answer.err
    graph = write(tmp_path / "edges.txt", [("a", "b"), ("b", "c"), ("c", "a")])
    assert cli("embed", graph, "-o", tmp_path / "nodes", "--num-epoch", 1, "--dim", 4, "-q").code == 0
    answer = cli("predict", tmp_path / "nodes.safetensors", "--head", "a", "--relation", "b")
    assert answer.code == 2 and "expected a model of a knowledge graph" in answer.err


def test_evaluate_ranks_triples(cli, files, trained, tmp_path):
    model, train, valid, test = files
    out = tmp_path / "ranks.parquet"
    answer = cli("evaluate", model, "--triples", test, "--filter", train, valid, "--ranks", out, "--json")
    assert answer.code == 0, answer.err
    (result,) = answer.json["evaluation"]
    graph = KnowledgeGraph.from_triples(ROWS[:21])
    expected = triple_ranking(trained, [*ROWS[22:], ("a1", "next", "somebody")], [graph, ROWS[21:22]])
    assert result["metrics"] == pytest.approx(expected.metrics())
    assert result["num_unseen"] == 1 and result["num_triples"] == 3
    pandas = pytest.importorskip("pandas")
    assert pandas.read_parquet(out)["rank"].tolist() == expected.ranks.realistic.ravel().tolist()
    again = cli("evaluate", model, "--triples", test, "--filter", train, "--filter", valid, "--unseen", "drop")
    assert "2 triples ranked, all candidates" in again.out and "frequency in training" in again.out
    assert "1 of them are left out" in again.out
    drawn = cli("evaluate", model, "--triples", test, "--candidates", "5", "--json").json["evaluation"][0]
    assert "MRR@5" in drawn["metrics"]
    observed = cli("evaluate", model, "--triples", test, "--filter", train, "--candidates", "observed", "--json")
    assert observed.json["evaluation"][0]["candidates"] == "observed"


def test_evaluate_of_triples_says_what_is_wrong(cli, files):
    model, train, _, test = files
    for arguments, message in (
        (("--triples", test, "--links", train), "--links: expected no such option beside --triples"),
        (("--triples", test, "--candidates", "0"), "--candidates: expected all, observed or a number >= 1, got '0'"),
        (("--triples", test, "--candidates", "observed"), "--candidates observed: expected the triples trained on"),
        (("--candidates", "5"), "--candidates: expected --triples beside it"),
        (("--links", test, "--filter", train, test), "--filter: expected one file of edges for --links"),
        (("--triples", test, "--filter", train, "--ranks", train), "expected an output that is no input"),
        (("--triples", "nowhere.tsv"), "nowhere.tsv"),
        ((), "expected --labels, --links or --triples, got none"),
    ):
        answer = cli("evaluate", model, *arguments)
        assert answer.code == 2 and message in answer.err, answer.err


def test_saved_graphs_are_read_wherever_triples_are(cli, files, tmp_path):
    model, train, _, test = files
    saved, left = tmp_path / "train.nlk", tmp_path / "test.nlk"
    assert cli("convert", train, "-o", saved).code == cli("convert", test, "-o", left).code == 0
    by_file = cli("evaluate", model, "--triples", test, "--filter", train, "--json").json
    by_graph = cli("evaluate", model, "--triples", left, "--filter", saved, "--json").json
    (one,), (other,) = by_file["evaluation"], by_graph["evaluation"]
    assert (one["num_triples"], one["ranks"]) == (other["num_triples"], other["ranks"])
    asked = ("predict", model, "--head", "a3", "--relation", "next", "--json", "--known")
    assert cli(*asked, saved).json == cli(*asked, train).json
