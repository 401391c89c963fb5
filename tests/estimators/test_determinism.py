"""The same seed gives the same vectors to the last bit: twice in a process, and in another process."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nodeloom import LINE, DeepWalk, Graph, Node2Vec
from nodeloom.datasets import planted_partition

MODELS = [
    DeepWalk(dim=20, num_epoch=50, deterministic=True, seed=7),
    DeepWalk(dim=16, num_epoch=50, num_thread=1, optimizer="Adam"),
    LINE(dim=20, num_epoch=50, deterministic=True, order="both", positive_reuse=2),
    Node2Vec(dim=20, num_epoch=50, deterministic=True, p=0.25, q=4.0),
]

OTHER_PROCESS = """
import sys
sys.path.insert(0, {folder!r})
from test_determinism import MODELS, digest, example
print(*(digest(model, example()) for model in MODELS))
"""


def example():
    edges = planted_partition(300, 1500, 6, seed=1)[0]
    return Graph.from_edges(edges, weights=np.random.default_rng(0).random(len(edges)) + 0.1)


def digest(model, graph):
    model.fit(graph)
    return hashlib.sha256(model.vectors_.tobytes() + model.context_vectors_.tobytes()).hexdigest()


def test_twice():
    for model in MODELS:
        assert digest(model, example()) == digest(model, example())


def test_in_another_process():
    code = OTHER_PROCESS.format(folder=str(Path(__file__).parent))
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [digest(model, example()) for model in MODELS]


@pytest.mark.parametrize("model", MODELS, ids=repr)
def test_seeds_differ(model):
    seed = model.seed
    try:
        first = digest(model, example())
        assert digest(model.set_params(seed=seed + 1), example()) != first
    finally:
        model.set_params(seed=seed)


def test_plans_and_callbacks_do_not_disturb():
    model, graph = MODELS[0], example()
    expected = digest(model, graph)
    model.plan(graph)
    np.random.default_rng(0).random(10)

    class Busy:
        def on_pool_end(self, progress):
            DeepWalk(dim=4, num_epoch=1).fit(graph)  # another training in between

    model.fit(graph, callbacks=[Busy()])
    assert hashlib.sha256(model.vectors_.tobytes() + model.context_vectors_.tobytes()).hexdigest() == expected
