"""Training on a card: compiled layouts and products, programs that run at once, and tables of more than 2^31 numbers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import skipgram_units
from backends import GPU, REFERENCE
from bf16_cases import CASE as BF16_CASE
from bf16_cases import Bf16Problem, check_means
from covering import SKIPGRAM_LAYOUTS as LAYOUTS
from gpu_calls import device
from skipgram_cases import Case, differences, train

pytestmark = pytest.mark.gpu

# Programs run at once: tiles share no nodes.
TILES = Case(nodes=60, num_walk=40, num_nodes=50, apart=True, dim=128, scale=0.1, weight_decay=0.01, lr=0.05)
FEW_TILES = replace(TILES, num_walk=6)


def distances(case, layout=None, **options):
    """Return how far both tables and the loss are from what units do, as shares of how far they move."""
    layout = {} if layout is None else layout
    merge = None if layout.get("add") is None else not layout["add"]
    got, num_got = train(case, GPU, launch=GPU.skipgram.Launch(**layout), **options)
    want, num_want = train(case, REFERENCE, skipgram_units.train_walks, merge=merge)
    assert num_got == num_want > 0
    tables = [np.linalg.norm(g - w) / np.linalg.norm(w) for _, g, w in differences(got, want)[:2]]
    return max(tables), abs(got.statistics[0] / want.statistics[0] - 1.0)


@pytest.mark.parametrize(("product", "limit", "least"), [("fp32", 1e-5, 0), ("tf32", 2e-3, 1e-5), ("bf16", 2e-2, 5e-4)])
@pytest.mark.parametrize("dim", [16, 128, 300])
@pytest.mark.parametrize("layout", [{}, {"add": False}], ids=str)
def test_products(layout, dim, product, limit, least):
    tables, loss = distances(replace(TILES, dim=dim), layout, product=product)
    assert least < tables < limit
    assert loss < limit


@pytest.mark.parametrize("optimizer", ["SGD with a largest step", "Momentum", "AdaGrad", "RMSprop", "Adam"])
def test_optimizers_with_bf16_products(optimizer):
    tables, loss = distances(replace(FEW_TILES, optimizer=optimizer), product="bf16")
    assert tables < 2e-2
    assert loss < 2e-2


@pytest.mark.parametrize("layout", [*LAYOUTS, {"num_program": 132, "num_warps": 8}], ids=str)
@pytest.mark.parametrize("dim", [128, 300])
def test_layouts_with_bf16_products(dim, layout):
    tables, loss = distances(replace(FEW_TILES, dim=dim), layout, product="bf16")
    assert tables < 2e-2
    assert loss < 2e-2


def test_layouts_of_less_shared_memory():
    layout, seen = GPU.skipgram.Launch(), 0
    want = train(FEW_TILES, GPU, product="bf16")[0]
    while (layout := layout.smaller()) is not None:
        got = train(FEW_TILES, GPU, launch=layout, product="bf16")[0]
        for _, g, w in differences(got, want)[:2]:
            assert np.linalg.norm(g - w) < 1e-4 * np.linalg.norm(w)
        seen += 1
    assert seen == 3


def test_additions_of_programs_that_run_at_once_all_count():
    # Hundreds of tiles on the same few nodes, in steps so small that they hardly see each other: the sum of all, to 0.3 %. What
    # one tile adds makes up 0.8 % and more.
    case = Case(nodes=8, num_walk=8 * 400, num_nodes=20, dim=16, scale=0.1, num_negative=2, step=2, lr=1e-6)
    got, num_got = train(case, GPU)
    want, num_want = train(case, REFERENCE)
    assert num_got == num_want
    for _, g, w in differences(got, want)[:2]:
        assert np.linalg.norm(g - w) < 5e-3 * np.linalg.norm(w)


@pytest.mark.parametrize(("optimizer", "lr"), [("SGD", 5e-5), ("Momentum", 5e-5)])
def test_rounding_of_bf16_tables_is_unbiased(optimizer, lr):
    check_means(Bf16Problem(replace(BF16_CASE, optimizer=optimizer, lr=lr)), rounds=400, product="bf16")


def test_bf16_tables_wider_than_what_is_kept_are_refused():
    with pytest.raises(ValueError, match="at most 256 columns, got 272"):
        Bf16Problem(replace(BF16_CASE, dim=272)).train(product="bf16")


def test_narrow_blocks_of_rows_that_are_read_twice_and_stored_are_refused():
    with pytest.raises(ValueError, match="expected blocks of 64 columns, got 16"):
        train(FEW_TILES, GPU, launch=GPU.skipgram.Launch(add=False, keep=0, block=16))


def pairs_of(walks, step):
    """Return the number of pairs of walks without ends, both ways."""
    return 2 * sum(int((walks[:, k:] != walks[:, :-k]).sum()) for k in range(1, step + 1))


def random_training(num_nodes, dim, num_tile, dtype, **options):
    """Train on random walks, a tile each; return tables as they were and as they are, walks, pairs and statistics."""
    import torch

    from nodeloom.kernels.gpu.skipgram import train_walks

    on = device()
    chance = torch.Generator(on).manual_seed(7)
    tables = [torch.randn(num_nodes, dim, device=on, dtype=dtype, generator=chance) * 0.1 for _ in range(2)]
    before = [table.clone() for table in tables]
    none = torch.empty(0, device=on)
    walks = torch.randint(num_nodes, (num_tile, 64), device=on, dtype=torch.int32, generator=chance)
    negatives = torch.randint(num_nodes, (num_tile, 1, 16), device=on, dtype=torch.int32, generator=chance)
    rates = torch.full((num_tile,), 0.01, device=on)
    statistics = torch.zeros(2, dtype=torch.float64, device=on)
    count = train_walks(
        *tables, none, none, none, none, walks, negatives, rates, 5, True, 5.0, 0.0,
        0, [0.0, 0.0, 0.0], statistics, **options,
    )  # fmt: skip
    return before, tables, walks, int(count), statistics.tolist()


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_many_tiles_on_a_large_table(dtype):
    import torch

    before, after, walks, count, (loss, weight) = random_training(
        1_000_000, 128, 100_000, getattr(torch, dtype), product="bf16"
    )
    assert count == pairs_of(walks, 5)
    assert weight == pytest.approx(6.0 * pairs_of(walks[::32], 5), rel=1e-5)
    # Scores of random rows are near 0, where each of 1 + 5 samples costs log 2.
    assert loss / weight == pytest.approx(np.log(2.0), rel=0.1)
    touched = torch.unique(walks.long())
    for old, new in zip(before, after, strict=True):
        assert torch.isfinite(new).all()
        assert (old[touched] != new[touched]).any(1).float().mean() > 0.999
    untouched = torch.ones(len(before[0]), dtype=torch.bool, device=walks.device)
    untouched[touched] = False
    assert untouched.any()
    assert torch.equal(before[0][untouched], after[0][untouched])


def need(gigabytes):
    import torch

    free, _ = torch.cuda.mem_get_info()
    if free < (gigabytes + 2) << 30:
        pytest.skip(f"needs {gigabytes} GiB on the GPU, {free >> 30} are free")


@pytest.mark.parametrize("add", [True, False], ids=["added", "stored"])
def test_rows_behind_2_to_the_31_numbers(add):
    # The last rows of a table of more than 2^31 numbers are trained as those of a small one.
    import torch

    from nodeloom.kernels.gpu.skipgram import Launch, train_walks

    need(18)
    case = replace(FEW_TILES, weight_decay=0.0, seed=1)
    one = Launch(add=add, num_program=1)  # tiles that share rows: side by side they come out differently each time
    want = train(case, GPU, launch=one)[0]
    start, first = train(case, GPU, lr=0.0)[0], 1 << 24
    # Places of a negative that a tile draws twice are added up in small tables only; in large ones one of two stores is lost.
    assert all(len(set(drawn)) == case.num_negative for drawn in start.negatives[:, 0].tolist())
    on = device()
    rows = len(start.tables[0])
    tables = [torch.empty(first + rows, case.dim, device=on) for _ in range(2)]
    for table, small in zip(tables, start.tables[:2], strict=True):
        table[first:] = torch.from_numpy(small.copy())
    none = torch.empty(0, device=on)
    train_walks(
        *tables, none, none, none, none, torch.from_numpy(start.walks + first).to(on),
        torch.from_numpy(start.negatives + first).to(on), torch.from_numpy(start.lr).to(on), case.step,
        case.two_sided, case.negative_weight, 0.0, 0, [0.0, 0.0, 0.0], torch.zeros(2, dtype=torch.float64, device=on),
        launch=one,
    )  # fmt: skip
    for table, small, old in zip(tables, want.tables[:2], start.tables[:2], strict=True):
        got = table[first:].cpu().numpy()
        assert np.abs(got - old).max() > 1e-3
        np.testing.assert_allclose(got, small, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("nodes", [20, 64])
def test_walks_whose_steps_are_far_apart(nodes):
    # Walks stored step by step, so many that the last step lies behind 2^31 numbers; of which the first tile is trained.
    import torch

    from nodeloom.kernels.gpu.skipgram import train_walks

    need(9)
    case = Case(nodes=nodes, num_walk=max(1, 64 // nodes), dim=16)
    want, start = train(case, GPU)[0], train(case, GPU, lr=0.0)[0]
    on = device()
    stride = (1 << 31) // (nodes - 1) + 1
    walks = torch.empty(nodes * stride, dtype=torch.int32, device=on).view(nodes, stride).T[: case.num_walk]
    walks.copy_(torch.from_numpy(start.walks))
    tables = [torch.from_numpy(t.copy()).to(on) for t in start.tables]
    arrays = [torch.from_numpy(a).to(on) for a in (start.negatives, start.lr)]
    train_walks(
        *tables, walks, *arrays, case.step, True, case.negative_weight, 0.0, 0, [0.0, 0.0, 0.0],
        torch.zeros(2, dtype=torch.float64, device=on),
    )  # fmt: skip
    for table, small in zip(tables, want.tables, strict=True):
        np.testing.assert_allclose(table.cpu().numpy(), small, rtol=1e-5, atol=1e-6)
