"""Compressed sparse rows: the CPU kernels against their definition, element by element."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.kernels.cpu import csr as cpu
from nodeloom.kernels.reference import csr as reference


def random_edges(seed, num_nodes, num_edges, weighted, dtype=np.int32):
    rng = np.random.default_rng(seed)
    # A power law: hubs and nodes without edges in the same graph.
    ends = (num_nodes * rng.random((2, num_edges)) ** 3).astype(dtype)
    # Multiples of 1/8 sum exactly in float32.
    weights = (rng.integers(1, 64, num_edges) / 8).astype(np.float32) if weighted else None
    return ends[0].copy(), ends[1].copy(), weights


def check(heads, tails, weights, num_nodes, num_thread=1, **options):
    got = cpu.build_csr(heads, tails, weights, num_nodes, num_thread=num_thread, **options)
    want = reference.build_csr(heads, tails, weights, num_nodes, **options)
    for g, w in zip(got, want, strict=True):
        assert (g is None) == (w is None)
        if g is not None:
            np.testing.assert_array_equal(g, w)
    assert got[0].dtype == np.int64
    assert got[1].dtype == heads.dtype
    assert got[2] is None or got[2].dtype == np.float32
    return got


@pytest.mark.parametrize("merge", ["keep", "first", "sum", "max"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("keep_loops", [False, True])
def test_build_equals_reference(merge, weighted, symmetric, keep_loops):
    heads, tails, weights = random_edges(1, 700, 6000, weighted)
    check(heads, tails, weights, 700, 2, symmetric=symmetric, keep_loops=keep_loops, merge=merge)


@pytest.mark.parametrize("num_nodes", [1, 2, 255, 256, 257, 513, 70_000])
def test_build_at_the_edges_of_buckets(num_nodes):
    heads, tails, weights = random_edges(2, num_nodes, 3000, True)
    heads[:2] = num_nodes - 1
    check(heads, tails, weights, num_nodes, 3, symmetric=True, keep_loops=True, merge="sum")


def test_build_with_the_largest_buckets():
    # 2^16 rows to a bucket: a row number fills its uint16.
    num_nodes = (1 << 24) + 5
    rng = np.random.default_rng(3)
    heads, tails = rng.integers(0, num_nodes, (2, 5000)).astype(np.int32)
    heads[0], tails[0] = num_nodes - 1, 65_535
    assert cpu.bucket_shift(num_nodes) == 16
    check(heads, tails, None, num_nodes, 2, symmetric=True, keep_loops=True, merge="first")


def test_build_with_int64_ids():
    heads, tails, weights = random_edges(4, 300, 2000, True, np.int64)
    check(heads, tails, weights, 300, 2, symmetric=True, keep_loops=False, merge="sum")


def test_star_sorts_one_long_row():
    tails = np.random.default_rng(5).permutation(np.arange(1, 5001)).astype(np.int32)
    heads = np.zeros(5000, np.int32)
    weights = tails.astype(np.float32)
    indptr, indices, values = check(heads, tails, weights, 5001, 2, symmetric=True, keep_loops=True, merge="sum")
    np.testing.assert_array_equal(values[: indptr[1]], indices[: indptr[1]])


def test_no_edges():
    none = np.empty(0, np.int32)
    indptr, indices, weights = check(none, none, None, 4, 2, symmetric=True, keep_loops=True, merge="sum")
    assert indptr.tolist() == [0] * 5
    assert len(indices) == 0
    assert weights is None


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize(
    "columns",
    [
        lambda edges: (edges[:, 0], edges[:, 1]),
        lambda edges: (edges[:, 1], edges[:, 0]),
        lambda edges: (edges[::-1, 0], edges[::-1, 1]),
        lambda edges: (edges[::3, 0], edges[::3, 1]),
        lambda edges: (edges[:, 0].copy(), edges[:, 1]),
        lambda edges: tuple(edges.T.copy()),
        lambda edges: (edges[:1, 0], edges[:1, 1]),
    ],
    ids=["columns", "swapped", "backwards", "every third", "one apart", "rows", "one edge"],
)
def test_columns_of_one_array(dtype, columns):
    heads, tails, _ = random_edges(9, 300, 5000, False, dtype)
    edges = np.column_stack([heads, tails])
    heads, tails = columns(edges)
    weights = (np.arange(len(heads)) % 13).astype(np.float32)
    check(heads, tails, weights, 300, 3, symmetric=True, keep_loops=True, merge="sum")


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_build_property(data):
    num_nodes = data.draw(st.integers(1, 40))
    pairs = data.draw(st.lists(st.tuples(*[st.integers(0, num_nodes - 1)] * 2), max_size=120))
    edges = np.array(pairs, np.int32).reshape(-1, 2)
    weights = None
    if data.draw(st.booleans()):
        eighths = data.draw(st.lists(st.integers(1, 100), min_size=len(pairs), max_size=len(pairs)))
        weights = np.array(eighths, np.float32) / 8
    options = {
        "symmetric": data.draw(st.booleans()),
        "keep_loops": data.draw(st.booleans()),
        "merge": data.draw(st.sampled_from(sorted(cpu.MERGE))),
    }
    check(edges[:, 0].copy(), edges[:, 1].copy(), weights, num_nodes, data.draw(st.integers(1, 4)), **options)


@pytest.mark.parametrize("merge", ["keep", "first", "sum"])
def test_result_does_not_depend_on_threads(merge):
    heads, tails, _ = random_edges(6, 500, 20_000, False)
    # Sums of these depend on their order, so equality shows that the order is kept.
    weights = np.random.default_rng(7).random(20_000).astype(np.float32) + 1e-3
    results = [
        cpu.build_csr(heads, tails, weights, 500, symmetric=True, keep_loops=True, merge=merge, num_thread=n)
        for n in (1, 2, 5)
    ]
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_consuming_frees_the_edges_before_the_end():
    heads, tails, _ = random_edges(8, 300, 1000, False)
    watch = weakref.ref(heads)
    edges = [heads, tails, None]
    del heads, tails
    cpu.build_csr_consuming(edges, 300, symmetric=True, keep_loops=True, merge="first")
    gc.collect()
    assert edges == []
    assert watch() is None
