"""A device of no speed: it carries out operations on small tables in host memory and refuses whatever would be a mistake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from nodeloom.partition.block import Block, Side
from nodeloom.schedule.operations import Load, OfBlocks, Store

Table: TypeAlias = npt.NDArray[Any]
_Key: TypeAlias = tuple[Side, int]  # side and buffer


def add_one(vertex: Table, context: Table, block: Block) -> None:
    """Train a block: add 1 to all rows of both parts."""
    vertex += 1
    context += 1


class NullDevice:
    """A device whose buffers are arrays. Counts what is moved.

    Parameters
    ----------
    vertex, context : array [num_slot, D]
        The tables of the host; `context` is None if tables are tied.
    num_vertex_part, num_context_part : int
        Their parts, of as many rows each.
    vertex_slots, context_slots : int
        As for :class:`nodeloom.schedule.transfers.Transfers`.
    train : callable
        Gets the rows of the vertex part, those of the context part (the same memory if they are one) and the block.

    Attributes
    ----------
    moved : Counter
        Transfers by (kind, side): ``moved["Load", "vertex"]``, ``moved["Store", "context"]``, ...
    bytes : Counter
        Their bytes, by the same keys.
    blocks : list of Block
        Blocks in the order of their training.
    """

    def __init__(
        self,
        vertex: Table,
        context: Table | None,
        num_vertex_part: int,
        num_context_part: int,
        *,
        vertex_slots: int,
        context_slots: int,
        train: Callable[[Table, Table, Block], None] = add_one,
    ) -> None:
        self._tables: dict[Side, Table] = {"vertex": vertex}
        self._num_part: dict[Side, int] = {"vertex": num_vertex_part}
        slots: dict[Side, int] = {"vertex": vertex_slots}
        if context is None:
            slots["vertex"] += context_slots
        else:
            self._tables["context"], self._num_part["context"], slots["context"] = (
                context,
                num_context_part,
                context_slots,
            )
        self._buffers: dict[_Key, Table] = {}
        for side, table in self._tables.items():
            rows = len(table) // self._num_part[side]
            for buffer in range(slots[side]):
                self._buffers[side, buffer] = np.full((rows, *table.shape[1:]), np.nan, table.dtype)
        self._held: dict[_Key, int] = {}
        self._dirty: set[_Key] = set()
        self._train = train
        self._done: set[int] = set()
        self.moved: Counter[tuple[str, Side]] = Counter()
        self.bytes: Counter[tuple[str, Side]] = Counter()
        self.blocks: list[Block] = []

    def run(self, operation: OfBlocks) -> None:
        """Carry out an operation.

        Raises
        ------
        RuntimeError
            If it comes before one that it has to wait for or a second time, or does not find what it needs: a part that is
            not in its buffer, changes that would be overwritten, a part that has changed in another buffer.
        """
        missing = set(operation.after) - self._done
        if missing or operation.number in self._done:
            raise RuntimeError(f"{operation} is done twice, or before {sorted(missing)}")
        if isinstance(operation, Store):
            self._store(operation)
        elif isinstance(operation, Load):
            self._load(operation)
        else:
            side: Side = "context" if "context" in self._tables else "vertex"
            vertex: _Key = ("vertex", operation.vertex_buffer)
            context: _Key = (side, operation.context_buffer)
            for key, part in ((vertex, operation.block.vertex), (context, operation.block.context)):
                self._need(key, part, operation)
            self._train(self._buffers[vertex], self._buffers[context], operation.block)
            self._dirty |= {vertex, context}
            self.blocks.append(operation.block)
        self._done.add(operation.number)

    def check_all_is_stored(self) -> None:
        """Raise RuntimeError if the device has changes that the host has not."""
        if self._dirty:
            raise RuntimeError(f"not stored: {sorted(self._dirty)}")

    def _load(self, operation: Load) -> None:
        key: _Key = operation.side, operation.buffer
        if key in self._dirty:
            raise RuntimeError(f"{operation} overwrites changes of part {self._held[key]}")
        self._buffers[key][:] = self._rows(operation)
        self._held[key] = operation.part
        self._count(operation)

    def _store(self, operation: Store) -> None:
        key: _Key = operation.side, operation.buffer
        self._need(key, operation.part, operation)
        if key not in self._dirty:
            raise RuntimeError(f"{operation} has no changes to store")
        self._rows(operation)[:] = self._buffers[key]
        self._dirty.remove(key)
        self._count(operation)

    def _need(self, key: _Key, part: int, operation: OfBlocks) -> None:
        if self._held.get(key) != part:
            raise RuntimeError(f"{operation} finds part {self._held.get(key)} in {key}")
        if key not in self._dirty and not self._is_new(key):
            raise RuntimeError(f"{operation} finds an old copy in {key}")
        if any(other != key and (other[0], self._held[other]) == (key[0], part) for other in self._dirty):
            raise RuntimeError(f"{operation} in {key} while another copy has changed")

    def _is_new(self, key: _Key) -> bool:
        """Tell whether a buffer has what the host has."""
        return np.array_equal(self._buffers[key], self._rows_of(key[0], self._held[key]))

    def _rows_of(self, side: Side, part: int) -> Table:
        table = self._tables[side]
        rows = len(table) // self._num_part[side]
        return table[part * rows : (part + 1) * rows]

    def _rows(self, operation: Load | Store) -> Table:
        return self._rows_of(operation.side, operation.part)

    def _count(self, operation: Load | Store) -> None:
        key = type(operation).__name__, operation.side
        self.moved[key] += 1
        self.bytes[key] += self._rows(operation).nbytes
