"""The block grid in numbers: which rows form a part, which block comes when, what is moved for it, and what fits."""

from nodeloom.partition.assign import Placement, assign
from nodeloom.partition.block import Block, Side
from nodeloom.partition.budget import Grid, choose_grid
from nodeloom.partition.communities import communities
from nodeloom.partition.handovers import Handover, Handovers
from nodeloom.partition.null_device import NullDevice
from nodeloom.partition.operations import Load, Operation, Store, Train, queue_of
from nodeloom.partition.schedule import blocks, blocks_of_row, rounds
from nodeloom.partition.transfers import Transfers

__all__ = [
    "Block",
    "Grid",
    "Handover",
    "Handovers",
    "Load",
    "NullDevice",
    "Operation",
    "Placement",
    "Side",
    "Store",
    "Train",
    "Transfers",
    "assign",
    "blocks",
    "blocks_of_row",
    "choose_grid",
    "communities",
    "queue_of",
    "rounds",
]
