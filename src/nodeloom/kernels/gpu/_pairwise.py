"""Distances of all pairs of two sets of rows, and their gradients, tile by tile: nothing has a value for each pair and column.

A tile of pairs stays in registers while columns, or rows, go by. Both sets are read column after column, so they come transposed for the
distances and as they are for the gradients.
"""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl

L1, L2, SQUARED, MODULUS = range(4)
CODES = {"l1": L1, "l2": L2, "squared": SQUARED, "modulus": MODULUS}

_L1, _L2, _MODULUS = tl.constexpr(L1), tl.constexpr(L2), tl.constexpr(MODULUS)
_STEEP = tl.constexpr(1e30)
_SUM, _MOST_PIECES = (
    512,
    16,
)  # rows that a program goes through at least, where they are shared out, and in how many pieces at most


@jit
def _distances(
    queries, rows, out, num_query, num_row, out_stride, DIM: tl.constexpr, MODE: tl.constexpr, Q: tl.constexpr, R: tl.constexpr
):  # fmt: skip
    """Write minus the distances [num_query, num_row]; `queries` [D, num_query] and `rows` [D, num_row] are transposed."""
    q_at = tl.program_id(0) * Q + tl.arange(0, Q)
    r_at = tl.program_id(1) * R + tl.arange(0, R)
    q_live, r_live = q_at < num_query, r_at < num_row
    total = tl.zeros([Q, R], tl.float32)
    q_here, r_here = queries + q_at, rows + r_at
    HALF: tl.constexpr = DIM // 2 if MODE == _MODULUS else DIM
    q_half, r_half = tl.cast(num_query, tl.int64) * HALF, tl.cast(num_row, tl.int64) * HALF
    for _ in tl.range(0, HALF, loop_unroll_factor=2):
        x = tl.load(q_here, mask=q_live, other=0.0)[:, None] - tl.load(r_here, mask=r_live, other=0.0)[None, :]
        if MODE == _L1:
            total += tl.abs(x)
        elif MODE == _MODULUS:
            y = (
                tl.load(q_here + q_half, mask=q_live, other=0.0)[:, None]
                - tl.load(r_here + r_half, mask=r_live, other=0.0)[None, :]
            )
            total += tl.sqrt(x * x + y * y)
        else:
            total += x * x
        q_here += num_query
        r_here += num_row
    if MODE == _L2:
        total = tl.sqrt(total)
    at = q_at.to(tl.int64)[:, None] * out_stride + r_at[None, :]
    tl.store(out + at, -total, mask=q_live[:, None] & r_live[None, :])


@jit
def _slopes(
    queries, rows, d_scores, out, num_query, num_row, span, DIM: tl.constexpr, MODE: tl.constexpr, Q: tl.constexpr, C: tl.constexpr
):  # fmt: skip
    """Write the gradients of queries, from rows ``span * piece ...``; `d_scores` [num_row, num_query] are transposed.

    Of L1 distances and of moduli; what a query and a row have in common has the slope 0.
    """
    HALF: tl.constexpr = DIM // 2 if MODE == _MODULUS else DIM
    query = tl.program_id(0) * Q + tl.arange(0, Q)
    column = tl.program_id(1) * C + tl.arange(0, C)
    piece = tl.program_id(2)
    q_live, c_live = query < num_query, column < HALF
    at = query.to(tl.int64)[:, None] * DIM + column[None, :]
    mask = q_live[:, None] & c_live[None, :]
    q = tl.load(queries + at, mask=mask, other=0.0)
    total = tl.zeros([Q, C], tl.float32)
    if MODE == _MODULUS:
        q_other = tl.load(queries + at + HALF, mask=mask, other=0.0)
        total_other = tl.zeros([Q, C], tl.float32)
    first = piece * span
    r_here = rows + tl.cast(first, tl.int64) * DIM + column
    g_here = d_scores + tl.cast(first, tl.int64) * num_query + query
    for _ in tl.range(first, tl.minimum(first + span, num_row), loop_unroll_factor=2):
        g = tl.load(g_here, mask=q_live, other=0.0)[:, None]
        r = tl.load(r_here, mask=c_live, other=0.0)[None, :]
        if MODE == _L1:
            total -= g * tl.minimum(tl.maximum((q - r) * _STEEP, -1.0), 1.0)  # a sign, of 0 too, without comparisons
        else:
            x = q - r
            y = q_other - tl.load(r_here + HALF, mask=c_live, other=0.0)[None, :]
            square = x * x + y * y
            scale = g * tl.rsqrt(tl.maximum(square, 1e-37))  # times a difference of 0 it is 0
            total -= scale * x
            total_other -= scale * y
        r_here += DIM
        g_here += num_query
    out += piece.to(tl.int64) * num_query * DIM
    tl.store(out + at, total, mask=mask)
    if MODE == _MODULUS:
        tl.store(out + at + HALF, total_other, mask=mask)


def scores(mode: int, queries: torch.Tensor, rows: torch.Tensor, out: torch.Tensor) -> None:
    """Fill `out` [B, K] with minus the distances of queries [B, D] and rows [K, D]; float32, `out` with rows of any stride.

    For moduli D is even, and the second half of a row has the imaginary parts.
    """
    (num_query, dim), num_row = queries.shape, len(rows)
    if out.numel() == 0:
        return
    Q, R = 16, 256  # a thread has 16 queries and 4 rows: what it loads for them takes less time than the differences
    with on_device_of(out):
        _distances[(ceil_div(num_query, Q), ceil_div(num_row, R))](
            queries.t().contiguous(), rows.t().contiguous(), out, num_query, num_row, out.stride(0),
            DIM=dim, MODE=mode, Q=Q, R=R, num_warps=2,
        )  # fmt: skip


def query_gradients(
    mode: int, queries: torch.Tensor, rows: torch.Tensor, values: torch.Tensor, d_scores: torch.Tensor
) -> torch.Tensor:
    """Return the gradients of the queries [B, D], given the scores [B, K] and their gradients; all float32.

    Parameters
    ----------
    mode : int
        L1, L2, SQUARED or MODULUS.
    queries, rows : float32 [B, D], float32 [K, D]
        Contiguous.
    values, d_scores : float32 [B, K]
        What :func:`scores` gave (read for L2 only), and the gradients.
    """
    (num_query, dim), num_row = queries.shape, len(rows)
    if mode in (L2, SQUARED):  # d = sum (q - r)^2: slopes are (q - r) times a number for each pair, which are products
        weight = 2.0 * d_scores if mode == SQUARED else torch.where(values < 0.0, d_scores / -values, 0.0)
        return torch.addmm(weight.sum(1, keepdim=True) * queries, weight, rows, beta=-1.0)
    Q, C = (32, 64) if mode == MODULUS else (32, 128)
    tiles = ceil_div(num_query, Q) * ceil_div(dim // (2 if mode == MODULUS else 1), C)
    pieces = min(_MOST_PIECES, max(1, num_row // _SUM), max(1, 1024 // tiles))
    span = ceil_div(num_row, pieces)
    out = torch.empty(pieces, num_query, dim, device=queries.device)
    if num_row == 0:
        return torch.zeros_like(queries)
    with on_device_of(out):
        _slopes[(ceil_div(num_query, Q), ceil_div(dim // (2 if mode == MODULUS else 1), C), pieces)](
            queries, rows, d_scores.t().contiguous(), out, num_query, num_row, span, DIM=dim, MODE=mode, Q=Q, C=C, num_warps=4
        )  # fmt: skip
    return out[0] if pieces == 1 else out.sum(0)
