"""Files of older versions of the format are loaded, used and trained further as when they were new.

``files`` holds a model and a checkpoint of version 1 (commit 96b46d6, no checksums) and of version 2 (commit fb104be), of this training:
DeepWalk with `PARAMETERS` on `ring()`, stopped at epoch 15.9 of 40.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nodeloom
from nodeloom import DeepWalk, Graph
from nodeloom.cli.entry import run
from nodeloom.io.model_file import read_model

FILES = Path(__file__).parent / "files"
PARAMETERS = {
    "dim": 8, "num_epoch": 40, "seed": 3, "deterministic": True, "optimizer": "Adam", "lr": 0.01, "device": "cpu",
    "augmentation_step": 2, "random_walk_length": 8,
}  # fmt: skip


def ring() -> Graph:
    """Return the graph of the files: 24 nodes, 59 edges."""
    steps = [(i, (i * step + step) % 24) for i in range(24) for step in (1, 2, 5)]
    return Graph.from_edges([(f"n{i}", f"n{j}") for i, j in steps if i != j])


@pytest.fixture(scope="module")
def whole() -> DeepWalk:
    return DeepWalk(**PARAMETERS).fit(ring())


@pytest.fixture(params=["v1", "v2"])
def version(request) -> str:
    return request.param


def test_a_model(version, whole, tmp_path):
    path = FILES / f"deepwalk-{version}.safetensors"
    assert read_model(path).rows == {"vertex": "node", "context": "node"}
    model = nodeloom.load(path)
    assert model.get_params() | {"optimizer": "Adam"} == whole.get_params()
    assert list(model.graph_names_) == list(whole.graph_names_)
    # Equal to the bit on the machine that made the files; others may add in another order.
    np.testing.assert_allclose(model.vectors_, whole.vectors_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(model.context_vectors_, whole.context_vectors_, rtol=0, atol=1e-5)
    assert model.nearest("n3", 3)[0][0] == whole.nearest("n3", 3)[0][0]
    again = nodeloom.load(model.save(tmp_path / "again"))
    np.testing.assert_array_equal(again.vectors_, model.vectors_)
    assert not again.partial_


def test_the_command_line(version, whole, tmp_path, capsys):
    path = str(FILES / f"deepwalk-{version}.safetensors")
    (tmp_path / "links.txt").write_text("n0 n1 1\nn1 n3 1\nn0 n12 0\nn3 n15 0\n")
    (tmp_path / "labels.txt").write_text("".join(f"n{i} {'ab'[i < 12]}\n" for i in range(24)))
    for command in (
        ["info", path],
        ["nearest", path, "n3", "-k", "2"],
        ["evaluate", path, "--links", str(tmp_path / "links.txt"), "--labels", str(tmp_path / "labels.txt")],
        ["export", path, "-o", str(tmp_path / "v.npz")],
    ):
        assert run([*command, "--json"]) == 0, capsys.readouterr().err
        facts = json.loads(capsys.readouterr().out)
        if command[0] == "info":
            assert (facts["num_nodes"], facts["tables"], facts["names"]) == (24, "context, vertex", "n0, n1, n2, ...")
    with np.load(tmp_path / "v.npz") as exported:
        np.testing.assert_allclose(exported["vectors"], whole.vectors_, rtol=0, atol=1e-5)
        assert list(exported["names"]) == list(whole.graph_names_)


def test_a_warm_start(version, whole):
    model = nodeloom.load(FILES / f"deepwalk-{version}.safetensors")
    warm = DeepWalk(**PARAMETERS | {"num_epoch": 1, "lr": 1e-6}).fit(ring(), init=model)
    np.testing.assert_allclose(warm.vectors_, whole.vectors_, rtol=0, atol=1e-3)


def test_a_checkpoint_goes_on(version, whole):
    path = FILES / f"deepwalk-{version}.checkpoint.safetensors"
    assert nodeloom.load(path).partial_
    resumed = DeepWalk(**PARAMETERS).fit(ring(), resume=path)
    np.testing.assert_allclose(resumed.vectors_, whole.vectors_, rtol=0, atol=1e-5)
    np.testing.assert_allclose(resumed.context_vectors_, whole.context_vectors_, rtol=0, atol=1e-5)
    assert resumed.report_["num_pair"] == whole.report_["num_pair"]
