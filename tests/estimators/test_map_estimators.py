"""Maps: what goes in, what comes out, new points, earlier maps, labels."""

from __future__ import annotations

import numpy as np
import pytest
from map_cases import blobs, kept, largevis, make
from scipy import sparse
from scipy.spatial import cKDTree, procrustes

import nodeloom
from nodeloom import TSNE, Graph, LargeVis
from nodeloom.datasets import planted_partition
from nodeloom.errors import ConfigError, DataError, ModelError
from nodeloom.graph.neighbors import NeighborGraph


@pytest.fixture(scope="module")
def fitted():
    return make().fit(blobs()[0])


def test_neighbors_stay_neighbors(fitted):
    x, group = blobs()
    y = fitted.coordinates_
    assert y.dtype == np.float32 and y.shape == (240, 2) and np.isfinite(y).all()
    assert kept(x, y) > 0.45 > 0.2 > kept(x, np.random.default_rng(0).normal(size=(240, 2)))
    nearest = cKDTree(y).query(y, 6)[1][:, 1:]
    assert (group[nearest] == group[:, None]).mean() > 0.99
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=1e-3)
    assert abs(np.corrcoef(y.T)[0, 1]) < 1e-3  # turned to its principal axes


def test_threads_runs_and_fits_between_change_nothing(fitted):
    x, _ = blobs()
    model = make(num_thread=1)
    for threads in (1, 8, 2):
        assert model.set_params(num_thread=threads).fit(x).coordinates_.tobytes() == fitted.coordinates_.tobytes()
        model.fit(x[:50] * 3)


def test_seeds_make_another_map_of_the_same_look(fitted):
    other = make(seed=7).fit(blobs()[0]).coordinates_
    assert other.tobytes() != fitted.coordinates_.tobytes()
    assert procrustes(fitted.coordinates_, other)[2] < 0.35


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_too_few_points(count):
    with pytest.raises(DataError, match=rf"TSNE: expected at least 4 points, got {count}"):
        make().fit(np.arange(2.0 * count).reshape(count, 2))


@pytest.mark.parametrize("count", [4, 5, 15, 16, 17])
@pytest.mark.parametrize("width", [1, 2, 40])
def test_few_points(count, width):
    x = np.random.default_rng(count).normal(size=(count, width))
    y = make().fit_transform(x)
    assert np.isfinite(y).all() and len(np.unique(y, axis=0)) == count


def test_duplicates_are_near_each_other_and_apart():
    rows = np.random.default_rng(0).normal(size=(5, 6))
    x = np.repeat(rows, 60, axis=0)
    y = make().fit_transform(x)
    assert np.isfinite(y).all() and len(np.unique(y, axis=0)) >= 5
    nearest = cKDTree(y).query(y, 6)[1]
    assert (nearest // 60 == np.arange(300)[:, None] // 60).mean() > 0.95
    half = blobs()[0]
    half[::2] = half[0]
    assert np.isfinite(make().fit_transform(half)).all()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.ones((30, 3)), "expected rows that differ"),
        (np.zeros((30, 3)), "expected rows that differ"),
        (np.full((30, 3), np.nan), "expected finite numbers, got .*nan in row 0, column 0"),
        (np.where(np.eye(30, 4), np.inf, 1.0), "expected finite numbers, got .*inf in row 0, column 0"),
        (np.full((9, 3), "a"), "expected an array .* of numbers, got .*U1"),
        (np.full((9, 3), None), "expected an array .* of numbers, got .*object"),
        (np.ones((9, 3), complex), "of numbers, got .*complex"),
        (np.arange(9.0), r"got .*shape \[9\].* For one value a row: X.reshape"),
        (np.ones((3, 3, 3)), r"got .*shape \[3, 3, 3\]"),
        (np.ones((9, 0)), "at least one value"),
        ([[1, 2], [3]], "rows of different lengths"),
        ("vectors.npy", "Read it first"),
        (sparse.csr_array((9, 4)), "X.toarray"),
        (sparse.csr_array((9, 9)), "affinities between different points"),
        (sparse.csr_array(np.eye(9)), "affinities between different points"),
        (sparse.csr_array(-np.ones((9, 9))), "not negative"),
    ],
)
def test_what_is_no_data_is_refused(data, message):
    for ask in (make().fit, make().plan):
        with pytest.raises(DataError, match=message):
            ask(data)


