"""What trainings in parts on GPUs begin with: a graph, what one process learns of it, and settings."""

from __future__ import annotations

import gpu_workers
import pytest
from worker_runs import accuracy, one_training, settings_of

from nodeloom import Graph
from nodeloom.datasets import planted_partition

NODES = 901  # no multiple of any number of parts


@pytest.fixture(scope="module")
def communities():
    edges, community = planted_partition(NODES, 7000, 6, mixing=0.3, seed=3)
    return Graph.from_edges(edges, num_nodes=NODES), community


@pytest.fixture(scope="module")
def learned_by_one(communities):
    graph, community = communities
    return accuracy(one_training(graph, settings_of(num_epoch=60)).vertex, community)


@pytest.fixture
def on_gpus(monkeypatch):
    """Train on the card, or with the kernels of the CPU in place of its kernels."""
    gpu_workers.prepare(monkeypatch)
    from gpu_pairs import take_kernels_of_the_cpu

    take_kernels_of_the_cpu(monkeypatch)


def in_parts(**values):
    return settings_of(**{"device": "cuda", "parallelism": "model", "num_epoch": 60, **values})
