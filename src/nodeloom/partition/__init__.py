"""The block grid in numbers: which rows form a part, what a block is, and what fits."""

from nodeloom.partition.assign import Placement, assign
from nodeloom.partition.block import Block, Side
from nodeloom.partition.budget import Grid, choose_grid
from nodeloom.partition.communities import communities

__all__ = ["Block", "Grid", "Placement", "Side", "assign", "choose_grid", "communities"]
