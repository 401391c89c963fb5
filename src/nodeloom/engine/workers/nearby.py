"""Workers of one host: what one hands to another is copied straight from its memory, without a connection.

Linux lets a process read the memory of another one of the same user (``process_vm_readv``), in a tenth of the time that Gloo takes over
the loopback device. Whether it does is tried when workers meet: other systems, some sandboxes and containers of their own do not, and
all goes by Gloo. The giver says where an array lies, and the taker that it has copied it; both words go by Gloo too, so that a worker
that is lost is noticed as everywhere.
"""

from __future__ import annotations

import ctypes
import os
import secrets
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nodeloom.engine.torchrun import Place
    from nodeloom.engine.workers.group import Workers

SWITCH = "NODELOOM_NEARBY"
"""The variable of the environment that makes a worker neither read nor be read, if it is 0."""

_PR_SET_PTRACER = 0x59616D61
_NOBODY = ctypes.c_ulong(0)
_TAGS = 1 << 29  # pairs of tags, of 31 bits

Bytes = npt.NDArray[np.uint8]


class _Range(ctypes.Structure):
    """A ``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Memory:
    """The memory of another process, to be read.

    Parameters
    ----------
    pid : int
        The process.
    address : int
        Where it keeps its name.
    name : bytes
        A random name: a process in which that stands there is the one that is meant.
    """

    def __init__(self, pid: int, address: int, name: bytes) -> None:
        self._pid, self._address, self._name = pid, address, name
        self._read = _reader()

    def is_open(self) -> bool:
        """Tell whether this process can read it."""
        try:
            return self._is_named()
        except OSError:
            return False

    def copy(self, address: int, into: Bytes) -> None:
        """Fill an array with what is there from an address on.

        Raises
        ------
        OSError
            If it cannot be read, or not any more.
        """
        done = 0
        while done < into.nbytes:  # a call copies 2 GiB at most
            done += self._some(address + done, into[done:])
        if not self._is_named():
            raise ProcessLookupError(f"process {self._pid} is another one by now")

    def _is_named(self) -> bool:
        found = np.empty(len(self._name), np.uint8)
        return self._some(self._address, found) == found.nbytes and found.tobytes() == self._name

    def _some(self, address: int, into: Bytes) -> int:
        if self._read is None:
            raise OSError("this system has no process_vm_readv")
        here, there = _Range(into.ctypes.data, into.nbytes), _Range(address, into.nbytes)
        count = self._read(self._pid, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)
        if count <= 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return int(count)


class Neighbours:
    """The workers whose memory this one reads, and those that read its memory.

    Parameters
    ----------
    memories : dict of int to Memory
        By rank, those that this one can read.
    readers : set of int
        The ranks of those that can read this one.
    name : array of uint8, optional
        The name of this process, which others look for in its memory.
    are_all : bool
        Whether every worker can read all others.

    Attributes
    ----------
    are_all : bool
        As above.
    """

    def __init__(
        self,
        memories: dict[int, Memory] | None = None,
        readers: frozenset[int] = frozenset(),
        name: Bytes | None = None,
        *,
        are_all: bool = False,
    ) -> None:
        self._memories, self._readers, self.are_all = memories or {}, readers, are_all
        self._name = name
        self._given: Counter[int] = Counter()
        self._taken: Counter[int] = Counter()

    @classmethod
    def meet(cls, workers: Workers, here: Place) -> Neighbours:
        """Find out who can read whom; all workers have to call it."""
        name = np.frombuffer(bytearray(secrets.token_bytes(16)), np.uint8)
        is_wanted = here.num_local > 1 and os.environ.get(SWITCH) != "0"
        if is_wanted:
            _allow(ctypes.c_ulong(os.getppid()))  # the launcher, and so the workers that it has started
        offers = workers.gather((here.host if is_wanted else None, os.getpid(), name.ctypes.data, name.tobytes().hex()))
        memories = {}
        for rank, (host, pid, address, its_name) in enumerate(offers):
            if is_wanted and rank != workers.rank and host == here.host:
                memory = Memory(pid, address, bytes.fromhex(its_name))
                if memory.is_open():
                    memories[rank] = memory
        found = [set(ranks) for ranks in workers.gather(list(memories))]
        readers = frozenset(rank for rank, ranks in enumerate(found) if workers.rank in ranks)
        if is_wanted and not readers:
            _allow(_NOBODY)
        return cls(memories, readers, name, are_all=all(len(ranks) == workers.num_worker - 1 for ranks in found))

    def part(self) -> None:
        """Let nobody read the memory of this process any more."""
        if self._readers:
            _allow(_NOBODY)

    def reads(self, other: int) -> bool:
        """Tell whether this worker copies from the memory of another one."""
        return other in self._memories

    def is_read_by(self, other: int) -> bool:
        """Tell whether another worker copies from the memory of this one."""
        return other in self._readers

    def take(self, array: Bytes, other: int, group: Any) -> Taking:
        """Begin to receive an array from a worker whose memory this one reads; `group` is for what they say."""
        self._taken[other] += 1
        return Taking(array, self._memories[other], other, self._taken[other] % _TAGS, group)

    def give(self, array: Bytes, other: int, group: Any) -> Giving:
        """Begin to send an array to a worker that reads the memory of this one; `group` is for what they say."""
        self._given[other] += 1
        return Giving(array, other, self._given[other] % _TAGS, group)


class Giving:
    """An array that another worker copies; it is the `number`-th from this one to that."""

    def __init__(self, array: Bytes, other: int, number: int, group: Any) -> None:
        self._array = array  # which lives until it is copied
        self._said = _send(np.array([array.ctypes.data, array.nbytes], np.int64), other, 2 * number, group)
        self._done = _receive(np.zeros(1, np.int64), other, 2 * number + 1, group)

    def wait(self) -> None:
        """Wait until it is copied."""
        self._said.wait()
        self._done.wait()


class Taking:
    """An array that this worker copies from the memory of another one, when it waits for it; the `number`-th from that one."""

    def __init__(self, array: Bytes, memory: Memory, other: int, number: int, group: Any) -> None:
        self._array, self._memory, self._other, self._number, self._group = array, memory, other, number, group
        self._where = np.zeros(2, np.int64)
        self._told = _receive(self._where, other, 2 * number, group)

    def wait(self) -> None:
        """Wait until it is there, copy it, and tell the giver."""
        import torch.distributed as dist

        self._told.wait()
        address, size = map(int, self._where)
        if size != self._array.nbytes:
            raise RuntimeError(f"worker {self._other} gives {size} bytes where {self._array.nbytes} are expected")
        try:
            self._memory.copy(address, self._array)
        except OSError as error:  # the same as a broken connection, to all who wait
            text = (
                f"the memory of worker {self._other} cannot be read ({error}); with {SWITCH}=0 all goes by connections"
            )
            raise dist.DistError(text) from error
        _send(np.ones(1, np.int64), self._other, 2 * self._number + 1, self._group).wait()


def _send(words: npt.NDArray[np.int64], other: int, tag: int, group: Any) -> Any:
    import torch
    import torch.distributed as dist

    return dist.isend(torch.from_numpy(words), other, group=group, tag=tag)


def _receive(words: npt.NDArray[np.int64], other: int, tag: int, group: Any) -> Any:
    import torch
    import torch.distributed as dist

    return dist.irecv(torch.from_numpy(words), other, group=group, tag=tag)


def _libc() -> Any:
    """Return the C library of this process; None where there is no such thing."""
    try:
        return ctypes.CDLL(None, use_errno=True)
    except (OSError, TypeError):  # TypeError: on Windows
        return None


def _reader() -> Any:
    """Return ``process_vm_readv``; None where there is none."""
    function = getattr(_libc(), "process_vm_readv", None)
    if function is not None:
        of_one = [ctypes.POINTER(_Range), ctypes.c_ulong]
        function.argtypes = [ctypes.c_int, *of_one, *of_one, ctypes.c_ulong]
        function.restype = ctypes.c_ssize_t
    return function


def _allow(whom: ctypes.c_ulong) -> None:
    """Say which processes of this user may read the memory of this one, where a child may not without that (Yama of Linux)."""
    libc = _libc()
    if _reader() is not None and hasattr(libc, "prctl"):
        zero = ctypes.c_ulong(0)
        libc.prctl(ctypes.c_int(_PR_SET_PTRACER), whom, zero, zero, zero)  # fails where nothing is forbidden
