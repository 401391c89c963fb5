"""Draws from alias tables; :mod:`nodeloom.kernels.reference.negatives` is the definition.

Tables are built on the CPU, once for a graph.
"""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import ceil_div, jit, key_bits, on_device_of, tl
from nodeloom.kernels.gpu.rng import below, draw, item_key, unit

_BLOCK = 256


@jit(varying=("stream", "first_item", "count", "num_entry"))
def _draw_negatives(
    prob, alias, stream: tl.int64, first_item: tl.int64, out, count: tl.int64, num_entry: tl.int64, row_stride,
    NUMBERS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    place = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = place < count
    row, column = place // NUMBERS, place % NUMBERS
    bits = draw(item_key(tl.cast(stream, tl.uint64), first_item + row), column)
    entry = below(bits, num_entry)
    kept = unit(bits) < tl.load(prob + entry, mask=live, other=1.0)
    other = tl.load(alias + entry, mask=live & (kept == 0), other=0).to(tl.int64)
    tl.store(out + row * row_stride + column, tl.where(kept, entry, other).to(out.dtype.element_ty), mask=live)


def draw_negatives(prob, alias, stream, first_item, out):
    """Fill `out` [M, K] with draws from an alias table; row m belongs to item ``first_item + m`` of the stream.

    Parameters
    ----------
    prob, alias : float32 [N], int32 or int64 [N]
        Alias table.
    stream : int
        Key of the random stream, a uint64.
    first_item : int
        Number of the first row.
    out : int32 or int64 [M, K], rows of any stride
        Written.
    """
    if out.numel() == 0:
        return
    with on_device_of(out):
        _draw_negatives[(ceil_div(out.numel(), _BLOCK),)](
            prob, alias, key_bits(stream), first_item, out, out.numel(), prob.numel(), out.stride(0),
            NUMBERS=out.shape[1], BLOCK=_BLOCK, num_warps=4, num_stages=1,
        )  # fmt: skip
