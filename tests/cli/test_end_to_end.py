"""The whole way with the real estimators: what a user sees. One in a process of its own, the others in this one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nodeloom.datasets import planted_partition
from nodeloom.io.model_file import read_model


@pytest.fixture
def program(tmp_path):
    """Start the program in the folder of the test; returns the finished process."""
    environment = {**os.environ, "NODELOOM_CACHE": str(tmp_path / "cache"), "COLUMNS": "120"}
    environment.pop("NODELOOM_DATA", None)

    def start(*arguments, **settings):
        command = [sys.executable, "-W", "error", "-m", "nodeloom", *(str(argument) for argument in arguments)]
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=settings.pop("stdin", subprocess.DEVNULL),
            text=True,
            **settings,
        )

    def call(*arguments, code=0, **settings):
        process = start(*arguments, **settings)
        out, err = process.communicate(timeout=300)
        assert process.returncode == code, err
        assert "Traceback" not in err
        return out, err

    call.start = start
    return call


@pytest.fixture(scope="module")
def large_graph(tmp_path_factory):
    """An edge list on which training takes its time."""
    path = tmp_path_factory.mktemp("large") / "edges.txt"
    edges, _ = planted_partition(20_000, 100_000, 10)
    np.savetxt(path, edges, fmt="%d")
    return path


def test_quickstart(program, tmp_path):
    start = os.times()
    out, _ = program("quickstart", "--json")
    end = os.times()
    # Time of the processor, not of the clock: other tests run beside this one.
    assert end.children_user - start.children_user + end.children_system - start.children_system < 60
    result = json.loads(out)
    classification, links = result["evaluation"]
    assert classification["metrics"]["micro-F1@50%"] > 0.8
    assert classification["control"]["metrics"]["micro-F1@50%"] < 0.4
    assert links["metrics"]["AUC"] > 0.85
    assert abs(links["control"]["metrics"]["AUC"] - 0.5) < 0.1
    assert len(next(iter(result["nearest"].values()))) == 5
    assert (tmp_path / "quickstart.safetensors").exists()
    page = (tmp_path / "quickstart.html").read_text()
    assert result["map"] == "quickstart.html" and page.startswith("<!DOCTYPE html>")
    text, _ = program("nearest", "quickstart.safetensors", "7", "-k", "3")
    assert "Nearest to 7" in text


def test_embed_evaluate_export_warm_start(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    edges, community = planted_partition(400, 2400, 4, seed=1)
    np.savetxt("e.txt", edges, fmt="%d")
    Path("labels.txt").write_text("".join(f"{node} {label}\n" for node, label in enumerate(community)))
    common = ("--num-epoch", 200, "--dim", 16, "--seed", 1)
    answer = cli("embed", "e.txt", "-o", "m", *common, "--labels", "labels.txt")
    assert answer.code == 0
    for part in ("Read  Graph(400 nodes", "Plan", "Trained", "Saved", "Node classification"):
        assert part in answer.out
    result = cli("evaluate", "m.safetensors", "--labels", "labels.txt", "--json").json
    assert result["evaluation"][0]["metrics"]["micro-F1@50%"] > 0.8
    assert cli("export", "m.safetensors", "-o", "v.txt").code == 0
    assert Path("v.txt").read_text().startswith("400 16\n")
    Path("new.txt").write_text("0\t1\n0\tnew\n")
    assert cli("embed", "e.txt", "new.txt", "-o", "grown", *common, "--init", "m.safetensors", "--quiet").code == 0
    grown = read_model("grown.safetensors")
    assert grown.num_nodes == 401
    assert np.isfinite(grown.vertex).all()


@pytest.mark.slow
@pytest.mark.parametrize("model", ["DeepWalk", "LINE", "node2vec"])
def test_deterministic_runs_agree_to_the_bit(program, tmp_path, model):
    (tmp_path / "e.txt").write_text("".join(f"{i} {(i * 7 + 3) % 60}\n" for i in range(60)))
    for name in ("first", "second"):
        program(
            "embed", "e.txt", "-o", name, "--model", model, "--num-epoch", "50", "--deterministic", "--dim", "8", "-q"
        )
    first, second = (read_model(tmp_path / f"{name}.safetensors") for name in ("first", "second"))
    assert (np.asarray(first.vertex) == np.asarray(second.vertex)).all()
    assert np.isfinite(first.vertex).all()


@pytest.mark.parametrize("text", ["a b\n", "a a\n", "a b\nc d\n", "a b\na c\na d\na e\n", "a b\nb c\nc d\n"])
def test_small_and_odd_graphs(cli, tmp_path, text):
    (tmp_path / "e.txt").write_text(text)
    answer = cli("embed", tmp_path / "e.txt", "-o", tmp_path / "m", "--num-epoch", "20", "--dim", "4")
    assert answer.code in (0, 2), answer.err
    if answer.code:
        assert answer.err.splitlines()[-1].startswith("error: ")
    else:
        assert np.isfinite(read_model(tmp_path / "m.safetensors").vertex).all()


@pytest.mark.slow
def test_template_runs_as_it_is(program, tmp_path):
    program("new", "graph")
    out, _ = program("run", "graph.yaml", "--epoch", "20", "--json")
    tasks = [result["task"] for result in json.loads(out)["evaluation"]]
    assert tasks == ["node classification", "link prediction"]
    assert (tmp_path / "graph.safetensors").exists()


@pytest.mark.slow
def test_lines_of_progress_when_there_is_no_terminal(program, large_graph):
    _, err = program(
        "embed",
        large_graph,
        "-o",
        "m",
        "--num-epoch",
        "50",
        "--dim",
        "16",
        "--log-frequency",
        "5",
        "--batch-size",
        "100000",
    )
    lines = [line for line in err.splitlines() if line.startswith("training: epoch ")]
    assert len(lines) >= 3
    assert "pairs/s" in lines[-1]


@pytest.mark.slow
def test_checkpoint_of_another_graph_is_refused(program, tmp_path, large_graph):
    (tmp_path / "e.txt").write_text("a b\nb c\n")
    program("embed", "e.txt", "-o", "m", "--num-epoch", "5", "--checkpoint", "c.safetensors", "-q", "--dim", "4")
    if not (tmp_path / "c.safetensors").exists():
        (tmp_path / "m.safetensors").rename(tmp_path / "c.safetensors")
    _, err = program("embed", large_graph, "-o", "x", "--checkpoint", "c.safetensors", "--resume", "--dim", "4", code=2)
    assert err.splitlines()[-1].startswith("error: ")
    assert not (tmp_path / "x.safetensors").exists()


def test_a_graph_that_propagation_refuses_is_trained(cli, tmp_path):
    # Regression: the line of the plan about the other model must not end the command.
    (tmp_path / "e.txt").write_text("a b\n")
    answer = cli("embed", tmp_path / "e.txt", "-o", tmp_path / "m", "--dim", 4, "--num-epoch", 20)
    assert answer.code == 0, answer.err
    assert "instead" not in answer.out
    refused = cli("embed", tmp_path / "e.txt", "-o", tmp_path / "n", "--fast")
    assert refused.code == 2
    assert "Take --model DeepWalk." in refused.err
    assert not (tmp_path / "n.safetensors").exists()
