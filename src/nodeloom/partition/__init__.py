"""The block grid in numbers: which rows form a part, and what a block is."""

from nodeloom.partition.assign import Placement, assign
from nodeloom.partition.block import Block, Side
from nodeloom.partition.communities import communities
from nodeloom.partition.grid import Grid

__all__ = ["Block", "Grid", "Placement", "Side", "assign", "communities"]
