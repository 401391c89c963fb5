"""The order of the rows of a table: where the row of each node is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from nodeloom.engine.memory import Rows
    from nodeloom.partition import Placement
    from nodeloom.typing import IndexArray

_BLOCK = 1 << 20  # nodes that are compared at a time


@dataclass(frozen=True)
class RowOrder:
    """Where the row of each node is.

    Attributes
    ----------
    num_nodes, num_rows : int
        Nodes; rows of the table, of which some may be padding.
    slot : int [N] or None
        The row of each node; None if it is the number of the node.
    """

    num_nodes: int
    num_rows: int
    slot: IndexArray | None = None

    @classmethod
    def of(cls, placement: Placement) -> RowOrder:
        """Return the order of the slots of a grid."""
        slot, count = placement.slot, len(placement.slot)
        stays = all(
            bool((slot[first : first + _BLOCK] == np.arange(first, min(first + _BLOCK, count))).all())
            for first in range(0, count, _BLOCK)
        )
        return cls(count, placement.num_slot, None if stays else slot)

    def rows(self, first: int, last: int) -> Rows:
        """Return the rows of the nodes ``first ... last``."""
        return slice(first, last) if self.slot is None else self.slot[first:last]

    def permutation(self) -> IndexArray:
        """Return the row of each node, and behind them the rows of no node, [num_rows]."""
        if self.slot is None:
            return np.arange(self.num_rows)
        free = np.ones(self.num_rows, np.bool_)
        free[self.slot] = False
        return np.concatenate([self.slot, np.flatnonzero(free).astype(self.slot.dtype)])
