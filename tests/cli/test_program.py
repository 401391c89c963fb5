"""The program as a whole: help, speed of the start, misuse, signals, lazy imports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nodeloom.cli.progress import ProgressLines, state_of
from nodeloom.cli.session import Session, jsonable
from nodeloom.units import duration, rate, size

COMMANDS = (
    "quickstart", "embed", "run", "baseline", "evaluate", "export", "nearest", "convert", "info", "new", "list",
)  # fmt: skip


def test_help_lists_all_commands(cli):
    answer = cli("--help")
    assert answer.code == 0
    for name in COMMANDS:
        assert f" {name} " in answer.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(cli, name):
    answer = cli(name, "--help")
    assert answer.code == 0
    assert "Usage: nodeloom" in answer.out
    assert "--json" in answer.out


def test_help_of_embed_names_every_key_with_its_default(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    text = cli("embed", "--help").out
    for flag in ("--model", "--dim", "--num-epoch", "--augmentation-step", "--p ", "--q ", "--seed", "--num-thread"):
        assert flag in text
    assert "[default: 128]" in text
    assert "[weight]" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("embde",), "Did you mean 'embed'?"),
        (("embed",), "'nodeloom embed --help' lists what there is"),
        (("embed", "e.txt", "-o", "m", "--num-epochs", "3"), "--num-epoch"),
        (("nearest", "m", "a", "-k", "x"), "valid integer"),
    ],
)
def test_misuse_is_one_line_and_code_2(cli, arguments, message):
    answer = cli(*arguments)
    assert answer.code == 2
    assert answer.err.startswith("error: ")
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) == 1


@pytest.mark.torch
def test_start_is_fast_and_imports_nothing_heavy():
    heavy = ("numpy", "numba", "scipy", "sklearn", "pyarrow", "pandas", "torch", "networkx", "rich")
    code = (
        "import sys\nfrom nodeloom.cli.entry import run\n"
        "assert run(['embed', '--help']) == 0\n"
        f"print(','.join(name for name in {heavy!r} if name in sys.modules), file=sys.stderr)"
    )
    times = []
    for _ in range(3):
        start = os.times()
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        end = os.times()
        # Time of the processor, not of the clock: other tests may run beside this one.
        times.append(end.children_user - start.children_user + end.children_system - start.children_system)
    assert done.stderr.strip() == ""
    assert min(times) < 1.0


def test_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "nodeloom", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nodeloom ")


def test_reader_of_the_output_may_leave():
    command = f"{sys.executable} -m nodeloom list | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


class _Clock:
    now = 0.0

    def __call__(self):
        return self.now


def _progress(num_pair, **changes):
    values = {
        "epoch": 1.25,
        "num_epoch": 10,
        "num_pair": num_pair,
        "total_pair": 1000,
        "loss": 0.25,
        "rate": 2e6,
        "unit": "pairs",
    }
    return SimpleNamespace(**{**values, "seconds_left": 65.0, **changes})


def test_lines_come_every_few_seconds(capsys):
    clock = _Clock()
    lines = ProgressLines(Session(), clock=clock)
    lines.on_train_begin(None)
    for step in range(12):
        clock.now = float(step)
        lines.on_pool_end(_progress(step * 10))
    printed = capsys.readouterr().err.splitlines()
    assert printed == ["training: epoch 1.2/10  2 M pairs/s  loss 0.2500  1:05 left"] * 2


def test_lines_come_every_so_many_pairs(capsys):
    lines = ProgressLines(Session(), pairs_between_lines=25)
    for step in range(1, 11):
        lines.on_pool_end(_progress(step * 10))
    assert len(capsys.readouterr().err.splitlines()) == 4  # at 30, 50, 80, 100


def test_progress_without_loss_or_end():
    text = state_of(_progress(1, loss=None, seconds_left=None))
    assert "loss" not in text
    assert "left" not in text
    assert "loss" not in state_of(_progress(1, loss=float("nan")))


def test_bar_is_drawn_on_a_terminal(tmp_path, capsys):
    from rich.console import Console

    from nodeloom.cli.progress import ProgressBar, callback

    session = Session()
    with (tmp_path / "screen").open("w+") as screen:
        session.err = Console(file=screen, force_terminal=True, width=120)
        bar = callback(session)
        assert isinstance(bar, ProgressBar)
        bar.on_train_begin(None)
        bar.on_pool_end(_progress(1000))
        bar.on_train_end(None)
        screen.seek(0)
        text = screen.read()
    assert "100%" in text
    assert "2 M pairs/s" in text
    assert callback(Session(quiet=True)) is None


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (size, 12, "12 B"), (size, 1500, "1.5 kB"), (size, 2.5e12, "2.5 TB"),
        (rate, 5, "5 pairs/s"), (rate, 12.34e6, "12.3 M pairs/s"), (rate, 2e9, "2 G pairs/s"),
        (duration, 4.25, "4.2 s"), (duration, 187, "3:07"), (duration, 7400, "2:03:20"),
    ],
)  # fmt: skip
def test_quantities_for_people(function, value, text):
    assert function(value) == text


def test_json_takes_what_json_knows():
    import numpy as np

    value = {1: np.float32(0.5), "a": (np.arange(2), float("nan")), "b": True, "c": None}
    assert json.loads(json.dumps(jsonable(value), allow_nan=False)) == {
        "1": 0.5,
        "a": [[0, 1], None],
        "b": True,
        "c": None,
    }


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_help_is_readable_at_any_width(cli, monkeypatch, name, width):
    monkeypatch.setenv("COLUMNS", str(width))
    text = cli(*name.split(), "--help").out
    assert "\\b" not in text
    assert "…" not in text  # nothing is cut
    assert "\x1b" not in text  # no colours where there is no terminal
    for line in text.splitlines():
        assert len(line) <= width
        assert line == line.rstrip()


def test_examples_stand_as_they_are(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = cli("embed", "--help").out.splitlines()
    assert "  zcat edges.gz | nodeloom embed - -o model --model node2vec --p 0.25 --q 4" in lines


def test_options_come_in_groups(cli):
    lines = cli("embed", "--help").out.splitlines()
    heads = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert heads == [
        "Arguments:", "Options:", "Graph:", "Training:", "Evaluation:", "Negatives:", "Optimizer:",
        "Checkpoints and warm start:", "Machine:", "General:",
    ]  # fmt: skip
    assert lines[lines.index("Options:") + 1].startswith("  -o, --output ")


def test_without_a_command_help_is_shown(cli):
    assert cli().out == cli("--help").out
