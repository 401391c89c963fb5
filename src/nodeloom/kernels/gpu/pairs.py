"""Positive pairs in the blocks of a grid, in Triton and torch; :mod:`nodeloom.kernels.reference.pairs` is the definition.

A program trains one unit. It keeps the vertex rows of its heads and takes their pairs slot by slot: the first pair of every head, the
second, ... Rows are read, changed and stored; programs run side by side on the same tables without locks (Hogwild; Niu et al.,
NIPS 2011), so of two changes of a row at the same moment one can be lost.

What differs from the reference follows from that: where a context stands in several pairs of a unit, or is drawn twice as a negative,
changes in the same slot are lost but for one, and those in slots next to each other may be.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nodeloom.kernels.gpu import _pairs
from nodeloom.kernels.gpu._pair_lists import renumber_nodes, visit_pairs
from nodeloom.kernels.gpu._triton import ceil_div, on_device_of, tl, triton
from nodeloom.kernels.gpu.optimizer import SGD
from nodeloom.kernels.units import warps_for

PAIRS = _pairs.PAIRS
"""Pairs of a head in a unit, at most."""

LOSS_EVERY = _pairs.LOSS_EVERY
"""The loss is summed over one unit of so many."""

_BLOCK = 128  # places of walks that a program looks at
_NODES = 1024  # that a program renumbers
_UNITS = 1 << 17  # listed at a time, unless those of a block are more
_GROUP = 5  # contexts on each side at a time
_REGISTERS = 128  # of a thread; 16 warps then fit a multiprocessor
_WIDEST = 256  # columns of bf16 rows up to which loops are not unrolled

# fp32 products are those of three parts on tensor cores, right to 21 bits.
_PRODUCTS = {"bf16": (tl.bfloat16, "ieee"), "tf32": (tl.float32, "tf32"), "fp32": (tl.float32, "tf32x3")}


@dataclass(frozen=True)
class Launch:
    """How the training kernel is laid out.

    Attributes
    ----------
    num_warps : int or None
        Warps of a program; None for one for each 512 numbers of the rows of a unit.
    ahead : bool
        Read the context rows of the next slot before this one is trained: 3 to 12 % faster on an H100.
    reload : bool
        Read the vertex rows again before they are stored, so that fewer changes of other programs are lost.
    unroll : bool or None
        Write the loops over slots out; None for bf16 rows wider than 256 columns, on which loops of other kernels broke.
    registers : int or None
        Registers of a thread, at most; None for 128, with which 16 warps fit a multiprocessor.
    num_program : int
        Programs, each of which trains some units one after the other, so that few are under way at a time; 0 for one for each unit.
    """

    num_warps: int | None = None
    ahead: bool = True
    reload: bool = True
    unroll: bool | None = None
    registers: int | None = None
    num_program: int = 0


def renumber(walks, slot):
    """Put the slots of the nodes of walks in their place, without waiting for the device; -1 stays.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1]
        Nodes, changed in place; with no gaps between them in memory.
    slot : int32 or int64 [N]
        The slot of every node.
    """
    if walks.numel():
        with on_device_of(walks):
            renumber_nodes[(ceil_div(walks.numel(), _NODES),)](walks, slot, walks.numel(), B=_NODES, num_warps=4)


def count_pairs(walks, step, two_sided, first_head, part_rows, counts):
    """Count the positive pairs of walks by context part and head, without waiting for the device.

    Parameters
    ----------
    walks : int32 or int64 [W, L + 1], any strides
        Slots; -1 stands after the end of a walk.
    step, two_sided, first_head, part_rows
        See :func:`nodeloom.kernels.reference.pairs.count_pairs`.
    counts : int32 [Pc, Rv]
        The pairs are added; contiguous.
    """
    _visit(walks, step, two_sided, first_head, part_rows, counts, counts, place=False)


def place_pairs(walks, step, two_sided, first_head, part_rows, cursors, contexts):
    """Write the context of every positive pair to where the cursor of its part and head shows, without waiting for the device.

    Parameters
    ----------
    walks, step, two_sided, first_head, part_rows
        As for :func:`count_pairs`.
    cursors : int64 or int32 [Pc, Rv]
        Moved from the begin of the pairs of each part and head to their end; contiguous.
    contexts : int32 [M] or int16 [M]
        Rows of contexts in their part. int16 has the bits of uint16, for parts of up to 65,536 rows. The order of the pairs of a head
        and part depends on chance.
    """
    _visit(walks, step, two_sided, first_head, part_rows, cursors, contexts, place=True)


def _visit(walks, step, two_sided, first_head, part_rows, numbers, contexts, place):
    num_walk, nodes = walks.shape
    step = min(step, nodes - 1)
    if num_walk == 0 or step < 1:
        return
    # Threads go along what lies side by side in memory.
    by_walk = walks.stride(1) < walks.stride(0)
    places = min(64, triton.next_power_of_2(nodes)) if by_walk else 1
    grid = ceil_div(num_walk, _BLOCK // places) * ceil_div(nodes, places)
    with on_device_of(walks):
        visit_pairs[(grid,)](
            walks, *walks.stride(), num_walk, nodes, step, first_head, numbers.shape[1], part_rows, numbers, contexts,
            TWO_SIDED=bool(two_sided), PLACE=place, BLOCK=_BLOCK, PLACES=places, GROUP=min(step, _GROUP),
            num_warps=4, num_stages=1,
        )  # fmt: skip


def units_of(counts, heads_per_unit):
    """Return the units of all blocks of a row of the grid; waits for the device once.

    Parameters
    ----------
    counts : int32 [Pc, Rv]
        Pairs of each context part and head.
    heads_per_unit : int
        Heads of a tile.

    Returns
    -------
    units : int32 [U, 2]
        On the device: (tile, chunk) of the units of block 0, of block 1, ..., those of a block shuffled. See
        :func:`nodeloom.kernels.reference.pairs.units_of`.
    num_unit, num_pair : int64 [Pc]
        Units and pairs of each block, in the memory of the host.
    """
    num_part, num_head = counts.shape
    num_tile = ceil_div(num_head, heads_per_unit)
    rest = (0, num_tile * heads_per_unit - num_head)

    def largest(of_head):
        return torch.nn.functional.pad(of_head, rest).view(-1, num_tile, heads_per_unit).amax(2)

    chunks = torch.div(largest(counts) + (PAIRS - 1), PAIRS, rounding_mode="floor")
    in_row = largest(counts.amax(0, keepdim=True)) > 0
    chunks = torch.where(in_row, chunks.clamp(min=1), 0)
    sums = torch.stack([chunks.sum(1), counts.sum(1)]).cpu()
    num_unit, num_pair = sums[0], sums[1]
    # Some blocks at a time: while a list is made it takes nine times its memory.
    units = torch.empty(int(num_unit.sum()), 2, dtype=torch.int32, device=counts.device)
    first, done = 0, 0
    while first < num_part:
        last, total = first + 1, int(num_unit[first])
        while last < num_part and total + int(num_unit[last]) <= _UNITS:
            total += int(num_unit[last])
            last += 1
        if total:
            _list_units(chunks[first:last], num_tile, units[done : done + total])
        first, done = last, done + total
    return units, num_unit, num_pair


def _list_units(chunks, num_tile, out):
    """Write the units of some blocks to `out` int32 [U, 2], given the units of every block and tile."""
    chunks = chunks.reshape(-1).long()
    # Every tile of a block gets its chunks, and a stable sort puts them in the order of block and hash.
    which = torch.repeat_interleave(chunks, output_size=len(out))
    chunk = torch.arange(len(out), device=out.device) - (torch.cumsum(chunks, 0) - chunks)[which]
    tile = which % num_tile
    key = torch.div(which, num_tile, rounding_mode="floor") << 32 | _shuffled(tile, chunk)
    order = torch.sort(key, stable=True).indices
    out[:, 0], out[:, 1] = tile[order], chunk[order]


def _shuffled(tile, chunk):
    """Return the hashes by which units are ordered, 32 bits in int64 [U]."""
    h = (tile + chunk * 0x9E3779B1) & 0xFFFFFFFF
    for _ in range(2):
        h = ((h ^ (h >> 16)) * 0x45D9F3B) & 0xFFFFFFFF
    return h ^ (h >> 16)


def train_pairs(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2, begin, ends, contexts, totals, units,
    negatives, heads_per_unit, first_head, first_context, lr, negative_weight, weight_decay, optimizer, settings, statistics,
    *, product="fp32", seed=0, launch=None,
):  # fmt: skip
    """Train the units of a block, in place, without waiting for the device.

    Parameters
    ----------
    vertex, context : float32 or bfloat16 [Rv, D], [Rc, D]
        Rows of the two parts, contiguous. May be the same memory. A bf16 table is rounded up or down by chance.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float32
        State of the optimizer, of the shapes of the tables; may be empty where it uses none.
    begin : int
        Where the pairs of the block begin in `contexts`.
    ends : int64 or int32 [Rv]
        Where those of each head end.
    contexts : int32 [M] or int16 [M]
        Rows of the contexts of all pairs; int16 has the bits of uint16.
    totals : int32 [Rv]
        Pairs of each head in all blocks of the row.
    units : int32 [U, 2]
        (tile, chunk), contiguous; see :func:`units_of`.
    negatives : int32 [U, K]
        Rows of the context part, contiguous.
    heads_per_unit : int
        Heads of a tile, a power of two; see :func:`heads_for`.
    first_head, first_context, lr, negative_weight, weight_decay, optimizer
        See :func:`nodeloom.kernels.reference.pairs.train_pairs`.
    settings : sequence of 3 or more floats
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th unit and the sum of its weights are added.
    product : {"fp32", "bf16", "tf32"}
        What the factors of the matrix products with negatives are rounded to; sums are fp32.
    seed : int
        Of the stochastic rounding.
    launch : Launch, optional
        See there.

    Raises
    ------
    triton.OutOfResources
        If the device has too little shared memory for so many heads of rows so wide.
    """
    num_unit, num_negative = negatives.shape
    if num_unit == 0:
        return
    launch = Launch() if launch is None else launch
    row = vertex.shape[1]
    block = max(16, triton.next_power_of_2(row))
    tied = vertex.data_ptr() == context.data_ptr()
    unroll = vertex.dtype == torch.bfloat16 and row > _WIDEST if launch.unroll is None else launch.unroll
    num_warps = launch.num_warps or warps_for(heads_per_unit, row)
    registers = launch.registers or _REGISTERS
    dtype, precision = _PRODUCTS[product]
    values = [float(value) for value in settings[:3]]
    num_loss = ceil_div(num_unit, LOSS_EVERY)
    with on_device_of(vertex):
        for loss, count in ((True, num_loss), (False, num_unit - num_loss)):
            if count:
                looped = launch.num_program > 0
                _pairs.train_units[(min(count, launch.num_program) if looped else count,)](
                    vertex, context, *_moments(vertex, vertex_moment1, vertex_moment2),
                    *_moments(context, context_moment1, context_moment2),
                    int(begin), ends, len(ends), contexts, totals, units, negatives, first_context - first_head, float(lr),
                    float(negative_weight), float(weight_decay), *values, seed & 0x7FFFFFFF, statistics, count,
                    H=heads_per_unit, ROW=row, D=block, NEGATIVES=num_negative, K=max(16, triton.next_power_of_2(num_negative)),
                    OPTIMIZER=optimizer, CLIP=optimizer == SGD and values[0] > 0.0, RELOAD=launch.reload or tied,
                    AHEAD=launch.ahead, UNROLL=unroll, PRODUCT=dtype, PRECISION=precision, LOSS=loss, LOOP=looped,
                    num_warps=num_warps, num_stages=1, maxnreg=registers,
                )  # fmt: skip


def _moments(table, moment1, moment2):
    """Return the moments, or the table itself for those that are not used: a kernel needs an address."""
    return moment1 if moment1.numel() else table, moment2 if moment2.numel() else table
