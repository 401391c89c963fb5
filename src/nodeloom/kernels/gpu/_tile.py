"""The kernel that trains walk tiles; :mod:`nodeloom.kernels.gpu.skipgram` launches it and says what it does."""

from __future__ import annotations

from nodeloom.kernels.gpu._rows import ADD, change_rows, clipped, columns, places, read
from nodeloom.kernels.gpu._triton import jit, tl

LOSS_EVERY = 32

_ADD = tl.constexpr(ADD)
_LOSS_EVERY = tl.constexpr(LOSS_EVERY)
_TINY = tl.constexpr(1e-15)  # keeps the logarithm of a saturated score finite
_FAR = tl.constexpr(1 << 28)  # beyond every place of a walk


@jit
def _nodes(walks, walk_stride, place_stride, num_walk, tile, place, live, NODES: tl.constexpr, WALKS: tl.constexpr):
    """Return the nodes at places of a tile (-1: none), in the dtype of the walks."""
    if WALKS == 1:
        at = tl.cast(tile, tl.int64) * walk_stride + place.to(tl.int64) * place_stride
    else:  # the last tile need not be full
        walk = tl.cast(tile, tl.int64) * WALKS + place // NODES
        at = walk * walk_stride + (place % NODES).to(tl.int64) * place_stride
        live = live & (walk < num_walk)
    return tl.load(walks + at, mask=live, other=-1)


@jit
def _repeats(nodes, R: tl.constexpr, PRODUCT: tl.constexpr):
    """Return which places hold the same node, 0 or 1 [R, R], and whether a place is the first of its node [R].

    Coefficients times this matrix are those of a node in all its places together. Then its row can be stored once: of several
    stores to one address all but one would be lost.
    """
    index = tl.arange(0, R)
    same = nodes[:, None] == nodes[None, :]
    first = tl.min(tl.where(same, index[None, :], R), 1) == index
    return same.to(PRODUCT), first


@jit
def _block(nodes, row, first, D: tl.constexpr, MOVED: tl.constexpr):
    """Return the offsets of a block of columns of vertex, context and negative rows, and by how much tables are moved for them.

    Where rows are added to, tables are moved and the offsets stay those of the first block: they then differ by constants, which cost
    no registers. Where rows are read again before they are stored, offsets of their own are faster.
    """
    ids, others, noise, x_at, c_at, n_at = nodes
    if MOVED:
        shift = first
    else:
        shift = 0
        x_at, c_at, n_at = places(ids, row, first, D), places(others, row, first, D), places(noise, row, first, D)
    return x_at, c_at, n_at, shift


@jit
def _read_block(
    vertex, context, nodes, row, first, D: tl.constexpr, EVEN: tl.constexpr, MOVED: tl.constexpr, PRODUCT: tl.constexpr,
    FRESH: tl.constexpr,
):  # fmt: skip
    """Return columns ``first ... first + D`` of the vertex rows, the context rows and the negative rows."""
    x_at, c_at, n_at, shift = _block(nodes, row, first, D, MOVED)
    x = read(vertex + shift, x_at, columns(nodes[0] >= 0, row, first, D, EVEN), PRODUCT, FRESH)
    c = read(context + shift, c_at, columns(nodes[1] >= 0, row, first, D, EVEN), PRODUCT, FRESH)
    n = read(context + shift, n_at, columns(nodes[2] >= 0, row, first, D, EVEN), PRODUCT, FRESH)
    return x, c, n


@jit
def _x_gradient(x, c, n, factors, FOLD: tl.constexpr, PRECISION: tl.constexpr):
    g = tl.dot(factors[0], c, input_precision=PRECISION)
    g = tl.dot(factors[1], n, g, input_precision=PRECISION)
    if FOLD:
        g = tl.dot(factors[4], x, g, input_precision=PRECISION)
    return g


@jit
def _c_gradient(x, c, factors, FOLD: tl.constexpr, PRECISION: tl.constexpr):
    g = tl.dot(factors[2], x, input_precision=PRECISION)
    if FOLD:
        g = tl.dot(factors[5], c, g, input_precision=PRECISION)
    return g


