"""The planner is a function of graph, settings and machine: the first mode that fits, on machines that are not there."""

from __future__ import annotations

import numpy as np
import pytest

from nodeloom import Graph
from nodeloom.config import BuildConfig, ResourceConfig, train_config, train_fields
from nodeloom.errors import ConfigError, MemoryLimitError
from nodeloom.plan import Settings
from nodeloom.plan.machine import Machine, Worker
from nodeloom.plan.mode import Blocks, Copies, Ring, Whole
from nodeloom.plan.planner import candidates, make_plan

MB, GB = 10**6, 10**9


@pytest.fixture(scope="module")
def graph():
    return Graph.from_edges(np.random.default_rng(0).integers(0, 5000, (60_000, 2)))


def settings_of(**values):
    sections = [
        {key: value for key, value in values.items() if key in known}
        for known in (train_fields(), BuildConfig.model_fields, ResourceConfig.model_fields)
    ]
    return Settings(train_config(**sections[0]), BuildConfig(**sections[1]), ResourceConfig(**sections[2]))


def cpus(num_worker=1, memory=GB, **values):
    return Machine((Worker(2, memory),) * num_worker, **values)


def gpus(num_worker=1, on_device=GB, memory=GB, **values):
    workers = tuple(Worker(2, memory, f"cuda:{number}", on_device) for number in range(num_worker))
    return Machine(workers, gpu_name="Testcard", **values)


@pytest.mark.parametrize(
    ("machine", "values", "device", "mode"),
    [
        (cpus(), {}, "cpu", Whole),
        (cpus(memory=None), {}, "cpu", Whole),
        (cpus(), {"num_partition": 4}, "cpu", Blocks),
        (cpus(memory=6 * MB, folder_space=GB), {}, "cpu", Blocks),
        (gpus(), {}, "cuda:0", Whole),
        (gpus(), {"num_partition": 4}, "cuda:0", Blocks),
        (gpus(on_device=5 * MB), {}, "cuda:0", Blocks),
        (gpus(on_device=100_000), {}, "cpu", Whole),
        (cpus(2), {}, "cpu", Ring),
        (cpus(2), {"parallelism": "data"}, "cpu", Copies),
        (gpus(2), {}, "cuda:0", Copies),
        (gpus(2), {"parallelism": "model"}, "cuda:0", Ring),
        (gpus(2), {"num_partition": 4}, "cuda:0", Ring),
        (gpus(2, on_device=5 * MB), {}, "cuda:0", Ring),
        (gpus(2, on_device=100_000), {}, "cpu", Ring),
    ],
)
def test_the_first_mode_that_fits_is_taken(graph, machine, values, device, mode):
    plan = make_plan(graph, settings_of(**values), machine)
    assert (plan.device, type(plan.mode), plan.num_worker) == (device, mode, machine.num_worker)
    assert plan.num_device_bytes <= machine.own.device_memory
    assert machine.own.main_memory is None or plan.num_bytes <= machine.own.main_memory


@pytest.mark.parametrize(
    ("machine", "values", "message"),
    [
        (cpus(memory=MB), {}, "plan: expected at most 1 MB of memory, in parts, got "),
        (cpus(memory=6 * MB, folder="/small", folder_space=MB), {}, "plan: temporary files in /small: expected at most the 1 MB"),
        (gpus(on_device=100_000), {"device": "cuda"}, r"plan: expected at most 100 kB on cuda:0 \(Testcard\), got "),
        (gpus(memory=MB), {"device": "cuda"}, "plan: expected at most 1 MB of memory, got .*vectors"),
        (gpus(2, on_device=100_000), {"device": "cuda"}, "plan, worker 0: expected at most 100 kB on cuda:0, for parts"),
        (gpus(2, on_device=MB), {"parallelism": "data"}, "plan, worker 0: expected at most 1 MB on cuda:0, for whole tables"),
        (gpus(2, on_device=MB), {"device": "cuda", "model": "LINE", "order": 1}, "for whole tables"),
        (gpus(2, memory=MB), {"device": "cuda"}, "plan, worker 0: expected at most 1 MB of memory"),
    ],
)  # fmt: skip
def test_what_the_last_candidate_lacks_is_said(graph, machine, values, message):
    with pytest.raises(MemoryLimitError, match=message):
        make_plan(graph, settings_of(**values), machine)


def test_workers_get_the_same_plan(graph):
    workers = (Worker(2, GB), Worker(4, 6 * MB), Worker(1, None))  # hosts may differ in threads and memory
    plans = [make_plan(graph, settings_of(), Machine(workers, rank)) for rank in range(3)]
    for name in ("num_vertex_part", "num_context_part", "episode_pairs"):
        assert len({getattr(plan.grid, name) for plan in plans}) == 1, name
    assert [plan.num_thread for plan in plans] == [2, 4, 1]
    assert ["result" in plan.memory for plan in plans] == [True, False, False]


def test_only_whole_tables_can_be_tied_with_workers(graph):
    settings = settings_of(model="LINE", order=1)
    plan = make_plan(graph, settings, gpus(2))
    assert isinstance(plan.mode, Copies)
    assert len(candidates(plan, settings, gpus(2))) == 1
    assert isinstance(make_plan(graph, settings, cpus(2)).mode, Copies)
    with pytest.raises(ConfigError, match="order: expected 2 "):
        make_plan(graph, settings_of(model="LINE", order=1, parallelism="model"), cpus(2))
