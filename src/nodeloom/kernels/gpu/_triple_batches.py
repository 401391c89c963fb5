"""The questions of a batch of triples, and the scores that do not count, in Triton.

A batch is known by its place among those of a pool, which is on the device: so one recorded step serves for all batches of its size.
"""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl
from nodeloom.kernels.gpu.order import _half_bits, _item_at

_BLOCK = 128
_WIDTH = 1024


@jit
def _take(
    place, keys, firsts, heads, relations, tails, weights, sides, out_heads, out_relations, out_tails, out_weights, count, half, num,
    WEIGHTED: tl.constexpr, SIDED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    number = tl.load(place)
    index = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    live = index < num
    at = tl.where(live, tl.load(firsts + number) + index, 0)
    key = tl.cast(tl.load(keys + number), tl.uint64)
    item = _item_at(key, at, tl.cast(count, tl.uint64), tl.cast(half, tl.uint64))
    h = tl.load(heads + item, mask=live, other=0)
    r = tl.load(relations + item, mask=live, other=0)
    t = tl.load(tails + item, mask=live, other=0)
    tl.store(out_heads + index, h, mask=live)
    tl.store(out_heads + num + index, t, mask=live)
    tl.store(out_relations + index, 2 * r, mask=live)
    tl.store(out_relations + num + index, 2 * r + 1, mask=live)
    tl.store(out_tails + index, t, mask=live)
    tl.store(out_tails + num + index, h, mask=live)
    if WEIGHTED or SIDED:
        w = tl.zeros([BLOCK], tl.float32) + 1.0
        v = tl.zeros([BLOCK], tl.float32) + 1.0
        if WEIGHTED:
            w = tl.load(weights + item, mask=live, other=0.0)
            v = w
        if SIDED:
            w = w * tl.load(sides + 2 * r, mask=live, other=0.0)
            v = v * tl.load(sides + 2 * r + 1, mask=live, other=0.0)
        tl.store(out_weights + index, w, mask=live)
        tl.store(out_weights + num + index, v, mask=live)


def take(place, keys, firsts, triples, weights, sides, out, out_weights):
    """Write the questions of a batch: for the tails of its triples first, then for their heads.

    Parameters
    ----------
    place : int64 [1]
        Which of the batches it is.
    keys, firsts : int64 [P], int64 [P]
        The orders of the batches, and where in them they begin.
    triples : tuple of int32 [E]
        Heads, relations and tails of all triples.
    weights, sides : float32 [E] or None, float32 [R, 2] or None
        Weights of the triples, and of the two questions of a relation.
    out : tuple of int32 [2 B]
        Written: heads, rows of relations, tails.
    out_weights : float32 [2 B] or None
        Written: weights of the questions, if there are any.
    """
    num, count = len(out[0]) // 2, len(triples[0])
    with on_device_of(place):
        _take[(ceil_div(num, _BLOCK),)](
            place, keys, firsts, *triples, weights, sides, *out, out_weights, count, _half_bits(count), num,
            WEIGHTED=weights is not None, SIDED=sides is not None, BLOCK=_BLOCK, num_warps=4,
        )  # fmt: skip


@jit
def _leave_out(
    scores, rows, bounds, items, candidates, tails, count, stride,
    OTHERS: tl.constexpr, GIVEN: tl.constexpr, STEPS: tl.constexpr, W: tl.constexpr,
):  # fmt: skip
    """Set scores of a question to minus infinity: of candidates that are items of its row, with OTHERS of those that are not."""
    query = tl.program_id(0).to(tl.int64)
    column = tl.program_id(1) * W + tl.arange(0, W)
    live = column < count
    entity = column
    if GIVEN:
        entity = tl.load(candidates + column, mask=live, other=0).to(tl.int32)
    row = tl.load(rows + query)
    first = tl.load(bounds + tl.maximum(row, 0))
    last = tl.where(row < 0, first, tl.load(bounds + tl.maximum(row, 0) + 1))
    low = tl.zeros([W], tl.int64) + first
    high = tl.zeros([W], tl.int64) + last
    for _ in range(STEPS):
        middle = (low + high) // 2
        less = (low < high) & (tl.load(items + middle, mask=live & (low < high), other=0) < entity)
        high = tl.where((low < high) & (less == 0), middle, high)
        low = tl.where(less, middle + 1, low)
    found = (low < last) & (tl.load(items + low, mask=live & (low < last), other=-1) == entity)
    left = (found == 0) if OTHERS else found
    truth = tl.load(tails + query).to(tl.int32)
    infinity = tl.full([W], float("-inf"), tl.float32).to(scores.dtype.element_ty)
    tl.store(scores + query * stride + column, infinity, mask=live & left & (entity != truth))


def leave_out(scores, keys, listed, candidates, tails, *, others):
    """Set the scores of entities that do not count as negatives to minus infinity; those of the truths stay.

    Parameters
    ----------
    scores : float32 or bfloat16 [B, K or more]
        Changed.
    keys : int64 [B]
        What each question is looked up by.
    listed : tuple of int64 [M], int64 [M + 1] and int32 [nnz]
        The keys, ascending, and the bounds of the items of each, which are ascending.
    candidates : int [K] or None
        The entities of the columns; None for all N entities, in order.
    tails : int [B], or int [B] and N
        The truths.
    others : bool
        Whether the entities that are not listed are left out, and not those that are.
    """
    known, bounds, items = listed
    (truth, count) = tails if candidates is None else (tails, len(candidates))
    if len(known) == 0:
        return
    rows = torch.searchsorted(known, keys).clamp_(max=len(known) - 1)
    rows = torch.where(known[rows] == keys, rows, -1)
    with on_device_of(scores):
        _leave_out[(len(scores), ceil_div(count, _WIDTH))](
            scores, rows, bounds, items, candidates, truth, count, scores.stride(0), OTHERS=others, GIVEN=candidates is not None,
            STEPS=max(1, len(items).bit_length()), W=_WIDTH, num_warps=4,
        )  # fmt: skip
