"""Modes: where the tables of a training are, and what its workers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from nodeloom.partition import Grid


@dataclass(frozen=True)
class Whole:
    """One process trains whole tables, in its main memory or on its GPU."""


@dataclass(frozen=True)
class Copies:
    """Every worker trains whole tables of its own, and all merge what they have changed.

    Attributes
    ----------
    num_merge : int
        Merges in the training of a part.
    merge_seconds : float
        Seconds that a merge is expected to take.
    """

    num_merge: int
    merge_seconds: float


@dataclass(frozen=True)
class Blocks:
    """One process trains the blocks of a grid one after the other, on its CPU or its GPU.

    Attributes
    ----------
    grid : Grid
        The parts of the tables.
    storage : {"memory", "file"}
        Where the tables are: in main memory, or in temporary files.
    """

    grid: Grid
    storage: Literal["memory", "file"] = "memory"


@dataclass(frozen=True)
class Ring:
    """Every worker trains the blocks of its vertex parts, and context parts go round from worker to worker.

    Attributes
    ----------
    grid : Grid
        The parts of the tables.
    whole_walks : bool
        Whether walks are trained whole in each block, and not pair by pair.
    """

    grid: Grid
    whole_walks: bool = False


Mode: TypeAlias = Whole | Copies | Blocks | Ring
