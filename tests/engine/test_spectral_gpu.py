"""Spectral methods on a GPU give what they give on the CPU; where there is none, torch runs them on the CPU."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from test_spectral import settings

from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine.spectral import make_spectral_plan, run_spectral
from nodeloom.engine.spectral.operator import forward
from nodeloom.engine.spectral.tables import CpuTables

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
    from nodeloom.engine.gpu.tables import GpuTables

    with GpuTables("cuda:0").running() as found:
        yield found


def test_operations(graph, tables):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(122, 12)).astype(np.float32)
    table[5] = 0
    factors, matrix = rng.random(122).astype(np.float32), forward(graph, 0.3)
    turn, mean = rng.normal(size=(12, 12)), rng.normal(size=12)
    with CpuTables(2).running() as ours:
        found = []
        for backend in (ours, tables):
            first = backend.random(2**63 + 17, 122, 12)
            x = backend.upload(table)
            out = backend.empty_like(x)
            backend.product(backend.matrix(matrix), x, out)
            added = backend.scaled(out, 2.0)
            backend.combine(added, 0.5, x, -1.5)
            backend.combine(added, backend.column(factors), x, 0.25)
            backend.combine(added, backend.column(-factors), x, backend.column(factors))
            moments = backend.moments(added, 1.5)
            plain = backend.moments(out, None)
            square = backend.transform(backend.upload(table), mean, turn)
            narrow = backend.transform(x, mean, turn[:, :5])
            found.append(
                [*(np.array(backend.download(t)) for t in (first, out, added, square, narrow)), *moments, *plain]
            )
    np.testing.assert_array_equal(found[0][0], found[1][0])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


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
