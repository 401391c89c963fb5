"""Queries of triples and their gradients in Triton: rows of tables in, rows of a batch out.

A program takes one triple and some numbers of its rows, whose parts (real and imaginary, or four of a quaternion) are far apart.
"""

from __future__ import annotations

from nodeloom.kernels.gpu._triton import ceil_div, jit, on_device_of, tl, triton

TRANSLATE, MULTIPLY, COMPLEX, SWAP, ROTATE, HAMILTON = range(6)
CODES = {
    "translate": TRANSLATE,
    "multiply": MULTIPLY,
    "complex": COMPLEX,
    "swap": SWAP,
    "rotate": ROTATE,
    "hamilton": HAMILTON,
}
NO_TRUTH, DOT, L1, L2, SQUARED, MODULUS = range(6)
"""How a query is compared with the truth: not at all, since that is one of all rows, or by a comparator."""
COMPARATORS = {"dot": DOT, "l1": L1, "l2": L2, "squared": SQUARED, "modulus": MODULUS}
PARTS = (1, 1, 2, 2, 2, 4)
"""Values of a number of an entity row."""

_TRANSLATE, _MULTIPLY, _COMPLEX, _SWAP, _ROTATE = (
    tl.constexpr(code) for code in (TRANSLATE, MULTIPLY, COMPLEX, SWAP, ROTATE)
)
_NO_TRUTH, _DOT, _L1, _L2, _SQUARED, _MODULUS = (
    tl.constexpr(code) for code in (NO_TRUTH, DOT, L1, L2, SQUARED, MODULUS)
)
_WIDEST = 1024  # numbers that a program takes


@jit
def _hamilton(a0, a1, a2, a3, b0, b1, b2, b3):
    return (
        a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3,
        a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2,
        a0 * b2 - a1 * b3 + a2 * b0 + a3 * b1,
        a0 * b3 + a1 * b2 - a2 * b1 + a3 * b0,
    )


@jit
def _query(h0, h1, h2, h3, r0, r1, r2, r3, OPERATOR: tl.constexpr):
    """Return the parts of a query; parts that rows have not are those of the first."""
    if OPERATOR == _TRANSLATE:
        q0, q1, q2, q3 = h0 + r0, h0, h0, h0
    elif OPERATOR == _MULTIPLY:
        q0, q1, q2, q3 = h0 * r0, h0, h0, h0
    elif OPERATOR == _SWAP:
        q0, q1, q2, q3 = h1 * r1, h0 * r0, h0, h0
    elif OPERATOR == _COMPLEX:
        q0, q1, q2, q3 = h0 * r0 - h1 * r1, h0 * r1 + h1 * r0, h0, h0
    elif OPERATOR == _ROTATE:
        c, s = tl.cos(r0), tl.sin(r0)
        q0, q1, q2, q3 = h0 * c - h1 * s, h0 * s + h1 * c, h0, h0
    else:
        q0, q1, q2, q3 = _hamilton(h0, h1, h2, h3, r0, r1, r2, r3)
    return q0, q1, q2, q3


@jit
def _parts(table, at, num, mask, PARTS: tl.constexpr):
    """Return the parts of numbers at `at`, each `num` behind the one before; those that there are not are the first."""
    a0 = tl.load(table + at, mask=mask, other=0.0)
    a1, a2, a3 = a0, a0, a0
    if PARTS > 1:
        a1 = tl.load(table + at + num, mask=mask, other=0.0)
    if PARTS > 2:
        a2 = tl.load(table + at + 2 * num, mask=mask, other=0.0)
        a3 = tl.load(table + at + 3 * num, mask=mask, other=0.0)
    return a0, a1, a2, a3


@jit
def _store_parts(table, at, num, mask, a0, a1, a2, a3, PARTS: tl.constexpr):
    kind: tl.constexpr = table.dtype.element_ty
    tl.store(table + at, a0.to(kind), mask=mask)
    if PARTS > 1:
        tl.store(table + at + num, a1.to(kind), mask=mask)
    if PARTS > 2:
        tl.store(table + at + 2 * num, a2.to(kind), mask=mask)
        tl.store(table + at + 3 * num, a3.to(kind), mask=mask)


