"""One optimizer step on the rows of a batch: a row's gradients are summed up in the order of the batch, then it is changed once.

So sums are the same to the last bit whenever a batch is trained again, and no row is written by two programs.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl, triton
from nodeloom.kernels.gpu.optimizer import ADAM, SGD, clipped, moment_change

_SGD = tl.constexpr(SGD)
_WIDEST = 2048  # values that a program has at a time
_MEMBER_VALUES = 8192  # of the members that it reads at a time


@jit
def _change(
    table, moment1, moment2, rounded, products, pieces, order, pull, rows, ends, rate, num, dim, stride, moment_stride, rounded_stride,
    product_stride, piece_stride, num_piece, decay, a, b, c,
    OPTIMIZER: tl.constexpr, DENSE: tl.constexpr, PRODUCTS: tl.constexpr, PULLED: tl.constexpr, ROW_WISE: tl.constexpr,
    CLIP: tl.constexpr, ROUNDED: tl.constexpr, PARTS: tl.constexpr, P: tl.constexpr, M: tl.constexpr,
):  # fmt: skip
    place = tl.program_id(0)
    before = tl.maximum(place - 1, 0)
    W: tl.constexpr = PARTS * P
    if DENSE:  # a program for every row, which may have no members
        row = place.to(tl.int64)
        begin = tl.where(place > 0, tl.load(ends + before).to(tl.int32), 0)
        first = place >= 0
    else:  # a program for every member; that of the first of a row does the work
        row = tl.load(rows + place).to(tl.int64)
        begin = place
        first = (tl.load(rows + before).to(tl.int64) != row) | (place == 0)
    end = tl.load(ends + place).to(tl.int32)
    if first:
        value = tl.arange(0, W)
        number = tl.program_id(1) * P + value % P
        column = value // P * num + number
        mask = number < num
        x = tl.load(table + row * stride + column, mask=mask, other=0.0)
        gradient = tl.zeros([W], tl.float32)
        if PRODUCTS:
            gradient = tl.load(products + row * product_stride + column, mask=mask, other=0.0).to(tl.float32)
        pulled = tl.zeros([M], tl.float32)
        for member in range(begin, end, M):
            at = member + tl.arange(0, M)
            live = at < end
            piece = tl.load(order + at, mask=live, other=0).to(tl.int64)
            if PULLED:
                pulled += tl.load(pull + piece, mask=live, other=0.0)
            has = live & (piece < num_piece)
            part = tl.load(
                pieces + piece[:, None] * piece_stride + column[None, :], mask=has[:, None] & mask[None, :], other=0.0
            )
            gradient += tl.sum(part, 0)
        if PULLED:
            square = tl.sum(tl.reshape(x * x, [PARTS, P]), 0)
            modulus = tl.reshape(tl.broadcast_to(tl.sqrt(square)[None, :], [PARTS, P]), [W])
            gradient += tl.sum(pulled, 0) * 3.0 * modulus * x
        gradient += decay * x
        speed = tl.load(rate)
        at = row * moment_stride + column
        if OPTIMIZER == _SGD:
            change = (
                -clipped(tl.sum(tl.where(mask, gradient * gradient, 0.0), 0), speed, a) * gradient
                if CLIP
                else -speed * gradient
            )
        elif ROW_WISE:
            m = tl.load(moment1 + row * moment_stride) + tl.sum(tl.where(mask, gradient * gradient, 0.0), 0) / dim
            tl.store(moment1 + row * moment_stride, m)
            change = -speed * gradient / (tl.sqrt(m) + a)
        else:
            change = moment_change(gradient, moment1, moment2, at, mask, speed, a, b, c, OPTIMIZER)
        x += change
        tl.store(table + row * stride + column, x, mask=mask)
        if ROUNDED:
            tl.store(rounded + row * rounded_stride + column, x.to(rounded.dtype.element_ty), mask=mask)


@dataclass(frozen=True)
class Members:
    """Which pieces of a batch belong to which rows of a table.

    Attributes
    ----------
    rows : int [M]
        The row of each member, sorted.
    order : int64 [M]
        The number of each member's piece; numbers beyond the pieces have none.
    ends : int64 [M] or [N]
        Where the row of a member ends; for a table changed as a whole, where each of its rows ends.
    dense : bool
        Whether all rows of the table are changed, also those without members.
    """

    rows: torch.Tensor
    order: torch.Tensor
    ends: torch.Tensor
    dense: bool

    @classmethod
    def of(cls, rows: torch.Tensor, every_row: torch.Tensor | None = None) -> Members:
        """Sort the rows [M] of pieces; with `every_row` [N], 0 ... N - 1, all rows of the table are changed."""
        ordered, order = torch.sort(rows, stable=True)
        ends = torch.searchsorted(ordered, ordered if every_row is None else every_row, right=True)
        return cls(ordered, order, ends, every_row is not None)


def change_rows(
    optimizer, table, moment1, moment2, members, pieces, rate, settings, *,
    decay=0.0, parts=1, products=None, pull=None, rounded=None, row_wise=False,
):  # fmt: skip
    """Change the rows of a table by one step along the sums of their pieces.

    Parameters
    ----------
    optimizer : int
        See :mod:`nodeloom.kernels.gpu.optimizer`.
    table, moment1, moment2 : float32 [N, D]
        Changed; with `row_wise`, `moment1` is [N, 1]. Moments that the optimizer has not are not touched.
    members : Members
        Which pieces are of which rows.
    pieces : float32 [C, D]
        Gradients.
    rate : float32 [1]
        Learning rate.
    settings : tuple of float
        Settings of the optimizer.
    decay : float
        Weight decay of the rows that are changed.
    parts : int
        Values of a number of a row.
    products : float32 or bfloat16 [N, D or more], optional
        Gradients of all rows beside the pieces.
    pull : float32 [M], optional
        The weight of the cubed moduli of a row, for each piece and beyond.
    rounded : bfloat16 [N, D or more], optional
        Written: the rows, rounded.
    row_wise : bool
        AdaGrad with one moment for a row, the sum of the means of its squares.
    """
    dim = table.shape[1]
    num = dim // parts
    width = triton.next_power_of_2(num)
    whole = row_wise or (optimizer == SGD and settings[0] > 0.0)  # what needs the length of a row
    if not whole:
        width = min(width, _WIDEST // parts)
    m = 0 if moment1 is None else moment1.stride(0)
    count = len(members.ends)
    if count == 0:
        return
    a, b, c = settings[:3]
    members_at_once = max(1, min(16, _MEMBER_VALUES // (width * parts)))
    with on_device_of(table):
        _change[(count, ceil_div(num, width))](
            table, moment1, moment2 if optimizer == ADAM else moment1, rounded, products, pieces, members.order, pull, members.rows,
            members.ends, rate, num, dim, table.stride(0), m, 0 if rounded is None else rounded.stride(0),
            0 if products is None else products.stride(0), pieces.stride(0), len(pieces), decay, a, b, c,
            OPTIMIZER=optimizer, DENSE=members.dense, PRODUCTS=products is not None, PULLED=pull is not None, ROW_WISE=row_wise,
            CLIP=optimizer == SGD and a > 0.0,            ROUNDED=rounded is not None, PARTS=parts, P=width, M=members_at_once,
            num_warps=8 if width * parts >= 2048 else 4,
        )  # fmt: skip
