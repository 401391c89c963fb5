"""Groups of ranks: by relation, by category of relations, by query; and what counting alone would reach."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.kernels.cpu.ranking import leave_out
from nodeloom.tasks.queries import Queries, checked, distinct_of
from nodeloom.tasks.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.typing import DoubleArray

CATEGORIES = ("1-1", "1-N", "N-1", "N-N")
"""Categories of relations: how many tails a head has and the other way round, on average, from 1.5 on N (Bordes et al., NIPS 2013)."""


def categories(train: Any, num_entity: int, num_relation: int) -> npt.NDArray[np.int8]:
    """Return the category of each relation in training triples, int8 [R]: a place in CATEGORIES, -1 for relations without triples."""
    triples = checked(train, num_entity, num_relation, "train").astype(np.int64)
    triples = triples[np.lexsort(triples.T)]
    triples = triples[np.any(np.diff(triples, axis=0, prepend=-1) != 0, axis=1)]
    relations = triples[:, 1]
    total = np.bincount(relations, minlength=num_relation)
    each = []
    for column in (0, 2):
        ends = distinct_of(relations * num_entity + triples[:, column]) // num_entity
        each.append(total / np.maximum(np.bincount(ends, minlength=num_relation), 1))
    tails_of_head, heads_of_tail = each
    found = 2 * (heads_of_tail >= 1.5) + (tails_of_head >= 1.5)
    return np.where(total == 0, -1, found).astype(np.int8)


def query_weights(triples: npt.NDArray[Any]) -> DoubleArray:
    """Return weights of ranks, float64 [n, 2], by which each distinct query counts alike, however many triples ask it."""
    weights = np.empty((len(triples), 2))
    for side, column in enumerate((0, 2)):
        _, query, counts = np.unique(triples[:, [column, 1]], axis=0, return_inverse=True, return_counts=True)
        weights[:, side] = 1 / counts[query.reshape(-1)]
    return weights


def frequency_ranks(
    triples: Any,
    known: Iterable[Any],
    train: Any,
    num_entity: int,
    num_relation: int,
    queries: Queries | None = None,
) -> Ranks:
    """Rank answers by how often training has them in their place of the relation, whatever is asked: what a model has to beat.

    Parameters
    ----------
    triples, known : int [n, 3], iterable of int [E, 3]
        As of :func:`nodeloom.tasks.ranking.rank`.
    train : int [E, 3]
        Training triples, in which tails and heads of relations are counted.
    num_entity, num_relation : int
        What ids are below.
    queries : Queries, optional
        ``Queries.of(triples, known, N, R)``.
    """
    queries = queries or Queries.of(triples, known, num_entity, num_relation)
    facts = checked(train, num_entity, num_relation, "train").astype(np.int64)
    slots = np.concatenate(
        [2 * facts[:, 1] * num_entity + facts[:, 2], (2 * facts[:, 1] + 1) * num_entity + facts[:, 0]]
    )
    slots.sort()
    first = np.flatnonzero(np.diff(slots, prepend=-1))
    keys, counts = slots[first], np.diff(np.append(first, len(slots)))

    def count_of(rows: npt.NDArray[Any], entities: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        wanted = rows.astype(np.int64) * num_entity + entities
        at = np.minimum(np.searchsorted(keys, wanted), max(len(keys) - 1, 0))
        return np.where(keys[at] == wanted, counts[at], 0) if len(keys) else np.zeros(len(wanted), np.int64)

    row_of_answer = np.repeat(queries.rows, np.diff(queries.indptr))
    truth = count_of(row_of_answer, queries.answers)
    # Counts of one row side by side in ascending order: places among them are numbers of better and of equal entities.
    rows = keys // max(num_entity, 1)
    stride = int(counts.max(initial=0)) + 2
    ordered = np.sort(rows * stride + counts)
    end = np.searchsorted(ordered, (row_of_answer.astype(np.int64) + 1) * stride)
    begin = np.searchsorted(ordered, row_of_answer.astype(np.int64) * stride)
    own = row_of_answer.astype(np.int64) * stride + truth
    high, low = np.searchsorted(ordered, own, side="right"), np.searchsorted(ordered, own)
    better = (end - high).astype(np.int64)
    equal = np.where(truth == 0, num_entity - (end - begin), high - low).astype(np.int64)
    if len(queries.known):
        scores = count_of(np.repeat(queries.rows, np.diff(queries.known_indptr)), queries.known)
        leave_out(
            queries.indptr, queries.answers, truth.astype(np.float64), queries.known_indptr, queries.known,
            scores.astype(np.float64), better, equal,
        )  # fmt: skip
    total = queries.num_entity - queries.num_known()
    shape = (queries.num_triple, 2)
    found = [np.empty(shape, np.int64) for _ in range(3)]
    for target, values in zip(found, (better + 1, better + equal, total), strict=True):
        target.reshape(-1)[queries.places] = values
    triples = np.asarray(getattr(triples, "triples", triples), np.int32)
    return Ranks(triples, found[0], found[1], found[2], np.zeros(len(triples), bool))
