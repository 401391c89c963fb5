"""The plan of a training on a GPU: memory to the byte, what is given up for it and in which order, and what is shown of it."""

from __future__ import annotations

import dataclasses
import json
import logging

import numpy as np
import pytest

from gpu_runs import GB, INTERPRETED
from nodeloom import Graph
from nodeloom.engine import make_plan
from nodeloom.errors import ConfigError, DeviceError, MemoryLimitError
from nodeloom.plan import planner
from nodeloom.plan.memory import POOL_SLOTS

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

from nodeloom.engine import modes
from nodeloom.engine.gpu.device import Device
from nodeloom.engine.modes import allocate

PAIRS = np.random.default_rng(0).integers(0, 5000, (60_000, 2))
WEIGHTS = np.random.default_rng(1).gamma(1.0, size=len(PAIRS)) + 0.01
MAKE = {
    "undirected": lambda: Graph.from_edges(PAIRS),
    "weighted": lambda: Graph.from_edges(PAIRS, weights=WEIGHTS),
    "directed": lambda: Graph.from_edges(PAIRS, directed=True, weights=WEIGHTS),
    "hubs": lambda: Graph.from_edges(np.concatenate([PAIRS, [[0, i] for i in range(1, 5000)]])),
}


@pytest.fixture(scope="module")
def graphs():
    return {name: make() for name, make in MAKE.items()}


@pytest.fixture
def large(graphs):
    """Return a graph beside whose tables and edges all else is small."""
    return graphs["undirected"]


class Memory:
    """Counts the bytes of tensors on the device, and of those in main memory that it copies from."""

    def __init__(self, monkeypatch):
        self.bytes = {"device": 0, "pinned": 0}
        for name, where in (("empty", "device"), ("upload", "device"), ("pinned", "pinned")):
            monkeypatch.setattr(Device, name, self.counted(getattr(Device, name), where))

    def counted(self, real, where):
        def counted(*arguments, **options):
            tensor = real(*arguments, **options)
            self.bytes[where] += bytes_of(tensor)
            return tensor

        return counted


def bytes_of(*tensors):
    return sum(tensor.untyped_storage().nbytes() for tensor in tensors)


def built(graph, plan):
    """Build all that a training of the part that takes most has on the device; return its store."""
    part = max(plan.stages, key=lambda part: part.row * len(part.objective.tables))
    store = allocate(plan, part, graph)
    modes.loop_of(graph, plan, part, store)
    return store


