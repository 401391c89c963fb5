"""The walks of an episode that threads of the host draw ahead: those of the next one, though it has a few more or less."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from gpu_runs import missing
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.partition import assign
from nodeloom.sampling import WalkSampler

if reason := missing():
    pytest.skip(reason, allow_module_level=True)

from nodeloom.engine.gpu import episode
from nodeloom.engine.gpu.device import Device


@pytest.mark.parametrize(
    ("sizes", "starts", "announced", "waited"),
    [
        ([1000, 1003, 990, 1001], [0, 1000, 2003, 2993], [None] * 4, 1),  # only the first is waited for
        ([1000, 1003, 990], [0, 5000, 9999], [5010, 9990, 15_000], 1),  # the share of a worker: about there
        ([1000, 1100, 300], [0, 1000, 2100], [None] * 3, 2),  # more than was drawn ahead; less is there already
        ([400, 400], [0, 9000], [None] * 2, 2),  # not the one that was announced
        ([400, 400], [0, 9000], [8950, None], 2),
    ],
)
def test_each_episode_is_drawn_once(on_gpu, monkeypatch, sizes, starts, announced, waited):
    graph = Graph.from_edges(planted_partition(200, 800, 4, seed=1)[0], num_nodes=200)
    plan = on_gpu.plan(graph, num_partition=2, sampler="host", random_walk_length=9)
    device, placement = Device("cuda:0"), assign(graph.strengths, 2, 2)
    calls, real = [], episode._HostEpisodes._draw

    def draw(self, first, out):
        calls.append(threading.current_thread() is threading.main_thread())
        real(self, first, out)

    monkeypatch.setattr(episode._HostEpisodes, "_draw", draw)
    sampler = WalkSampler.of(graph, seed=plan.stages[0].seed)
    with episode.EpisodeWalks(graph, plan, plan.stages[0], device, placement) as walks:
        for first, number, following in zip(starts, sizes, announced, strict=True):
            walks.begin(first, number, following)
            found = np.concatenate([chunk.cpu().numpy().copy() for chunk in walks.chunks()])
            expected = np.empty((number, 10), graph.indices.dtype)
            sampler.sample(first, expected)
            np.testing.assert_array_equal(found, placement.slot[expected])
    assert sum(calls) == waited
