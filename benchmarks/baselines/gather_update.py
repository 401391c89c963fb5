"""The bound: the rows that training reads and writes, read and written, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nodeloom.kernels.gpu._triton import jit, tl, triton

TINY = 1e-20  # added to every value: too small to change it, and the compiler cannot know


@jit
def _rows(ids, first, row, D: tl.constexpr):
    return ids.to(tl.int64)[:, None] * row + (first + tl.arange(0, D))[None, :]


@jit
def _write(table, at, value, mask, tiny, ADD: tl.constexpr, MASKED: tl.constexpr):
    if ADD:
        value = value * tiny  # it is used, so it is read
        if MASKED:
            tl.atomic_add(table + at, value, mask=mask, sem="relaxed")
        else:
            tl.atomic_add(table + at, value, sem="relaxed")
    else:
        value = (value.to(tl.float32) + tiny).to(table.dtype.element_ty)
        if MASKED:
            tl.store(table + at, value, mask=mask)
        else:
            tl.store(table + at, value)


@jit
def _gather_update(
    vertex, context, walks, walk_stride, place_stride, negatives, row, tiny,
    T: tl.constexpr, PARTS: tl.constexpr, NEGATIVES: tl.constexpr, K: tl.constexpr, D: tl.constexpr, ADD: tl.constexpr,
):  # fmt: skip
    """Do it for a part of the places of a tile and the same part of its negatives, `D` columns of every row."""
    tile = (tl.program_id(0) // PARTS).to(tl.int64)
    part = tl.program_id(0) % PARTS
    first = tl.program_id(1) * D
    place = part * (T // PARTS) + tl.arange(0, T // PARTS)
    draw = part * (K // PARTS) + tl.arange(0, K // PARTS)
    ids = tl.load(walks + tile * walk_stride + place * place_stride)
    noise = tl.load(negatives + tile * NEGATIVES + draw, mask=draw < NEGATIVES, other=0)
    at = _rows(ids, first, row, D)
    noise_at = _rows(noise, first, row, D)
    mask = (draw < NEGATIVES)[:, None]
    x = tl.load(vertex + at)
    c = tl.load(context + at)
    n = tl.load(context + noise_at, mask=mask, other=0.0)
    _write(vertex, at, x, mask, tiny, ADD, False)
    _write(context, noise_at, n, mask, tiny, ADD, True)
    _write(context, at, c, mask, tiny, ADD, False)


@dataclass(frozen=True)
class Variant:
    """One way to do it: atomic additions or plain stores, and how a tile is cut."""

    add: bool
    parts: int
    columns: int
    num_warps: int

    def __str__(self) -> str:
        return f"{'add' if self.add else 'store'}, {self.parts} parts, {self.columns} columns, {self.num_warps} warps"


def variants(row: int, dtype: torch.dtype) -> list[Variant]:
    """Return what is tried for tables of a width; the fastest is the bound. bf16 rows are only ever stored."""
    columns = min(row, 128)
    return [
        Variant(add, parts, columns, warps)
        for add in ((False, True) if dtype == torch.float32 else (False,))
        for parts, warps in ((1, 4), (4, 4), (4, 2))
    ]


def gather_update(
    vertex: torch.Tensor, context: torch.Tensor, walks: torch.Tensor, negatives: torch.Tensor, variant: Variant
) -> None:
    """Read and write the vertex and the context row of every place of the walks and the context rows of the negatives.

    Parameters
    ----------
    vertex, context : float32 or bfloat16 [N, D]
        Tables, D a multiple of the columns of `variant`.
    walks : int32 [W, T]
        Walks without ends, any strides; T a power of two.
    negatives : int32 [W, 1, K]
        Of each walk.
    variant : Variant
        How.
    """
    num_walk, nodes = walks.shape
    row = vertex.shape[1]
    num_negative = negatives.shape[2]
    assert row % variant.columns == 0 and nodes % variant.parts == 0
    width = max(variant.parts, triton.next_power_of_2(num_negative))
    _gather_update[(num_walk * variant.parts, row // variant.columns)](
        vertex, context, walks, walks.stride(0), walks.stride(1), negatives, row, TINY,
        T=nodes, PARTS=variant.parts, NEGATIVES=num_negative, K=width, D=variant.columns, ADD=variant.add,
        num_warps=variant.num_warps, num_stages=1,
    )  # fmt: skip


def bytes_of(num_walk: int, nodes: int, num_negative: int, row: int, itemsize: int) -> int:
    """Bytes that one call moves: every row once there and once back, ids and negatives once."""
    return num_walk * ((2 * nodes + num_negative) * row * itemsize * 2 + 4 * (nodes + num_negative))