CASES = {
    "plain": {},
    "Adam": {"optimizer": "Adam"},
    "bf16": {"table_dtype": "bf16"},
    "bf16, Momentum": {"table_dtype": "bf16", "optimizer": "Momentum", "dim": 20},
    "host": {"sampler": "host"},
    "order 1": {"model": "LINE", "order": 1, "optimizer": "Adam"},
    "both orders": {"model": "LINE", "order": "both", "dim": 36},
    "node2vec": {"model": "node2vec", "p": 0.5},
    "node2vec, host": {"model": "node2vec", "p": 0.5, "sampler": "host"},
    "long walks": {"random_walk_length": 150, "num_shared_negative": 3},
    "edges": {"random_walk_length": 1, "augmentation_step": 1},
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize("name", CASES)
def test_memory_to_the_byte(on_gpu, graphs, monkeypatch, name, kind):
    graph = graphs[kind]
    plan = on_gpu.plan(graph, **CASES[name])
    memory = Memory(monkeypatch)
    store = built(graph, plan)
    arrays = {name: storage.array for name, storage in store.storages().items()}
    tables = [array for name, array in arrays.items() if "moment" not in name]
    moments = [array for name, array in arrays.items() if "moment" in name]
    planned = dict(plan.device_memory)
    assert bytes_of(*tables) == planned.pop("tables")
    assert bytes_of(*moments) == planned.pop("moments", 0)
    # Counters of the pools and single numbers that stand for a table nobody reads are not planned.
    beside = memory.bytes["device"] - sum(planned.values())
    if beside < 0:  # rates are planned for, and missing where no node is busy
        beside += planned["rates"]
    assert 0 <= beside <= 24 * POOL_SLOTS + 16
    assert ("graph" in planned) == (plan.sampler == "device")
    small = POOL_SLOTS * (24 + 4 * plan.tiles_per_pool)
    assert memory.bytes["pinned"] == plan.memory.get("pinned buffers", 0) + small
    assert plan.num_device_bytes == sum(plan.device_memory.values())


def test_main_memory(on_gpu, graphs):
    graph = graphs["weighted"]
    plan = on_gpu.plan(graph, dim=20, optimizer="Adam")
    assert plan.memory["vectors"] == 2 * graph.num_nodes * 20 * 4
    assert plan.memory["graph"] == graph.nbytes
    assert plan.memory["samplers"] > len(graph.indices) * 8
    assert not {"tables", "moments", "buffers"} & set(plan.memory)
    assert plan.num_bytes == sum(plan.memory.values())


# ------------------------------------------------------------------------------------------------------- what is chosen


def needs(on_gpu, graph, table_dtype, sampler, **values):
    """Return the bytes that a choice needs."""
    on_gpu.memory(80 * GB)
    plan = on_gpu.plan(graph, table_dtype=table_dtype, sampler=sampler, **values)
    assert (plan.table_dtype, plan.sampler) == (table_dtype, sampler)
    return plan.num_device_bytes


ORDER = [("fp32", "device"), ("fp32", "host"), ("bf16", "device"), ("bf16", "host")]


@pytest.mark.parametrize(
    "asked", [{}, {"table_dtype": "bf16"}, {"table_dtype": "fp32"}, {"sampler": "host"}, {"sampler": "device"}], ids=str
)
def test_the_first_choice_that_fits(on_gpu, large, asked):
    choices = [(d, s) for d, s in ORDER if asked.get("table_dtype", d) == d and asked.get("sampler", s) == s]
    needed = [needs(on_gpu, large, *choice, dim=64) for choice in choices]
    assert needed == sorted(set(needed), reverse=True)  # so that each is chosen at some size
    for choice, need in zip(choices, needed, strict=True):
        for free, limit in ((80 * GB, {"gpu_memory_limit": need}), (int(need / 0.95) + 1, {})):
            on_gpu.memory(free)
            plan = on_gpu.plan(large, dim=64, **asked, **limit)
            assert (plan.table_dtype, plan.sampler) == choice
            assert plan.num_device_bytes == need
    on_gpu.memory(80 * GB)
    assert plan.grid is None
    in_parts = on_gpu.plan(large, dim=64, gpu_memory_limit=needed[-1] - 1, **asked)
    assert in_parts.grid is not None and in_parts.device == "cuda:0"
    assert in_parts.num_device_bytes < needed[-1]
    assert in_parts.table_dtype == asked.get("table_dtype", "fp32")
    with pytest.raises(MemoryLimitError):
        on_gpu.plan(large, dim=64, gpu_memory_limit=100_000, **asked)


def test_some_memory_stays_free(on_gpu, large):
    needed = needs(on_gpu, large, "fp32", "device")
    on_gpu.memory(needed)
    assert on_gpu.plan(large).num_device_bytes < needed
    on_gpu.memory(int(needed * 1.06))
    assert on_gpu.plan(large).num_device_bytes == needed
    assert on_gpu.plan(large, gpu_memory_limit=80 * GB).num_device_bytes == needed
    on_gpu.memory(needed)
    assert on_gpu.plan(large, gpu_memory_limit=80 * GB).num_device_bytes < needed  # there is no more than there is


def test_what_does_not_fit_the_gpu_that_was_asked_for_is_refused(on_gpu, large):
    on_gpu.memory(100_000)
    for device in ("cuda", "cuda:0"):
        with pytest.raises(MemoryLimitError) as caught:
            on_gpu.plan(large, device=device)
        message = str(caught.value)
        assert "\n" not in message
        assert message.startswith("plan: expected at most 95 kB on cuda:0 (Testcard), got ")
        assert "with bf16 tables" in message and "tables 320 kB" in message
        assert message.endswith("Lower dim, use SGD (other optimizers keep more tables), or give device='cpu'.")
    with pytest.raises(MemoryLimitError, match=r"with fp32 tables.*leave table_dtype to auto"):
        on_gpu.plan(large, table_dtype="fp32")


def test_without_being_asked_the_cpu_takes_over_and_says_so(on_gpu, large, caplog):
    on_gpu.memory(100_000)
    with caplog.at_level(logging.WARNING, "nodeloom"):
        plan = on_gpu.plan(large, device="auto")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("training on the CPU, since GPUs have too little memory: plan: ")
    assert "at most 95 kB on cuda:0 (Testcard), got " in record.getMessage()
    expected = on_gpu.plan(large, device="cpu")
    assert plan.to_dict() == expected.to_dict()
    assert plan.device == "cpu" and not plan.device_memory


def test_nothing_is_said_where_it_fits(on_gpu, large, caplog):
    with caplog.at_level(logging.DEBUG, "nodeloom"):
        assert on_gpu.plan(large, device="auto").device == "cuda:0"
    assert not caplog.records


def test_main_memory_that_is_not_there_is_refused(on_gpu, large, monkeypatch):
    monkeypatch.setattr("nodeloom.engine.machine.total_memory", lambda: 1_000_000)
    with pytest.raises(MemoryLimitError, match=r"at most 1 MB of memory, got .*vectors"):
        on_gpu.plan(large)


def test_deterministic_stays_on_the_cpu(engine, large, monkeypatch):
    assert engine.settings(deterministic=True).train.deterministic
    with pytest.raises(ConfigError, match="'auto' or 'cpu' with deterministic"):
        make_plan(large, engine.settings(device="cuda", deterministic=True))
    assert make_plan(large, engine.settings(deterministic=True)).device == "cpu"


@pytest.mark.skipif(not INTERPRETED, reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_refused(engine, large):
    with pytest.raises(DeviceError, match="expected a GPU that can be used, got 'cuda'"):
        make_plan(large, engine.settings(device="cuda", num_thread=1))


# ---------------------------------------------------------------------------------------------------------- pools, shown


@pytest.mark.parametrize(
    ("values", "share"),
    [({}, 1), ({"dim": 512}, 4), ({"positive_reuse": 8}, 8), ({"random_walk_length": 639}, 10), ({"dim": 16}, 1)],
)
def test_pools_take_no_longer_for_wide_rows_long_walks_and_reuse(on_gpu, large, values, share):
    plan = on_gpu.plan(large, **{"dim": 128, "num_epoch": 10**9, **values})
    assert plan.tiles_per_pool == planner.TILES_PER_GPU_POOL // share


def test_rows_and_dict(on_gpu, large):
    plan = on_gpu.plan(large, table_dtype="bf16", sampler="host", num_thread=3)
    rows = dict(plan.rows())
    assert rows["device"] == "cuda:0, bf16 tables, walks drawn by 3 CPU threads"
    assert rows["GPU memory"].count("kB") + rows["GPU memory"].count("MB") >= 4
    for name in plan.device_memory:
        assert name in rows["GPU memory"]
    for name in plan.memory:
        assert name in rows["memory"]
    for text in rows.values():
        assert text in str(plan)
    plain = json.loads(json.dumps(plan.to_dict(), allow_nan=False))
    assert (plain["device"], plain["table_dtype"], plain["sampler"]) == ("cuda:0", "bf16", "host")
    assert plain["device_memory"] == plan.device_memory
    assert plain["num_device_bytes"] == plan.num_device_bytes > 0
    assert "walks drawn on the GPU" in str(on_gpu.plan(large))
    on_cpu = on_gpu.plan(large, device="cpu")
    assert "GPU" not in str(on_cpu)
    assert on_cpu.to_dict()["num_device_bytes"] == 0


def test_the_rate_is_measured_on_the_device(on_gpu, large):
    from nodeloom.engine.modes import with_rate

    plan = on_gpu.plan(large, random_walk_length=7, optimizer="Adam", dim=10)
    measured = with_rate(plan)
    assert measured.rate > 0
    assert dataclasses.replace(measured, rate=None).to_dict() == plan.to_dict()
    assert "as measured here" in str(measured)


# ------------------------------------------------------------------------------------------------------------ in parts


def test_parts_that_were_asked_for_are_there_or_it_is_refused(on_gpu, large):
    on_gpu.memory(80 * GB)
    plan = on_gpu.plan(large, num_partition=4)
    assert (plan.grid.num_vertex_part, plan.grid.num_context_part) == (4, 4)
    on_gpu.memory(100_000)
    with pytest.raises(MemoryLimitError, match="change num_partition"):
        on_gpu.plan(large, num_partition=2)
    plan = on_gpu.plan(large, num_partition=2, device="auto")
    assert plan.device == "cpu" and plan.grid.num_vertex_part == 2


def test_wide_tables_are_never_bf16_in_parts(on_gpu, large, monkeypatch):
    on_gpu.memory(80 * GB)
    whole = needs(on_gpu, large, "fp32", "host", dim=272)
    plan = on_gpu.plan(large, dim=272, gpu_memory_limit=whole - 1)
    assert plan.grid is not None and plan.table_dtype == "fp32"
    monkeypatch.setattr("nodeloom.engine.machine.total_memory", lambda: plan.num_bytes - 1)
    with pytest.raises(MemoryLimitError, match="with fp32 tables"):
        on_gpu.plan(large, dim=272, gpu_memory_limit=whole - 1)
