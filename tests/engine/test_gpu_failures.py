"""A training on a GPU that cannot go on ends with one clear sentence, and leaves nothing behind: no thread, no half-written file."""

from __future__ import annotations

import gc
import math
import threading
import weakref

import numpy as np
import pytest

from nodeloom import DeepWalk, Graph
from nodeloom.datasets import planted_partition
from nodeloom.engine.modes import allocate
from nodeloom.engine.tables import Tables
from nodeloom.errors import ConfigError, GraphError, MemoryLimitError, TrainingError, TrainingInterrupted
from nodeloom.io.model_file import read_model

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("triton", reason="triton is not installed")

from nodeloom.engine.gpu import device as device_module  # noqa: E402
from nodeloom.engine.gpu import memory as memory_module  # noqa: E402
from nodeloom.engine.gpu import tiles  # noqa: E402
from nodeloom.engine.gpu.device import Device, explained  # noqa: E402
from nodeloom.kernels.gpu import skipgram  # noqa: E402
from nodeloom.kernels.gpu.skipgram import Launch  # noqa: E402
from nodeloom.sampling import WalkSampler  # noqa: E402

SAMPLERS = pytest.mark.parametrize("sampler", ["device", "host"])
OVERFLOWS = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the interpreter
FULL = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has a total capacity of 79.11 GiB.\nOf the allocated memory ..."
)


@pytest.fixture(scope="module")
def small():
    return Graph.from_edges(planted_partition(100, 300, 4, seed=3)[0])


@pytest.fixture(autouse=True)
def no_thread_stays():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("nodeloom")]


def failing(real, error, after=0):
    """Return a function that fails when it has been called `after` times."""
    calls = []

    def function(*arguments, **options):
        calls.append(1)
        if len(calls) > after:
            raise error
        return real(*arguments, **options)

    return function


# ---------------------------------------------------------------------------------------------------------- divergence


def diverging(monkeypatch):
    """Take the largest step off, and the largest rate of busy nodes."""
    monkeypatch.setattr(tiles, "largest_rates", lambda *arguments: None)
    monkeypatch.setattr(
        tiles, "optimizer_settings", lambda plan: (0.0, *map(float, plan.optimizer.settings[1:])), raising=True
    )


@SAMPLERS
def test_divergence_is_an_error(quick, small, monkeypatch, tmp_path, sampler):
    diverging(monkeypatch)
    path = tmp_path / "c.safetensors"
    with pytest.raises(TrainingError, match=r"^training diverged at epoch [\d.]+ of 100: .* at lr 1e\+06 \(SGD\)"):
        quick.train(small, lr=1e6, sampler=sampler, checkpoint=path, checkpoint_interval=0)
    assert {entry.name for entry in tmp_path.iterdir()} <= {path.name}
    if path.exists():  # of a pool that was finite
        assert all(np.isfinite(table).all() for table in read_model(path).tensors.values())


@OVERFLOWS
def test_divergence_of_the_kernels_themselves(on_gpu, small, monkeypatch):
    diverging(monkeypatch)
    on_gpu.pools(at_least=4)
    with pytest.raises(TrainingError, match="diverged"):
        on_gpu.train(small, lr=1e6, num_epoch=20, random_walk_length=7)


@OVERFLOWS
@pytest.mark.parametrize(
    "values",
    [
        {"lr": 1e39},
        {"lr": 1e6, "optimizer": "Adam"},
        {"lr": 1e39, "optimizer": "Momentum"},
        {"negative_weight": 1e6},
        {"weight_decay": 1e39},
        {"weight_decay": 1e5},
        {"num_negative": 10_000},
        {"lr": 1e6, "table_dtype": "bf16"},
    ],
    ids=str,
)
def test_extremes_are_finite_vectors_or_an_error(on_gpu, small, values):
    on_gpu.pools(at_least=2)
    try:
        tables = on_gpu.train(small, num_epoch=5, random_walk_length=7, **values)
    except TrainingError as error:
        assert "diverged" in str(error)
        return
    assert np.isfinite(tables.vertex).all()
    assert np.isfinite(tables.context).all()
    assert math.isfinite(tables.report.loss)


