"""Rows of a table in another order: the definition of :mod:`nodeloom.kernels.cpu.permute`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.typing import IndexArray


def permute_rows(table: npt.NDArray[Any], place: IndexArray) -> None:
    """Put row ``place[i]`` of `table` [N, D] at i, for all rows at once; see the CPU kernel for the arguments.

    Raises
    ------
    DataError
        `place` has not every row of `table` exactly once; the table is unchanged.
    """
    if not np.array_equal(np.sort(place), np.arange(len(table))):
        hint = "A row that is named twice would overwrite another."
        raise DataError(
            describe(
                "permute_rows: place", expected=f"each of 0 .. {len(table) - 1} once", got="something else", hint=hint
            )
        )
    table[:] = table[place]
