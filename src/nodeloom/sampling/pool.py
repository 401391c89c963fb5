"""The pool: threads make walks ahead of the one who trains on them, in buffers that go round between the two."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from nodeloom.errors import ConfigError, DataError, describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from nodeloom.typing import IndexArray

_STEPS_PER_SLICE = 1 << 17  # about two milliseconds of a thread: long beside taking a slice, short beside a buffer


class Sampler(Protocol):
    """What makes walks, such as :class:`nodeloom.sampling.WalkSampler`."""

    def sample(self, first_walk: int, out: IndexArray) -> None:
        """Fill `out` [W, L + 1] with walks number ``first_walk ...``; called by several threads at once."""


@dataclass(frozen=True)
class Batch:
    """Walks that are ready.

    Attributes
    ----------
    number : int
        Batches count from 0.
    buffer : int
        Which of the buffers holds it.
    first_walk : int
        Number of its first walk.
    walks : int32 or int64 [W, L + 1]
        The walks, a view of the buffer; to be read until the batch is given back.
    """

    number: int
    buffer: int
    first_walk: int
    walks: IndexArray


class _Filling:
    """A batch that threads are at work on."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self.next_walk = 0  # first walk that no thread has taken
        self.left = len(batch.walks)  # walks that are not there yet
        self.error: BaseException | None = None


