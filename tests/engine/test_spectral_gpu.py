"""Spectral methods on a GPU give what they give on the CPU; where there is none, torch runs them on the CPU."""

from __future__ import annotations

import dataclasses
import gc
import logging
import weakref

import numpy as np
import pytest
from spectral_settings import settings

from gpu_runs import GB, INTERPRETED, fake_gpu
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine.spectral import make_spectral_plan, run_spectral
from nodeloom.engine.spectral import plan as plan_module
from nodeloom.engine.spectral.operator import forward
from nodeloom.engine.spectral.tables import CpuTables, column_bounds
from nodeloom.errors import MemoryLimitError

pytest.importorskip("torch", reason="torch is not installed (extra gpu)")


@pytest.fixture(scope="module")
def graph():
    edges = planted_partition(120, 700, 4, seed=3)[0]
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(edges))
    return Graph.from_edges(edges, weights=weights, num_nodes=122)


@pytest.fixture(scope="module")
def arcs():
    return Graph.from_edges(np.random.default_rng(1).integers(90, size=(400, 2)), num_nodes=92, directed=True)


@pytest.fixture
def tables():
    from nodeloom.engine.spectral.gpu_tables import GpuTables

    with GpuTables("cuda:0").running() as found:
        yield found


WIDTHS = [1, 3, 4, 5, 12, 40]


def operations(backend, graph):
    """Return what every operation gives, as arrays."""
    rng = np.random.default_rng(0)
    table = rng.normal(size=(122, 12)).astype(np.float32)
    table[5] = 0
    factors, matrix = rng.random(122).astype(np.float32), backend.matrix(forward(graph, 0.3))
    turn, mean = rng.normal(size=(12, 12)), rng.normal(size=12)
    first = backend.random(2**63 + 17, 122, 12)
    x = backend.upload(table)
    out = backend.empty_like(x)
    backend.product(matrix, x, out)
    added = backend.scaled(out, 2.0)
    backend.combine(added, 0.5, x, -1.5)
    backend.combine(added, backend.column(factors), x, 0.25)
    backend.combine(added, backend.column(-factors), x, backend.column(factors))
    moments = backend.moments(added, 1.5)
    plain = backend.moments(out, None)
    square = backend.transform(backend.upload(table), mean, turn)
    narrow = backend.transform(x, mean, turn[:, :5])
    tables = [np.array(backend.download(table)) for table in (first, out, added, square, narrow)]
    return [*tables, *moments, *plain]


