"""The vector building blocks against NumPy, at every remainder of a vector's length."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from simd_values import DIMS, at, normal

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd import LANES, ROW_ALIGNMENT, coefficients, products, rows


@jit
def _dot_rows(a, b, count, dim, out, ldo):
    products.dot_rows(a, b, count, dim, out, ldo)


@jit
def _accumulate_2(g, row_step, item_step, b, count, dim, out):
    products.accumulate_2(g, row_step, item_step, b, count, dim, out)


@jit
def _accumulate_4(g, row_step, item_step, b, count, dim, out):
    products.accumulate_4(g, row_step, item_step, b, count, dim, out)


@jit
def _accumulate_2_from_two(g, row_step, b, count, h, h_row_step, c, h_count, dim, out):
    products.accumulate_2_from_two(g, row_step, b, count, h, h_row_step, c, h_count, dim, out)


@jit
def _sigmoid(address, count):
    coefficients.sigmoid(address, count)


@jit
def _pair_weights(ids, node, out, count):
    return coefficients.pair_weights(ids, node, out, count)


@jit
def _positive_coefficients(scores, weights, out, count):
    coefficients.positive_coefficients(scores, weights, out, count)


@jit
def _negative_coefficients(scores, ids, node, weight, out, count):
    coefficients.negative_coefficients(scores, ids, node, weight, out, count)


@jit
def _copy_row(target, source, dim):
    rows.copy_row(target, source, dim)


@jit
def _clear_row(target, dim):
    rows.clear_row(target, dim)


@jit
def _squared_length(row, gradient, dim, decay):
    return rows.squared_length(row, gradient, dim, decay)


@jit
def _prefetch(address, dim):
    rows.prefetch(address)
    rows.prefetch_row(address, dim)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("count", [0, 4, 8, 36])
def test_dot_rows(dim, count):
    a, b = normal(4, dim), normal(count + 1, dim, seed=1)[:count]
    ldo = count + 5
    out = np.full((4, ldo), np.nan, np.float32)
    _dot_rows(at(a), at(b), count, dim, at(out), ldo)
    np.testing.assert_allclose(out[:, :count], a.astype(np.float64) @ b.astype(np.float64).T, rtol=1e-5, atol=1e-4)
    assert np.isnan(out[:, count:]).all()


def test_dot_rows_keeps_rows_and_columns_apart():
    a, b, out = np.zeros((4, 16), np.float32), np.zeros((8, 16), np.float32), np.empty((4, 8), np.float32)
    a[:, 0], b[:, 0] = [1, 10, 100, 1000], [1, 2, 3, 5, 7, 11, 13, 17]
    _dot_rows(at(a), at(b), 8, 16, at(out), 8)
    np.testing.assert_array_equal(out, np.outer(a[:, 0], b[:, 0]))


def weighted_sums(g, num_row, row_step, item_step, b, count):
    """Return sum_j g[r, j] b[j] in float64, g being read with strides."""
    weights = np.array([[g[r * row_step + j * item_step] for j in range(count)] for r in range(num_row)], np.float64)
    return weights.reshape(num_row, count) @ b[:count].astype(np.float64)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 33])
@pytest.mark.parametrize("num_row", [2, 4])
def test_accumulate(dim, count, num_row):
    accumulate = {2: _accumulate_2, 4: _accumulate_4}[num_row]
    # Weights read as the rows and as the columns of a matrix.
    for row_step, item_step in [(40, 1), (1, 5)]:
        g, b = normal(250, seed=count), normal(count + 1, dim)
        out = np.full(num_row * dim + 16, np.nan, np.float32)
        accumulate(at(g), row_step, item_step, at(b), count, dim, at(out))
        want = weighted_sums(g, num_row, row_step, item_step, b, count)
        np.testing.assert_allclose(out[:-16].reshape(num_row, dim), want, rtol=1e-5, atol=2e-5)
        assert np.isnan(out[-16:]).all()


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize(("count", "h_count"), [(0, 3), (12, 1), (7, 33), (2, 0)])
def test_accumulate_from_two(dim, count, h_count):
    g, h, b, c = normal(100), normal(100, seed=1), normal(count + 1, dim, seed=2), normal(h_count + 1, dim, seed=3)
    out = np.full(2 * dim + 16, np.nan, np.float32)
    _accumulate_2_from_two(at(g), 13, at(b), count, at(h), 40, at(c), h_count, dim, at(out))
    want = weighted_sums(g, 2, 13, 1, b, count) + weighted_sums(h, 2, 40, 1, c, h_count)
    np.testing.assert_allclose(out[:-16].reshape(2, dim), want, rtol=1e-5, atol=2e-5)
    assert np.isnan(out[-16:]).all()


def sigmoid_of(values):
    padded = np.zeros(-(-len(values) // 16) * 16, np.float32)
    padded[: len(values)] = values
    _sigmoid(at(padded), len(padded))
    return padded[: len(values)]


def exact_sigmoid(values):
    return 1.0 / (1.0 + np.exp(-np.clip(values.astype(np.float64), -80.0, 80.0)))


def test_sigmoid_is_accurate_over_the_whole_range():
    for values in (np.linspace(-90, 90, 200_001), np.linspace(-1, 1, 100_001), np.linspace(-79.9, -79.5, 5001)):
        values = values.astype(np.float32)
        got, want = sigmoid_of(values), exact_sigmoid(values)
        assert np.abs(got / want - 1.0).max() < 3e-7
        # Monotonic, as far as float32 can be.
        assert (np.diff(got) >= -6e-8 * got[1:]).all()


@given(st.lists(st.floats(width=32), min_size=1, max_size=40))
@settings(deadline=None)
def test_sigmoid_of_any_float(values):
    values = np.array(values, np.float32)
    got = sigmoid_of(values)
    with np.errstate(invalid="ignore"):
        want = exact_sigmoid(values)
    np.testing.assert_array_equal(np.isnan(got), np.isnan(values))
    np.testing.assert_allclose(got, want, rtol=3e-7)


def test_sigmoid_of_special_values():
    values = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 80, -80, 1e38, -1e38, 1e-45, 17.0, -104.0], np.float32)
    got = sigmoid_of(values)
    assert got[0] == got[1] == 0.5
    assert got[2] == got[5] == got[7] == 1.0
    assert got[3] == got[6] == got[8] == got[11] > 0.0
    assert np.isnan(got[4])
    assert got[9] == 0.5 and got[10] <= 1.0


@pytest.mark.parametrize("count", [1, 2, LANES - 1, LANES, LANES + 1, 3, 11, 15, 40])
def test_pair_weights(count):
    rng = np.random.default_rng(count)
    ids = rng.integers(-1, 4, count + LANES)
    out = np.full(count + LANES, -7.0, np.float32)
    number = _pair_weights(at(ids), 2, at(out), count)
    is_pair = (ids >= 0) & (ids != 2)
    is_pair[count:] = False
    np.testing.assert_array_equal(out[:count], is_pair[:count])
    # Behind the end: zeros up to a whole vector, then untouched.
    end = -(-count // LANES) * LANES
    assert (out[count:end] == 0.0).all() and (out[end:] == -7.0).all()
    assert number == is_pair.sum()


@pytest.mark.parametrize("count", [1, LANES - 1, LANES, LANES + 1, 11, 33])
def test_coefficients(count):
    scores, weights = np.random.default_rng(count).random((2, count + LANES)).astype(np.float32)
    ids = np.arange(count + LANES) % 3
    end = -(-count // LANES) * LANES
    out = np.full(count + LANES, -7.0, np.float32)
    _positive_coefficients(at(scores), at(weights), at(out), count)
    np.testing.assert_allclose(out[:count], (weights * (scores - 1))[:count], rtol=1e-6)
    assert (out[end:] == -7.0).all()
    out = np.full(count + LANES, -7.0, np.float32)
    _negative_coefficients(at(scores), at(ids), 1, np.float32(0.3), at(out), count)
    np.testing.assert_allclose(out[:count], np.where(ids != 1, np.float32(0.3) * scores, 0)[:count], rtol=1e-6)
    assert (out[end:] == -7.0).all()


@pytest.mark.parametrize("dim", DIMS)
def test_rows(dim):
    source, target = normal(dim + 32), np.full(dim + 32, -7.0, np.float32)
    _copy_row(at(target, 16), at(source, 5), dim)
    np.testing.assert_array_equal(target, np.r_[[np.float32(-7.0)] * 16, source[5 : 5 + dim], [np.float32(-7.0)] * 16])
    _clear_row(at(target, 16), dim)
    np.testing.assert_array_equal(target, np.r_[[-7.0] * 16, np.zeros(dim), [-7.0] * 16])
    gradient = normal(dim, seed=3)
    got = _squared_length(at(source, 1), at(gradient), dim, np.float32(0.5))
    want = ((gradient.astype(np.float64) + 0.5 * source[1 : 1 + dim]) ** 2).sum()
    np.testing.assert_allclose(got, want, rtol=1e-5)
    before = source.copy()
    _prefetch(at(source), dim)  # a hint: it changes nothing
    np.testing.assert_array_equal(source, before)


def test_rows_are_whole_vectors():
    assert ROW_ALIGNMENT % LANES == 0


@pytest.mark.slow
@pytest.mark.parametrize(("features", "lanes"), [({}, 4), ({"neon": True}, 4), ({"avx": True}, 8)])
def test_other_widths_give_the_same(features, lanes, tmp_path):
    # As on a processor with other vectors. A cache of its own: the one of the user must not see these.
    code = f"""
        import sys
        import llvmlite.binding
        features = llvmlite.binding.get_host_cpu_features
        llvmlite.binding.get_host_cpu_features = lambda: {features!r}
        from nodeloom.kernels.cpu.simd import LANES
        llvmlite.binding.get_host_cpu_features = features
        assert LANES == {lanes}
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from backends import CPU
        from skipgram_cases import Case, compare
        for case in [Case(nodes=130, dim=112), Case(nodes=9, num_walk=9, dead=0.3, step=3, optimizer="Adam")]:
            assert compare(case, CPU)[0] > 0
        import block_cases
        for dim in (16, 32, 48, 128):
            assert block_cases.compare(block_cases.Case(nodes=70, dim=dim, scale=0.1), CPU)[0] > 0
    """
    env = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