def test_numbers_of_every_kind():
    x, _ = blobs(60)
    want = make().fit_transform(x)
    assert np.array_equal(make().fit_transform(x.astype(np.float64)), want)
    assert np.array_equal(make().fit_transform(np.asfortranarray(x)), want)
    assert np.array_equal(make().fit_transform(np.repeat(x, 2, axis=0)[::2]), want)
    assert np.array_equal(make().fit_transform(x.tolist()), want)
    x.flags.writeable = False
    assert np.array_equal(make().fit_transform(x), want)
    for kind in (np.float16, np.int64, np.uint8, bool):
        values = np.clip(np.rint(x * 8 + 60), 0, 255).astype(np.uint8) if kind is not bool else x > 0
        assert np.isfinite(make().fit_transform(values.astype(kind))).all()


def test_numbers_of_every_size():
    x, group = blobs(80)
    for factor in (1e-30, 1e30):
        y = make().fit_transform(x.astype(np.float64) * factor)
        assert (group[cKDTree(y).query(y, 4)[1]] == group[:, None]).mean() > 0.95
    x[3] = 1e30  # one outlier
    assert np.isfinite(make().fit_transform(x)).all()


def test_odd_shapes_of_data():
    rng = np.random.default_rng(0)
    line = np.outer(rng.normal(size=50), np.ones(3))  # of rank 1
    wide = rng.normal(size=(30, 5000))
    plain = np.column_stack([blobs(60)[0], np.ones(60)])  # a constant column
    for x in (line, wide, plain):
        assert np.isfinite(make().fit_transform(x)).all()
    zeros = rng.normal(size=(40, 5))
    zeros[:3] = 0
    assert np.isfinite(make(metric="cosine").fit_transform(zeros)).all()


def test_every_parameter_acts(fitted):
    x, _ = blobs()
    for key, value in {
        "perplexity": 5, "num_neighbor": 30, "exaggeration": 3.0, "early_exaggeration": 4.0, "metric": "cosine",
        "num_iteration": 100, "lr": 20.0, "seed": 1, "dim": 3,
    }.items():  # fmt: skip
        y = make(**{key: value}).fit_transform(x)
        assert np.isfinite(y).all() and not np.array_equal(y, fitted.coordinates_), key


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"perplexity": 300}, "perplexity: expected at most 239, as the points allow, got 300"),
        ({"perplexity": 9, "num_neighbor": 8}, r"perplexity: expected at most num_neighbor \(8\), got 9"),
        ({"num_neighbor": 240}, "num_neighbor: expected at most 239, as the points allow, got 240"),
        ({"perplexity": 0}, "TSNE.perplexity: expected .*got 0"),
        ({"exaggeration": 0}, "TSNE.exaggeration: expected .*got 0"),
        ({"exaggeration": -1}, "TSNE.exaggeration"),
        ({"num_iteration": 0}, "TSNE.num_iteration"),
        ({"dim": 1}, "TSNE.dim"),
        ({"dim": 4}, "TSNE.dim"),
        ({"metric": "euclid"}, "TSNE.metric"),
        ({"lr": float("nan")}, "TSNE.lr"),
        ({"memory_limit": "lots"}, "TSNE.memory_limit"),
        ({"verbose": "very"}, "TSNE.verbose"),
    ],
)
def test_parameters_that_cannot_be(parameters, message):
    for ask in (make(**parameters).fit, make(**parameters).plan):
        with pytest.raises(ConfigError, match=message):
            ask(blobs()[0])


def test_memory_is_planned_and_limited():
    from nodeloom.errors import MemoryLimitError

    x, _ = blobs()
    plan = make().plan(x)
    assert plan.num_bytes >= x.nbytes and plan.seconds > 0 and "250 with exaggeration 1" in str(plan)
    for ask in (make(memory_limit=1000).plan, make(memory_limit=1000).fit):
        with pytest.raises(MemoryLimitError, match="plan: expected at most 1"):
            ask(x)


