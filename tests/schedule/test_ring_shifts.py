"""RingShifts: every part is with one worker at a time, there when it is trained, and travels no more than it has to."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodeloom.partition import Block
from nodeloom.schedule import RingShifts, rounds


@given(num_worker=st.integers(1, 6), share=st.integers(1, 4), more=st.integers(0, 3), num_episode=st.integers(1, 4))
def test_parts_are_where_they_are_trained(num_worker, share, more, num_episode):
    num_part = num_worker * share + more
    orders = [rounds(num_worker, num_part, num_worker, episode) for episode in range(num_episode + 1)]
    where = None
    trained = Counter()
    for order, following in itertools.pairwise(orders):
        shifts = RingShifts(order, following)
        if where is None:
            where = {part: shifts.holder(part, 0) for part in range(num_part)}
        most = Counter()
        for step, row in enumerate(order):
            assert where == {part: shifts.holder(part, step) for part in range(num_part)}
            for worker, block in enumerate(row):
                if block is not None:
                    assert where[block.context] == worker
                    trained[block] += 1
            coming = Counter()
            for shift in shifts.after(step):
                assert where[shift.part] == shift.source != shift.target
                assert row[shift.source].context == shift.part  # what goes has just been trained
                coming[shift.target] += 1
            for worker in range(num_worker):
                most[worker] = max(most[worker], list(where.values()).count(worker) + coming[worker])
            for shift in shifts.after(step):
                where[shift.part] = shift.target
        for worker in range(num_worker):
            assert (
                shifts.num_buffer(worker) == most[worker] <= num_part - (num_worker - 1) * (num_part // num_worker) + 1
            )
    # Exact cover: each block once an episode.
    assert trained == Counter({Block(v, c): num_episode for v in range(num_worker) for c in range(num_part)})


@given(num_worker=st.integers(2, 6), share=st.integers(1, 4), episode=st.integers(0, 3))
def test_an_episode_sends_one_part_a_round_round_the_ring(num_worker, share, episode):
    num_part = num_worker * share
    orders = [rounds(num_worker, num_part, num_worker, number) for number in (episode, episode + 1)]
    shifts = RingShifts(*orders)
    step = 1 if episode % 2 else -1
    for number in range(num_part):
        found = shifts.after(number)
        expected = num_worker if number < num_part - share else 0
        assert len(found) == expected
        assert all(shift.target == (shift.source + step) % num_worker for shift in found)
        # It has S - 1 rounds to travel.
        for shift in found:
            uses = [at for at, row in enumerate(orders[0]) if row[shift.target].context == shift.part]
            assert uses[0] == number + share


def test_two_workers_never_have_a_part_in_the_same_round():
    with pytest.raises(ValueError, match="share a part"):
        RingShifts([(Block(0, 1), Block(1, 1))])


def test_parts_stay_where_they_are_if_nothing_follows():
    shifts = RingShifts(rounds(2, 4, 2))
    assert shifts.after(3) == []
    assert shifts.parts_of(0, 4) == [2, 3]
    assert shifts.parts_of(1, 4) == [0, 1]
