"""The transport of a process that trains alone: everything is there already."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from nodeloom.transport.base import Array, Pending, Transport
from nodeloom.transport.torchrun import WorkerRank

if TYPE_CHECKING:
    from collections.abc import Sequence


class Alone(Transport):
    """One worker, without torch."""

    def __init__(self) -> None:
        self.worker = WorkerRank()

    def all_reduce(self, values: Array) -> None:
        """Leave an array as it is."""

    def begin_all_reduce(self, values: Array) -> Pending:
        """Leave an array as it is."""
        return Pending()

    def all_gather(self, own: Array, out: Array) -> None:
        """Copy `own` to `out`."""
        out.reshape(-1)[...] = own.reshape(-1)

    def broadcast(self, values: Array, root: int = 0) -> None:
        """Leave an array as it is."""

    def gather_objects(self, value: object) -> list[Any]:
        """Return the value in a list, as JSON has it."""
        return [json.loads(json.dumps(value))]

    def exchange(self, send: Sequence[tuple[Array, int]], receive: Sequence[tuple[Array, int]]) -> Pending:
        """Do nothing, as there is nobody to exchange anything with.

        Raises
        ------
        ValueError
            If there is something to exchange.
        """
        if send or receive:
            raise ValueError("a worker that is alone has nobody to exchange arrays with")
        return Pending()


ALONE = Alone()
"""It has no state, so one is enough."""
