"""A table of which a worker has some parts, in buffers that are used again when a part has gone."""

from __future__ import annotations

from typing import Any

from nodeloom.engine.memory import aligned_zeros, within
from nodeloom.typing import FloatArray, IndexArray


class PartTable:
    """Parts of a table.

    Parameters
    ----------
    rows, row : int
        Rows of a part; floats of a row.
    """

    def __init__(self, rows: int, row: int) -> None:
        self._shape = rows, row
        self._parts: dict[int, Any] = {}
        self._free: list[Any] = []

    def take(self, number: int) -> Any:
        """Make room for a part and return it; it is there from now on. Its values are those of whatever was there before."""
        self._parts[number] = self._free.pop() if self._free else self._new()
        return self._parts[number]

    def give(self, number: int) -> None:
        """Let a part go."""
        self._free.append(self._parts.pop(number))

    def make_room(self) -> None:
        """Have memory for one more part at hand: systems hand it out when it is first touched, which takes longer than a part travels."""
        if not self._free:
            room = self._new()
            room[:] = 0
            self._free.append(room)

    def part(self, number: int, rows: int | None = None) -> Any:
        """Return a part that is there, [rows, row]: the memory itself."""
        return self._parts[number]

    def values(self, number: int) -> FloatArray:
        """Return the values of a part that is there, float32 [rows, row], in main memory: to be read."""
        return self._parts[number]

    def put(self, number: int, places: IndexArray, values: FloatArray) -> None:
        """Set the first columns of some rows of a part, `values` being float32 [len(places), at most row]."""
        self._parts[number][places, : values.shape[1]] = values

    def is_within(self, most: float) -> bool:
        """Tell whether no value of a part that is there is NaN or beyond `most`."""
        return all(within(part, most) for part in self._parts.values())

    def _new(self) -> Any:
        return aligned_zeros(*self._shape)
