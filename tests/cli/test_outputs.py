"""Where results may go: known before anything is read, and nothing is lost for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from nodeloom.cli.checkpoint import checkpoint_path
from nodeloom.config import config_from_dict

SHORT = ("--dim", 4, "--num-epoch", 2)


@pytest.fixture
def here(tmp_path, monkeypatch, edges, labels):
    monkeypatch.chdir(tmp_path)
    Path("link.txt").symlink_to("edges.txt")
    os.link("edges.txt", "hard.txt")
    Path("loop.txt").symlink_to("loop.txt")
    Path("folder").mkdir()
    return tmp_path


def content(folder):
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("embed", "edges.txt", "-o", "edges.txt"), "the input edges.txt"),
        (("embed", "edges.txt", "-o", "./folder/../edges.txt", "--overwrite"), "the input edges.txt"),
        (("embed", "link.txt", "-o", "edges.txt"), "the input link.txt"),
        (("embed", "edges.txt", "-o", "hard.txt", "--overwrite"), "the input edges.txt"),
        (("embed", "edges.txt", "-o", "labels.txt", "--labels", "labels.txt", "--overwrite"), "the input labels.txt"),
        (("embed", "edges.txt", "-o", "m", "--checkpoint", "edges.txt", "--overwrite"), "the input edges.txt"),
        (("embed", "edges.txt", "-o", "m", "--checkpoint", "m.safetensors"), "the path of"),
        (("embed", "edges.txt", "-o", "labels.txt"), "or --overwrite to replace"),
        (("embed", "edges.txt", "-o", "m", "--checkpoint", "labels.txt"), "or --overwrite to replace"),
        (("embed", "edges.txt", "-o", "folder"), "Add a file name"),
        (("embed", "edges.txt", "-o", "none/m"), "Create the folder"),
        (("embed", "edges.txt", "-o", "loop.txt"), "loop"),
        (("embed", "edges.txt", "-o", "n" * 300), "shorter file name"),
        (("convert", "edges.txt", "-o", "labels"), "or --overwrite to replace"),
        (("convert", "edges.txt", "-o", "g.csv"), ".nlg says so"),
        *((("embed", "edges.txt", "-o", name), "a model") for name in ("o.emb", "o.vec.gz", "o.h5", "o.json", "o.npy")),
    ],
)  # fmt: skip
def test_what_cannot_be_or_would_destroy_is_refused_first(cli, fake, here, arguments, words):
    Path("labels").write_text("mine\n")
    before = content(here)
    if words == "the path of":
        words = "an output that is no input"
        Path("m.safetensors").touch()
        before = content(here)
    answer = cli(*arguments)
    assert answer.code == 2, answer
    assert words in answer.err
    assert len(answer.err.splitlines()) == 1
    assert content(here) == before
    assert fake.seen == []


def test_a_configuration_and_a_model_are_inputs_too(cli, fake, here):
    Path("run.yaml").write_text("graph: {file_name: edges.txt}\nsave: {file_name: ./run.txt}\nresource: {dim: 4}\n")
    os.link("run.yaml", "run.txt")
    assert "the input run.yaml" in cli("run", "run.yaml", "--overwrite").err
    assert cli("embed", "edges.txt", "-o", "m", *SHORT).code == 0
    assert "the input m.safetensors" in cli("export", "m", "-o", "m.safetensors", "--format", "tsv").err
    assert "the input m" in cli("embed", "edges.txt", "-o", "m", "--init", "m", *SHORT).err
    assert cli("embed", "edges.txt", "-o", "m", "--init", "m", "--overwrite", *SHORT).code == 0


def test_the_same_kind_is_replaced_with_a_note(cli, fake, here):
    for target, kind in (
        ("m", "a model"),
        *((f"v{suffix}", "vectors") for suffix in (".txt", ".bin", ".tsv", ".csv", ".npz", ".parquet")),
    ):
        first = cli("embed", "edges.txt", "-o", target, *SHORT)
        assert (first.code, first.err) == (0, ""), first
        second = cli("embed", "edges.txt", "-o", target, *SHORT)
        assert second.code == 0, second
        assert "is replaced" in second.err and kind in second.err
        assert cli("embed", "edges.txt", "-o", target, "-q", *SHORT).err == second.err
        assert cli("embed", "edges.txt", "-o", target, "--overwrite", *SHORT).err == ""
    assert cli("convert", "edges.txt", "-o", "g.nlg").err == ""
    assert "is replaced" in cli("convert", "edges.txt", "-o", "g.nlg", "--quiet").err
    assert "the input g.nlg" in cli("convert", "g.nlg", "-o", "g.nlg").err
    assert "--overwrite" in cli("convert", "edges.txt", "-o", "m.safetensors").err
    assert "--overwrite" in cli("export", "m", "-o", "g.nlg", "--format", "csv").err
    assert cli("export", "m", "-o", "v.txt").code == 0


def test_an_empty_file_and_a_device_are_nobodys_work(cli, fake, here):
    Path("empty.txt").touch()
    for target in ("empty.txt", "/dev/null"):
        assert cli("embed", "edges.txt", "-o", "m", *SHORT, "--overwrite").code == 0
        assert cli("export", "m", "-o", target, "--format", "word2vec").err == ""


def test_a_model_is_found_under_the_name_it_was_saved_with(cli, fake, here):
    assert cli("embed", "edges.txt", "-o", "m", *SHORT).code == 0
    Path("m").mkdir()  # a folder of that name is no model
    for command in (
        ("nearest", "m", "a0"),
        ("info", "m"),
        ("export", "m", "-o", "v.csv"),
        ("evaluate", "m", "--labels", "labels.txt"),
    ):
        assert cli(*command).code == 0, command
    assert "none.safetensors" not in cli("info", "none").err


def test_names_with_blanks_are_refused_before_training(cli, fake, here):
    Path("towns.csv").write_text("New York,Boston\nBoston,Los Angeles\n")
    answer = cli("embed", "towns.csv", "-o", "v.txt", "--delimiters", ",", *SHORT)
    assert answer.code == 2
    assert "expected names without blanks" in answer.err
    assert fake.seen == []
    assert cli("embed", "towns.csv", "-o", "v.tsv", "--delimiters", ",", *SHORT).code == 0


def test_quiet_says_what_was_asked_for(cli, fake, here):
    answer = cli("-q", "embed", "edges.txt", "-o", "m", "--labels", "labels.txt", "--hold-out", 0.1, *SHORT)
    assert "Node classification" in answer.out and "Link prediction" in answer.out
    assert "Plan" not in answer.out + answer.err
    answer = cli("evaluate", "-q", "m", "--labels", "labels.txt")
    assert answer.out.startswith("Node classification")


def test_names_of_checkpoints_fit_and_differ():
    names = set()
    for end in ("a", "b"):
        config = config_from_dict(
            {"graph": {"file_name": "e"}, "save": {"file_name": "é" * 120 + end + ".safetensors"}}
        )
        names.add(checkpoint_path(config).name)
    assert len(names) == 2
    assert all(len(name.encode()) <= 255 for name in names)