@jit
def _row(ids, item, GATHERED: tl.constexpr):
    row = item
    if GATHERED:
        row = tl.load(ids + item).to(tl.int64)
    return row


@jit
def _queries(
    entity, relation, heads, relations, tails, out, rounded, positive, num, entity_stride, relation_stride, out_stride, rounded_stride,
    OPERATOR: tl.constexpr, COMPARATOR: tl.constexpr, PARTS: tl.constexpr, GATHERED: tl.constexpr, ROUNDED: tl.constexpr,
    W: tl.constexpr,
):  # fmt: skip
    item = tl.program_id(0).to(tl.int64)
    h_at = _row(heads, item, GATHERED) * entity_stride
    r_at = _row(relations, item, GATHERED) * relation_stride
    RELATION_PARTS: tl.constexpr = 1 if OPERATOR == _ROTATE else PARTS
    total = tl.zeros([W], tl.float32)
    if COMPARATOR != _NO_TRUTH:
        t_at = _row(tails, item, GATHERED) * entity_stride
    for begin in range(0, num, W):
        number = begin + tl.arange(0, W)
        mask = number < num
        h0, h1, h2, h3 = _parts(entity, h_at + number, num, mask, PARTS)
        r0, r1, r2, r3 = _parts(relation, r_at + number, num, mask, RELATION_PARTS)
        q0, q1, q2, q3 = _query(h0, h1, h2, h3, r0, r1, r2, r3, OPERATOR)
        _store_parts(out, item * out_stride + number, num, mask, q0, q1, q2, q3, PARTS)
        if ROUNDED:
            _store_parts(rounded, item * rounded_stride + number, num, mask, q0, q1, q2, q3, PARTS)
        if COMPARATOR != _NO_TRUTH:
            t0, t1, t2, t3 = _parts(entity, t_at + number, num, mask, PARTS)
            a = _compared(q0, t0, COMPARATOR)
            if PARTS > 1:
                a += _compared(q1, t1, COMPARATOR)
            if PARTS > 2:
                a += _compared(q2, t2, COMPARATOR) + _compared(q3, t3, COMPARATOR)
            if COMPARATOR == _MODULUS:
                a = -tl.sqrt(-a)
            total += tl.where(mask, a, 0.0)
    if COMPARATOR != _NO_TRUTH:
        score = tl.sum(total, 0)
        if COMPARATOR == _L2:
            score = -tl.sqrt(-score)
        tl.store(positive + item, score)


@jit
def _compared(q, t, COMPARATOR: tl.constexpr):
    """Return the products, minus the distances, or minus their squares."""
    if COMPARATOR == _DOT:
        a = q * t
    elif COMPARATOR == _L1:
        a = -tl.abs(q - t)
    else:
        a = -(q - t) * (q - t)
    return a


