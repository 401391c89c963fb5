"""No run is lost: stopped in any way, it goes on to the result of the run that was never stopped."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from importlib import import_module
from operator import attrgetter

import numpy as np
import pytest

from nodeloom.datasets import planted_partition
from nodeloom.io.model_file import read_model

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals are a matter of POSIX")

CHECKPOINT = "m.checkpoint.safetensors"
TRAINING = ("--num-epoch", "1200", "--dim", "32", "--deterministic", "--log-frequency", "1")


@pytest.fixture(scope="module")
def large_graph(tmp_path_factory):
    """An edge list on which training takes its time."""
    path = tmp_path_factory.mktemp("large") / "edges.txt"
    edges, _ = planted_partition(8_000, 40_000, 10)
    np.savetxt(path, edges, fmt="%d")
    return path


@pytest.fixture(scope="module")
def whole(large_graph, tmp_path_factory):
    """The vectors of the run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    command = [sys.executable, "-m", "nodeloom", "embed", large_graph, "-o", "m", *TRAINING]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    assert [path.name for path in folder.iterdir()] == ["m.safetensors"]  # a short run writes no checkpoint
    return np.array(read_model(folder / "m.safetensors").vertex)


def _start(folder, *arguments):
    command = [sys.executable, "-W", "error", "-m", "nodeloom", *map(str, arguments)]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def _wait_for(process, path):
    deadline = time.monotonic() + 300
    while not path.exists():
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _wait_for_training(process):
    """Read the log until the first pairs are trained."""
    for line in process.stderr:
        if line.startswith("training: epoch "):
            return
    raise AssertionError(f"ended with {process.wait()} before it was stopped")


def _command(large_graph, road, folder):
    if road == "embed":
        return ("embed", large_graph, "-o", "m", *TRAINING)
    config = f"graph: {{file_name: {large_graph}}}\nresource: {{dim: 32}}\nsave: {{file_name: m.safetensors}}\n"
    (folder / "run.yaml").write_text(config + "train: {num_epoch: 1200, deterministic: true, log_frequency: 1}\n")
    return ("run", "run.yaml")


@pytest.mark.parametrize(("road", "number"), [("embed", signal.SIGINT), ("run", signal.SIGTERM)])
def test_a_stopped_run_goes_on_with_the_command_it_names(large_graph, whole, tmp_path, road, number):
    process = _start(tmp_path, *_command(large_graph, road, tmp_path))
    _wait_for_training(process)
    process.send_signal(number)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130, err
    message, command = err.splitlines()[-2:]
    assert message.startswith("error: training stopped at epoch ")
    assert f"it can go on from {CHECKPOINT}" in message
    assert command.startswith("Go on with: nodeloom ")
    assert not (tmp_path / "m.safetensors").exists()
    assert (tmp_path / CHECKPOINT).exists()
    again = _start(tmp_path, *shlex.split(command.removeprefix("Go on with: nodeloom ")))
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert (np.asarray(read_model(tmp_path / "m.safetensors").vertex) == whole).all()
    left = {path.name for path in tmp_path.iterdir()}
    assert left - {"run.yaml"} == {"m.safetensors"}


def test_a_killed_run_goes_on_from_its_last_checkpoint(large_graph, whole, tmp_path):
    arguments = (*_command(large_graph, "embed", tmp_path), "--checkpoint-interval", "0.2")
    process = _start(tmp_path, *arguments)
    _wait_for(process, tmp_path / CHECKPOINT)
    process.kill()
    process.communicate()
    assert not (tmp_path / "m.safetensors").exists()
    again = _start(tmp_path, *arguments, "--resume")
    _, err = again.communicate(timeout=300)
    assert again.returncode == 0, err
    assert "no checkpoint yet" not in err
    assert (np.asarray(read_model(tmp_path / "m.safetensors").vertex) == whole).all()
    assert not (tmp_path / CHECKPOINT).exists()


# Where the first Ctrl-C comes, the line that is told, and what is in the folder afterwards. Readers and calibration work in threads, and
# the signal meets the main one while it waits.
MOMENTS = [
    ("nodeloom.io.edgelist_text", "TextReader._cut", "interrupted.", []),
    ("nodeloom.kernels.cpu.csr", "build_csr_consuming", "interrupted.", []),
    ("nodeloom.engine", "make_plan", "interrupted.", []),
    ("nodeloom.kernels.cpu.skipgram", "train_walks", "interrupted.", []),
    ("nodeloom.io.model_file", "write_model", "interrupted while m.safetensors was saved. ", ["m.safetensors"]),
    ("nodeloom.cli.pipeline", "judge_links", "interrupted.", ["m.safetensors"]),
]


@pytest.mark.parametrize(("module", "name", "line", "left"), MOMENTS, ids=[moment[1] for moment in MOMENTS])
def test_the_first_interrupt_at_any_time(cli, edges, tmp_path, monkeypatch, module, name, line, left):
    kept = attrgetter(name)(import_module(module))
    met = []

    def interrupted(*arguments, **options):
        if not met:
            met.append(True)
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        return kept(*arguments, **options)

    monkeypatch.setattr(f"{module}.{name}", interrupted)
    folder = tmp_path / "out"
    folder.mkdir()
    monkeypatch.chdir(folder)
    answer = cli("embed", edges, "-o", "m", "--dim", "4", "--num-epoch", "50", "--hold-out", "0.1", "--num-thread", "2")
    assert met and answer.code == 130
    assert answer.err.splitlines()[-1].startswith("error: " + line)
    assert [path.name for path in folder.iterdir()] == left
    if left:
        assert read_model("m.safetensors").vertex.shape == (24, 4)


@pytest.mark.parametrize(
    ("model", "place"), [("DeepWalk", "training._Run._progress"), ("propagation", "spectral.training._Run.after_step")]
)
def test_an_interrupt_in_the_last_step_is_told(cli, edges, tmp_path, monkeypatch, model, place):
    module, _, name = f"nodeloom.engine.{place}".rpartition("._Run.")
    kept, met = attrgetter(f"_Run.{name}")(import_module(module)), []

    def interrupted(run, *arguments):
        answer = kept(run, *arguments)
        if not met and (model == "DeepWalk" or len(run.steps.history) == run.plan.num_iteration):
            met.append(True)
            signal.raise_signal(signal.SIGINT)
        return answer

    monkeypatch.setattr(f"{module}._Run.{name}", interrupted)
    options = ("--num-epoch", "1") if model == "DeepWalk" else ("--tolerance", "0")
    answer = cli("embed", edges, "-o", tmp_path / "m", "--model", model, "--dim", "4", *options)
    assert answer.code == 0 and "Ctrl-C came in the last step: " in answer.err
    assert (tmp_path / "m.safetensors").exists()
