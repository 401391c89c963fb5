"""What a model cannot use is one message, before anything is computed, that says what to give instead."""

from __future__ import annotations

from pathlib import Path

import networkx
import numpy as np
import pandas
import pytest
from scipy import sparse

from nodeloom import DeepWalk, Propagation, enhance, load
from nodeloom.errors import ConfigError, DataError, GraphError, ModelError, OutputError, ParameterError

GRAPHS = [
    ("edges.txt", "from_file(path)"),
    (Path("edges.txt"), "from_file(path)"),
    (networkx.karate_club_graph(), "from_networkx(graph)"),
    (sparse.eye_array(3).tocsr(), "from_scipy(matrix)"),
    (pandas.DataFrame({"a": [1], "b": [2]}), "from_pandas(frame)"),
    (np.zeros((3, 2), int), "from_edges(edges)"),
    ([(0, 1)], "from_edges(edges)"),
    (None, "from_edges(edges)"),
    (DeepWalk(), "from_edges(edges)"),
]


@pytest.mark.parametrize(("given", "way"), GRAPHS, ids=[way for _, way in GRAPHS])
def test_what_is_no_graph(given, way):
    for use in (DeepWalk().fit, DeepWalk().plan, Propagation().fit, Propagation().plan):
        with pytest.raises(GraphError) as raised:
            use(given)
        assert str(raised.value).startswith("graph: expected a nodeloom.Graph, got ")
        assert str(raised.value).endswith(f"Make one with Graph.{way}.")


@pytest.mark.parametrize("init", [np.zeros((300, 4)), "m.safetensors", 5, {}, DeepWalk(), DeepWalk])
def test_what_is_no_start(graph, init):
    with pytest.raises(ModelError, match="init: expected a fitted model, got "):
        DeepWalk(dim=4, num_epoch=1).fit(graph, init=init)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint": 5}, "checkpoint: expected the path of a file, got 5"),
        ({"checkpoint": ""}, "checkpoint: expected the path of a file, got ''"),
        ({"resume": ["c"]}, r"resume: expected the path of a file, got \['c'\]"),
        ({"checkpoint_interval": "x"}, "checkpoint_interval: expected seconds >= 0, got 'x'"),
        ({"checkpoint_interval": -1}, "checkpoint_interval: expected seconds >= 0, got -1"),
        ({"checkpoint_interval": float("nan")}, "checkpoint_interval: expected seconds >= 0, got nan"),
        ({"callback": []}, r"DeepWalk\.fit: there is no parameter 'callback'\. Did you mean 'callbacks'\?"),
    ],
)
def test_options_of_fit(graph, options, message):
    for use in (DeepWalk(dim=4, num_epoch=1).fit, DeepWalk(dim=4, num_epoch=1).fit_transform):
        with pytest.raises(ConfigError, match=message):
            use(graph, **options)


def test_what_the_others_do_not_have(graph):
    with pytest.raises(
        ParameterError, match=r"Propagation\.fit: there is no parameter 'checkpoint'\. There are graph, y"
    ):
        Propagation().fit(graph, checkpoint="c.safetensors")


@pytest.mark.parametrize("path", [5, None, "", b"m"])
def test_what_is_no_path(graph, path):
    for use in (Propagation(dim=4).fit(graph).save, load):
        with pytest.raises(ConfigError, match="expected the path of a file, got"):
            use(path)


@pytest.mark.parametrize("names", [None, 5.5, object(), [None], [1.5], [["n1"]], b"\xff"])
def test_what_is_no_name(graph, names):
    model = Propagation(dim=4).fit(graph)
    for use in (
        model.graph_names_.find,
        lambda names: model.score_edges(names, ["n1"]),
        lambda names: graph.has_edges(names, ["n1"]),
    ):
        with pytest.raises(DataError, match=r"names"):
            use(names)


@pytest.mark.parametrize(
    "options", [{"theta": "x"}, {"mu": None}, {"num_term": 2.5}, {"row_length": True}, {"num_thread": 0}]
)
def test_numbers_of_enhance(graph, options):
    with pytest.raises(ConfigError, match=rf"enhance\.{next(iter(options))}: expected a"):
        enhance(Propagation(dim=4).fit(graph), graph, **options)


def test_a_folder_is_no_file(graph, tmp_path):
    # Regression: the model went beside the folder, under its name and .safetensors.
    with pytest.raises(OutputError, match="expected the path of a file, got 'a folder'"):
        Propagation(dim=4).fit(graph).save(tmp_path)
    assert not list(tmp_path.parent.glob("*.safetensors"))


def test_arguments_without_a_name(graph):
    with pytest.raises(
        ParameterError, match=r"DeepWalk: too many positional arguments\. Its parameters are dim, num_epoch"
    ):
        DeepWalk(64, 100)
    with pytest.raises(ParameterError, match=r"DeepWalk\.nearest: too many positional arguments"):
        DeepWalk(dim=4, num_epoch=1).fit(graph).nearest("n1", 3, "dot")
    with pytest.raises(ParameterError, match=r"DeepWalk\.fit: missing a required argument: 'graph'"):
        DeepWalk().fit()