@jit
def _gradients(
    entity, relation, heads, relations, tails, d_queries, positive, d_positive, weights, out_heads, out_relations, out_tails, num,
    entity_stride, relation_stride, d_stride, out_stride, out_relation_stride, dura,
    OPERATOR: tl.constexpr, COMPARATOR: tl.constexpr, DURA: tl.constexpr, PARTS: tl.constexpr, GATHERED: tl.constexpr,
    WEIGHTED: tl.constexpr, W: tl.constexpr,
):  # fmt: skip
    item = tl.program_id(0).to(tl.int64)
    number = tl.program_id(1) * W + tl.arange(0, W)
    mask = number < num
    h_at = _row(heads, item, GATHERED) * entity_stride + number
    r_at = _row(relations, item, GATHERED) * relation_stride + number
    RELATION_PARTS: tl.constexpr = 1 if OPERATOR == _ROTATE else PARTS
    h0, h1, h2, h3 = _parts(entity, h_at, num, mask, PARTS)
    r0, r1, r2, r3 = _parts(relation, r_at, num, mask, RELATION_PARTS)
    d0, d1, d2, d3 = _parts(d_queries, item * d_stride + number, num, mask, PARTS)
    if COMPARATOR != _NO_TRUTH or DURA:
        t0, t1, t2, t3 = _parts(entity, _row(tails, item, GATHERED) * entity_stride + number, num, mask, PARTS)
    e0, e1, e2, e3 = 0.0 * d0, 0.0 * d0, 0.0 * d0, 0.0 * d0  # what tails get
    if COMPARATOR != _NO_TRUTH or DURA:
        q0, q1, q2, q3 = _query(h0, h1, h2, h3, r0, r1, r2, r3, OPERATOR)
    if COMPARATOR != _NO_TRUTH:
        g = tl.load(d_positive + item)
        e0, e1, e2, e3 = g * q0, g * q1, g * q2, g * q3
        if COMPARATOR == _DOT:
            d0 += g * t0
            d1 += g * t1
            d2 += g * t2
            d3 += g * t3
        else:
            x0, x1, x2, x3 = q0 - t0, q1 - t1, q2 - t2, q3 - t3
            if COMPARATOR == _L1:
                e0, e1, e2, e3 = _signed(x0, g), _signed(x1, g), _signed(x2, g), _signed(x3, g)
            else:
                if COMPARATOR == _MODULUS:
                    square = x0 * x0 + x1 * x1
                    f = tl.where(square > 0.0, g, 0.0) / tl.sqrt(tl.where(square > 0.0, square, 1.0))
                elif COMPARATOR == _L2:
                    distance = -tl.load(positive + item)
                    f = tl.where(distance > 0.0, g, 0.0) / tl.where(distance > 0.0, distance, 1.0)
                else:
                    f = 2.0 * g
                e0, e1, e2, e3 = f * x0, f * x1, f * x2, f * x3
            d0 -= e0
            d1 -= e1
            d2 -= e2
            d3 -= e3
    if DURA:
        f = 2.0 * dura
        if WEIGHTED:
            f *= tl.load(weights + item)
        d0, d1, d2, d3 = d0 + f * q0, d1 + f * q1, d2 + f * q2, d3 + f * q3
        e0, e1, e2, e3 = e0 + f * t0, e1 + f * t1, e2 + f * t2, e3 + f * t3
    # From the query to the head and the relation.
    if OPERATOR == _TRANSLATE:
        a0, a1, a2, a3 = d0, d1, d2, d3
        b0, b1, b2, b3 = d0, d1, d2, d3
    elif OPERATOR == _MULTIPLY:
        a0, a1, a2, a3 = d0 * r0, d1, d2, d3
        b0, b1, b2, b3 = d0 * h0, d1, d2, d3
    elif OPERATOR == _SWAP:
        a0, a1, a2, a3 = d1 * r0, d0 * r1, d2, d3
        b0, b1, b2, b3 = d1 * h0, d0 * h1, d2, d3
    elif OPERATOR == _COMPLEX:
        a0, a1, a2, a3 = d0 * r0 + d1 * r1, d1 * r0 - d0 * r1, d2, d3
        b0, b1, b2, b3 = d0 * h0 + d1 * h1, d1 * h0 - d0 * h1, d2, d3
    elif OPERATOR == _ROTATE:
        c, s = tl.cos(r0), tl.sin(r0)
        a0, a1, a2, a3 = d0 * c + d1 * s, d1 * c - d0 * s, d2, d3
        b0, b1, b2, b3 = d1 * (h0 * c - h1 * s) - d0 * (h0 * s + h1 * c), d1, d2, d3
    else:
        a0, a1, a2, a3 = _hamilton(d0, d1, d2, d3, r0, -r1, -r2, -r3)
        b0, b1, b2, b3 = _hamilton(h0, -h1, -h2, -h3, d0, d1, d2, d3)
    _store_parts(out_heads, item * out_stride + number, num, mask, a0, a1, a2, a3, PARTS)
    _store_parts(out_relations, item * out_relation_stride + number, num, mask, b0, b1, b2, b3, RELATION_PARTS)
    if COMPARATOR != _NO_TRUTH or DURA:
        _store_parts(out_tails, item * out_stride + number, num, mask, e0, e1, e2, e3, PARTS)


