"""Names to consecutive ids with a dictionary: the definition of what :mod:`nodeloom.kernels.cpu.names` does."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np

from nodeloom.typing import OffsetArray


def intern(lines: Iterable[Sequence[Hashable]], known: dict[Hashable, int]) -> OffsetArray:
    """Return the ids [L, S] of the names of each line; new names enter `known` with the next id, in reading order."""
    return np.array([[known.setdefault(name, len(known)) for name in line] for line in lines], np.int64)


def find(queries: Iterable[Hashable], known: dict[Hashable, int]) -> OffsetArray:
    """Return the ids [k] of the queries, -1 for a name that is not known."""
    return np.array([known.get(name, -1) for name in queries], np.int64)
