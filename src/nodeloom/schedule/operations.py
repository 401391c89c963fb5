"""What a training consists of: the operations that a schedule yields, one after the other.

A device carries out :class:`Draw`, :class:`Sort`, :class:`Load`, :class:`Store`, :class:`Train`, :class:`TrainTiles`,
:class:`Exchange`, :class:`Arrive` and :class:`Merge`; the loop itself :class:`Wait`, :class:`Count` and :class:`Look`.

Loads, stores and trainings of blocks may begin when all that are named in their `after` are done, and all before them in their own
queue. A device has a queue of trainings and for each side one of loads and one of stores, so that a large part of one side does not
hold up the other. A GPU gives each queue a stream, and waits for the events of the operations in `after`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from nodeloom.partition import Block, Side
    from nodeloom.schedule.ring_shifts import RingShift


@dataclass(frozen=True, slots=True)
class Draw:
    """Begin to draw walks.

    Attributes
    ----------
    first_walk : int
        Number of the first walk.
    num_walk : int or None
        Walks of the episode; None if they are drawn as they are trained.
    """

    first_walk: int
    num_walk: int | None = None


@dataclass(frozen=True, slots=True)
class Sort:
    """Sort the pairs of a vertex part by context part and head.

    Attributes
    ----------
    vertex_part : int
        The part.
    following : int or None
        The part that is sorted next in this episode.
    """

    vertex_part: int
    following: int | None = None


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
    place : int
        Number of the block among those of all episodes: its negatives come from it.
    """

    number: int
    after: tuple[int, ...]
    block: Block
    vertex_buffer: int
    context_buffer: int
    place: int = 0


@dataclass(frozen=True, slots=True)
class TrainTiles:
    """Train tiles of walks in whole tables.

    Attributes
    ----------
    first, count : int
        Number of the first tile; tiles.
    """

    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Exchange:
    """Begin to send and receive context parts.

    It is one operation for both directions: GPUs that send to each other have to begin both at once.

    Attributes
    ----------
    shifts : tuple of RingShift
        The parts that change hands between any workers.
    """

    shifts: tuple[RingShift, ...]


@dataclass(frozen=True, slots=True)
class Arrive:
    """Wait for the parts that are on their way."""


@dataclass(frozen=True, slots=True)
class Merge:
    """Make the whole tables of all workers the same.

    Attributes
    ----------
    number : int
        Tiles of all workers before: how rows are rounded comes from it.
    """

    number: int


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until at most `in_flight` trainings are in flight."""

    in_flight: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """Add up the trainings of all workers that have ended since the last count; the position moves."""


@dataclass(frozen=True, slots=True)
class Look:
    """Let the caller look at the position: progress, checkpoints and interruptions come here."""


OfBlocks: TypeAlias = Load | Store | Train
OnDevice: TypeAlias = Draw | Sort | OfBlocks | TrainTiles | Exchange | Arrive | Merge
Operation: TypeAlias = OnDevice | Wait | Count | Look


def queue_of(operation: OfBlocks) -> tuple[str, str]:
    """Return the name of the queue of an operation: kind and side."""
    return type(operation).__name__, "" if isinstance(operation, Train) else operation.side
