"""What every estimator promises, asked of each: an estimator joins by a line in CASES."""

from __future__ import annotations

import copy
import errno
import inspect
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest

import nodeloom
from nodeloom.datasets import planted_partition
from nodeloom.errors import ConfigError, DataError, GraphError, NodeloomError, OutputError, ParameterError
from nodeloom.estimators.fitted import NotFittedError


@dataclass(frozen=True)
class Case:
    """An estimator and what to ask it with.

    Attributes
    ----------
    make : callable
        Returns an estimator that repeats itself with the same seed and is quick; takes changes of parameters.
    data : callable
        Returns what ``fit`` takes; the names of its rows begin with ``n0``, ``n1``.
    wrong : tuple
        What ``fit`` refuses: values of other kinds, with the error.
    tables : tuple of str
        The fitted attributes that have a row for each name, float32 [N, dim].
    names : str
        The fitted attribute with their names.
    bad : dict
        A parameter with a value that it must not have.
    other_dim : int
        A width that is not that of `make`.
    still : dict or None
        Parameters with which a training from ``init=`` a model hardly moves; None if ``fit`` refuses the word.
    answers : bool
        Whether vectors, neighbors and membership are asked by name.
    """

    make: Callable[..., Any]
    data: Callable[[], Any]
    wrong: tuple[tuple[Any, type[Exception]], ...]
    tables: tuple[str, ...]
    names: str = "graph_names_"
    bad: tuple[str, Any] = ("seed", -1)
    other_dim: int = 4
    still: dict[str, Any] | None = None
    answers: bool = True


@cache
def graph():
    edges = planted_partition(60, 300, 3, seed=1)[0]
    return nodeloom.Graph.from_edges(edges, names=[f"n{i}" for i in range(60)])


def node_model(kind, *, still=None, **parameters):
    wrong = tuple(
        (value, GraphError) for value in ([[0, 1]], np.eye(3), None, "edges.txt", nodeloom.Graph.from_edges([[0, 0]]))
    )
    make = lambda **changes: kind(**{"dim": 8, "num_thread": 1, "device": "cpu"} | parameters | changes)  # noqa: E731
    return Case(make, graph, wrong, ("vectors_", "context_vectors_"), still=still)


@cache
def triples():
    """Return triples of three relations between entities ``n0 ... n59``."""
    edges = planted_partition(60, 300, 3, seed=1)[0]
    rows = [(f"n{head}", f"r{(head + tail) % 3}", f"n{tail}") for head, tail in edges]
    return nodeloom.KnowledgeGraph.from_triples(rows)


def triple_model(kind, **parameters):
    wrong = tuple((value, DataError) for value in ([[0, 1]], np.eye(3), None, "triples.tsv", graph()))
    make = lambda **changes: kind(**{"dim": 8, "num_epoch": 4, "num_thread": 1, "device": "cpu"} | parameters | changes)  # noqa: E731
    return Case(make, triples, wrong, ("entity_vectors_",), names="entity_names_", still=STILL)


def map_model(kind, **parameters):
    wrong = ([[0, 1]], np.full((9, 2), np.nan), None, "vectors.npy", ["a", "b"])
    make = lambda **changes: kind(**{"num_thread": 1, "device": "cpu"} | parameters | changes)  # noqa: E731
    refused = tuple((value, DataError) for value in wrong)
    return Case(make, graph, refused, ("coordinates_",), names="names_", answers=False, other_dim=3, still=STILL)


STILL = {"lr": 1e-7}
CASES = {
    "DeepWalk": node_model(nodeloom.DeepWalk, num_epoch=20, still=STILL),
    "LINE": node_model(nodeloom.LINE, num_epoch=20, order="both", optimizer="Adam", lr=0.01, still=STILL),
    "Node2Vec": node_model(nodeloom.Node2Vec, num_epoch=20, p=0.5, q=2.0, still=STILL),
    "Propagation": node_model(nodeloom.Propagation, num_iteration=3),
    "ProNE": node_model(nodeloom.ProNE),
    "ComplEx": triple_model(nodeloom.ComplEx),
    "DistMult": triple_model(nodeloom.DistMult, optimizer="Adam"),
    "SimplE": triple_model(nodeloom.SimplE, num_shared_negative=8),
    "QuatE": triple_model(nodeloom.QuatE),
    "TransE": triple_model(nodeloom.TransE, distance="L2"),
    "RotatE": triple_model(nodeloom.RotatE),
    "TSNE": map_model(nodeloom.TSNE, num_iteration=60),
    "LargeVis": map_model(nodeloom.LargeVis, num_epoch=5),
}


