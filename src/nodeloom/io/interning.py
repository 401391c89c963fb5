"""Interning: names as they come, block by block, to ids in the order of their first appearance."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.kernels.cpu import names as kernels
from nodeloom.kernels.cpu.parallel import run_slices

if TYPE_CHECKING:
    import pyarrow as pa

    from nodeloom.typing import IndexArray

Bytes = npt.NDArray[np.uint8]
# Ids are int32 while names come in; more names than that do not fit any vocabulary this is used for.
MAX_NAMES = 2**31 - 1


def table_size(count: int) -> int:
    """Return the least power of two of slots in which `count` names fill at most two thirds."""
    size = 1024
    while size // 3 * 2 < count:
        size *= 2
    return size


class TextInterner:
    """Gives ids to text names. Memory of a name: its bytes, 8 for an offset, and 12 to 24 in the table.

    Of each block first the names that are known are looked up, by several threads; then the others are entered, in
    their order.
    """

    def __init__(self, num_thread: int = 1, *, room: int = 1024) -> None:
        self._num_thread = num_thread
        self._table = np.zeros(table_size(room), np.int64)
        self._offsets = np.zeros(room + 1, np.int64)
        self._arena: Bytes = np.empty(16 * room, np.uint8)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def peak_bytes(self) -> int:
        """Bytes of memory now and while it grows the next time, or while the names are handed out."""
        larger = max(self._arena.nbytes // 2 * 3, self._offsets.nbytes // 2 * 3, self._table.nbytes)
        return self._arena.nbytes + self._offsets.nbytes + self._table.nbytes + larger

    def add(self, block: Bytes, tokens: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the int32 [S, L] ids of `tokens` (int64 [S, L], ``start << 32 | length`` in the read-only `block`)."""
        out = np.full(tokens.shape, kernels.MISSING, np.int32)
        if self._count:
            # Read-only, as the names of a vocabulary are: so that one compilation serves both.
            arena = self._arena[:]
            arena.flags.writeable = False

            def find(first: int, last: int) -> None:
                kernels.find_text(block, tokens, first, last, self._table, self._offsets, arena, out)

            run_slices(find, tokens.shape[1], self._num_thread)
        line = 0
        while True:
            self._count, line = kernels.intern_text(
                block, tokens, line, self._table, self._offsets, self._arena, self._count, out
            )
            if line == tokens.shape[1]:
                return out
            self._grow(int((tokens[:, line] & 0xFFFFFFFF).sum()), tokens.shape[0])

    def _grow(self, need: int, more: int) -> None:
        """Make room for `more` names of `need` bytes together."""
        count = self._count
        check_count(count)
        used = int(self._offsets[count])
        if used + need > len(self._arena):
            # By half, not to the double: while it is copied, both are in memory.
            self._arena = _enlarged(self._arena, used, used + max(need, used // 2))
        if count + more > len(self._offsets) - 1:
            self._offsets = _enlarged(self._offsets, count + 1, count + 1 + max(more, count // 2))
        if count + more > len(self._table) // 3 * 2:
            size = table_size(count + more)
            self._table = np.empty(0, np.int64)  # free the old one first: the new one is filled from the names
            self._table = np.zeros(size, np.int64)
            kernels.index_text(self._offsets, self._arena, count, self._table)

    def to_arrow(self) -> pa.Array:
        """Return the names in the order of their ids: string, or large_string where the bytes pass 2^31."""
        import pyarrow as pa

        used = int(self._offsets[self._count])
        small = used < 2**31
        offsets = self._offsets[: self._count + 1].astype(np.int32 if small else np.int64)
        arena = self._arena[:used].copy()
        return pa.Array.from_buffers(
            pa.string() if small else pa.large_string(), self._count, [None, pa.py_buffer(offsets), pa.py_buffer(arena)]
        )


class IntegerInterner:
    """Gives ids to integer names. Memory: 8 bytes for the name and 6 to 12 for the table, each."""

    def __init__(self, room: int = 1024) -> None:
        self._table = np.zeros(table_size(room), np.int32)
        self._names = np.empty(room, np.int64)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def peak_bytes(self) -> int:
        """Bytes of memory now and while it grows the next time."""
        larger = max(self._names.nbytes // 2 * 3, self._table.nbytes)
        return self._names.nbytes + self._table.nbytes + larger

    def add(self, values: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the int32 [S, L] ids of `values` (int64 [S, L])."""
        out = np.empty(values.shape, np.int32)
        line = 0
        while True:
            self._count, line = kernels.intern_integers(values, line, self._table, self._names, self._count, out)
            if line == values.shape[1]:
                return out
            self._grow(values[:, line : line + kernels.BATCH].size)

    def _grow(self, more: int) -> None:
        """Make room for `more` names."""
        count = self._count
        check_count(count)
        if count + more > len(self._names):
            self._names = _enlarged(self._names, count, count + max(more, count // 2))
        if count + more > len(self._table) // 3 * 2:
            size = table_size(count + more)
            self._table = np.empty(0, np.int32)
            self._table = np.zeros(size, np.int32)
            kernels.index_integers(self._names, count, self._table)

    def names(self) -> npt.NDArray[np.int64]:
        """Return the names in the order of their ids; int64 [n]."""
        return self._names[: self._count].copy()


def check_count(count: int) -> None:
    """Refuse more names than int32 ids can tell apart."""
    if count > MAX_NAMES - 2:
        raise DataError(
            f"node names: expected at most {MAX_NAMES:,} different ones, got more. Number the nodes 0 to N - 1 instead."
        )


def _enlarged(array: IndexArray | Bytes, used: int, size: int) -> npt.NDArray:
    larger = np.empty(size, array.dtype)
    larger[:used] = array[:used]
    return larger
