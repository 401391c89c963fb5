"""Graphs that train in milliseconds, settings from a few words, and a training to stop anywhere."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from gpu_runs import OnGpu, missing
from nodeloom import Graph
from nodeloom.config import BuildConfig, OptimizerConfig, ResourceConfig, train_config, train_fields
from nodeloom.datasets import planted_partition
from nodeloom.engine import Settings, make_plan
from nodeloom.engine.training import train
from nodeloom.errors import TrainingInterrupted


@pytest.fixture(scope="session")
def graph():
    """Return a graph of 300 nodes in six communities."""
    return Graph.from_edges(planted_partition(300, 1500, 6, seed=1)[0])


def make_settings(*, optimizer="SGD", **values):
    """Return settings; every key goes to the section that has it, deterministic unless said otherwise."""
    values = {"dim": 16, "num_epoch": 100, "deterministic": "num_thread" not in values, **values}
    optimizer = optimizer if isinstance(optimizer, dict) else {"type": optimizer}
    optimizer |= {key: values.pop(key) for key in ("lr", "weight_decay", "schedule") if key in values}
    sections = {}
    fields = {"train": train_fields(), "build": BuildConfig.model_fields, "resource": ResourceConfig.model_fields}
    for section, known in fields.items():
        sections[section] = {key: values.pop(key) for key in list(values) if key in known}
    assert not values
    return Settings(
        train=train_config(**sections["train"]),
        build=BuildConfig(**sections["build"], optimizer=OptimizerConfig(**optimizer)),
        resource=ResourceConfig(**sections["resource"]),
    )


def trained(graph, *, callbacks=(), init=None, **values):
    """Train and return the tables; keys of `train` and of the settings."""
    options = {key: values.pop(key) for key in ("checkpoint", "checkpoint_interval", "resume") if key in values}
    settings = make_settings(**values)
    return train(graph, make_plan(graph, settings), settings, callbacks=callbacks, init=init, **options)


class StopAt:
    """A callback that ends the training after pool number `pool`."""

    def __init__(self, pool, action=None):
        self.pool, self.seen = pool, 0
        self.action = action or self.interrupt

    @staticmethod
    def interrupt():
        raise TrainingInterrupted("enough")

    def on_pool_end(self, progress):
        self.seen += 1
        if self.seen == self.pool + 1:
            self.action()


@pytest.fixture(scope="session")
def engine():
    """Return the helpers of this folder: ``settings``, ``train``, ``StopAt``, ``same``."""

    def same(a, b):
        return bool((np.asarray(a.vertex) == np.asarray(b.vertex)).all() and (a.context == b.context).all())

    return SimpleNamespace(settings=make_settings, train=trained, StopAt=StopAt, same=same)


@pytest.fixture
def on_gpu(engine, monkeypatch):
    """Return the helpers to train on a GPU, see :class:`gpu_runs.OnGpu`: on the card, in the interpreter where there is none."""
    if reason := missing():
        pytest.skip(reason)
    return OnGpu(engine, monkeypatch)


@pytest.fixture
def quick(on_gpu):
    """Return the same, with kernels of the CPU where there is no card: for tests of the engine, not of the kernels."""
    on_gpu.take_kernels_of_the_cpu()
    return on_gpu
