"""Scores of pairs of nodes; :mod:`nodeloom.kernels.reference.scoring` is the definition."""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl

_PAIRS = 32  # of a program
_COLUMNS = 64  # of rows, looked at at a time


@jit(varying=("count",))
def _score_pairs(
    vertex, context, heads, tails, out, count: tl.int64, vertex_stride, context_stride,
    DIM: tl.constexpr, P: tl.constexpr, C: tl.constexpr,
):  # fmt: skip
    pair = tl.program_id(0).to(tl.int64) * P + tl.arange(0, P)
    live = pair < count
    head = tl.load(heads + pair, mask=live, other=0).to(tl.int64) * vertex_stride
    tail = tl.load(tails + pair, mask=live, other=0).to(tl.int64) * context_stride
    score = tl.zeros([P], tl.float32)
    for begin in range(0, DIM, C):
        column = begin + tl.arange(0, C)
        mask = live[:, None] & (column < DIM)[None, :]
        x = tl.load(vertex + head[:, None] + column[None, :], mask=mask, other=0.0).to(tl.float32)
        y = tl.load(context + tail[:, None] + column[None, :], mask=mask, other=0.0).to(tl.float32)
        score += tl.sum(x * y, 1)
    tl.store(out + pair, score, mask=live)


def score_pairs(vertex, context, heads, tails, out):
    """Fill `out` [M] with the dot products of rows of two tables.

    Parameters
    ----------
    vertex, context : float32 or bfloat16 [N, D], rows of any stride
        The tables; they may be the same.
    heads, tails : int32 or int64 [M]
        Rows of `vertex`, and the rows of `context` they are multiplied by. They are not checked.
    out : float32 [M]
        Written.
    """
    if out.numel() == 0:
        return
    with on_device_of(out):
        _score_pairs[(ceil_div(out.numel(), _PAIRS),)](
            vertex, context, heads, tails, out, out.numel(), vertex.stride(0), context.stride(0),
            DIM=vertex.shape[1], P=_PAIRS, C=_COLUMNS, num_warps=4, num_stages=1,
        )  # fmt: skip
