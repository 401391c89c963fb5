"""What a training does, in which order, decided by pure functions of numbers before a device acts."""

from nodeloom.schedule.handovers import Handover, Handovers
from nodeloom.schedule.null_device import NullDevice
from nodeloom.schedule.operations import Load, Operation, Store, Train, queue_of
from nodeloom.schedule.order import blocks, blocks_of_row, rounds
from nodeloom.schedule.transfers import Transfers

__all__ = [
    "Handover",
    "Handovers",
    "Load",
    "NullDevice",
    "Operation",
    "Store",
    "Train",
    "Transfers",
    "blocks",
    "blocks_of_row",
    "queue_of",
    "rounds",
]
