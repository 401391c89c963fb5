"""A seeded order of many items, in Triton; :mod:`nodeloom.kernels.reference.order` is the definition."""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import ceil_div, jit, key_bits, on_device_of, tl
from nodeloom.kernels.gpu.rng import draw

ROUNDS = 6

_ROUNDS = tl.constexpr(ROUNDS)
_BLOCK = 128


@jit
def _exchanged(key, item, half):
    """Return what the rounds of the network make of items (uint64)."""
    low = (tl.cast(1, tl.uint64) << half) - tl.cast(1, tl.uint64)
    left, right = item >> half, item & low
    number = tl.cast(0, tl.uint64)
    for _ in tl.static_range(0, _ROUNDS):
        changed = left ^ (draw(key, number + right) & low)
        left = right
        right = changed
        number += tl.cast(4294967296, tl.uint64)
    return (left << half) | right


@jit
def _item_at(key, place, count, half):
    """Return the items (int64) at places [M] of the order of a key (uint64); `count` and `half`, half of its bits, are uint64."""
    item = _exchanged(key, tl.cast(place, tl.uint64), half)
    while tl.max((item >= count).to(tl.int32), 0) > 0:  # the walk goes on until all are back below `count`
        item = tl.where(item >= count, _exchanged(key, item, half), item)
    return item.to(tl.int64)


@jit(varying=("key", "count", "first", "half"))
def _shuffled(key: tl.int64, count: tl.int64, first: tl.int64, out, num, half: tl.int64, BLOCK: tl.constexpr):
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = index < num
    place = tl.where(live, first + index, 0)
    item = _item_at(tl.cast(key, tl.uint64), place, tl.cast(count, tl.uint64), tl.cast(half, tl.uint64))
    tl.store(out + index, item, mask=live)


def _half_bits(count: int) -> int:
    return max(1, ((count - 1).bit_length() + 1) // 2)


def shuffled(key, count, first, out):
    """Fill `out` [M] with the items at places ``first ... first + M`` of an order of ``range(count)``.

    Parameters
    ----------
    key : int
        Names the order, a uint64.
    count : int
        Items.
    first : int
        The first place.
    out : int64 [M]
        Written.
    """
    if out.numel() == 0:
        return
    with on_device_of(out):
        _shuffled[(ceil_div(out.numel(), _BLOCK),)](
            key_bits(key), count, first, out, out.numel(), _half_bits(count), BLOCK=_BLOCK, num_warps=4
        )  # fmt: skip
