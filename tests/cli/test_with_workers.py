"""The command line with several workers: one of them speaks, and the result is that of one process."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import time
from importlib.util import find_spec

import numpy as np
import pytest
from worker_programs import auc_of, second_of, start

from nodeloom import Graph
from nodeloom.cli.session import Session
from nodeloom.cli.workers import own_tasks
from nodeloom.config import config_from_dict
from nodeloom.datasets import planted_partition
from nodeloom.io.model_file import read_model
from nodeloom.transport.launcher import SECONDARY_FAILURE, Ended, this_program

ENVIRONMENT = {
    "RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0",
    "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_RUN_ID": "test",
}  # fmt: skip
TRAINING = ("--dim", "16", "--device", "cpu", "--num-thread", "1", "--num-worker", "2")


@pytest.fixture
def launched(monkeypatch):
    """Stand in for the launcher: ``launched.append(Ended(...))`` says how workers end; the calls are there afterwards."""
    found = []

    def start(command, num_worker, **options):
        found.append((command, num_worker, options))
        return found[0]

    monkeypatch.setattr("nodeloom.transport.launcher.start_workers", start)
    return found


# ------------------------------------------------------------------------------------------- what the parent does


def test_the_command_is_run_as_it_is(cli, edges, tmp_path, launched, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["nodeloom", "embed", str(edges), "--num-worker", "3"])
    launched.append(Ended())
    answer = cli("embed", edges, "-o", tmp_path / "m", "--num-worker", 3, "--max-restart", 2, "--json")
    assert (answer.code, answer.out, answer.err) == (0, "", "")
    command, number, options = launched[1]
    assert command == this_program(["embed", str(edges), "--num-worker", "3"])
    assert (number, options["max_restart"]) == (3, 2)


def test_the_number_may_stand_in_the_file(cli, edges, tmp_path, launched):
    path = tmp_path / "run.yaml"
    path.write_text(f"graph: {{file_name: {edges}}}\nresource: {{num_worker: 2}}\n")
    launched.append(Ended())
    assert cli("run", path).code == 0
    assert cli("run", path, "--num-worker", 5).code == 0
    assert cli("baseline", "quick", "start", "--num-worker", 4).code == 0
    assert [number for _, number, _ in launched[1:]] == [2, 5, 4]


@pytest.mark.parametrize(
    ("ended", "code", "message"),
    [
        (Ended(2, 1, is_told=True), 2, ""),
        (Ended(-9, 1, is_told=True), 1, ""),
        (Ended(130, 0, signal=2, is_told=True), 130, ""),
        (Ended(SECONDARY_FAILURE, 0, signal=2), 130, "error: interrupted."),
        (
            Ended(-9, 1),
            137,
            "error: worker 1 was ended by SIGKILL. The machine may have run out of memory. There is no",
        ),
        (Ended(-11, 0), 139, "error: worker 0 was ended by SIGSEGV. There is no checkpoint to go on from."),
    ],
)
def test_the_end_of_workers_is_told_once(cli, edges, tmp_path, launched, ended, code, message):
    launched.append(ended)
    answer = cli("embed", edges, "-o", tmp_path / "m", "--num-worker", 2)
    assert (answer.code, answer.out) == (code, "")
    assert answer.err.startswith(message) and len(answer.err.splitlines()) == bool(message)
    (tmp_path / "m.checkpoint.safetensors").touch()
    answer = cli("embed", edges, "-o", tmp_path / "m", "--num-worker", 2)
    assert ("go on with: nodeloom" in answer.err) == message.startswith("error: worker")


def test_without_torch(cli, edges, tmp_path, monkeypatch):
    monkeypatch.setattr("nodeloom.transport.launcher.find_spec", lambda name: None)
    answer = cli("embed", edges, "-o", tmp_path / "m", "--num-worker", 2)
    assert answer.code == 2
    assert answer.err.startswith("error: --num-worker: expected 1 or 'auto' on a machine without torch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--num-worker", "0"], "--num-worker: expected an integer >= 1 and <= 4096 or 'auto', got 0"),
        (["--num-worker", "2", "--fast"], "--num-worker: expected 1, since --model is propagation, got 2"),
        (
            ["--num-worker", "2", "--worker-timeout", "0.1"],
            "--worker-timeout: expected a number >= 1 and <= 86400, got 0.1",
        ),
        (["--max-restart", "-1"], "--max-restart: expected an integer >= 0 and <= 1000, got -1"),
    ],
)
def test_what_is_refused_before_anything_starts(cli, edges, tmp_path, launched, options, message):
    answer = cli("embed", edges, "-o", tmp_path / "m", *options)
    assert answer.code == 2 and answer.err.startswith(f"error: {message}"), answer.err
    assert launched == []


# ------------------------------------------------------------------------------------------- what a worker does


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--num-worker", "2"],
            "resource.num_worker: expected 4, the number of workers that torchrun has started, got 2",
        ),
        (["--fast"], "resource.num_worker: expected 1, since --model is propagation, got 4"),
    ],
)
def test_what_a_worker_refuses(cli, edges, tmp_path, monkeypatch, options, message):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    answer = cli("embed", edges, "-o", tmp_path / "m", *options)
    assert answer.code == 2 and answer.out == ""
    assert answer.err.startswith("error: worker 1 on ") and message in answer.err


def test_the_standard_input_is_on_one_host(cli, tmp_path, monkeypatch):
    for name, value in (ENVIRONMENT | {"RANK": "0", "LOCAL_RANK": "0"}).items():
        monkeypatch.setenv(name, value)
    answer = cli("embed", "-", "-o", tmp_path / "m")
    assert answer.code == 2
    assert answer.err.startswith("error: graph.file_name: expected files, with workers on several hosts, got '-'.")


def test_all_workers_but_the_first_are_silent(monkeypatch, capsys):
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    session = Session(json=True)
    session.show("text")
    session.err.print("note")
    session.answer("text", value=1)
    session.finish()
    assert session.silent and not session.talks
    assert capsys.readouterr() == ("", "")
    monkeypatch.setenv("RANK", "0")
    assert not Session().silent


def test_others_hold_out_the_same_edges_and_read_no_more():
    tasks = [
        {"task": "node classification", "file_name": "labels.txt"},
        {"task": "link prediction", "fraction": 0.1, "seed": 3, "filter_file": "known.txt"},
        {"task": "link prediction", "file_name": "links.txt"},
    ]
    config = config_from_dict({"graph": {"file_name": "e.txt"}, "evaluate": tasks}, "test")

    class Worker:
        rank = 0

    assert own_tasks(config, Worker()) is config
    Worker.rank = 1
    (task,) = own_tasks(config, Worker()).evaluate
    assert (task.fraction, task.seed, task.filter_file) == (0.1, 3, None)


# ------------------------------------------------------------------------------------------- with real workers


@pytest.fixture(scope="module")
def large_graph(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "edges.txt"
    edges, _ = planted_partition(1_500, 12_000, 10)
    np.savetxt(path, edges, fmt="%d")
    return path


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.skipif(os.name == "nt", reason="signals are a matter of POSIX")
class TestWorkers:
    def test_the_result_is_that_of_one_process(self, large_graph, tmp_path):
        arguments = ("-o", "m", "--num-epoch", "100", "--hold-out", "0.05", "--json")
        several = auc_of(start(tmp_path, "embed", large_graph, *arguments, *TRAINING))
        assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors"}  # no compiled graph, no checkpoint
        alone = auc_of(start(tmp_path, "embed", large_graph, "-o", "alone", *arguments[2:], *TRAINING[:-2]))
        assert alone > 0.8 and abs(alone - several) < 0.02

    @pytest.mark.slow
    def test_one_reads_and_all_open(self, large_graph, tmp_path):
        arguments = ("-o", "m", "--num-epoch", "200", "--hold-out", "0.05", "--json")
        with large_graph.open() as file:  # the standard input is read by one of them
            assert auc_of(start(tmp_path, "embed", "-", *arguments, *TRAINING, stdin=file)) > 0.8
        Graph.from_file(large_graph).save(tmp_path / "graph")
        whole = start(tmp_path, "embed", "graph", "-o", "w", "--num-epoch", "2", "-q", *TRAINING)
        assert whole.communicate(timeout=100) == ("", "")
        assert len(read_model(tmp_path / "w.safetensors").vertex) == 1_500

    @pytest.mark.slow
    def test_a_file_that_is_not_there(self, tmp_path):
        process = start(tmp_path, "embed", "nowhere.txt", "-o", "m", *TRAINING)
        out, err = process.communicate(timeout=100)
        assert (process.returncode, out) == (2, "")
        assert err.startswith("error: nowhere.txt: ") and len(err.splitlines()) == 1

    def test_what_all_of_them_refuse_is_said_once(self, large_graph, tmp_path):
        process = start(tmp_path, "embed", large_graph, "-o", "m", "--num-partition", "3", *TRAINING)
        _, err = process.communicate(timeout=100)
        assert process.returncode == 2
        assert (
            err.startswith("error: --num-partition: expected a multiple of the 2 workers, or auto, got 3")
            and len(err.splitlines()) == 1
        )

    @pytest.mark.slow
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
    @pytest.mark.parametrize("parallelism", ["model", "data"])
    def test_nothing_is_lost(self, large_graph, tmp_path, parallelism, number):
        arguments = (
            *TRAINING,
            "--parallelism",
            parallelism,
            "--num-epoch",
            "6000",
            "--hold-out",
            "0.05",
            "--log-frequency",
            "100",
            "--checkpoint-interval",
            "1",
        )
        process = start(tmp_path, "embed", large_graph, "-o", "m", *arguments)
        checkpoint = tmp_path / "m.checkpoint.safetensors"
        end = time.monotonic() + 60
        while not checkpoint.exists():
            assert process.poll() is None and time.monotonic() < end
            time.sleep(0.05)
        begin = time.monotonic()
        if number == signal.SIGKILL:
            os.kill(second_of(process.pid), number)
        else:
            process.send_signal(number)
        _, err = process.communicate(timeout=30)
        assert time.monotonic() - begin < 30
        assert process.returncode == (137 if number == signal.SIGKILL else 130)
        said = [line for line in err.splitlines() if not line.startswith("training: ")]
        if number == signal.SIGKILL:
            (line,) = said
            assert line.startswith("error: worker 1 was ended by SIGKILL.")
        else:
            message, line = said
            assert message.startswith("error: training stopped at epoch ")
        command = line.partition("o on with: nodeloom ")[2]
        again = start(tmp_path, *shlex.split(command), "--json", "-q")
        assert auc_of(again) > 0.8
        assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors"}
