"""Parts of a model: what is trained on its own, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from nodeloom.errors import ConfigError, describe
from nodeloom.kernels.cpu.simd import ROW_ALIGNMENT
from nodeloom.rng import MASK, mix
from nodeloom.words import setting


@dataclass(frozen=True)
class Part:
    """One pair of tables that is trained on its own. All models have one part but LINE with both orders, which has two.

    Attributes
    ----------
    order : int
        1: vertex and context are one table; 2: they are two.
    first, dim : int
        Its columns in the vectors.
    row : int
        Floats in a row of its tables: `dim`, padded to whole cache lines.
    seed : int
        Its seed.
    """

    order: int
    first: int
    dim: int
    row: int
    seed: int

    @property
    def tail(self) -> str:
        """The table of the contexts; that of the vertices is "vertex"."""
        return "vertex" if self.order == 1 else "context"


def parts_of(model: str, order: Literal[1, 2, "both"], dim: int, seed: int) -> tuple[Part, ...]:
    """Return the parts of a model, in the order in which they are trained.

    Raises
    ------
    ConfigError
        If there is no column for each of LINE's two orders.
    """
    if model == "LINE" and order == "both":
        if dim < 2:
            raise ConfigError(
                describe(setting("resource.dim"), expected="at least 2, one half for each order of LINE", got=dim)
            )
        shares = [(1, 0, dim // 2), (2, dim // 2, dim - dim // 2)]
    else:
        shares = [(1 if model == "LINE" and order == 1 else 2, 0, dim)]
    return tuple(
        Part(
            order=kind,
            first=first,
            dim=width,
            row=-(-width // ROW_ALIGNMENT) * ROW_ALIGNMENT,
            seed=seed if number == 0 else mix((seed + number) & MASK),
        )
        for number, (kind, first, width) in enumerate(shares)
    )
