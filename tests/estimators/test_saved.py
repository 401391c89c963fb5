"""A model file whose JSON is of other kinds is refused with its name."""

from __future__ import annotations

import json

import numpy as np
import pytest

import nodeloom
from nodeloom.errors import ModelError
from nodeloom.io.tensors import read_tensors, write_tensors

SECTIONS = {
    "config": [
        {"train": 1},
        {"train": {"model": {}}},
        {"train": {"model": "TransE"}},
        {"train": {"num_epoch": "x"}},
        {"train": {"num_epoch": -5}},
        {"build": {"optimizer": []}},
        {"build": {"optimizer": {"type": "Adam", "beta1": 7}}},
        {"build": {"optimizer": {"type": 5}}},
        {"build": []},
        {"resource": {"dim": None, "gpus": "x"}},
        {"resource": {"device": 3}},
        {"resource": "x"},
        [],
        3,
    ],
    "state": [{"report": 3}, {"finished": "x"}, [], None],
    "graph": [{"num_nodes": -1}, {"num_nodes": "x"}, {"fingerprint": 7}, {"directed": 3}, 5],
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "m.safetensors"
    graph = nodeloom.Graph.from_edges([[0, 1], [1, 2]])
    return nodeloom.DeepWalk(dim=4, num_epoch=1, device="cpu", optimizer="Adam", lr=0.01).fit(graph).save(path)


@pytest.mark.parametrize(("section", "value"), [(key, value) for key, values in SECTIONS.items() for value in values])
def test_sections_of_another_kind(saved, tmp_path, section, value):
    file = read_tensors(saved)
    write_tensors(tmp_path / "m.safetensors", file.tensors, {**file.metadata, section: json.dumps(value)})
    with pytest.raises(ModelError, match=rf"m\.safetensors: .*({section}|expected a model among|expected tables)"):
        nodeloom.load(tmp_path / "m.safetensors")


def test_parameters_come_back(saved):
    model = nodeloom.load(saved)
    assert (model.dim, model.num_epoch, model.optimizer, model.lr, model.device) == (4, 1, "Adam", 0.01, "cpu")
    assert np.isfinite(model.vectors_).all()
