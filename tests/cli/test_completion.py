"""What a shell offers, what is meant by an option that there is not, and what fits a narrow terminal."""

from __future__ import annotations

import re

import pytest
from rich.console import Console
from typer._completion_shared import get_completion_script

from nodeloom.cli import completion
from nodeloom.cli.app import app
from nodeloom.cli.help import lines_of
from nodeloom.cli.tables import table
from nodeloom.estimators.progress import bar_on, fitted


@pytest.fixture
def complete(cli, monkeypatch):
    """Ask as bash does: a line with the word to complete at its end."""

    def ask(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("_NODELOOM_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit):
            cli()
        return ask.capfd.readouterr().out.split()

    return ask


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("nodeloom e", ["embed", "evaluate", "export"]),
        (
            "nodeloom embed e.txt --model ",
            [
                "DeepWalk",
                "LINE",
                "node2vec",
                "propagation",
                "ProNE",
                "TransE",
                "DistMult",
                "ComplEx",
                "SimplE",
                "RotatE",
                "QuatE",
            ],
        ),
        ("nodeloom embed e.txt --optimizer A", ["AdaGrad", "Adam"]),
        ("nodeloom embed e.txt --device c", ["cpu", "cuda", "cuda:0"]),
        ("nodeloom embed e.txt -o m", ["m.safetensors", "m.txt", "m.bin", "m.tsv", "m.csv", "m.npz", "m.parquet"]),
        ("nodeloom embed e.txt -o m.t", ["m.txt", "m.tsv"]),
        ("nodeloom embed '<lastfm", ["<lastfm_asia.graph>", "<lastfm_asia.label>"]),
        ("nodeloom embed e", []),
        ("nodeloom nearest m a --metric ", ["cosine", "dot", "euclidean"]),
        ("nodeloom nearest m a --table c", ["context"]),
        ("nodeloom export m --format w", ["word2vec", "word2vec-binary"]),
        ("nodeloom baseline lin", ["line"]),
        ("nodeloom run a.yaml --set num_ep", ["num_epoch="]),
        ("nodeloom run a.yaml --set train.num_ep", ["train.num_epoch="]),
        ("nodeloom new g", ["graph"]),
    ],
)
def test_values_are_offered(complete, capfd, line, offered):
    complete.capfd = capfd
    assert complete(line) == offered


def test_the_script_of_a_shell_can_be_written():
    assert "_NODELOOM_COMPLETE" in get_completion_script(
        prog_name="nodeloom", complete_var="_NODELOOM_COMPLETE", shell="bash"
    )
    assert app.info.name == "nodeloom"


def test_folders_are_offered_for_an_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models").mkdir()
    assert completion.output(completion.MODEL_SUFFIXES)("mod")[:2] == ["models/", "mod.safetensors"]
    assert completion.output(completion.MODEL_SUFFIXES)("") == []


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("--dims", "--dim"),
        ("--epochs", "--num-epoch"),
        ("--threads", "--num-thread"),
        ("--walk-length", "--random-walk-length"),
        ("--out", "--output"),
        ("--learning-rate", "--lr"),
        ("--dlrected", "--directed"),
        ("--sep", "--delimiters"),
    ],
)
def test_words_of_other_programs_are_understood(cli, wrong, meant):
    answer = cli("embed", "e.txt", wrong, "5")
    assert answer.code == 2
    assert f"Did you mean {meant}?" in answer.err


def test_misuse_leads_on(cli):
    assert "Did you mean 'embed'?" in cli("train", "e.txt").err
    assert "behind the command" in cli("embed", "--input", "e.txt").err
    assert "Did you mean" not in cli("embed", "e.txt", "--xyzzy").err


def test_the_help_of_embed_begins_with_what_most_need(cli):
    text = cli("embed", "--help").out
    first = text[text.index("Options:") : text.index("\nGraph:")]
    flags = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", first, re.MULTILINE)
    assert flags == [
        "--output", "--directed", "--corpus", "--labels", "--hold-out", "--fast", "--model", "--dim", "--num-epoch", "--device",
        "--delimiters",
    ]  # fmt: skip
    assert callable(lines_of)


ROW = (0.912345, 0.9, 12345, 12345, 0, 0.512345, 0.5)
HEADS = ("AUC", "AP", "edges", "non-edges", "filtered", "random AUC", "random AP")


@pytest.mark.parametrize("width", [120, 60, 40, 20])
def test_tables_fit(tmp_path, width):
    with (tmp_path / "screen").open("w+") as file:
        Console(file=file, width=width).print(table("Links", HEADS, [ROW]))
        file.seek(0)
        text = file.read()
    assert max(map(len, text.splitlines())) <= width
    for value in ("0.9123", "12,345", "0.5123"):
        assert value in text
    assert "non-edges" in text


@pytest.mark.parametrize("width", [120, 80, 60, 40, 20])
def test_the_bar_fits(tmp_path, width):
    state = "epoch 1,234/2,000  12.3 M pairs/s  loss 0.1234  1:05 left"
    with (tmp_path / "screen").open("w+") as file, bar_on(Console(file=file, force_terminal=True, width=width)) as bar:
        bar.add_task("training", total=1.0, completed=0.5, state=state)
        bar.refresh()
        file.seek(0)
        text = file.read()
    if width >= 40:
        assert "1:05 left" in text
        assert "50%" in text
    assert ("loss 0.1234" in text) == (width >= 80)


def test_what_matters_most_is_left_of_a_state():
    state = "epoch 1,234/2,000  12.3 M pairs/s  loss 0.1234  1:05 left"
    assert fitted(state, 100) == state
    assert fitted(state, 45) == "epoch 1,234/2,000  12.3 M pairs/s  1:05 left"
    assert fitted(state, 30) == "epoch 1,234/2,000  1:05 left"
    assert fitted(state, 10) == "1:05 left"
    assert fitted("compiling", 3) == "compiling"