def tables(case, model):
    return [getattr(model, name) for name in case.tables]


def same(case, one, other):
    return all(np.array_equal(a, b) for a, b in zip(tables(case, one), tables(case, other), strict=True))


@cache
def fitted_once(name):
    return CASES[name].make().fit(CASES[name].data())


@pytest.fixture(params=CASES)
def name(request):
    return request.param


@pytest.fixture
def case(name):
    return CASES[name]


@pytest.fixture
def fitted(name):
    """Return a fitted model; tests do not change it."""
    return fitted_once(name)


def test_every_estimator_is_here():
    found = {
        key for key in nodeloom.__all__ if inspect.isclass(kind := getattr(nodeloom, key)) and hasattr(kind, "fit")
    }
    assert found == set(CASES)


# ---------------------------------------------------------------------------------------------- parameters


def test_parameters_are_kept_as_given(case):
    model = case.make()
    parameters = model.get_params()
    assert parameters == model.get_params(deep=False)
    for key in parameters:
        marker = object()
        assert getattr(model.set_params(**{key: marker}), key) is marker
        assert model.get_params()[key] is marker
    with pytest.raises(ParameterError, match=rf"{type(model).__name__}: .*'sead'\. Did you mean 'seed'\?"):
        model.set_params(sead=1)
    with pytest.raises(ParameterError, match=r"'sead'\. Did you mean 'seed'\?"):
        case.make(sead=1)