@jit
def _signed(x, g):
    return tl.where(x > 0.0, g, tl.where(x < 0.0, -g, 0.0))


def _shape(operator, dim):
    num = dim // PARTS[operator]
    return num, min(_WIDEST // PARTS[operator], max(16, triton.next_power_of_2(num)))


def ask(operator, comparator, entity, relation, batch, out, *, rounded=None, positive=None):
    """Write the queries of a batch and, where they are asked for, their scores with the truth.

    Parameters
    ----------
    operator, comparator : int
        TRANSLATE ... HAMILTON; NO_TRUTH for no scores, or DOT ... MODULUS.
    entity, relation : float32 [N, D], float32 [2 R, Dr], contiguous columns
        The tables.
    batch : tuple of int [B] tensors, or None
        Heads, relations and tails, as rows of the tables; None if the tables are the rows of a batch.
    out : float32 [B, D]
        Written: queries.
    rounded : bfloat16 [B, D or more], optional
        Written: queries, rounded.
    positive : float32 [B], optional
        Written: scores of the truth.
    """
    heads, relations, tails = (None, None, None) if batch is None else batch
    num, width = _shape(operator, out.shape[1])
    if out.numel() == 0:
        return
    with on_device_of(out):
        _queries[(len(out),)](
            entity, relation, heads, relations, tails, out, rounded, positive, num, entity.stride(0), relation.stride(0),
            out.stride(0), 0 if rounded is None else rounded.stride(0),
            OPERATOR=operator, COMPARATOR=comparator, PARTS=PARTS[operator], GATHERED=batch is not None, ROUNDED=rounded is not None,
            W=width, num_warps=4,
        )  # fmt: skip


def answer(
    operator, comparator, entity, relation, batch, d_queries, out_heads, out_relations, *,
    out_tails=None, positive=None, d_positive=None, dura=0.0, weights=None,
):  # fmt: skip
    """Write the gradients of the rows of a batch, one row for each triple, given those of its queries.

    Parameters
    ----------
    operator, comparator, entity, relation, batch
        See :func:`ask`.
    d_queries : float32 [B, D]
        Gradients of the queries, without what comes from the truth unless that is NO_TRUTH.
    out_heads, out_relations, out_tails : float32 [B, D], float32 [B, Dr], float32 [B, D]
        Written. Tails get gradients from `comparator` and from DURA only.
    positive, d_positive : float32 [B]
        Scores of the truth and their gradients, with a comparator.
    dura : float
        Weight of DURA (Zhang, Cai and Wang, NeurIPS 2020) divided by the triples of a batch; 0 for none.
    weights : float32 [B], optional
        Weights of the triples, which DURA takes too.
    """
    heads, relations, tails = (None, None, None) if batch is None else batch
    num, width = _shape(operator, d_queries.shape[1])
    if d_queries.numel() == 0:
        return
    with on_device_of(d_queries):
        _gradients[(len(d_queries), ceil_div(num, width))](
            entity, relation, heads, relations, tails, d_queries, positive, d_positive, weights, out_heads, out_relations, out_tails,
            num, entity.stride(0), relation.stride(0), d_queries.stride(0), out_heads.stride(0), out_relations.stride(0), dura,
            OPERATOR=operator, COMPARATOR=comparator, DURA=dura != 0.0, PARTS=PARTS[operator], GATHERED=batch is not None,
            WEIGHTED=weights is not None, W=width, num_warps=4,
        )  # fmt: skip
