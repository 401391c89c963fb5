"""Readers that leave, disks that are full, and what a terminal would obey."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from nodeloom.cli import starting
from nodeloom.cli.console import console
from nodeloom.cli.entry import run
from nodeloom.cli.starting import undisturbed
from nodeloom.cli.streams import Stream, lasting, printable
from nodeloom.errors import MemoryLimitError
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import read_model, write_model


class _Leaving:
    """A stream whose reader is gone."""

    encoding = "utf-8"

    def __init__(self, number):
        self.number = number

    def write(self, text):
        raise OSError(self.number, os.strerror(self.number))

    flush = isatty = lambda self: False


@pytest.mark.parametrize("streams", [("stdout",), ("stdout", "stderr")])
@pytest.mark.parametrize(("number", "code"), [(errno.EPIPE, 0), (errno.ENOSPC, 2)])
def test_a_training_is_saved_whatever_becomes_of_its_output(
    fake, edges, labels, tmp_path, monkeypatch, streams, number, code
):
    for name in streams:
        monkeypatch.setattr(sys, name, _Leaving(number))
    out = tmp_path / "m.safetensors"
    assert run(["embed", str(edges), "-o", str(out), "--dim", "4", "--labels", str(labels)]) == code
    monkeypatch.undo()
    assert read_model(out).dim == 4


def test_a_program_without_streams_works(fake, edges, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    assert run(["embed", str(edges), "-o", str(tmp_path / "m"), "--dim", "4"]) == 0
    assert run(["embed", "missing.txt", "-o", str(tmp_path / "m")]) == 2
    monkeypatch.undo()
    assert (tmp_path / "m.safetensors").exists()


def test_the_pipe_of_a_shell_may_close(tmp_path):
    script = f"{sys.executable} -m nodeloom list | head -1 && {sys.executable} -m nodeloom embed --help 2>&1 | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_what_an_encoding_lacks_is_written_out(tmp_path):
    with (tmp_path / "f").open("w", encoding="ascii") as file:
        Stream(file).write("é \udcff ─\n")
    assert (tmp_path / "f").read_text() == "\\xe9 \\udcff \\u2500\n"


def test_streams_come_back():
    before = sys.stdout, sys.stderr
    with lasting() as out:
        assert out.write("") == 0
    assert (sys.stdout, sys.stderr) == before


NASTY = "\x1b[31mRED\x1b]0;title\x07\x9b1m\u202e\r[bold]x"
SHOWN = "\\x1b[31mRED\\x1b]0;title\\x07\\x9b1m\\u202e\\x0d[bold]x"


def test_printable():
    assert printable(NASTY) == SHOWN.replace("\\x0d", "\\r")
    assert printable("a\tb\nc é 日本") == "a\tb\nc é 日本"


def test_names_and_settings_from_files_are_shown_and_not_obeyed(cli, tmp_path):
    import numpy as np

    from nodeloom.io.vocabulary import Vocabulary

    path = tmp_path / "m.safetensors"
    names = Vocabulary.from_names([NASTY, "b\nc", "[red]d[/red]"])
    vectors = np.eye(3, 4, dtype=np.float32)
    write_model(path, ModelData.of_nodes({"vertex": vectors}, names, config={"train": {"model": NASTY}}))
    (tmp_path / "labels.txt").write_text(f"{NASTY.split(chr(13))[0]} 1\n")
    for command in (
        ("info", path),
        ("nearest", path, "b\nc"),
        ("nearest", path, NASTY),
        ("nearest", path, "\x1b[31m"),
        ("nearest", path, "[red]d[/red]"),
        ("evaluate", path, "--labels", tmp_path / "labels.txt"),
        ("embed", "\x1b[31m", "-o", "m"),
        ("embed", tmp_path / "labels.txt", "-o", tmp_path / "x", f"--{NASTY}"),
        (NASTY,),
    ):
        answer = cli(*command)
        text = (answer.out + answer.err).replace("\x1b[1m", "").replace("\x1b[0m", "")
        assert not set(text) & set(NASTY[:1] + "\x07\x9b\u202e\r"), command
    answer = cli("nearest", path, "[red]d[/red]")
    assert "Nearest to [red]d[/red]" in answer.out
    assert "b\\nc" in answer.out


def test_the_console_escapes_what_is_not_its_own(tmp_path):
    with (tmp_path / "screen").open("w+") as file:
        here = console(file, quiet=False)
        here.print(NASTY, markup=False)
        file.seek(0)
        assert "\\x1b[31mRED" in file.read()


def test_ctrl_c_while_libraries_are_loaded_waits_and_counts():
    script = (  # in a process without other threads, as the program is when it starts
        "import os, subprocess\nfrom nodeloom.cli.starting import undisturbed\ntry:\n  with undisturbed():\n"
        "    subprocess.run(['kill', '-INT', str(os.getpid())], check=True)\n    print('loaded')\n"
        "except KeyboardInterrupt:\n  print('interrupted')"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["loaded", "interrupted"], done.stderr


def test_a_signal_of_our_own_is_a_lack_of_threads(monkeypatch):
    """What OpenBLAS does when it cannot start its threads."""
    with pytest.raises(MemoryLimitError, match="no room for threads"), undisturbed():
        signal.raise_signal(signal.SIGINT)
    monkeypatch.setattr(starting, "limit_of", lambda name: 1_000_000)
    with pytest.raises(MemoryLimitError, match=r"ulimit -v: 1 MB .* 500 MB or more"), undisturbed():
        pass


def test_an_end_of_file_is_no_ctrl_c(cli, monkeypatch):
    from nodeloom.cli import graphs

    def broken(path, **options):
        raise EOFError("Ran out of input")

    monkeypatch.setattr(graphs, "describe_file", broken)
    answer = cli("info", "x")
    assert answer.code == 1
    assert "unexpected EOFError: Ran out of input" in answer.err
