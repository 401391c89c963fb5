"""Queries and scores of triples, and their gradients; :mod:`nodeloom.kernels.reference.relational` is the definition."""

from __future__ import annotations

import torch

from nodeloom.kernels.gpu import _pairwise, _queries


def queries(operator, heads, relations):
    """Return the queries of head rows [B, D] and relation rows [B, Dr], float32 [B, D]."""
    heads, relations = heads.float().contiguous(), relations.float().contiguous()
    out = torch.empty_like(heads)
    _queries.ask(_queries.CODES[operator], _queries.NO_TRUTH, heads, relations, None, out)
    return out


def query_gradients(operator, heads, relations, d_queries):
    """Return the gradients of the head rows and of the relation rows, given that of the queries."""
    heads, relations = heads.float().contiguous(), relations.float().contiguous()
    d_heads, d_relations = torch.empty_like(heads), torch.empty_like(relations)
    _queries.answer(
        _queries.CODES[operator], _queries.NO_TRUTH, heads, relations, None, d_queries.float().contiguous(), d_heads, d_relations
    )  # fmt: skip
    return d_heads, d_relations


def scores(comparator, asked, candidates):
    """Return the scores of queries [B, D] with candidate rows [K, D], float32 [B, K]."""
    asked, candidates = asked.float(), candidates.float()
    if comparator == "dot":
        return asked @ candidates.T
    out = torch.empty(len(asked), len(candidates), device=asked.device)
    _pairwise.scores(_pairwise.CODES[comparator], asked, candidates, out)
    return out


def score_gradients(comparator, asked, candidates, d_scores):
    """Return the gradients of the queries and of the candidates, given that of the scores [B, K]; at a distance of 0 it is 0."""
    asked, candidates, d_scores = (rows.float().contiguous() for rows in (asked, candidates, d_scores))
    if comparator == "dot":
        return d_scores @ candidates, d_scores.T @ asked
    mode = _pairwise.CODES[comparator]
    values = scores(comparator, asked, candidates) if comparator == "l2" else d_scores
    return (
        _pairwise.query_gradients(mode, asked, candidates, values, d_scores),
        _pairwise.query_gradients(mode, candidates, asked, values.T, d_scores.T.contiguous()),
    )
