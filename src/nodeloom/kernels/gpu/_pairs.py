"""The kernel that trains the units of a block; :mod:`nodeloom.kernels.gpu.pairs` launches it and says what it does."""

from __future__ import annotations

from nodeloom.kernels.gpu._rows import STORE, change_rows, clipped
from nodeloom.kernels.gpu._triton import jit, tl

PAIRS, LOSS_EVERY = 8, 32

_STORE = tl.constexpr(STORE)
_PAIRS, _LOSS_EVERY = tl.constexpr(PAIRS), tl.constexpr(LOSS_EVERY)
_TINY = tl.constexpr(1e-15)  # keeps the logarithm of a saturated score finite


@jit
def _places(rows, ROW: tl.constexpr, D: tl.constexpr):
    """Return the offsets of the columns of rows [R, 1], in the integers that `rows` are, [R, D]."""
    return rows * ROW + tl.arange(0, D)[None, :]


@jit
def _columns(live, ROW: tl.constexpr, D: tl.constexpr):
    """Return which columns of `live` rows [R, 1] exist."""
    if ROW == D:
        mask = live
    else:
        mask = live & (tl.arange(0, D) < ROW)[None, :]
    return mask


@jit
def _fresh(table, at, mask):
    """Read rows as they are in the cache that all programs share: what a multiprocessor has kept of them may be out of date."""
    return tl.load(table + at, mask=mask, other=0.0, cache_modifier=".cg")


@jit
def _move(
    tables, at, mask, old, gradient, decay, rate, numbers, seed, OPTIMIZER: tl.constexpr, CLIP: tl.constexpr
):  # fmt: skip
    """Store rows `old` [R, D] moved by one step along ``gradient + decay * old``."""
    table, moment1, moment2 = tables
    s0, s1, s2 = numbers
    old = old.to(tl.float32)
    gradient += decay * old
    if CLIP:
        rate = clipped(tl.sum(gradient * gradient, 1), rate, s0)[:, None]
    change_rows(
        table, moment1, moment2, at, mask, old, gradient, 0.0, rate, s0, s1, s2, seed, OPTIMIZER, _STORE, False, True
    )


@jit
def _id(contexts, at, mask):
    """Return rows of contexts [H] in their part, -1 where masked; 16 bits are those of an unsigned number."""
    ids = tl.load(contexts + at, mask=mask, other=0).to(tl.int32)
    if contexts.dtype.element_ty == tl.int16:
        ids = ids & 0xFFFF
    return tl.where(mask, ids, -1)