def test_operations(graph, tables):
    with CpuTables(2).running() as ours:
        want, got = operations(ours, graph), operations(tables, graph)
    np.testing.assert_array_equal(want[0], got[0])
    for one, other in zip(want, got, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("width", WIDTHS)
def test_operations_in_blocks(graph, tables, width):
    from nodeloom.engine.spectral.gpu_columns import BlockedGpuTables

    with BlockedGpuTables("cuda:0", width).running() as blocked:
        want, got = operations(tables, graph), operations(blocked, graph)
    np.testing.assert_array_equal(want[0], got[0])
    for one, other in zip(want, got, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("model", ["propagation", "ProNE"])
@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
def test_vectors_are_those_of_the_cpu(graph, arcs, model, directed):
    subject = arcs if directed else graph
    plan = make_spectral_plan(subject, settings(model=model, dim=8, num_iteration=5))
    on_cpu = run_spectral(subject, plan)
    on_gpu = run_spectral(subject, dataclasses.replace(plan, device="cuda:0"))
    assert on_gpu.report.device == "cuda:0" and on_gpu.report.num_step == on_cpu.report.num_step
    # Columns may come in other signs: products of rows.
    want, got = on_cpu.vertex @ on_cpu.vertex.T, on_gpu.vertex @ on_gpu.vertex.T
    np.testing.assert_allclose(got, want, atol=2e-2)


# ------------------------------------------------------------------------------------------------------- column blocks


def on_gpu(graph, **options):
    plan = make_spectral_plan(graph, settings(**options))
    return dataclasses.replace(plan, device="cuda:0")


@pytest.mark.parametrize(
    ("model", "directed", "width"),
    [
        ("propagation", False, 3), ("propagation", True, 1), ("ProNE", False, 8), ("ProNE", True, 3),
        ("scales", False, 1), ("scales", True, 8),
    ],
)  # fmt: skip
def test_vectors_in_blocks_are_those_of_whole_tables(graph, arcs, model, directed, width):
    options = {"model": "propagation", "num_scale": 2, "residual": 0.3} if model == "scales" else {"model": model}
    subject = arcs if directed else graph
    plan = on_gpu(subject, dim=8, num_iteration=3, **options)
    whole = run_spectral(subject, plan)
    blocked = run_spectral(subject, dataclasses.replace(plan, block_columns=width))
    assert blocked.vertex.flags.c_contiguous and blocked.vertex.shape == whole.vertex.shape
    assert blocked.report.num_step == whole.report.num_step
    want, got = whole.vertex @ whole.vertex.T, blocked.vertex @ blocked.vertex.T
    np.testing.assert_allclose(got, want, atol=2e-2)
    if model != "ProNE":  # whose signs may turn
        np.testing.assert_allclose(blocked.vertex, whole.vertex, atol=2e-3)


def test_memory_of_tables_is_used_again(graph):
    from nodeloom.engine.spectral.gpu_columns import BlockedGpuTables

    with BlockedGpuTables("cuda:0", 5).running() as backend:
        one, other = backend.random(1, 122, 12), backend.random(2, 122, 12)
        kept = other.blocks[0].clone()
        place = one.blocks[0].data_ptr()
        del one
        narrower = backend.random(3, 122, 7)
        assert narrower.blocks[0].data_ptr() == place
        assert (other.blocks[0] == kept).all()
        third = backend.empty_like(other)
        assert third.blocks[0].data_ptr() not in (place, other.blocks[0].data_ptr())
        del third
        got = backend.download(other)  # gives back what is free
        assert len(backend._buffers) == 2
    np.testing.assert_array_equal(got[:, :5], kept.numpy())


class Peak:
    """Counts the bytes of tensors that a device holds at a time."""

    def __init__(self, monkeypatch):
        from nodeloom.engine.gpu.device import Device

        self.now = self.most = 0
        for name in ("empty", "upload"):
            monkeypatch.setattr(Device, name, self._counted(getattr(Device, name)))

    def _counted(self, real):
        def counted(*arguments, **options):
            tensor = real(*arguments, **options)
            self._add(tensor.untyped_storage().nbytes())
            weakref.finalize(tensor, self._add, -tensor.untyped_storage().nbytes())
            return tensor

        return counted

    def _add(self, number):
        self.now += number
        self.most = max(self.most, self.now)


@pytest.fixture
def placed(monkeypatch):
    """Return a function that makes the plan of a graph for a GPU with so much memory."""

    def make(graph, free=16 * GB, gpu_memory_limit="auto", device="cuda", **options):
        if INTERPRETED:
            monkeypatch.setattr(plan_module, "resolve_device", lambda resource, deterministic: "cuda:0")
        monkeypatch.setattr(plan_module, "find_gpu", lambda index: fake_gpu(free))
        monkeypatch.setattr(plan_module, "LIBRARY_BYTES", 0)  # or graphs would have to be large
        asked = settings(**options)
        resource = asked.resource.model_copy(update={"device": device, "gpu_memory_limit": gpu_memory_limit})
        return make_spectral_plan(graph, dataclasses.replace(asked, resource=resource))

    return make


@pytest.fixture(scope="module")
def large():
    return Graph.from_edges(np.random.default_rng(0).integers(6000, size=(12000, 2)), num_nodes=6000)


@pytest.mark.parametrize("model", ["propagation", "ProNE"])
@pytest.mark.parametrize("dim", [64, 100])
def test_tables_go_in_blocks_where_they_do_not_fit(placed, large, model, dim):
    whole = placed(large, model=model, dim=dim)
    assert whole.block_columns == 0 and "columns" not in str(whole)
    need = whole.num_device_bytes
    assert placed(large, gpu_memory_limit=need, model=model, dim=dim).to_dict() == whole.to_dict()
    before = whole.width + 4
    for share in (0.999, 0.8, 0.5, 0.3, 0.25):
        for asked in ({"gpu_memory_limit": int(need * share)}, {"free": int(need * share / 0.9) + 2}):
            plan = placed(large, model=model, dim=dim, **asked)
            assert plan.device == "cuda:0" and 0 < plan.block_columns <= before
            assert plan.num_device_bytes <= need * share + 2
            assert f"tables in main memory, columns in blocks of {plan.block_columns}" in str(plan)
            wider = dataclasses.replace(plan, block_columns=plan.block_columns + 8)
            blocks = [len(column_bounds(plan.width, one.block_columns)) for one in (plan, wider)]
            spent = sum(plan_module._device_memory(wider, large).values())
            assert spent > need * share or blocks[0] == blocks[1]  # no more would fit, or it would not help
            assert plan.memory["tables"] >= 2 * 4 * large.num_nodes * dim
        before = plan.block_columns


@pytest.mark.parametrize(
    ("model", "share"),
    [
        pytest.param("propagation", 0.8, marks=pytest.mark.slow),
        ("propagation", 0.3),
        pytest.param("ProNE", 0.4, marks=pytest.mark.slow),
    ],
)
def test_memory_stays_within_the_limit(placed, large, monkeypatch, model, share):
    limit = int(placed(large, model=model, dim=32).num_device_bytes * share)
    plan = placed(large, gpu_memory_limit=limit, model=model, dim=32, num_iteration=2)
    assert plan.block_columns
    gc.collect()
    peak = Peak(monkeypatch)
    run_spectral(large, plan)
    assert limit / 4 < peak.most <= plan.num_device_bytes <= limit


def test_where_the_matrix_does_not_fit_the_cpu_takes_over(placed, large, caplog):
    narrow = dataclasses.replace(placed(large, dim=64), block_columns=1)
    need = sum(plan_module._device_memory(narrow, large).values())
    assert placed(large, dim=64, gpu_memory_limit=need).block_columns == 1
    with caplog.at_level(logging.WARNING, "nodeloom"):
        plan = placed(large, dim=64, gpu_memory_limit=need - 1, device="auto")
    assert plan.device == "cpu" and plan.block_columns == 0 and not plan.device_memory
    assert "computing on the CPU, since cuda:0 would need" in caplog.text
    with pytest.raises(MemoryLimitError, match=r"even with one column at a time.*Give device='cpu'"):
        placed(large, dim=64, gpu_memory_limit=need - 1)


def test_main_memory_is_kept_to(placed, large, monkeypatch):
    monkeypatch.setattr("nodeloom.engine.machine.total_memory", lambda: 3_000_000)
    assert placed(large, dim=32).num_bytes <= 3_000_000  # vectors and graph
    with pytest.raises(MemoryLimitError, match=r"at most 3 MB of memory, got .*tables"):
        placed(large, dim=100, gpu_memory_limit=2_000_000)
