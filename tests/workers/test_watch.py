"""The watch: whatever becomes of a worker, the others end soon, and say why."""

from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from nodeloom.transport.heartbeat import Heartbeat
from nodeloom.transport.monitor import HeartbeatMonitor
from nodeloom.transport.torchrun import WorkerRank

# ------------------------------------------------------------------------------------------- with a store in memory


class Store(dict):
    """As much of torch's store as the watch needs; `is_dead` is one whose host is cut off, `is_closed` one that has ended."""

    is_closed = False

    def set(self, key, value):
        if self.is_closed:
            raise RuntimeError("Broken pipe")
        self[key] = value.encode()

    def check(self, keys):
        return all(key in self for key in keys)

    def multi_get(self, keys):
        return [self[key] for key in keys]


def place(rank, *, host=0, folder=""):
    return WorkerRank(rank, 3, rank, 3, host, 0, "test", launcher=int(bool(folder)), folder=folder)


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def watch(store):
    found = HeartbeatMonitor(place(1), store, "host:1", 0.5)
    found.start()
    yield found
    found.stop()


def tell(store, rank, **changes):
    sign = dataclasses.replace(Heartbeat.own(0), beat=int(time.monotonic() * 1000), **changes)
    store.set(str(rank), sign.write())
    return sign


def test_who_is_there(watch, store):
    assert watch.missing() == [0, 2]
    tell(store, 2)
    assert not watch.peer_reported("", 0.2)
    assert watch.missing() == [0]
    assert Heartbeat.read(store["1"]).state == "here"
    assert watch.failure(0.0) is None


def test_a_sign_survives_as_text():
    sign = dataclasses.replace(Heartbeat.own(2), state="failed", message='"é\n', is_relayed=True)
    assert Heartbeat.read(sign.write().encode()) == sign
    assert sign.is_visible and not sign.is_gone
    assert dataclasses.replace(sign, born="0").is_gone  # the number was given to another process
    assert not dataclasses.replace(sign, world="elsewhere", born="0").is_gone


@pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")
def test_the_most_certain_cause_comes_first(watch, store):
    def found(kind, rank):
        """Return the cause once it is this one: the watch may just be reading what stood there before."""
        for _ in range(20):
            watch._cause = None
            cause = watch.failure(1.0)
            if cause[:2] == (kind, rank):
                break
        assert cause[:2] == (kind, rank)
        return cause

    tell(store, 0, state="failed", message="worker 2 is gone", is_relayed=True)
    assert found("failed", 0).text == "worker 2 is gone"
    tell(store, 2, born="0")
    assert found("gone", 2)
    tell(store, 2, state="failed", message="a wheel is off")
    cause = found("failed", 2)
    assert re.fullmatch(rf"worker 2 \(process \d+ on {socket.gethostname()}\): a wheel is off", cause.text)


def test_silence(watch, store, monkeypatch):
    monkeypatch.setattr(watch, "_end", lambda cause: None)
    tell(store, 0)
    cause = watch.failure(3.0)
    assert cause[:2] == ("silent", 0)
    assert re.search(r"has given no sign of life for \d s: it is stopped or hangs", cause.text)
    assert not watch.is_told_by_others(cause)  # worker 0 cannot


def test_no_store(watch, store, monkeypatch):
    monkeypatch.setattr(watch, "_end", lambda cause: None)
    store.is_closed = True
    cause = watch.failure(3.0)
    assert cause[:2] == ("store", -1)
    assert "does not reach host:1: it has gone (Broken pipe). The launcher has ended" in cause.text


def test_a_store_that_does_not_answer(store, monkeypatch):
    found = HeartbeatMonitor(place(1), store, "host:1", 0.5)
    monkeypatch.setattr(found, "_listen", lambda: time.sleep(60))
    ended = []
    monkeypatch.setattr(found, "_end", ended.append)
    found.start()
    end = time.monotonic() + 20
    while not ended and time.monotonic() < end:
        time.sleep(0.1)
    found._stop.set()
    assert ended[0].kind == "store" and "no answer for" in ended[0].text


def test_one_on_each_host_speaks(watch, store):
    tell(store, 0)
    tell(store, 2, born="0")
    cause = watch.failure(1.0)
    assert cause[:2] == ("gone", 2)
    assert watch.is_told_by_others(cause)  # by worker 0
    watch._signs[0] = dataclasses.replace(watch._signs[0], group=1)
    assert not watch.is_told_by_others(cause)
    watch.worker = place(1, folder="/nodeloom")
    assert watch.is_told_by_others(cause)  # by the process that has started us
    failed = cause._replace(kind="failed")
    assert watch.is_told_by_others(failed)  # by the one that has failed
    watch._signs[2] = dataclasses.replace(watch._signs[2], group=1)
    assert not watch.is_told_by_others(failed)


