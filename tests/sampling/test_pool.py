"""The pool: the right walks in the right order with any number of threads."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numbered_walks import PATIENCE, Numbers, buffers, expected, no_thread_is_left, small_slices

from nodeloom import Graph
from nodeloom.sampling import WalkSampler
from nodeloom.sampling.pool import WalkPool

__all__ = ["no_thread_is_left"]  # a fixture of every test here


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
