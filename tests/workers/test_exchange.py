"""What processes hand to each other arrives: of any dtype and shape, several at a time, in both directions, whoever waits first."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("torch")


EXCHANGE = """
import os, sys, time
from pathlib import Path
import numpy as np
from nodeloom.transport.session import worker_session

folder, rank = Path(sys.argv[1]), int(os.environ["RANK"])
DTYPES = [np.float32, np.uint8, np.int64, np.float16, bool]
SHAPES = [(1,), (7, 3), (0,), (0, 4), (), (1001, 33), (1 << 15, 7)]
def made(source, target, number):
    key = 1000 * source + 100 * target + number
    values = np.random.default_rng(key).integers(0, 200, SHAPES[number % len(SHAPES)])
    return np.array(values).astype(DTYPES[number % len(DTYPES)])
def same(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape and (found == expected).all()

with worker_session(20.0) as transport:
    others = [other for other in range(transport.size) if other != rank]
    # Several at a time, both directions at the same time, no size the same.
    given = [(made(rank, other, number), other) for number in range(35) for other in others]
    taken = [(np.zeros_like(made(other, rank, number)), other) for number in range(35) for other in others]
    transport.exchange(given, taken).wait()
    for place, (array, other) in enumerate(taken):
        same(array, made(other, rank, place // len(others)))
    # Each to the next, several under way, waited for the other way round; what was sent may be changed then.
    following, before = (rank + 1) % transport.size, (rank - 1) % transport.size
    arrays = [made(rank, following, number) for number in (5, 6)]
    rooms = [np.zeros_like(array) for array in arrays]
    first, second = (transport.exchange([(a, following)], [(r, before)]) for a, r in zip(arrays, rooms))
    for pending, array in ((second, arrays[1]), (first, arrays[0])):
        pending.wait()
        array[...] = 0
    for number, room in zip((5, 6), rooms):
        same(room, made(before, rank, number))
    # Rows that are not contiguous and go out of sight, to one who comes late; what was sent is changed as soon as that is allowed.
    whole, every = made(0, 1, 5), made(0, 1, 5)[::2, ::3]
    if rank == 0:
        pending = transport.exchange([(every.copy()[:, ::2], 1), (whole, 1)], [])
        others_memory = [np.full_like(every[:, ::2], 7) for _ in range(20)]
        pending.wait()
        whole[...] = 0
        pending.wait()
    if rank == 1:
        rooms = [np.zeros_like(array) for array in (every[:, ::2].copy(), whole)]
        pending = transport.exchange([], [(room, 0) for room in rooms])
        time.sleep(0.3)
        pending.wait()
        for room, expected in zip(rooms, (every[:, ::2], whole)):
            same(room, expected)
    # What cannot be filled.
    fixed = np.zeros(4)
    fixed.flags.writeable = False
    for room in (np.zeros((4, 4))[:, 1], np.zeros((4, 4)).T[1:], fixed):
        try:
            transport.exchange([], [(room, others[0])])
        except ValueError as error:
            assert "nothing can be received" in str(error)
        else:
            raise AssertionError(room.strides)
    # All get all.
    for size in (0, 1, 1001):
        whole = np.full((transport.size * size, 3), -1, np.int32)
        whole[rank * size : (rank + 1) * size] = rank
        transport.all_gather(whole[rank * size : (rank + 1) * size], whole)
        assert (whole == np.repeat(np.arange(transport.size), size)[:, None]).all()
    # All get the sum, and what one has.
    values = np.arange(5.0) + rank
    transport.all_reduce(values)
    same(values, sum(np.arange(5.0) + other for other in range(transport.size)))
    values = np.arange(5.0) + rank
    transport.begin_all_reduce(values).wait()
    same(values, sum(np.arange(5.0) + other for other in range(transport.size)))
    transport.broadcast(values := np.full(3, rank), 1)
    same(values, np.full(3, 1))
    assert transport.gather_objects({"rank": (rank, None)}) == [{"rank": [other, None]} for other in range(transport.size)]
    transport.barrier()
(folder / f"well-{rank}").touch()
"""


@pytest.mark.parametrize("hosts", [[0, 0], [0, 0, 1]], ids=["one host", "two hosts"])
def test_what_is_given_arrives(tmp_path, hosts):
    from torch.distributed import TCPStore

    store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)  # that of a launcher
    crew = []
    for rank, host in enumerate(hosts):
        place = {
            "RANK": rank, "WORLD_SIZE": len(hosts), "LOCAL_RANK": hosts[:rank].count(host), "LOCAL_WORLD_SIZE": hosts.count(host),
            "GROUP_RANK": host, "TORCHELASTIC_RESTART_COUNT": 0, "TORCHELASTIC_RUN_ID": "test", "OMP_NUM_THREADS": 1,
            "MASTER_ADDR": "localhost", "MASTER_PORT": store.port, "TORCHELASTIC_USE_AGENT_STORE": True,
            "TORCH_CPP_LOG_LEVEL": "ERROR",
        }  # fmt: skip
        command = [sys.executable, "-W", "error", "-c", EXCHANGE, str(tmp_path)]
        environment = os.environ | {name: str(value) for name, value in place.items()}
        crew.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        )
    try:
        said = [process.communicate(timeout=60) for process in crew]
    finally:
        for process in crew:
            process.kill()
            process.communicate()
    assert said == [("", "")] * len(hosts)
    assert len(list(tmp_path.glob("well-*"))) == len(hosts)
