"""Register-blocked products of a few rows: scores, and sums of weighted rows."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import F32, I64, LANES, REGISTERS, VECTOR, Emitter, constant, define, int64s


@intrinsic
def dot_block(typingctx: Any, a: Any, lda: Any, b: Any, ldb: Any, dim: Any, out: Any, ldo: Any) -> Any:
    """Set ``out[r * ldo + c] = sum_d a[r * lda + d] * b[c * ldb + d]`` for r, c in 0..3.

    All arguments are int64: addresses `a`, `b`, `out`; row strides in floats; `dim` a multiple of ROW_ALIGNMENT.
    """
    del a, lda, b, ldb, dim, out, ldo

    def body(emit: Emitter, a: Any, lda: Any, b: Any, ldb: Any, dim: Any, out: Any, ldo: Any) -> None:
        builder = emit.builder
        rows_at_once = 4 if REGISTERS >= 32 else 2
        sums: list[ir.Value] = []
        for first in range(0, 4, rows_at_once):
            rows = range(first, first + rows_at_once)
            cells = {(r, c): emit.cell(constant(0.0)) for r in rows for c in range(4)}
            with emit.loop(dim) as (d, _):
                x = {r: emit.load(emit.pointer(a, builder.add(builder.mul(lda, I64(r)), d))) for r in rows}
                for c in range(4):
                    y = emit.load(emit.pointer(b, builder.add(builder.mul(ldb, I64(c)), d)))
                    for r in rows:
                        builder.store(emit.multiply_add(x[r], y, builder.load(cells[r, c])), cells[r, c])
            values = [builder.load(cells[r, c]) for r in rows for c in range(4)]
            sums += [emit.sums(values[i : i + LANES]) for i in range(0, len(values), LANES)]
        per_vector = LANES // 4
        for r in range(4):
            packed, lane = sums[r // per_vector], 4 * (r % per_vector)
            row = packed if LANES == 4 else emit.shuffle(packed, packed, list(range(lane, lane + 4)))
            emit.store(row, emit.pointer(out, builder.mul(ldo, I64(r))))

    return define(body, *int64s(7))


@intrinsic
def accumulate_rows(
    typingctx: Any, g: Any, row_step: Any, item_step: Any, b: Any, ldb: Any, count: Any, dim: Any, out: Any, add: Any
) -> Any:
    """Set ``out[r * dim + d] = sum_j g[r * row_step + j * item_step] * b[j * ldb + d]`` for r in 0..1 and j < count.

    All arguments are int64: addresses `g`, `b`, `out`; steps and strides in floats; `dim` a multiple of ROW_ALIGNMENT. With
    `add` not 0 the sum is added to what `out` holds.
    """
    del g, row_step, item_step, b, ldb, count, dim, out, add

    def body(
        emit: Emitter, g: Any, row_step: Any, item_step: Any, b: Any, ldb: Any, count: Any, dim: Any, out: Any, add: Any
    ) -> None:
        builder = emit.builder
        begin: ir.Value = I64(0)
        adds = builder.icmp_signed("!=", add, I64(0))
        num_vector = 8 if REGISTERS >= 32 else 4
        while num_vector:
            width = num_vector * LANES
            # The columns that whole chunks of this width cover; what is left goes to the next narrower chunk.
            chunks = builder.sdiv(builder.sub(dim, begin), I64(width))
            end = builder.add(begin, builder.mul(chunks, I64(width)))
            with emit.loop(end, width, begin) as (d, _):
                places = [
                    emit.pointer(out, builder.add(builder.add(builder.mul(dim, I64(r)), d), I64(v * LANES)))
                    for r in range(2)
                    for v in range(num_vector)
                ]
                cells = [emit.cell(constant(0.0)) for _ in places]
                with builder.if_then(adds):
                    for place, cell in zip(places, cells, strict=True):
                        builder.store(emit.load(place), cell)
                with emit.loop(count, 1) as (j, _):
                    scales = []
                    for r in range(2):
                        at = builder.add(builder.mul(row_step, I64(r)), builder.mul(item_step, j))
                        scales.append(emit.splat(emit.load(emit.pointer(g, at), F32)))
                    row = builder.add(builder.mul(ldb, j), d)
                    for v in range(num_vector):
                        y = emit.load(emit.pointer(b, builder.add(row, I64(v * LANES))), VECTOR)
                        for r in range(2):
                            cell = cells[r * num_vector + v]
                            builder.store(emit.multiply_add(scales[r], y, builder.load(cell)), cell)
                for place, cell in zip(places, cells, strict=True):
                    emit.store(builder.load(cell), place)
            begin = end
            num_vector //= 2

    return define(body, *int64s(9))
