"""How whole tables are trained on a GPU; :mod:`nodeloom.plan.tiles_in_flight` decides it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Launch:
    """How whole tables are trained on a GPU.

    Attributes
    ----------
    num_warps, num_program : int
        Warps of a program; programs at most, 0 for as many as there are tiles.
    add : bool
        Whether rows are changed by atomic additions.
    num_in_flight : int
        Tiles that are trained at a time.
    is_limited : bool
        Whether nodes that many tiles change at a time have a largest rate of their own.
    """

    num_warps: int
    num_program: int
    add: bool
    num_in_flight: int
    is_limited: bool

    def __str__(self) -> str:
        how = "added" if self.add else "stored"
        limited = "; nodes in many of them have a largest rate" if self.is_limited else ""
        return f"{self.num_in_flight:,} tiles at a time, changes are {how}{limited}"
