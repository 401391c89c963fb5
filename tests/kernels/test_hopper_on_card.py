"""The kernel of walk tiles for GPUs of compute capability 9.0, against units in NumPy and against the kernel of all GPUs."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import skipgram_units
from backends import GPU, REFERENCE
from skipgram_cases import Case, differences, train

pytestmark = pytest.mark.gpu

CLIPPED = "SGD with a largest step"
TILES = Case(
    nodes=64,
    num_walk=37,
    num_nodes=90,
    dim=128,
    num_negative=16,
    weight_decay=0.02,
    scale=0.2,
    lr=1e-3,
    apart=True,
)
CASES = {
    "default": TILES,
    "one tile": replace(TILES, num_walk=1),
    "narrow rows, one negative": replace(TILES, dim=32, num_negative=1),
    "24 negatives": replace(TILES, dim=96, num_negative=24),
    "32 negatives, wide rows": replace(TILES, dim=256, num_negative=32),
    "rows for one block of a multiprocessor": replace(TILES, dim=192, num_negative=5),
    "one direction": replace(TILES, two_sided=False),
    "the farthest near context": replace(TILES, step=8),
    "far contexts": replace(TILES, step=9, dim=64),
    "all contexts": replace(TILES, step=64, dim=160, two_sided=False),
    "three walks a tile": replace(TILES, nodes=20, num_walk=200),
    "walks that fill no tile": replace(TILES, nodes=41, num_walk=30, step=12),
    "edges": replace(TILES, nodes=2, num_walk=500, step=1),
    "walks that end": replace(TILES, dead=0.5, two_sided=False),
    "no walk": replace(TILES, dead=1.0, num_walk=16),
    "nodes that come back": replace(TILES, num_nodes=7),
    "one table": replace(TILES, shared_table=True),
    "64-bit nodes": replace(TILES, dtype=np.int64),
    "a largest step of some rows": replace(TILES, optimizer=CLIPPED, lr=2e-3),
    "a largest step of most rows": replace(TILES, optimizer=CLIPPED, lr=0.02, num_negative=24, dim=96),
    "a largest step, one direction": replace(
        TILES, optimizer=CLIPPED, lr=5e-3, two_sided=False, step=9, num_negative=32, dim=256
    ),
    "a largest step, nodes that come back": replace(TILES, optimizer=CLIPPED, lr=5e-3, num_nodes=7, dtype=np.int64),
}


@pytest.fixture(autouse=True)
def hopper():
    import torch

    if torch.cuda.get_device_capability() != (9, 0):
        pytest.skip("the GPU has another compute capability than 9.0")


def distance(case, want_case=None, **options):
    """Return how far both tables are from what units do, as a share of how far they move, and the same of the loss."""
    launch = GPU.skipgram.Launch(hopper=True, num_program=options.pop("num_program", 0))
    got, num_got = train(case, GPU, launch=launch, product="bf16", **options)
    want, num_want = train(want_case or case, REFERENCE, skipgram_units.train_walks, **options)
    assert num_got == num_want > 0
    moved = [np.linalg.norm(g - w) / np.linalg.norm(w) for _, g, w in differences(got, want)[:2]]
    assert got.statistics[1] == pytest.approx(want.statistics[1], rel=1e-6)
    return max(moved), abs(got.statistics[0] - want.statistics[0]) / max(want.statistics[0], 1e-9)


@pytest.mark.parametrize("name", CASES)
def test_tables_and_loss_are_those_of_the_reference(name):
    tables, loss = distance(CASES[name])
    assert 1e-4 < tables < 5e-3  # bf16 factors: 8 bits
    assert loss < 1e-3


@pytest.mark.parametrize(
    "changed",
    [{"weight_decay": 0.0}, {"negative_weight": 4.0}, {"lr": 2.04e-3}, {"optimizer": "SGD"}],
    ids=str,
)
def test_the_comparison_notices(changed):
    case = replace(TILES, num_walk=5, optimizer=CLIPPED, lr=2e-3)
    with pytest.raises(AssertionError):
        tables, loss = distance(case, replace(case, **changed))
        assert tables < 5e-3 and loss < 1e-3


def test_largest_rates():
    nodes = TILES.num_nodes * TILES.num_tile
    largest = np.random.default_rng(3).choice([1e-4, 4e-4, 1.0], nodes).astype(np.float32)
    assert distance(TILES, largest_rate=largest)[0] < 5e-3
    uncapped, capped = (
        train(TILES, GPU, launch=GPU.skipgram.Launch(hopper=True), product="bf16", **options)[0].tables[0]
        for options in ({}, {"largest_rate": largest})
    )
    assert np.linalg.norm(uncapped - capped) > 0.1 * np.linalg.norm(uncapped - train(TILES, GPU, lr=0.0)[0].tables[0])


@pytest.mark.parametrize("num_program", [1, 7, 1000])
def test_programs(num_program):
    assert distance(TILES, num_program=num_program)[0] < 5e-3


def test_one_program_gives_the_same_numbers_each_time():
    case = replace(TILES, num_nodes=20, apart=False)
    launch = GPU.skipgram.Launch(hopper=True, num_program=1)
    first, second = (train(case, GPU, launch=launch, product="bf16")[0].tables for _ in range(2))
    # Additions of one tile to one row come in any order.
    np.testing.assert_allclose(first[0], second[0], rtol=1e-5, atol=1e-6)


def test_the_kernel_of_all_gpus_does_the_same():
    both = [train(TILES, GPU, launch=GPU.skipgram.Launch(hopper=hopper), product="bf16")[0] for hopper in (True, False)]
    for _, g, w in differences(*both)[:2]:
        assert 0 < np.linalg.norm(g - w) < 5e-3 * np.linalg.norm(w)


@pytest.mark.parametrize(
    ("case", "options"),
    [
        (replace(TILES, dim=100), {"product": "bf16"}),
        (replace(TILES, dim=288), {"product": "bf16"}),
        (replace(TILES, num_negative=33), {"product": "bf16"}),
        (replace(TILES, nodes=65), {"product": "bf16"}),
        (replace(TILES, optimizer="Adam"), {"product": "bf16"}),
        (TILES, {"product": "fp32"}),
    ],
    ids=[
        "dim 100",
        "dim 288",
        "33 negatives",
        "several units",
        "Adam",
        "fp32 products",
    ],
)
def test_what_it_cannot_train_is_refused(case, options):
    with pytest.raises(ValueError, match=r"compute capability 9\.0"):
        train(case, GPU, launch=GPU.skipgram.Launch(hopper=True), **options)


def test_machine_code_is_kept(monkeypatch, tmp_path):
    from nodeloom.kernels.gpu import _cuda, _hopper

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    code = _cuda._machine_code(_hopper._SOURCE, defines := {
        "D": 32, "K": 16, "BAND": 1, "TWO_SIDED": 1, "CAPPED": 0, "CLIP": 1, "BLOCKS": 2, "Index": "int",
    })  # fmt: skip
    assert len(list(tmp_path.rglob("*.cubin"))) == 1
    driver, nvrtc = _cuda.bindings()
    version = nvrtc.nvrtcVersion()
    monkeypatch.setattr(_cuda, "bindings", lambda: (driver, SimpleNamespace(nvrtcVersion=lambda: version)))
    assert _cuda._machine_code(_hopper._SOURCE, defines) == code
