"""What a device is told to do: load a part, store a part, train a block.

An operation may begin when all that are named in its `after` are done, and all before it in its own queue. A device has a
queue of trainings and for each side one of loads and one of stores, so that a large part of one side does not hold up the
other. An engine gives each queue a stream, and waits for the events of the operations in `after`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from nodeloom.partition.block import Block, Side


@dataclass(frozen=True, slots=True)
class Load:
    """Copy a part from the host into a buffer of the device.

    Attributes
    ----------
    number : int
        Names the operation; unique.
    after : tuple of int
        Operations of other queues that have to be done before.
    side : {"vertex", "context"}
        The table; "vertex" if tables are tied.
    part, buffer : int
        The part; the buffer of that side.
    """

    number: int
    after: tuple[int, ...]
    side: Side
    part: int
    buffer: int


@dataclass(frozen=True, slots=True)
class Store:
    """Copy a part from a buffer of the device back to the host. The buffer keeps it. Attributes are those of :class:`Load`."""

    number: int
    after: tuple[int, ...]
    side: Side
    part: int
    buffer: int


@dataclass(frozen=True, slots=True)
class Train:
    """Train a block in two buffers of the device, or in one if tables are tied and both of its parts are the same.

    Attributes
    ----------
    number, after
        See :class:`Load`.
    block : Block
        The block.
    vertex_buffer, context_buffer : int
        Where its parts are. Numbers of one set of buffers if tables are tied.
    """

    number: int
    after: tuple[int, ...]
    block: Block
    vertex_buffer: int
    context_buffer: int


Operation: TypeAlias = Load | Store | Train


def queue_of(operation: Operation) -> tuple[str, str]:
    """Return the name of the queue of an operation: kind and side."""
    return type(operation).__name__, "" if isinstance(operation, Train) else operation.side