@jit
def _pairs_of(head, ends, totals, num_head, begin, chunk, negative_weight):
    """Return of heads [H] whether they are in the unit, where their pairs in it begin and end, and the weight of their negatives."""
    inside = head < num_head
    last = (tl.load(ends + head, mask=inside, other=begin) - begin).to(tl.int32)
    first = (tl.load(ends + (head - 1), mask=inside & (head > 0), other=begin) - begin).to(tl.int32)
    total = tl.load(totals + head, mask=inside, other=0)
    num_unit = tl.maximum((last - first + (_PAIRS - 1)) // _PAIRS, 1)
    inside = (total > 0) & (chunk < num_unit)
    at = first + chunk * _PAIRS
    end = tl.where(inside, tl.minimum(last, at + _PAIRS), at)
    return inside, at, end, tl.where(inside, negative_weight * total.to(tl.float32) / num_unit.to(tl.float32), 0.0)


@jit
def _train_slot(
    j, tables, x, gx, loss, ids, ready, contexts, at, end, rate, weight_decay, numbers, seed,
    ROW: tl.constexpr, D: tl.constexpr, OPTIMIZER: tl.constexpr, CLIP: tl.constexpr, AHEAD: tl.constexpr, LOSS: tl.constexpr,
):  # fmt: skip
    """Train pair number j of every head: move the context rows, add to the gradient of the vertex rows.

    `ids` are the contexts of this pair, -1 where a head has no more, and are read for the next one; with AHEAD its rows as well,
    which are `ready` here.
    """
    rows = ids[:, None]
    live = rows >= 0  # not from `ids`: they would be kept in two layouts
    c_at = _places(rows.to(tl.int64), ROW, D)
    mask = _columns(live, ROW, D)
    at += 1
    ids = _id(contexts, at, at < end)
    if AHEAD:
        c = ready.to(tl.float32)
        ready = _fresh(tables[0], _places(ids[:, None].to(tl.int64), ROW, D), _columns(ids[:, None] >= 0, ROW, D))
    else:
        c = _fresh(tables[0], c_at, mask).to(tl.float32)
    score = tl.sigmoid(tl.sum(x * c, 1))[:, None]
    if LOSS:
        loss += tl.where(live, -tl.log(score + _TINY), 0.0)
    g = tl.where(live, score - 1.0, 0.0)
    gx += g * c
    _move(tables, c_at, mask, c, g * x, weight_decay, rate, numbers, seed + j, OPTIMIZER, CLIP)
    return gx, loss, at, ids, ready


@jit
def _factor(score, weight, kept):
    """Return the weight of negatives times the derivative of their loss."""
    return tl.where(kept, weight * score, 0.0)


@jit
def _noise_loss(score, weight, kept):
    return tl.where(kept, -weight * tl.log(1.0 - score + _TINY), 0.0)


@jit
def _negative_row(
    k, x, gx, factors, loss, context, noise_at, weight, head, shift,
    K: tl.constexpr, ROW: tl.constexpr, D: tl.constexpr, LOSS: tl.constexpr,
):  # fmt: skip
    """Score negative number k with all heads [H, 1], where there are too few heads for tensor cores."""
    noise = tl.load(noise_at + k)
    column = tl.arange(0, D)
    n = tl.load(context + (noise.to(tl.int64) * ROW + column), mask=column < ROW, other=0.0).to(tl.float32)[None, :]
    score = tl.sigmoid(tl.sum(x * n, 1, keep_dims=True))
    kept = shift + noise != head
    factor = _factor(score, weight, kept)
    if LOSS:
        loss += _noise_loss(score, weight, kept)
    gx += factor * n
    factors = tl.where((tl.arange(0, K) == k)[None, :], factor, factors)
    return gx, factors, loss


@jit
def _move_negative_row(
    k, x, factors, tables, noise_at, decay, rate, numbers, seed,
    K: tl.constexpr, ROW: tl.constexpr, D: tl.constexpr, OPTIMIZER: tl.constexpr, CLIP: tl.constexpr,
):  # fmt: skip
    """Move negative number k."""
    noise = tl.load(noise_at + k) + tl.zeros([1, 1], tl.int32)
    at = _places(noise.to(tl.int64), ROW, D)
    mask = _columns(noise >= 0, ROW, D)
    factor = tl.sum(tl.where((tl.arange(0, K) == k)[None, :], factors, 0.0), 1, keep_dims=True)
    gradient = tl.sum(factor * x, 0)[None, :]
    _move(tables, at, mask, _fresh(tables[0], at, mask), gradient, decay, rate, numbers, seed, OPTIMIZER, CLIP)


@jit
def _train_unit(
    unit, vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, begin, ends, num_head, contexts, totals, units,
    negatives, shift, rate, negative_weight, weight_decay, s0, s1, s2, seed, statistics,
    H: tl.constexpr, ROW: tl.constexpr, D: tl.constexpr, NEGATIVES: tl.constexpr, K: tl.constexpr,
    OPTIMIZER: tl.constexpr, CLIP: tl.constexpr, RELOAD: tl.constexpr, AHEAD: tl.constexpr, UNROLL: tl.constexpr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr, LOSS: tl.constexpr,
):  # fmt: skip
    """Train one unit. Its pairs are taken slot by slot: the first pair of every head, the second, ..."""
    # Every LOSS_EVERY-th unit is trained by a launch of its own, which costs registers that the others are spared.
    unit = tl.cast(unit, tl.int64)
    if LOSS:
        unit = unit * _LOSS_EVERY
    else:
        unit = unit + unit // (_LOSS_EVERY - 1) + 1
    tile, chunk = tl.cast(tl.load(units + 2 * unit), tl.int64), tl.load(units + 2 * unit + 1)
    seed = (seed + unit * (_PAIRS + 2)).to(tl.uint32)

    # Heads count from the first of the tile, pairs from the first of that: both fit 32 bits.
    head = tl.arange(0, H)
    first_head = tile * H
    ends += first_head
    num_head -= first_head
    begin = tl.load(ends - 1, mask=first_head > 0, other=begin)
    totals += first_head
    contexts += begin
    inside, at, end, weight = _pairs_of(head, ends, totals, num_head, begin, chunk, negative_weight)
    share = weight / NEGATIVES
    n_decay = weight_decay * tl.sum(weight, 0) / NEGATIVES
    any_inside = tl.max(inside.to(tl.int32), 0) > 0
    longest = tl.max(end - at, 0)

    vertex_tables = (vertex + first_head * ROW, vertex_m1 + first_head * ROW, vertex_m2 + first_head * ROW)
    tables, numbers = (context, context_m1, context_m2), (s0, s1, s2)
    x_at, x_mask = _places(head[:, None], ROW, D), _columns(inside[:, None], ROW, D)
    read_x = _fresh(vertex_tables[0], x_at, x_mask)
    x = read_x.to(tl.float32)
    noise_at = negatives + unit * NEGATIVES
    same = first_head - shift  # the row of the first head in the context part
    loss = tl.zeros([H, 1], tl.float32)
    gx = tl.zeros([H, D], tl.float32)

    # Scores of the negatives, before any row is changed.
    if H >= 16:
        index = tl.arange(0, K)
        noise = tl.load(noise_at + index, mask=index < NEGATIVES, other=-1)
        noise = tl.where(any_inside, noise, -1)
        n_at = _places(noise.to(tl.int64)[:, None], ROW, D)
        n_mask = _columns((noise >= 0)[:, None], ROW, D)
        n = _fresh(context, n_at, n_mask).to(PRODUCT)
        # The choice keeps the compiler from converting the type only after the layout, which takes twice the registers.
        x_factor, n_factor = tl.where(any_inside, x, 0.0).to(PRODUCT), tl.where(any_inside, n, 0.0).to(PRODUCT)
        # Negatives are the rows of this product: tensor cores then need the fewest registers.
        score = tl.sigmoid(tl.dot(n_factor, tl.trans(x_factor), input_precision=PRECISION))
        kept = (noise[:, None] != same + head[None, :]) & (noise >= 0)[:, None]
        factors = _factor(score, share[None, :], kept)
        if LOSS:
            loss += tl.sum(_noise_loss(score, share[None, :], kept), 0)[:, None]
    else:
        factors = tl.zeros([H, K], tl.float32)
        if UNROLL:
            for k in tl.static_range(NEGATIVES):
                gx, factors, loss = _negative_row(
                    k, x, gx, factors, loss, context, noise_at, share[:, None], same + head[:, None], 0, K, ROW, D, LOSS
                )
        else:
            for k in tl.range(0, NEGATIVES):
                gx, factors, loss = _negative_row(
                    k, x, gx, factors, loss, context, noise_at, share[:, None], same + head[:, None], 0, K, ROW, D, LOSS
                )
        tl.debug_barrier()  # every thread has read the negatives before one changes a row

    ids = _id(contexts, at, at < end)
    ready = ids
    if AHEAD:
        ready = _fresh(context, _places(ids[:, None].to(tl.int64), ROW, D), _columns(ids[:, None] >= 0, ROW, D))
    if UNROLL:
        for j in tl.static_range(_PAIRS):
            if j < longest:
                gx, loss, at, ids, ready = _train_slot(
                    j, tables, x, gx, loss, ids, ready, contexts, at, end, rate, weight_decay, numbers, seed,
                    ROW, D, OPTIMIZER, CLIP, AHEAD, LOSS,
                )  # fmt: skip
    else:
        for j in tl.range(0, longest):
            gx, loss, at, ids, ready = _train_slot(
                j, tables, x, gx, loss, ids, ready, contexts, at, end, rate, weight_decay, numbers, seed,
                ROW, D, OPTIMIZER, CLIP, AHEAD, LOSS,
            )  # fmt: skip

    # Zero, but the compiler does not know. From here on it so computes again what it would else keep in registers all the time:
    # the numbers of each head, addresses, and rows in the layout of tensor cores.
    zero = tl.load(units + 2 * unit + 1, volatile=True) - chunk
    head += zero
    inside, at, end, weight = _pairs_of(head, ends, totals, num_head, begin, chunk, negative_weight)
    weight += (end - at).to(tl.float32)
    x = tl.where(zero == 0, x, 0.0)
    x_at, x_mask = _places(head[:, None], ROW, D), _columns(inside[:, None], ROW, D)

    if H >= 16:  # as a start of the sum it would have the loop work in the layout of tensor cores
        n = tl.where(zero == 0, n, 0.0).to(PRODUCT)
        gx += tl.dot(tl.trans(factors.to(PRODUCT)), n, input_precision=PRECISION)

    # A row may be that of a context too, and have been changed by another thread of this program.
    tl.debug_barrier()
    old = read_x
    if RELOAD:
        old = _fresh(vertex_tables[0], x_at, x_mask)
    _move(
        vertex_tables, x_at, x_mask, old, gx, (weight_decay * weight)[:, None], rate, numbers, seed + _PAIRS, OPTIMIZER, CLIP
    )  # fmt: skip
    tl.debug_barrier()
    if H >= 16:
        noise = tl.load(noise_at + index + zero, mask=index < NEGATIVES, other=-1)
        noise = tl.where(any_inside, noise, -1)
        n_at = _places(noise.to(tl.int64)[:, None], ROW, D)
        n_mask = _columns((noise >= 0)[:, None], ROW, D)
        gn = tl.dot(factors.to(PRODUCT), x.to(PRODUCT), input_precision=PRECISION)
        old = _fresh(context, n_at, n_mask)
        _move(tables, n_at, n_mask, old, gn, n_decay, rate, numbers, seed + _PAIRS + 1, OPTIMIZER, CLIP)
    elif any_inside:
        if UNROLL:
            for k in tl.static_range(NEGATIVES):
                _move_negative_row(
                    k, x, factors, tables, noise_at, n_decay, rate, numbers, seed + _PAIRS + 1, K, ROW, D, OPTIMIZER, CLIP
                )  # fmt: skip
        else:
            for k in tl.range(0, NEGATIVES):
                _move_negative_row(
                    k, x, factors, tables, noise_at, n_decay, rate, numbers, seed + _PAIRS + 1, K, ROW, D, OPTIMIZER, CLIP
                )  # fmt: skip
    if LOSS:
        tl.atomic_add(statistics, tl.sum(tl.sum(loss, 1), 0).to(tl.float64), sem="relaxed")
        tl.atomic_add(statistics + 1, tl.sum(weight, 0).to(tl.float64), sem="relaxed")


_VARYING = ("begin", "ends", "num_head", "contexts", "totals", "units", "negatives", "shift", "seed", "num_unit")


@jit(varying=_VARYING)
def train_units(
    vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, begin: tl.int64, ends, num_head: tl.int64, contexts, totals, units,
    negatives, shift: tl.int64, rate, negative_weight, weight_decay, s0, s1, s2, seed: tl.int64, statistics, num_unit,
    H: tl.constexpr, ROW: tl.constexpr, D: tl.constexpr, NEGATIVES: tl.constexpr, K: tl.constexpr,
    OPTIMIZER: tl.constexpr, CLIP: tl.constexpr, RELOAD: tl.constexpr, AHEAD: tl.constexpr, UNROLL: tl.constexpr,
    PRODUCT: tl.constexpr, PRECISION: tl.constexpr, LOSS: tl.constexpr, LOOP: tl.constexpr,
):  # fmt: skip
    """Train all units: a program each, or, to have fewer under way at a time, some in a row for each of as many programs as there are."""
    if LOOP:
        share = (num_unit + tl.num_programs(0) - 1) // tl.num_programs(0)
        first = tl.program_id(0) * share
        for unit in tl.range(first, tl.minimum(first + share, num_unit)):
            _train_unit(
                unit, vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, begin, ends, num_head, contexts, totals, units,
                negatives, shift, rate, negative_weight, weight_decay, s0, s1, s2, seed, statistics,
                H, ROW, D, NEGATIVES, K, OPTIMIZER, CLIP, RELOAD, AHEAD, UNROLL, PRODUCT, PRECISION, LOSS,
            )  # fmt: skip
    else:
        _train_unit(
            tl.program_id(0), vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, begin, ends, num_head, contexts, totals,
            units, negatives, shift, rate, negative_weight, weight_decay, s0, s1, s2, seed, statistics,
            H, ROW, D, NEGATIVES, K, OPTIMIZER, CLIP, RELOAD, AHEAD, UNROLL, PRODUCT, PRECISION, LOSS,
        )  # fmt: skip
