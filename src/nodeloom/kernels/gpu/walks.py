"""Random walks: first order and second order (p, q), on plain and on weighted graphs.

:mod:`nodeloom.kernels.reference.walks` is the definition, and these are the same walks, to the last node. A lane makes a walk.
What a lane waits for is memory, so what counts is how many lanes are in flight: registers are saved, and of second-order
walks every lane goes at its own pace. Offsets into the graph take 32 bits where the graph allows it.

Walks are written fastest to the transpose of a contiguous tensor [L + 1, W], where neighbouring lanes write side by side.
"""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.gpu._triton import ceil_div, double, double_bits, jit, key_bits, on_device_of, tl
from nodeloom.kernels.gpu.rng import GOLDEN, below, below_narrow, item_key, mix, unit

MAX_TRIAL = 64
"""Rejections of one step before its distribution is computed exactly."""

_MAX_TRIAL = tl.constexpr(MAX_TRIAL)
_NEXT_STEP = tl.constexpr((GOLDEN.value << 32) % 2**64)  # between the hashes of draw 0 of a step and of the next
_NEXT_TRIAL = tl.constexpr((GOLDEN.value << 1) % 2**64)
_FIRST_ORDER = {"block": 256, "num_warps": 4}
_SECOND_ORDER = {"block": 32, "num_warps": 1}  # one warp: what lanes agree on needs no barrier
_NARROW = 2**32  # entries of a graph, below which offsets are uint32


@jit
def _choose(bits, prob, alias, first, count, mask, WEIGHTED: tl.constexpr):
    """Choose an entry (int64) of ``first .. first + count`` from its alias table, or uniformly without one.

    `first` and `count` are uint32, or both int64. The entry of a masked lane is none to look at.
    """
    if count.dtype == tl.uint32:
        place = below_narrow(bits, count).to(tl.int64)
    else:
        place = below(bits, count)
    entry = first.to(tl.int64) + place
    if WEIGHTED:
        other = mask & (unit(bits) >= tl.load(prob + entry, mask=mask, other=1.0))
        entry = tl.where(other, first.to(tl.int64) + tl.load(alias + entry, mask=other, other=0).to(tl.int64), entry)
    return entry


@jit
def _start(start_prob, start_alias, key, num_node, live, OFFSET: tl.constexpr):
    """Choose the first node of walks."""
    bits = mix(key + GOLDEN)
    none = tl.zeros(key.shape, OFFSET)
    return _choose(bits, start_prob, start_alias, none, none + num_node.to(OFFSET), live, True)


@jit
def _row(indptr, node, mask, OFFSET: tl.constexpr):
    """Return where the rows of nodes begin and how many entries they have; 0, 0 for masked lanes."""
    first = tl.load(indptr + node, mask=mask, other=0)
    degree = tl.load(indptr + node + 1, mask=mask, other=0) - first
    return first.to(OFFSET), degree.to(OFFSET)


