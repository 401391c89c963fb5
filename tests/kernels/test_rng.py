"""Randomness: one arithmetic in three places, and the generator that it claims to be."""

from __future__ import annotations

import numpy as np
import pytest
from backends import BACKENDS, CPU, GPU, needs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from walk_graphs import chi_square

from nodeloom import rng as definition

NEEDS = ("rng",)

words = st.integers(0, 2**64 - 1)

# splitmix64.c of Sebastiano Vigna (https://prng.di.unimi.it/splitmix64.c), first outputs by seed.
SPLITMIX64 = {
    1234567: [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821],
    0: [16294208416658607535, 7960286522194355700, 487617019471545679],
}


def splitmix64(state):
    """Yield the outputs of the published generator, written down independently of ours."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        z = state
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        yield z ^ (z >> 31)


@pytest.mark.parametrize("seed", SPLITMIX64)
def test_draws_of_a_key_are_splitmix64_started_at_the_key(backend, seed):
    got = [int(backend.rng.draw(np.uint64(seed), n)) for n in range(len(SPLITMIX64[seed]))]
    assert got == SPLITMIX64[seed]


@settings(deadline=None)  # the first call compiles
@given(stream=words, item=st.integers(0, 2**62), number=st.integers(0, 2**62))
def test_keys_and_draws_equal_python_integers(stream, item, number):
    golden = definition.GOLDEN
    key = definition.mix((stream + golden * (item + 1)) & definition.MASK)
    bits = definition.mix((key + golden * (number + 1)) & definition.MASK)
    for backend in BACKENDS:
        assert int(backend.rng.mix(np.uint64(stream))) == definition.mix(stream)
        assert int(backend.rng.item_key(np.uint64(stream), item)) == key
        assert int(backend.rng.draw(np.uint64(key), number)) == bits


def test_stream_is_a_double_hash_of_seed_and_purpose():
    first = next(splitmix64(42))
    assert definition.stream(42, definition.Purpose.NEGATIVE) == definition.mix(
        (first + 2 * definition.GOLDEN) & definition.MASK
    )
    keys = {definition.stream(seed, purpose) for seed in range(1000) for purpose in definition.Purpose}
    assert len(keys) == 1000 * len(definition.Purpose)
    assert 0 <= definition.stream(2**64 - 1, definition.Purpose.WALK) < 2**64


@settings(deadline=None)  # the first call compiles
@given(bits=words, bound=st.integers(1, 2**62))
def test_below_is_the_high_half_of_the_product(bits, bound):
    for backend in BACKENDS:
        assert int(backend.rng.below(np.uint64(bits), bound)) == bits * bound >> 64


@pytest.mark.skipif(bool(GPU.missing), reason=GPU.missing)
@settings(deadline=None)  # the first call compiles
@given(pairs=st.lists(st.tuples(words, st.integers(1, 2**32 - 1)), min_size=1, max_size=50))
@example(pairs=[(b, n) for b in (0, 2**32 - 1, 2**32, 2**64 - 1) for n in (1, 2, 2**31, 2**32 - 1)])
def test_below_narrow_is_below(pairs):
    bits, bounds = (np.array(a, np.uint64) for a in zip(*pairs, strict=True))
    assert GPU.rng.below_narrow(bits, bounds).tolist() == [b * n >> 64 for b, n in pairs]


@pytest.mark.parametrize("bound", [1, 2, 3, 2**31, 2**40 + 1, 2**62])
def test_below_reaches_both_ends_and_nothing_beyond(backend, bound):
    assert int(backend.rng.below(np.uint64(0), bound)) == 0
    assert int(backend.rng.below(np.uint64(2**64 - 1), bound)) == bound - 1


@settings(deadline=None)  # the first call compiles
@given(bits=words)
def test_unit_is_the_low_24_bits(bits):
    for backend in BACKENDS:
        assert float(backend.rng.unit(np.uint64(bits))) == (bits & 0xFFFFFF) / 2**24
        assert float(backend.rng.unit(np.uint64(2**64 - 1))) < 1.0


def test_low_and_high_bits_of_draws_are_uniform_and_independent(backend):
    def over(function, kind, *arrays):  # the functions of the CPU take one number at a time
        values = [function(*a) for a in zip(*arrays, strict=True)] if backend is CPU else function(*arrays)
        return np.array(values, kind)

    key = np.uint64(int(backend.rng.item_key(np.uint64(5), 9)))
    bits = over(backend.rng.draw, np.uint64, np.full(4000, key), np.arange(4000))
    entries = over(backend.rng.below, np.int64, bits, np.full(4000, 8))
    units = over(backend.rng.unit, np.float64, bits)
    counts = np.bincount(8 * entries + (units * 8).astype(int), minlength=64)
    assert chi_square(counts, np.ones(64)) > 1e-4


def test_reference_takes_arrays():
    from nodeloom.kernels.reference import rng

    items = np.arange(6).reshape(2, 3)
    keys = rng.item_key(7, items)
    assert keys.shape == (2, 3) and keys.dtype == np.uint64
    assert int(keys[1, 2]) == int(rng.item_key(7, 5))
    np.testing.assert_array_equal(rng.below(keys, 10), [[int(k) * 10 >> 64 for k in row] for row in keys])
    np.testing.assert_array_equal(rng.below(keys, items + 1)[1, 2], int(keys[1, 2]) * 6 >> 64)


@needs("initial")
@pytest.mark.parametrize(("dim", "columns"), [(1, 16), (16, 16), (100, 112)])
def test_initial_rows_equal_the_reference(fast, dim, columns):
    from nodeloom.kernels.reference import initial

    got = np.full((7, columns), np.nan, np.float32)
    want = np.full((7, columns), np.nan)
    fast.initial.uniform_rows(np.uint64(99), 1000, dim, np.float32(0.25), got)
    initial.uniform_rows(99, 1000, dim, 0.25, want)
    np.testing.assert_array_equal(got, want)  # powers of two: no rounding
    assert not got[:, dim:].any()
    assert np.abs(got).max() <= 0.25 and got.min() < 0 < got.max()


@needs("initial")
def test_initial_rows_do_not_depend_on_the_slice(backend):
    whole, parts = np.empty((9, 16), backend.real), np.empty((9, 16), backend.real)
    backend.initial.uniform_rows(np.uint64(3), 0, 16, backend.real(0.01), whole)
    for a, b in [(0, 2), (2, 3), (3, 9)]:
        backend.initial.uniform_rows(np.uint64(3), a, 16, backend.real(0.01), parts[a:b])
    np.testing.assert_array_equal(whole, parts)
    assert len(np.unique(whole)) > 140


@needs("initial")
def test_different_streams_and_rows_have_different_first_values(backend):
    one, other, below = (np.empty((9, 16), backend.real) for _ in range(3))
    for out, stream, row in [(one, 3, 0), (other, 4, 0), (below, 3, 9)]:
        backend.initial.uniform_rows(np.uint64(stream), row, 16, backend.real(0.01), out)
    assert (one != other).mean() > 0.99 < (one != below).mean()


@pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")
def test_initial_rows_in_bf16_are_those_in_fp32_rounded_to_nearest():
    import torch
    from gpu_calls import device

    from nodeloom.kernels.gpu.initial import uniform_rows

    fine, coarse = (torch.empty((9, 48), dtype=kind, device=device()) for kind in (torch.float32, torch.bfloat16))
    for out in (fine, coarse[:, :40]):  # rows apart
        uniform_rows(99, 5, 33, 0.013, out)
    assert torch.equal(coarse[:, :40], fine[:, :40].to(torch.bfloat16))
    assert not torch.equal(coarse[:, :33].float(), fine[:, :33])
