"""Pieces of LLVM IR that the intrinsics are made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba.core import cgutils, types

ROW_ALIGNMENT = 16
"""Rows of tables and buffers are a multiple of this many floats (one cache line)."""

F32 = ir.FloatType()
I32 = ir.IntType(32)
I64 = ir.IntType(64)


def _host_vectors() -> tuple[int, int]:
    """Return the number of float32 lanes of a vector register, and the number of vector registers."""
    try:
        features = dict(llvm.get_host_cpu_features())
    except RuntimeError:  # the host is unknown to LLVM: any width is correct
        return 4, 16
    if features.get("avx512f"):
        return 16, 32
    if features.get("avx"):
        return 8, 16
    return 4, 32 if features.get("neon") else 16


LANES, REGISTERS = _host_vectors()
VECTOR = ir.VectorType(F32, LANES)
VECTOR_I32 = ir.VectorType(I32, LANES)
VECTOR_I64 = ir.VectorType(I64, LANES)


class Emitter:
    """Writes vector operations into one function; wraps llvmlite's builder in the few words that the intrinsics use."""

    def __init__(self, builder: ir.IRBuilder) -> None:
        self.builder = builder

    def pointer(self, address: ir.Value, offset: ir.Value | None = None) -> ir.Value:
        """Return a float pointer to `address` (int64) plus `offset` floats."""
        pointer = self.builder.inttoptr(address, F32.as_pointer())
        return pointer if offset is None else self.builder.gep(pointer, [offset])

    def load(self, pointer: ir.Value, kind: ir.Type = VECTOR) -> ir.Value:
        """Load a vector (or any type) of unknown alignment."""
        value = self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()))
        value.align = 4
        return value

    def store(self, value: ir.Value, pointer: ir.Value) -> None:
        """Store a vector (or any value) at unknown alignment."""
        self.builder.store(value, self.builder.bitcast(pointer, value.type.as_pointer())).align = 4

    def splat(self, value: ir.Value) -> ir.Value:
        """Return a vector of LANES copies of a number."""
        kind = ir.VectorType(value.type, LANES)
        undefined = ir.Constant(kind, ir.Undefined)
        single = self.builder.insert_element(undefined, value, I32(0))
        return self.builder.shuffle_vector(single, undefined, ir.Constant(VECTOR_I32, [0] * LANES))

    def shuffle(self, a: ir.Value, b: ir.Value, lanes: list[int]) -> ir.Value:
        """Return the named lanes of the concatenation of two vectors."""
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(I32, len(lanes)), lanes))

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a * b + c, fused where the processor can."""
        return self.call("llvm.fmuladd", a, b, c)

    def call(self, name: str, *arguments: ir.Value) -> ir.Value:
        """Call an LLVM intrinsic of float vectors."""
        kind = ir.FunctionType(VECTOR, [VECTOR] * len(arguments))
        return self.builder.call(
            self.builder.module.declare_intrinsic(f"{name}.v{LANES}f32", (), kind), list(arguments)
        )

    def sum(self, vector: ir.Value) -> ir.Value:
        """Return the sum of the lanes, in an order of the compiler's choice."""
        kind = ir.FunctionType(F32, [F32, VECTOR])
        function = self.builder.module.declare_intrinsic(f"llvm.vector.reduce.fadd.v{LANES}f32", (), kind)
        return self.builder.call(function, [F32(-0.0), vector], fastmath=("reassoc",))

    def sums(self, vectors: list[ir.Value]) -> ir.Value:
        """Return the vector whose lane l is the sum of the lanes of ``vectors[l]``; there are LANES vectors.

        Each stage adds the even to the odd lanes of two neighbours, which leaves half as many vectors: LANES - 1 additions
        in all instead of log2(LANES) for each vector.
        """
        even, odd = list(range(0, 2 * LANES, 2)), list(range(1, 2 * LANES, 2))
        while len(vectors) > 1:
            vectors = [
                self.builder.fadd(self.shuffle(a, b, even), self.shuffle(a, b, odd))
                for a, b in zip(vectors[::2], vectors[1::2], strict=True)
            ]
        return vectors[0]

    def loop(self, end: ir.Value, step: int = LANES, begin: ir.Value | None = None) -> Any:
        """Return a context manager around the body of ``for i in range(begin, end, step)``; it yields (i, count)."""
        return cgutils.for_range_slice(self.builder, I64(0) if begin is None else begin, end, I64(step), I64)

    def cell(self, value: ir.Value) -> ir.Value:
        """Return a local variable holding `value`; LLVM turns it into a register."""
        variable = cgutils.alloca_once(self.builder, value.type)
        self.builder.store(value, variable)
        return variable


def constant(value: float) -> ir.Constant:
    """Return a vector of LANES equal floats."""
    return ir.Constant(VECTOR, [value] * LANES)


def integers(value: int) -> ir.Constant:
    """Return a vector of LANES equal 32-bit integers."""
    return ir.Constant(VECTOR_I32, [value] * LANES)


def define(
    body: Callable[..., ir.Value | None], *kinds: types.Type, returns: types.Type = types.void
) -> tuple[Any, Callable[..., ir.Value]]:
    """Return the (signature, code generator) pair of an intrinsic from ``body(emitter, *arguments)``."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        value = body(Emitter(builder), *arguments)
        return context.get_dummy_value() if value is None else value

    return returns(*kinds), codegen


def int64s(count: int) -> list[types.Type]:
    """Return the argument types of `count` addresses, strides or lengths."""
    return [types.int64] * count
