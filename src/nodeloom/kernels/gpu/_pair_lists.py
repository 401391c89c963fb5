"""The kernel that counts the pairs of walks by block and head, and puts them there; :mod:`nodeloom.kernels.gpu.pairs` launches it."""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import jit, tl


@jit(varying=("walks", "slot", "count"))
def renumber_nodes(walks, slot, count: tl.int64, B: tl.constexpr):
    """Replace nodes by their slots, B of them in a program."""
    at = tl.cast(tl.program_id(0), tl.int64) * B + tl.arange(0, B)
    nodes = tl.load(walks + at, mask=at < count, other=-1)
    slots = tl.load(slot + nodes, mask=nodes >= 0, other=-1).to(nodes.dtype)
    tl.store(walks + at, slots, mask=at < count)


@jit
def _slots(walks, at, live):
    return tl.load(walks + at, mask=live, other=-1)


_VARYING = ("walk_stride", "place_stride", "num_walk", "nodes", "step", "first_head", "num_head", "numbers", "contexts")


@jit(varying=_VARYING)
def visit_pairs(
    walks, walk_stride: tl.int64, place_stride: tl.int64, num_walk: tl.int64, nodes, step, first_head: tl.int64, num_head: tl.int64,
    part_rows, numbers, contexts,
    TWO_SIDED: tl.constexpr, PLACE: tl.constexpr, BLOCK: tl.constexpr, PLACES: tl.constexpr, GROUP: tl.constexpr,
):  # fmt: skip
    """Visit the pairs whose heads stand at PLACES places of BLOCK / PLACES walks.

    Without PLACE `numbers` are counts, and 1 is added for each pair. With it they are cursors: 1 is added too, and the context is
    written to where the cursor was.
    """
    index = tl.arange(0, BLOCK)
    num_block = (nodes + PLACES - 1) // PLACES
    walk = (tl.program_id(0) // num_block).to(tl.int64) * (BLOCK // PLACES) + index // PLACES
    place = (tl.program_id(0) % num_block) * PLACES + index % PLACES
    at = walk * walk_stride + place.to(tl.int64) * place_stride
    live = (walk < num_walk) & (place < nodes)
    slot = _slots(walks, at, live)
    head = slot.to(tl.int64) - first_head
    live = live & (slot >= 0) & (head >= 0) & (head < num_head)
    # Addresses of all pairs of a group come before what waits for them.
    for first in tl.range(1, step + 1, GROUP):
        wheres, rows, lives = (), (), ()
        for side in tl.static_range(2 if TWO_SIDED else 1):
            for ahead in tl.static_range(GROUP):
                gap = (first + ahead) * (1 - 2 * side)
                other = tl.where(first + ahead <= step, place + gap, -1)
                near = live & (other >= 0) & (other < nodes)
                context = _slots(walks, at + gap * place_stride, near)
                near = near & (context >= 0) & (context != slot)
                part = context // part_rows
                number = numbers + part.to(tl.int64) * num_head + head
                if PLACE:
                    where = tl.atomic_add(number, 1, mask=near, sem="relaxed")
                    row = (context - part * part_rows).to(contexts.dtype.element_ty)
                    wheres, rows, lives = wheres + (where,), rows + (row,), lives + (near,)  # type: ignore[assignment]  # noqa: RUF005  Triton's way
                else:
                    tl.atomic_add(number, 1, mask=near, sem="relaxed")
        if PLACE:
            for pair in tl.static_range(2 * GROUP if TWO_SIDED else GROUP):
                tl.store(contexts + wheres[pair].to(tl.int64), rows[pair], mask=lives[pair])
