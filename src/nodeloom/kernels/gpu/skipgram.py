"""Skip-gram with negative sampling on walk tiles, in Triton; :mod:`nodeloom.kernels.reference.skipgram` is the definition.

A program takes TILE vertex places of a tile: it reads their vertex rows X, the context rows C of the places near them and the
shared negative rows N, computes all scores and gradients as small matrix products, and changes every row. Programs run side by
side on the same tables without locks (Hogwild; Niu et al., NIPS 2011). With plain SGD on fp32 tables changes are atomic additions,
so none is lost. Other optimizers and bf16 tables have to read, change and write a row, so of two changes at the same moment one can
be lost; within a tile the gradients of a node that stands in several places are added up before its row is changed once.

What differs from the reference is thus of second order in the learning rate: a node that stands in several places of a tile has
its decay and its largest step computed from the row as it was when the tile began; a walk longer than TILE nodes is trained TILE
vertex places at a time, each with all the contexts within the step on both sides, which may change in between.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from nodeloom.kernels.gpu import _hopper, _tile
from nodeloom.kernels.gpu._rows import ADD, STORE
from nodeloom.kernels.gpu._triton import INTERPRETED, on_device_of, tl, triton
from nodeloom.kernels.gpu.optimizer import SGD

TILE = 64
"""Nodes that share negatives."""

LOSS_EVERY = _tile.LOSS_EVERY
"""The loss is summed over one tile of so many."""

# Nodes above which one is hardly drawn twice for a tile, and a table is far larger than what a multiprocessor keeps.
_FEW = 1 << 16

_LEAST_STORED = 64  # columns of a block of rows that are read twice and stored; see ValueError below

# fp32 products are those of three parts on tensor cores, right to 21 bits: plain ones take a minute and more to compile.
_PRODUCTS = {"bf16": (tl.bfloat16, "ieee"), "tf32": (tl.float32, "tf32"), "fp32": (tl.float32, "tf32x3")}

# Of fp32 products by 8 warps ptxas 12.8 (Triton 3.6) makes code that reads a matrix before it sets the address, outside of shared memory.
_MOST_WARPS = {"fp32": 4}


@dataclass(frozen=True)
class Launch:
    """How the kernel is laid out. One tile alone gives the same results in every layout, to rounding; tiles side by side lose more or less.

    Attributes
    ----------
    block : int
        Columns of the tables at a time, a power of two.
    num_warps : int
        Warps of a program; of fp32 products 4 at most.
    num_program : int
        Programs at most, each of which trains units in turn; 0 for one program for each unit.
    keep : int
        Rows of at most so many columns are kept between scores and gradients; wider ones are read twice.
    fold : bool
        Compute the decay as a matrix product, where rows are changed by additions.
    reload : bool
        Read a row again before it is stored, so that fewer changes of other programs are lost.
    add : bool or None
        Whether rows are changed by atomic additions; None where that is possible.
    hopper : bool or None
        Whether the kernel for GPUs of compute capability 9.0 trains, which knows none of `block`, `keep` and `fold`; None where it can:
        fp32 tables changed by additions, rows of whole 32 columns up to 256, bf16 products.
    """

    block: int = 64
    num_warps: int = 4
    num_program: int = 0
    keep: int = 256
    fold: bool = True
    reload: bool = True
    add: bool | None = None
    hopper: bool | None = None

    def smaller(self) -> Launch | None:
        """Return a layout that takes less shared memory; None if there is none."""
        if self.keep:
            return replace(self, keep=0)
        return (
            replace(self, block=self.block // 2) if self.block > (_LEAST_STORED if self.add is False else 16) else None
        )


def train_walks(
    vertex, context, vertex_moment1, vertex_moment2, context_moment1, context_moment2,
    walks, negatives, lr, step, two_sided, negative_weight, weight_decay, optimizer, settings, statistics,
    *, product="fp32", largest_rate=None, seed=0, num_pairs=None, launch=None,
):  # fmt: skip
    """Train both tables on walks, in place, without waiting for the device; return the number of positive pairs.

    Parameters
    ----------
    vertex, context : float32 or bfloat16 [N, D]
        Tables, contiguous. May be the same tensor. A bf16 table is rounded up or down by chance.
    vertex_moment1, vertex_moment2, context_moment1, context_moment2 : float32 [N, D]
        State of the optimizer; may be empty where it uses none.
    walks : int32 or int64 [W, L + 1], any strides
        -1 stands after the end of a walk.
    negatives : int32 or int64 [num_tile, chunks, K]
        For each tile, for every TILE of its nodes; contiguous.
    lr : float32 [num_tile]
        Learning rate of each tile.
    step, two_sided, negative_weight, weight_decay, optimizer
        See :func:`nodeloom.kernels.cpu.skipgram.train_walks`.
    settings : sequence of 3 or more floats
        See :func:`nodeloom.kernels.cpu.optimizer.update_row`.
    statistics : float64 [2]
        The loss of every LOSS_EVERY-th tile and the sum of its weights are added.
    product : {"fp32", "bf16", "tf32"}
        What the factors of matrix products are rounded to; sums are fp32.
    largest_rate : float32 [N], optional
        Learning rate that is not exceeded by a node; without it there is none.
    seed : int
        Of the stochastic rounding.
    num_pairs : int64 [1], optional
        The number of pairs is added here.
    launch : Launch, optional
        See there.

    Returns
    -------
    int64 [1]
        Positive pairs; `num_pairs` if given.

    Raises
    ------
    ValueError
        If rows of a bf16 table are wider than what is kept of them, or rows that are stored are not kept and read in narrow blocks:
        Triton 3.6 compiles that to accesses out of bounds.
        Or if ``launch.hopper`` asks for a kernel that cannot train this.
    triton.OutOfResources
        If the device has too little shared memory for this layout.
    """
    num_walk, nodes = walks.shape
    num_tile, num_chunk, num_negative = negatives.shape
    row = vertex.shape[1]
    launch = Launch() if launch is None else launch
    per_tile = max(1, TILE // nodes)
    if num_pairs is None:
        num_pairs = torch.zeros(1, dtype=torch.int64, device=vertex.device)
    num_unit = num_tile * num_chunk
    if num_unit == 0 or num_walk == 0:
        return num_pairs
    add = optimizer == SGD and vertex.dtype == torch.float32 if launch.add is None else launch.add
    if vertex.dtype == torch.bfloat16 and row > launch.keep and not INTERPRETED:
        raise ValueError(f"bf16 tables: expected rows of at most {launch.keep} columns, got {row}")
    if not add and row > launch.keep and launch.block < _LEAST_STORED and not INTERPRETED:
        raise ValueError(
            f"rows that are read twice and stored: expected blocks of {_LEAST_STORED} columns, got {launch.block}"
        )
    values = [float(value) for value in settings[:3]]
    hopper = add and product == "bf16" and num_chunk == 1 and optimizer == SGD
    if launch.hopper is not False and hopper and _hopper.can_train(vertex, context, num_negative):
        with on_device_of(vertex):
            num_program = launch.num_program or torch.cuda.get_device_properties(
                vertex.device
            ).multi_processor_count * (2 if launch.num_warps <= 4 else 1)
            _hopper.train_tiles(
                vertex, context, walks, per_tile, negatives, lr, min(step, nodes), bool(two_sided), float(negative_weight),
                float(weight_decay), statistics, largest_rate, num_pairs, num_program, max(values[0], 0.0),
            )  # fmt: skip
        return num_pairs
    if launch.hopper:
        raise ValueError("the kernel for compute capability 9.0 cannot train this: see Launch.hopper")
    tied = vertex.data_ptr() == context.data_ptr()
    block = min(launch.block, max(16, triton.next_power_of_2(row)))
    dtype, precision = _PRODUCTS[product]
    num_loss = -(-num_tile // LOSS_EVERY) * num_chunk
    with on_device_of(vertex):
        for loss, count in ((True, num_loss), (False, num_unit - num_loss)):
            if count:
                _tile.train_tiles[(min(count, launch.num_program or count),)](
                    vertex, context, *_moments(vertex, vertex_moment1, vertex_moment2),
                    *_moments(context, context_moment1, context_moment2),
                    walks, walks.stride(0), walks.stride(1), num_walk, negatives,
                    lr if largest_rate is None else largest_rate, lr, row,
                    float(negative_weight), float(weight_decay), *values, seed & 0x7FFFFFFF, num_pairs, statistics, count,
                    NODES=nodes, WALKS=per_tile, CHUNKS=num_chunk, STEP=min(step, nodes), TWO_SIDED=bool(two_sided),
                    NEGATIVES=num_negative, K=max(16, triton.next_power_of_2(num_negative)), OPTIMIZER=optimizer,
                    CLIP=optimizer == SGD and values[0] > 0.0, UPDATE=ADD if add else STORE,
                    MERGE=not add, MERGE_NEGATIVES=not add and len(vertex) < _FEW,
                    RELOAD=not add and (launch.reload or tied),
                    T=TILE, W=TILE if num_chunk == 1 else triton.next_power_of_2(TILE + 2 * min(step, nodes)),
                    D=block, BLOCKS=triton.cdiv(row, block), EVEN=row % block == 0, PRODUCT=dtype, PRECISION=precision,
                    LOSS=loss, FOLD=launch.fold and add and num_chunk == 1, KEEP=row <= launch.keep, FRESH=len(vertex) < _FEW,
                    CAPPED=largest_rate is not None,
                    LOOP=bool(launch.num_program), ALONE=launch.num_program == 1,
                    num_warps=min(launch.num_warps, _MOST_WARPS.get(product, launch.num_warps)), num_stages=1,
                )  # fmt: skip
    return num_pairs


def _moments(table, moment1, moment2):
    """Return the moments, or the table itself for those that are not used: a kernel needs an address."""
    return moment1 if moment1.numel() else table, moment2 if moment2.numel() else table
