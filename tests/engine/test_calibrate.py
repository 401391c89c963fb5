"""The rate that a plan promises."""

from __future__ import annotations

import dataclasses
import importlib.util

import numpy as np
import pytest

from nodeloom.engine import make_plan
from nodeloom.engine.modes import with_rate
from nodeloom.engine.rates import blocks, tiles
from nodeloom.kernels.cpu import skipgram
from nodeloom.kernels.cpu._jit import is_compiled


@pytest.mark.parametrize("values", [{}, {"model": "LINE", "order": "both", "optimizer": "Adam"}, {"dim": 100}])
def test_rate_and_seconds(engine, graph, monkeypatch, values):
    monkeypatch.setattr(tiles, "_SECONDS", 0.02)
    plan = with_rate(make_plan(graph, engine.settings(**values)))
    assert 1e5 < plan.rate < 1e9
    assert plan.seconds == plan.total_pair / plan.rate
    assert "M pairs/s, as measured here" in dict(plan.rows())["time"]


def test_no_more_memory_than_a_large_table(engine, graph, monkeypatch):
    # Regression: 2^18 rows were taken at any width.
    class EnoughError(Exception):
        pass

    def allocate(rows, row):
        assert rows * row <= 1 << 25
        raise EnoughError

    monkeypatch.setattr(tiles, "aligned_zeros", allocate)
    for dim in (1, 128, 65536):
        plan = dataclasses.replace(make_plan(graph, engine.settings(dim=dim)), num_nodes=10**9)
        with pytest.raises(EnoughError):
            with_rate(plan)


def test_nothing_is_compiled_for_a_rate_that_is_not_waited_for(engine, graph, monkeypatch):
    plan = make_plan(graph, engine.settings())
    monkeypatch.setattr(tiles, "_SECONDS", 0.02)
    with_rate(plan)  # from here on the kernel is compiled
    assert with_rate(plan, compiled_only=True).rate > 0
    monkeypatch.setattr(tiles, "is_compiled", lambda kernel, *arguments: False)
    monkeypatch.setattr(skipgram, "train_walks", None)
    assert with_rate(plan, compiled_only=True) == plan
    on_gpu = dataclasses.replace(plan, device="cuda:0")
    assert with_rate(on_gpu, compiled_only=True) == on_gpu


def test_what_is_compiled(tmp_path):
    path = tmp_path / "kernel_of_a_test.py"
    path.write_text("from nodeloom.kernels.cpu._jit import jit\n@jit\ndef double(a):\n    return 2 * a\n")

    def read():
        spec = importlib.util.spec_from_file_location("kernel_of_a_test", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module.double

    kernel = read()
    assert not is_compiled(kernel, np.float32(1))
    assert kernel(np.float32(1)) == 2
    assert is_compiled(kernel, np.float32(3))
    assert not is_compiled(kernel, np.ones(3)) and not is_compiled(kernel, 1)
    again = read()  # as another process would
    assert is_compiled(again, np.float32(1)) and not is_compiled(again, np.ones(3))


def test_what_is_compiled_is_no_part_of_the_rate_of_a_grid():
    # Regression: kernels for the few pairs that were missing at the end took half a second, and a plan foretold 168 s for 12.
    looks = [(15_000_000, 4.8), (30_000_000, 4.806), (45_000_000, 4.812), (60_000_000, 4.818)]
    assert blocks._rate_of(looks) == pytest.approx(2.5e9)
    assert blocks._rate_of([*looks, (60_000_320, 5.36), (60_000_600, 5.37)]) == pytest.approx(2.5e9)
    assert blocks._rate_of(looks[:1]) == pytest.approx(15e6 / 4.8)


def test_what_a_pair_of_a_grid_takes_on_a_gpu(engine, graph, monkeypatch):
    monkeypatch.setattr(blocks, "_bytes_per_second", lambda device: 1e9)
    plan = make_plan(graph, engine.settings(num_partition=4))
    grid = dataclasses.replace(
        plan.grid, vertex_slots=1, context_slots=3, episode_pairs=1_000_000, moved_bytes=30_000_000,
        memory=plan.grid.memory | {"vertex parts": 1_000_000},
    )  # fmt: skip

    def seconds(trained, **values):
        cut = dataclasses.replace(grid, **values)
        on_gpu = dataclasses.replace(plan, device="cuda:0", mode=dataclasses.replace(plan.mode, grid=cut))
        return 1e9 * blocks._seconds_of_pair(on_gpu, trained * 1e-9)

    # Nanoseconds: 16 blocks; two passes more than in the measurement; 300 nodes in each of four parts.
    blocks_alone, passes, visits = 3.2, 4.0, 300 * 4 * 75 / 1e6
    rest = blocks_alone + passes + visits
    # One vertex buffer: three parts are stored and loaded while nothing is trained, the other 27 bytes a pair beside the training.
    assert seconds(100.0) == pytest.approx(100 + 6 + rest)
    assert seconds(5.0) == pytest.approx(27 + 6 + rest)
    assert seconds(5.0, context_slots=2) == pytest.approx(54 + 6 + rest)
    assert seconds(5.0, vertex_slots=2) == pytest.approx(30 + rest)
    assert seconds(5.0, moved_bytes=0) == pytest.approx(5 + blocks_alone)
