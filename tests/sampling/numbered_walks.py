"""A sampler whose walks say their number, and what tests of the pool look at."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

PATIENCE = 20.0  # seconds after which a test says that a thread hangs


def our_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("nodeloom-walks")]


@pytest.fixture(autouse=True)
def no_thread_is_left():
    assert not our_threads()
    yield
    assert not our_threads()


def expected(first, count, nodes=4):
    """Return what :class:`Numbers` makes."""
    return (np.arange(first, first + count)[:, None] * 10 + np.arange(nodes)).astype(np.int32)


class Numbers:
    """A sampler whose walks say their number; may be slow, may fail, counts its calls."""

    def __init__(self, *, seconds=0.0, fail_at=None, gate=None):
        self.seconds, self.fail_at, self.gate = seconds, fail_at or {}, gate
        self.calls, self.threads, self.at_work, self.most_at_work = [], set(), 0, 0
        self.lock = threading.Lock()

    def sample(self, first_walk, out):
        with self.lock:
            self.calls.append((first_walk, len(out)))
            self.threads.add(threading.get_ident())
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
        if self.gate is not None:
            assert self.gate.wait(PATIENCE)
        if self.seconds:
            time.sleep(self.seconds * np.random.default_rng(first_walk).random())
        with self.lock:
            self.at_work -= 1
        for walk, error in self.fail_at.items():
            if first_walk <= walk < first_walk + len(out):
                raise error
        out[:] = expected(first_walk, len(out), out.shape[1])


def buffers(count=2, size=12, nodes=4, dtype=np.int32):
    return [np.full((size, nodes), -99, dtype) for _ in range(count)]


def small_slices(monkeypatch, walks=1):
    monkeypatch.setattr("nodeloom.sampling.pool._STEPS_PER_SLICE", 4 * walks)
