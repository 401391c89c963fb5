"""Merging tables of several workers: the same on every family, and what the rule says."""

from __future__ import annotations

import numpy as np
import pytest
from backends import GPU, REFERENCE
from gpu_calls import device

NEEDS = ("merge",)


def random_tables(dim, *, rows=40, seed=1, num_worker=3):
    """Return a base and the tables that workers have made of it: all kinds of changes from row to row."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 1, (rows, dim))
    common = rng.normal(0, 0.1, (rows, dim))
    agree = rng.random((rows, 1))
    tables = [base + agree * common + (1 - agree) * rng.normal(0, 0.1, (rows, dim)) for _ in range(num_worker)]
    for table in tables:
        table[3] = base[3]  # nobody has changed it
    tables[1][5], tables[2][5] = 2 * base[5] - tables[0][5], base[5]  # they cancel out
    return base, tables


def merged(backend, base, tables, *, first=0, rows=None, chunk=7, seed=0):
    """Merge rows piece by piece as workers do; return the tables and the bases."""
    tables = [np.array(table, backend.real, order="C") for table in tables]
    bases = [np.array(base, backend.real, order="C") for _ in tables]
    last = len(base) if rows is None else first + rows
    for begin in range(first, last, chunk):
        count = min(chunk, last - begin)
        found = []
        for table, before in zip(tables, bases, strict=True):
            out, squares = np.full((count, base.shape[1]), np.nan, backend.real), np.full(count, np.nan, backend.real)
            backend.merge.changes(table, before, begin, out, squares)
            found.append((out, squares))
        sums, squares = (sum(parts[1:], parts[0].copy()) for parts in zip(*found, strict=True))
        for table, before in zip(tables, bases, strict=True):
            backend.merge.apply(table, before, begin, sums, squares, len(tables), seed)
    return tables, bases


@pytest.mark.parametrize("dim", [1, 3, 16, 128, 600, 1030])
def test_rows_are_those_of_the_definition(fast, dim):
    base, tables = random_tables(dim)
    want, _ = merged(REFERENCE, base, tables)
    got, bases = merged(fast, base, tables)
    for table, before in zip(got, bases, strict=True):
        np.testing.assert_array_equal(table, before)
        np.testing.assert_array_equal(table, got[0])
        np.testing.assert_allclose(table, want[0], rtol=1e-5, atol=2e-6)
    assert np.abs(want[0] - base).max() > 0.05


def test_changes_that_agree_are_averaged_and_others_are_added(backend):
    base = np.zeros((4, 6))
    ones, twos = np.eye(6)[0], np.eye(6)[1]
    tables = [np.array([ones, ones, ones, ones]), np.array([ones, twos, -0.5 * ones, 0 * ones])]
    got = merged(backend, base, tables)[0][0]
    np.testing.assert_allclose(got[0], ones, atol=1e-6)  # both went there
    np.testing.assert_allclose(got[1], ones + twos, atol=1e-6)  # orthogonal
    np.testing.assert_allclose(got[2], 0.5 * ones, atol=1e-6)  # against each other: the sum, no more
    np.testing.assert_allclose(got[3], ones, atol=1e-6)  # one of them only


def test_four_workers_that_agree(backend):
    base = np.random.default_rng(0).normal(0, 1, (5, 8))
    tables = [base + 0.5] * 4
    np.testing.assert_allclose(merged(backend, base, tables)[0][0], base + 0.5, rtol=1e-5)


def test_other_rows_and_padding_stay(backend):
    base, tables = random_tables(10, rows=30)
    memory = np.full((30, 16), 7.0, backend.real)
    before = memory.copy()
    memory[:, :10], before[:, :10] = tables[0], base
    out, squares = np.zeros((4, 10), backend.real), np.zeros(4, backend.real)
    backend.merge.changes(memory[:, :10], before[:, :10], 20, out, squares)
    np.testing.assert_allclose(out, (tables[0] - base)[20:24], atol=1e-6)
    np.testing.assert_allclose(squares, ((tables[0] - base)[20:24] ** 2).sum(1), rtol=1e-4)
    backend.merge.apply(memory[:, :10], before[:, :10], 20, 2 * out, 2 * squares, 2, 0)
    expected = tables[0].astype(backend.real)
    np.testing.assert_allclose(memory[20:24, :10], expected[20:24], rtol=1e-5, atol=1e-6)
    kept = np.r_[0:20, 24:30]
    np.testing.assert_array_equal(memory[kept, :10], expected[kept])
    np.testing.assert_array_equal(before[kept, :10], base[kept].astype(backend.real))
    assert (memory[:, 10:] == 7.0).all() and (before[:, 10:] == 7.0).all()


def test_no_rows(backend):
    table, none = np.ones((3, 4), backend.real), np.empty((0, 4), backend.real)
    backend.merge.changes(table, table.copy(), 3, none, none[:, 0])
    backend.merge.apply(table, table.copy(), 3, none, none[:, 0], 2, 0)
    assert (table == 1).all()


# ---------------------------------------------------------------------------------------------------------------- bf16


def in_bf16(dim, *, seed, num_worker=2):
    """Merge tables in bf16; return what comes out, and what would without rounding, as float64."""
    import torch

    from nodeloom.kernels.gpu.merge import apply, changes

    base, tables = random_tables(dim, num_worker=3)
    base = torch.from_numpy(base).to(torch.bfloat16).to(device())
    tables = [torch.from_numpy(table).to(torch.bfloat16).to(device()) for table in tables[:num_worker]]
    exact = merged(REFERENCE, base.cpu().double().numpy(), [t.cpu().double().numpy() for t in tables])[0][0]
    found = []
    for table in tables:
        out, squares = torch.empty_like(base), torch.empty(len(base), device=device())
        changes(table, base, 0, out, squares)
        found.append((out.float(), squares))
    sums, squares = (sum(parts[1:], parts[0]) for parts in zip(*found, strict=True))
    results = []
    for table in tables:
        before = base.clone()
        apply(table, before, 0, sums.to(torch.bfloat16), squares, num_worker, seed)
        results += [table.cpu().double().numpy(), before.cpu().double().numpy()]
    return results, exact


@pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")
def test_bf16_tables_are_one_of_two_neighbours_and_right_on_average():
    total, rounds = 0.0, 24
    for seed in range(rounds):
        results, exact = in_bf16(40, seed=977 * seed)
        for result in results[1:]:
            np.testing.assert_array_equal(result, results[0])
        total = total + results[0] / rounds
        ulp = 2.0 ** (np.floor(np.log2(np.maximum(np.abs(exact), 1e-3))) - 7)
        # The sum has been rounded too.
        assert (np.abs(results[0] - exact) < 1.01 * ulp + 2.0**-8 * 0.5).all()
    off = (total - exact) / ulp
    assert np.abs(off).mean() < 0.25  # of one rounding: 0.25 to 0.5
    assert abs(off.mean()) < 0.02
    assert np.abs(results[0] - exact).max() > 0


@pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")
def test_what_is_no_number_stays_none():
    import torch

    from nodeloom.kernels.gpu.merge import apply, changes

    for dtype in (torch.float32, torch.bfloat16):
        base = torch.zeros(2, 8, dtype=dtype, device=device())
        table = base.clone()
        table[0, 3], table[1, 2] = float("nan"), float("inf")
        out, squares = torch.empty_like(base), torch.empty(2, device=device())
        changes(table, base, 0, out, squares)
        apply(table, base, 0, out, squares, 2, 0)
        assert not torch.isfinite(table).all(dim=1).any() and not torch.isfinite(base).all(dim=1).any()


@pytest.mark.gpu
def test_rows_beyond_32_bits():
    import torch

    from nodeloom.kernels.gpu.merge import apply, changes

    if torch.cuda.mem_get_info()[0] < 20 << 30:
        pytest.skip("needs 18 GB on the GPU")
    row = 512
    first = 2**32 // row + 3
    table = torch.zeros(first + 2, row, dtype=torch.bfloat16, device="cuda")
    base = torch.zeros_like(table)
    table[first] = 1.0
    out, squares = torch.empty(2, row, dtype=torch.bfloat16, device="cuda"), torch.empty(2, device="cuda")
    changes(table, base, first, out, squares)
    assert out[0].eq(1).all() and out[1].eq(0).all() and squares.tolist() == [row, 0]
    apply(table, base, first, out, squares, 2, 0)
    assert base[first].eq(1).all() and all(base[i].eq(0).all() for i in (0, 3, first - 1, first + 1))
