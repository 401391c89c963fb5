"""Additions to memory that several threads add to."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from nodeloom.kernels.cpu.simd.ir import I32, I64, Emitter, define


@intrinsic
def fetch_add(typingctx: Any, address: Any, value: Any) -> Any:
    """Add `value` (int32 or int64) to the integer of its type at `address` (int64) at once; return what was there before."""
    del address
    kind, word = (types.int32, I32) if value == types.int32 else (types.int64, I64)

    def body(emit: Emitter, address: Any, value: Any) -> ir.Value:
        pointer = emit.builder.inttoptr(address, word.as_pointer())
        return emit.builder.atomic_rmw("add", pointer, value, "monotonic")

    return define(body, types.int64, kind, returns=kind)
