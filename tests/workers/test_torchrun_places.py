"""What torchrun says to its processes, and what follows from it."""

from __future__ import annotations

import pytest

from nodeloom.config import BuildConfig, ResourceConfig, check_training, train_config
from nodeloom.engine.machine import num_threads
from nodeloom.errors import ConfigError
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.plan.settings import Settings, differences
from nodeloom.transport.torchrun import WorkerRank, num_workers, worker_rank

SECOND_OF_FOUR = {
    "RANK": "1", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", "GROUP_RANK": "0",
    "TORCHELASTIC_RESTART_COUNT": "0", "TORCHELASTIC_RUN_ID": "test",
}  # fmt: skip


@pytest.fixture
def second_of_four(monkeypatch):
    for name, value in SECOND_OF_FOUR.items():
        monkeypatch.setenv(name, value)


def settings(**resource):
    return Settings(train_config(), BuildConfig(), ResourceConfig(**resource))


def test_alone(monkeypatch):
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    assert worker_rank() == WorkerRank() and not worker_rank().launched
    assert num_workers(ResourceConfig()) == num_workers(ResourceConfig(num_worker=1)) == 1
    with pytest.raises(ConfigError, match=r"^DeepWalk\.num_worker: .* got 4\. Start the program with torchrun"):
        num_workers(ResourceConfig(num_worker=4), "DeepWalk.num_worker")


def test_among_others(second_of_four):
    here = worker_rank()
    assert (here.rank, here.size, here.local_rank, here.local_size, here.host) == (1, 4, 1, 2, 0)
    assert here.launched and not here.spawned
    assert here._replace(folder="/nodeloom").spawned
    assert num_workers(ResourceConfig()) == num_workers(ResourceConfig(num_worker=4)) == 4
    with pytest.raises(ConfigError, match="expected 4, the number of workers that torchrun has started, got 2"):
        num_workers(ResourceConfig(num_worker=2))


def test_threads_are_shared_by_the_workers_of_a_host(monkeypatch):
    assert num_threads(settings(), 1) == available_threads()
    monkeypatch.setattr("nodeloom.engine.machine.available_threads", lambda: 7)
    assert num_threads(settings(), 2) == 3
    assert num_threads(settings(num_thread=5), 2) == 5
    monkeypatch.setattr("nodeloom.engine.machine.available_threads", lambda: 1)
    assert num_threads(settings(), 2) == 1


@pytest.mark.parametrize(
    ("train", "message"),
    [
        ({"model": "propagation"}, "num_worker: expected 1, since model is propagation, got 2"),
        ({"model": "ProNE"}, "num_worker: expected 1, since model is ProNE, got 2"),
    ],
)
def test_what_workers_cannot_do(train, message):
    with pytest.raises(ConfigError, match=message):
        check_training(train=train_config(**train), resource=ResourceConfig(num_worker=2, device="cpu"))
    check_training(train=train_config(**train), resource=ResourceConfig(num_worker=1))


def test_a_training_may_go_on_with_another_number():
    others = settings(num_worker=3, max_restart=2, worker_timeout=40)
    assert differences(settings().to_dict(), others.to_dict()) == []
