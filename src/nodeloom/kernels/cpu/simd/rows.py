"""Whole rows: copies, clearing, fetching ahead, and the steps of the optimizers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import F32, I32, I64, VECTOR, Emitter, constant, define, int64s


@intrinsic
def copy_row(typingctx: Any, target: Any, source: Any, dim: Any) -> Any:
    """Copy `dim` floats (a multiple of ROW_ALIGNMENT) between two addresses."""
    del target, source, dim

    def body(emit: Emitter, target: Any, source: Any, dim: Any) -> None:
        with emit.loop(dim) as (d, _):
            emit.store(emit.load(emit.pointer(source, d)), emit.pointer(target, d))

    return define(body, *int64s(3))


@intrinsic
def clear_row(typingctx: Any, target: Any, dim: Any) -> Any:
    """Set `dim` floats (a multiple of ROW_ALIGNMENT) at an address to 0."""
    del target, dim

    def body(emit: Emitter, target: Any, dim: Any) -> None:
        with emit.loop(dim) as (d, _):
            emit.store(constant(0.0), emit.pointer(target, d))

    return define(body, *int64s(2))


@intrinsic
def prefetch(typingctx: Any, address: Any) -> Any:
    """Ask for the cache line at `address` (int64) to be brought near."""
    del address

    def body(emit: Emitter, address: Any) -> None:
        pointer = emit.pointer(address)  # the type that prefetch_row uses: a module can declare the function once
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, I32, I32, I32])
        emit.builder.call(
            emit.builder.module.declare_intrinsic("llvm.prefetch.p0", (), kind), [pointer, I32(0), I32(3), I32(1)]
        )

    return define(body, *int64s(1))


@intrinsic
def prefetch_row(typingctx: Any, address: Any, dim: Any) -> Any:
    """Ask for the cache lines of `dim` floats at `address` to be brought near."""
    del address, dim

    def body(emit: Emitter, address: Any, dim: Any) -> None:
        kind = ir.FunctionType(ir.VoidType(), [F32.as_pointer(), I32, I32, I32])
        function = emit.builder.module.declare_intrinsic("llvm.prefetch.p0", (), kind)
        with emit.loop(dim, 16) as (d, _):
            emit.builder.call(function, [emit.pointer(address, d), I32(0), I32(3), I32(1)])

    return define(body, *int64s(2))


@intrinsic
def multiply_high(typingctx: Any, a: Any, b: Any) -> Any:
    """Return the upper 64 bits of the product of two uint64."""
    del a, b

    def body(emit: Emitter, a: Any, b: Any) -> ir.Value:
        builder, wide = emit.builder, ir.IntType(128)
        product = builder.mul(builder.zext(a, wide), builder.zext(b, wide))
        return builder.trunc(builder.lshr(product, wide(64)), I64)

    return define(body, types.uint64, types.uint64, returns=types.uint64)


_FLOAT = types.float32


def _gradient(emit: Emitter, p: ir.Value, gradient: Any, d: Any, decay: Any) -> ir.Value:
    return emit.multiply_add(emit.splat(decay), p, emit.load(emit.pointer(gradient, d)))


@intrinsic
def squared_length(typingctx: Any, row: Any, gradient: Any, dim: Any, decay: Any) -> Any:
    """Return the squared length of ``gradient + decay * row``; addresses and `dim` int64, `decay` float32."""
    del row, gradient, dim, decay

    def body(emit: Emitter, row: Any, gradient: Any, dim: Any, decay: Any) -> ir.Value:
        total = emit.cell(constant(0.0))
        with emit.loop(dim) as (d, _):
            g = _gradient(emit, emit.load(emit.pointer(row, d)), gradient, d, decay)
            emit.builder.store(emit.multiply_add(g, g, emit.builder.load(total)), total)
        return emit.sum(emit.builder.load(total))

    return define(body, *int64s(3), _FLOAT, returns=_FLOAT)


@intrinsic
def sgd(typingctx: Any, row: Any, gradient: Any, dim: Any, decay: Any, lr: Any) -> Any:
    """Do ``p -= lr * g`` with ``g = gradient + decay * p``; addresses and `dim` int64, the rest float32."""
    del row, gradient, dim, decay, lr

    def body(emit: Emitter, row: Any, gradient: Any, dim: Any, decay: Any, lr: Any) -> None:
        step = emit.builder.fneg(lr)
        with emit.loop(dim) as (d, _):
            p = emit.load(emit.pointer(row, d))
            emit.store(
                emit.multiply_add(emit.splat(step), _gradient(emit, p, gradient, d, decay), p), emit.pointer(row, d)
            )

    return define(body, *int64s(3), _FLOAT, _FLOAT)


@intrinsic
def momentum(typingctx: Any, row: Any, moment: Any, gradient: Any, dim: Any, decay: Any, lr: Any, mu: Any) -> Any:
    """Do ``m = mu * m + (1 - mu) * g; p -= lr * m``."""
    del row, moment, gradient, dim, decay, lr, mu

    def body(emit: Emitter, row: Any, moment: Any, gradient: Any, dim: Any, decay: Any, lr: Any, mu: Any) -> None:
        builder = emit.builder
        step, rest = builder.fneg(lr), builder.fsub(F32(1.0), mu)
        with emit.loop(dim) as (d, _):
            p, at = emit.load(emit.pointer(row, d)), emit.pointer(moment, d)
            g = _gradient(emit, p, gradient, d, decay)
            m = emit.multiply_add(emit.splat(mu), emit.load(at), builder.fmul(emit.splat(rest), g))
            emit.store(m, at)
            emit.store(emit.multiply_add(emit.splat(step), m, p), emit.pointer(row, d))

    return define(body, *int64s(4), _FLOAT, _FLOAT, _FLOAT)


@intrinsic
def adagrad(typingctx: Any, row: Any, moment: Any, gradient: Any, dim: Any, decay: Any, lr: Any, epsilon: Any) -> Any:
    """Do ``m += g * g; p -= lr * g / (sqrt(m) + epsilon)``."""
    del row, moment, gradient, dim, decay, lr, epsilon

    def body(emit: Emitter, row: Any, moment: Any, gradient: Any, dim: Any, decay: Any, lr: Any, epsilon: Any) -> None:
        builder = emit.builder
        step = builder.fneg(lr)
        with emit.loop(dim) as (d, _):
            p, at = emit.load(emit.pointer(row, d)), emit.pointer(moment, d)
            g = _gradient(emit, p, gradient, d, decay)
            m = emit.multiply_add(g, g, emit.load(at))
            emit.store(m, at)
            scaled = builder.fdiv(g, builder.fadd(emit.call("llvm.sqrt", m), emit.splat(epsilon)))
            emit.store(emit.multiply_add(emit.splat(step), scaled, p), emit.pointer(row, d))

    return define(body, *int64s(4), _FLOAT, _FLOAT, _FLOAT)


@intrinsic
def rmsprop(
    typingctx: Any, row: Any, moment: Any, gradient: Any, dim: Any, decay: Any, lr: Any, alpha: Any, epsilon: Any
) -> Any:
    """Do ``m = alpha * m + (1 - alpha) * g * g; p -= lr * g / sqrt(m + epsilon)``."""
    del row, moment, gradient, dim, decay, lr, alpha, epsilon

    def body(
        emit: Emitter, row: Any, moment: Any, gradient: Any, dim: Any, decay: Any, lr: Any, alpha: Any, epsilon: Any
    ) -> None:
        builder = emit.builder
        step, rest = builder.fneg(lr), builder.fsub(F32(1.0), alpha)
        with emit.loop(dim) as (d, _):
            p, at = emit.load(emit.pointer(row, d)), emit.pointer(moment, d)
            g = _gradient(emit, p, gradient, d, decay)
            square = builder.fmul(g, builder.fmul(g, emit.splat(rest)))
            m = emit.multiply_add(emit.splat(alpha), emit.load(at), square)
            emit.store(m, at)
            scaled = builder.fdiv(g, emit.call("llvm.sqrt", builder.fadd(m, emit.splat(epsilon))))
            emit.store(emit.multiply_add(emit.splat(step), scaled, p), emit.pointer(row, d))

    return define(body, *int64s(4), *[_FLOAT] * 4)


@intrinsic
def adam(
    typingctx: Any, row: Any, moment1: Any, moment2: Any, gradient: Any, dim: Any,
    decay: Any, lr: Any, beta1: Any, beta2: Any, epsilon: Any,
) -> Any:  # fmt: skip
    """Do ``m = beta1 * m + (1 - beta1) * g; v = beta2 * v + (1 - beta2) * g * g; p -= lr * m / (sqrt(v) + epsilon)``."""
    del row, moment1, moment2, gradient, dim, decay, lr, beta1, beta2, epsilon

    def body(
        emit: Emitter, row: Any, moment1: Any, moment2: Any, gradient: Any, dim: Any,
        decay: Any, lr: Any, beta1: Any, beta2: Any, epsilon: Any,
    ) -> None:  # fmt: skip
        builder = emit.builder
        step, rest1, rest2 = builder.fneg(lr), builder.fsub(F32(1.0), beta1), builder.fsub(F32(1.0), beta2)
        with emit.loop(dim) as (d, _):
            p = emit.load(emit.pointer(row, d))
            at1, at2 = emit.pointer(moment1, d), emit.pointer(moment2, d)
            g = _gradient(emit, p, gradient, d, decay)
            m = emit.multiply_add(emit.splat(beta1), emit.load(at1, VECTOR), builder.fmul(emit.splat(rest1), g))
            square = builder.fmul(g, builder.fmul(g, emit.splat(rest2)))
            v = emit.multiply_add(emit.splat(beta2), emit.load(at2, VECTOR), square)
            emit.store(m, at1)
            emit.store(v, at2)
            scaled = builder.fdiv(m, builder.fadd(emit.call("llvm.sqrt", v), emit.splat(epsilon)))
            emit.store(emit.multiply_add(emit.splat(step), scaled, p), emit.pointer(row, d))

    return define(body, *int64s(5), *[_FLOAT] * 5)
