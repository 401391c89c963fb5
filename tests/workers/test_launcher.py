"""The launcher: processes that know of each other, and how their end is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from nodeloom.errors import ConfigError
from nodeloom.transport.launcher import start_workers

pytestmark = [
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
    pytest.mark.skipif(os.name == "nt", reason="signals are a matter of POSIX"),
]

WORKER = """
import os, sys, time
from pathlib import Path
rank, what = os.environ["RANK"], sys.argv[1]
first = os.environ["TORCHELASTIC_RESTART_COUNT"] == "0"
Path(sys.argv[2], f"{rank}-{os.environ['TORCHELASTIC_RESTART_COUNT']}").write_text(repr(sys.argv[3:]))
if what == "fail" and rank == "1" and first: sys.exit(4)
if what == "kill" and rank == "1": os.kill(os.getpid(), 9)
if what == "sleep":
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        Path(sys.argv[2], f"stopped-{rank}").touch()
"""
LAUNCH = """
import sys
from nodeloom.transport.launcher import start_workers
print(start_workers([sys.executable, "-c", *sys.argv[2:]], 2, max_restart=int(sys.argv[1])))
"""


def launch(folder, what, *arguments, max_restart=0):
    command = [sys.executable, "-W", "error", "-c", LAUNCH, str(max_restart), WORKER, what, str(folder), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def told(process):
    out, err = process.communicate(timeout=60)
    assert err == ""
    return out.strip()


def test_all_get_the_arguments_as_they_are(tmp_path):
    odd = ["a b", "$HOME", "${local_rank}", "$$", "'\"*"]
    assert told(launch(tmp_path, "end", *odd)) == "Ended(code=0, rank=-1, signal=0, is_told=False)"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0-0": repr(odd), "1-0": repr(odd)}


@pytest.mark.parametrize(("what", "code"), [("fail", 4), ("kill", -9)])
def test_the_first_that_fails_is_named(tmp_path, what, code):
    assert told(launch(tmp_path, what)) == f"Ended(code={code}, rank=1, signal=0, is_told={code > 0})"


def test_restart(tmp_path):
    assert told(launch(tmp_path, "fail", max_restart=1)) == "Ended(code=0, rank=-1, signal=0, is_told=False)"
    assert {path.name for path in tmp_path.iterdir()} == {"0-0", "1-0", "0-1", "1-1"}


def test_a_signal_reaches_the_workers(tmp_path):
    process = launch(tmp_path, "sleep")
    deadline = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert told(process) == f"Ended(code=0, rank=-1, signal={int(signal.SIGINT)}, is_told=False)"
    assert {path.name for path in tmp_path.glob("stopped-*")} == {"stopped-0", "stopped-1"}


def test_thousands_of_processes_are_not_started():
    with pytest.raises(
        ConfigError, match=r"num_worker: expected at most \d+, 8 for each thread of this host, got 4096"
    ):
        start_workers([sys.executable, "-c", ""], 4096)
