"""Tasks take a model, and labels as people have them; what does not fit is one message."""

from __future__ import annotations

import numpy as np
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from nodeloom import DeepWalk, Graph, Propagation
from nodeloom.datasets import planted_partition
from nodeloom.errors import DataError, NodeloomError, UnknownNodeError
from nodeloom.estimators.fitted import NotFittedError
from nodeloom.io.labels import Labels
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.tasks import link_prediction, nearest, node_classification, random_control, split_edges
from nodeloom.tasks.given import labels_of

pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")

NAMES = Vocabulary.from_names(["ann", "bob", "eve", "joe"])


@pytest.fixture(scope="module")
def graph():
    edges, groups = planted_partition(200, 1500, 4, seed=1)
    return Graph.from_edges(edges, names=[f"n{i}" for i in range(200)]), groups


@pytest.fixture(scope="module")
def model(graph):
    return Propagation(dim=16).fit(graph[0])


def told(labels):
    """Return a set of (node, class name)."""
    return {(int(i), labels.class_names[c]) for i, c in zip(labels.nodes, labels.classes, strict=True)}


FORMS = {
    "dict": {"ann": "x", "eve": "y", "joe": "x"},
    "dict with none": {"ann": "x", "bob": None, "eve": "y", "joe": "x"},
    "dict of lists": {"ann": ["x"], "eve": ("y",), "joe": {"x"}, "bob": []},
    "Series": pandas.Series(["x", "y", "x"], index=["ann", "eve", "joe"]),
    "categories": pandas.Series(["x", "y", "x"], index=["ann", "eve", "joe"], dtype="category"),
    "one column": pandas.DataFrame({"team": ["x", "y", "x"]}, index=["ann", "eve", "joe"]),
    "two columns": pandas.DataFrame({"who": ["ann", "eve", "joe"], "team": ["x", "y", "x"]}),
    "polars": polars.DataFrame({"who": ["ann", "eve", "joe"], "team": ["x", "y", "x"]}),
    "arrow": pyarrow.table({"who": ["ann", "eve", "joe"], "team": ["x", "y", "x"]}),
    "list": ["x", None, "y", "x"],
    "array": np.array(["x", None, "y", "x"], object),
    "missing in pandas": pandas.array(["x", pandas.NA, "y", "x"]),
    "column of polars": polars.Series(["x", None, "y", "x"]),
    "lists of lists": [["x"], [], ["y"], ["x"]],
    "column": np.array([["x"], [None], ["y"], ["x"]], object),
}


@pytest.mark.parametrize("form", FORMS)
def test_forms(form):
    found = labels_of(FORMS[form], NAMES)
    assert told(found) == {(0, "x"), (2, "y"), (3, "x")}
    assert (found.class_names, found.num_nodes) == (("x", "y"), 4)


def test_numbers_are_sorted_as_numbers():
    for labels in ([10, 2, 10, 1], np.array([10, 2, 10, 1]), [10.0, 2.0, 10.0, 1.0], ["10", "2", "10", "1"]):
        assert labels_of(labels, NAMES).class_names == ("1", "2", "10")
    with_gaps = pandas.Series([10, None, 2], index=["ann", "bob", "eve"])  # floats, in pandas
    assert labels_of(with_gaps, NAMES).class_names == ("2", "10")
    assert labels_of([True, False, True, False], NAMES).class_names == ("False", "True")


def test_several_labels():
    expected = {(0, "x"), (0, "y"), (2, "y")}
    table = pandas.DataFrame({"node": ["ann", "ann", "eve"], "label": ["x", "y", "y"]})
    for labels in ({"ann": ["x", "y"], "eve": "y"}, table, [["x", "y"], None, "y", []]):
        assert told(labels_of(labels, NAMES)) == expected
    matrix = np.array([[1, 1], [0, 0], [0, 1], [0, 0]])
    for labels in (matrix, matrix.astype(bool), sparse.csr_array(matrix)):
        assert told(labels_of(labels, NAMES)) == {(0, "0"), (0, "1"), (2, "1")}


def test_integer_names():
    names = Vocabulary.from_names([30, 10, 20])
    assert told(labels_of({10: "x", "20": "y"}, names)) == {(1, "x"), (2, "y")}
    assert told(labels_of(pandas.Series(["x", "y"], index=[10, 20]), names)) == {(1, "x"), (2, "y")}


