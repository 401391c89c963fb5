"""Pairs of a block on the GPU: its layouts, wide rows, bf16 tables, and what only its signatures have."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np
import pytest
from backends import GPU, REFERENCE
from covering import launches
from gpu_calls import device
from pair_cases import Case, Problem, compare, listed, moves, some_walks, train

from nodeloom.kernels.reference.pairs import PAIRS

pytestmark = pytest.mark.skipif(bool(GPU.missing), reason=f"gpu: {GPU.missing}")

FEW_HEADS = Case(num_head=10, heads=4, most=36, weight_decay=0.02, lr=0.05)
MANY_HEADS = Case(num_head=20, heads=16, most=36, num_context=400, weight_decay=0.02, lr=0.05, dim=40)
LAYOUTS = [
    {"num_warps": 2},
    {"num_warps": 16},
    {"ahead": True},
    {"unroll": True},
    {"unroll": True, "ahead": True},
    {"reload": False},
    {"registers": 96},
    {"num_program": 3},
]


@pytest.mark.covering(1)
@pytest.mark.parametrize("optimizer", ["SGD", "Adam"])
@pytest.mark.parametrize("layout", launches(LAYOUTS))
@pytest.mark.parametrize("case", [FEW_HEADS, MANY_HEADS], ids=str)
def test_layouts(case, layout, optimizer):
    compare(replace(case, optimizer=optimizer), GPU, launch=GPU.pairs.Launch(**layout))


@pytest.mark.covering(1)
@pytest.mark.skipif(os.environ.get("TRITON_INTERPRET") != "1", reason="programs of a card run in any order")
@pytest.mark.parametrize("number", [1, 3, 10**6])
@pytest.mark.parametrize("case", [FEW_HEADS, replace(MANY_HEADS, optimizer="Adam")], ids=str)
def test_few_programs_train_all_units_in_their_order(case, number):
    got, want = Problem(case, GPU), Problem(case, GPU)
    assert len(want.units) > 6
    got.train(launch=GPU.pairs.Launch(num_program=number))
    want.train()
    for table, same in zip(got.tables, want.tables, strict=True):
        np.testing.assert_array_equal(table, same)
    np.testing.assert_array_equal(got.statistics, want.statistics)


def test_heads_for():
    from nodeloom.kernels.units import heads_for

    assert [heads_for(dim) for dim in (2, 16, 100, 128, 129, 256, 512, 2048)] == [32, 32, 16, 16, 16, 16, 4, 1]


@pytest.mark.parametrize("dim", [300, 512, 2048])
def test_wide_rows(dim):
    from nodeloom.kernels.units import heads_for

    compare(Case(num_head=10, heads=heads_for(dim), dim=dim, scale=0.03, weight_decay=0.02), GPU)


def test_a_context_that_is_a_negative_too_is_read_before_and_moved_twice():
    for heads in (4, 16):
        case = Case(num_head=heads, heads=heads, num_context=300, most=PAIRS)
        got, want = Problem(case, GPU), Problem(case, REFERENCE)
        for problem in (got, want):
            problem.negatives[0] = problem.contexts[problem.places(0)[:5]]
            problem.train(slice(0, 1))
        for name, g, w in moves(got, want):
            np.testing.assert_allclose(g, w, 1e-4, 2e-6, err_msg=name)


def test_cursors_and_ends_of_32_bits():
    walks = some_walks(40)
    got, want = (listed(GPU, walks, 3, True, 40, 1, 20, 15, cursor=kind) for kind in (np.int32, np.int64))
    assert got[1] == want[1]
    case = replace(FEW_HEADS, hub=40)
    got, want = Problem(case, GPU), train(case, GPU)
    got.ends = got.ends.astype(np.int32)
    for unit in range(len(got.units)):
        got.train(slice(unit, unit + 1))
    for a, b in zip(got.tables, want.tables, strict=True):
        np.testing.assert_allclose(a, b, 1e-5, 1e-6)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_walks_of_any_strides(dtype):
    walks = some_walks(40, (70, 9), dtype=dtype)
    pool = np.full((72, 21), 7, dtype)
    pool[1:-1, 1:-2:2] = walks
    want = listed(REFERENCE, walks, 3, True, 40, 1, 20, 15)
    for stored in (np.asfortranarray(walks), pool[1:-1, 1:-2:2]):
        assert listed(GPU, stored, 3, True, 40, 1, 20, 15)[1] == want[1]


def test_without_a_unit_or_a_walk_nothing_is_done():
    case = Case()
    problem, before = Problem(case, GPU), Problem(case, GPU)
    problem.train(slice(0, 0))
    for a, b in zip(problem.tables, before.tables, strict=True):
        np.testing.assert_array_equal(a, b)
    counts = np.zeros((2, 20), np.int32)
    GPU.pairs.count_pairs(np.zeros((0, 5), np.int32), 2, True, 0, 20, counts)
    GPU.pairs.count_pairs(np.zeros((5, 1), np.int32), 2, True, 0, 20, counts)
    assert not counts.any()


@pytest.mark.covering(1)
@pytest.mark.parametrize("optimizer", ["SGD", "SGD with a largest step", "Momentum", "AdaGrad", "RMSprop", "Adam"])
@pytest.mark.parametrize("heads", [4, 16])
def test_columns_of_zeros_stay_zeros(optimizer, heads):
    problem = Problem(Case(heads=heads, num_context=300, optimizer=optimizer, weight_decay=0.02), GPU)
    for table in problem.tables:
        table[:, 10:] = 0.0
    for unit in range(len(problem.units)):
        problem.train(slice(unit, unit + 1))
    for table in problem.tables:
        np.testing.assert_array_equal(table[:, 10:], 0.0)
        assert np.isfinite(table).all()


def test_a_hub_of_a_tile_with_others_keeps_their_pairs_apart():
    # 500 pairs of one head in 32 units, of which the others are in the first one or two.
    compare(Case(num_head=4, heads=4, hub=500, most=20, lr=0.02), GPU)


# -------------------------------------------------------------------------------------------------------- bf16 tables


def trained_bf16(case, rounds=1, lr=None, **options):
    """Train tables rounded to bf16, each time from the start with other chances; return start and mean end, float64."""
    import torch

    from nodeloom.kernels.gpu.pairs import train_pairs

    problem = Problem(case, REFERENCE)
    on = device()
    start = [torch.from_numpy(np.array(t)).to(torch.bfloat16) for t in problem.tables[:2]]
    moments = [np.array(m, np.float32) for m in problem.tables[2:]]
    arrays = [problem.contexts.astype(np.int32), problem.totals, problem.units, problem.negatives]
    contexts, totals, units, negatives = (torch.from_numpy(a).to(on) for a in arrays)
    sums = [torch.zeros_like(t, dtype=torch.float64) for t in start]
    for seed in range(rounds):
        tables = [t.clone().to(on) for t in start]
        state = [torch.from_numpy(m.copy()).to(on) for m in moments]
        for unit in range(len(units)):
            train_pairs(
                *tables, *state, case.begin, torch.from_numpy(problem.ends).to(on), contexts, totals, units[unit : unit + 1],
                negatives[unit : unit + 1], case.heads, problem.first_head, problem.first_context,
                case.lr if lr is None else lr, case.negative_weight, case.weight_decay, problem.optimizer, problem.settings,
                torch.zeros(2, dtype=torch.float64, device=on), seed=1000 * seed + unit, **options,
            )  # fmt: skip
        for total, table in zip(sums, tables, strict=True):
            total += table.cpu().double()
    return [t.double().numpy() for t in start], [(t / rounds).numpy() for t in sums]


def moved_like_float64(case):
    """Return how far both tables move in float64, from the same rounded numbers."""
    import torch

    problem = Problem(case, REFERENCE)
    for table in problem.tables[:2]:
        table[:] = torch.from_numpy(np.array(table)).to(torch.bfloat16).double().numpy()
    before = [t.copy() for t in problem.tables[:2]]
    for unit in range(len(problem.units)):
        problem.train(slice(unit, unit + 1))
    return [t - b for t, b in zip(problem.tables[:2], before, strict=True)]


@pytest.mark.covering(1)
@pytest.mark.parametrize("heads", [4, 16])
@pytest.mark.parametrize("optimizer", ["SGD", "Momentum"])
def test_bf16_tables_round_by_chance_and_right_on_average(optimizer, heads):
    # The steps are far below what bf16 can hold: without chance nothing would move.
    case = Case(num_head=6, heads=heads, most=6, num_context=100, optimizer=optimizer, lr=0.002)
    want = moved_like_float64(case)
    rounds = 60
    start, mean = trained_bf16(case, rounds)
    for before, after, move in zip(start, mean, want, strict=True):
        got = after - before
        along = (got * move).sum() / (move * move).sum()
        assert along == pytest.approx(1.0, abs=0.15)
        # And with errors as of so many rounds of chance: a step of bf16 is 1/128 of the number at most.
        assert np.abs(got - move).max() < 6 * np.abs(before).max() / 128 / rounds**0.5 * 2


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("heads", [4, 16])
def test_bf16_tables_stay_to_the_bit_at_a_rate_of_zero(heads, unroll):
    case = Case(num_head=20, heads=heads, num_context=300, weight_decay=0.02)
    start, after = trained_bf16(case, lr=0.0, launch=replace(_launch(), unroll=unroll))
    for a, b in zip(start, after, strict=True):
        np.testing.assert_array_equal(a, b)


def _launch():
    from nodeloom.kernels.gpu.pairs import Launch

    return Launch()


# ---------------------------------------------------------------------------------------------------------- on a card

TILE_OFFSET_PER_RANK = Case(
    num_head=160, heads=16, most=PAIRS, num_context=400, dim=128, scale=0.1, apart=True, weight_decay=0.01, lr=0.05
)


@pytest.mark.gpu
@pytest.mark.parametrize(("product", "limit"), [("fp32", 1e-5), ("tf32", 2e-3), ("bf16", 2e-2)])
@pytest.mark.parametrize("optimizer", ["SGD", "SGD with a largest step", "Adam"])
@pytest.mark.parametrize(("heads", "dim"), [(32, 16), (32, 128), (16, 256), (8, 512), (2, 2048)])
def test_products_on_a_card(heads, dim, optimizer, product, limit):
    case = replace(
        TILE_OFFSET_PER_RANK, heads=heads, dim=dim, num_context=520, num_head=10 * heads, optimizer=optimizer
    )
    got, want = train(case, GPU, product=product), train(case, REFERENCE)
    for name, g, w in moves(got, want)[:2]:
        assert np.linalg.norm(g - w) < limit * np.linalg.norm(w), name
    np.testing.assert_allclose(got.statistics, want.statistics, rtol=limit)


@pytest.mark.gpu
@pytest.mark.parametrize("layout", launches(LAYOUTS))
@pytest.mark.parametrize("heads", [8, 32])
def test_layouts_on_a_card(heads, layout):
    case = replace(TILE_OFFSET_PER_RANK, heads=heads, num_context=520)
    got, want = train(case, GPU, launch=GPU.pairs.Launch(**layout), product="bf16"), train(case, REFERENCE)
    for name, g, w in moves(got, want)[:2]:
        assert np.linalg.norm(g - w) < 2e-2 * np.linalg.norm(w), name


@pytest.mark.gpu
@pytest.mark.parametrize(("heads", "dim"), [(32, 128), (16, 256), (8, 512), (4, 1024)])
def test_bf16_tables_on_a_card(heads, dim):
    case = Case(num_head=4 * heads, heads=heads, most=6, num_context=400, dim=dim, scale=0.05, lr=0.002)
    want = moved_like_float64(case)
    start, mean = trained_bf16(case, 60, product="bf16")
    for before, after, move in zip(start, mean, want, strict=True):
        assert ((after - before) * move).sum() / (move * move).sum() == pytest.approx(1.0, abs=0.15)


@pytest.mark.gpu
def test_many_walks_on_a_card():
    # Programs that count and place at once lose nothing.
    import torch

    from nodeloom.kernels.gpu.pairs import count_pairs, place_pairs, units_of

    chance = torch.Generator("cuda").manual_seed(0)
    walks = (10_000 * torch.rand(64, 50_000, device="cuda", generator=chance) ** 3).to(torch.int32).t()
    counts = torch.zeros(3, 5000, dtype=torch.int32, device="cuda")
    count_pairs(walks, 5, True, 2500, 4000, counts)
    want = torch.zeros_like(counts).view(-1)
    for gap in range(1, 6):
        for u, v in ((walks[:, gap:], walks[:, :-gap]), (walks[:, :-gap], walks[:, gap:])):
            here = (u >= 2500) & (u < 7500) & (u != v)
            at = (v[here] // 4000).long() * 5000 + u[here].long() - 2500
            want += torch.bincount(at, minlength=want.numel()).to(torch.int32)
    assert torch.equal(counts.view(-1), want)
    ends = (torch.cumsum(counts.view(-1), 0) - counts.view(-1)).view(counts.shape)
    begins, contexts = ends.clone(), torch.full((int(counts.sum()),), -1, dtype=torch.int16, device="cuda")
    place_pairs(walks, 5, True, 2500, 4000, ends, contexts)
    assert torch.equal(ends - begins, counts.long())
    assert int(contexts.min()) >= 0 and int(contexts.max()) < 4000
    units, num_unit, num_pair = units_of(counts, 32)
    expected = REFERENCE.pairs.units_of(counts.cpu().numpy(), 32)
    for got, reference in zip((units.cpu(), num_unit, num_pair), expected, strict=True):
        np.testing.assert_array_equal(got.numpy(), reference)
