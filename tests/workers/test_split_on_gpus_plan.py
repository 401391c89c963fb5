"""The plan of workers on GPUs: parts where whole tables do not fit, what parts cannot do, and which worker has too little memory."""

from __future__ import annotations

import contextlib

import gpu_workers
import numpy as np
import pytest
from split_runs import communities
from worker_runs import settings_of

from gpu_runs import GB, INTERPRETED
from local_transport import together
from nodeloom import Graph
from nodeloom.engine import make_plan
from nodeloom.engine.modes import with_rate
from nodeloom.engine.workers import devices
from nodeloom.errors import ConfigError, MemoryLimitError
from nodeloom.plan import ring_on_gpus
from nodeloom.plan.mode import Copies, Ring

__all__ = ["communities"]  # a fixture


def planned(monkeypatch, graph, num_worker=2, free=16 * GB, **values):
    with monkeypatch.context() as patch:
        gpu_workers.prepare(patch, free=free)
        return together(
            num_worker, lambda transport: make_plan(graph, settings_of(**{"device": "cuda", **values}), transport)
        )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "LINE", "order": 1}, "order: expected 2 with several workers"),
        ({"model": "LINE", "order": "both"}, "order: expected 2 with several workers"),
        ({"num_partition": 6}, "num_partition: expected a multiple of the 4 workers, or auto, got 6"),
        ({"dim": 300, "table_dtype": "bf16"}, "table_dtype: expected fp32 with dim above 256"),
        ({"parallelism": "data", "num_partition": 4}, "num_partition: expected 1 or 'auto', since parallelism"),
    ],
    ids=str,
)
def test_what_workers_cannot_do_is_refused(monkeypatch, communities, values, message):
    with pytest.raises(ConfigError, match=message):
        planned(monkeypatch, communities[0], 4, **{"parallelism": "model", **values})


def test_more_parts_than_nodes_are_refused(monkeypatch):
    graph = Graph.from_edges(np.array([[0, 1], [1, 2]]))
    with pytest.raises(ConfigError, match="a graph of at least 4 nodes"):
        planned(monkeypatch, graph, 4, parallelism="model")
    (plan, *_) = planned(monkeypatch, graph, 2, parallelism="model")  # four parts would be too many
    assert plan.grid.num_context_part == 2


@pytest.mark.skipif(not INTERPRETED, reason="of a GPU that is none")
def test_parts_where_whole_tables_do_not_fit(monkeypatch, communities):
    graph, _ = communities
    plans = planned(monkeypatch, graph)
    assert [type(plan.mode) for plan in plans] == [Copies] * 2
    whole = plans[0].num_device_bytes
    values = {"dim": 256, "table_dtype": "fp32", "sampler": "device"}
    whole = planned(monkeypatch, graph, **values)[0].num_device_bytes
    plans = planned(monkeypatch, graph, free=int(whole * 2 / 0.95) - 4, **values)  # two share the GPU
    assert [type(plan.mode) for plan in plans] == [Ring] * 2
    assert [(plan.grid.num_vertex_part, plan.grid.num_context_part) for plan in plans] == [(2, 4)] * 2
    assert "result" in plans[0].memory and "result" not in plans[1].memory
    assert plans[0].num_device_bytes == plans[1].num_device_bytes <= whole
    text = str(plans[1])
    assert "2 workers, this one on cuda:0, fp32 tables" in text
    assert "goes to the next worker in every round, through main memory." in text
    # What only whole tables can do says that they do not fit.
    with pytest.raises(MemoryLimitError, match="for whole tables"):
        planned(monkeypatch, graph, free=int(whole * 0.8), model="LINE", order=1, **values)
    assert planned(monkeypatch, graph, num_partition=4)[0].mode.grid.num_context_part == 4  # parts are asked for


