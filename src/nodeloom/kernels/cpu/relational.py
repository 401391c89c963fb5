"""Queries and scores of triples on the CPU; :mod:`nodeloom.kernels.reference.relational` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit
from nodeloom.kernels.cpu._relational_rows import COMPARATORS, OPERATORS, add_slopes, query, query_gradient, score

_TILE = 32  # rows that stay in the first cache while others pass by
_PAIRED = 16  # the same, with their gradients


def queries(operator, heads, relations):
    """Return the queries ``f(head, relation)``, float32 [B, D]."""
    out = np.empty_like(heads)
    _queries(OPERATORS[operator], heads, relations, out)
    return out


def query_gradients(operator, heads, relations, d_queries):
    """Return the gradients of the head rows and of the relation rows, given that of the queries."""
    d_heads, d_relations = np.empty_like(heads), np.empty_like(relations)
    _query_gradients(OPERATORS[operator], heads, relations, d_queries, d_heads, d_relations)
    return d_heads, d_relations


def scores(comparator, asked, candidates):
    """Return the scores of queries [B, D] with candidate rows [K, D], float32 [B, K]."""
    out = np.empty((len(asked), len(candidates)), np.float32)
    compare(comparator, asked, candidates, out)
    return out


def score_gradients(comparator, asked, candidates, d_scores):
    """Return the gradients of the queries and of the candidates, given that of the scores [B, K]; at a distance of 0 it is 0."""
    d_queries, d_candidates = np.empty_like(asked), np.empty_like(candidates)
    if comparator == "dot":
        np.matmul(d_scores, candidates, out=d_queries)
        np.matmul(d_scores.T, asked, out=d_candidates)
    else:
        distance_gradients(COMPARATORS[comparator], asked, candidates, d_scores, d_queries, d_candidates)
    return d_queries, d_candidates


def compare(comparator, asked, candidates, out):
    """Write the scores of queries [B, D] with candidate rows [K, D] to `out` [B, K]."""
    if comparator == "dot":
        np.matmul(asked, candidates.T, out=out)
    else:
        _distances(COMPARATORS[comparator], asked, candidates, out)


@jit
def _queries(operator, heads, relations, out):
    for b in range(len(heads)):
        query(operator, heads[b], relations[b], out[b])


@jit
def _query_gradients(operator, heads, relations, d_queries, d_heads, d_relations):
    for b in range(len(heads)):
        query_gradient(operator, heads[b], relations[b], d_queries[b], d_heads[b], d_relations[b])


@jit
def _distances(comparator, asked, candidates, out):
    for first in range(0, len(candidates), _TILE):
        last = min(first + _TILE, len(candidates))
        for b in range(len(asked)):
            for k in range(first, last):
                out[b, k] = score(comparator, asked[b], candidates[k])


@jit
def distance_gradients(comparator, asked, candidates, d_scores, d_queries, d_candidates):
    """Write the gradients of queries [B, D] and of candidates [K, D], given those of their scores, float32 [B, K].

    Both come of one pass: it takes the roots once, and needs no array of differences.
    """
    d_queries[:] = 0.0
    d_candidates[:] = 0.0
    for first in range(0, len(candidates), _PAIRED):
        last = min(first + _PAIRED, len(candidates))
        for b in range(len(asked)):
            for k in range(first, last):
                weight = d_scores[b, k]
                if weight != 0.0:
                    add_slopes(comparator, asked[b], candidates[k], weight, d_queries[b], d_candidates[k])
