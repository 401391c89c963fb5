"""Rows of a table nearest to a query; :mod:`nodeloom.kernels.reference.nearest` is the definition.

Scores are products in full float32, computed in the same order for every row, so that equal rows have equal scores. A score and
the number of its row make one integer, whose order is the order of the result: the greatest integers of a block of rows are
merged with those of the blocks before it.
"""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl

_TILE = {"ROWS": 64, "QUERIES": 64, "COLUMNS": 32}
_QUERIES = 1024  # searched for at a time
_SCORES = 1 << 24  # held at a time, 8 bytes each


@jit(varying=("first_row", "num_row", "num_query"))
def _rank_rows(
    vectors, queries, left_out, out, first_row: tl.int64, num_row: tl.int64, num_query: tl.int64, row_stride, query_stride,
    DIM: tl.constexpr, COSINE: tl.constexpr, ROWS: tl.constexpr, QUERIES: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """Write the rank [num_query, num_row] of rows ``first_row ...``: the score above, the row below, greater is nearer."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    query = tl.program_id(1).to(tl.int64) * QUERIES + tl.arange(0, QUERIES)
    x_at = (first_row + row) * row_stride
    y_at = query * query_stride
    score = tl.zeros([QUERIES, ROWS], tl.float32)
    x_square = tl.zeros([ROWS], tl.float32)
    y_square = tl.zeros([QUERIES], tl.float32)
    for begin in range(0, DIM, COLUMNS):
        column = begin + tl.arange(0, COLUMNS)
        x_mask = (row < num_row)[:, None] & (column < DIM)[None, :]
        y_mask = (query < num_query)[:, None] & (column < DIM)[None, :]
        x = tl.load(vectors + x_at[:, None] + column[None, :], mask=x_mask, other=0.0).to(tl.float32)
        y = tl.load(queries + y_at[:, None] + column[None, :], mask=y_mask, other=0.0).to(tl.float32)
        score = tl.dot(y, tl.trans(x), score, input_precision="ieee")
        if COSINE:
            x_square += tl.sum(x * x, 1)
            y_square += tl.sum(y * y, 1)
    if COSINE:
        x_length = tl.sqrt_rn(x_square)
        y_length = tl.sqrt_rn(y_square)
        # A vector of zeros has the score 0 with everything.
        zeros = tl.zeros([QUERIES, ROWS], tl.float32)  # precise quotients take no shapes but their own
        score = tl.div_rn(score, zeros + tl.where(x_length == 0.0, 1.0, x_length)[None, :])
        score = tl.div_rn(score, zeros + tl.where(y_length == 0.0, 1.0, y_length)[:, None])
    score = tl.where(score == 0.0, 0.0, score)  # there are two zeros, which are equal
    score = tl.where(score != score, float("nan"), score)  # and NaN of either sign
    # The bits of floats are ordered as integers are, those of negative ones the other way round.
    bits = score.to(tl.int32, bitcast=True)
    above = (bits ^ ((bits >> 31) & 0x7FFFFFFF)).to(tl.int64)
    number = first_row + row
    rank = (above << 32) | (0xFFFFFFFF - number)[None, :]
    away = tl.load(left_out + query, mask=query < num_query, other=-1)
    rank = tl.where(away[:, None] == number[None, :], -0x8000000000000000, rank)
    mask = (query < num_query)[:, None] & (row < num_row)[None, :]
    tl.store(out + query[:, None] * num_row + row[None, :], rank, mask=mask)


def nearest_rows(vectors, queries, left_out, cosine, ids, scores, *, queries_at_once=_QUERIES, scores_at_once=_SCORES):
    """Fill `ids` and `scores` [Q, k] with the k rows of the highest score for each query, highest first.

    Of rows with equal scores the first comes first. A score that is not a number is above all others, so that it shows.

    Parameters
    ----------
    vectors : float32 or bfloat16 [N, D], rows of any stride
        The rows to search, fewer than 2^32.
    queries : float32 or bfloat16 [Q, D], rows of any stride
        The vectors to search for.
    left_out : int64 [Q]
        A row not to be found for each query; -1 for none.
    cosine : bool
        The score is the cosine, which is 0 for a vector of zeros, not the dot product.
    ids, scores : int64 [Q, k], float32 [Q, k]
        Written. k is at most N, one less where a row is left out.
    queries_at_once, scores_at_once : int
        Bounds of the memory used: 8 bytes for each score at once, and as much again to choose among them.
    """
    (num_rows, dim), (num_queries, k) = vectors.shape, ids.shape
    if num_queries == 0 or k == 0:
        return
    with on_device_of(ids):
        for first in range(0, num_queries, queries_at_once):
            points, away = queries[first : first + queries_at_once], left_out[first : first + queries_at_once]
            size = min(num_rows, max(k, scores_at_once // len(points)))
            ranks = torch.empty(len(points) * size, dtype=torch.int64, device=ids.device)
            best = None
            for begin in range(0, num_rows, size):
                count = min(size, num_rows - begin)
                block = ranks[: len(points) * count].view(len(points), count)
                _rank_rows[(ceil_div(count, _TILE["ROWS"]), ceil_div(len(points), _TILE["QUERIES"]))](
                    vectors, points, away, block, begin, count, len(points), vectors.stride(0), points.stride(0),
                    DIM=dim, COSINE=bool(cosine), **_TILE, num_warps=4, num_stages=2,
                )  # fmt: skip
                found = block.topk(min(k, count), dim=1).values
                best = found if best is None else torch.cat([best, found], 1).topk(k, dim=1).values
            ids[first : first + queries_at_once] = 0xFFFFFFFF - (best & 0xFFFFFFFF)
            above = (best >> 32).to(torch.int32)
            scores[first : first + queries_at_once] = (above ^ ((above >> 31) & 0x7FFFFFFF)).view(torch.float32)
