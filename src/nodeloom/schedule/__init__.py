"""What a training does, in which order, decided by functions of numbers before a device acts.

There is a schedule for each mode. It yields operations, and the loop of the engine has a device carry them out.
"""

from nodeloom.schedule.episodes import BlocksSchedule, RingSchedule
from nodeloom.schedule.operations import (
    Arrive,
    Count,
    Draw,
    Exchange,
    Load,
    Look,
    Merge,
    OnDevice,
    Operation,
    Sort,
    Store,
    Train,
    TrainTiles,
    Wait,
    queue_of,
)
from nodeloom.schedule.order import blocks, blocks_of_row, rounds
from nodeloom.schedule.position import Landed, Position, Standing
from nodeloom.schedule.ring_shifts import RingShift, RingShifts
from nodeloom.schedule.transfers import Transfers
from nodeloom.schedule.whole import TILE_OFFSET_PER_RANK, CopiesSchedule, WholeSchedule

__all__ = [
    "TILE_OFFSET_PER_RANK",
    "Arrive",
    "BlocksSchedule",
    "CopiesSchedule",
    "Count",
    "Draw",
    "Exchange",
    "Landed",
    "Load",
    "Look",
    "Merge",
    "OnDevice",
    "Operation",
    "Position",
    "RingSchedule",
    "RingShift",
    "RingShifts",
    "Sort",
    "Standing",
    "Store",
    "Train",
    "TrainTiles",
    "Transfers",
    "Wait",
    "WholeSchedule",
    "blocks",
    "blocks_of_row",
    "queue_of",
    "rounds",
]