@given(st.lists(st.none() | st.sampled_from(["x", "y", "z"]), min_size=4, max_size=4))
def test_by_name_and_by_position_agree(labels):
    by_name = dict(zip(NAMES, labels, strict=True))
    assert told(labels_of(labels, NAMES)) == told(labels_of(by_name, NAMES))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"anne": "x", "bob": "y"}, r"1 unknown name: 'anne'\. Did you mean 'ann'\? .* pass unknown='skip'"),
        (pandas.Series(["x"] * 4), r"4 unknown names: 0, 1, 2, 3\. Give labels\.to_numpy\(\) if they are in the order"),
        (pandas.Series(["x"] * 3, index=[5, 6, 7]), "3 unknown names: 5, 6, 7. Are they labels of another graph"),
        ([[0, 1, 0], [1, 0, 0], [0, 0, 1], [1, 1, 0]], "expected lists of labels, got 'lists of 0 and 1, such as"),
        ({"ann": [0, 1], "bob": [1, 0]}, "Give a NumPy array"),
        (["x", "y"], r"expected one for each of 4 nodes, got '2 labels'\. For labels of some .* a dict or a Series"),
        ("ann", "expected a dict, a Series or a DataFrame"),
        (5, "expected a dict, a Series or a DataFrame"),
        (np.array(5), "expected a dict, a Series or a DataFrame"),
        ({"ann": {"x": 1}}, "expected labels as text or numbers, got {'x': 1}"),
        ({"ann": object()}, "expected labels as text or numbers"),
        (np.array([[1, 2]] * 4), "expected 0 and 1 in labels"),
        (np.zeros((4, 2, 2)), "expected 0 and 1 in labels"),
        (pandas.DataFrame(np.zeros((4, 3))), "expected a table with two columns"),
        ({1.5: "x"}, "expected text or integers, got 1.5"),
        (Labels.from_pairs([0, 5], [0, 1]), "expected labels of 4 nodes, got 'of 6'"),
        ({}, "expected at least 2 labelled nodes, got 0"),
        ([None] * 4, "expected at least 2 labelled nodes, got 0"),
    ],
)
def test_what_does_not_fit(labels, message):
    class Fitted:
        graph_names_ = NAMES

        def fit(self):
            pass

        def node_vectors(self):
            return np.ones((4, 2), np.float32)

    with pytest.raises(DataError, match=message):
        node_classification(Fitted(), labels)


def test_labels_of_unknown_nodes(model, graph):
    labels = {f"n{i}": int(group) for i, group in enumerate(graph[1])}
    known = node_classification(model, labels, portions=[0.5])
    more = {**labels, "somebody": 3, "anybody": 2}
    with pytest.raises(UnknownNodeError, match="2 unknown names: 'somebody', 'anybody'"):
        node_classification(model, more)
    assert node_classification(model, more, portions=[0.5], unknown="skip") == known
    with pytest.raises(UnknownNodeError, match="Are they labels of another graph"):
        node_classification(model, {"x": 1, "y": 2}, unknown="skip")


def test_a_model_and_its_vectors(model, graph):
    labels = {f"n{i}": int(group) for i, group in enumerate(graph[1])}
    by_name = node_classification(model, labels, portions=0.5, times=3)
    assert by_name.scores[0].micro_f1 > 0.7
    by_position = node_classification(model.vectors_, graph[1], portions=[0.5], times=3)
    assert by_position == by_name
    assert node_classification(
        model.vectors_, {i: int(group) for i, group in enumerate(graph[1])}, portions=[0.5]
    ).scores
    assert random_control(model).shape == model.vectors_.shape
    text = repr(by_name)
    assert "200 nodes, 4 classes, 3 splits" in text
    assert "trained on 0.5: micro-F1 " in text


@pytest.mark.parametrize(
    "vectors", [None, "m.safetensors", 5, DeepWalk, np.zeros(3), [[1, 2], [3]], np.array([["a"]]), {}]
)
def test_what_is_no_model(vectors):
    for task in (lambda: node_classification(vectors, [1, 2]), lambda: random_control(vectors)):
        with pytest.raises(DataError, match="expected a fitted model, or its vectors"):
            task()


def test_a_model_that_is_not_fitted(graph):
    split = split_edges(graph[0], fraction=0.1)
    for task in (
        lambda: node_classification(DeepWalk(), {"n1": 1}),
        lambda: link_prediction(DeepWalk(), split),
        lambda: random_control(DeepWalk()),
    ):
        with pytest.raises(NotFittedError, match="DeepWalk: not fitted yet"):
            task()


def test_link_prediction_of_a_model(model, graph):
    split = split_edges(graph[0], fraction=0.1)
    fitted = Propagation(dim=16).fit(split.train_graph)
    found = link_prediction(fitted, split)
    names = graph[0].names
    scores = fitted.score_edges(names.take(split.heads), names.take(split.tails))
    assert found == link_prediction(scores, split) == link_prediction(scores.tolist(), split.labels.tolist())
    assert found.auc > 0.7
    with pytest.raises(
        DataError, match=r"expected a model of split.train_graph, got 'one of another graph'. Fit split"
    ):
        link_prediction(model, split)  # it has seen what is hidden
    for labels in (split.labels, graph[0], None):
        with pytest.raises(DataError, match="expected a split of split_edges beside a model"):
            link_prediction(fitted, labels)
    with pytest.raises(DataError, match=r"got 'scores \[2\] and labels \[3\]'"):
        link_prediction([1.0, 2.0], [1, 0, 1])
    for scores in (["a", "b"], [None, None], object()):
        with pytest.raises(NodeloomError, match="link prediction: expected"):
            link_prediction(scores, [1, 0])


def test_nearest_of_arrays_says_where_names_are_found(model):
    with pytest.raises(DataError, match=r"Use model.nearest, which answers by name"):
        nearest(model, 0)
    with pytest.raises(DataError, match=r"Names are found by model\.nearest"):
        nearest(model.vectors_, ["n1"])
    with pytest.raises(DataError, match=r"nearest: expected a vector of 16 numbers, or several of them, got one of 64"):
        nearest(model.vectors_, np.zeros(64))
