"""How kernels are launched on a GPU; :mod:`nodeloom.plan.tiles_in_flight` decides it."""

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


@dataclass(frozen=True)
class BlockLaunch:
    """How the blocks of a grid are trained on a GPU.

    Attributes
    ----------
    heads : int
        Heads of a unit, which share negatives.
    num_program : int
        Units that are trained at a time, at most; 0 for as many as the GPU takes.
    walks_at_a_time : int
        Walks of an episode that are on the GPU at a time while pairs are sorted.
    """

    heads: int
    num_program: int
    walks_at_a_time: int

    def __str__(self) -> str:
        units = f"{self.num_program:,} units" if self.num_program else "as many units as fit"
        return f"units of {self.heads} heads, {units} at a time; pairs are sorted from {self.walks_at_a_time:,} walks at a time"
