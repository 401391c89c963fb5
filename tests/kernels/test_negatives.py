"""Alias tables stand for the right distribution, and draws follow them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from backends import BACKENDS, CPU, REFERENCE, having, needs
from hypothesis import given, settings
from hypothesis import strategies as st
from walk_graphs import chi_square

NEEDS = ("negatives",)


def implied_shares(prob, alias):
    """Return the distribution that one alias table stands for."""
    shares = prob.astype(np.float64)
    np.add.at(shares, alias, 1.0 - prob.astype(np.float64))
    return shares / len(prob)


def build(backend, weights, dtype=np.int32):
    weights = np.asarray(weights)
    prob, alias = np.full(len(weights), np.nan, np.float32), np.full(len(weights), -99, dtype)
    backend.negatives.build_alias(weights, np.array([0, len(weights)]), 0, 1, prob, alias)
    assert ((prob >= -1e-6) & (prob <= 1.0)).all()
    assert ((alias >= 0) & (alias < len(weights))).all()
    return prob, alias


@settings(max_examples=200, deadline=None)
@given(
    weights=st.lists(
        st.one_of(st.just(0.0), st.integers(1, 5).map(float), st.floats(2.0**-60, 2.0**60, width=32)),
        min_size=1,
        max_size=60,
    ),
    dtype=st.sampled_from([np.float32, np.float64]),
)
def test_tables_stand_for_the_weights(weights, dtype):
    weights = np.array(weights, dtype)
    total = sum(map(Fraction, weights.tolist()))
    want = [float(Fraction(w) / total) if total else 1.0 / len(weights) for w in weights.tolist()]
    for backend in having(BACKENDS, "negatives.build_alias"):
        prob, alias = build(backend, weights)
        # prob is a float32: half a unit in its last place, times how many entries name an alias.
        np.testing.assert_allclose(implied_shares(prob, alias), want, rtol=1e-6, atol=1e-7)
        if total:  # weight zero: not even once in 2^24
            assert not ((weights == 0) & (prob > 0)).any()
            assert (weights[alias[prob < 1.0]] > 0).all()


@needs("negatives.build_alias")
@pytest.mark.parametrize("weights", [[1.0], [0.0], [0.0, 0.0, 0.0], [2.0, 2.0, 2.0], [0.0, 7.0], [1e-30, 1.0, 0.0]])
def test_small_tables(backend, weights):
    prob, alias = build(backend, weights)
    want = np.array(weights) / sum(weights) if sum(weights) else np.full(len(weights), 1 / len(weights))
    np.testing.assert_allclose(implied_shares(prob, alias), want, atol=1e-7)


@needs("negatives.build_alias")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_long_rows_keep_their_precision(fast, dtype):
    weights = (1.0 / np.arange(1, 300_001) ** 1.2).astype(dtype)
    prob, alias = build(fast, weights, np.int64)
    want = weights.astype(np.float64) / weights.astype(np.float64).sum()
    # The small shares count: each is right by itself, up to float32 of the pieces it was cut into.
    np.testing.assert_allclose(implied_shares(prob, alias), want, rtol=3e-5, atol=1e-12)


@needs("negatives.build_alias")
def test_rows_are_built_alone(backend):
    rng = np.random.default_rng(1)
    indptr = np.array([0, 3, 3, 10, 11, 30])
    weights = rng.random(30).astype(np.float32)
    prob, alias = np.full(30, 9.0, np.float32), np.full(30, 77, np.int32)
    backend.negatives.build_alias(weights, indptr, 1, 4, prob, alias)
    assert (prob[:3] == 9.0).all() and (prob[11:] == 9.0).all()
    assert (alias[:3] == 77).all() and (alias[11:] == 77).all()
    for a, b in [(3, 10), (10, 11)]:  # entries count from the begin of their row
        want = weights[a:b].astype(np.float64) / weights[a:b].astype(np.float64).sum()
        np.testing.assert_allclose(implied_shares(prob[a:b], alias[a:b]), want, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_draws_equal_the_reference(fast, dtype):
    prob, alias = build(REFERENCE, np.random.default_rng(2).random(50) ** 4, dtype)
    got, want = np.full((7, 33), -99, dtype), np.full((7, 33), -99, dtype)
    fast.negatives.draw_negatives(prob, alias, np.uint64(2**64 - 5), 2**33, got)
    REFERENCE.negatives.draw_negatives(prob, alias, 2**64 - 5, 2**33, want)
    np.testing.assert_array_equal(got, want)


def test_a_draw_on_the_edge_takes_the_alias(backend):
    # Kept is what is below the probability: with equality the alias is taken.
    bits = [np.uint64(int(REFERENCE.rng.draw(REFERENCE.rng.item_key(5, 0), k))) for k in range(8)]
    entries, units = [int(REFERENCE.rng.below(b, 5000)) for b in bits], [float(REFERENCE.rng.unit(b)) for b in bits]
    prob, alias = np.ones(5000, np.float32), np.arange(5000, dtype=np.int32)
    prob[entries], alias[entries] = units, 4999 - np.array(entries)
    out = np.full((1, 8), -99, np.int32)
    backend.negatives.draw_negatives(prob, alias, np.uint64(5), 0, out)
    assert len(set(entries)) == 8
    np.testing.assert_array_equal(out[0], alias[entries])


def test_different_streams_and_items_give_different_draws(backend):
    prob, alias = build(REFERENCE, np.ones(1000))

    def drawn(stream, item):
        out = np.empty((3, 8), np.int32)
        backend.negatives.draw_negatives(prob, alias, np.uint64(stream), item, out)
        return out

    one = drawn(1, 0)
    np.testing.assert_array_equal(one, drawn(1, 0))
    assert (one != drawn(2, 0)).mean() > 0.9 < (one != drawn(1, 3)).mean()
    assert len(np.unique(one)) > 18


def test_draws_do_not_depend_on_the_slice(backend):
    prob, alias = build(REFERENCE, [1.0, 2.0, 3.0, 10.0, 0.5])
    whole, parts = np.empty((10, 5), np.int32), np.empty((10, 5), np.int32)
    backend.negatives.draw_negatives(prob, alias, np.uint64(3), 100, whole)
    for a, b in [(0, 1), (1, 4), (4, 10)]:
        backend.negatives.draw_negatives(prob, alias, np.uint64(3), 100 + a, parts[a:b])
    np.testing.assert_array_equal(whole, parts)
    # Fewer negatives of an item are the first of them.
    fewer = np.empty((10, 2), np.int32)
    backend.negatives.draw_negatives(prob, alias, np.uint64(3), 100, fewer)
    np.testing.assert_array_equal(whole[:, :2], fewer)


@pytest.mark.parametrize("exponent", [0.0, 0.75, 1.0])
def test_draws_follow_the_weights(exponent):
    degrees = np.r_[0.0, np.arange(1, 100.0), 5000.0]
    weights = np.where(degrees > 0, degrees**exponent, 0.0)
    prob, alias = build(CPU, weights)
    out = np.empty((40_000, 16), np.int32)
    CPU.negatives.draw_negatives(prob, alias, np.uint64(11), 0, out)
    counts = np.bincount(out.ravel(), minlength=len(degrees))
    assert chi_square(counts, weights) > 1e-4
    assert chi_square(counts, np.where(degrees > 0, degrees ** (exponent + 0.05), 0.0)) < 1e-6
    # Places of one row are independent of each other.
    pairs = np.bincount(out[:, 0] // 26 * 4 + out[:, 1] // 26, minlength=16)
    quarter = np.add.reduceat(weights, [0, 26, 52, 78])
    assert chi_square(pairs, np.outer(quarter, quarter).ravel()) > 1e-4
