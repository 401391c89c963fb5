"""The distribution of negatives, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.sampling.alias import over_rows

if TYPE_CHECKING:
    from nodeloom.partition import Placement
    from nodeloom.typing import DoubleArray


class NegativeDistribution:
    """The distribution of negatives by context part.

    Attributes
    ----------
    share : float64 [Pc]
        Share of every part.
    prob, alias : float32, int32 [num_slot]
        Alias tables of the parts, one behind the other; an alias is a row of its part.
    """

    def __init__(self, share: DoubleArray, prob: Any, alias: Any) -> None:
        self.share, self.prob, self.alias = share, prob, alias

    @classmethod
    def of(cls, weights: DoubleArray, placement: Placement, num_thread: int) -> NegativeDistribution:
        """Return the noise of the weights of all nodes, float64 [N]."""
        of_slot = np.zeros(placement.num_slot)
        of_slot[placement.slot] = weights
        rows = placement.rows("context")
        bounds = np.arange(0, placement.num_slot + 1, rows, dtype=np.int64)
        mass = np.add.reduceat(of_slot, bounds[:-1])
        table = over_rows(of_slot, bounds, num_thread)
        return cls(mass / mass.sum(), table.prob, table.alias)
