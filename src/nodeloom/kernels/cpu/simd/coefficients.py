"""Element-wise steps between scores and gradients: the weights of pairs, the logistic function, the derivatives of the loss."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import (
    F32,
    I32,
    I64,
    LANES,
    VECTOR_I32,
    VECTOR_I64,
    Emitter,
    constant,
    define,
    int64s,
    integers,
)

# exp(f) = 1 + f + f^2 p(f) for |f| <= ln(2) / 2, Cephes' expf: relative error below 2e-7.
_EXP = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)
_LOG2_E = 1.44269504088896341
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.12194440e-4
_LIMIT = 80.0


@intrinsic
def sigmoid(typingctx: Any, address: Any, count: Any) -> Any:
    """Replace ``x[0:count]`` by ``1 / (1 + exp(-x))``; `address` and `count` (a multiple of ROW_ALIGNMENT) are int64.

    Scores beyond ±80 count as ±80; NaN stays NaN.
    """
    del address, count

    def body(emit: Emitter, address: Any, count: Any) -> None:
        builder = emit.builder
        with emit.loop(count) as (i, _):
            pointer = emit.pointer(address, i)
            x = emit.load(pointer)
            # Ordered comparisons are false for NaN, which therefore passes through.
            x = builder.select(builder.fcmp_ordered(">", x, constant(_LIMIT)), constant(_LIMIT), x)
            x = builder.select(builder.fcmp_ordered("<", x, constant(-_LIMIT)), constant(-_LIMIT), x)
            n = emit.call("llvm.rint", builder.fmul(x, constant(-_LOG2_E)))
            f = emit.multiply_add(n, constant(-_LN2_HIGH), builder.fneg(x))
            f = emit.multiply_add(n, constant(-_LN2_LOW), f)
            p = constant(_EXP[0])
            for coefficient in _EXP[1:]:
                p = emit.multiply_add(p, f, constant(coefficient))
            p = emit.multiply_add(builder.fmul(p, f), f, builder.fadd(f, constant(1.0)))
            power = builder.shl(builder.add(builder.fptosi(n, VECTOR_I32), integers(127)), integers(23))
            e = builder.fmul(p, builder.bitcast(power, p.type))
            emit.store(builder.fdiv(constant(1.0), builder.fadd(e, constant(1.0))), pointer)

    return define(body, *int64s(2))


@intrinsic
def pair_weights(typingctx: Any, ids: Any, node: Any, out: Any, count: Any) -> Any:
    """Set ``out[t] = 1`` where ``ids[t] >= 0`` and ``ids[t] != node``, else 0, for t < count; return how many those are.

    `ids` (int64 array) and `out` (float32) are addresses, `node` and `count` int64. Up to LANES - 1 places behind `count` are read and
    their `out` set to 0.
    """
    del ids, node, out, count

    def body(emit: Emitter, ids: Any, node: Any, out: Any, count: Any) -> ir.Value:
        builder = emit.builder
        number = emit.cell(integers(0))
        base = builder.inttoptr(ids, I64.as_pointer())
        lanes = ir.Constant(VECTOR_I64, list(range(LANES)))
        with emit.loop(count) as (t, _):
            other = emit.load(builder.gep(base, [t]), VECTOR_I64)
            is_pair = builder.and_(
                builder.icmp_signed(">=", other, ir.Constant(VECTOR_I64, [0] * LANES)),
                builder.icmp_signed("!=", other, emit.splat(node)),
            )
            inside = builder.icmp_signed("<", builder.add(lanes, emit.splat(t)), emit.splat(count))
            is_pair = builder.and_(is_pair, inside)
            emit.store(builder.select(is_pair, constant(1.0), constant(0.0)), emit.pointer(out, t))
            builder.store(builder.add(builder.load(number), builder.zext(is_pair, VECTOR_I32)), number)
        reduce = builder.module.declare_intrinsic(
            f"llvm.vector.reduce.add.v{LANES}i32", (), ir.FunctionType(I32, [VECTOR_I32])
        )
        return builder.zext(builder.call(reduce, [builder.load(number)]), I64)

    return define(body, *int64s(4), returns=types.int64)


@intrinsic
def positive_coefficients(typingctx: Any, scores: Any, weights: Any, out: Any, count: Any) -> Any:
    """Set ``out[t] = weights[t] * (scores[t] - 1)``: the derivative of -log s at a score s already passed through the sigmoid.

    Addresses and `count` are int64; up to LANES - 1 places behind `count` are computed too.
    """
    del scores, weights, out, count

    def body(emit: Emitter, scores: Any, weights: Any, out: Any, count: Any) -> None:
        builder = emit.builder
        with emit.loop(count) as (t, _):
            difference = builder.fsub(emit.load(emit.pointer(scores, t)), constant(1.0))
            emit.store(builder.fmul(emit.load(emit.pointer(weights, t)), difference), emit.pointer(out, t))

    return define(body, *int64s(4))


@intrinsic
def pair_coefficients(typingctx: Any, scores: Any, ids: Any, node: Any, out: Any, tally: Any, count: Any) -> Any:
    """Set ``out[t] = scores[t] - 1`` where ``ids[t] != node``, else 0, and add 1 to ``tally[t]`` there; return how many those are.

    `scores`, `ids` (int64 array), `out` and `tally` (float32) are addresses, `node` and `count` int64. Up to LANES - 1 places behind
    `count` are read, and their `out` is set to 0.
    """
    del scores, ids, node, out, tally, count

    def body(emit: Emitter, scores: Any, ids: Any, node: Any, out: Any, tally: Any, count: Any) -> ir.Value:
        builder = emit.builder
        base = builder.inttoptr(ids, I64.as_pointer())
        lanes = ir.Constant(VECTOR_I32, list(range(LANES)))
        total = emit.cell(I64(0))
        with emit.loop(count) as (t, _):
            is_other = builder.icmp_signed("!=", emit.load(builder.gep(base, [t]), VECTOR_I64), emit.splat(node))
            left = emit.splat(builder.trunc(builder.sub(count, t), I32))
            is_pair = builder.and_(is_other, builder.icmp_signed("<", lanes, left))
            difference = builder.fsub(emit.load(emit.pointer(scores, t)), constant(1.0))
            emit.store(builder.select(is_pair, difference, constant(0.0)), emit.pointer(out, t))
            at = emit.pointer(tally, t)
            emit.store(builder.fadd(emit.load(at), builder.select(is_pair, constant(1.0), constant(0.0))), at)
            number = builder.ctpop(builder.zext(builder.bitcast(is_pair, ir.IntType(LANES)), I64))
            builder.store(builder.add(builder.load(total), number), total)
        return builder.load(total)

    return define(body, *int64s(6), returns=types.int64)


@intrinsic
def negative_coefficients(typingctx: Any, scores: Any, ids: Any, node: Any, weight: Any, out: Any, count: Any) -> Any:
    """Set ``out[k] = weight * scores[k]`` where ``ids[k] != node``, else 0: the derivative of -log(1 - s).

    `scores`, `out` and `ids` (int64 array) are addresses, `node` and `count` int64, `weight` float32. Up to LANES - 1 places behind
    `count` are computed too.
    """
    del scores, ids, node, weight, out, count

    def body(emit: Emitter, scores: Any, ids: Any, node: Any, weight: Any, out: Any, count: Any) -> None:
        builder = emit.builder
        base = builder.inttoptr(ids, I64.as_pointer())
        with emit.loop(count) as (k, _):
            is_other = builder.icmp_signed("!=", emit.load(builder.gep(base, [k]), VECTOR_I64), emit.splat(node))
            product = builder.fmul(emit.splat(weight), emit.load(emit.pointer(scores, k)))
            emit.store(builder.select(is_other, product, constant(0.0)), emit.pointer(out, k))

    return define(body, *int64s(3), types.float32, *int64s(2))


__all__ = ["F32", "negative_coefficients", "pair_coefficients", "pair_weights", "positive_coefficients", "sigmoid"]
