"""The command line in this process, and a stand-in for the estimators that needs no kernels."""

from __future__ import annotations

import dataclasses
import inspect
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import nodeloom
from nodeloom.cli.entry import run
from nodeloom.errors import TrainingInterrupted
from nodeloom.estimators.saved import MODELS
from nodeloom.io.model_data import ModelData
from nodeloom.io.model_file import read_model, write_model


@dataclasses.dataclass
class Answer:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def cli(capfd, monkeypatch, tmp_path):
    """Call the program: ``cli("embed", path, "-o", out)``. Every call is checked for a traceback."""
    monkeypatch.setenv("NODELOOM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("NODELOOM_DATA", raising=False)

    def call(*arguments: object, traceback: bool = False) -> Answer:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        assert traceback or "Traceback" not in out + err
        return Answer(code, out, err)

    return call


@pytest.fixture
def edges(tmp_path) -> Path:
    """Two communities of names that hang together by one edge."""
    path = tmp_path / "edges.txt"
    lines = [f"{part}{i} {part}{j}" for part in "ab" for i in range(12) for j in range(i) if (i + j) % 3]
    path.write_text("\n".join([*lines, "a0 b0"]) + "\n")
    return path


@pytest.fixture
def labels(tmp_path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("".join(f"{part}{i} {part}\n" for part in "ab" for i in range(12)))
    return path


class _Plan:
    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values

    def rows(self) -> list[tuple[str, str]]:
        return [(key, str(value)) for key, value in self.values.items()]

    def to_dict(self) -> dict[str, Any]:
        return self.values


class FakeEstimator:
    """Has the interface of an estimator; its vectors are one-hot by the first letter of a name, plus noise."""

    seen: list[Any] = []  # noqa: RUF012  reset by the fixture
    stop = False

    def __init__(
        self,
        dim: int = 128,
        *,
        num_epoch: int | str = "auto",
        augmentation_step: int | str = "auto",
        random_walk_length: int | str = "auto",
        num_negative: int = 1,
        negative_weight: float = 5.0,
        negative_sample_exponent: float = 0.75,
        num_shared_negative: int | str = "auto",
        positive_reuse: int = 1,
        optimizer: Any = "SGD",
        lr: float | str = "auto",
        weight_decay: float | str = "auto",
        schedule: str = "linear",
        num_thread: int | str = "auto",
        deterministic: bool = False,
        seed: int = 0,
        device: str = "auto",
        gpus: tuple[int, ...] = (),
        gpu_memory_limit: int | str = "auto",
        table_dtype: str = "auto",
        sampler: str = "auto",
        memory_limit: int | str = "auto",
        num_partition: int | str = "auto",
        num_worker: int | str = "auto",
    ) -> None:
        given = locals()
        self.parameters = {key: given[key] for key in inspect.signature(FakeEstimator).parameters}

    def node_vectors(self) -> Any:
        return self.vectors_

    def get_params(self) -> dict[str, Any]:
        return self.parameters

    def set_params(self, **parameters: Any) -> FakeEstimator:
        return self

    def plan(self, graph: Any) -> _Plan:
        return _Plan({"num_nodes": graph.num_nodes, "dim": self.parameters["dim"]})

    def fit(self, graph: Any, *, callbacks: Any = (), **options: Any) -> FakeEstimator:
        FakeEstimator.seen.append((type(self).__name__, self.parameters, graph, options))
        dim = self.parameters["dim"]
        vectors = np.random.default_rng(0).normal(0, 0.1, (graph.num_nodes, max(dim, 2))).astype(np.float32)
        letters = [str(graph.names[node])[0] for node in range(graph.num_nodes)]
        vectors[:, 0] += np.array([letter == "a" for letter in letters])
        vectors[:, 1] += np.array([letter == "b" for letter in letters])
        self.vectors_ = self.context_vectors_ = vectors[:, :dim]
        self.graph_names_, self.graph_ = graph.names, graph
        for callback in callbacks:
            callback.on_train_begin(self.plan(graph))
            callback.on_pool_end(
                SimpleNamespace(
                    epoch=1.5, num_epoch=2, num_pair=50, total_pair=100, loss=0.5, lr=0.01, rate=1e6, seconds=1.0,
                    seconds_left=1.0,
                )
            )  # fmt: skip
            if FakeEstimator.stop:
                checkpoint = options.get("checkpoint")
                raise TrainingInterrupted("stopped after epoch 1.5.", Path(checkpoint) if checkpoint else None)
            callback.on_train_end(None)
        self.report_ = {"seconds": 1.0, "num_pair": 100, "rate": 1e6, "loss": float("nan")}
        return self

    def save(self, path: Any) -> None:
        write_model(
            path, ModelData.of_nodes({"vertex": self.vectors_, "context": self.context_vectors_}, self.graph_names_)
        )


@pytest.fixture
def fake(monkeypatch):
    """Put the stand-in in the place of the estimators; returns it. ``fake.seen`` lists the calls of ``fit``."""
    FakeEstimator.seen, FakeEstimator.stop = [], False

    class Line(FakeEstimator):
        def __init__(self, *, order: Any = 2, **parameters: Any) -> None:
            super().__init__(**parameters)
            self.parameters["order"] = order

    class Walks(FakeEstimator):
        def __init__(self, *, p: float = 1.0, q: float = 1.0, **parameters: Any) -> None:
            super().__init__(**parameters)
            self.parameters |= {"p": p, "q": q}

    for name, kind in (("DeepWalk", FakeEstimator), ("LINE", Line), ("Node2Vec", Walks)):
        monkeypatch.setitem(MODELS, getattr(nodeloom, name)._model, kind)
        monkeypatch.setitem(nodeloom.__dict__, name, kind)
    monkeypatch.setitem(nodeloom.__dict__, "load", lambda path: ("loaded", str(path), read_model(path)))
    return FakeEstimator


@pytest.fixture
def model(cli, fake, edges, tmp_path) -> Path:
    """A model file of the graph of `edges`."""
    path = tmp_path / "model.safetensors"
    assert cli("embed", edges, "-o", path, "--dim", 4, "-q").code == 0
    fake.seen.clear()
    return path
