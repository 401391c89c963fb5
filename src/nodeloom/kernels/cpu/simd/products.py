"""Register-blocked products of a few rows: scores, sums of weighted rows, and steps along such sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import F32, I64, LANES, REGISTERS, VECTOR, Emitter, constant, define, int64s

_WIDE = REGISTERS >= 32

ONE_CHUNK = (8 if _WIDE else 4) * LANES
"""Floats of a row that is taken at once: 128 where a register holds 16."""


@intrinsic
def dot_rows(typingctx: Any, a: Any, b: Any, count: Any, dim: Any, out: Any, ldo: Any) -> Any:
    """Set ``out[r * ldo + c] = sum_d a[r * dim + d] * b[c * dim + d]`` for r in 0..3 and c < count.

    All arguments are int64: addresses `a`, `b`, `out`; `count` a multiple of 4; `dim` a multiple of ROW_ALIGNMENT; `ldo` in floats.
    """
    del a, b, count, dim, out, ldo

    def body(emit: Emitter, a: Any, b: Any, count: Any, dim: Any, out: Any, ldo: Any) -> None:
        builder = emit.builder
        with emit.loop(count, 4) as (column, _):
            first = builder.add(b, builder.mul(column, builder.mul(dim, I64(4))))
            sums: list[ir.Value] = []
            rows_at_once = 4 if _WIDE else 2
            for top in range(0, 4, rows_at_once):
                rows = range(top, top + rows_at_once)
                cells = {(r, c): emit.cell(constant(0.0)) for r in rows for c in range(4)}
                with emit.loop(dim) as (d, _):
                    x = {r: emit.load(emit.pointer(a, builder.add(builder.mul(dim, I64(r)), d))) for r in rows}
                    for c in range(4):
                        y = emit.load(emit.pointer(first, builder.add(builder.mul(dim, I64(c)), d)))
                        for r in rows:
                            builder.store(emit.multiply_add(x[r], y, builder.load(cells[r, c])), cells[r, c])
                values = [builder.load(cells[r, c]) for r in rows for c in range(4)]
                sums += [emit.sums(values[i : i + LANES]) for i in range(0, len(values), LANES)]
            per_vector = LANES // 4
            for r in range(4):
                packed, lane = sums[r // per_vector], 4 * (r % per_vector)
                row = packed if LANES == 4 else emit.shuffle(packed, packed, list(range(lane, lane + 4)))
                emit.store(row, emit.pointer(out, builder.add(builder.mul(ldo, I64(r)), column)))

    return define(body, *int64s(6))


class _Source(NamedTuple):
    """Weights g and rows b of one sum: item j of row r has weight ``g[r * row_step + j * item_step]``."""

    g: ir.Value
    row_step: ir.Value
    item_step: ir.Value
    b: ir.Value
    count: ir.Value


def _accumulate(
    emit: Emitter,
    sources: list[_Source],
    dim: ir.Value,
    out: ir.Value,
    num_row: int,
    widest: int,
    finish: Callable[[ir.Value, ir.Value], ir.Value] | None = None,
) -> None:
    """Set `num_row` rows of `out` to the sum over all sources, in chunks of at most `widest` vectors of columns.

    ``finish(sum, place)`` may change a vector of sums before it is stored `place` floats behind `out`.
    """
    builder = emit.builder
    begin: ir.Value = I64(0)
    num_vector = widest
    while num_vector:
        width = num_vector * LANES
        # The columns that whole chunks of this width cover; what is left goes to the next narrower chunk.
        chunks = builder.sdiv(builder.sub(dim, begin), I64(width))
        end = builder.add(begin, builder.mul(chunks, I64(width)))
        with emit.loop(end, width, begin) as (d, _):
            cells = [[emit.cell(constant(0.0)) for _ in range(num_vector)] for _ in range(num_row)]
            for source in sources:
                with emit.loop(source.count, 1) as (j, _):
                    scales = []
                    for r in range(num_row):
                        at = builder.add(builder.mul(source.row_step, I64(r)), builder.mul(source.item_step, j))
                        scales.append(emit.splat(emit.load(emit.pointer(source.g, at), F32)))
                    row = builder.add(builder.mul(dim, j), d)
                    for v in range(num_vector):
                        y = emit.load(emit.pointer(source.b, builder.add(row, I64(v * LANES))), VECTOR)
                        for r in range(num_row):
                            cell = cells[r][v]
                            builder.store(emit.multiply_add(scales[r], y, builder.load(cell)), cell)
            for r in range(num_row):
                for v in range(num_vector):
                    at = builder.add(builder.add(builder.mul(dim, I64(r)), d), I64(v * LANES))
                    total = builder.load(cells[r][v])
                    emit.store(total if finish is None else finish(total, at), emit.pointer(out, at))
        begin = end
        num_vector //= 2


def _one_source(num_row: int, widest: int) -> Callable[..., None]:
    def body(emit: Emitter, g: Any, row_step: Any, item_step: Any, b: Any, count: Any, dim: Any, out: Any) -> None:
        _accumulate(emit, [_Source(g, row_step, item_step, b, count)], dim, out, num_row, widest)

    return body


@intrinsic
def accumulate_2(typingctx: Any, g: Any, row_step: Any, item_step: Any, b: Any, count: Any, dim: Any, out: Any) -> Any:
    """Set ``out[r * dim + d] = sum_j g[r * row_step + j * item_step] * b[j * dim + d]`` for r in 0..1 and j < count.

    All arguments are int64: addresses `g`, `b`, `out`; steps in floats; `dim` a multiple of ROW_ALIGNMENT.
    """
    del g, row_step, item_step, b, count, dim, out
    return define(_one_source(2, 8 if _WIDE else 4), *int64s(7))


@intrinsic
def accumulate_4(typingctx: Any, g: Any, row_step: Any, item_step: Any, b: Any, count: Any, dim: Any, out: Any) -> Any:
    """Do as :func:`accumulate_2` for four rows: fewer loads of `b`, which pays where `b` does not fit the nearest cache."""
    del g, row_step, item_step, b, count, dim, out
    return define(_one_source(4, 4 if _WIDE else 2), *int64s(7))


@intrinsic
def accumulate_2_from_two(
    typingctx: Any,
    g: Any,
    row_step: Any,
    b: Any,
    count: Any,
    h: Any,
    h_row_step: Any,
    c: Any,
    h_count: Any,
    dim: Any,
    out: Any,
) -> Any:
    """Set two rows of `out` to the sum over two sources, ``g`` with rows ``b`` and ``h`` with rows ``c``, both of item step 1."""
    del g, row_step, b, count, h, h_row_step, c, h_count, dim, out

    def body(
        emit: Emitter,
        g: Any,
        row_step: Any,
        b: Any,
        count: Any,
        h: Any,
        h_row_step: Any,
        c: Any,
        h_count: Any,
        dim: Any,
        out: Any,
    ) -> None:
        sources = [_Source(g, row_step, I64(1), b, count), _Source(h, h_row_step, I64(1), c, h_count)]
        _accumulate(emit, sources, dim, out, 2, 8 if _WIDE else 4)

    return define(body, *int64s(10))


def _gradient(emit: Emitter, sources: list[_Source], dim: Any, row: Any, decay: Any, out: Any) -> ir.Value:
    """Set `out` to the sum over all sources and ``decay * row``; return its squared length."""
    builder, factor, square = emit.builder, emit.splat(decay), emit.cell(constant(0.0))

    def finish(total: ir.Value, at: ir.Value) -> ir.Value:
        total = emit.multiply_add(factor, emit.load(emit.pointer(row, at)), total)
        builder.store(emit.multiply_add(total, total, builder.load(square)), square)
        return total

    _accumulate(emit, sources, dim, out, 1, 8, finish)
    return emit.sum(builder.load(square))


@intrinsic
def gradient_of(
    typingctx: Any, g: Any, item_step: Any, b: Any, count: Any, dim: Any, row: Any, decay: Any, out: Any
) -> Any:
    """Set ``out[d] = decay * row[d] + sum_j g[j * item_step] * b[j * dim + d]``, j < count; return its squared length (float32).

    `decay` is float32, the others int64: addresses `g`, `b`, `row`, `out`; `item_step` in floats; `dim` a multiple of ROW_ALIGNMENT.
    """
    del g, item_step, b, count, dim, row, decay, out

    def body(
        emit: Emitter, g: Any, item_step: Any, b: Any, count: Any, dim: Any, row: Any, decay: Any, out: Any
    ) -> ir.Value:
        return _gradient(emit, [_Source(g, I64(0), item_step, b, count)], dim, row, decay, out)

    return define(body, *int64s(6), types.float32, types.int64, returns=types.float32)


@intrinsic
def gradient_from_two(
    typingctx: Any, g: Any, b: Any, count: Any, h: Any, c: Any, h_count: Any, dim: Any, row: Any, decay: Any, out: Any
) -> Any:
    """Do as :func:`gradient_of` for two sources, ``g`` with rows ``b`` and ``h`` with rows ``c``, both of item step 1."""
    del g, b, count, h, c, h_count, dim, row, decay, out

    def body(
        emit: Emitter,
        g: Any,
        b: Any,
        count: Any,
        h: Any,
        c: Any,
        h_count: Any,
        dim: Any,
        row: Any,
        decay: Any,
        out: Any,
    ) -> ir.Value:
        sources = [_Source(g, I64(0), I64(1), b, count), _Source(h, I64(0), I64(1), c, h_count)]
        return _gradient(emit, sources, dim, row, decay, out)

    return define(body, *int64s(8), types.float32, types.int64, returns=types.float32)


def _descend(
    emit: Emitter, sources: list[_Source], row: Any, decay: Any, rate: Any, longest: Any, largest: Any
) -> None:
    """Change a row of ONE_CHUNK floats by one step of SGD along the sum over all sources and ``decay * row``."""
    builder, dim, num_vector = emit.builder, I64(ONE_CHUNK), ONE_CHUNK // LANES
    cells = [emit.cell(constant(0.0)) for _ in range(num_vector)]
    for source in sources:
        with emit.loop(source.count, 1) as (j, _):
            scale = emit.splat(emit.load(emit.pointer(source.g, builder.mul(source.item_step, j)), F32))
            first = builder.mul(dim, j)
            for v, cell in enumerate(cells):
                y = emit.load(emit.pointer(source.b, builder.add(first, I64(v * LANES))), VECTOR)
                builder.store(emit.multiply_add(scale, y, builder.load(cell)), cell)
    factor = emit.splat(decay)
    old = [emit.load(emit.pointer(row, I64(v * LANES))) for v in range(num_vector)]
    gradient = [emit.multiply_add(factor, p, builder.load(cell)) for p, cell in zip(old, cells, strict=True)]
    squares = [builder.fmul(gradient[0], gradient[0]), builder.fmul(gradient[1], gradient[1])]
    for v in range(2, num_vector):
        squares[v % 2] = emit.multiply_add(gradient[v], gradient[v], squares[v % 2])
    square = emit.sum(builder.fadd(*squares))
    step = emit.cell(rate)
    with builder.if_then(builder.fcmp_ordered(">", square, longest), likely=False):
        kind = ir.FunctionType(F32, [F32])
        root = builder.call(builder.module.declare_intrinsic("llvm.sqrt.f32", (), kind), [square])
        builder.store(builder.fdiv(largest, root), step)
    move = emit.splat(builder.fneg(builder.load(step)))
    for v, (p, g) in enumerate(zip(old, gradient, strict=True)):
        emit.store(emit.multiply_add(move, g, p), emit.pointer(row, I64(v * LANES)))


@intrinsic
def descend(
    typingctx: Any,
    g: Any,
    item_step: Any,
    b: Any,
    count: Any,
    row: Any,
    decay: Any,
    rate: Any,
    longest: Any,
    largest: Any,
) -> Any:
    """Do as :func:`gradient_of`, and a step of SGD, for rows of ONE_CHUNK floats: ``row -= rate * gradient``.

    Where the squared length of the gradient is above `longest`, the step is `largest` long. The last four arguments are float32.
    """
    del g, item_step, b, count, row, decay, rate, longest, largest

    def body(
        emit: Emitter,
        g: Any,
        item_step: Any,
        b: Any,
        count: Any,
        row: Any,
        decay: Any,
        rate: Any,
        longest: Any,
        largest: Any,
    ) -> None:
        _descend(emit, [_Source(g, I64(0), item_step, b, count)], row, decay, rate, longest, largest)

    return define(body, *int64s(5), *[types.float32] * 4)


@intrinsic
def descend_from_two(
    typingctx: Any, g: Any, b: Any, count: Any, h: Any, c: Any, h_count: Any,
    row: Any, decay: Any, rate: Any, longest: Any, largest: Any,
) -> Any:  # fmt: skip
    """Do as :func:`descend` for two sources, ``g`` with rows ``b`` and ``h`` with rows ``c``, both of item step 1."""
    del g, b, count, h, c, h_count, row, decay, rate, longest, largest

    def body(
        emit: Emitter, g: Any, b: Any, count: Any, h: Any, c: Any, h_count: Any,
        row: Any, decay: Any, rate: Any, longest: Any, largest: Any,
    ) -> None:  # fmt: skip
        sources = [_Source(g, I64(0), I64(1), b, count), _Source(h, I64(0), I64(1), c, h_count)]
        _descend(emit, sources, row, decay, rate, longest, largest)

    return define(body, *int64s(7), *[types.float32] * 4)
