"""Temporary files of killed processes are removed, those of living ones stay."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from nodeloom import temporary
from nodeloom.io.atomic import atomic_path
from nodeloom.temporary import Temporary, sweep

pytest.importorskip("fcntl")
_HOLD = """
import sys, time
from pathlib import Path
from nodeloom.temporary import Temporary
held = [Temporary(Path(sys.argv[1]), folder=folder) for folder in (False, True)]
(held[1].path / "run1").write_text("edges")
print("ready", flush=True)
time.sleep(60)
"""


def look(folder):
    temporary._looked_through.clear()
    sweep(folder)
    return sorted(p.name for p in folder.iterdir())


def test_what_a_killed_process_leaves_is_removed_by_the_next(tmp_path):
    command = [sys.executable, "-c", _HOLD, str(tmp_path / "out.txt")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        assert len(look(tmp_path)) == 2  # it lives
        process.kill()
        process.wait()
    with atomic_path(tmp_path / "out.txt") as path:
        temporary._looked_through.clear()
        sweep(tmp_path)
        path.write_text("new")
    assert look(tmp_path) == ["out.txt"]


def test_our_own_stay_while_we_write(tmp_path):
    with atomic_path(tmp_path / "out.txt") as path:
        assert look(tmp_path) == [path.parent.name]
        path.unlink()  # as writers do that replace the file
        assert look(tmp_path) == [path.parent.name]
        path.write_text("new")
    assert look(tmp_path) == ["out.txt"]


def test_files_of_others_are_left_alone(tmp_path):
    names = [".a.tmp", "a.0123abcd-0123abcd.tmp", ".a.12-0123abcd.tmp", ".a.0123abcd-0123abcd.tmp2"]
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / f".a.{temporary._host()}-0123abcd.tmp").symlink_to(tmp_path / ".a.tmp")
    assert len(look(tmp_path)) == 5


def test_another_host_has_a_day(tmp_path):
    path = tmp_path / ".a.0123abcd-0123abcd.tmp"
    path.touch()
    assert look(tmp_path) == [path.name]
    long_ago = time.time() - 2 * 86400
    os.utime(path, (long_ago, long_ago))
    assert look(tmp_path) == []


def test_without_locks_nothing_is_removed(tmp_path, monkeypatch):
    held = Temporary(tmp_path / "a")
    held.release()

    def no_locks(*arguments):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(temporary.fcntl, "flock", no_locks)
    assert look(tmp_path) == [held.path.name]
    other = Temporary(tmp_path / "b")
    other.remove()
    monkeypatch.undo()
    assert look(tmp_path) == []


def test_what_a_writer_leaves_beside_its_file_goes_too(tmp_path):
    """The package of safetensors writes to a file of its own, and renames it."""
    with atomic_path(tmp_path / "out.txt") as path:
        (path.parent / ".tmpAbCdEf").write_text("half")
        path.write_text("new")
    assert look(tmp_path) == ["out.txt"]