def test_copies(case, fitted):
    from sklearn.base import clone

    for twin in (copy.copy(fitted), copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        assert repr(twin) == repr(fitted)
        assert same(case, twin, fitted)
    twin = clone(fitted)
    assert type(twin) is type(fitted) and twin.get_params() == fitted.get_params()
    assert not hasattr(twin, case.tables[0])
    assert eval(repr(fitted), vars(nodeloom)).get_params() == fitted.get_params()


def test_a_bad_value_names_its_parameter_and_leaves_the_vectors(case, fitted):
    key, value = case.bad
    twin = copy.copy(fitted).set_params(**{key: value})
    with pytest.raises(ConfigError, match=rf"^{type(fitted).__name__}\.{key}: expected .*, got {value}"):
        twin.fit(case.data())
    assert same(case, twin, fitted)


# -------------------------------------------------------------------------------------------------- training


def test_a_row_for_each_name(case, fitted):
    names = getattr(fitted, case.names)
    for table in tables(case, fitted):
        assert table.shape == (len(names), tables(case, fitted)[0].shape[1])
        assert table.dtype == np.float32 and np.isfinite(table).all()
    assert fitted.partial_ is False and fitted.report_["seconds"] >= 0


def test_the_seed_decides(case, fitted):
    again = case.make()
    assert again.fit(case.data()) is again
    assert same(case, again, fitted)
    assert not same(case, case.make(seed=fitted.seed + 1).fit(case.data()), fitted)
    assert np.array_equal(case.make().fit_transform(case.data()), tables(case, fitted)[0])


def test_wrong_input_is_refused(case, fitted):
    twin = copy.copy(fitted)
    for value, error in case.wrong:
        with pytest.raises(error, match=r"expected .*got"):
            twin.fit(value)
        with pytest.raises(error, match=r"expected .*got"):
            twin.plan(value)
    assert same(case, twin, fitted)


def test_fit_again_forgets(case, fitted):
    twin = copy.copy(fitted).set_params(dim=case.other_dim).fit(case.data())
    assert tables(case, twin)[0].shape[1] == case.other_dim
    assert tables(case, fitted)[0].shape[1] == fitted.dim


def test_a_plan_shows_itself_and_changes_nothing(case, fitted):
    model = case.make()
    plan = model.plan(case.data())
    assert plan.to_dict() and "memory" in dict(plan.rows()) and str(plan)
    assert not hasattr(model, case.tables[0])
    assert same(case, model.fit(case.data()), fitted)


def test_start_from_another_model(case, fitted):
    model = case.make()
    if case.still is None:
        with pytest.raises((ParameterError, TypeError), match="init"):
            model.fit(case.data(), init=fitted)
        return
    warm = model.set_params(**case.still).fit(case.data(), init=fitted)
    for one, other in zip(tables(case, warm), tables(case, fitted), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-3)
    for wrong in (np.zeros((3, 8)), {}, case.make()):
        with pytest.raises(NodeloomError):
            case.make().fit(case.data(), init=wrong)


# --------------------------------------------------------------------------------------------------- answers


def test_before_fit_it_says_so(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = case.make()
    for ask in (lambda: getattr(model, case.tables[0]), lambda: model.save("m.safetensors"), model.transform):
        with pytest.raises(NotFittedError, match=rf"{type(model).__name__}: not fitted yet\. Call fit\("):
            ask()
    assert not list(tmp_path.iterdir())


def test_answers_by_name(case, fitted):
    if not case.answers:
        pytest.skip("it answers no questions by name")
    vectors, names = tables(case, fitted)[0], getattr(fitted, case.names)
    assert len(fitted) == len(names) and "n7" in fitted and "n7000" not in fitted
    assert np.array_equal(fitted["n7"], vectors[names.find(["n7"])[0]])
    for ask in (lambda: fitted["n7000"], lambda: fitted.nearest("n7000"), lambda: fitted.transform(["n7000"])):
        with pytest.raises(DataError, match=r"1 unknown name: 'n7000'"):
            ask()
    found = fitted.nearest("n7", 5)
    cosines = vectors @ fitted["n7"] / np.linalg.norm(vectors, axis=1) / np.linalg.norm(fitted["n7"])
    expected = [names[i] for i in np.argsort(-cosines, kind="stable") if names[i] != "n7"][:5]
    assert {name for name, _ in found} == set(expected)
    assert [score for _, score in found] == sorted((score for _, score in found), reverse=True)
    with pytest.raises(ConfigError, match="k: expected an integer >= 1, got 0"):
        fitted.nearest("n7", 0)


# ----------------------------------------------------------------------------------------------------- files


def test_a_file_gives_it_back(case, fitted, tmp_path):
    path = fitted.save(tmp_path / "m")
    assert path == tmp_path / "m.safetensors"
    for mmap in (True, False):
        again = nodeloom.load(path, mmap=mmap)
        assert type(again) is type(fitted)
        assert same(case, again, fitted)
        assert getattr(again, case.names) == getattr(fitted, case.names)
        assert (again.report_, again.partial_) == (fitted.report_, False)
        changed = {key for key, value in fitted.get_params().items() if again.get_params()[key] != value}
        assert changed <= {"optimizer", "verbose"}  # written out; not of the model
    assert same(case, nodeloom.load(again.save(tmp_path / "again")), fitted)
    assert same(case, again.fit(case.data()), fitted)  # the parameters are the same, so is what comes of them


def test_a_full_disk_leaves_the_file_before(case, fitted, tmp_path, monkeypatch):
    path = fitted.save(tmp_path / "m")
    before = path.read_bytes()
    import safetensors.numpy

    def full(tensors, filename, metadata):
        filename.write_bytes(before[: len(before) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(safetensors.numpy, "save_file", full)
        with pytest.raises(OutputError, match=r"m\.safetensors: .*No space left"):
            fitted.save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before
    for wrong in (tmp_path, tmp_path / "m.txt", tmp_path / "none" / "m"):
        with pytest.raises(OutputError):
            fitted.save(wrong)
