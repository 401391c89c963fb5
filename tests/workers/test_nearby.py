"""Workers of one host copy from each other's memory what they hand to each other; where they cannot, all goes by Gloo and is the same."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from nodeloom.engine.torchrun import Place
from nodeloom.engine.workers import nearby
from nodeloom.engine.workers.nearby import Memory, Neighbours

LAUNCHER = os.getppid()
NAME = np.frombuffer(bytearray(b"0123456789abcdef"), np.uint8)


def own_memory(name=b"0123456789abcdef", pid=None):
    """Return the memory of this process, as another one would see it."""
    return Memory(pid or os.getpid(), NAME.ctypes.data, name)


def obstacle():
    """Return why processes cannot read each other's memory here; None if they can. It must not ask the code that is tested."""
    if sys.platform != "linux":
        return "only Linux has process_vm_readv"
    scope = Path("/proc/sys/kernel/yama/ptrace_scope")
    if scope.exists() and int(scope.read_text()) >= (3 if os.getuid() == 0 else 2):
        return f"{scope} forbids it"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.process_vm_readv(os.getpid(), None, 0, None, 0, 0) != 0:
        return f"process_vm_readv: {os.strerror(ctypes.get_errno())}"
    return None


OBSTACLE = obstacle()
copies = pytest.mark.skipif(OBSTACLE is not None, reason=OBSTACLE or "")


# ------------------------------------------------------------------------------------------- memory, in one process


