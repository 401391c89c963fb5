"""Merging the tables of several workers; :mod:`nodeloom.kernels.reference.merge` is the definition."""

from __future__ import annotations

from nodeloom.kernels.gpu._rows import write
from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl, triton

_VALUES = 4096  # of a program at a time
_WIDEST = 512  # columns of them


@jit
def _to_nearest(value):
    """Return fp32 values rounded to bf16, to the nearest, as fp32; the interpreter's conversion drops the lower half of the bits."""
    bits = value.to(tl.int32, bitcast=True)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000
    # What is added to the bits of a NaN can make a number of it.
    return tl.where(value == value, bits.to(tl.float32, bitcast=True), value)


@jit(varying=("first", "count"))
def _changes(
    table, base, first: tl.int64, out, squares, count: tl.int64, row, table_stride, R: tl.constexpr, D: tl.constexpr
):  # fmt: skip
    rows = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    live = rows < count
    there = (first + rows)[:, None] * table_stride
    here = rows[:, None] * row
    square = tl.zeros([R], tl.float32)
    for begin in range(0, row, D):
        column = begin + tl.arange(0, D)
        mask = live[:, None] & (column < row)[None, :]
        new = tl.load(table + there + column[None, :], mask=mask, other=0.0).to(tl.float32)
        old = tl.load(base + there + column[None, :], mask=mask, other=0.0).to(tl.float32)
        change = new - old
        if out.dtype.element_ty == tl.bfloat16:
            change = _to_nearest(change)
        square += tl.sum(change * change, 1)
        tl.store(out + here + column[None, :], change.to(out.dtype.element_ty), mask=mask)
    tl.store(squares + rows, square, mask=live)


@jit(varying=("first", "count", "seed"))
def _apply(
    table, base, first: tl.int64, sums, squares, count: tl.int64, row, table_stride, least, seed, R: tl.constexpr, D: tl.constexpr
):  # fmt: skip
    rows = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    live = rows < count
    there = (first + rows)[:, None] * table_stride
    here = rows[:, None] * row
    length = tl.zeros([R], tl.float32)
    for begin in range(0, row, D):
        column = begin + tl.arange(0, D)
        mask = live[:, None] & (column < row)[None, :]
        change = tl.load(sums + here + column[None, :], mask=mask, other=0.0).to(tl.float32)
        length += tl.sum(change * change, 1)
    square = tl.load(squares + rows, mask=live, other=0.0)
    known = (length > 0.0) & (length < float("inf"))  # else changes cancel out, or have diverged
    share = tl.where(known, square, 1.0) / tl.where(known, length, 1.0)
    share = tl.minimum(tl.maximum(share, least), 1.0)[:, None]
    for begin in range(0, row, D):
        column = begin + tl.arange(0, D)
        mask = live[:, None] & (column < row)[None, :]
        at = there + column[None, :]
        change = tl.load(sums + here + column[None, :], mask=mask, other=0.0).to(tl.float32)
        merged = tl.load(base + at, mask=mask, other=0.0).to(tl.float32) + share * change
        # Rounded by the same numbers, so that both get the same, with every worker.
        write(table, at, mask, merged, seed)
        write(base, at, mask, merged, seed)


def _shape(count, row):
    """Return the grid of programs, and the rows and columns that one takes at a time."""
    width = min(_WIDEST, triton.next_power_of_2(row))
    height = _VALUES // width
    return (ceil_div(count, height),), {"R": height, "D": width, "num_warps": 4, "num_stages": 1}


def changes(table, base, first, out, squares):
    """Write what has changed in rows ``first ...``.

    Parameters
    ----------
    table, base : float32 or bfloat16 [N, D]
        The table of a worker, and what it was before; of the same dtype and strides.
    first : int
        Number of the first row.
    out : of the same dtype [R, D], contiguous
        Written: ``table - base`` of R rows, rounded to nearest.
    squares : float32 [R]
        Written: squared lengths of the rows of `out`.
    """
    count, row = out.shape
    if out.numel() == 0:
        squares.zero_()
        return
    grid, options = _shape(count, row)
    with on_device_of(out):
        _changes[grid](table, base, first, out, squares, count, row, table.stride(0), **options)


def apply(table, base, first, sums, squares, num_worker, seed):
    """Set rows ``first ...`` of a table and of its base to the merged rows.

    Parameters
    ----------
    table, base : float32 or bfloat16 [N, D]
        Changed, to the same values; of the same dtype and strides. bf16 tables get theirs rounded up or down by chance.
    first : int
        Number of the first row.
    sums : of the same dtype [R, D], contiguous
        Changes of R rows, summed over the workers.
    squares : float32 [R]
        Their squared lengths, summed over the workers.
    num_worker : int
        Workers.
    seed : int
        Of the rounding; the same for all workers.
    """
    count, row = sums.shape
    if sums.numel() == 0:
        return
    grid, options = _shape(count, row)
    with on_device_of(sums):
        _apply[grid](
            table, base, first, sums, squares, count, row, table.stride(0), 1.0 / num_worker, seed & 0x7FFFFFFF, **options
        )  # fmt: skip
