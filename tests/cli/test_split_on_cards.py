"""Workers that are processes, each with parts of the tables on a GPU: two on one card, and one on each."""

from __future__ import annotations

import json
import os
import shlex
import signal
import time

import numpy as np
import pytest
from worker_programs import auc_of, second_of, start

from nodeloom.datasets import planted_partition

COMMON = ("--dim", "32", "--hold-out", "0.05", "--json")
PARTS = ("--num-worker", "2", "--parallelism", "model")


@pytest.fixture(scope="module")
def large_graph(tmp_path_factory):
    path = tmp_path_factory.mktemp("large") / "edges.txt"
    edges, _ = planted_partition(5_000, 40_000, 10)
    np.savetxt(path, edges, fmt="%d")
    return path


def two_workers(folder, graph, *options, device="cuda"):
    """Return the plan, the report and the AUC of two workers, and the AUC of one process."""
    epochs = ("--num-epoch", "200", "--device", device)
    alone = auc_of(start(folder, "embed", graph, "-o", "one", *COMMON, *epochs))
    out, err = start(folder, "embed", graph, "-o", "two", *COMMON, *epochs, *PARTS, *options).communicate(timeout=200)
    assert out, err
    found = json.loads(out)
    return found["plan"], found["training"], found["evaluation"][0]["auc"], alone


def check(plan, report, auc, alone, *, num_vertex_part=2):
    assert (plan["mode"]["name"], plan["num_worker"]) == ("Ring", 2)
    assert plan["mode"]["grid"]["num_vertex_part"] == num_vertex_part
    assert report["num_pair"] >= 200 * 38_000 and report["num_sent"] > 0
    assert report["peak_device_memory"] > 0
    assert alone > 0.8 and abs(alone - auc) < 0.02


@pytest.mark.gpu
@pytest.mark.parametrize("options", [(), ("--table-dtype", "bf16", "--sampler", "host")], ids=str)
def test_two_workers_share_a_card(large_graph, tmp_path, options):
    plan, *rest = two_workers(tmp_path, large_graph, *options, device="cuda:0")
    check(plan, *rest)
    assert "in every round, through main memory." in plan["reason"]


@pytest.mark.gpu
def test_a_card_for_each_worker(large_graph, tmp_path):
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU only")
    for folder, options in (("fp32", ()), ("bf16", ("--table-dtype", "bf16", "--num-partition", "2"))):
        (tmp_path / folder).mkdir()
        plan, *rest = two_workers(tmp_path / folder, large_graph, *options)
        check(plan, *rest)
        assert "in every round, from GPU to GPU." in plan["reason"]


@pytest.mark.gpu
@pytest.mark.parametrize("cards", [1, 2])
def test_a_worker_that_is_killed_is_no_loss(large_graph, tmp_path, cards):
    import torch

    if torch.cuda.device_count() < cards:
        pytest.skip("there is one GPU only")
    device = ("--device", "cuda:0" if cards == 1 else "cuda")
    options = (*COMMON, *PARTS, *device, "--num-epoch", "20000", "--checkpoint-interval", "0.1")
    process = start(tmp_path, "embed", large_graph, "-o", "m", *options)
    checkpoint = tmp_path / "m.checkpoint.safetensors"
    end = time.monotonic() + 120
    while not checkpoint.exists():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    os.kill(second_of(process.pid), signal.SIGKILL)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 137
    said = [line for line in err.splitlines() if line.startswith("error: ")]
    assert len(said) == 1 and said[0].startswith("error: worker 1 was ended by SIGKILL.")
    command = said[0].partition("o on with: nodeloom ")[2]
    assert auc_of(start(tmp_path, *shlex.split(command), "-q")) > 0.75
    assert {path.name for path in tmp_path.iterdir()} == {"m.safetensors"}
