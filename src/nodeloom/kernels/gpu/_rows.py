"""Rows of tables in Triton: reading them for products, and changing them."""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import jit, tl
from nodeloom.kernels.gpu.optimizer import SGD, clipped, moment_change

ADD, STORE = 0, 1
"""How a row is changed: by atomic additions, or by writing what was read plus the change."""

__all__ = ["ADD", "STORE", "change_rows", "clipped", "columns", "places", "read"]

_SGD, _ADD = tl.constexpr(SGD), tl.constexpr(ADD)


@jit
def places(ids, row, first, D: tl.constexpr):
    """Return the offsets of columns ``first ... first + D`` of rows `ids` [R] in a table, int64 [R, D]."""
    return ids.to(tl.int64)[:, None] * row + (first + tl.arange(0, D))[None, :]


@jit
def columns(live, row, first, D: tl.constexpr, EVEN: tl.constexpr):
    """Return which of the columns ``first ... first + D`` of rows exist: those of `live` rows [R], within the row."""
    if EVEN:
        mask = live[:, None]
    else:
        mask = live[:, None] & ((first + tl.arange(0, D)) < row)[None, :]
    return mask


@jit
def read(table, at, mask, PRODUCT: tl.constexpr, FRESH: tl.constexpr):
    """Return rows [R, D] in the dtype of the products; 0 where masked.

    FRESH bypasses the L1 cache, which may hold a small table entirely, as it was when the kernel started.
    """
    if FRESH:
        rows = tl.load(table + at, mask=mask, other=0.0, cache_modifier=".cg")
    else:
        rows = tl.load(table + at, mask=mask, other=0.0)
    return rows.to(PRODUCT)


@jit
def _random(at, seed):
    """Return 16 random bits per entry, as uint32: a 32-bit hash of the offset and the seed."""
    h = at.to(tl.uint32) * 0x9E3779B1
    h ^= seed
    h ^= h >> 15
    h *= 0x85EBCA6B
    h ^= h >> 13
    h *= 0xC2B2AE35
    return h >> 16


@jit
def write(table, at, mask, value, seed):
    """Store fp32 values; a bf16 table gets them rounded up or down by chance, so that small changes are not lost."""
    if table.dtype.element_ty == tl.bfloat16:
        bits = value.to(tl.uint32, bitcast=True) + _random(at, seed)
        rounded = (bits & 0xFFFF0000).to(tl.float32, bitcast=True)
        # What is added to the bits of a NaN can make a zero of it.
        value = tl.where(value == value, rounded, value).to(tl.bfloat16)
    tl.store(table + at, value, mask=mask)


@jit
def change_rows(
    table, moment1, moment2, at, mask, old, gradient, decay, rate, a, b, c, seed,
    OPTIMIZER: tl.constexpr, UPDATE: tl.constexpr, RELOAD: tl.constexpr, FOLDED: tl.constexpr,
):  # fmt: skip
    """Change rows at `at` [R, D] by one step along ``gradient + decay * old``; decay is [R, 1] or a scalar, old [R, D]."""
    if RELOAD or (UPDATE != _ADD and old.dtype == tl.bfloat16 and table.dtype.element_ty != tl.bfloat16):
        # What was read for products may have been rounded for them, and what a multiprocessor has kept of a row may be out of date:
        # storing that plus a change would undo what others have changed since.
        old = tl.load(table + at, mask=mask, other=0.0, cache_modifier=".cg")
    old = old.to(tl.float32)
    if not FOLDED:
        gradient += decay * old
    if OPTIMIZER == _SGD:
        change = -rate * gradient
    else:
        change = moment_change(gradient, moment1, moment2, at, mask, rate, a, b, c, OPTIMIZER)
    if UPDATE == _ADD:
        tl.atomic_add(table + at, change, mask=mask, sem="relaxed")
    else:
        write(table, at, mask, old + change, seed)
