"""Neighbor graphs: of vectors of every kind, of what was found before, and what is refused."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import scipy.sparse

from nodeloom.errors import ConfigError, DataError, DeviceError, MemoryLimitError
from nodeloom.graph import neighbors as module
from nodeloom.graph.approximate_neighbors import drop_self
from nodeloom.graph.neighbors import NeighborGraph
from nodeloom.kernels.reference.neighbors import nearest_others


def points(count=200, dim=6, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


def truth(rows, k, metric="euclidean"):
    indices, distances = np.empty((len(rows), k), np.int32), np.empty((len(rows), k))
    nearest_others(np.asarray(rows), metric, indices, distances)
    return indices, distances


@pytest.mark.parametrize("metric", module.METRICS)
def test_neighbors_are_those_of_the_definition(metric):
    found = NeighborGraph.of(points(), 7, metric=metric)
    indices, distances = truth(points(), 7, metric)
    assert found.indices.dtype == np.int32 and found.distances.dtype == np.float32
    assert found.is_exact and found.metric == metric and found.num_neighbors == 7 and len(found) == 200
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", ">f4", "i1", "i8", "u2", "?"])
def test_numbers_of_every_type(dtype):
    rows = (points() * 20).astype(dtype)
    np.testing.assert_array_equal(NeighborGraph.of(rows, 5).indices, truth(rows, 5)[0])


def test_arrays_of_every_layout(tmp_path):
    rows = points()
    expected = NeighborGraph.of(rows, 5).indices
    np.save(tmp_path / "rows.npy", rows)
    wide = np.zeros((200, 12), np.float32)
    wide[:, ::2] = rows
    reading = np.load(tmp_path / "rows.npy", mmap_mode="r")
    for given in (np.asfortranarray(rows), wide[:, ::2], reading, rows.tolist()):
        np.testing.assert_array_equal(NeighborGraph.of(given, 5).indices, expected)
    assert rows.flags.writeable


def test_float64_counts_to_the_last_digit():
    rows = 1 + np.random.default_rng(0).normal(size=(100, 3)) * 1e-12
    np.testing.assert_array_equal(NeighborGraph.of(rows, 5).indices, truth(rows, 5)[0])


@pytest.mark.parametrize("count", [2, 3, 5, 16, 17])
def test_few_points(count):
    rows = points(count)
    found = NeighborGraph.of(rows, count - 1)
    np.testing.assert_array_equal(found.indices, truth(rows, count - 1)[0])


@pytest.mark.parametrize("k", [0, -1, 200, 1.5, True, "3", None])
def test_k_is_below_the_number_of_points(k):
    with pytest.raises(ConfigError, match="k: expected an integer from 1 to 199, one less than there are points, got"):
        NeighborGraph.of(points(), k)


BAD = {
    "1 point": (points(1), "expected 2 points at least, got 1"),
    "no point": (points(0), "expected 2 points at least, got 0"),
    "no column": (np.empty((5, 0)), r"expected an array \[N, D\] with a column at least"),
    "a vector": (np.arange(5.0), r"expected an array \[N, D\]"),
    "text": (np.array([["a", "b"]] * 3), "expected numbers, got 'values of type <U1'"),
    "rows of other lengths": ([[1.0], [1.0, 2.0]], "expected rows of the same length"),
    "sparse": (scipy.sparse.eye_array(5), "Sparse vectors: make them short first"),
    "complex": (points() * 1j, "expected numbers"),
    "beyond float32": (points(5).astype(np.float64) * 1e200, "expected numbers up to"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_matrix_of_numbers_is_refused(name):
    with pytest.raises(DataError, match=BAD[name][1]):
        NeighborGraph.of(BAD[name][0], 2)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_row_that_is_not_finite_is_named(value):
    rows = points()
    rows[123, 2] = value
    with pytest.raises(DataError, match=f"vectors, row 123: expected finite numbers, got {value}"):
        NeighborGraph.of(rows, 3)


def test_zeros_have_no_cosine_which_is_told(caplog):
    rows = points()
    rows[[3, 5]] = 0
    found = NeighborGraph.of(rows, 3, metric="cosine")
    assert "2 of 200 vectors are zeros" in caplog.text
    np.testing.assert_array_equal(found.distances[3], 1)


def test_parameters_are_checked():
    for parameters, words in (
        ({"metric": "manhattan"}, "metric: expected 'euclidean' or"),
        ({"method": "fast"}, "method: expected 'auto' or"),
        ({"device": "gpu"}, "device: expected 'auto', 'cpu'"),
        ({"num_threads": 0}, "num_threads: expected an integer >= 1"),
        ({"memory": "much"}, "memory: expected a number of bytes"),
    ):
        with pytest.raises(ConfigError, match=words):
            NeighborGraph.of(points(), 3, **parameters)


def test_memory_is_a_limit():
    with pytest.raises(MemoryLimitError, match=r"neighbors of 200 vectors of 6 need .* 1 kB may be used"):
        NeighborGraph.of(points(), 3, memory=1000)
    assert NeighborGraph.of(points(), 3, memory="1GB").is_exact


def test_a_gpu_that_is_not_there_is_refused():
    with pytest.raises(DeviceError, match=r"got 'cuda:77'. Install nodeloom\[gpu\] on a machine with a GPU, or search"):
        NeighborGraph.of(points(), 3, device="cuda:77")


def test_beyond_the_limit_a_library_or_exact_with_the_time(monkeypatch, caplog):
    monkeypatch.setattr(module, "EXACT_ROWS", 100)
    assert NeighborGraph.of(points(), 3, method="exact").is_exact
    assert "exact neighbors of 200 points are expected to take" in caplog.text
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "pynndescent" else find(name))
    caplog.clear()
    assert NeighborGraph.of(points(), 3).is_exact
    assert "found sooner by pynndescent: pip install 'nodeloom[maps]'" in caplog.text
    with pytest.raises(ConfigError, match=r"pip install 'nodeloom\[maps\]'. Without it, method='exact' takes about"):
        NeighborGraph.of(points(), 3, method="approximate")
    caplog.clear()
    assert NeighborGraph.of(points(), 3, metric="inner_product").is_exact
    assert "are expected to take" in caplog.text and "pip" not in caplog.text
    with pytest.raises(ConfigError, match="method='exact' takes about"):
        NeighborGraph.of(points(), 3, metric="inner_product", method="approximate")


def test_neighbors_by_pynndescent():
    pytest.importorskip("pynndescent", reason="it is an extra")
    found = NeighborGraph.of(points(), 5, method="approximate")
    assert not found.is_exact
    assert (found.indices == truth(points(), 5)[0]).mean() > 0.9


def test_points_themselves_are_dropped_wherever_they_stand():
    ids = np.array([[0, 1, 2], [2, 0, 3], [1, 2, -1], [0, 1, 2]])
    distances = np.array([[0, 1, 2.0], [1, 2, 3], [0, 0, 9], [3, 2, 1]])
    with pytest.raises(ConfigError, match="found fewer than 2 neighbors of 1 points, row 2"):
        drop_self(ids, distances, 2)
    found, values = drop_self(ids[[0, 1, 3]], distances[[0, 1, 3]], 2)
    assert found[0].tolist() == [1, 2] and found[1].tolist() == [2, 0] and values[1].tolist() == [1, 2]


def test_neighbors_found_before_in_any_form():
    expected = NeighborGraph.of(points(), 6)
    rng = np.random.default_rng(0)
    shuffle = rng.permuted(np.tile(np.arange(6), (200, 1)), axis=1)
    ids, values = (np.take_along_axis(a, shuffle, 1) for a in (expected.indices, expected.distances))
    with_self = np.hstack([np.arange(200)[:, None], ids]), np.hstack([np.zeros((200, 1)), values])
    for given in ((ids, values), (ids.astype(np.int64), values.astype(np.float64)), with_self):
        found = NeighborGraph.from_arrays(*given)
        np.testing.assert_array_equal(found.indices, expected.indices)
        np.testing.assert_array_equal(found.distances, expected.distances)
    squared = NeighborGraph.from_arrays(ids, values.astype(np.float64) ** 2, squared=True)
    np.testing.assert_allclose(squared.distances, expected.distances, rtol=1e-6)
    matrix = scipy.sparse.csr_array((values.ravel(), ids.ravel(), np.arange(0, 1201, 6)), shape=(200, 200))
    np.testing.assert_array_equal(NeighborGraph.from_sparse(matrix).indices, expected.indices)


def test_rows_without_themselves_lose_their_farthest_neighbor():
    found = NeighborGraph.from_arrays([[0, 1, 2], [2, 0, 3], [0, 2, 1], [0, 1, 2]], [[0, 1, 2.0]] * 4)
    assert found.indices.tolist() == [[1, 2], [2, 0], [0, 1], [0, 1]]


@pytest.mark.parametrize(
    ("ids", "values", "words"),
    [
        ([[1, -1], [0, 1]], [[1.0, 2], [1, 2]], "row 0, place 1: expected a point from 0 to 1, got -1. A search that"),
        ([[1], [7]], [[1.0], [1]], "row 1, place 0: expected a point from 0 to 1, got 7"),
        ([[1, 1], [0, 0], [0, 1]], [[1.0, 1]] * 3, "row 0: expected each neighbor once"),
        ([[1], [0]], [[np.nan], [1]], "expected finite distances, not below 0, got nan"),
        ([[1], [0]], [[-2.0], [1]], "expected finite distances, not below 0, got -2.0"),
        ([[1], [0]], [1.0, 2], r"expected indices and distances of one shape \[N, k\]"),
        ([[0], [1]], [[1.0], [2]], "expected a neighbor beside the point itself"),
        ([[1.0], [0.0]], [[1.0], [2]], "expected integers and numbers"),
    ],
)
def test_arrays_that_are_no_neighbors_are_refused(ids, values, words):
    with pytest.raises(DataError, match=words):
        NeighborGraph.from_arrays(ids, values)


def test_sparse_distances_of_unlike_rows(caplog):
    matrix = scipy.sparse.csr_array(np.array([[0, 2.0, 1], [3, 0, 0], [0, 4, 0]]))
    found = NeighborGraph.from_sparse(matrix)
    assert found.indices.tolist() == [[2], [0], [1]] and "rows of the matrix have 1 to 2 distances" in caplog.text
    alone = scipy.sparse.csr_array(np.array([[0, 1.0, 0], [1, 7, 0], [1, 0, 5]]).T)
    with pytest.raises(DataError, match="expected a distance to another point in each row, got 'none in row 2'"):
        NeighborGraph.from_sparse(alone)
    with pytest.raises(DataError, match="expected a sparse matrix"):
        NeighborGraph.from_sparse(np.eye(3))
