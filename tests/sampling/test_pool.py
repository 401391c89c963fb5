"""The pool: the right walks in the right order with any number of threads, and an end in every case."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodeloom import Graph
from nodeloom.errors import ConfigError, DataError
from nodeloom.sampling import WalkSampler
from nodeloom.sampling.pool import WalkPool

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


# ---------------------------------------------------------------------------------------------------- content and order


@settings(max_examples=60, deadline=None)
@given(
    num_thread=st.integers(1, 6),
    depth=st.integers(1, 4),
    size=st.integers(1, 20),
    num_walk=st.integers(0, 90),
    first_walk=st.integers(0, 2**33),
)
def test_every_walk_comes_once_and_in_order(num_thread, depth, size, num_walk, first_walk):
    sampler = Numbers()
    got, firsts = [], []
    with WalkPool(
        sampler, buffers(depth, size, dtype=np.int64), first_walk=first_walk, num_walk=num_walk, num_thread=num_thread
    ) as pool:
        for number, batch in enumerate(pool):
            assert batch.number == number
            assert 0 <= batch.buffer < depth
            firsts.append(batch.first_walk)
            got.append(batch.walks.copy())
        assert pool.take() is None
        assert pool.take() is None
    assert firsts == list(range(first_walk, first_walk + num_walk, size))
    whole = np.concatenate(got) if got else np.empty((0, 4), np.int64)
    np.testing.assert_array_equal(whole[:, 0], np.arange(first_walk, first_walk + num_walk).astype(np.int32) * 10)
    # No walk was made twice.
    made = sorted(sampler.calls)
    assert sum(count for _, count in made) == num_walk
    assert all(a + count <= b for (a, count), (b, _) in itertools.pairwise(made))


@pytest.mark.parametrize("num_thread", [1, 2, 7])
def test_slow_threads_do_not_change_the_order(monkeypatch, num_thread):
    small_slices(monkeypatch, 2)
    got = []
    with WalkPool(Numbers(seconds=0.002), buffers(3), num_walk=100, num_thread=num_thread) as pool:
        for batch in pool:
            assert (batch.walks == expected(batch.first_walk, len(batch.walks))).all()
            got += batch.walks[:, 0].tolist()
    assert got == [10 * walk for walk in range(100)]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(("p", "q"), [(1.0, 1.0), (0.25, 4.0)])
def test_real_walks_are_those_of_the_sampler(monkeypatch, weighted, p, q):
    small_slices(monkeypatch, 8)
    rng = np.random.default_rng(0)
    edges = rng.integers(0, 60, (300, 2))
    graph = Graph.from_edges(edges, rng.random(300).astype(np.float32) if weighted else None)
    sampler = WalkSampler.of(graph, p=p, q=q, seed=4)
    whole = np.empty((200, 9), np.int32)
    sampler.sample(1000, whole)
    for num_thread, depth, size in ((1, 1, 200), (3, 2, 64), (4, 3, 7)):
        with WalkPool(sampler, buffers(depth, size, 9), first_walk=1000, num_walk=200, num_thread=num_thread) as pool:
            got = np.concatenate([batch.walks.copy() for batch in pool])
        np.testing.assert_array_equal(got, whole)


@pytest.mark.parametrize("kind", ["rows of a wider array", "step-major", "every second row"])
def test_buffers_may_have_any_strides(kind):
    def strided():
        if kind == "rows of a wider array":
            return np.full((12, 9), -99, np.int32)[:, 2:6]
        if kind == "step-major":
            return np.full((4, 12), -99, np.int32).T
        return np.full((24, 4), -99, np.int32)[::2]

    graph = Graph.from_edges([[0, 1], [1, 2], [2, 0], [2, 3]])
    sampler = WalkSampler.of(graph)
    whole = np.empty((40, 4), np.int32)
    sampler.sample(0, whole)
    own = [strided() for _ in range(2)]
    with WalkPool(sampler, own, num_walk=40, num_thread=2) as pool:
        for batch in pool:
            assert np.shares_memory(batch.walks, own[batch.buffer])
            assert (batch.walks == whole[batch.first_walk : batch.first_walk + len(batch.walks)]).all()


def test_walks_without_end_go_on_until_the_consumer_leaves():
    with WalkPool(Numbers(), buffers(), num_thread=2) as pool:
        for batch in pool:
            assert (batch.walks == expected(batch.first_walk, 12)).all()
            if batch.number == 50:
                break
    assert batch.first_walk == 600


# ------------------------------------------------------------------------------------------- buffers, threads, waiting


def test_a_buffer_is_not_written_to_while_it_is_held(monkeypatch):
    small_slices(monkeypatch)
    with WalkPool(Numbers(), buffers(3), num_thread=3) as pool:
        held = pool.take()
        before = held.walks.copy()
        for _ in range(20):  # the others go round meanwhile
            batch = pool.take()
            assert batch.buffer != held.buffer
            pool.give_back(batch)
        assert (held.walks == before).all()
        pool.give_back(held)
        assert held.buffer in {pool.take().buffer for _ in range(3)}


def test_batches_may_be_given_back_in_any_order():
    with WalkPool(Numbers(), buffers(3), num_walk=12 * 6, num_thread=2) as pool:
        first = [pool.take() for _ in range(3)]
        for batch in reversed(first):
            pool.give_back(batch)
        later = [pool.take() for _ in range(3)]
        assert [batch.first_walk for batch in first + later] == [0, 12, 24, 36, 48, 60]
        assert [batch.buffer for batch in later] == [batch.buffer for batch in reversed(first)]
        assert pool.take() is None


def test_threads_work_ahead_and_no_further_than_there_are_buffers(monkeypatch):
    small_slices(monkeypatch)
    sampler = Numbers()
    with WalkPool(sampler, buffers(3), num_thread=2) as pool:
        deadline = time.monotonic() + PATIENCE
        while len(sampler.calls) < 36 and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        assert len(sampler.calls) == 36  # nobody has asked for any yet
        batch = pool.take()
        time.sleep(0.02)
        assert len(sampler.calls) == 36  # a taken buffer is not a free one
        pool.give_back(batch)
        while len(sampler.calls) < 48 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert len(sampler.calls) == 48


def test_all_threads_work_at_once_and_do_not_stop_at_the_end_of_a_buffer():
    gate = threading.Event()
    sampler = Numbers(gate=gate)
    # Slices of two walks: four threads need both buffers of six walks to be at work all together.
    with WalkPool(sampler, buffers(2, 6), num_thread=4) as pool:
        deadline = time.monotonic() + PATIENCE
        while sampler.at_work < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert sampler.at_work == 4
        gate.set()
        for batch in pool:
            assert (batch.walks == expected(batch.first_walk, 6)).all()
            if batch.number == 9:
                break
    assert len(sampler.threads) <= 4


def test_one_small_buffer_keeps_all_threads_busy():
    gate = threading.Event()
    sampler = Numbers(gate=gate)
    with WalkPool(sampler, buffers(1, 10), num_walk=10, num_thread=4) as pool:
        deadline = time.monotonic() + PATIENCE
        while sampler.at_work < 4 and time.monotonic() < deadline:
            time.sleep(0.001)
        assert sampler.at_work == 4
        gate.set()
        assert (pool.take().walks == expected(0, 10)).all()


def test_the_time_waited_tells_who_is_slower():
    with WalkPool(Numbers(seconds=0.05), buffers(1), num_walk=36) as pool:
        for _ in pool:
            pass
        slow_producer = pool.seconds_waited
    with WalkPool(Numbers(), buffers(3), num_walk=12 * 5) as pool:
        for _ in pool:
            time.sleep(0.05)
        slow_consumer = pool.seconds_waited
    assert slow_producer > 0.03
    assert slow_consumer < slow_producer


def test_holding_all_buffers_is_told_and_not_waited_for():
    with WalkPool(Numbers(), buffers(2)) as pool:
        held = [pool.take(), pool.take()]
        with pytest.raises(RuntimeError, match="all 2 buffers are held"):
            pool.take()
        pool.give_back(held[0])
        assert pool.take().first_walk == 24


def test_what_is_not_held_cannot_be_given_back():
    with WalkPool(Numbers(), buffers(2)) as pool, WalkPool(Numbers(), buffers(2)) as other:
        batch, foreign = pool.take(), other.take()
        with pytest.raises(ValueError, match="batch 0 is not held"):
            pool.give_back(foreign)
        pool.give_back(batch)
        with pytest.raises(ValueError, match="batch 0 is not held"):
            pool.give_back(batch)


# ------------------------------------------------------------------------------------------------------ errors and ends


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
