"""The pool ends in every case: errors of threads and of the consumer, early exits, interrupts; and what it refuses."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from numbered_walks import PATIENCE, Numbers, buffers, expected, no_thread_is_left, our_threads, small_slices

from nodeloom.errors import ConfigError, DataError
from nodeloom.sampling.pool import WalkPool

__all__ = ["no_thread_is_left"]  # a fixture of every test here


@pytest.mark.parametrize("num_thread", [1, 4])
@pytest.mark.parametrize("walk", [0, 11, 12, 30])
def test_an_error_comes_with_its_batch_and_after_the_earlier_ones(monkeypatch, num_thread, walk):
    small_slices(monkeypatch, 2)
    error = MemoryError("no room for walks")
    sampler = Numbers(seconds=0.001, fail_at={walk: error})
    with WalkPool(sampler, buffers(3), num_thread=num_thread) as pool:
        for _ in range(walk // 12):
            batch = pool.take()
            assert (batch.walks == expected(batch.first_walk, 12)).all()
            pool.give_back(batch)
        for _ in range(2):  # and it stays
            with pytest.raises(MemoryError) as caught:
                pool.take()
            assert caught.value is error
    # Nobody went on for long: each thread was at one slice at most, and the other buffers had been begun.
    assert len(sampler.calls) <= (walk // 12 + 3) * 6


def test_the_first_of_several_errors_is_the_one_of_the_first_batch(monkeypatch):
    small_slices(monkeypatch)
    early, late = KeyError("early"), ValueError("late")

    class Late(Numbers):
        def sample(self, first_walk, out):
            if first_walk == 5:  # fails last although it is first
                time.sleep(0.05)
            super().sample(first_walk, out)

    with WalkPool(Late(fail_at={5: early, 14: late}), buffers(2), num_thread=16) as pool, pytest.raises(KeyError):
        pool.take()


def test_an_error_wakes_a_consumer_that_waits():
    gate = threading.Event()
    threading.Timer(0.05, gate.set).start()
    with (
        WalkPool(Numbers(gate=gate, fail_at={0: OSError("gone")}), buffers()) as pool,
        pytest.raises(OSError, match="gone"),
    ):
        pool.take()


def test_even_what_is_no_exception_reaches_the_consumer():
    with WalkPool(Numbers(fail_at={3: SystemExit(2)}), buffers()) as pool, pytest.raises(SystemExit):
        pool.take()


def test_an_error_of_walks_that_nobody_asks_for_is_nobodys_error():
    with WalkPool(Numbers(fail_at={20: OSError("later")}), buffers(2), num_thread=2) as pool:
        assert pool.take().first_walk == 0


@pytest.mark.parametrize("num_thread", [1, 5])
def test_an_error_of_the_consumer_ends_the_threads(monkeypatch, num_thread):
    small_slices(monkeypatch)
    with pytest.raises(ZeroDivisionError), WalkPool(Numbers(seconds=0.002), buffers(), num_thread=num_thread) as pool:
        for batch in pool:
            if batch.number == 2:
                raise ZeroDivisionError
    assert not our_threads()
    with pytest.raises(RuntimeError, match="only within"):
        pool.take()


def test_leaving_waits_for_the_slice_that_is_being_written():
    gate = threading.Event()
    sampler = Numbers(gate=gate)
    own = buffers(1)
    pool = WalkPool(sampler, own)
    with pool:
        deadline = time.monotonic() + PATIENCE
        while not sampler.at_work and time.monotonic() < deadline:
            time.sleep(0.001)
        threading.Timer(0.05, gate.set).start()
    # Buffers belong to the caller again: nothing writes to them any more.
    own[0][:] = 7
    time.sleep(0.02)
    assert (own[0] == 7).all()


def test_leaving_at_once_and_leaving_twice():
    pool = WalkPool(Numbers(), buffers(), num_thread=4)
    with pool:
        pass
    pool.close()
    with pytest.raises(RuntimeError, match="Make a new one"):
        pool.__enter__()


def test_giving_back_after_the_end_starts_nothing():
    sampler = Numbers()
    with WalkPool(sampler, buffers(1), num_walk=24) as pool:
        batch = pool.take()
    pool.give_back(batch)
    assert sampler.calls == [(0, 12)]


def test_closing_wakes_a_consumer_in_another_thread():
    gate = threading.Event()
    said = []

    def consume(pool):
        try:
            pool.take()
        except RuntimeError as error:
            said.append(str(error))

    with WalkPool(Numbers(gate=gate), buffers()) as pool:
        consumer = threading.Thread(target=consume, args=(pool,))
        consumer.start()
        time.sleep(0.02)
        threading.Timer(0.05, gate.set).start()
        pool.close()
        consumer.join(PATIENCE)
    assert said and "only within" in said[0]


def test_no_walks_outside_of_the_with_block():
    pool = WalkPool(Numbers(), buffers())
    with pytest.raises(RuntimeError, match="only within"):
        pool.take()


def test_threads_that_cannot_be_started_leave_none_behind(monkeypatch):
    start = threading.Thread.start
    started = []

    def refuse(thread):
        if len(started) == 2:
            raise RuntimeError("can't start new thread")
        started.append(thread)
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start"), WalkPool(Numbers(), buffers(), num_thread=3):
        pass
    assert len(started) == 2 and not any(thread.is_alive() for thread in started)


def test_an_interrupt_while_waiting_ends_the_threads():
    gate = threading.Event()
    pool = WalkPool(Numbers(gate=gate), buffers(), num_thread=2)
    wait = pool._ready.wait

    def interrupted(timeout=None):
        wait(0.01)
        gate.set()
        raise KeyboardInterrupt

    pool._ready.wait = interrupted
    with pytest.raises(KeyboardInterrupt), pool:
        pool.take()
    assert not our_threads()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"buffers": []}, "buffers: expected at least one"),
        ({"buffers": [np.empty(5, np.int32)]}, "integers"),
        ({"buffers": [np.empty((0, 5), np.int32)]}, "integers"),
        ({"buffers": [np.empty((5, 5), np.float32)]}, "integers"),
        ({"buffers": [np.empty((5, 5), np.int32), np.empty((6, 5), np.int32)]}, "as the first"),
        ({"buffers": [np.empty((5, 5), np.int32), np.empty((5, 5), np.int64)]}, "as the first"),
        ({"buffers": [np.broadcast_to(np.int32(1), (5, 5))]}, "written to"),
    ],
)
def test_buffers_that_do_not_fit(arguments, message):
    with pytest.raises(DataError, match=message):
        WalkPool(Numbers(), **arguments)


@pytest.mark.parametrize(("name", "value"), [("first_walk", -1), ("num_walk", -1), ("num_thread", 0)])
def test_numbers_out_of_range(name, value):
    with pytest.raises(ConfigError, match=f"WalkPool.{name}"):
        WalkPool(Numbers(), buffers(), **{name: value})
