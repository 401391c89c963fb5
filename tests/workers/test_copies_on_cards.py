"""Workers that are processes, each with whole tables on a GPU: two on one card, and one on each."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest
from worker_runs import accuracy

from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.io.model_file import read_model
from nodeloom.transport.launcher import this_program

NODES, EPOCHS = 2000, 200


@pytest.fixture(scope="module")
def shaped(tmp_path_factory):
    edges, community = planted_partition(NODES, 16_000, 8, mixing=0.35, seed=3)
    path = tmp_path_factory.mktemp("graph") / "graph.safetensors"
    Graph.from_edges(edges, num_nodes=NODES).save(path)
    return path, community


def embed(path, output, *options):
    """Run the command line; return what it prints as JSON, and the vectors."""
    command = ["embed", path, "-o", output, "--json", "--dim", 32, "--num-epoch", EPOCHS, "--device", "cuda", *options]
    done = subprocess.run(
        this_program([str(part) for part in command]), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), read_model(output).tensors["vertex"]


def check(shaped, folder, gpus, *options):
    path, community = shaped
    one, alone = embed(path, folder / "one.safetensors")
    two, vectors = embed(path, folder / "two.safetensors", "--num-worker", 2, "--gpus", gpus, *options)
    plan, report = two["plan"], two["training"]
    assert (plan["mode"]["name"], plan["num_worker"]) == ("Copies", 2)
    assert report["num_pair"] == pytest.approx(one["training"]["num_pair"], rel=0.02)
    assert plan["mode"]["num_merge"] <= report["num_sent"] <= plan["mode"]["num_merge"] + 3
    assert report["sent_bytes"] > 0 and 0 < report["waited_seconds"] < report["seconds"]
    assert np.isfinite(vectors).all()
    assert accuracy(vectors, community) > accuracy(alone, community) - 3 > 80
    return plan


@pytest.mark.gpu
@pytest.mark.parametrize("options", [(), ("--table-dtype", "bf16", "--sampler", "host")], ids=str)
def test_two_workers_share_a_card(shaped, tmp_path, options):
    plan = check(shaped, tmp_path, 0, *options)
    assert "with whole tables each on cuda:0;" in plan["reason"]


@pytest.mark.gpu
def test_a_card_for_each_worker(shaped, tmp_path):
    import torch

    if torch.cuda.device_count() < 2:
        pytest.skip("there is one GPU only")
    plan = check(shaped, tmp_path, "0,1")
    assert "with whole tables each on cuda:0, cuda:1;" in plan["reason"]


@pytest.mark.gpu
def test_training_goes_on_from_a_checkpoint(shaped, tmp_path):
    path, community = shaped
    more = ("--num-worker", 2, "--gpus", 0, "--checkpoint-interval", 0.01, "--checkpoint", tmp_path / "c.safetensors")
    embed(path, tmp_path / "m.safetensors", *more)
    assert (tmp_path / "c.safetensors").exists()  # what it was like at one of the merges
    result, vectors = embed(path, tmp_path / "m.safetensors", *more[2:], "--resume")
    assert result["training"]["num_pair"] >= EPOCHS * 16_000
    assert accuracy(vectors, community) > 80
