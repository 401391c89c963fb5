"""Workers as threads of one process: what they do is the same, and nothing has to be started."""

from __future__ import annotations

import json
import queue
import threading
from types import SimpleNamespace

import numpy as np

from nodeloom.engine import workers as package
from nodeloom.engine.workers import Pending, Workers


class Receive:
    """A receive that is under way."""

    def __init__(self, mailbox, array):
        self.mailbox, self.array = mailbox, array

    def wait(self):
        self.array[:] = self.mailbox.get(timeout=120)


class LocalWorkers(Workers):
    """One of several threads that play workers; `shared` is what they have in common."""

    def __init__(self, rank, num_worker, shared):
        super().__init__(rank, num_worker)
        self.shared = shared
        self.waiting = []

    def gather(self, value):
        return self.exact(json.loads(json.dumps(value)))  # as over a connection

    def exact(self, value):
        """Return the values of all, of any kind."""
        self.shared.values[self.rank] = value
        self.shared.barrier.wait(120)
        found = list(self.shared.values)
        self.shared.barrier.wait(120)
        return found

    def total(self, values):
        return np.sum(self.exact(np.array(values)), axis=0)

    def add(self, values):
        values[:] = self.total(values)
        return Pending([])

    def from_first(self, values):
        values[:] = self.exact(values)[0]
        return values

    def share(self, values):
        rows = values.reshape(self.num_worker, -1)
        for number, found in enumerate(self.exact(rows[self.rank].copy())):
            rows[number] = found

    def exchange(self, outgoing, incoming):
        for array, other in outgoing:
            self.shared.mail[self.rank, other].put(array.copy())
        return Pending([Receive(self.shared.mail[other, self.rank], array) for array, other in incoming])


def together(monkeypatch, num_worker, work):
    """Call ``work(workers)`` in a thread for each worker, in which it trains as one of them; return all results.

    The first error is raised, once all have ended: those who wait for the failed one are released.
    """
    shared = SimpleNamespace(
        values=[None] * num_worker,
        barrier=threading.Barrier(num_worker),
        mail={(a, b): queue.Queue() for a in range(num_worker) for b in range(num_worker)},
    )
    here = threading.local()
    monkeypatch.setattr(package, "join", lambda: here.workers)
    monkeypatch.setattr("nodeloom.engine.planning.num_workers", lambda resource: num_worker)
    for module in ("checkpoint", "machine"):
        monkeypatch.setattr(
            f"nodeloom.engine.{module}.place",
            lambda: SimpleNamespace(rank=here.workers.rank, num_local=num_worker, spawned=True),
        )
    results, errors = [None] * num_worker, []

    def run(rank):
        here.workers = LocalWorkers(rank, num_worker, shared)
        try:
            results[rank] = work(here.workers)
        except threading.BrokenBarrierError:
            pass
        except BaseException as error:  # noqa: BLE001  raised below
            errors.append((rank, error))
            shared.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(num_worker)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise min(errors, key=lambda found: found[0])[1]
    return results