def test_neighbors_affinities_graphs_and_models():
    x, group = blobs()
    near = NeighborGraph.of(x, 15)
    ways = [near]
    rows = np.repeat(np.arange(240), 15)
    ways.append(sparse.csr_matrix((np.ones(3600), (rows, near.indices.ravel())), shape=(240, 240)))
    edges, _ = planted_partition(240, 1500, 4, seed=0)
    graph = Graph.from_edges(edges)
    for data in ways:
        y = make().fit_transform(data)
        assert (group[cKDTree(y).query(y, 6)[1]] == group[:, None]).mean() > 0.95
    model = make().fit(graph)
    assert model.names_ == graph.names
    inner = np.linalg.norm(np.diff(model.coordinates_[edges], axis=1), axis=2).mean()
    assert (
        inner
        < 0.7
        * np.linalg.norm(
            np.diff(model.coordinates_[np.random.default_rng(0).permuted(edges, axis=0)], axis=1), axis=2
        ).mean()
    )
    vectors = nodeloom.Propagation(dim=8, device="cpu", verbose=False).fit(graph)
    of_model = make().fit(vectors)
    assert of_model.names_ == graph.names and make().plan(vectors).metric == "cosine"
    with pytest.raises(nodeloom.estimators.fitted.NotFittedError):
        make().fit(nodeloom.Propagation())


def test_new_points_find_their_place(fitted):
    x, group = blobs()
    before, given = fitted.coordinates_.copy(), x.copy()
    np.testing.assert_array_equal(fitted.transform(x), before)
    new = x + np.random.default_rng(1).normal(scale=0.05, size=x.shape).astype(np.float32)
    y = fitted.transform(new)
    assert (group[cKDTree(before).query(y)[1]] == group).all()
    assert np.median(np.linalg.norm(y - before, axis=1)) < 0.1 * before.std()
    np.testing.assert_allclose(fitted.transform(new[:7]), y[:7], atol=1e-3)  # whoever else comes
    assert fitted.transform(new[:0]).shape == (0, 2) and fitted.transform().shape == (240, 2)
    assert (fitted.coordinates_ == before).all() and (x == given).all()
    with pytest.raises(DataError, match=r"TSNE.transform: expected rows of 8 values, got 3"):
        fitted.transform(x[:, :3])
    with pytest.raises(DataError, match="finite"):
        fitted.transform(np.full((2, 8), np.nan))
    with pytest.raises(ModelError, match=r"expected a map of vectors, got .*init= this map"):
        make(num_iteration=10).fit(NeighborGraph.of(x, 15)).transform(new)


def test_maps_that_start_with_an_earlier_one(fitted):
    x, _ = blobs()
    moved = x + np.random.default_rng(1).normal(scale=0.2, size=x.shape).astype(np.float32)
    alone, after = make().fit_transform(moved), make().fit_transform(moved, init=fitted)
    held = make().fit_transform(moved, init=fitted, hold=1.0)
    far = [np.linalg.norm(y - fitted.coordinates_, axis=1).mean() for y in (alone, after, held)]
    assert far[2] < far[1] < far[0]
    grown = np.concatenate([x, moved[:20]])
    y = make().fit_transform(grown, init=fitted.coordinates_)
    assert np.linalg.norm(y[240:] - y[:20], axis=1).mean() < 0.3 * y.std()
    edges, _ = planted_partition(120, 700, 3, seed=0)
    names = [f"n{i}" for i in range(120)]
    first = make().fit(Graph.from_edges(edges, names=names))
    turned = np.random.default_rng(0).permutation(120)
    other = Graph.from_edges(np.argsort(turned)[edges], names=[names[i] for i in turned])
    second = make(lr=1e-7).fit(other, init=first)
    np.testing.assert_allclose(second.coordinates_, first.coordinates_[turned], atol=1e-2)
    with pytest.raises(ConfigError, match="hold: expected 0 without init"):
        make().fit(x, hold=1.0)
    with pytest.raises(DataError, match=r"init: expected a map, or coordinates \[240, 2\]"):
        make().fit(x, init=np.zeros((240, 3)))
    with pytest.raises(DataError, match="finite"):
        make().fit(x, init=np.full((240, 2), np.inf))


