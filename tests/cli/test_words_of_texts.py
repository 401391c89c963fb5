"""Words of a text on the command line, and GraphVite's files for them, which run unchanged."""

from __future__ import annotations

import gzip

import pytest

from nodeloom import Graph, load

SENTENCES = "the cat sat on the mat\nthe dog sat on the cat # all\n" * 30

# GraphVite's config/word_graph/line_wikipedia.yaml, with fewer dimensions and epochs.
GRAPHVITE = """\
application:
  word_graph

resource:
  gpus: []
  cpu_per_gpu: auto
  dim: 8

graph:
  file_name: <wikipedia.train>
  window: 2
  min_count: 5

build:
  optimizer:
    type: SGD
    lr: 0.025
    weight_decay: 0.005
  num_partition: 0
  num_negative: 1
  batch_size: 100000
  episode_size: 1000

train:
  model: LINE
  num_epoch: 3
  negative_weight: 5
  augmentation_step: 1
  random_walk_length: 40
  random_walk_batch_size: 100
  log_frequency: 1000

save:
  file_name: line_wikipedia.pkl
"""


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "text.txt.gz"
    path.write_bytes(gzip.compress(SENTENCES.encode()))
    return path


def test_words_of_a_text_are_embedded_and_searched(cli, text, tmp_path):
    answer = cli("embed", text, "--corpus", "-o", tmp_path / "w", "--dim", 8, "--window", 2, "--json")
    assert answer.code == 0, answer.err
    corpus = answer.json["corpus"]
    assert (corpus["num_sentence"], corpus["num_token"], corpus["num_kept_word"]) == (60, 420, 8)
    model = load(tmp_path / "w.safetensors")
    train = model.get_params()
    assert (type(model).__name__, train["num_epoch"], train["augmentation_step"]) == ("LINE", 80, 1)
    assert model.graph_names_ == Graph.from_corpus(text).names
    near = cli("nearest", tmp_path / "w.safetensors", "cat", "-k", 3, "--json")
    assert len(near.json["nearest"]["cat"]) == 3


def test_options_act_and_those_of_edges_are_told(cli, text, tmp_path):
    arguments = ("--corpus", "-o", tmp_path / "w.nlg", "--min-count", 31, "--comment", "#", "--self-loops", "drop")
    answer = cli("convert", text, *arguments, "--duplicates", "max")
    assert answer.code == 0, answer.err
    assert "30 of them cut at a comment" in answer.out
    assert "--duplicates has no effect: of --corpus the files are text." in answer.err
    assert Graph.open(tmp_path / "w.nlg").names.to_list() == ["the", "cat", "sat", "on"]
    again = cli("embed", tmp_path / "w.nlg", "--corpus", "-o", tmp_path / "w")
    assert again.code == 2 and "got 'a compiled graph'. Leave --corpus out to read it." in again.err
    plain = cli("embed", tmp_path / "w.nlg", "-o", tmp_path / "w", "--fast", "--dim", 2, "--window", 3)
    assert "--window has no effect: it belongs to --corpus." in plain.err
    assert cli("embed", text, "--corpus", "-o", tmp_path / "w", "--directed").code == 2


def test_the_file_of_graphvite_runs_unchanged(cli, tmp_path, monkeypatch):
    (tmp_path / "data" / "wikipedia").mkdir(parents=True)
    (tmp_path / "data" / "wikipedia" / "wikipedia_train.txt").write_text(SENTENCES)
    monkeypatch.setenv("NODELOOM_DATA", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.yaml").write_text(GRAPHVITE)
    answer = cli("run", "words.yaml")
    assert answer.code == 0, answer.err
    assert load("line_wikipedia.safetensors").vectors_.shape == (8, 8)
    # The keys of its template that other applications have in another section.
    (tmp_path / "words.yaml").write_text(GRAPHVITE.replace("  window: 2", '  delimiters: " \\t\\r\\n"\n  comment: "#"'))
    answer = cli("run", "words.yaml")
    assert answer.code == 0, answer.err
    assert "30 of them cut at a comment" in answer.out


def test_what_is_no_word_graph_is_refused(cli, tmp_path):
    for graph, message in (
        ("edge_list: [[a, b]]", "edge_list: expected text files"),
        ("file_name: t.txt\n  as_undirected: false", "as_undirected: expected true"),
        ("file_name: t.txt\n  window: 0", "window: expected an integer >= 1"),
    ):
        (tmp_path / "w.yaml").write_text(f"application: word graph\ngraph:\n  {graph}\n")
        answer = cli("run", tmp_path / "w.yaml")
        assert answer.code == 2 and message in answer.err, answer.err
