"""Queries and distances of single rows, inlined into the kernels of triples."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

TRANSLATE, MULTIPLY, COMPLEX, SWAP, ROTATE, HAMILTON = range(6)
OPERATORS = {"translate": 0, "multiply": 1, "complex": 2, "swap": 3, "rotate": 4, "hamilton": 5}
DOT, L1, L2, SQUARED, MODULUS = range(5)
COMPARATORS = {"dot": 0, "l1": 1, "l2": 2, "squared": 3, "modulus": 4}

_ZERO, _ONE, _TWO = np.float32(0.0), np.float32(1.0), np.float32(2.0)


@jit(inline=True)
def query(operator, head, relation, out):
    """Write the query of a head row and a relation row."""
    dim = len(head)
    half, quarter = dim // 2, dim // 4
    if operator == TRANSLATE:
        for d in range(dim):
            out[d] = head[d] + relation[d]
    elif operator == MULTIPLY:
        for d in range(dim):
            out[d] = head[d] * relation[d]
    elif operator == SWAP:
        for d in range(half):
            out[half + d] = head[d] * relation[d]
        for d in range(half):
            out[d] = head[half + d] * relation[half + d]
    elif operator == COMPLEX:
        for d in range(half):
            a, b, c, e = head[d], head[half + d], relation[d], relation[half + d]
            out[d] = a * c - b * e
            out[half + d] = a * e + b * c
    elif operator == ROTATE:
        for d in range(half):
            a, b, c, e = head[d], head[half + d], np.cos(relation[d]), np.sin(relation[d])
            out[d] = a * c - b * e
            out[half + d] = a * e + b * c
    else:
        _hamilton(head, relation, _ONE, _ONE, quarter, out)


@jit(inline=True)
def _hamilton(a, b, sign_a, sign_b, quarter, out):
    """Write the Hamilton product of two rows of quaternions, each conjugated if its sign is -1."""
    for d in range(quarter):
        a0, a1, a2, a3 = a[d], a[quarter + d] * sign_a, a[2 * quarter + d] * sign_a, a[3 * quarter + d] * sign_a
        b0, b1, b2, b3 = b[d], b[quarter + d] * sign_b, b[2 * quarter + d] * sign_b, b[3 * quarter + d] * sign_b
        out[d] = a0 * b0 - a1 * b1 - a2 * b2 - a3 * b3
        out[quarter + d] = a0 * b1 + a1 * b0 + a2 * b3 - a3 * b2
        out[2 * quarter + d] = a0 * b2 - a1 * b3 + a2 * b0 + a3 * b1
        out[3 * quarter + d] = a0 * b3 + a1 * b2 - a2 * b1 + a3 * b0


@jit(inline=True)
def query_gradient(operator, head, relation, d_query, d_head, d_relation):
    """Write the gradients of a head row and a relation row, given that of the query."""
    dim = len(head)
    half, quarter = dim // 2, dim // 4
    if operator == TRANSLATE:
        for d in range(dim):
            d_head[d] = d_query[d]
            d_relation[d] = d_query[d]
    elif operator == MULTIPLY:
        for d in range(dim):
            d_head[d] = d_query[d] * relation[d]
            d_relation[d] = d_query[d] * head[d]
    elif operator == SWAP:
        for d in range(half):
            d_head[d] = d_query[half + d] * relation[d]
            d_relation[d] = d_query[half + d] * head[d]
        for d in range(half):
            d_head[half + d] = d_query[d] * relation[half + d]
            d_relation[half + d] = d_query[d] * head[half + d]
    elif operator == COMPLEX:
        for d in range(half):
            a, b, c, e, x, y = head[d], head[half + d], relation[d], relation[half + d], d_query[d], d_query[half + d]
            d_head[d] = x * c + y * e
            d_head[half + d] = y * c - x * e
            d_relation[d] = x * a + y * b
            d_relation[half + d] = y * a - x * b
    elif operator == ROTATE:
        for d in range(half):
            a, b, x, y = head[d], head[half + d], d_query[d], d_query[half + d]
            c, e = np.cos(relation[d]), np.sin(relation[d])
            d_head[d] = x * c + y * e
            d_head[half + d] = y * c - x * e
            d_relation[d] = y * (a * c - b * e) - x * (a * e + b * c)
    else:
        _hamilton(d_query, relation, _ONE, -_ONE, quarter, d_head)
        _hamilton(head, d_query, -_ONE, _ONE, quarter, d_relation)


@jit(inline=True)
def score(comparator, asked, row):
    """Return the score of a query with a row: their product, or minus their distance."""
    dim = len(asked)
    total = _ZERO
    if comparator == DOT:
        for d in range(dim):
            total += asked[d] * row[d]
        return total
    if comparator == L1:
        for d in range(dim):
            total += np.abs(asked[d] - row[d])
    elif comparator == MODULUS:
        half = dim // 2
        for d in range(half):
            x, y = asked[d] - row[d], asked[half + d] - row[half + d]
            total += np.sqrt(x * x + y * y)
    else:
        for d in range(dim):
            x = asked[d] - row[d]
            total += x * x
        if comparator == L2:
            total = np.sqrt(total)
    return -total


@jit(inline=True)
def add_slopes(comparator, asked, row, weight, d_asked, d_row):
    """Add `weight` times the gradient of a distance's score in the query and in the row to both."""
    dim = len(asked)
    if comparator == L1:
        for d in range(dim):
            x = asked[d] - row[d]
            step = weight if x > _ZERO else (-weight if x < _ZERO else _ZERO)
            d_asked[d] -= step
            d_row[d] += step
    elif comparator == MODULUS:
        half = dim // 2
        for d in range(half):
            x, y = asked[d] - row[d], asked[half + d] - row[half + d]
            square = x * x + y * y
            factor = weight / np.sqrt(square) if square > _ZERO else _ZERO
            x *= factor
            y *= factor
            d_asked[d] -= x
            d_asked[half + d] -= y
            d_row[d] += x
            d_row[half + d] += y
    else:
        factor = _TWO * weight
        if comparator == L2:
            total = _ZERO
            for d in range(dim):
                x = asked[d] - row[d]
                total += x * x
            factor = weight / np.sqrt(total) if total > _ZERO else _ZERO
        for d in range(dim):
            step = factor * (asked[d] - row[d])
            d_asked[d] -= step
            d_row[d] += step


@jit(inline=True)
def add_slope(comparator, asked, row, weight, out):
    """Add `weight` times the gradient of a score in the query to `out`; in the row of a distance it is the opposite."""
    dim = len(asked)
    if comparator == DOT:
        for d in range(dim):
            out[d] += weight * row[d]
    elif comparator == L1:
        for d in range(dim):
            x = asked[d] - row[d]
            out[d] -= weight if x > _ZERO else (-weight if x < _ZERO else _ZERO)
    elif comparator == SQUARED:
        for d in range(dim):
            out[d] -= _TWO * weight * (asked[d] - row[d])
    elif comparator == L2:
        total = _ZERO
        for d in range(dim):
            x = asked[d] - row[d]
            total += x * x
        if total > _ZERO:
            factor = weight / np.sqrt(total)
            for d in range(dim):
                out[d] -= factor * (asked[d] - row[d])
    else:
        half = dim // 2
        for d in range(half):
            x, y = asked[d] - row[d], asked[half + d] - row[half + d]
            square = x * x + y * y
            factor = weight / np.sqrt(square) if square > _ZERO else _ZERO
            out[d] -= factor * x
            out[half + d] -= factor * y
