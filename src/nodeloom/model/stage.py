"""Stages: what is trained on its own, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nodeloom.model.objective import Objective


@dataclass(frozen=True)
class Stage:
    """Tables that are trained on their own. All models have one stage but LINE with both orders, which has two.

    Attributes
    ----------
    objective : Objective
        What is minimised.
    first : int
        The first of its columns in the vectors.
    seed : int
        Its seed.
    """

    objective: Objective
    first: int
    seed: int

    @property
    def dim(self) -> int:
        """Its columns in the vectors."""
        return self.objective.tables[0].dim

    @property
    def row(self) -> int:
        """Floats in a row of its tables: `dim`, padded to whole cache lines."""
        return self.objective.tables[0].row

    @property
    def tied(self) -> bool:
        """Whether vertex and context are one table."""
        return self.objective.tied
