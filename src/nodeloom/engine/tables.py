"""The tables that are trained, by name, each with the state of the optimizer."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.storage import MakeStorage, Storage, move_rows
from nodeloom.model.optimizer import LARGEST_VALUE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nodeloom.model.tables import TableSpec
    from nodeloom.partition import Placement
    from nodeloom.typing import FloatArray

_LARGEST_MOMENT = float(np.finfo(np.float32).max)


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
        Returns where the rows of a table are, and whether they are moments.
    any_worker : callable
        Tells whether any worker says yes; of one worker, whether that does.
    placement : Placement, optional
        The slots of the nodes, where rows are in their order.
    """

    def __init__(
        self,
        specs: Iterable[TableSpec],
        num_moment: int,
        storage: MakeStorage,
        any_worker: Callable[[bool], bool] = bool,
        placement: Placement | None = None,
    ) -> None:
        self._any_worker, self.placement = any_worker, placement
        self.specs = {spec.name: spec for spec in specs}
        self._storages = {
            name: tuple(storage(spec.moment if number else spec, number > 0) for number in range(1 + num_moment))
            for name, spec in self.specs.items()
        }

    def of(self, table: str, rows: slice | None = None) -> tuple[Any, Any, Any]:
        """Return a table and two moments where they are trained, all rows or some; moments that the optimizer has not are empty."""
        storages = self._storages[table]
        none = storages[0].memory.no_rows(self.specs[table].row)
        first, *moments = (storage.part(rows) for storage in storages)
        moment1, moment2 = (*moments, none, none)[:2]
        return first, moment1, moment2

    def storages(self) -> dict[str, Storage]:
        """Return where the rows of all tables and moments are, by the names of files."""
        return {
            f"{table}_moment{number}" if number else table: storage
            for table, storages in self._storages.items()
            for number, storage in enumerate(storages)
        }

    def storages_of(self, table: str) -> tuple[Storage, ...]:
        """Return where the rows of a table and of its moments are."""
        return self._storages[table]

    def names(self) -> tuple[str, ...]:
        """Return the names of all tables and moments, as they are called in files."""
        return tuple(self.storages())

    def width(self, name: str) -> int:
        """Return the values in a row of a table or moment, padding not included."""
        spec = next(
            spec for table, spec in self.specs.items() if name in (table, f"{table}_moment1", f"{table}_moment2")
        )
        return spec.dim if name in self.specs else spec.moment.dim

    def initialize(self) -> None:
        """Give the tables their first values."""
        for name, spec in self.specs.items():
            if spec.init is not None:
                self._storages[name][0].initialize(spec.init, spec.dim)

    def read(self, name: str) -> FloatArray | None:
        """Return a table or moment, float32 [N, row]: itself if it is in main memory, else a copy. None if another worker gets it."""
        return self.storages()[name].read()

    def order_by_node(self) -> None:
        """Move the rows of the tables in place to the order of the nodes, for good: :meth:`read` needs no copy after that."""
        storages = [storages[0] for storages in self._storages.values() if storages[0].is_movable]
        if storages:
            move_rows(storages, storages[0].order, by_node=True)

    @contextmanager
    def ordered_by_node(self) -> Iterator[None]:
        """Have all rows in the order of the nodes for a while, in place; what was read meanwhile is in another order after that."""
        storages = [storage for storage in self.storages().values() if storage.is_movable]
        if not storages:
            yield
            return
        slots = storages[0].order
        move_rows(storages, slots, by_node=True)
        try:
            yield
        finally:
            move_rows(storages, slots, by_node=False)

    def write(self, name: str, values: FloatArray, chosen: npt.NDArray[np.bool_] | None = None) -> None:
        """Set the first columns of a table or moment, of all rows or of those where the mask `chosen` [N] is true."""
        self.storages()[name].write(values, chosen)

    def is_sound(self) -> bool:
        """Tell whether all values are finite, and none of a table is beyond :data:`nodeloom.model.optimizer.LARGEST_VALUE`.

        All workers have to call it, and get the same.
        """
        is_sound = all(
            storage.is_within(_LARGEST_MOMENT if number else LARGEST_VALUE)
            for storages in self._storages.values()
            for number, storage in enumerate(storages)
        )
        return not self._any_worker(not is_sound)
