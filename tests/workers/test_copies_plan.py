"""What the plan of workers with whole tables says: how often they merge, what fits, and on which GPU each of them is."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import gpu_workers
import pytest
from worker_runs import settings_of

from gpu_runs import GB, INTERPRETED, fake_gpu
from local_transport import together
from nodeloom import Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine import make_plan
from nodeloom.engine.workers import devices
from nodeloom.errors import ConfigError, DeviceError, MemoryLimitError
from nodeloom.plan import memory, merges
from nodeloom.plan.memory import device_memory, merge_memory, merged_bytes
from nodeloom.plan.merges import merge_seconds, num_merges
from nodeloom.plan.mode import Copies, Ring

needs_pretence = pytest.mark.skipif(not INTERPRETED, reason="it pretends to have other GPUs than there are")


@pytest.fixture(scope="module")
def graph():
    edges, _ = planted_partition(400, 2000, 4, mixing=0.3, seed=3)
    return Graph.from_edges(edges, num_nodes=400)


def plans_of(monkeypatch, graph, num_worker, **values):
    settings = settings_of(**{"device": "cuda", **values})
    return together(num_worker, lambda transport: make_plan(graph, settings, transport))


# ------------------------------------------------------------------------------------------------------------- merges


def sized(nodes, edges, epochs, *, row=128, dtype="fp32", num_moment=0, orders=(2,)):
    """Return what of a plan says how often to merge."""
    parts = tuple(
        SimpleNamespace(row=row, tied=order == 1, objective=SimpleNamespace(tables=(None,) * order)) for order in orders
    )
    return SimpleNamespace(
        stages=parts, num_nodes=nodes, total_pair=edges * epochs * len(parts), table_dtype=dtype,
        device="cuda:0", optimizer=SimpleNamespace(num_moment=num_moment),
    )  # fmt: skip


def merges_of(plan, num_worker):
    return num_merges(plan, num_worker, merge_seconds(plan))


def test_a_small_table_is_merged_as_often_as_is_good():
    assert merges_of(sized(10_000, 300_000, 2000), 2) == merges.MERGES >= 10


def test_long_trainings_merge_more_often_and_large_tables_less():
    friendster = sized(65_608_366, 1_806_067_135, 2000, row=96, dtype="bf16")
    seconds = merges.expected_seconds(friendster, 2)
    assert 150 < seconds < 200
    number = merges_of(friendster, 2)
    assert merges.LEAST_MERGES <= number <= merges.MERGES
    assert number * merged_bytes(friendster) / 100e9 <= 0.05 * seconds
    long = sized(1_000_000, 100_000_000, 400_000)
    assert merges_of(long, 2) >= merges.expected_seconds(long, 2) / merges.LONGEST > merges.MERGES
    assert merges_of(sized(65_608_366, 1_806_067_135, 20), 8) == merges.LEAST_MERGES


@pytest.mark.parametrize(
    ("changes", "factor"),
    [
        ({}, 1),
        ({"dtype": "bf16"}, 0.5),
        ({"num_moment": 2}, 3),
        ({"orders": (1,)}, 0.5),
        ({"orders": (1, 2)}, 1),
        ({"row": 256}, 2),
    ],
    ids=str,
)
def test_bytes_of_a_merge(changes, factor):
    assert merged_bytes(sized(1000, 10, 1, **changes)) == pytest.approx(factor * 2 * 1000 * 128 * 4, rel=0.02)


def test_the_rate_is_that_of_all_less_the_merges(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    from nodeloom.engine.modes import with_rate
    from nodeloom.engine.rates import gpu

    monkeypatch.setattr(gpu, "measured_rate", lambda plan: 1e9)
    plan = plans_of(monkeypatch, graph, 2)[0]
    seconds = plan.total_pair / 2e9 + merges.MERGES * merged_bytes(plan) / 100e9
    assert with_rate(plan).seconds == pytest.approx(seconds)


# --------------------------------------------------------------------------------------------------------------- room


def test_the_plan_says_what_workers_have(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    first, second = plans_of(monkeypatch, graph, 2)
    assert (first.mode.num_merge, first.num_worker, first.grid) == (merges.MERGES, 2, None)
    assert first.device_memory["base"] == first.device_memory["tables"] == 2 * 400 * 32 * 4
    assert first.device_memory["merge buffers"] == 400 * 33 * 4
    assert "vectors" in first.memory and "vectors" not in second.memory  # those are with worker 0
    assert dataclasses.replace(second, memory=first.memory, optimizer=first.optimizer) == first
    size = merged_bytes(first)
    assert size == 2 * 400 * 33 * 4
    assert dict(first.rows())["tables"] == (
        f"2 workers with whole tables each on cuda:0; changes are merged {merges.MERGES} times, 106 kB each."
    )
    assert dict(first.rows())["device"].startswith("2 workers, this one on cuda:0, fp32 tables")
    longer = plans_of(monkeypatch, graph, 2, num_epoch=20_000)[0]
    tiles = longer.total_pair / longer.pairs_per_tile / 2 / longer.mode.num_merge  # between two merges
    assert 1 < longer.tiles_per_pool <= tiles / 7


def test_buffers_are_pieces_of_large_tables():
    plan = sized(10**7, 10**8, 10)
    assert merge_memory(plan)["base"] == 2 * 10**7 * 512
    assert merge_memory(plan)["merge buffers"] == pytest.approx(2 * memory._BUFFER, rel=0.02)


@needs_pretence
def test_the_gpu_with_the_least_memory_decides(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    whole = plans_of(monkeypatch, graph, 2, table_dtype="fp32", sampler="device")[0]
    for dtype, sampler in (("fp32", "host"), ("bf16", "device"), ("bf16", "host")):
        smaller = plans_of(monkeypatch, graph, 2, table_dtype=dtype, sampler=sampler)[0]
        limit = smaller.num_device_bytes
        assert limit < whole.num_device_bytes
        # Both share one card, so each has half of it.
        monkeypatch.setattr(devices, "find_gpu", lambda index, limit=limit: fake_gpu(2 * int(limit / 0.95 + 2)))
        found = plans_of(monkeypatch, graph, 2, parallelism="data")
        assert all(p.num_device_bytes <= limit for p in found)
        assert found[0].table_dtype == found[1].table_dtype and found[0].sampler == found[1].sampler
        assert (found[0].table_dtype, found[0].sampler) != ("fp32", "device")
    monkeypatch.setattr(devices, "find_gpu", lambda index: fake_gpu(limit))
    with pytest.raises(MemoryLimitError, match=r"plan, worker 0: expected at most .* on cuda:0, for whole tables, got"):
        plans_of(monkeypatch, graph, 2, parallelism="data")


def test_the_limit_is_that_of_each_worker(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    smaller = plans_of(monkeypatch, graph, 2, table_dtype="bf16", sampler="host")[0]
    found = plans_of(monkeypatch, graph, 2, gpu_memory_limit=smaller.num_device_bytes)[0]
    assert (found.table_dtype, found.sampler) == ("bf16", "host")


def test_the_base_takes_memory(monkeypatch, graph):
    # One GPU alone has room for the tables in fp32 where a copy beside others has not.
    gpu_workers.prepare(monkeypatch)
    whole = plans_of(monkeypatch, graph, 2, table_dtype="fp32", sampler="device")[0]
    alone = sum(device_memory(whole, graph).values())
    assert whole.num_device_bytes - alone == sum(merge_memory(whole).values()) > 2 * 400 * 32 * 4
    values = {"table_dtype": "fp32", "sampler": "device", "parallelism": "data"}
    with pytest.raises(MemoryLimitError, match=r"got 'fp32 tables, .*, base 102"):
        plans_of(monkeypatch, graph, 2, gpu_memory_limit=whole.num_device_bytes - 1, **values)
    assert plans_of(monkeypatch, graph, 2, gpu_memory_limit=whole.num_device_bytes, **values)[0].table_dtype == "fp32"


def test_main_memory_is_checked(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    with pytest.raises(MemoryLimitError, match=r"plan, worker 0: .*to put the result together"):
        plans_of(monkeypatch, graph, 2, parallelism="data", memory_limit=90_000)


# ------------------------------------------------------------------------------------------------------------ options


def test_who_has_what(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    assert isinstance(plans_of(monkeypatch, graph, 2)[0].mode, Copies)
    assert isinstance(plans_of(monkeypatch, graph, 2, parallelism="data")[0].mode, Copies)
    assert isinstance(plans_of(monkeypatch, graph, 2, parallelism="model")[0].mode, Ring)
    assert isinstance(plans_of(monkeypatch, graph, 2, num_partition=4)[0].mode, Ring)
    cpu = plans_of(monkeypatch, graph, 2, device="cpu")[0]
    assert (type(cpu.mode), cpu.device) == (Ring, "cpu")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_partition": 4}, "num_partition: expected 1 or 'auto', since parallelism is data, got 4"),
        ({"dim": 512, "table_dtype": "bf16"}, "table_dtype: expected fp32 with dim above 256"),
    ],
    ids=str,
)
def test_what_copies_cannot_do_is_refused(monkeypatch, graph, values, message):
    gpu_workers.prepare(monkeypatch)
    with pytest.raises(ConfigError, match=message):
        plans_of(monkeypatch, graph, 2, parallelism="data", **values)


# ------------------------------------------------------------------------------------------------------------ devices


@pytest.fixture
def machine(monkeypatch):
    """Return what to change of a machine: ``problems`` by GPU, and ``opened``, those that were looked at."""
    found = SimpleNamespace(problems=[None] * 4, opened=[])

    def find_gpu(index):
        found.opened.append(index)
        return dataclasses.replace(fake_gpu(), index=index, problem=found.problems[index])

    def resolve(resource, *, deterministic):
        numbers = resource.gpus or range(4)
        usable = [number for number in numbers if found.problems[number] is None]
        if not usable and resource.device != "auto":
            raise DeviceError("none")
        return f"cuda:{usable[0]}" if usable else "cpu"

    monkeypatch.setattr(devices, "find_gpu", find_gpu)
    monkeypatch.setattr(devices, "num_gpus", lambda: 4)
    monkeypatch.setattr(devices, "resolve_device", resolve)
    return found


def devices_of(num_worker, **values):
    resource = settings_of(**{"device": "auto", **values}).resource
    return [devices._in_turn(resource, rank, deterministic=False) for rank in range(num_worker)]


@pytest.mark.parametrize(
    ("num_worker", "values", "expected"),
    [
        (2, {}, [0, 1]),
        (6, {}, [0, 1, 2, 3, 0, 1]),
        (3, {"gpus": (3, 1)}, [3, 1, 3]),
        (2, {"device": "cuda:2"}, [0, 0]),  # what `resolve_device` says
    ],
    ids=str,
)
def test_workers_take_gpus_in_turn(monkeypatch, machine, num_worker, values, expected):
    assert devices_of(num_worker, **values) == [f"cuda:{number}" for number in expected]


def test_no_worker_opens_the_gpu_of_another(monkeypatch, machine):
    devices_of(4)
    assert machine.opened == [0, 1, 2, 3]


def test_broken_gpus_are_left_out(monkeypatch, machine):
    machine.problems[1] = "it is broken"
    assert devices_of(4) == ["cuda:0", "cuda:2", "cuda:2", "cuda:3"]
    machine.problems[:] = ["it is broken"] * 4
    assert devices_of(2) == ["cpu", "cpu"]


@needs_pretence
def test_all_workers_train_on_the_cpu_if_one_has_no_gpu(monkeypatch, graph, caplog):
    gpu_workers.prepare(monkeypatch)

    def work(transport):
        monkeypatch.setattr(devices, "_in_turn", lambda resource, turn, *, deterministic: "cpu")
        return make_plan(graph, settings_of(device="auto"), transport).device

    assert together(2, work) == ["cpu", "cpu"]


def test_a_worker_without_the_gpu_that_was_asked_for_ends_all(monkeypatch, graph):
    gpu_workers.prepare(monkeypatch)
    found = iter(["cuda:0", "cpu", "cpu"])
    monkeypatch.setattr(devices, "_in_turn", lambda resource, turn, *, deterministic: next(found))
    with pytest.raises(DeviceError, match=r"device: expected a GPU for every worker, got 'none for workers? "):
        plans_of(monkeypatch, graph, 3)


def test_sharers_of_a_card_share_its_memory(monkeypatch, graph):
    if not INTERPRETED:
        pytest.skip("it pretends to have other GPUs than there are")
    gpu_workers.prepare(monkeypatch, free=8 * GB)
    settings = settings_of(device="cuda")
    found = together(4, lambda transport: devices.limits_of_gpus("cuda:0", settings, transport))
    assert found[0] == [("cuda:0", int(2 * GB * 0.95))] * 4