@pytest.mark.skipif(not INTERPRETED, reason="of a GPU that is none")
def test_what_fits_the_gpu_with_the_least_memory_is_taken(monkeypatch, communities, caplog):
    graph, _ = communities
    monkeypatch.setattr(ring_on_gpus, "walks_at_a_time", lambda limit, nodes: 100)
    values = {"dim": 128, "parallelism": "model", "num_epoch": 2000}

    def at(limit):
        return planned(monkeypatch, graph, gpu_memory_limit=limit, **values)[0]

    large = at(GB)
    assert (large.table_dtype, large.sampler) == ("fp32", "device")
    needed = large.num_device_bytes
    smaller = at(needed - large.device_memory["walks"])  # shorter episodes
    assert (smaller.table_dtype, smaller.sampler) == ("fp32", "device")
    assert smaller.grid.episode_pairs < large.grid.episode_pairs
    assert smaller.num_device_bytes <= needed - large.device_memory["walks"]
    found = []
    with contextlib.suppress(MemoryLimitError):
        found += (at(limit) for limit in range(needed, 0, -10_000))
    kinds = list(dict.fromkeys((plan.table_dtype, plan.sampler) for plan in found))
    assert kinds == [("fp32", "device"), ("fp32", "host"), ("bf16", "device"), ("bf16", "host")]
    assert "pinned buffers" in found[-1].memory
    with pytest.raises(MemoryLimitError, match=r"plan, worker 0: expected at most 50 kB on cuda:0, for parts of the"):
        at(50_000)
    with pytest.raises(MemoryLimitError, match=r"got '[\d.]+ kB more: bf16 tables, "):
        planned(monkeypatch, graph, gpu_memory_limit=50_000, table_dtype="bf16", parallelism="model")
    with pytest.raises(MemoryLimitError, match="Use more workers with a GPU each, lower dim"):
        at(50_000)  # not even a grid on one GPU fits
    # The advice is right: one worker trains with the limit that several cannot have.
    short = found[-1].num_device_bytes - 10_000
    more = r"got '[\d.]+ kB more: bf16 tables, .*leave the tables in main memory \(num_worker=1: one GPU trains them in parts\)"
    with pytest.raises(MemoryLimitError, match=more):
        at(short)
    alone = planned(monkeypatch, graph, 1, gpu_memory_limit=short, **values)[0]
    assert alone.grid is not None and alone.num_device_bytes <= short and alone.memory["tables"] > 0
    # GPUs that nobody asked for are left.
    plans = planned(monkeypatch, graph, gpu_memory_limit=50_000, **{**values, "device": "auto"})
    assert [(plan.device, type(plan.mode)) for plan in plans] == [("cpu", Ring)] * 2
    assert [record.getMessage()[:60] for record in caplog.records] == [
        "training on the CPU, since GPUs have too little memory: plan"
    ]


@pytest.mark.skipif(not INTERPRETED, reason="of a GPU that is none")
def test_the_worker_with_the_least_memory_is_named(monkeypatch, communities):
    graph, _ = communities
    limits = [("cuda:0", GB), ("cuda:1", 50_000)]
    monkeypatch.setattr(devices, "limits_of_gpus", lambda *_: limits)
    with pytest.raises(MemoryLimitError, match="plan, worker 1: expected at most 50 kB on cuda:1"):
        planned(monkeypatch, graph, parallelism="model")
    limits[1] = "cuda:1", GB
    needed = planned(monkeypatch, graph, parallelism="model")[0].num_bytes
    with pytest.raises(MemoryLimitError, match=r"plan, worker 0.*to put the result together"):
        planned(monkeypatch, graph, parallelism="model", memory_limit=needed - 1)


def test_long_trainings_have_more_episodes_and_slow_links_fewer(monkeypatch, communities):
    graph, _ = communities

    def episodes(**values):
        plan = planned(monkeypatch, graph, parallelism="model", **values)[0]
        return plan.total_pair / plan.grid.episode_pairs

    assert episodes(num_epoch=100) == pytest.approx(100, rel=0.01)  # of a small table
    monkeypatch.setitem(ring_on_gpus._BYTES_PER_SECOND, False, 1e5)
    assert episodes(num_epoch=100) == pytest.approx(10, rel=0.01)


def test_the_rate_is_that_of_all_workers(monkeypatch, communities):
    # Transfers between GPUs hide behind training, and are not those of a grid on one GPU.
    seen = []

    def rate_of_one(plan):
        seen.append(plan)
        return 5e8

    monkeypatch.setattr("nodeloom.engine.rates.blocks.measured_rate", rate_of_one)
    plan = planned(monkeypatch, communities[0], parallelism="model")[0]
    assert with_rate(plan, compiled_only=True) == plan
    assert with_rate(plan).rate == 1e9
    assert seen[0].device == "cuda:0" and seen[0].grid.moved_bytes == 0 < plan.grid.moved_bytes
