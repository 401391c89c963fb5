"""Ranks of answers by counting; :mod:`nodeloom.kernels.reference.ranking` is the definition.

Rows are filtered by float32: matrix products, or distances in tiles, whose rounding has a bound. A pair that the filter cannot tell from
the answer is scored in float64 in the order that the definition says: so counts are those of the definition.
"""

from __future__ import annotations

import contextlib
import itertools

import torch

from nodeloom.kernels.gpu.relational import scores as tiled_scores

_QUERIES = 2048  # looked at together
_ROWS = 1 << 14  # looked at together
_NUMBERS = 1 << 25  # float64 numbers of pairs held at a time
_UNIT = 2.0**-24  # of float32
_LEAST = 1e-36  # below it float32 loses bits
_MOST = 1e18  # lengths whose products float32 holds


def pair_scores(comparator, asked, rows, candidates, ids, out, *, numbers_at_once=_NUMBERS):
    """Set ``out[i]`` to the score of query ``asked[rows[i]]`` with row ``candidates[ids[i]]``, float64 [n]."""
    step = max(1, numbers_at_once // max(1, asked.shape[1]))
    for first in range(0, len(out), step):
        block = slice(first, first + step)
        out[block] = _scores(comparator, asked[rows[block]], candidates[ids[block]])


def _scores(comparator, q, e):
    """Return the scores of pairs of rows [n, D], float64 [n]: the same for the same values, whatever stands beside them."""
    q, e = q.double(), e.double()
    if comparator == "dot":
        total = _sum(q.mul_(e))
    elif comparator == "l1":
        total = -_sum(q.sub_(e).abs_())
    elif comparator == "modulus":
        real, imaginary = q.sub_(e).chunk(2, dim=1)
        total = -_sum((real * real + imaginary * imaginary).sqrt_())
    else:
        total = _sum(q.sub_(e).mul_(q))
        total = -total.sqrt() if comparator == "l2" else -total
    return torch.where(total.isnan(), -torch.inf, total)


def _sum(terms):
    """Add the second half of the columns to the first half, and so on, as if they were filled up with zeros to a power of two."""
    width = 1 << max(0, terms.shape[1] - 1).bit_length()
    while width > 1:
        width //= 2
        if terms.shape[1] > width:
            terms[:, : terms.shape[1] - width] += terms[:, width:]
            terms = terms[:, :width]
    return terms[:, 0]


def count_rows(
    comparator,
    asked,
    candidates,
    indptr,
    truth,
    better,
    equal,
    *,
    num_query=_QUERIES,
    num_row=_ROWS,
    numbers_at_once=_NUMBERS,
):
    """Count the rows that score above each answer, and those that score as it does; the answer itself is counted as equal.

    Parameters
    ----------
    comparator, asked, candidates, indptr, truth, better, equal
        As in the definition, on one device; tables are float32. Rows may be in main memory: they are copied block by block.
    num_query, num_row : int
        Answers and rows that are looked at together: about 20 bytes for each of their pairs are used.
    numbers_at_once : int
        Numbers of pairs that are scored in float64 at a time.
    """
    better.zero_()
    equal.zero_()
    query_of = torch.repeat_interleave(torch.arange(len(asked), device=asked.device), indptr.diff())
    slopes, slacks, values = _bounds(comparator, asked, query_of, truth)
    with _full_precision():
        for begin in range(0, len(candidates), num_row):
            rows = candidates[begin : begin + num_row].to(asked.device)
            lengths = _lengths(rows)
            squares = lengths * lengths
            for first in range(0, len(truth), num_query):
                block = slice(first, first + num_query)
                query = query_of[block]
                low, high = int(query[0]), int(query[-1]) + 1
                filtered = _filtered(comparator, asked[low:high], rows, squares)
                if len(query) != high - low:
                    filtered = filtered[query - low]
                difference = filtered.sub_(values[block, None])
                sizes = squares if comparator in ("l2", "squared") else lengths
                most = torch.addcmul(slacks[block, None], slopes[query][:, None], sizes[None])
                above = difference > most
                better[block] += above.sum(1)
                near = (~(above | (difference < most.neg_()))).nonzero()
                step = max(1, numbers_at_once // max(1, asked.shape[1]))
                for some in near.split(step):
                    answer = first + some[:, 0]
                    score = _scores(comparator, asked[query_of[answer]], rows[some[:, 1]])
                    better.index_add_(0, answer, (score > truth[answer]).to(better.dtype))
                    equal.index_add_(0, answer, (score == truth[answer]).to(equal.dtype))


def _lengths(rows):
    """Return the length of each row, infinity for one whose products float32 may not hold, float32 [T]."""
    lengths = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64) * 1.001
    return torch.where(lengths < _MOST, lengths, torch.inf).float()


def _bounds(comparator, asked, query_of, truth):
    """Return by how much the filter may be wrong, as slopes [Q] and slacks [n], and what it would say of the answers [n]; float32.

    As on the CPU. Square roots of distances take two units more.
    """
    dim = asked.shape[1]
    gamma = 1.01 * (dim + 8) * _UNIT
    lengths = _lengths(asked).double()
    if comparator == "dot":
        values, slack = truth, torch.zeros_like(truth)
        slopes = torch.where(lengths > 0, (gamma * lengths).clamp(min=_LEAST), 0.0)
    elif comparator in ("l2", "squared"):
        values = asked.double().square().sum(1)[query_of] - (truth.square() if comparator == "l2" else -truth)
        slack, slopes = 4 * gamma * lengths.square()[query_of], torch.full_like(lengths, 4 * gamma)
    else:
        values, slack = truth, 4 * gamma * truth.abs() + dim * 1e-19
        slopes = torch.where(lengths < torch.inf, 0.0, torch.inf)
    return slopes.float(), (1.01 * slack + 8 * _UNIT * values.abs() + _LEAST).float(), values.float()


def _filtered(comparator, asked, rows, squares):
    """Return what rises with the score, float32 [B, T]."""
    if comparator in ("l1", "modulus"):
        return tiled_scores(comparator, asked, rows)
    filtered = asked @ rows.T
    if comparator in ("l2", "squared"):
        filtered.mul_(2.0).sub_(rows.square().sum(1))
    return filtered


@contextlib.contextmanager
def _full_precision():
    """Let products be those of float32, whatever the program has set."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def leave_out(indptr, answers, truth, known_indptr, known, scores, better, equal, *, pairs_at_once=1 << 23):
    """Take rows that are known to be answers too out of the counts; an answer itself stays. Parameters as in the definition."""
    query_of = torch.repeat_interleave(torch.arange(len(indptr) - 1, device=indptr.device), indptr.diff())
    sizes = known_indptr.diff()[query_of]
    ends = torch.cat([sizes.new_zeros(1), sizes.cumsum(0)])
    cuts = [0]
    on_host = ends.cpu()
    while cuts[-1] < len(answers):
        last = int(torch.searchsorted(on_host, on_host[cuts[-1]] + pairs_at_once, right=True)) - 1
        cuts.append(min(max(last, cuts[-1] + 1), len(answers)))
    for first, last in itertools.pairwise(cuts):
        count = sizes[first:last]
        answer = torch.repeat_interleave(torch.arange(first, last, device=indptr.device), count)
        at = (
            known_indptr[query_of[answer]]
            + torch.arange(len(answer), device=indptr.device)
            - (ends[answer] - ends[first])
        )
        away = known[at] != answers[answer]
        better.index_add_(0, answer, -(away & (scores[at] > truth[answer])).to(better.dtype))
        equal.index_add_(0, answer, -(away & (scores[at] == truth[answer])).to(equal.dtype))