class WalkPool:
    """Fills buffers with walks, in threads of its own, and hands them out in the order of the walks.

    Walks depend on their numbers alone, so what is in a batch is the same with any number of threads. Threads take slices in
    order, and go on to the next buffer while others still work on this one: as long as one is free, none waits.

    Use it as a context manager: threads run within the ``with`` block and have ended behind it, whatever happens in between.

    Parameters
    ----------
    sampler : Sampler
        Makes the walks.
    buffers : sequence of int32 or int64 [W, L + 1], any strides
        What is filled, all of one shape: two for double buffering, more against stutter.
    first_walk : int
        Number of the first walk.
    num_walk : int, optional
        Walks in all; without end by default.
    num_thread : int
        Threads.

    Attributes
    ----------
    seconds_waited : float
        How long :meth:`take` had to wait: near 0 if walks are made faster than they are used.

    Raises
    ------
    DataError, ConfigError
        If the buffers do not fit each other, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from nodeloom import Graph
    >>> from nodeloom.sampling import WalkSampler
    >>> from nodeloom.sampling.pool import WalkPool
    >>> sampler = WalkSampler.of(Graph.from_edges([[0, 1], [1, 2], [2, 0]]))
    >>> with WalkPool(sampler, [np.empty((100, 6), np.int32) for _ in range(2)], num_walk=250) as pool:
    ...     [(batch.first_walk, len(batch.walks)) for batch in pool]
    [(0, 100), (100, 100), (200, 50)]
    """

    def __init__(
        self,
        sampler: Sampler,
        buffers: Sequence[IndexArray],
        *,
        first_walk: int = 0,
        num_walk: int | None = None,
        num_thread: int = 1,
    ) -> None:
        _check(buffers, first_walk, num_walk, num_thread)
        self._sampler = sampler
        self._buffers = list(buffers)
        self._first_walk = first_walk
        self._walks_left = num_walk
        self._num_thread = num_thread
        size, nodes = self._buffers[0].shape
        # No fewer slices than threads, so that one buffer is enough to keep all of them busy.
        self._slice = max(1, min(_STEPS_PER_SLICE // nodes, -(-size // num_thread)))
        self._free = deque(range(len(self._buffers)))
        self._filling: deque[_Filling] = deque()  # in the order of their walks
        self._taken: dict[int, Batch] = {}  # by number
        self._num_batch = 0
        self._closed = False
        self._failed = False
        self._threads: list[threading.Thread] = []
        lock = threading.Lock()
        self._work = threading.Condition(lock)  # there may be a slice to take
        self._ready = threading.Condition(lock)  # the first batch may be ready
        self.seconds_waited = 0.0

    # ---------------------------------------------------------------------------------------------------- consumer

    def take(self) -> Batch | None:
        """Return the next batch, which the caller holds until it is given back; None after the last.

        Raises
        ------
        Exception
            What a thread raised while it made this batch; earlier batches are handed out before. No more walks are made then.
        RuntimeError
            If the caller holds all buffers, so that there is nothing to wait for; or outside of the ``with`` block.
        """
        begin = time.perf_counter()
        with self._ready:
            self._must_be_open()
            self._assign()
            if not self._filling:
                if self._walks_left == 0:
                    return None
                raise RuntimeError(f"take: all {len(self._buffers)} buffers are held. Give one back first.")
            first = self._filling[0]
            while first.left and first.error is None:
                self._ready.wait()
                self._must_be_open()
            self.seconds_waited += time.perf_counter() - begin
            if first.error is not None:
                raise first.error
            self._filling.popleft()
            self._taken[first.batch.number] = first.batch
            return first.batch

    def give_back(self, batch: Batch) -> None:
        """Let the buffer of a batch be filled again; its walks must not be looked at any more.

        Raises
        ------
        ValueError
            If the batch is not held.
        """
        with self._work:
            if self._taken.get(batch.number) is not batch:
                raise ValueError(
                    f"give_back: batch {batch.number} is not held; it was given back, or is another pool's."
                )
            del self._taken[batch.number]
            self._free.append(batch.buffer)
            self._assign()

    def __iter__(self) -> Iterator[Batch]:
        """Yield all batches, each of which is given back when the next one is asked for."""
        while (batch := self.take()) is not None:
            try:
                yield batch
            finally:
                self.give_back(batch)

    # ------------------------------------------------------------------------------------------------ begin and end

    def __enter__(self) -> WalkPool:
        if self._threads:
            raise RuntimeError("WalkPool: it is used already. Make a new one.")
        with self._work:
            self._assign()
        try:
            for number in range(self._num_thread):
                # Daemons: should an interrupt come while close() waits for them, the process can still end.
                thread = threading.Thread(target=self._run, name=f"nodeloom-walks-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads, which finish the slice they are at, and wait for them. Buffers are not written to afterwards."""
        with self._work:
            self._closed = True
            self._work.notify_all()
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _must_be_open(self) -> None:
        if self._closed or not self._threads:
            raise RuntimeError("take: there are walks only within the 'with' block of a WalkPool.")

    # ----------------------------------------------------------------------------------------------------- threads

    def _assign(self) -> None:
        """Give free buffers to the next batches; the lock is held."""
        while self._free and self._walks_left != 0 and not (self._failed or self._closed):
            buffer = self._free.popleft()
            walks = self._buffers[buffer]
            if self._walks_left is not None:
                walks = walks[: self._walks_left]
                self._walks_left -= len(walks)
            self._filling.append(_Filling(Batch(self._num_batch, buffer, self._first_walk, walks)))
            self._num_batch += 1
            self._first_walk += len(walks)
            self._work.notify_all()

    def _next_slice(self) -> tuple[_Filling, int, int] | None:
        """Return the next slice that nobody has taken, None if there is none yet; the lock is held."""
        for filling in self._filling:
            begin, size = filling.next_walk, len(filling.batch.walks)
            if begin < size:
                filling.next_walk = min(size, begin + self._slice)
                return filling, begin, filling.next_walk
        return None

    def _run(self) -> None:
        """Fill slices until the pool is closed or a thread has failed."""
        while True:
            with self._work:
                while (task := None if self._closed or self._failed else self._next_slice()) is None:
                    if self._closed or self._failed:
                        return
                    self._work.wait()
            filling, begin, end = task
            batch = filling.batch
            error: BaseException | None = None
            try:
                self._sampler.sample(batch.first_walk + begin, batch.walks[begin:end])
            except BaseException as raised:  # noqa: BLE001  it is raised where somebody can see it: in take()
                error = raised
            with self._work:
                filling.left -= end - begin
                if error is not None:
                    # Slices are taken in order, so those of earlier batches are at work or done: these batches come to an end.
                    filling.error = filling.error or error
                    self._failed = True
                    self._work.notify_all()
                if self._filling and filling is self._filling[0] and (error is not None or not filling.left):
                    self._ready.notify_all()


def _check(buffers: Sequence[IndexArray], first_walk: int, num_walk: int | None, num_thread: int) -> None:
    if not buffers:
        raise DataError(describe("buffers", expected="at least one", got="none", hint="Two overlap making and using."))
    shape, dtype = buffers[0].shape, buffers[0].dtype
    if len(shape) != 2 or 0 in shape or dtype.kind != "i":
        raise DataError(describe("buffers", expected="integers [W, L + 1]", got=f"{dtype} {list(shape)}"))
    for buffer in buffers:
        if buffer.shape != shape or buffer.dtype != dtype:
            got = f"{buffer.dtype} {list(buffer.shape)}"
            raise DataError(describe("buffers", expected=f"{dtype} {list(shape)} as the first", got=got))
        if not buffer.flags.writeable:
            raise DataError(describe("buffers", expected="arrays that can be written to", got="one that is read-only"))
    for name, value, least in (("first_walk", first_walk, 0), ("num_walk", num_walk, 0), ("num_thread", num_thread, 1)):
        if value is not None and value < least:
            raise ConfigError(describe(f"WalkPool.{name}", expected=f"at least {least}", got=value))
