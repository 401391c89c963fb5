"""How many parts, buffers and pairs: the grid that moves the fewest bytes for a positive pair and fits the memory."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nodeloom.partition import Grid
from nodeloom.plan.memory import context_bytes_of, count_bytes
from nodeloom.units import size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_PART = 4096
"""Parts of a side, at most."""

PASS_BYTES = 2.0
"""What it costs to draw a pair for one vertex part, in bytes: an estimate of twice 20 ps, for counting and placing."""

_ALL_CONTEXT_SLOTS = 3  # one is trained, one stored, one loaded


@dataclass(frozen=True)
class _Tables:
    """What is to be divided."""

    num_nodes: int
    row_bytes: int
    tied: bool

    def rows(self, num_vertex_part: int, num_context_part: int) -> tuple[int, int]:
        """Return the rows of a part of each side, with padding as in :func:`nodeloom.partition.assign.assign`."""
        finer = max(num_vertex_part, num_context_part)
        rows = -(-self.num_nodes // finer)
        return rows * (finer // num_vertex_part), rows * (finer // num_context_part)

    def loads(self, parts: tuple[int, int], slots: tuple[int, int]) -> tuple[int, int]:
        """Return the parts of each side that an episode loads, not less than `Transfers` will if what follows is known."""
        num_vertex_part, num_context_part = parts
        if self.tied:
            buffers = sum(slots)
            return 0, 0 if buffers >= num_context_part else num_context_part * (num_context_part - buffers + 2)
        return max(0, num_vertex_part - slots[0]), num_vertex_part * max(0, num_context_part - slots[1])


def choose_grid(
    num_nodes: int,
    *,
    row_bytes: int,
    free_bytes: int,
    max_episode_pairs: int,
    fixed_bytes: int | Callable[[int, int], int] = 0,
    balance: float = 1.15,
    tied: bool = False,
    num_partition: int | None = None,
    block_bytes: float,
    visit_bytes: float,
    pass_bytes: float = PASS_BYTES,
    pair_bytes: float = 0.0,
    cursor_bytes: int = 8,
) -> Grid:
    """Choose the grid that moves the fewest bytes per positive pair within the memory of a device.

    An episode moves every vertex part once and with each all context parts, less what the buffers keep; so few vertex parts
    and long episodes are good, and what remains beside the buffers goes to the pairs. Bytes count twice if they have to wait:
    those of vertex parts if there is one buffer, since then training stops while it is changed, and those of context parts
    if there are fewer than three, since then a store and a load take turns. One context buffer, where no transfer goes
    on during training, is taken only if nothing else fits.

    Parts are numbers 2^k and 3 * 2^k, up to 4096; one side's divide the other's.

    Parameters
    ----------
    num_nodes : int
        Nodes.
    row_bytes : int
        Bytes of a row of a table with its moments.
    free_bytes : int
        Memory of the device.
    max_episode_pairs : int
        Positive pairs of an episode, at most.
    fixed_bytes : int or callable
        What else has to fit; a callable gets the numbers of vertex and context parts.
    balance : float
        Pairs of the largest vertex part, as a multiple of their mean.
    tied : bool
        Whether both sides are one table. Both then have as many parts.
    num_partition : int, optional
        Parts of both sides, if the user has fixed them.
    block_bytes, visit_bytes, pass_bytes : float
        What costs time beside transfers, as the bytes that could be moved in that time: a block; a head in a block, which costs its row
        and negatives however few pairs it has there; drawing a pair once more, since the pairs of an episode are drawn for each vertex
        part.
    pair_bytes : float
        What a pair of a row takes beside its context, in bytes of memory.
    cursor_bytes : int
        Of a place in the list of pairs.

    Raises
    ------
    ValueError
        If no grid fits; the message says what the smallest would need.
    """
    tables = _Tables(num_nodes, row_bytes, tied)
    best: tuple[tuple[float, ...], Grid] | None = None
    least = math.inf
    for parts in _numbers_of_parts(tables, num_partition):
        fixed = fixed_bytes(*parts) if callable(fixed_bytes) else fixed_bytes
        for slots in _numbers_of_buffers(tables, parts):
            free = free_bytes - fixed
            grid = _grid(tables, parts, slots, free, max_episode_pairs, balance, pair_bytes, cursor_bytes)
            grid.memory["fixed"] = fixed
            if grid.episode_pairs < 1:
                least = min(least, sum(grid.memory.values()))
                continue
            cost: float = _waiting_bytes(tables, parts, slots) + parts[0] * parts[1] * block_bytes
            cost += num_nodes * parts[1] * visit_bytes
            serial = float(slots[1] == 1 < parts[1])
            key = (
                serial,
                cost / grid.episode_pairs + parts[0] * pass_bytes,
                parts[0] * parts[1],
                parts[0],
                slots[0],
                slots[1],
            )
            if best is None or key < best[0]:
                best = key, grid
    if best is None:
        parts_text = f"{num_partition} parts" if num_partition else f"up to {MAX_PART} parts"
        raise ValueError(f"no grid of {parts_text} fits {size(free_bytes)}: the smallest needs {size(least)}")
    return _with_reason(best[1], tables, free_bytes, max_episode_pairs, num_partition)


def _numbers_of_parts(tables: _Tables, num_partition: int | None) -> Iterator[tuple[int, int]]:
    if num_partition is not None:
        yield num_partition, num_partition
        return
    most = min(MAX_PART, max(tables.num_nodes, 1))
    numbers = sorted(factor << power for power in range(13) for factor in (1, 3) if factor << power <= most)
    for num_vertex_part in numbers:
        for num_context_part in [num_vertex_part] if tables.tied else numbers:
            if num_vertex_part % num_context_part == 0 or num_context_part % num_vertex_part == 0:
                yield num_vertex_part, num_context_part


def _numbers_of_buffers(tables: _Tables, parts: tuple[int, int]) -> Iterator[tuple[int, int]]:
    for vertex_slots in range(1, 1 + (1 if tables.tied else min(2, parts[0]))):
        for context_slots in range(1, 1 + min(_ALL_CONTEXT_SLOTS, parts[1])):
            yield vertex_slots, context_slots


def _grid(
    tables: _Tables,
    parts: tuple[int, int],
    slots: tuple[int, int],
    free: int,
    max_episode_pairs: int,
    balance: float,
    pair_bytes: float,
    cursor_bytes: int,
) -> Grid:
    """Return a grid with as many pairs as fit; if there is no room for any, its memory is what one pair would need."""
    vertex_rows, context_rows = tables.rows(*parts)
    context_bytes = context_bytes_of(context_rows)
    memory = {
        "vertex parts": slots[0] * vertex_rows * tables.row_bytes,
        "context parts": slots[1] * context_rows * tables.row_bytes,
        "counts": count_bytes(vertex_rows, parts[1], cursor_bytes),
    }
    one = context_bytes + pair_bytes
    room = int((free - sum(memory.values())) / one)
    row_pairs = min(room, math.ceil(max_episode_pairs * balance / parts[0]))
    episode_pairs = min(max_episode_pairs, int(row_pairs * parts[0] / balance))
    memory["pairs"] = math.ceil(max(row_pairs, math.ceil(balance / parts[0])) * one)
    vertex_loads, context_loads = tables.loads(parts, slots)
    moved = (vertex_loads * vertex_rows + context_loads * context_rows) * tables.row_bytes
    return Grid(*parts, *slots, episode_pairs, row_pairs, context_bytes, moved, memory, "")


def _waiting_bytes(tables: _Tables, parts: tuple[int, int], slots: tuple[int, int]) -> int:
    """Return the bytes that an episode moves, those twice that have to wait."""
    vertex_rows, context_rows = tables.rows(*parts)
    vertex_loads, context_loads = tables.loads(parts, slots)
    vertex_times = 2 if slots[0] == 1 else 1
    context_times = 2 if slots[1] < _ALL_CONTEXT_SLOTS else 1
    return (vertex_times * vertex_loads * vertex_rows + context_times * context_loads * context_rows) * tables.row_bytes


def _with_reason(
    grid: Grid, tables: _Tables, free_bytes: int, max_episode_pairs: int, num_partition: int | None
) -> Grid:
    """Return a grid with the text that says why."""
    whole = tables.num_nodes * tables.row_bytes * (1 if tables.tied else 2)
    rows = tables.rows(grid.num_vertex_part, grid.num_context_part)
    asked = ", as asked" if num_partition else ""
    texts = [
        f"Tables of {size(whole)} and {size(free_bytes)} of memory"
        f" give {grid.num_vertex_part} x {grid.num_context_part} blocks{asked}"
    ]
    if tables.tied:
        texts.append(f"parts of {size(rows[0] * tables.row_bytes)}, {grid.vertex_slots + grid.context_slots} at a time")
    else:
        texts.append(
            f"vertex parts of {size(rows[0] * tables.row_bytes)}, {grid.vertex_slots} at a time,"
            f" and context parts of {size(rows[1] * tables.row_bytes)}, {grid.context_slots} at a time"
        )
    if grid.vertex_slots == 1 < grid.num_vertex_part and not tables.tied:
        texts.append(
            "training waits while a vertex part is changed: a second buffer would mean smaller parts or shorter episodes"
        )
    if grid.context_slots < min(_ALL_CONTEXT_SLOTS, grid.num_context_part):
        texts.append(
            "transfers of context parts wait for each other: more buffers would mean smaller parts or shorter episodes"
        )
    if grid.episode_pairs < max_episode_pairs:
        texts.append(
            f"the {size(grid.memory['pairs'])} that remain for pairs hold an episode of {grid.episode_pairs:,},"
            f" not the {max_episode_pairs:,} that were allowed"
        )
    else:
        texts.append(f"an episode has the {grid.episode_pairs:,} pairs that were allowed")
    texts.append(f"a pair moves {grid.moved_bytes / grid.episode_pairs:.3g} bytes each way")
    return dataclasses.replace(grid, reason="; ".join(texts) + ".")
