"""One row against four rows that lie anywhere: their products, and a step of each along the first."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import F32, I32, I64, LANES, ROW_ALIGNMENT, Emitter, constant, define, int64s

FOUR = 4
"""Rows at once."""


def _addresses(emit: Emitter, array: ir.Value) -> list[ir.Value]:
    """Return the FOUR addresses in an int64 array."""
    builder = emit.builder
    base = builder.inttoptr(array, I64.as_pointer())
    return [builder.load(builder.gep(base, [I64(r)])) for r in range(FOUR)]


def _prefetch(emit: Emitter, rows: list[ir.Value], offset: ir.Value) -> None:
    """Ask for one cache line of each row: a little in every step of a loop, where all at once would wait for each other.

    The second cache is near enough, and asking for the first one costs a fifth of the speed of training pairs (Zen 4).
    """
    kind = ir.FunctionType(ir.VoidType(), [F32.as_pointer(), I32, I32, I32])
    function = emit.builder.module.declare_intrinsic("llvm.prefetch.p0", (), kind)
    for row in rows:
        emit.builder.call(function, [emit.pointer(row, offset), I32(0), I32(2), I32(1)])


def _store_sums(emit: Emitter, vectors: list[ir.Value], out: ir.Value) -> None:
    """Store the sums of the lanes of FOUR vectors."""
    even, odd = list(range(0, 2 * LANES, 2)), list(range(1, 2 * LANES, 2))
    for _ in range(
        LANES.bit_length() - 1
    ):  # each stage adds neighbouring lanes and leaves half as many vectors, or one
        pairs = zip(vectors[::2], vectors[1::2] or vectors, strict=True)
        vectors = [emit.builder.fadd(emit.shuffle(a, b, even), emit.shuffle(a, b, odd)) for a, b in pairs]
    sums = vectors[0] if LANES == FOUR else emit.shuffle(vectors[0], vectors[0], list(range(FOUR)))
    emit.store(sums, emit.pointer(out))


@intrinsic
def fetch_row(typingctx: Any, address: Any, dim: Any) -> Any:
    """Ask for the `dim` floats at `address` to be brought into the second cache; both int64."""
    del address, dim

    def body(emit: Emitter, address: Any, dim: Any) -> None:
        with emit.loop(dim, ROW_ALIGNMENT) as (d, _):
            _prefetch(emit, [address], d)

    return define(body, *int64s(2))


@intrinsic
def dot_four(typingctx: Any, x: Any, sources: Any, dim: Any, scores: Any, squares: Any, soon: Any) -> Any:
    """Set ``scores[r] = x . c_r`` and ``squares[r] = c_r . c_r`` for the rows c at the four addresses in `sources` (int64 array).

    All arguments are int64: addresses and `dim`, a multiple of ROW_ALIGNMENT. Meanwhile the two rows whose addresses stand at `soon`
    (int64 array) are fetched.
    """
    del x, sources, dim, scores, squares, soon

    def body(emit: Emitter, x: Any, sources: Any, dim: Any, scores: Any, squares: Any, soon: Any) -> None:
        builder = emit.builder
        rows = _addresses(emit, sources)
        fetched = _addresses(emit, soon)[:2]
        products, lengths = ([emit.cell(constant(0.0)) for _ in rows] for _ in range(2))
        with emit.loop(dim) as (d, _):
            _prefetch(emit, fetched, d)
            own = emit.load(emit.pointer(x, d))
            for row, product, length in zip(rows, products, lengths, strict=True):
                c = emit.load(emit.pointer(row, d))
                builder.store(emit.multiply_add(own, c, builder.load(product)), product)
                builder.store(emit.multiply_add(c, c, builder.load(length)), length)
        _store_sums(emit, [builder.load(cell) for cell in products], scores)
        _store_sums(emit, [builder.load(cell) for cell in lengths], squares)

    return define(body, *int64s(6))


@intrinsic
def move_four(
    typingctx: Any, x: Any, gradient: Any, sources: Any, targets: Any, factors: Any, stride: Any, dim: Any, soon: Any
) -> Any:
    """Do ``gradient += sum_r g_r c_r`` and set ``t_r = keep_r c_r + step_r x``, for rows c at `sources` and t at `targets`.

    `factors` holds g[4], keep[4], step[4], `stride` floats apart. All arguments are int64: addresses (`sources` and `targets` of int64
    arrays of addresses), and `dim`, a multiple of ROW_ALIGNMENT. A target may be its own source, or any row that does not change.
    Meanwhile the two rows whose addresses stand at `soon` are fetched.
    """
    del x, gradient, sources, targets, factors, stride, dim, soon

    def body(
        emit: Emitter, x: Any, gradient: Any, sources: Any, targets: Any, factors: Any, stride: Any, dim: Any, soon: Any
    ) -> None:
        builder, fetched = emit.builder, _addresses(emit, soon)[:2]
        rows, moved = _addresses(emit, sources), _addresses(emit, targets)
        places = [builder.add(builder.mul(stride, I64(i)), I64(r)) for i in range(3) for r in range(FOUR)]
        numbers = [emit.splat(emit.load(emit.pointer(factors, place), F32)) for place in places]
        with emit.loop(dim) as (d, _):
            _prefetch(emit, fetched, d)
            own, at = emit.load(emit.pointer(x, d)), emit.pointer(gradient, d)
            total = emit.load(at)
            old = [emit.load(emit.pointer(row, d)) for row in rows]
            for r, c in enumerate(old):
                total = emit.multiply_add(numbers[r], c, total)
                kept = builder.fmul(numbers[FOUR + r], c)
                emit.store(emit.multiply_add(numbers[2 * FOUR + r], own, kept), emit.pointer(moved[r], d))
            emit.store(total, at)

    return define(body, *int64s(8))