def test_nan_without_a_nan_loss_is_found(quick, small, monkeypatch, tmp_path):
    monkeypatch.setattr(Tables, "is_sound", lambda store: False)
    with pytest.raises(TrainingError, match=r"diverged at epoch 10\d\.\d of 100"):
        quick.train(small)
    path = tmp_path / "c.safetensors"
    with pytest.raises(TrainingError, match="diverged"):
        quick.train(small, checkpoint=path, checkpoint_interval=0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_one_bad_value_is_found(on_gpu, small, value, dtype):
    plan = on_gpu.plan(small, table_dtype="bf16" if dtype is torch.bfloat16 else "fp32")
    store = allocate(plan, plan.stages[0], small)
    assert store.is_sound()
    for name in ("vertex", "context"):
        table = store.of(name)[0]
        table[99, 15] = value
        assert not store.is_sound()
        table[99, 15] = 1
    assert store.is_sound()


# -------------------------------------------------------------------------------------------------------------- memory


def is_one_sentence(error):
    message = str(error)
    assert "\n" not in message
    assert message.startswith("cuda:0: expected the memory of the plan, got 'CUDA out of memory'. ")
    assert "Lower gpu_memory_limit or dim" in message and message.endswith("or device='cpu'.")
    assert error.__cause__ is FULL
    return True


@pytest.mark.parametrize("allocations", range(6))
def test_memory_that_is_gone_while_the_engine_is_built(quick, small, monkeypatch, tmp_path, allocations):
    for name in ("empty", "upload"):
        monkeypatch.setattr(Device, name, failing(getattr(Device, name), FULL, after=allocations))
    with pytest.raises(MemoryLimitError) as caught:
        quick.train(small, sampler="host", checkpoint=tmp_path / "c.safetensors")
    assert is_one_sentence(caught.value)
    assert not list(tmp_path.iterdir())


def test_memory_that_is_gone_for_the_tables(quick, small, monkeypatch):
    for after in (0, 1, 4):
        with monkeypatch.context() as patch:
            patch.setattr(torch, "zeros", failing(torch.zeros, FULL, after=after))
            with pytest.raises(MemoryLimitError) as caught:
                quick.train(small, optimizer="Adam")
            assert is_one_sentence(caught.value)


@SAMPLERS
@pytest.mark.parametrize("after", [0, 1, 5])
def test_memory_that_is_gone_while_training(quick, small, monkeypatch, tmp_path, sampler, after):
    path = tmp_path / "c.safetensors"
    monkeypatch.setattr(skipgram, "train_walks", failing(skipgram.train_walks, FULL, after=after))
    with pytest.raises(MemoryLimitError) as caught:
        quick.train(small, sampler=sampler, checkpoint=path)
    assert is_one_sentence(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["is_sound", "read", "write", "initialize"])
def test_memory_that_is_gone_for_a_copy(quick, small, monkeypatch, name):
    # Regression: what a store itself does with the device told of no memory in the driver's words.
    owner, function = {
        "is_sound": (torch, "aminmax"), "read": (Device, "pinned"), "write": (Device, "upload"),
        "initialize": (memory_module, "uniform_rows"),
    }[name]  # fmt: skip
    plan = quick.plan(small)
    store = allocate(plan, plan.stages[0], small)
    values = np.zeros((100, 16), np.float32)
    arguments = {"write": ("vertex", values), "read": ("vertex",)}
    monkeypatch.setattr(owner, function, failing(None, FULL))
    with pytest.raises(MemoryLimitError) as caught:
        getattr(store, name)(*arguments.get(name, ()))
    assert is_one_sentence(caught.value)


def test_errors_of_the_driver_are_one_sentence(monkeypatch):
    monkeypatch.setattr(device_module, "_DriverError", ZeroDivisionError)
    with pytest.raises(TrainingError) as caught, explained("cuda:3"):
        raise ZeroDivisionError("CUDA error: an illegal memory access\nCUDA kernel errors might be ...")
    assert str(caught.value) == "cuda:3: the driver reports: CUDA error: an illegal memory access"
    with pytest.raises(KeyError), explained("cuda:3"):
        raise KeyError("anything else")


def test_errors_of_the_driver_while_a_checkpoint_waits(quick, small, monkeypatch, engine, tmp_path):
    # Regression: only what the engine itself waited for was explained.
    monkeypatch.setattr(device_module, "_DriverError", ZeroDivisionError)

    real = Device.synchronize

    def broken(*arguments):
        monkeypatch.setattr(Device, "synchronize", real)
        raise ZeroDivisionError("CUDA error: unspecified launch failure")

    def stop():
        monkeypatch.setattr(Device, "synchronize", broken)
        raise TrainingInterrupted("enough")

    with pytest.raises(TrainingError, match="cuda:0: the driver reports: CUDA error: unspecified launch failure"):
        quick.train(small, callbacks=[engine.StopAt(2, stop)], checkpoint=tmp_path / "c.safetensors")
    assert not list(tmp_path.iterdir())


def test_a_device_with_little_shared_memory_gets_a_smaller_layout(quick, small, monkeypatch):
    real, tried = skipgram.train_walks, []

    def train_walks(*arguments, launch, **options):
        tried.append(launch)
        if launch.keep or launch.block > 32:
            raise tiles.OutOfResources(300_000, 232_448, "shared memory")
        return real(*arguments, launch=launch, **options)

    monkeypatch.setattr(skipgram, "train_walks", train_walks)
    quick.train(small)
    small_enough = [launch for launch in tried if not launch.keep and launch.block <= 32]
    assert len(set(small_enough)) == 1
    assert len(small_enough) > 10
    assert tried[: len(tried) - len(small_enough)] == [
        launch for launch in tried if launch.keep or launch.block > 32
    ]  # once, before it begins


def test_a_tile_that_fits_no_layout_is_refused(quick, small, monkeypatch):
    error = tiles.OutOfResources(300_000, 232_448, "shared memory")
    monkeypatch.setattr(skipgram, "train_walks", failing(None, error))
    with pytest.raises(
        ConfigError, match=r"expected a tile that fits the shared memory of cuda:0, got '5 and 24'.*device='cpu'"
    ):
        quick.train(small)
    layouts = [Launch()]
    while (smaller := layouts[-1].smaller()) is not None:
        layouts.append(smaller)
    assert layouts[-1].block == 16 and not layouts[-1].keep


# ------------------------------------------------------------------------------------------------- samplers, callbacks


@pytest.mark.parametrize("after", [0, 1, 7])
@pytest.mark.parametrize("num_thread", [1, 3])
def test_what_a_sampling_thread_raises_reaches_the_caller(quick, small, monkeypatch, num_thread, after):
    monkeypatch.setattr(WalkSampler, "sample", failing(WalkSampler.sample, LookupError("on purpose"), after=after))
    quick.pools(tiles=2)
    with pytest.raises(LookupError, match="on purpose"):
        quick.train(small, sampler="host", num_thread=num_thread)


def test_threads_end_even_if_the_device_is_broken(quick, small, monkeypatch):
    # Regression: what waiting for the last copies raised came before the threads were told to end.
    class Event:
        def __getattr__(self, name):
            return self.fail if name == "synchronize" and self.is_broken else lambda *arguments: None

        def fail(self):
            raise TrainingError("broken")

        is_broken = False

    monkeypatch.setattr(Device, "event", lambda device: Event())

    def on_pool_end(progress):
        Event.is_broken = True

    with pytest.raises(TrainingError, match="broken"):
        quick.train(small, sampler="host", callbacks=[type("Break", (), {"on_pool_end": staticmethod(on_pool_end)})()])


class Bad:
    def __init__(self, event, error):
        setattr(self, event, self.fail)
        self.error = error

    def fail(self, argument):
        raise self.error("on purpose")


@SAMPLERS
@pytest.mark.parametrize("event", ["on_train_begin", "on_pool_end", "on_train_end"])
@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_errors_of_callbacks_reach_the_caller_when_the_device_rests(quick, small, monkeypatch, event, error, sampler):
    waits, real = [], Device.synchronize
    monkeypatch.setattr(Device, "synchronize", lambda device: waits.append(1) or real(device))
    engines, build = [], tiles.GpuTiles.__init__
    monkeypatch.setattr(
        tiles.GpuTiles, "__init__", lambda self, *a: engines.append(weakref.ref(self)) or build(self, *a)
    )

    def fail_later(argument):
        waits.clear()
        raise error("on purpose")

    bad = Bad(event, error)
    setattr(bad, event, fail_later)
    with pytest.raises(error, match="on purpose"):
        quick.train(small, callbacks=[bad], sampler=sampler)
    if event == "on_pool_end":
        assert waits
        gc.collect()
        assert engines[0]() is None  # and so is its memory


@SAMPLERS
def test_walks_without_pairs(quick, sampler):
    graph = Graph.from_edges([[0, 0], [1, 1], [0, 1]], weights=[1e30, 1e30, 1e-8])
    with pytest.raises(GraphError, match="64 pools of walks had not one pair of different nodes"):
        quick.train(graph, sampler=sampler)


@SAMPLERS
def test_few_pairs_are_enough(quick, sampler):
    graph = Graph.from_edges([[0, 0], [1, 1], [0, 1]], weights=[100.0, 100.0, 1.0])
    report = quick.train(graph, sampler=sampler, num_epoch=20).report
    assert 60 <= report.num_pair < 300


def test_a_schedule_may_fail_in_the_middle(quick, small):
    for sampler in ("device", "host"):
        with pytest.raises(ConfigError, match=r"schedule\(\d+, 30000\): expected a finite factor"):
            quick.train(small, sampler=sampler, schedule=lambda done, total: 1.0 if done < total / 2 else math.nan)


def test_the_next_training_is_not_disturbed(quick, small, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(skipgram, "train_walks", failing(skipgram.train_walks, FULL, after=3))
        model = DeepWalk(dim=16, num_epoch=50, device="cuda")
        with pytest.raises(MemoryLimitError):
            model.fit(small)
        with pytest.raises(AttributeError, match="not fitted"):
            model.transform()
    assert np.isfinite(model.fit(small).vectors_).all()
