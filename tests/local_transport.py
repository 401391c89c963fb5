"""Workers as threads of one process: what they do is the same, and nothing has to be started."""

from __future__ import annotations

import json
import queue
import threading
from types import SimpleNamespace

import numpy as np

from nodeloom.transport.base import Pending, Transport
from nodeloom.transport.torchrun import WorkerRank


class Receive:
    """A receive in flight."""

    def __init__(self, mailbox, array):
        self.mailbox, self.array = mailbox, array

    def wait(self):
        self.array[:] = self.mailbox.get(timeout=120)


class LocalTransport(Transport):
    """That of one of several threads that play workers; `shared` is what they have in common."""

    def __init__(self, rank, size, shared):
        self.worker = WorkerRank(rank, size, rank, size, run="threads", folder="none")
        self.shared = shared

    def gather_objects(self, value):
        return self.exact(json.loads(json.dumps(value)))  # as over a connection

    def exact(self, value):
        """Return the values of all, of any kind."""
        self.shared.values[self.rank] = value
        self.shared.barrier.wait(120)
        found = list(self.shared.values)
        self.shared.barrier.wait(120)
        return found

    def all_reduce(self, values):
        values[...] = np.sum(self.exact(np.array(values)), axis=0)

    def begin_all_reduce(self, values):
        self.all_reduce(values)
        return Pending()

    def broadcast(self, values, root=0):
        values[...] = self.exact(values.copy())[root]

    def all_gather(self, own, out):
        rows = out.reshape(self.size, -1)
        for number, found in enumerate(self.exact(own.copy())):
            rows[number] = found.reshape(-1)

    def exchange(self, send, receive):
        for array, other in send:
            self.shared.mail[self.rank, other].put(array.copy())
        return Pending([Receive(self.shared.mail[other, self.rank], array) for array, other in receive])


def together(size, work):
    """Call ``work(transport)`` in a thread for each worker; return all results.

    The first error is raised, once all have ended: those who wait for the failed one are released.
    """
    shared = SimpleNamespace(
        values=[None] * size,
        barrier=threading.Barrier(size),
        mail={(a, b): queue.Queue() for a in range(size) for b in range(size)},
    )
    results, errors = [None] * size, []

    def run(rank):
        try:
            results[rank] = work(LocalTransport(rank, size, shared))
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001  raised below
            errors.append((rank, error))
            shared.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise min(errors, key=lambda found: found[0])[1]
    return results