@jit(varying=("stream", "first_walk", "num_walk", "num_node"))
def _first_order_walks(
    indptr, indices, prob, alias, start_prob, start_alias,
    stream: tl.int64, first_walk: tl.int64, out, num_walk: tl.int64, num_node: tl.int64, walk_stride, step_stride,
    LENGTH: tl.constexpr, WEIGHTED: tl.constexpr, OFFSET: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    walk = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = walk < num_walk
    key = item_key(tl.cast(stream, tl.uint64), first_walk + walk)
    node = _start(start_prob, start_alias, key, num_node, live, OFFSET).to(indices.dtype.element_ty)
    place = out + walk * walk_stride
    tl.store(place, node, mask=live)
    alive = live
    state = key + GOLDEN  # draw n of the key is mix(state + n * GOLDEN), and n goes up by 2^32 a step
    for _ in range(1, LENGTH):  # of constant length: a `while` would take layouts of lanes that have to be exchanged
        state += _NEXT_STEP
        place += step_stride
        first, degree = _row(indptr, node, alive, OFFSET)
        alive = degree > 0
        entry = _choose(mix(state), prob, alias, first, degree, alive, WEIGHTED)
        node = tl.load(indices + entry, mask=alive, other=-1)
        tl.store(place, node, mask=live)


def first_order_walks(
    indptr, indices, prob, alias, start_prob, start_alias, stream, first_walk, out,
    *, block=_FIRST_ORDER["block"], num_warps=_FIRST_ORDER["num_warps"],
):  # fmt: skip
    """Fill `out` [W, L + 1] with walks number ``first_walk ...``; -1 stands after a dead end.

    Parameters
    ----------
    indptr, indices : int64 [N + 1], int32 or int64 [nnz]
        The graph.
    prob, alias : float32 [nnz], int32 [nnz]
        Alias table of every row; both empty on an unweighted graph.
    start_prob, start_alias : float32 [N], int32 or int64 [N]
        Alias table of the first node.
    stream : int
        Key of the random stream, a uint64.
    first_walk : int
        Number of the first walk.
    out : int32 or int64 [W, L + 1], any strides
        Written.
    block, num_warps : int
        Walks of a program, a power of two, and its warps.
    """
    num_walk, length = out.shape
    if num_walk == 0:
        return
    with on_device_of(out):
        _first_order_walks[(ceil_div(num_walk, block),)](
            indptr, indices, prob, alias, start_prob, start_alias,
            key_bits(stream), first_walk, out, num_walk, start_prob.numel(), out.stride(0), out.stride(1),
            LENGTH=length, WEIGHTED=prob.numel() > 0, OFFSET=_offset(indices, start_prob), BLOCK=block, num_warps=num_warps, num_stages=1,
        )  # fmt: skip


def _offset(indices, start_prob):
    """Return the type of places in the graph and of degrees."""
    return tl.uint32 if max(indices.numel(), start_prob.numel()) < _NARROW else tl.int64


@jit
def _contains(indices, first, count, node, search):
    """Tell whether sorted rows hold nodes, by binary searches that all take as many turns as the longest row needs."""
    count = tl.where(search, count, 0)
    longest = tl.max(count, 0)
    while longest > 1:
        half = count >> 1
        middle = tl.load(indices + (first + half).to(tl.int64), mask=half > 0, other=0)
        first = tl.where((half > 0) & (middle <= node), first + half, first)
        count -= half
        longest -= longest >> 1
    return tl.load(indices + first.to(tl.int64), mask=count > 0, other=-1) == node


@jit
def _look_up(
    indices, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree, node, first, degree, look,
    HUBS: tl.constexpr, SYMMETRIC: tl.constexpr,
):  # fmt: skip
    """Tell which lanes of `look` have an edge from `previous` to `node`, in bits of hubs or in a row of the graph."""
    near = look & False
    if HUBS:
        # Hubs are nodes whose bits take no more memory than their row: others need not be asked.
        large = previous_degree.to(tl.int64) * (indices.dtype.element_ty.primitive_bitwidth) >= num_node
        hub = tl.load(hub_row + previous, mask=look & large, other=-1).to(tl.int64)
        bits = tl.load(hub_bits + hub * words + (node >> 6).to(tl.int64), mask=hub >= 0, other=0)
        near = ((bits >> (node & 63).to(tl.int64)) & 1) != 0
        look = look & (hub < 0)
    wanted = node
    row, count = previous_first, previous_degree
    if SYMMETRIC:  # an undirected edge stands in both rows
        shorter = degree < previous_degree
        row, count, wanted = (
            tl.where(shorter, first, row),
            tl.where(shorter, degree, count),
            tl.where(shorter, previous, node),
        )
    return near | _contains(indices, row, count, wanted, look)


@jit
def _bias(
    indices, weights, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree, first, place, on,
    return_bias, out_bias, WEIGHTED: tl.constexpr, HUBS: tl.constexpr,
):  # fmt: skip
    """Return the unnormalized share (float64) of entry number `place` of each row; 0 for lanes that are not `on`."""
    entry = first.to(tl.int64) + place
    target = tl.load(indices + entry, mask=on, other=-1)
    back = target == previous
    near = _look_up(
        indices, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree, target, first, first,
        on & (target != previous), HUBS, False,
    )  # fmt: skip
    bias = tl.where(back, return_bias, tl.where(near, 1.0, out_bias))
    if WEIGHTED:
        bias = bias * tl.load(weights + entry, mask=on, other=0.0).to(tl.float64)
    return tl.where(on, bias, 0.0)


@jit
def _exact_entry(
    indices, weights, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree, first, degree, stuck, bits,
    return_bias, out_bias, WEIGHTED: tl.constexpr, HUBS: tl.constexpr,
):  # fmt: skip
    """Draw the next entry from the whole distribution of a step; for steps that rejection takes too long for."""
    count = tl.where(stuck, degree.to(tl.int64), 0)
    longest = tl.max(count, 0)
    cumulative = tl.zeros(count.shape, tl.float64)
    goal = tl.zeros(count.shape, tl.float64)
    chosen = count - 1
    # Twice over the row: for the sum, then up to the entry where it exceeds its share.
    turn = longest * 0
    while turn < 2 * longest:
        place = tl.where(turn < longest, turn, turn - longest)
        if place == 0:
            goal = unit(bits).to(tl.float64) * cumulative
            cumulative = tl.zeros(count.shape, tl.float64)
        share = _bias(
            indices, weights, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree, first, place,
            place < count, return_bias, out_bias, WEIGHTED, HUBS,
        )  # fmt: skip
        reached = (turn >= longest) & (cumulative <= goal) & (cumulative + share > goal)
        chosen = tl.where(reached, place, chosen)
        cumulative += share
        turn += 1
    return first.to(tl.int64) + chosen


@jit(
    varying=(
        "return_bias", "out_bias", "envelope", "excess", "stream", "first_walk", "num_walk", "num_node", "words", "length",
    ),
    fusion=False,  # as the definition rounds
)  # fmt: skip
def _second_order_walks(
    indptr, indices, weights, prob, alias, start_prob, start_alias, hub_row, hub_bits,
    return_bias: tl.int64, out_bias: tl.int64, envelope: tl.int64, excess: tl.int64, accept_return, accept_near, accept_far,
    stream: tl.int64, first_walk: tl.int64, out, num_walk: tl.int64, num_node: tl.int64, words: tl.int64, length: tl.int32,
    walk_stride, step_stride,
    WEIGHTED: tl.constexpr, HUBS: tl.constexpr, SYMMETRIC: tl.constexpr, EXCESS: tl.constexpr, OFFSET: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    return_bias = double(return_bias)
    out_bias = double(out_bias)
    envelope = double(envelope)
    excess = double(excess)
    # What is accepted or refused whatever the candidate is needs no look at the adjacency.
    always = tl.minimum(accept_near, accept_far)
    worth_a_look = tl.maximum(accept_near, accept_far)

    walk = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = walk < num_walk
    key = item_key(tl.cast(stream, tl.uint64), first_walk + walk)
    node = _start(start_prob, start_alias, key, num_node, live, OFFSET).to(indices.dtype.element_ty)
    out += walk * walk_stride
    tl.store(out, node, mask=live)
    state = key + GOLDEN + _NEXT_STEP  # draw n of step s is mix(key + (s * 2^32 + n + 1) * GOLDEN)
    first, degree = _row(indptr, node, live, OFFSET)
    previous = tl.full([BLOCK], -1, node.dtype)
    previous_first, previous_degree = first, degree
    step = tl.full([BLOCK], 1, tl.int32)
    trial = tl.full([BLOCK], 0, tl.int32)
    alive = (step < length) & (degree > 0)
    while tl.max(alive.to(tl.int32), 0) > 0:
        # One trial of every lane, each at its own step.
        number = state + trial.to(tl.uint64) * _NEXT_TRIAL
        bits = mix(number)
        biased = previous >= 0
        chance = unit(bits)
        returns = alive & (trial < 0)
        if WEIGHTED or EXCESS:
            more = unit(mix(number + GOLDEN))
            if WEIGHTED:  # the alias table has used the low bits
                chance = more
            if EXCESS:
                width = degree.to(tl.float64) * envelope
                returns = alive & biased & (more.to(tl.float64) * (width + excess) >= width)
        entry = _choose(bits, prob, alias, first, degree, alive, WEIGHTED)
        stuck = alive & (trial == _MAX_TRIAL)
        if tl.max(stuck.to(tl.int32), 0) > 0:
            exact = _exact_entry(
                indices, weights, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree,
                first, degree, stuck, bits, return_bias, out_bias, WEIGHTED, HUBS,
            )  # fmt: skip
            entry = tl.where(stuck, exact, entry)
        returns = returns & (trial != _MAX_TRIAL)
        chance = tl.where(biased & (trial != _MAX_TRIAL), chance, -1.0)
        target = tl.load(indices + entry, mask=alive & (returns == 0), other=-1)
        target = tl.where(returns, previous, target)
        back = target == previous
        target_first, target_degree = _row(indptr, target, alive, OFFSET)
        look = alive & (back == 0) & (chance >= always) & (chance < worth_a_look)
        near = _look_up(
            indices, hub_row, hub_bits, num_node, words, previous, previous_first, previous_degree,
            target, target_first, target_degree, look, HUBS, SYMMETRIC,
        )  # fmt: skip
        threshold = tl.where(back, accept_return, tl.where(near, accept_near, accept_far))
        accepted = alive & (returns | (chance < threshold))

        tl.store(out + step.to(tl.int64) * step_stride, target, mask=accepted)
        previous = tl.where(accepted, node, previous)
        previous_first = tl.where(accepted, first, previous_first)
        previous_degree = tl.where(accepted, degree, previous_degree)
        node = tl.where(accepted, target, node)
        first = tl.where(accepted, target_first, first)
        degree = tl.where(accepted, target_degree, degree)
        state = tl.where(accepted, state + _NEXT_STEP, state)
        step += accepted.to(tl.int32)
        trial = tl.where(accepted, 0, trial + 1)
        alive = alive & (step < length) & (degree > 0)
    ended = live & (step < length)
    while tl.max(ended.to(tl.int32), 0) > 0:
        tl.store(out + step.to(tl.int64) * step_stride, -1, mask=ended)
        step += 1
        ended = live & (step < length)


def second_order_walks(
    indptr, indices, weights, prob, alias, start_prob, start_alias, hub_row, hub_bits, p, q, fold, stream, first_walk, out,
    *, block=_SECOND_ORDER["block"], num_warps=_SECOND_ORDER["num_warps"],
):  # fmt: skip
    """Fill `out` [W, L + 1] with node2vec walks (Grover and Leskovec, KDD 2016, section 3.2.2) number ``first_walk ...``.

    The bias of a step from `v`, reached from `u`, to `x` is 1/p if x = u, 1 if there is an edge from u to x, 1/q otherwise.
    Candidates are drawn from the first-order distribution and accepted in proportion to their bias (Yang et al., "KnightKing",
    SOSP 2019), which needs no table per edge. With `fold` the excess of a large 1/p is kept apart from the envelope, so that
    it does not multiply the rejections.

    Parameters
    ----------
    indptr, indices : int64 [N + 1], int32 or int64 [nnz]
        The graph, rows sorted.
    weights, prob, alias : float32 [nnz], float32 [nnz], int32 [nnz]
        Weights and alias table of every row; all empty on an unweighted graph.
    start_prob, start_alias : float32 [N], int32 or int64 [N]
        Alias table of the first node.
    hub_row, hub_bits : int32 [N] or [0], int64 [H, ceil(N / 64)]
        Adjacency of hubs as bit rows; -1 in `hub_row` for other nodes.
    p, q : float
        Return and in-out parameter.
    fold : bool
        Every step can be taken back, by exactly one entry, and the graph is unweighted.
    stream, first_walk
        As in :func:`first_order_walks`.
    out : int32 or int64 [W, L + 1], any strides
        Written; -1 stands after a dead end.
    block, num_warps : int
        Walks of a program, a power of two, and its warps.
    """
    num_walk, length = out.shape
    if num_walk == 0:
        return
    return_bias, out_bias = 1.0 / p, 1.0 / q
    envelope = max(1.0, out_bias)
    excess = 0.0
    if fold:
        excess = max(0.0, return_bias - envelope)
    else:
        envelope = max(envelope, return_bias)
    accept = [float(np.float32(bias / envelope)) for bias in (min(return_bias, envelope), 1.0, out_bias)]
    with on_device_of(out):
        _second_order_walks[(ceil_div(num_walk, block),)](
            indptr, indices, weights, prob, alias, start_prob, start_alias, hub_row, hub_bits,
            *map(double_bits, (return_bias, out_bias, envelope, excess)), *accept,
            key_bits(stream), first_walk, out, num_walk, start_prob.numel(), hub_bits.shape[1], length, out.stride(0), out.stride(1),
            WEIGHTED=prob.numel() > 0, HUBS=hub_row.numel() > 0, SYMMETRIC=bool(fold), EXCESS=excess > 0.0,
            OFFSET=_offset(indices, start_prob), BLOCK=block, num_warps=num_warps, num_stages=1,
        )  # fmt: skip
