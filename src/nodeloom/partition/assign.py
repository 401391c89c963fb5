"""Which node goes to which row of the tables, so that all parts are about as large and as heavy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nodeloom.partition.block import Side
    from nodeloom.typing import DoubleArray, IndexArray

_SLICE = 1 << 20  # nodes that are handled at a time: what is made of them stays small


@dataclass(frozen=True)
class Placement:
    """The rows of the nodes. The finer side's parts are equal ranges of slots; a part of the other side is a union of them.

    Attributes
    ----------
    slot : int32 or int64 [N]
        The row of each node in the stored tables, the same in both. int32 if all slots fit.
    num_vertex_part, num_context_part : int
        Parts of the two tables.
    """

    slot: IndexArray
    num_vertex_part: int
    num_context_part: int

    @property
    def num_slot(self) -> int:
        """Rows of the stored tables: the nodes, and at most one row of padding at the end of each part of the finer side."""
        finer = max(self.num_vertex_part, self.num_context_part)
        return -(-len(self.slot) // finer) * finer

    def rows(self, side: Side) -> int:
        """Return the rows of a part of one side; all have as many."""
        return self.num_slot // self._num_part(side)

    def _num_part(self, side: Side) -> int:
        return self.num_vertex_part if side == "vertex" else self.num_context_part


def assign(
    strengths: DoubleArray, num_vertex_part: int, num_context_part: int, parts: IndexArray | None = None
) -> Placement:
    """Deal the nodes to parts in turn, the strongest first, there and back again.

    A round of the deal gives one node to every part of the finer side; the next one goes the other way round. Within a
    round the parts of the coarser side take turns in the same way. So it holds for both sides that

    - two parts differ by at most one node, and
    - the sums of their strengths differ by at most the largest strength (less the smallest, if parts have no padding).
      No deal can promise less: one node may be as strong as that and the others have nothing. Where strengths fall
      smoothly they differ by far less, since who comes first in one round comes last in the next.

    Within a part of the finer side strengths fall from row to row, to within float32 rounding; equal ones stay in the
    order of the nodes.

    Parameters
    ----------
    strengths : float64 [N]
        Not negative; what is to be balanced, for example the (weighted) degrees.
    num_vertex_part, num_context_part : int
        Parts of the two tables, at least 1. One divides the other.
    parts : int [N], optional
        The part of the finer side where each node is to be, for example from
        :func:`nodeloom.partition.communities.communities`, instead of the deal. None may have more than
        ``ceil(N / P)`` nodes, P being the number of parts of the finer side; each of the coarser side consists of as many that follow
        each other. Padding is then where nodes are missing, in any part.

    Returns
    -------
    Placement
        65.6 M nodes: 7 s on one core, of which the sort takes 5; 8 bytes per node beside `strengths` and the result.

    Raises
    ------
    ValueError
        If neither number of parts divides the other, or one is below 1. If `parts` has another length, or a part has too many nodes
        or does not exist.
    """
    if min(num_vertex_part, num_context_part) < 1 or (
        num_vertex_part % num_context_part and num_context_part % num_vertex_part
    ):
        raise ValueError(
            f"{num_vertex_part} vertex parts and {num_context_part} context parts: one must divide the other"
        )
    finer = max(num_vertex_part, num_context_part)
    coarser = min(num_vertex_part, num_context_part)
    rows = -(-len(strengths) // finer)
    slot: IndexArray = np.empty(len(strengths), np.int32 if rows * finer <= 2**31 - 1 else np.int64)
    if parts is not None:
        _check_parts(parts, len(strengths), finer, rows)
    keys = _sorted_keys(strengths)
    if parts is not None:
        _keep_parts(keys, parts, np.arange(finer) * rows, slot)
        return Placement(slot, num_vertex_part, num_context_part)
    part_of_turn = _turns(finer, coarser)
    for first in range(0, len(keys), _SLICE):
        dealt = np.arange(first, min(first + _SLICE, len(keys)))
        row, turn = np.divmod(dealt, finer)
        turn = np.where(row % 2 == 0, turn, finer - 1 - turn)
        nodes = keys[first : first + _SLICE] & np.uint64(0xFFFFFFFF)
        slot[nodes.astype(np.int64)] = part_of_turn[turn] * rows + row
    return Placement(slot, num_vertex_part, num_context_part)


def _check_parts(parts: IndexArray, num_nodes: int, num_part: int, rows: int) -> None:
    if len(parts) != num_nodes:
        raise ValueError(f"parts of {len(parts)} nodes: expected {num_nodes}, as many as there are strengths")
    if num_nodes and not 0 <= int(parts.min()) <= int(parts.max()) < num_part:
        raise ValueError(f"parts from {parts.min()} to {parts.max()}: expected 0 to {num_part - 1}")
    counts = np.bincount(parts, minlength=num_part)
    if counts.max() > rows:
        raise ValueError(f"part {counts.argmax()} has {counts.max()} nodes: expected at most {rows} of {num_nodes}")


def _keep_parts(keys: npt.NDArray[np.uint64], parts: IndexArray, free: npt.NDArray[np.int64], slot: IndexArray) -> None:
    """Put the nodes of sorted keys to the next free slot of their parts, one after the other; `free` is used up."""
    for first in range(0, len(keys), _SLICE):
        nodes = (keys[first : first + _SLICE] & np.uint64(0xFFFFFFFF)).astype(np.int64)
        nodes = nodes[np.argsort(parts[nodes], kind="stable")]
        counts = np.bincount(parts[nodes], minlength=len(free))
        starts = np.cumsum(counts) - counts
        slot[nodes] = np.arange(len(nodes)) + np.repeat(free - starts, counts)
        free += counts


def _turns(finer: int, coarser: int) -> npt.NDArray[np.int64]:
    """Return the part of the finer side for each turn of a round, so that the coarser parts go there and back as well."""
    lap, place = np.divmod(np.arange(finer), coarser)
    return np.where(lap % 2 == 0, place, coarser - 1 - place) * (finer // coarser) + lap


def _sorted_keys(strengths: DoubleArray) -> npt.NDArray[np.uint64]:
    """Return node numbers under falling strengths, as sorted numbers: sorting those needs no second array of indices.

    The upper half of a key is the complement of a strength in float32, whose bits are ordered as its values are; the lower
    half is the node, which makes the order of equal ones that of the nodes. Strengths are taken as shares of the largest,
    so that none overflows.
    """
    if len(strengths) > 2**32:
        raise ValueError(f"{len(strengths)} nodes: a key has room for {2**32}")
    keys = np.empty(len(strengths), np.uint64)
    largest = float(strengths.max(initial=0.0)) or 1.0
    for first in range(0, len(keys), _SLICE):
        part = keys[first : first + _SLICE]
        shares = (strengths[first : first + _SLICE] / largest).astype(np.float32)
        part[:] = ~shares.view(np.uint32)
        part <<= np.uint64(32)
        part |= np.arange(first, first + len(part), dtype=np.uint64)
    keys.sort()
    return keys
