"""A checkpoint whose state is of another kind is refused with its name."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nodeloom
from nodeloom.errors import ModelError, TrainingInterrupted
from nodeloom.io.tensors import read_tensors, write_tensors


class Stop:
    def on_pool_end(self, progress):
        raise TrainingInterrupted("enough")


def model(order="both"):
    return nodeloom.LINE(dim=4, num_epoch=50, order=order, device="cpu", num_thread=1)


@pytest.fixture(scope="module")
def graph():
    return nodeloom.Graph.from_edges(np.random.default_rng(0).integers(0, 30, (90, 2)), num_nodes=30)


@pytest.fixture(scope="module")
def checkpoint(graph, tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoint") / "c.safetensors"
    with pytest.raises(TrainingInterrupted):
        model().fit(graph, checkpoint=path, callbacks=[Stop()])
    return read_tensors(path)


CHANGES = [
    {"part": None},
    {"part": 2},
    {"part": -1},
    {"part": "0"},
    {"num_pair": "x"},
    {"num_pair": 2**70},
    {"num_pair": -5},
    {"num_tile": 1.5},
    {"num_tile": 2**60},
    {"loss": "low"},
    {"seconds": -1},
    {"seconds": float("inf")},
    {"episode": []},
    {"episode": {"row": -1}},
    {"episode": {"row": 9, "vertex_parts": 2, "context_parts": 2}},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_states_of_another_kind(graph, checkpoint, tmp_path, change):
    state = {**json.loads(checkpoint.metadata["state"]), **change}
    path = tmp_path / "c.safetensors"
    write_tensors(path, checkpoint.tensors, {**checkpoint.metadata, "state": json.dumps(state)})
    with pytest.raises(ModelError, match=r"c\.safetensors: state"):
        model().fit(graph, resume=path)


@pytest.mark.parametrize("key", ["part", "num_pair", "num_tile", "loss", "lr", "seconds", "episode"])
def test_states_that_lack_something(graph, checkpoint, tmp_path, key):
    state = json.loads(checkpoint.metadata["state"])
    del state[key]
    path = tmp_path / "c.safetensors"
    write_tensors(path, checkpoint.tensors, {**checkpoint.metadata, "state": json.dumps(state)})
    with pytest.raises(ModelError, match=r"c\.safetensors: (state|expected a checkpoint)"):
        model().fit(graph, resume=path)


def test_tables_of_another_shape(graph, checkpoint, tmp_path):
    path = tmp_path / "c.safetensors"
    write_tensors(path, {name: np.zeros((30, 6), np.float32) for name in checkpoint.tensors}, checkpoint.metadata)
    with pytest.raises(ModelError, match=r"c\.safetensors: expected tables \[30, 4\], got 'context \[30, 6\]'"):
        model().fit(graph, resume=path)
    # What is not said to be a table has rows of any number, and so may its companion.
    tensors = {**checkpoint.tensors, "context": np.zeros((31, 4), np.float32)}
    metadata = {**checkpoint.metadata, "rows": json.dumps({"context": "node"})}
    metadata.pop("checksums", None)
    write_tensors(path, tensors, metadata)
    with pytest.raises(ModelError, match=r"c\.safetensors: expected tables \[30, 4\], got 'context \[31, 4\]'"):
        model().fit(graph, resume=path)


def test_the_checkpoint_itself_goes_on(graph, checkpoint, tmp_path):
    write_tensors(tmp_path / "c.safetensors", checkpoint.tensors, checkpoint.metadata)
    assert np.isfinite(model().fit(graph, resume=tmp_path / "c.safetensors").vectors_).all()
