"""Walks and negatives of a training on a GPU: the same ones wherever they are drawn, in pools of any size."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpu_runs import same_tables
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.plan import planner
from nodeloom.sampling import NegativeSampler, WalkSampler

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

from nodeloom.engine.gpu import samplers  # noqa: E402
from nodeloom.engine.gpu.device import Device  # noqa: E402
from nodeloom.engine.gpu.samplers import DeviceNegatives, DeviceWalks, HostWalks  # noqa: E402

EDGES = planted_partition(100, 300, 4, seed=3)[0]
GRAPHS = {
    "undirected": Graph.from_edges(EDGES),
    "weighted": Graph.from_edges(EDGES, weights=np.random.default_rng(2).gamma(0.5, size=len(EDGES)) + 1e-3),
    "directed": Graph.from_edges(EDGES, directed=True),
}


@pytest.fixture
def plan_of(quick):
    """Return a function that makes plans with walks of 16 nodes, four of which are a tile, in pools of five tiles."""

    def plan_of(graph, **values):
        quick.pools(tiles=5)
        plan = quick.plan(graph, random_walk_length=15, num_epoch=1000, **values)
        assert (plan.walks_per_tile, plan.tiles_per_pool) == (4, 5)
        return plan

    return plan_of


def expected_walks(graph, plan, first, count):
    out = np.empty((count, plan.positives.nodes_per_walk), np.int32)
    WalkSampler.of(graph, p=plan.positives.p, q=plan.positives.q, seed=plan.stages[0].seed).sample(first, out)
    return out


def tensor(*shape):
    return torch.full(shape, -7, dtype=torch.int32, device=Device("cuda:0").torch)


def host_walks(graph, plan, num_buffer=3):
    return HostWalks(graph, plan, plan.stages[0], Device("cuda:0"), num_buffer=num_buffer)


# --------------------------------------------------------------------------------------------------- same vectors


@pytest.mark.parametrize(
    "values", [{}, {"model": "node2vec", "p": 0.25, "q": 2}, {"positive_reuse": 2}, {"dim": 10}], ids=str
)
@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("num_thread", [1, 4])
def test_vectors_are_the_same_to_the_last_bit(quick, name, values, num_thread):
    if not quick.exact:
        pytest.skip("on a card the order of changes is open")
    quick.pools(tiles=3)
    on_device = quick.train(GRAPHS[name], **values)
    on_host = quick.train(GRAPHS[name], sampler="host", num_thread=num_thread, **values)
    assert same_tables(on_device, on_host)
    assert on_device.report.num_pair == on_host.report.num_pair
    assert on_device.report.loss == on_host.report.loss


def test_vectors_are_the_same_with_the_kernels_of_the_gpu(on_gpu):
    values = {"num_epoch": 12, "random_walk_length": 7}
    on_gpu.pools(at_least=3)
    on_device, on_host = (on_gpu.train(GRAPHS["weighted"], sampler=where, **values) for where in ("device", "host"))
    assert on_device.report.num_pair == on_host.report.num_pair
    if on_gpu.exact:
        assert same_tables(on_device, on_host)


# ------------------------------------------------------------------------------------------------ walks from the host


@pytest.mark.parametrize("num_buffer", [1, 2, 3])
@pytest.mark.parametrize("first_tile", [0, 1, 1003])
def test_pools_of_any_size_are_filled_in_order(plan_of, num_buffer, first_tile):
    graph = GRAPHS["weighted"]
    plan = plan_of(graph)
    random = np.random.default_rng(num_buffer)
    walks = host_walks(graph, plan, num_buffer)
    at = first_tile * 4
    with walks:
        walks.begin(at)
        for _ in range(60):
            count = int(random.integers(1, 6)) * 4
            out = tensor(count, 16)
            walks.fill(at, out)
            np.testing.assert_array_equal(out.cpu().numpy(), expected_walks(graph, plan, at, count))
            at += count


@pytest.fixture(scope="module")
def of_five(engine):
    """Return a graph and a plan with five tiles in a pool, for the samplers only."""
    graph = GRAPHS["undirected"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(planner, "TILES_PER_POOL", 5)
        plan = make_plan(graph, engine.settings(random_walk_length=15, num_epoch=1000, device="cpu", num_thread=2))
    assert plan.tiles_per_pool == 5
    return graph, plan


@given(wanted=st.lists(st.integers(1, 12), min_size=1, max_size=12), num_buffer=st.integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_what_is_left_of_a_buffer_is_used_first(of_five, wanted, num_buffer):
    graph, plan = of_five
    walks, at = host_walks(graph, plan, num_buffer), 0
    with walks:
        walks.begin(0)
        for tiles in wanted:  # of several buffers as well
            count = tiles * 4
            out = tensor(count, 16)
            walks.fill(at, out)
            assert (out.cpu().numpy() == expected_walks(graph, plan, at, count)).all()
            at += count


def test_threads_work_ahead_and_end(plan_of):
    graph = GRAPHS["undirected"]
    plan = plan_of(graph, num_thread=2)

    def running():
        return [thread for thread in threading.enumerate() if thread.name.startswith("nodeloom")]

    walks = host_walks(graph, plan)
    assert not running()  # nothing before it begins
    with walks:
        walks.begin(0)
        assert len(running()) == 2
        out = tensor(20, 16)
        walks.fill(0, out)
        pool, deadline = walks._pool, time.monotonic() + 10
        while any(filling.left for filling in pool._filling):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        assert len(pool._filling) == 2  # the other buffers are full
    assert not running()
    with walks:  # what did not begin has nothing to end
        pass


def test_a_batch_that_is_used_in_part_is_dropped_at_the_end(quick, monkeypatch):
    made = []
    real = samplers.WalkPool
    monkeypatch.setattr(samplers, "WalkPool", lambda *a, **k: made.append(real(*a, **k)) or made[-1])
    quick.pools(tiles=4, at_least=1)
    calls = quick.record()
    quick.train(GRAPHS["undirected"], sampler="host", num_epoch=17)
    tiles = [len(call.lr) for call in calls]
    assert tiles[-1] < 4
    assert sum(tiles) % 4
    assert made[0]._closed


def test_the_graph_stays_in_main_memory(quick, monkeypatch):
    uploaded, real = [], Device.upload
    monkeypatch.setattr(Device, "upload", lambda device, array: uploaded.append(array) or real(device, array))
    graph = GRAPHS["weighted"]
    for where, count in (("host", 0), ("device", 2)):
        uploaded.clear()
        quick.train(graph, sampler=where, num_epoch=5)
        assert sum(array is graph.indptr or array is graph.indices for array in uploaded) == count


# ------------------------------------------------------------------------------------------- walks and negatives there


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.parametrize("p", [1.0, 0.25])
def test_walks_of_the_device_can_be_drawn_at_any_time(on_gpu, name, p):
    graph = GRAPHS[name]
    plan = on_gpu.plan(graph, random_walk_length=5, model="node2vec", p=p)
    walks = DeviceWalks(graph, plan, plan.stages[0], Device("cuda:0"))
    for first, count in ((10, 8), (2**40, 8), (0, 3)):
        out = tensor(6, count).t()
        with walks:
            walks.fill(first, out)
        np.testing.assert_array_equal(out.cpu().numpy(), expected_walks(graph, plan, first, count))


@pytest.mark.parametrize("exponent", [0.0, 0.75])
def test_negatives_are_those_of_the_cpu(on_gpu, exponent):
    graph = GRAPHS["directed"]
    plan = on_gpu.plan(graph, negative_sample_exponent=exponent, seed=5)
    drawn = []
    for reuse in (0, 1, 2):
        out, expected = tensor(30, 7), np.empty((30, 7), np.int32)
        DeviceNegatives(graph, plan, plan.stages[0], Device("cuda:0")).fill(11, out, reuse)
        NegativeSampler.of(graph, exponent=exponent, seed=5).sample(11, expected, reuse=reuse)
        np.testing.assert_array_equal(out.cpu().numpy(), expected)
        drawn.append(expected)
    assert (drawn[0] != drawn[1]).mean() > 0.5 and (drawn[1] != drawn[2]).mean() > 0.5