@jit
def _n_gradient(x, factors, K: tl.constexpr, PRECISION: tl.constexpr):
    if factors[3].shape[0] > K:
        g = tl.dot(factors[3], x, input_precision=PRECISION)
        g = tl.sum(tl.reshape(g, (factors[3].shape[0] // K, K, x.shape[1])), 0)
    else:
        g = tl.trans(tl.dot(tl.trans(x), tl.trans(factors[3]), input_precision=PRECISION))
    return g


@jit
def _squares(x, c, n, factors, K: tl.constexpr, FOLD: tl.constexpr, PRECISION: tl.constexpr):
    """Return what a block adds to the squared lengths of the gradients of vertex, context and negative rows."""
    g = _x_gradient(x, c, n, factors, FOLD, PRECISION)
    if not FOLD:
        g += factors[4] * x
    h = _c_gradient(x, c, factors, FOLD, PRECISION)
    if not FOLD:
        h += factors[5] * c
    k = _n_gradient(x, factors, K, PRECISION) + factors[6] * n
    return tl.sum(g * g, 1), tl.sum(h * h, 1), tl.sum(k * k, 1)


@jit
def _change(
    tables, nodes, rows, numbers, factors, x, c, n, first,
    K: tl.constexpr, OPTIMIZER: tl.constexpr, UPDATE: tl.constexpr, RELOAD: tl.constexpr,
    FOLD: tl.constexpr, D: tl.constexpr, EVEN: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Change a block of the columns of all rows."""
    vertex, context, vertex_m1, vertex_m2, context_m1, context_m2 = tables
    x_live, c_live, n_live, x_rate, c_rate, n_rate = rows
    s0, s1, s2, row, seed = numbers
    x_at, c_at, n_at, shift = _block(nodes, row, first, D, UPDATE == _ADD)
    g = _x_gradient(x, c, n, factors, FOLD, PRECISION)
    change_rows(
        vertex + shift, vertex_m1 + shift, vertex_m2 + shift, x_at, columns(x_live, row, first, D, EVEN),
        x, g, factors[4], x_rate, s0, s1, s2, seed, OPTIMIZER, UPDATE, RELOAD, FOLD,
    )  # fmt: skip
    g = _n_gradient(x, factors, K, PRECISION)
    if UPDATE != _ADD:  # where tables are tied a row may have been stored by another thread of this program
        tl.debug_barrier()
    change_rows(
        context + shift, context_m1 + shift, context_m2 + shift, n_at, columns(n_live, row, first, D, EVEN),
        n, g, factors[6], n_rate, s0, s1, s2, seed, OPTIMIZER, UPDATE, RELOAD or FOLD, False,
    )  # fmt: skip
    g = _c_gradient(x, c, factors, FOLD, PRECISION)
    if UPDATE != _ADD:  # as a negative may be one of the contexts
        tl.debug_barrier()
    change_rows(
        context + shift, context_m1 + shift, context_m2 + shift, c_at, columns(c_live, row, first, D, EVEN),
        c, g, factors[5], c_rate, s0, s1, s2, seed, OPTIMIZER, UPDATE, RELOAD, FOLD,
    )  # fmt: skip


@jit
def _train_unit(
    unit, vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, walks, walk_stride, place_stride, num_walk, negatives,
    largest_rate, lr, row, negative_weight, weight_decay, s0, s1, s2, seed, num_pairs, statistics,
    NODES: tl.constexpr, WALKS: tl.constexpr, CHUNKS: tl.constexpr, STEP: tl.constexpr, TWO_SIDED: tl.constexpr,
    NEGATIVES: tl.constexpr, K: tl.constexpr, OPTIMIZER: tl.constexpr, CLIP: tl.constexpr,
    UPDATE: tl.constexpr, MERGE: tl.constexpr, MERGE_NEGATIVES: tl.constexpr, RELOAD: tl.constexpr, T: tl.constexpr, W: tl.constexpr,
    D: tl.constexpr, BLOCKS: tl.constexpr, EVEN: tl.constexpr, PRODUCT: tl.constexpr, PRECISION: tl.constexpr, LOSS: tl.constexpr,
    FOLD: tl.constexpr, KEEP: tl.constexpr, FRESH: tl.constexpr, CAPPED: tl.constexpr,
):  # fmt: skip
    """Train one unit: T vertex places of a tile and the contexts near them."""
    index = tl.arange(0, T)
    noise_index = tl.arange(0, K)
    # Every LOSS_EVERY-th tile is trained by a launch of its own, which costs registers that the others are spared.
    tile = unit // CHUNKS
    if LOSS:
        tile = tile * _LOSS_EVERY
    else:
        tile = tile + tile // (_LOSS_EVERY - 1) + 1
    rate = tl.load(lr + tile)
    place = (unit % CHUNKS) * T + index
    ids = _nodes(walks, walk_stride, place_stride, num_walk, tile, place, place < NODES * WALKS, NODES, WALKS)
    noise_at = (tl.cast(tile, tl.int64) * CHUNKS + unit % CHUNKS) * NEGATIVES + noise_index
    noise = tl.load(negatives + noise_at, mask=noise_index < NEGATIVES, other=-1)
    if CHUNKS == 1:
        others, other_place = ids, place
    else:  # contexts up to STEP places before and behind the vertices
        other_place = (unit % CHUNKS) * T - STEP + tl.arange(0, W)
        live = (other_place >= 0) & (other_place < NODES) & (other_place < (unit % CHUNKS) * T + T + STEP)
        others = _nodes(walks, walk_stride, place_stride, num_walk, tile, other_place, live, NODES, WALKS)

    MOVED: tl.constexpr = UPDATE == _ADD
    x_at, n_at = places(ids, row, 0, D), places(noise, row, 0, D)
    c_at = x_at if CHUNKS == 1 else places(others, row, 0, D)
    nodes = (ids, others, noise, x_at, c_at, n_at)

    # Scores, block by block of the columns. Rows of moderate width are kept for the gradients, wider ones are read again.
    scores = tl.zeros([T, W], tl.float32)
    noise_scores = tl.zeros([T, K], tl.float32)
    xs, cs, ns = (), (), ()
    if KEEP:
        for block in tl.static_range(BLOCKS):
            x, c, n = _read_block(vertex, context, nodes, row, block * D, D, EVEN, MOVED, PRODUCT, FRESH)
            scores = tl.dot(x, tl.trans(c), scores, input_precision=PRECISION)
            noise_scores = tl.dot(x, tl.trans(n), noise_scores, input_precision=PRECISION)
            xs, cs, ns = xs + (x,), cs + (c,), ns + (n,)  # type: ignore[assignment]  # noqa: RUF005  Triton's way
    else:
        for block in tl.range(0, BLOCKS):
            x, c, n = _read_block(vertex, context, nodes, row, block * D, D, EVEN, MOVED, PRODUCT, FRESH)
            scores = tl.dot(x, tl.trans(c), scores, input_precision=PRECISION)
            noise_scores = tl.dot(x, tl.trans(n), noise_scores, input_precision=PRECISION)

    # Weights of the pairs. Walks of a tile are moved apart by STEP, nodes that are not there far away.
    if WALKS > 1:
        place += place // NODES * STEP
        other_place = place
    gap = tl.where(others >= 0, other_place, 2 * _FAR)[None, :] - tl.where(ids >= 0, place, -_FAR)[:, None]
    if TWO_SIDED:
        near = (gap <= STEP) & (gap >= -STEP) & (ids[:, None] != others[None, :])
    else:
        near = (gap > 0) & (gap <= STEP) & (ids[:, None] != others[None, :])
    # Zeros that come from the scores let the compiler lay the mask out like them, and only once; they cost nothing in the end.
    zeros = ((scores.to(tl.int32, bitcast=True) << 1) & 1).to(tl.float32)
    count = tl.sum(tl.where(near, 1.0, zeros), 1)
    positive = tl.sigmoid(scores)
    weight = tl.where(near, 1.0, 0.0)
    row_weight = count
    if TWO_SIDED and CHUNKS == 1:
        item_weight = row_weight  # pairs come in both directions
    else:
        item_weight = tl.sum(weight, 0)
    positive_g = tl.where(near, positive - 1.0, 0.0)
    share = negative_weight / NEGATIVES
    negative = tl.sigmoid(noise_scores)
    kept = (ids[:, None] != noise[None, :]) & (noise >= 0)[None, :]
    negative_g = tl.where(kept, (share * row_weight)[:, None] * negative, 0.0)
    if LOSS:
        loss = tl.sum(tl.where(near, -weight * tl.log(positive + _TINY), 0.0), 1)
        loss += tl.sum(
            tl.where(
                kept & (row_weight > 0.0)[:, None], -(share * row_weight)[:, None] * tl.log(1.0 - negative + _TINY), 0.0
            ),
            1,
        )
        loss_weight = (1.0 + negative_weight) * row_weight

    # What a row takes part in: the weight of its samples.
    noise_weight = tl.zeros([K], tl.float32) + tl.sum(row_weight, 0)
    x_live, c_live, n_live = row_weight > 0.0, item_weight > 0.0, (noise >= 0) & (noise_weight > 0.0)
    noise_weight *= share
    x_positive, x_negative = positive_g.to(PRODUCT), negative_g.to(PRODUCT)
    c_positive, n_negative = tl.trans(x_positive), tl.trans(x_negative)
    if MERGE_NEGATIVES:
        same, first = _repeats(noise, K, PRODUCT)
        n_live = n_live & first
        n_negative = tl.dot(same, n_negative, input_precision=PRECISION).to(PRODUCT)
        noise_weight = tl.sum(tl.where(same > 0.0, noise_weight[None, :], 0.0), 1)
    if MERGE:  # places without a sample stand for no node: they have nothing to add up
        same, first = _repeats(tl.where(x_live, ids, -1), T, PRODUCT)
        x_live = x_live & first
        x_positive = tl.dot(same, x_positive, input_precision=PRECISION).to(PRODUCT)
        x_negative = tl.dot(same, x_negative, input_precision=PRECISION).to(PRODUCT)
        row_weight = tl.sum(tl.where(same > 0.0, row_weight[None, :], 0.0), 1)
        if not TWO_SIDED or CHUNKS > 1:
            same, first = _repeats(tl.where(c_live, others, -1), W, PRODUCT)
        c_live = c_live & first
        c_positive = tl.dot(same, c_positive, input_precision=PRECISION).to(PRODUCT)
        item_weight = tl.sum(tl.where(same > 0.0, item_weight[None, :], 0.0), 1)
    if MOVED and K < T:  # tensor cores take T rows at a time: those behind the negatives are 0
        copies = tl.arange(0, T // K)[:, None, None] == 0
        n_negative = tl.reshape(tl.where(copies, n_negative[None, :, :], 0.0).to(PRODUCT), (T, T))
    x_decay = (weight_decay * (1.0 + negative_weight) * row_weight)[:, None]
    c_decay = (weight_decay * item_weight)[:, None]
    n_decay = (weight_decay * noise_weight)[:, None]

    if FOLD:  # the decay as one more product, so that rows need not be kept in registers
        x_decay = tl.where(index[:, None] == index[None, :], x_decay, 0.0).to(PRODUCT)
        c_decay = tl.where(tl.arange(0, W)[:, None] == tl.arange(0, W)[None, :], c_decay, 0.0).to(PRODUCT)
    factors = (x_positive, x_negative, c_positive, n_negative, x_decay, c_decay, n_decay)

    x_rate, c_rate, n_rate = rate, rate, rate
    if CAPPED:
        x_rate = tl.minimum(rate, tl.load(largest_rate + ids, mask=ids >= 0, other=0.0))
        c_rate = (
            x_rate if CHUNKS == 1 else tl.minimum(rate, tl.load(largest_rate + others, mask=others >= 0, other=0.0))
        )
        n_rate = tl.minimum(rate, tl.load(largest_rate + noise, mask=noise >= 0, other=0.0))
    if CLIP:  # the lengths of the gradients must be known before the first block is changed
        x_square, c_square, n_square = tl.zeros([T], tl.float32), tl.zeros([W], tl.float32), tl.zeros([K], tl.float32)
        if KEEP:
            for block in tl.static_range(BLOCKS):
                a, b, c = _squares(xs[block], cs[block], ns[block], factors, K, FOLD, PRECISION)
                x_square, c_square, n_square = x_square + a, c_square + b, n_square + c
        else:
            for block in tl.range(0, BLOCKS):
                x, c, n = _read_block(vertex, context, nodes, row, block * D, D, EVEN, MOVED, PRODUCT, FRESH)
                a, b, c = _squares(x, c, n, factors, K, FOLD, PRECISION)
                x_square, c_square, n_square = x_square + a, c_square + b, n_square + c
        x_rate, c_rate = clipped(x_square, x_rate, s0), clipped(c_square, c_rate, s0)
        n_rate = clipped(n_square, n_rate, s0)
    if CLIP or CAPPED:
        x_rate, c_rate, n_rate = x_rate[:, None], c_rate[:, None], n_rate[:, None]
    rows = (x_live, c_live, n_live, x_rate, c_rate, n_rate)
    tables = (vertex, context, vertex_m1, vertex_m2, context_m1, context_m2)
    numbers = (s0, s1, s2, row, seed + unit)
    if KEEP:
        for block in tl.static_range(BLOCKS):
            _change(
                tables, nodes, rows, numbers, factors, xs[block], cs[block], ns[block], block * D, K,
                OPTIMIZER, UPDATE, RELOAD, FOLD, D, EVEN, PRECISION,
            )  # fmt: skip
    else:
        for block in tl.range(0, BLOCKS):
            x, c, n = _read_block(vertex, context, nodes, row, block * D, D, EVEN, MOVED, PRODUCT, FRESH)
            _change(
                tables, nodes, rows, numbers, factors, x, c, n, block * D, K,
                OPTIMIZER, UPDATE, RELOAD, FOLD, D, EVEN, PRECISION,
            )  # fmt: skip

    tl.atomic_add(num_pairs, tl.sum(count, 0).to(tl.int64), sem="relaxed")
    if LOSS:
        tl.atomic_add(statistics, tl.sum(loss, 0).to(tl.float64), sem="relaxed")
        tl.atomic_add(statistics + 1, tl.sum(loss_weight, 0).to(tl.float64), sem="relaxed")


@jit(varying=("num_walk", "num_unit", "seed"))
def train_tiles(
    vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, walks, walk_stride, place_stride, num_walk, negatives,
    largest_rate, lr, row, negative_weight, weight_decay, s0, s1, s2, seed, num_pairs, statistics, num_unit,
    NODES: tl.constexpr, WALKS: tl.constexpr, CHUNKS: tl.constexpr, STEP: tl.constexpr, TWO_SIDED: tl.constexpr,
    NEGATIVES: tl.constexpr, K: tl.constexpr, OPTIMIZER: tl.constexpr, CLIP: tl.constexpr,
    UPDATE: tl.constexpr, MERGE: tl.constexpr, MERGE_NEGATIVES: tl.constexpr, RELOAD: tl.constexpr, T: tl.constexpr, W: tl.constexpr,
    D: tl.constexpr, BLOCKS: tl.constexpr, EVEN: tl.constexpr, PRODUCT: tl.constexpr, PRECISION: tl.constexpr, LOSS: tl.constexpr,
    FOLD: tl.constexpr, KEEP: tl.constexpr, FRESH: tl.constexpr, CAPPED: tl.constexpr, LOOP: tl.constexpr, ALONE: tl.constexpr,
):  # fmt: skip
    """Train all units: a program each, or, to have fewer under way at a time, as many programs as there are, in turns."""
    if LOOP:
        for unit in tl.range(tl.program_id(0), num_unit, tl.num_programs(0)):
            _train_unit(
                unit, vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, walks, walk_stride, place_stride,
                num_walk, negatives, largest_rate, lr, row, negative_weight, weight_decay, s0, s1, s2, seed, num_pairs,
                statistics, NODES, WALKS, CHUNKS, STEP, TWO_SIDED, NEGATIVES, K, OPTIMIZER, CLIP, UPDATE, MERGE, MERGE_NEGATIVES,
                RELOAD, T, W, D, BLOCKS, EVEN, PRODUCT, PRECISION, LOSS, FOLD, KEEP, FRESH, CAPPED,
            )  # fmt: skip
            if ALONE:  # the next unit reads rows that other threads have just changed; among several programs it may miss changes anyway
                tl.debug_barrier()
    else:
        _train_unit(
            tl.program_id(0), vertex, context, vertex_m1, vertex_m2, context_m1, context_m2, walks, walk_stride,
            place_stride, num_walk, negatives, largest_rate, lr, row, negative_weight, weight_decay, s0, s1, s2, seed,
            num_pairs, statistics, NODES, WALKS, CHUNKS, STEP, TWO_SIDED, NEGATIVES, K, OPTIMIZER, CLIP, UPDATE,
            MERGE, MERGE_NEGATIVES, RELOAD, T, W, D, BLOCKS, EVEN, PRODUCT, PRECISION, LOSS, FOLD, KEEP, FRESH, CAPPED,
        )  # fmt: skip
