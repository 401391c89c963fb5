"""What float32 says of queries and rows, by how much it may be wrong, and the score that decides where that is not enough."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu.relational import compare

KINDS = {"dot": 0, "l1": 1, "l2": 2, "squared": 3, "modulus": 4}
"""Comparators as numbers."""

_UNIT = 2.0**-24  # of float32
_LEAST = 1e-36  # below it float32 loses bits


@jit(fastmath=False)
def score_pair(kind, q, e, terms):
    """Return the score of a pair of rows, which is the same for the same values; `terms` is memory, a power of two long."""
    dim = q.size
    if kind == 4:
        dim //= 2
    width = terms.size
    if kind == 0:
        for d in range(dim):
            terms[d] = np.float64(q[d]) * np.float64(e[d])
    elif kind == 1:
        for d in range(dim):
            terms[d] = abs(np.float64(q[d]) - np.float64(e[d]))
    elif kind == 4:
        for d in range(dim):
            x = np.float64(q[d]) - np.float64(e[d])
            y = np.float64(q[d + dim]) - np.float64(e[d + dim])
            terms[d] = np.sqrt(x * x + y * y)
    else:
        for d in range(dim):
            x = np.float64(q[d]) - np.float64(e[d])
            terms[d] = x * x
    for d in range(dim, width):
        terms[d] = 0.0
    while width > 1:
        width //= 2
        for d in range(width):
            terms[d] += terms[d + width]
    total = terms[0]
    if kind == 2:
        total = np.sqrt(total)
    if kind != 0:
        total = -total
    if np.isnan(total):
        return -np.inf
    return total


def width_of(kind, dim):
    """Return the power of two that the terms of a pair are filled up to."""
    return 1 << max(0, (dim // 2 if kind == 4 else dim) - 1).bit_length()


@jit
def _lengths(rows, out):
    """Set `out` [T] to the length of each row, infinity for one whose products float32 may not hold."""
    for t in range(rows.shape[0]):
        row = rows[t]
        total = 0.0
        for d in range(row.size):
            total += np.float64(row[d]) * np.float64(row[d])
        if total < 1e36:
            out[t] = np.float32(1.001 * np.sqrt(total))
        else:  # NaN too
            out[t] = np.inf


class RowFilter:
    """What rises with the score, in float32, and by how much it may be wrong.

    A float32 product of D terms is wrong by at most D units of the product of the lengths, in any order of the sum. A sum of
    distances is wrong by as many units of itself. L2 distances are compared by ``2 q e - e e = q q - distance^2``.
    """

    def __init__(self, comparator, asked):
        self.comparator, self.kind, self.dim = comparator, KINDS[comparator], asked.shape[1]
        kind = self.kind
        self.gamma = gamma = 1.01 * (self.dim + 8) * _UNIT
        lengths = np.empty(len(asked), np.float32)
        _lengths(asked, lengths)
        self.lengths = lengths.astype(np.float64)
        with np.errstate(all="ignore"):  # infinite and missing values are allowed
            if kind == 0:
                slopes = np.where(self.lengths > 0, np.maximum(gamma * self.lengths, _LEAST), 0.0)
            elif kind in (2, 3):
                self.squares = np.einsum("ij,ij->i", asked, asked, dtype=np.float64)
                slopes = np.full(len(asked), 4 * gamma)
            else:
                slopes = np.where(self.lengths < np.inf, 0.0, np.inf)
            self.slopes = slopes.astype(np.float32)

    def values(self, query, scores):
        """Return what the filter would say of scores of queries, and by how much it may be wrong besides: float32 [n] each."""
        with np.errstate(all="ignore"):
            if self.kind == 0:
                values, slack = scores, 0.0
            elif self.kind in (2, 3):
                values = self.squares[query] - (scores * scores if self.kind == 2 else -scores)
                slack = 4 * self.gamma * self.lengths[query] ** 2
            else:
                # Squares that are too small for float32 cost a modulus no more than 1e-22.
                values, slack = scores, 2 * self.gamma * np.abs(scores) + self.dim * 1e-22
            slack = 1.01 * slack + 8 * _UNIT * np.abs(values) + _LEAST
            return values.astype(np.float32), slack.astype(np.float32)

    def scores(self, query, values):
        """Return the scores that the filter stands for, float64 [n]."""
        values = values.astype(np.float64)
        if self.kind not in (2, 3):
            return values
        squares = np.maximum(self.squares[query] - values, 0.0)
        return -np.sqrt(squares) if self.kind == 2 else -squares

    def block(self, asked, rows, memory):
        """Return what the filter says of queries and rows, float32 [B, T], and the size of the rows, float32 [T]."""
        filtered = memory[: len(asked), : len(rows)]
        lengths = np.empty(len(rows), np.float32)
        _lengths(rows, lengths)
        if self.kind in (1, 4):
            compare(self.comparator, asked, rows, filtered)
            return filtered, lengths
        with np.errstate(all="ignore"):
            np.matmul(asked, rows.T, out=filtered)
            if self.kind in (2, 3):
                lengths *= lengths
                filtered *= np.float32(2.0)
                filtered -= np.einsum("ij,ij->i", rows, rows)
        return filtered, lengths
