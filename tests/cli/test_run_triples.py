"""A configuration of a knowledge graph in GraphVite's schema: trained, saved, judged, asked."""

import pytest

from nodeloom import DistMult

ROWS = [
    (f"a{i}", relation, f"a{(i + step) % 20}")
    for i in range(20)
    for relation, step in (("next", 1), ("second", 2), ("third", 3))
]

FILE = """\
application:
  knowledge graph
resource:
  dim: 16
  device: cpu
graph:
  file_name: train.tsv
build:
  optimizer:
    type: Adam
    lr: 1.0e-2
  num_negative: 64
train:
  model: DistMult
  num_epoch: 3
  l3_regularization: 1.0e-3
  seed: 1
evaluate:
  - task: link prediction
    file_name: test.tsv
    filter_files: [train.tsv, test.tsv]
    fast_mode: 4
  - task: link prediction
    H: [a1]
    R: [next]
    T: [a2]
    target: tail
save:
  file_name: kg.pkl
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, rows in (("train", ROWS[6:]), ("test", ROWS[:6])):
        (tmp_path / f"{name}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    (tmp_path / "run.yaml").write_text(FILE)
    return tmp_path


def test_run(cli, folder):
    answer = cli("run", "run.yaml", "--json")
    assert answer.code == 0, answer.err
    first, second = answer.json["evaluation"]
    assert (first["num_triples"], second["num_triples"]) == (4, 1)
    assert 0 < first["metrics"]["MRR"] <= 1
    assert second["metrics"]["MRR"] == second["ranks"]["tail"]["realistic"]["mrr"]
    assert (folder / "kg.safetensors").exists()
    again = cli("run", "run.yaml", "--json", "--no-eval", "--overwrite")
    assert "evaluation" not in again.json


def test_a_bad_test_file_costs_no_training(cli, folder):
    (folder / "test.tsv").write_text("a1\tnext\n")
    answer = cli("run", "run.yaml")
    assert answer.code == 2
    assert "test.tsv:1: expected 'head relation tail" in answer.err
    assert not (folder / "kg.safetensors").exists()


@pytest.mark.skipif(not hasattr(DistMult, "predict_tails"), reason="models of triples answer no questions yet")
def test_entity_prediction(cli, folder):
    text = (
        FILE[: FILE.index("evaluate:")]
        + "evaluate:\n  task: entity prediction\n  file_name: questions.txt\n  k: 3\n  save_file: answers.txt\n"
    )
    (folder / "run.yaml").write_text(text)
    (folder / "questions.txt").write_text("a1 next\na2 second\n")
    answer = cli("run", "run.yaml", "--json")
    assert answer.code == 0, answer.err
    rows = [line.split("\t") for line in (folder / "answers.txt").read_text().splitlines()]
    assert [row[:2] for row in rows] == [["a1", "next"]] * 3 + [["a2", "second"]] * 3
    assert len(answer.json["evaluation"][0]["answers"]) == 6
    (folder / "questions.txt").write_text("a1 nexxt\n")
    answer = cli("run", "run.yaml", "--overwrite")
    assert answer.code == 2
    assert "expected a relation that is trained on, got 'nexxt'" in answer.err
