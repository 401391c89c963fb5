"""First values of tables; :mod:`nodeloom.kernels.reference.initial` is the definition."""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import jit, key_bits, on_device_of, tl, triton
from nodeloom.kernels.gpu.rng import draw, item_key, unit


@jit(varying=("stream", "first_row", "num_row"))
def _uniform_rows(
    stream: tl.int64, first_row: tl.int64, dim, scale, out, num_row: tl.int64, row, row_stride, D: tl.constexpr, R: tl.constexpr
):  # fmt: skip
    rows = tl.program_id(0).to(tl.int64) * R + tl.arange(0, R)
    columns = tl.program_id(1) * D + tl.arange(0, D)
    key = item_key(tl.cast(stream, tl.uint64), first_row + rows)
    value = (unit(draw(key[:, None], columns[None, :])) * 2.0 - 1.0) * scale
    value = tl.where((columns < dim)[None, :], value, 0.0)
    if out.dtype.element_ty == tl.bfloat16:
        # To the nearest, as a conversion does on a GPU; the interpreter's drops the lower half of the bits.
        bits = value.to(tl.int32, bitcast=True)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & -0x10000
        value = bits.to(tl.float32, bitcast=True)
    mask = (rows < num_row)[:, None] & (columns < row)[None, :]
    tl.store(out + rows[:, None] * row_stride + columns[None, :], value.to(out.dtype.element_ty), mask=mask)


def uniform_rows(stream, first_row, dim, scale, out):
    """Fill ``out[:, :dim]`` with uniform numbers in [-scale, scale) and the rest of the columns with 0.

    Parameters
    ----------
    stream : int
        Key of the random stream, a uint64; row r of `out` is item ``first_row + r``, column d its draw d.
    first_row : int
        Number of the first row.
    dim : int
        Columns to fill.
    scale : float
        Half the width of the range.
    out : float32 or bfloat16 [R, D], rows of any stride
        Written; a bf16 table gets the values rounded to nearest.
    """
    num_row, row = out.shape
    if out.numel() == 0:
        return
    width = min(128, triton.next_power_of_2(row))
    height = 1024 // width
    with on_device_of(out):
        _uniform_rows[(triton.cdiv(num_row, height), triton.cdiv(row, width))](
            key_bits(stream), first_row, dim, float(scale), out, num_row, row, out.stride(0), D=width, R=height, num_warps=4, num_stages=1
        )  # fmt: skip
