"""Ranks of answers as a table, of which all metrics are functions."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, describe

if TYPE_CHECKING:
    import os

    from nodeloom.tasks.queries import Ids
    from nodeloom.typing import DoubleArray

Side = Literal["tail", "head", "both", "relation"]
Kind = Literal["realistic", "optimistic", "pessimistic"]

SIDES: tuple[Side, ...] = ("tail", "head")
"""What is asked for of a triple, in the order of the columns of ranks."""


@dataclass(frozen=True)
class Ranks:
    """The rank of the answer of each triple, on both sides.

    Attributes
    ----------
    triples : int32 [n, 3]
        The triples that were ranked: heads, relations, tails.
    optimistic, pessimistic : int64 [n, 2]
        Ranks among the candidates, from 1: ahead of those that score the same, and behind them. Column 0 is the tail,
        column 1 the head.
    num_candidates : int64 [n, 2]
        Candidates that an answer was ranked among, itself included.
    unseen : bool [n]
        Triples with an entity or a relation that training has not seen.
    num_dropped : int
        Triples that were left out because of that.
    suffix : str
        What metrics are called besides: ``@500`` for ranks among 500 sampled candidates.
    sides : tuple of str
        What is asked for, by column.
    """

    triples: Ids
    optimistic: npt.NDArray[np.int64]
    pessimistic: npt.NDArray[np.int64]
    num_candidates: npt.NDArray[np.int64]
    unseen: npt.NDArray[np.bool_]
    num_dropped: int = 0
    suffix: str = ""
    sides: tuple[Side, ...] = SIDES

    def __len__(self) -> int:
        return len(self.triples)

    def __repr__(self) -> str:
        return f"Ranks: {len(self):,} triples, {' and '.join(self.sides)}"

    @property
    def realistic(self) -> DoubleArray:
        """The mean of the optimistic and the pessimistic rank, float64 [n, 2]: what chance gives among those that score the same."""
        return (self.optimistic + self.pessimistic) / 2

    def of(self, side: Side = "both", kind: Kind = "realistic") -> DoubleArray:
        """Return ranks of one side [n, 1] or of all [n, 2], float64."""
        if kind not in ("realistic", "optimistic", "pessimistic"):
            raise ConfigError(describe("kind", expected="'realistic', 'optimistic' or 'pessimistic'", got=kind))
        ranks: DoubleArray = np.asarray(getattr(self, kind), np.float64)
        return ranks[:, self.columns_of(side)]

    def columns_of(self, side: Side) -> slice:
        """Return the columns that a side means.

        Raises
        ------
        ConfigError
            There is no such side.
        """
        if side == "both":
            return slice(0, len(self.sides))
        if side not in self.sides:
            expected = " or ".join(repr(name) for name in ("both", *self.sides))
            raise ConfigError(describe("side", expected=expected, got=side))
        return slice(self.sides.index(side), self.sides.index(side) + 1)

    def take(self, rows: npt.NDArray[Any]) -> Ranks:
        """Return the ranks of some triples, given by a mask or by numbers."""
        names = ("triples", "optimistic", "pessimistic", "num_candidates", "unseen")
        return dataclasses.replace(self, **{name: getattr(self, name)[rows] for name in names})

    def columns(self) -> dict[str, npt.NDArray[Any]]:
        """Return one row for each triple and side, as columns."""
        heads, relations, tails = (np.repeat(self.triples[:, i], len(self.sides)) for i in range(3))
        return {
            "head": heads,
            "relation": relations,
            "tail": tails,
            "side": np.tile(np.array(self.sides), len(self)),
            "rank": self.realistic.ravel(),
            "optimistic": self.optimistic.ravel(),
            "pessimistic": self.pessimistic.ravel(),
            "num_candidates": self.num_candidates.ravel(),
            "unseen": np.repeat(self.unseen, len(self.sides)),
        }

    def to_pandas(self) -> Any:
        """Return :meth:`columns` as a DataFrame."""
        import pandas

        return pandas.DataFrame(self.columns())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write :meth:`columns` as a Parquet file, atomically, and return its path."""
        import pyarrow
        import pyarrow.parquet

        from nodeloom.io.atomic import atomic_path

        target = Path(path)
        with atomic_path(target) as temporary:
            pyarrow.parquet.write_table(pyarrow.table(self.columns()), temporary)
        return target