def test_advice(watch, tmp_path):
    assert watch.advice() == "No checkpoint was asked for."
    watch.checkpoint = tmp_path / "c"
    assert watch.advice().startswith("There is no checkpoint at ")
    watch.checkpoint.touch()
    assert watch.advice() == f"Go on from {watch.checkpoint} (resume)."
    watch.command = "again"
    assert watch.advice() == f"Go on from {watch.checkpoint} with: again"


# ------------------------------------------------------------------------------------------------- with processes

WORKER = """
import os, signal, sys, time
from pathlib import Path
from nodeloom.transport.session import worker_session
from nodeloom.errors import DataError, NodeloomError
signal.signal(signal.SIGTERM, signal.default_int_handler)  # with which the launcher ends those who are left
folder, rank = Path(sys.argv[1]), os.environ["RANK"]
try:
    with worker_session(2.0, checkpoint=folder / "kept") as transport:
        (folder / rank).write_text(str(os.getpid()))
        while not transport.any((folder / "end").exists()):
            if rank == "1" and (folder / "fail").exists():
                raise DataError("a wheel is off")
            time.sleep(0.02)
except NodeloomError as error:
    sys.exit(f"{type(error).__name__} at {rank}: {error}")
os.write(1, f"well at {rank}\\n".encode())  # at once: workers share the pipe
"""
LAUNCH = """
import sys
from nodeloom.transport.launcher import start_workers
print(start_workers([sys.executable, "-c", *sys.argv[1:]], 2))
"""

with_processes = [
    pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed"),
    pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc"),
]


@pytest.fixture
def crew(tmp_path):
    """Two workers that wait for each other again and again; and their processes."""
    command = [sys.executable, "-W", "error", "-c", LAUNCH, WORKER, str(tmp_path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    end = time.monotonic() + 60
    while not all((tmp_path / rank).exists() and (tmp_path / rank).read_text() for rank in "01"):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.05)
    time.sleep(0.5)
    pids = [int((tmp_path / rank).read_text()) for rank in "01"]
    yield process, pids
    for pid in [process.pid, *pids]:
        if Path(f"/proc/{pid}").exists():
            os.kill(pid, signal.SIGKILL)
    process.wait()


class TestProcesses:
    pytestmark = with_processes

    def test_they_end_well(self, crew, tmp_path):
        (tmp_path / "end").touch()
        out, err = crew[0].communicate(timeout=30)
        assert err == ""
        assert sorted(out.splitlines()) == [
            "Ended(code=0, rank=-1, signal=0, is_told=False)",
            "well at 0",
            "well at 1",
        ]

    def test_an_error_of_one(self, crew, tmp_path):
        (tmp_path / "fail").touch()
        _, err = crew[0].communicate(timeout=30)
        mine, theirs = sorted(err.splitlines())
        assert mine == "DataError at 1: a wheel is off"
        assert theirs.startswith(f"SecondaryFailureError at 0: worker 1 (process {crew[1][1]} on ")
        assert "): a wheel is off There is no checkpoint at" in theirs

    def test_one_is_killed(self, crew):
        os.kill(crew[1][0], signal.SIGKILL)
        out, err = crew[0].communicate(timeout=30)
        assert "Ended(code=-9, rank=0" in out
        assert (
            err.startswith(f"SecondaryFailureError at 1: worker 0 (process {crew[1][0]} on ")
            and " is gone: it was killed" in err
        )

    def test_one_is_stopped(self, crew):
        begin = time.monotonic()
        os.kill(crew[1][1], signal.SIGSTOP)
        _, err = crew[0].communicate(timeout=30)
        assert time.monotonic() - begin < 15
        assert err.startswith(f"error: worker 1 (process {crew[1][1]} on ")
        assert "has given no sign of life" in err and len(err.splitlines()) == 1
        assert not Path(f"/proc/{crew[1][1]}").exists()

    def test_the_launcher_is_killed(self, crew):
        crew[0].kill()
        _, err = crew[0].communicate(timeout=30)  # until the workers have closed it
        assert "worker 0 (process " in err and "does not reach the process that has started it: it has gone (" in err
