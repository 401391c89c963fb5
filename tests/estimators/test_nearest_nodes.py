"""``nearest`` of a model: names, vectors, one or several; and what is neither is one message."""

from __future__ import annotations

import numpy as np
import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom import DeepWalk, Graph, Propagation
from nodeloom.errors import ConfigError, DataError, ParameterError, UnknownNodeError
from nodeloom.estimators.fitted import NotFittedError


@pytest.fixture(scope="module")
def model(graph):
    return DeepWalk(dim=12, num_epoch=30, deterministic=True).fit(graph)


def close(found, expected):
    return [name for name, _ in found] == [name for name, _ in expected]  # of few, whose scores differ


def test_several_names(model):
    expected = [model.nearest(name, 4) for name in ("n5", "n9")]
    for query in (["n5", "n9"], ("n5", "n9"), np.array(["n5", "n9"]), pandas.Series(["n5", "n9"]), iter(["n5", "n9"])):
        assert all(map(close, model.nearest(query, 4), expected))
    assert model.nearest([], 4) == []
    assert all(isinstance(name, str) and type(score) is float for name, score in expected[0])


def test_vectors(model):
    one = model.nearest(model["n5"], 5)
    assert one[0][0] == "n5"
    assert close(one[1:], model.nearest("n5", 4))
    for query in (model.transform(["n5", "n9"]), [model["n5"], model["n9"]], model.transform(["n5", "n9"]).tolist()):
        several = model.nearest(query, 3)
        assert [found[0][0] for found in several] == ["n5", "n9"]
    assert close(model.nearest(model["n5"].astype(np.float64).tolist(), 5), one)
    assert close(model.nearest(model["n5"].astype(np.float16), 1), one[:1])


def test_integers_are_names():
    numbers = DeepWalk(dim=3, num_epoch=2).fit(Graph.from_edges([[0, 1], [1, 2], [2, 3]], names=[7, 5, 3, 1]))
    for query in (5, "5", np.int64(5), b"5"):
        assert close(numbers.nearest(query, 2), numbers.nearest([5], 2)[0])
    assert len(numbers.nearest(np.array([7, 5, 3]), 2)) == 3
    with pytest.raises(UnknownNodeError, match="1 unknown name: '05'"):
        numbers.nearest("05")


@given(st.lists(st.integers(0, 299), max_size=5), st.integers(1, 400))
def test_one_by_one_is_all_at_once(model, nodes, k):
    names = [f"n{i}" for i in nodes]
    for found, name in zip(model.nearest(names, k), names, strict=True):
        alone = model.nearest(name, k)
        assert len(found) == len(alone) == min(k, 299)
        # Products of many rows are rounded otherwise, and what is as near may come in another order.
        assert np.allclose([score for _, score in found], [score for _, score in alone], atol=1e-5)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("N5", "1 unknown name: 'N5'. Did you mean 'n5'"),
        (["n5", "n555"], "1 unknown name: 'n555'. Did you mean 'n55'"),
        (np.zeros(64), "nearest: expected a vector of 12 numbers, or several of them, got one of 64"),
        (np.zeros((2, 5)), r"expected a vector of 12 numbers, or several of them, got an array of shape \[2, 5\]"),
        (np.zeros((2, 2, 12)), "expected a vector of 12 numbers"),
        (np.full(12, np.nan), "expected queries of finite numbers"),
        (None, "expected a name, a vector of 12 numbers, or several of them, got None"),
        (5.0, "expected a name, a vector of 12 numbers"),
        (np.float32(5), "expected a name, a vector of 12 numbers"),
        (object(), "expected a name, a vector of 12 numbers"),
        (True, "expected text or integers, got True"),
        (["n5", 1.0], "expected text or integers, got 1.0"),
        ([None], "expected text or integers, got None"),
        ([["n5"], ["n6", "n7"]], r"expected text or integers, got \['n5'\]"),
        ([[1.0], [1.0, 2.0]], r"expected text or integers, got \[1.0\]"),
    ],
)
def test_what_is_no_query(model, query, message):
    with pytest.raises(DataError, match=message) as raised:
        model.nearest(query)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", None, True])
def test_bad_k(model, k):
    with pytest.raises(ConfigError, match="k: expected an integer >= 1, got"):
        model.nearest("n5", k)


def test_both_tables_of_a_directed_graph():
    graph = Graph.from_edges([[i, (i + k) % 20 + 20] for i in range(20) for k in (0, 1)], directed=True)
    model = DeepWalk(dim=4, num_epoch=20).fit(graph)
    assert model.node_vectors().shape == (40, 8)
    assert model.nearest(model.node_vectors()[25], 1)[0][0] == 25
    assert model.nearest(model[5], 1)[0][0] == 5  # among the vertex vectors


def test_before_fit_everything_says_so():
    model = DeepWalk()
    for ask in (
        lambda: model.nearest("x"), lambda: model["x"], lambda: "x" in model, lambda: len(model), lambda: model.vectors_,
        lambda: model.transform(), lambda: model.score_edges(["x"], ["y"]), lambda: model.save("m"), lambda: model.partial_,
    ):  # fmt: skip
        with pytest.raises(NotFittedError, match=r"DeepWalk: not fitted yet\. Call fit\(graph\) first"):
            ask()
    assert not hasattr(model, "vectors_")
    for word, meant in (("vectors", "vectors_"), ("most_similar", "nearest"), ("vectors__", "vectors_")):
        with pytest.raises(
            AttributeError, match=f"'DeepWalk' object has no attribute {word!r}. Did you mean {meant!r}"
        ):
            getattr(model, word)
    with pytest.raises(ParameterError, match=r"DeepWalk\.nearest: there is no parameter 'topn'\. Did you mean 'k'\?"):
        model.nearest("x", topn=5)


def test_what_a_model_does_not_have_after_fit(graph):
    with pytest.raises(AttributeError, match=r"'Propagation' object has no attribute 'num_epoch_'$"):
        Propagation(dim=4).fit(graph).num_epoch_  # noqa: B018  it has steps


def test_scikit_learns_error_of_the_same_name():
    import copy
    import pickle

    from sklearn.exceptions import NotFittedError as Theirs

    with pytest.raises(Theirs) as raised:
        DeepWalk().nearest("x")
    for again in (pickle.loads(pickle.dumps(raised.value)), copy.copy(raised.value)):
        assert isinstance(again, Theirs) and isinstance(again, NotFittedError)
        assert str(again) == str(raised.value)


def test_a_plan_shows_itself(graph):
    plan = DeepWalk(num_epoch=10).plan(graph)
    assert repr(plan) == str(plan)
    assert repr(plan).startswith("model ")
