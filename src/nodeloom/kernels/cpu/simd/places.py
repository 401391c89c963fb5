"""Places of a walk as bits: which hold a node of a range, how many do before another, and where they are."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import I32, I64, LANES, VECTOR_I32, VECTOR_I64, Emitter, define, int64s

WORD = 64
"""Places of a word of bits."""

_I1 = ir.IntType(1)


@intrinsic
def mark_range(typingctx: Any, ids: Any, count: Any, first: Any, number: Any, words: Any) -> Any:
    """Set bit p of `words` where ``first <= ids[p] < first + number``, for p < count, and clear the others; return how many are set.

    `ids` (int64 array) and `words` (uint64 array) are addresses; all arguments are int64. Whole words are set: up to the next multiple
    of WORD ids are read, which should be below `first`.
    """
    del ids, count, first, number, words

    def body(emit: Emitter, ids: Any, count: Any, first: Any, number: Any, words: Any) -> ir.Value:
        builder = emit.builder
        source = builder.inttoptr(ids, I64.as_pointer())
        target = builder.inttoptr(words, I64.as_pointer())
        lowest, width = emit.splat(first), emit.splat(number)
        total = emit.cell(I64(0))
        with emit.loop(count, WORD) as (p, _):
            word: ir.Value = I64(0)
            for at in range(0, WORD, LANES):
                found = emit.load(builder.gep(source, [builder.add(p, I64(at))]), VECTOR_I64)
                inside = builder.icmp_unsigned("<", builder.sub(found, lowest), width)
                bits = builder.zext(builder.bitcast(inside, ir.IntType(LANES)), I64)
                word = builder.or_(word, builder.shl(bits, I64(at)))
            builder.store(word, builder.gep(target, [builder.sdiv(p, I64(WORD))]))
            builder.store(builder.add(builder.load(total), builder.ctpop(word)), total)
        return builder.load(total)

    return define(body, *int64s(5), returns=types.int64)


@intrinsic
def count_bits(typingctx: Any, word: Any) -> Any:
    """Return how many bits of a uint64 are set."""
    del word
    return define(lambda emit, word: emit.builder.ctpop(word), types.uint64, returns=types.int64)


@intrinsic
def lowest_bit(typingctx: Any, word: Any) -> Any:
    """Return the number of the lowest bit that is set in a uint64, which is not 0."""
    del word
    return define(lambda emit, word: emit.builder.cttz(word, _I1(1)), types.uint64, returns=types.int64)


@intrinsic
def count_equal(typingctx: Any, ids: Any, count: Any, node: Any) -> Any:
    """Return how many of ``ids[p]``, p < count, are `node`; `ids` (int64 array) is an address, and all arguments are int64.

    Up to LANES - 1 ids behind `count` are read.
    """
    del ids, count, node

    def body(emit: Emitter, ids: Any, count: Any, node: Any) -> ir.Value:
        builder = emit.builder
        source = builder.inttoptr(ids, I64.as_pointer())
        lanes = ir.Constant(VECTOR_I32, list(range(LANES)))
        total = emit.cell(I64(0))
        with emit.loop(count) as (p, _):
            is_equal = builder.icmp_signed("==", emit.load(builder.gep(source, [p]), VECTOR_I64), emit.splat(node))
            left = emit.splat(builder.trunc(builder.sub(count, p), I32))
            inside = builder.icmp_signed("<", lanes, left)
            bits = builder.bitcast(builder.and_(is_equal, inside), ir.IntType(LANES))
            number = builder.ctpop(builder.zext(bits, I64))
            builder.store(builder.add(builder.load(total), number), total)
        return builder.load(total)

    return define(body, *int64s(3), returns=types.int64)
