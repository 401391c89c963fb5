"""Workers compare what they are about to do before they train: nothing differs unnoticed, and nothing hangs."""

from __future__ import annotations

import pytest

import nodeloom
from local_transport import together
from nodeloom import Graph
from nodeloom.config import BuildConfig, ResourceConfig, train_config
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.engine.workers.agreement import of_sections
from nodeloom.errors import ConfigError
from nodeloom.plan.settings import Settings


@pytest.fixture(scope="module")
def graph():
    return Graph.from_edges(planted_partition(300, 2000, 5)[0])


def settings(*, build=None, resource=None, **train):
    return Settings(
        train_config(num_epoch=20, **train),
        BuildConfig(**(build or {})),
        ResourceConfig(**{"dim": 8, "num_thread": 1, "device": "cpu", "num_worker": 2, **(resource or {})}),
    )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (settings(seed=9), "train.seed: expected the same with all workers, got {'worker 0': 0, 'worker 1': 9}"),
        (settings(build={"optimizer": "Adam"}), "build.optimizer.type: expected the same .* 'worker 1': 'Adam'"),
        (settings(build={"optimizer": {"lr": 0.5}}), "build.optimizer.lr: .* 'worker 1': 0.5"),
        (settings(resource={"dim": 16}), "resource.dim: .*{'worker 0': 8, 'worker 1': 16}"),
        (settings(model="node2vec"), "train.model: "),
        (settings(negative_weight=1), "train.negative_weight: "),
        (settings(deterministic=True), "train.deterministic: "),
    ],
)
def test_other_settings_are_named_by_all(monkeypatch, graph, other, message):
    said = []

    def work(transport):
        with pytest.raises(ConfigError, match=message) as error:
            make_plan(graph, other if transport.rank else settings(), transport)
        said.append(str(error.value))

    together(2, work)
    assert said[0] == said[1]


def test_another_graph_or_version(monkeypatch, graph):
    less = Graph.from_edges(planted_partition(300, 1990, 5)[0])

    def work(transport):
        with pytest.raises(ConfigError, match=r"graph .fingerprint.: expected the same with all workers"):
            make_plan(less if transport.rank else graph, settings(), transport)

    together(2, work)
    assert of_sections({})["version of nodeloom"] == nodeloom.__version__


def test_hosts_may_differ_in_threads_and_memory(monkeypatch, graph):
    def work(transport):
        resource = {
            "num_thread": 1 + transport.rank,
            "memory_limit": 10**9 << transport.rank,
            "worker_timeout": 15 + transport.rank,
        }
        return make_plan(graph, settings(resource=resource), transport).grid.episode_pairs

    pairs = together(2, work)
    assert pairs[0] == pairs[1]


def test_keys_of_a_host_and_numbers_of_devices_are_left_out():
    sections = {"a": {"num_thread": 3, "device": "cuda:1", "list": [{"x": 1, "file_name": "f"}]}, "save": {"b": 1}}
    found = of_sections(sections, {"save", "file_name"})
    del found["version of nodeloom"]
    assert found == {"a.device": "cuda", "a.list[0].x": 1}
