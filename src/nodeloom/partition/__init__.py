"""The block grid in numbers: which rows form a part, which block comes when, what is moved for it, and what fits."""

from nodeloom.partition.assign import Placement, assign
from nodeloom.partition.block import Block, Side
from nodeloom.partition.schedule import blocks, rounds

__all__ = ["Block", "Placement", "Side", "assign", "blocks", "rounds"]
