"""The tables that are trained, by name, each with the state of the optimizer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.storage import Storage
from nodeloom.model.optimizer import LARGEST_VALUE
from nodeloom.model.tables import TableSpec
from nodeloom.typing import FloatArray

_LARGEST_MOMENT = float(np.finfo(np.float32).max)
_ALL = slice(None)


class Tables:
    """Tables and the moments of the optimizer beside them, of zeros at first.

    In files a table is called by its name, and its moments "NAME_moment1" and "NAME_moment2".

    Parameters
    ----------
    specs : iterable of TableSpec
        The tables.
    num_moment : int
        Moments of each.
    storage : callable
        Returns where rows are, for a table and whether they are moments.
    """

    def __init__(
        self, specs: Iterable[TableSpec], num_moment: int, storage: Callable[[TableSpec, bool], Storage]
    ) -> None:
        self.specs = {spec.name: spec for spec in specs}
        self._storages = {
            name: tuple(storage(spec, number > 0) for number in range(1 + num_moment))
            for name, spec in self.specs.items()
        }

    def of(self, table: str, rows: slice = _ALL) -> tuple[Any, ...]:
        """Return a table and its moments where they are trained: all rows, or those of a part."""
        return tuple(storage.part(rows) for storage in self._storages[table])

    def storages(self, table: str) -> tuple[Storage, ...]:
        """Return where the rows of a table and of its moments are."""
        return self._storages[table]

    def _by_name(self) -> dict[str, Storage]:
        return {
            f"{table}_moment{number}" if number else table: storage
            for table, storages in self._storages.items()
            for number, storage in enumerate(storages)
        }

    def names(self) -> tuple[str, ...]:
        """Return the names of all tables and moments, as they are called in files."""
        return tuple(self._by_name())

    def initialize(self) -> None:
        """Give the tables their first values."""
        for name, spec in self.specs.items():
            if spec.init is not None:
                self._storages[name][0].initialize(spec.init, spec.dim)

    def read(self, name: str) -> FloatArray | None:
        """Return a table or moment, float32 [N, row]: itself if it is in main memory, else a copy. None if another worker gets it."""
        return self._by_name()[name].read()

    def write(self, name: str, values: FloatArray, chosen: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table or moment, of all rows or of those where the mask `chosen` [N] is true."""
        self._by_name()[name].write(values, chosen)

    def is_sound(self) -> bool:
        """Tell whether all values are finite, and none of a table is beyond :data:`nodeloom.model.optimizer.LARGEST_VALUE`."""
        return all(
            storage.is_within(_LARGEST_MOMENT if number else LARGEST_VALUE)
            for storages in self._storages.values()
            for number, storage in enumerate(storages)
        )
