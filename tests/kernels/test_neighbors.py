"""Neighbors are those of the definition: by filters on the CPU, by blocks of products on a GPU."""

from __future__ import annotations

import gpu_calls
import numpy as np
import pytest

from nodeloom.graph.exact_neighbors import exact_neighbors
from nodeloom.kernels.reference.neighbors import nearest_others

METRICS = ["euclidean", "cosine", "inner_product"]
_TOO_LARGE = ("huge", "one far away")  # products beyond float32


def clusters(rng, count, dim, spread, distance):
    return (rng.normal(size=(10, dim)) * distance)[rng.integers(0, 10, count)] + rng.normal(size=(count, dim)) * spread


ROWS = {
    "one column": lambda rng: rng.normal(size=(300, 1)),
    "few columns": lambda rng: rng.normal(size=(1500, 5)),
    "many columns, few of them wide": lambda rng: rng.normal(size=(1500, 200)) * np.exp(-np.arange(200) / 15),
    "many columns, all wide": lambda rng: rng.normal(size=(700, 120)),
    "more columns than rows": lambda rng: rng.normal(size=(60, 2500)),
    "rank 1": lambda rng: rng.normal(size=(700, 1)) * rng.normal(size=(1, 100)),
    "tight clusters far apart": lambda rng: clusters(rng, 1500, 80, 1e-4, 1e3),
    "all the same": lambda rng: np.full((120, 60), 3.0),
    "copies of few": lambda rng: rng.normal(size=(5, 70))[rng.integers(0, 5, 700)],
    "half the same": lambda rng: np.where(np.arange(600)[:, None] % 2, rng.normal(size=(600, 9)), 1.0),
    "counts": lambda rng: rng.integers(0, 3, (800, 6)),
    "one far away": lambda rng: np.where(np.arange(600)[:, None] == 99, 1e30, rng.normal(size=(600, 60))),
    "tiny": lambda rng: rng.normal(size=(600, 60)) * 1e-30,
    "huge": lambda rng: rng.normal(size=(600, 60)) * 1e30,
    "rows of zeros": lambda rng: rng.normal(size=(600, 60)) * (np.arange(600)[:, None] % 50 != 0),
    "constant columns": lambda rng: np.where(np.arange(60) % 2, rng.normal(size=(600, 60)), 7.0),
}


def same(rows, metric, k, indices, distances):
    expected, truth = np.empty((len(rows), k), np.int32), np.empty((len(rows), k))
    nearest_others(rows, metric, expected, truth)
    np.testing.assert_allclose(distances, truth, rtol=1e-6, atol=np.abs(truth).max() * 1e-12 + 1e-12)
    # Where two distances differ by rounding alone, either may come first.
    if (indices != expected).any():
        scale = 1e-15 if metric == "cosine" else np.abs(truth).max() * 1e-10
        rank = {(i, j): d for i in range(len(rows)) for j, d in zip(expected[i], truth[i], strict=True)}
        for i, c in np.argwhere(indices != expected):
            assert abs(rank.get((i, indices[i, c]), truth[i, -1]) - truth[i, c]) <= scale + 1e-9 * abs(truth[i, c])


@pytest.mark.parametrize(
    ("name", "metric"), [(n, m) for n in ROWS for m in METRICS if m != "inner_product" or n not in _TOO_LARGE]
)
def test_exact_neighbors_on_the_cpu(name, metric):
    rows = np.ascontiguousarray(ROWS[name](np.random.default_rng(0)), np.float32)
    k = 15
    same(rows, metric, k, *exact_neighbors(rows, k, metric, 2, None))


_EVERYWHERE = ("few columns", "many columns, all wide", "copies of few", "rows of zeros")


@pytest.mark.parametrize(
    ("name", "metric"), [(n, m) for n in ROWS for m in METRICS if m == "euclidean" or n in _EVERYWHERE]
)
def test_exact_neighbors_by_products_of_torch(name, metric, monkeypatch):
    pytest.importorskip("torch", reason="the kernels of GPUs are written in torch")
    from nodeloom.kernels.gpu import neighbors

    # Small groups, so that there are more of them than neighbors are wanted; the last one is not full.
    monkeypatch.setattr(neighbors, "_GROUP", 4)
    rows = np.ascontiguousarray(ROWS[name](np.random.default_rng(0))[:91, :200], np.float32)
    indices, distances = np.empty((len(rows), 3), np.int32), np.empty((len(rows), 3), np.float32)
    neighbors.nearest_others(rows, metric, indices, distances, device=gpu_calls.device(), rows_at_once=50)
    same(rows, metric, 3, indices, distances)


def test_the_result_does_not_depend_on_threads():
    rows = (np.random.default_rng(1).normal(size=(5000, 90)) * np.exp(-np.arange(90) / 20)).astype(np.float32)
    found = [[a.tobytes() for a in exact_neighbors(rows, 10, "euclidean", threads, None)] for threads in (1, 2, 8)]
    assert found[0] == found[1] == found[2]