def test_labels_draw_their_points_together():
    x, group = blobs(width=6.0)
    partly = [None if i % 5 == 0 else "abcd"[g] for i, g in enumerate(group)]
    apart = []
    for y, weight in ((None, 0.5), (partly, 0.5), (partly, 1.0)):
        places = make(label_weight=weight).fit_transform(x, y)
        apart.append((group[cKDTree(places).query(places, 6)[1][:, 1:]] == group[:, None]).mean())
    assert apart[0] < apart[1] < apart[2]
    want = make().fit_transform(x)
    for nothing in ([None] * 240, np.full(240, -1), [float("nan")] * 240, [""] * 240):
        assert np.array_equal(make().fit_transform(x, nothing), want)
    with pytest.raises(DataError, match="y: expected 240 labels, one a point, got 3"):
        make().fit(x, [1, 2, 3])
    with pytest.raises(DataError, match=r"y\[0\]: expected a text or a number"):
        make().fit(x, [["a", "b"]] * 240)


def test_files(fitted, tmp_path):
    x, _ = blobs()
    path = fitted.save(tmp_path / "map")
    again = nodeloom.load(path)
    assert isinstance(again, TSNE) and again.names_ is None and again.n_features_in_ == 8
    np.testing.assert_array_equal(again.coordinates_, fitted.coordinates_)
    np.testing.assert_array_equal(again.transform(x[:9] + 0.1), fitted.transform(x[:9] + 0.1))
    small = nodeloom.load(fitted.save(tmp_path / "small", vectors=False))
    assert (tmp_path / "small.safetensors").stat().st_size < path.stat().st_size
    with pytest.raises(ModelError, match="expected a map of vectors"):
        small.transform(x)


def test_pipelines_take_it():
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x, group = blobs()
    pipeline = make_pipeline(StandardScaler(), make(num_iteration=60)).fit(x, group)
    assert pipeline.transform(x[:4]).shape == (4, 2)


def test_extremes_stay_finite():
    x, _ = blobs(60)
    for settings in ({"exaggeration": 0.1}, {"perplexity": 1}, {"exaggeration": 100}, {"num_iteration": 3000}):
        assert np.isfinite(make(**settings).fit_transform(x)).all()


@pytest.mark.parametrize("dim", [2, 3])
def test_largevis_keeps_groups_and_its_bytes(dim):
    many = blobs(1500)[0]
    maps = [largevis(dim=dim, num_thread=threads, num_epoch=2).fit_transform(many) for threads in (1, 2, 8)]
    assert len({y.tobytes() for y in maps}) == 1
    x, group = blobs()
    y = largevis(dim=dim).fit_transform(x)
    assert y.shape == (240, dim) and np.isfinite(y).all()
    assert (group[cKDTree(y).query(y, 6)[1]] == group[:, None]).mean() > 0.99
    assert kept(x, y) > 0.35


def test_every_parameter_of_largevis_acts():
    x, _ = blobs()
    want = largevis().fit_transform(x)
    for key, value in {
        "perplexity": 5, "num_neighbor": 30, "num_epoch": 10, "num_negative": 2, "negative_weight": 7.0, "sharpness": 0.2,
        "metric": "cosine", "lr": 0.3, "schedule": "constant", "seed": 1,
    }.items():  # fmt: skip
        y = largevis(**{key: value}).fit_transform(x)
        assert np.isfinite(y).all() and not np.array_equal(y, want), key
    with pytest.raises(ConfigError, match=r"LargeVis\.num_epoch: expected"):
        largevis(num_epoch=0).fit(x)
    with pytest.raises(ConfigError, match=r"hold: expected 0 for LargeVis.*TSNE holds points"):
        largevis().fit(x, init=want, hold=1.0)


def test_largevis_takes_new_points_and_graphs(tmp_path):
    x, group = blobs()
    model = largevis().fit(x)
    y = model.transform(x + np.float32(0.05))
    assert (group[cKDTree(model.coordinates_).query(y)[1]] == group).all()
    again = nodeloom.load(model.save(tmp_path / "map"))
    assert isinstance(again, LargeVis) and np.array_equal(again.coordinates_, model.coordinates_)
    assert "50, 5 negatives of weight 3" in str(largevis().plan(x))
    edges, _ = planted_partition(120, 700, 3, seed=0)
    assert np.isfinite(largevis().fit_transform(Graph.from_edges(edges))).all()
