"""A training whose process is killed goes on from its checkpoint, which is whole at every moment."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import nodeloom
from nodeloom import LINE, ComplEx, DeepWalk, KnowledgeGraph
from nodeloom.datasets import planted_partition
from nodeloom.graph import Graph
from nodeloom.io.model_file import read_model

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

TRAINING = """
import sys, time
sys.path.insert(0, {folder!r})
from pathlib import Path
from test_killed import MODELS, example
from nodeloom.errors import TrainingInterrupted

class Slow:
    def on_train_begin(self, plan):
        print("begun", flush=True)
    def on_pool_end(self, progress):
        time.sleep(0.02)

path = Path({path!r})
model = MODELS[{index}]
try:
    model.fit(example({index}), callbacks=[Slow()], checkpoint=path, checkpoint_interval=0, resume=path if path.exists() else None)
except TrainingInterrupted as error:
    print(error)
    sys.exit(130)
model.save(path.with_name("m.safetensors"))
"""

MODELS = [
    DeepWalk(dim=20, num_epoch=300, deterministic=True),
    LINE(dim=20, num_epoch=150, deterministic=True, order="both", optimizer="Adam"),
    DeepWalk(dim=20, num_epoch=300, deterministic=True, num_partition=3),
    ComplEx(dim=20, num_epoch=40, num_shared_negative=50, deterministic=True),
]


def example(index):
    edges = planted_partition(2000, 8000, 6, seed=1)[0]
    if MODELS[index]._model == "ComplEx":
        rows = np.stack([edges[:, 0], edges.sum(axis=1) % 3, edges[:, 1]], axis=1)
        return KnowledgeGraph.from_triples(rows)
    return Graph.from_edges(edges)


def tables(model):
    names = ("entity_vectors_", "_relation_table") if model._model == "ComplEx" else ("vectors_", "context_vectors_")
    return [getattr(model, name) for name in names]


def start(tmp_path, index):
    """Start or go on with a training in a process of its own; return when it begins."""
    folder = str(Path(__file__).parent)
    code = TRAINING.format(folder=folder, path=str(tmp_path / "c.safetensors"), index=index)
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "begun\n"
    return process


def finish(process):
    out, _ = process.communicate(timeout=120)
    return process.returncode, out


def check(tmp_path, index):
    found = nodeloom.load(tmp_path / "m.safetensors")
    expected = MODELS[index].fit(example(index))
    for one, other in zip(tables(found), tables(expected), strict=True):
        assert (one == other).all()


@pytest.mark.slow
@pytest.mark.parametrize("index", [0, 1, 2, 3], ids=["SGD", "both orders, Adam", "in parts", "triples"])
def test_kill_9_again_and_again(tmp_path, index):
    path, waits = tmp_path / "c.safetensors", random.Random(index)
    before = -1
    for _ in range(3):
        process = start(tmp_path, index)
        time.sleep(waits.uniform(0.02, 0.2))
        process.kill()
        code, _ = finish(process)
        if code == 0:
            break  # a fast machine
        if path.exists():
            state = read_model(path).state
            progress = (state["part"], state["num_pair"])
            assert before == -1 or progress >= before
            before = progress
    if not (tmp_path / "m.safetensors").exists():
        assert finish(start(tmp_path, index))[0] == 0
    check(tmp_path, index)


def test_kill_9_once(tmp_path):
    process = start(tmp_path, 1)
    while not (tmp_path / "c.safetensors").exists():
        time.sleep(0.01)
    process.kill()
    finish(process)
    # Gone on with in this process, which is quicker than another one.
    path = tmp_path / "c.safetensors"
    MODELS[1].fit(example(1), resume=path).save(tmp_path / "m")
    check(tmp_path, 1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_terminated(tmp_path, number):
    process = start(tmp_path, 0)
    time.sleep(0.1)
    process.send_signal(number)
    code, out = finish(process)
    assert code == 130
    assert "it can go on from" in out
    assert read_model(tmp_path / "c.safetensors").state["finished"] is False
    MODELS[0].fit(example(0), resume=tmp_path / "c.safetensors").save(tmp_path / "m")
    check(tmp_path, 0)
