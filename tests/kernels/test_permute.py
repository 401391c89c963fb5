"""Rows of a table in another order: every family of kernels, on permutations of every kind."""

from __future__ import annotations

import numpy as np
import pytest
from backends import BACKENDS, having
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom.errors import DataError

NEEDS = ("permute",)


def table_of(num_rows, dim=3, dtype=np.float32):
    """Return a table of which no two numbers are equal (up to 2^16 of them)."""
    return np.arange(num_rows * dim).reshape(num_rows, dim).astype(dtype)


def cycle(num_rows, step=1):
    """Return the permutation that moves every row `step` on: gcd(num_rows, step) cycles."""
    return (np.arange(num_rows) + step) % num_rows


@settings(max_examples=100, deadline=None)
@given(place=st.integers(0, 200).flatmap(lambda n: st.permutations(range(n))), wide=st.booleans())
def test_every_row_goes_to_its_place(place, wide):
    place = np.array(place, np.int64 if wide else np.int32)
    for backend in having(BACKENDS, *NEEDS):
        table = table_of(len(place))
        backend.permute.permute_rows(table, place)
        np.testing.assert_array_equal(table, table_of(len(place))[place])


@pytest.mark.parametrize("place", [cycle(1), cycle(64), cycle(65), cycle(128, 2), cycle(1000, 64), cycle(63)[::-1]])
@pytest.mark.parametrize("dtype", [np.float32, np.uint16])
@pytest.mark.parametrize("dim", [1, 16, 48, 128])
def test_cycles_and_types(backend, dtype, dim, place):
    rng = np.random.default_rng(0)
    table = rng.integers(0, 1 << 16, (len(place), dim)).astype(dtype)
    want = table[place]
    backend.permute.permute_rows(table, place)
    np.testing.assert_array_equal(table, want)


def test_the_inverse_undoes_it(backend):
    place = np.random.default_rng(1).permutation(5000).astype(np.int32)
    inverse = np.empty_like(place)
    inverse[place] = np.arange(5000, dtype=np.int32)
    table = table_of(5000)
    backend.permute.permute_rows(table, place)
    backend.permute.permute_rows(table, inverse)
    np.testing.assert_array_equal(table, table_of(5000))


def test_bits_stay_as_they_are(backend):
    # bfloat16 as uint16: NaN with any payload, infinity, -0.
    table = np.arange(1 << 16, dtype=np.uint16).reshape(-1, 16)
    place = np.random.default_rng(2).permutation(len(table))
    want = table[place]
    backend.permute.permute_rows(table, place)
    np.testing.assert_array_equal(table, want)


def test_other_columns_are_left_alone(backend):
    table, place = table_of(100, 8), cycle(100, 3)
    backend.permute.permute_rows(table[:, 2:5], place)
    want = table_of(100, 8)
    want[:, 2:5] = want[place, 2:5]
    np.testing.assert_array_equal(table, want)


def test_a_file_is_changed(backend, tmp_path):
    table = np.lib.format.open_memmap(tmp_path / "table.npy", "w+", np.float32, (300, 4))
    table[:] = table_of(300, 4)
    place = cycle(300, 7)
    backend.permute.permute_rows(table, place)
    table.flush()
    np.testing.assert_array_equal(np.load(tmp_path / "table.npy"), table_of(300, 4)[place])


@pytest.mark.parametrize(
    "place", [[0, 1, 1], [0, 1, 3], [-1, 1, 2], [0, 1], [0, 1, 2, 3], []], ids=lambda p: str(p).replace(" ", "")
)
@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_what_is_no_permutation_changes_nothing(backend, place, dtype):
    table = table_of(3)
    with pytest.raises(DataError, match=r"place: expected each of 0 \.\. 2 once, got"):
        backend.permute.permute_rows(table, np.array(place, dtype))
    np.testing.assert_array_equal(table, table_of(3))