@copies
@pytest.mark.parametrize("most", [1, 7, 4096, 10**9])
def test_a_copy_may_take_several_calls(monkeypatch, most):
    found = []

    def in_pieces(pid, here, num_here, there, num_there, flags):
        for words in (here._obj, there._obj):
            words.length = min(words.length, most)
        found.append(real(pid, here, num_here, there, num_there, flags))
        return found[-1]

    memory, real = own_memory(), nearby._reader()
    source, into = np.random.default_rng(0).integers(0, 256, 5001).astype(np.uint8), np.zeros(5001, np.uint8)
    monkeypatch.setattr(memory, "_is_named", lambda: True)  # looks in one call
    monkeypatch.setattr(memory, "_read", in_pieces)
    memory.copy(source.ctypes.data, into)
    np.testing.assert_array_equal(into, source)
    assert sum(found) == 5001 and len(found) == -(-5001 // most)


@copies
def test_what_cannot_be_read():
    into = np.zeros(10, np.uint8)
    assert not own_memory(b"fedcba9876543210").is_open()
    with pytest.raises(OSError, match="Bad address"):
        own_memory().copy(0, into)
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with pytest.raises(OSError, match="No such process"):
        own_memory(pid=ended.pid).copy(NAME.ctypes.data, into)
    with pytest.raises(ProcessLookupError, match=f"process {os.getpid()} is another one by now"):
        own_memory(b"fedcba9876543210").copy(NAME.ctypes.data, into)


class Alone:
    """Workers of which this process plays one; the others say what they are told to."""

    num_worker, rank = 3, 0

    def __init__(self, offers, readable):
        self.answers = [offers, readable]

    def gather(self, value):
        return [value, *self.answers.pop(0)]


HERE = Place(0, 3, 0, 2, 0, 0, "test")


@copies
def test_both_must_know():
    offer = (os.getpid(), NAME.ctypes.data, NAME.tobytes().hex())
    near = Neighbours.meet(Alone([(0, *offer), (1, *offer)], [[], [0, 1]]), HERE)
    assert [near.reads(rank) for rank in (1, 2)] == [True, False]  # 2 is on another host
    assert [near.is_read_by(rank) for rank in (1, 2)] == [False, True]
    assert not near.are_all
    near.part()
    near = Neighbours.meet(Alone([(0, *offer), (0, *offer)], [[0, 2], [1, 0]]), HERE)
    assert near.are_all and near.reads(1) and near.reads(2)
    near.part()
    strange = (
        os.getpid(),
        NAME.ctypes.data,
        "78" * 16,
    )  # another namespace, where the number is that of another process
    near = Neighbours.meet(Alone([(0, *offer), (0, *strange)], [[0, 2], [1, 0]]), HERE)
    assert near.reads(1) and not near.reads(2) and not near.are_all
    near.part()


@copies
@pytest.mark.parametrize(("switch", "is_near"), [("0", False), ("1", True)])
def test_it_can_be_turned_off(monkeypatch, switch, is_near):
    monkeypatch.setenv("NODELOOM_NEARBY", switch)
    allowed = []
    monkeypatch.setattr(nearby, "_allow", allowed.append)
    offer = (os.getpid(), NAME.ctypes.data, NAME.tobytes().hex())
    near = Neighbours.meet(Alone([(0, *offer), (0, *offer)], [[2], [1]]), HERE)
    assert near.reads(1) is near.reads(2) is is_near
    assert bool(allowed) is is_near  # nobody is let in who is not wanted


class Without:
    """A C library without the functions."""


class Library:
    """A C library that writes down what it is asked."""

    def __init__(self):
        self.allowed = []

    def prctl(self, option, whom, *rest):
        assert option.value == 0x59616D61 and len(rest) == 3  # PR_SET_PTRACER
        self.allowed.append(whom.value)

    class process_vm_readv:  # noqa: N801
        """No more than its name."""


@pytest.mark.parametrize(
    ("num_local", "found", "expected"),
    [(2, [[0], []], [[LAUNCHER], [0]]), (2, [[], []], [[LAUNCHER, 0], []]), (1, [[], []], [[], []])],
    ids=["read", "not read", "alone on its host"],
)
def test_who_may_read_is_said_while_there_are_workers(monkeypatch, num_local, found, expected):
    library = Library()
    monkeypatch.setattr(nearby, "_libc", lambda: library)
    place = Place(0, 3, 0, num_local, 0, 0, "test")
    near = Neighbours.meet(Alone([(1, 1, 0, "")] * 2, found), place)
    assert library.allowed == expected[0]
    library.allowed.clear()
    near.part()
    assert library.allowed == expected[1]


@pytest.mark.parametrize("library", [None, Without()], ids=["none", "an old one"])
def test_a_system_that_does_not_have_it(monkeypatch, library):
    monkeypatch.setattr(nearby, "_libc", lambda: library)
    assert not own_memory().is_open()
    offer = (0, os.getpid(), NAME.ctypes.data, NAME.tobytes().hex())
    near = Neighbours.meet(Alone([offer, offer], [[], []]), HERE)
    assert not any(near.reads(rank) or near.is_read_by(rank) for rank in (1, 2))
    near.part()


# ------------------------------------------------------------------------------------------------- with processes

BEGIN = """
import os, sys, time
from pathlib import Path
import numpy as np
from nodeloom.engine.workers import nearby
from nodeloom.engine.workers import membership
from nodeloom.engine.workers.membership import together
from nodeloom.errors import NodeloomError
folder, mode, rank = Path(sys.argv[1]), sys.argv[2], int(os.environ["RANK"])
copied, real = [], nearby.Memory.copy
def copy(self, address, into):
    copied.append(into.nbytes)
    real(self, address, into)
nearby.Memory.copy = copy
if mode == "no function":
    nearby._libc = lambda: object()
if mode == "one direction" and rank == 1:
    nearby.Memory.is_open = lambda self: False
"""

EXCHANGE = """
DTYPES = [np.float32, np.uint8, np.int64, np.float16, bool]
SHAPES = [(1,), (7, 3), (0,), (0, 4), (), (1001, 33), (1 << 15, 7)]
def made(giver, taker, number):
    key = 1000 * giver + 100 * taker + number
    values = np.random.default_rng(key).integers(0, 200, SHAPES[number % len(SHAPES)])
    return np.array(values).astype(DTYPES[number % len(DTYPES)])
def same(found, expected):
    assert found.dtype == expected.dtype and found.shape == expected.shape and (found == expected).all()

with together(20.0) as workers:
    assert [workers.near.reads(other) for other in range(workers.num_worker)] == eval(sys.argv[3])[rank]
    others = [other for other in range(workers.num_worker) if other != rank]
    # Several at a time, both directions at the same time, no size the same.
    given = [(made(rank, other, number), other) for number in range(35) for other in others]
    taken = [(np.zeros_like(made(other, rank, number)), other) for number in range(35) for other in others]
    workers.exchange(given, taken).wait()
    for place, (array, other) in enumerate(taken):
        same(array, made(other, rank, place // len(others)))
    # Each to the next, several under way, waited for the other way round; what was sent may be changed then.
    following, before = (rank + 1) % workers.num_worker, (rank - 1) % workers.num_worker
    arrays = [made(rank, following, number) for number in (5, 6)]
    rooms = [np.zeros_like(array) for array in arrays]
    first, second = (workers.exchange([(a, following)], [(r, before)]) for a, r in zip(arrays, rooms))
    for pending, array in ((second, arrays[1]), (first, arrays[0])):
        pending.wait()
        array[...] = 0
    for number, room in zip((5, 6), rooms):
        same(room, made(before, rank, number))
    # Rows that are not contiguous and go out of sight, to one who comes late; what was sent is changed as soon as that is allowed.
    whole, every = made(0, 1, 5), made(0, 1, 5)[::2, ::3]
    if rank == 0:
        pending = workers.exchange([(every.copy()[:, ::2], 1), (whole, 1)], [])
        others_memory = [np.full_like(every[:, ::2], 7) for _ in range(20)]
        pending.wait()
        whole[...] = 0
        pending.wait()
    if rank == 1:
        rooms = [np.zeros_like(array) for array in (every[:, ::2].copy(), whole)]
        pending = workers.exchange([], [(room, 0) for room in rooms])
        time.sleep(0.3)
        pending.wait()
        for room, expected in zip(rooms, (every[:, ::2], whole)):
            same(room, expected)
    # What cannot be filled.
    fixed = np.zeros(4)
    fixed.flags.writeable = False
    for room in (np.zeros((4, 4))[:, 1], np.zeros((4, 4)).T[1:], fixed):
        try:
            workers.exchange([], [(room, others[0])])
        except ValueError as error:
            assert "nothing can be received" in str(error)
        else:
            raise AssertionError(room.strides)
    # All get all.
    counts = len(copied)
    for size in (0, 1, 1001):
        whole = np.full((workers.num_worker * size, 3), -1, np.int32)
        whole[rank * size : (rank + 1) * size] = rank
        workers.share(whole)
        assert (whole == np.repeat(np.arange(workers.num_worker), size)[:, None]).all()
    assert (len(copied) > counts) == workers.near.are_all
    near = [other for other in others if workers.near.reads(other)]
    expected = [made(other, rank, number).nbytes for number in range(35) for other in near]
    assert copied[: len(expected)] == expected
    workers.barrier()
(folder / f"well-{rank}").touch()
"""

# The giver waits until it is stopped, or the taker is: after the word where the array is, before it is copied.
CUT = """
def copy(self, address, into):
    (folder / "told").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    real(self, address, into)
nearby.Memory.copy = copy
if mode == "torn":
    nearby.Memory.copy = lambda self, address, into: real(self, 0, into)
    membership.PATIENCE = 0.5
try:
    with together(2.0) as workers:
        array = np.full(1 << 20, rank, np.int32)
        if mode == "wrong size" and rank == 0:
            array = array[1:]
        workers.exchange(*([(array, 0)], []) if rank else ([], [(array, 1)])).wait()
        assert (array == 1).all()
        workers.barrier()
        print("well at", rank)
except NodeloomError as error:
    sys.exit(f"{type(error).__name__} at {rank}: {error}")
"""


def start(program, hosts, folder, mode, *arguments):
    """Start a worker for each number in `hosts`, which says on which host it is said to be; return them and the store of all."""
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
        command = [sys.executable, "-W", "error", "-c", BEGIN + program, str(folder), mode, *arguments]
        environment = os.environ | {name: str(value) for name, value in place.items()}
        crew.append(
            subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
        )
    return crew, store


@pytest.fixture
def crew_of():
    """A function that starts workers, which are gone in the end."""
    found = []

    def begin(*arguments):
        found.append(start(*arguments))
        return found[-1][0]

    yield begin
    for crew, _ in found:
        for process in crew:
            process.kill()
            process.communicate()


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
class TestProcesses:
    @pytest.mark.parametrize(
        ("hosts", "mode", "reads"),
        [
            pytest.param([0, 0], "", [[0, 1], [1, 0]], marks=copies),
            pytest.param([0, 0, 0], "", [[0, 1, 1], [1, 0, 1], [1, 1, 0]], marks=copies),
            pytest.param([0, 0, 1], "", [[0, 1, 0], [1, 0, 0], [0, 0, 0]], marks=copies),
            pytest.param([0, 0], "one direction", [[0, 1], [0, 0]], marks=copies),
            ([0, 0], "no function", [[0, 0], [0, 0]]),
        ],
        ids=["two", "three", "near and far", "one direction", "no function"],
    )
    def test_what_is_given_arrives(self, tmp_path, crew_of, hosts, mode, reads):
        crew = crew_of(EXCHANGE, hosts, tmp_path, mode, repr(reads))
        said = [process.communicate(timeout=60) for process in crew]
        assert said == [("", "")] * len(hosts)
        assert len(list(tmp_path.glob("well-*"))) == len(hosts)

    @copies
    @pytest.mark.skipif(not Path("/proc").exists(), reason="processes are looked up in /proc")
    @pytest.mark.parametrize("victim", [0, 1], ids=["taker", "giver"])
    @pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
    def test_one_is_lost_before_it_is_copied(self, tmp_path, crew_of, victim, number):
        crew = crew_of(CUT, [0, 0], tmp_path, "")
        wait_for(tmp_path / "told", crew)
        crew[victim].send_signal(number)
        if number == signal.SIGKILL:
            time.sleep(0.2)
        (tmp_path / "go").touch()
        begin = time.monotonic()
        out, err = crew[1 - victim].communicate(timeout=30)
        assert time.monotonic() - begin < 12
        assert out == "" and crew[1 - victim].returncode != 0
        assert f"worker {victim} (process {crew[victim].pid} on " in err and len(err.splitlines()) == 1
        assert ("is gone: it was killed" if number == signal.SIGKILL else "has given no sign of life") in err

    @copies
    def test_another_size_is_no_matter_of_silence(self, tmp_path, crew_of):
        crew = crew_of(CUT, [0, 0], tmp_path, "wrong size")
        taker, giver = (process.communicate(timeout=30)[1] for process in crew)
        assert "RuntimeError: worker 1 gives 4194304 bytes where 4194300 are expected" in taker
        assert "gives 4194304 bytes" in giver and "worker 0 (process" in giver

    @copies
    def test_memory_that_cannot_be_read_is_a_broken_connection(self, tmp_path, crew_of):
        taker, giver = (process.communicate(timeout=30)[1] for process in crew_of(CUT, [0, 0], tmp_path, "torn"))
        broken = (
            "a connection to another worker broke: the memory of worker 1 cannot be read ([Errno 14] Bad address); with "
            "NODELOOM_NEARBY=0 all goes by connections."
        )
        assert taker == f"WorkerError at 0: {broken} No checkpoint was asked for.\n"
        assert broken in giver and giver.startswith(("error: worker 0 (process ", "EchoError at 1: "))


def wait_for(path, crew):
    end = time.monotonic() + 60
    while not path.exists():
        assert all(process.poll() is None for process in crew) and time.monotonic() < end
        time.sleep(0.02)
