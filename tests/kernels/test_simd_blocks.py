"""The vector building blocks of walks in a block of the grid against NumPy: bits of places, coefficients and whole gradients."""

from __future__ import annotations

import numpy as np
import pytest
from simd_values import DIMS, at, normal

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.simd import LANES, coefficients, places, products


@jit
def _mark_range(ids, count, first, number, words):
    return places.mark_range(ids, count, first, number, words)


@jit
def _count_bits(word):
    return places.count_bits(word)


@jit
def _lowest_bit(word):
    return places.lowest_bit(word)


@jit
def _count_equal(ids, count, node):
    return places.count_equal(ids, count, node)


@jit
def _pair_coefficients(scores, ids, node, out, tally, count):
    return coefficients.pair_coefficients(scores, ids, node, out, tally, count)


@jit
def _gradient_of(g, item_step, b, count, dim, row, decay, out):
    return products.gradient_of(g, item_step, b, count, dim, row, decay, out)


@jit
def _gradient_from_two(g, b, count, h, c, h_count, dim, row, decay, out):
    return products.gradient_from_two(g, b, count, h, c, h_count, dim, row, decay, out)


@jit
def _descend(g, item_step, b, count, row, decay, rate, longest, largest):
    products.descend(g, item_step, b, count, row, decay, rate, longest, largest)


@jit
def _descend_from_two(g, b, count, h, c, h_count, row, decay, rate, longest, largest):
    products.descend_from_two(g, b, count, h, c, h_count, row, decay, rate, longest, largest)


@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 63, 64, 65, 128, 200])
@pytest.mark.parametrize(("first", "number"), [(0, 10), (3, 4), (7, 0), ((1 << 40) - 2, 5), (0, 1 << 62)])
def test_mark_range(count, first, number):
    num_word = -(-count // 64)
    ids = np.full(num_word * 64 + 1, -1, np.int64)
    ids[:count] = np.random.default_rng(count).integers(-1, 12, count) + (first >> 20 << 20)
    words = np.full(num_word + 1, 7, np.uint64)
    inside = (ids[: num_word * 64] >= first) & (ids[: num_word * 64] < first + number)
    assert _mark_range(at(ids), count, first, number, at(words)) == inside.sum()
    np.testing.assert_array_equal(np.unpackbits(words[:num_word].view(np.uint8), bitorder="little"), inside)
    assert words[num_word] == 7


@pytest.mark.parametrize("word", [1, 2, 3, 0x8000000000000000, 0xFFFFFFFFFFFFFFFF, 0xF0, 0x123456789ABCDEF0])
def test_bits_of_a_word(word):
    assert _count_bits(np.uint64(word)) == bin(word).count("1")
    assert _lowest_bit(np.uint64(word)) == (word & -word).bit_length() - 1
    assert _count_bits(np.uint64(0)) == 0


@pytest.mark.parametrize("count", [0, 1, 2, 11, 15, 16, 17, 40])
def test_count_equal(count):
    ids = np.random.default_rng(count).integers(0, 3, count + LANES)
    assert _count_equal(at(ids), count, 1) == (ids[:count] == 1).sum()


@pytest.mark.parametrize("count", [0, 1, 5, 11, 15, 16, 17, 40])
def test_pair_coefficients(count):
    rng = np.random.default_rng(count)
    scores, ids = rng.random(count + LANES).astype(np.float32), rng.integers(0, 4, count + LANES)
    out, tally = np.full(count + LANES, np.nan, np.float32), rng.integers(0, 9, count + LANES).astype(np.float32)
    is_pair = (ids != 2) & (np.arange(count + LANES) < count)
    want = tally + is_pair
    assert _pair_coefficients(at(scores), at(ids), 2, at(out), at(tally), count) == is_pair.sum()
    np.testing.assert_array_equal(out[:count], np.where(is_pair, scores - 1, 0)[:count])
    assert (np.isnan(out) | (out == 0))[count:].all()
    np.testing.assert_array_equal(tally, want)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("count", [0, 1, 2, 7, 33])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_gradients(dim, count, decay):
    g, b, row = normal(200, seed=count), normal(count + 1, dim), normal(dim, seed=3)
    h, c = normal(5, seed=4), normal(5, dim, seed=5)
    for item_step in (1, 5):
        out = np.full(dim + 16, np.nan, np.float32)
        square = _gradient_of(at(g), item_step, at(b), count, dim, at(row), np.float32(decay), at(out))
        want = g[: count * item_step : item_step].astype(np.float64) @ b[:count] + decay * row.astype(np.float64)
        np.testing.assert_allclose(out[:dim], want, rtol=1e-5, atol=2e-5)
        np.testing.assert_allclose(square, want @ want, rtol=1e-5)
        assert np.isnan(out[dim:]).all()
    square = _gradient_from_two(
        at(g), at(b), count, at(h), at(c), 5, dim, at(row), np.float32(decay), at(out)
    )  # fmt: skip
    want = g[:count].astype(np.float64) @ b[:count] + h.astype(np.float64) @ c + decay * row.astype(np.float64)
    np.testing.assert_allclose(out[:dim], want, rtol=1e-5, atol=2e-5)
    np.testing.assert_allclose(square, want @ want, rtol=1e-5)
    assert np.isnan(out[dim:]).all()


@pytest.mark.parametrize("count", [0, 1, 2, 7, 33])
@pytest.mark.parametrize("decay", [0.0, 0.3])
@pytest.mark.parametrize("longest", [np.inf, 4.0])
def test_descent(count, decay, longest):
    dim = products.ONE_CHUNK
    g, b, start = normal(200, seed=count), normal(count + 1, dim), normal(dim, seed=3)
    h, c = normal(5, seed=4), normal(5, dim, seed=5)
    numbers = [np.float32(value) for value in (decay, 0.05, longest, 0.1)]

    def check(row, want):
        length = np.linalg.norm(want)
        step = 0.1 / length if length**2 > longest else 0.05
        np.testing.assert_allclose(row[:dim], start - step * want, rtol=1e-5, atol=2e-5)
        assert np.isnan(row[dim:]).all()

    for item_step in (1, 5):
        row = np.concatenate([start, np.full(16, np.nan, np.float32)])
        _descend(at(g), item_step, at(b), count, at(row), *numbers)
        check(row, g[: count * item_step : item_step].astype(np.float64) @ b[:count] + decay * start.astype(np.float64))
    row = np.concatenate([start, np.full(16, np.nan, np.float32)])
    _descend_from_two(at(g), at(b), count, at(h), at(c), 5, at(row), *numbers)
    sums = g[:count].astype(np.float64) @ b[:count] + h.astype(np.float64) @ c
    check(row, sums + decay * start.astype(np.float64))
