"""A knowledge graph on the command line: triples in, a model or vectors of both kinds out."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nodeloom


@pytest.fixture
def triples(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = np.unique(rng.integers((20, 3, 20), size=(150, 3)), axis=0)
    for name, part in (("train.tsv", rows[:100]), ("valid.tsv", rows[100:])):
        text = "".join(f"city {h}\tnear {r}\tcity {t}\n" for h, r, t in rng.permutation(part))
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize("model", ["ComplEx", "rotate"])
def test_a_model_by_name(cli, triples, model):
    result = cli(
        "embed", "train.tsv", "--model", model, "-o", "m", "--dim", "8", "--num-epoch", "4", "--device", "cpu", "--json"
    )
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["graph"]["num_triples"] == 100 and told["plan"]["num_epoch"] == 4
    assert told["training"]["unit"] == "triples" and told["training"]["num_pair"] == 400
    found = nodeloom.load("m.safetensors")
    assert type(found).__name__.lower() == model.lower()
    assert found["city 3"].shape == (8,) and "near 1" in found.relation_names_
    assert {path.name for path in triples.iterdir()} == {"train.tsv", "valid.tsv", "m.safetensors"}


def test_the_defaults_are_those_of_the_estimator(cli, triples):
    result = cli("embed", "train.tsv", "--model", "TransE", "-o", "m", "--device", "cpu", "--num-epoch", "1", "--json")
    told = json.loads(result.out)["plan"]
    graph = nodeloom.KnowledgeGraph.from_file("train.tsv")
    plan = nodeloom.TransE(device="cpu", num_epoch=1).plan(graph, compiled_only=True).to_dict()
    for key in ("dim", "optimizer", "lr", "loss", "negatives", "positives"):
        assert told[key] == json.loads(json.dumps(plan[key])), key


def test_checks_while_it_trains(cli, triples):
    result = cli(
        "embed", "train.tsv", "--model", "DistMult", "-o", "m", "--dim", "8", "--num-epoch", "6", "--validation", "valid.tsv",
        "--validation-interval", "2", "--device", "cpu", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    told = json.loads(result.out)
    assert told["validation"]["num_triples"] > 0
    assert [round(check["epoch"]) for check in told["validation_checks"]] == [2, 4, 6]
    assert nodeloom.load("m.safetensors").validation_ == told["validation_checks"]


def test_vectors_of_both_kinds(cli, triples):
    result = cli(
        "embed", "train.tsv", "--model", "SimplE", "-o", "v.tsv", "--dim", "4", "--num-epoch", "1", "--device", "cpu"
    )
    assert result.code == 0, result.err
    assert "city 3" in (triples / "v.tsv").read_text() and "near 1" in (triples / "v.relations.tsv").read_text()
    cli("embed", "train.tsv", "--model", "SimplE", "-o", "m", "--dim", "4", "--num-epoch", "1", "--device", "cpu")
    assert cli("export", "m.safetensors", "-o", "again.tsv").code == 0
    for end in ("", ".relations", ".inverse_relations"):
        assert (triples / f"again{end}.tsv").read_text() == (triples / f"v{end}.tsv").read_text()


@pytest.mark.slow
def test_quickstart(cli, triples):
    """The ranks of the model beat those of the counts."""
    result = cli("quickstart", "--knowledge-graph", "-o", "q", "--json")
    assert result.code == 0, result.err
    found = json.loads(result.out)["ranking"]
    assert found["ComplEx"]["mrr"] > 0.2 > found["how often an entity answers"]["mrr"]
    assert (triples / "q.safetensors").exists()


def test_a_file_of_graphvite(cli, triples):
    """Its keys do what they say there, or a notice says that they do nothing."""
    (triples / "c.yaml").write_text(
        "graph: {file_name: train.tsv}\nresource: {dim: 8, device: cpu}\n"
        "build: {optimizer: {type: Adam, lr: 1.0e-3}, num_negative: 64, batch_size: 100000, episode_size: 100}\n"
        "train: {model: RotatE, num_epoch: 3, margin: 6, adversarial_temperature: 2, relation_lr_multiplier: 1,\n"
        "  sample_batch_size: 2000, log_frequency: 100}\nsave: {file_name: r.safetensors}\n"
    )
    result = cli("run", "c.yaml", "--json")
    assert result.code == 0, result.err
    plan = json.loads(result.out)["plan"]
    assert (plan["loss"]["margin"], plan["loss"]["temperature"]) == (6, 0.5)
    assert "train.sample_batch_size has no effect" in result.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--labels", "valid.tsv"], "no task of node embedding, since --model is ComplEx"),
        (["--dim", "7"], "--dim: expected an even number"),
        (["--validation", "none.tsv"], "none.tsv"),
        (["--validation", "other.tsv"], "a triple of entities and relations of the training graph"),
        (["--num-worker", "2"], "one process"),
        (["--map", "m.html"], "--map: expected a model of nodes"),
        (["--loss", "huber"], "--loss: expected"),
    ],
)
def test_mistakes(cli, triples, arguments, said):
    (triples / "other.tsv").write_text("city 1\tnear 1\tParis\n")
    result = cli("embed", "train.tsv", "--model", "ComplEx", "-o", "m", *arguments)
    assert result.code != 0 and said in result.out + result.err
    assert not (triples / "m.safetensors").exists()
