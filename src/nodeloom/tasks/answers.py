"""Answers of a model of a knowledge graph: the best tails, heads, relations and triples, and what they resemble; all by ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.cpu.ranking import CpuScorer
from nodeloom.errors import ConfigError, describe
from nodeloom.tasks.queries import checked, distinct_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.tasks.named_triples import Tables
    from nodeloom.typing import DoubleArray, IndexArray, OffsetArray

_NUMBERS = 1 << 24  # of queries, held at a time


def checked_k(k: Any) -> int:
    """Return the number of answers asked for.

    Raises
    ------
    ConfigError
        It is no integer from 1.
    """
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or k < 1:
        raise ConfigError(describe("k", expected="an integer >= 1", got=k))
    return int(k)


def triple_scores(tables: Tables, triples: npt.NDArray[Any]) -> DoubleArray:
    """Return the score of each triple [n, 3], as an answer to (head, relation, ?), float64 [n]."""
    triples = checked(triples, len(tables.entity), len(tables.relation), "triples")
    scorer = _scorer(tables)
    out = np.empty(len(triples))
    step = max(1, _NUMBERS // tables.entity.shape[1])
    for first in range(0, len(triples), step):
        heads, relations, tails = (triples[first : first + step, i].astype(np.int64) for i in range(3))
        asked = scorer.ask(heads, 2 * relations)
        out[first : first + step] = scorer.pair_scores(asked, np.arange(len(heads)), tails)
    return out


def best_entities(
    tables: Tables, entities: IndexArray, rows: IndexArray, k: int, known: Iterable[Any] = ()
) -> tuple[OffsetArray, DoubleArray]:
    """Return the k best answers of queries (entity, relation row), best first; of equal scores the lower id first.

    Parameters
    ----------
    tables : Tables
        The model.
    entities, rows : int [Q]
        Entities, and relation rows: ``2 r`` asks for tails, ``2 r + 1`` for heads.
    k : int
        How many answers.
    known : iterable of int [E, 3]
        Triples whose answers are left out.

    Returns
    -------
    ids, scores : int64 [Q, k'], float64 [Q, k']
        k' = min(k, N); ids are -1 where there are fewer.
    """
    count, scorer = len(tables.entity), _scorer(tables)
    k = min(checked_k(k), count)
    ids, scores = np.empty((len(entities), k), np.int64), np.empty((len(entities), k))
    keys = rows.astype(np.int64) * count + entities
    indptr, away = _known_of(keys, known, count, len(tables.relation))
    step = max(1, _NUMBERS // tables.entity.shape[1])
    for first in range(0, len(entities), step):
        block = slice(first, first + step)
        asked = scorer.ask(entities[block], rows[block])
        ends = indptr[first : first + len(asked) + 1]
        ids[block], scores[block] = scorer.best(asked, k, ends - ends[0], away[ends[0] : ends[-1]])
    return ids, scores


def best_relations(
    tables: Tables, heads: IndexArray, tails: IndexArray, k: int, known: Iterable[Any] = ()
) -> tuple[OffsetArray, DoubleArray]:
    """Return the k best relations between heads and tails, [Q, k'] each; as :func:`best_entities`."""
    num, scorer = len(tables.relation), _scorer(tables)
    k = min(checked_k(k), num)
    true = {tuple(map(int, triple)) for some in known for triple in _between(some, heads, tails)}
    ids, scores = np.full((len(heads), k), -1, np.int64), np.full((len(heads), k), -np.inf)
    for query, (head, tail) in enumerate(zip(heads.tolist(), tails.tolist(), strict=True)):
        asked = scorer.ask(np.full(num, head), 2 * np.arange(num))
        found = scorer.pair_scores(asked, np.arange(num), np.full(num, tail))
        kept = np.array([r for r in range(num) if (head, r, tail) not in true], np.int64)
        order = kept[np.argsort(-found[kept], kind="stable")][:k]
        ids[query, : len(order)], scores[query, : len(order)] = order, found[order]
    return ids, scores


def _between(triples: Any, heads: IndexArray, tails: IndexArray) -> npt.NDArray[Any]:
    triples = np.asarray(getattr(triples, "triples", triples))
    if not len(triples):
        return np.empty((0, 3), np.int64)
    return triples[np.isin(triples[:, 0], heads) & np.isin(triples[:, 2], tails)]


def best_triples(
    tables: Tables, k: int, known: Iterable[Any] = (), relations: IndexArray | None = None
) -> tuple[npt.NDArray[np.int64], DoubleArray]:
    """Return the k triples that score best of all, best first; of equal scores the lower ids first.

    Every head, relation and tail is looked at: N x R x N scores.

    Parameters
    ----------
    tables, k, known
        As of :func:`best_entities`.
    relations : int [r], optional
        The relations to look at; all by default.

    Returns
    -------
    triples, scores : int64 [k', 3], float64 [k']
    """
    count, scorer = len(tables.entity), _scorer(tables)
    k = checked_k(k)
    asked_for = np.arange(len(tables.relation)) if relations is None else np.unique(relations)
    best, values = np.empty((0, 3), np.int64), np.empty(0)
    step = max(1, min(512, _NUMBERS // tables.entity.shape[1]))
    sets = [checked(some, count, len(tables.relation), "known") for some in known]
    for relation in asked_for.tolist():
        own = [some[some[:, 1] == relation] for some in sets]
        for first in range(0, count, step):
            heads = np.arange(first, min(first + step, count))
            keys = np.full(len(heads), 2 * relation, np.int64) * count + heads
            indptr, away = _known_of(keys, own, count, len(tables.relation))
            asked = scorer.ask(heads, np.full(len(heads), 2 * relation))
            least = float(values[-1]) if len(values) == k else -np.inf
            rows, tails, scores = scorer.above(asked, least, k, indptr, away)
            found = np.stack([heads[rows], np.full(len(rows), relation), tails], 1)
            best, values = np.concatenate([best, found]), np.concatenate([values, scores])
            order = np.lexsort((best[:, 2], best[:, 1], best[:, 0], -values))[:k]
            best, values = best[order], values[order]
    return best, values


def similar_triples(
    tables: Tables, head: int, relation: int, tail: int, train: Any, k: int
) -> tuple[npt.NDArray[np.int64], DoubleArray]:
    """Return the training triples of a relation whose ends resemble those of a triple: what a prediction may come from.

    Returns
    -------
    triples, similarities : int64 [k', 3], float64 [k']
        The mean of the cosines of the heads and of the tails, falling; the triple itself is left out.
    """
    train = checked(train, len(tables.entity), len(tables.relation), "train").astype(np.int64)
    train = train[train[:, 1] == relation]
    train = train[(train[:, 0] != head) | (train[:, 2] != tail)]
    similarity = np.zeros(len(train))
    for column, end in ((0, head), (2, tail)):
        used, inverse = np.unique(train[:, column], return_inverse=True)
        similarity += _cosines(tables.entity, end, used)[inverse] / 2
    order = np.lexsort((train[:, 2], train[:, 0], -similarity))[: checked_k(k)]
    return train[order], similarity[order]


def _cosines(table: Any, row: int, others: IndexArray) -> DoubleArray:
    own = np.asarray(table[row], np.float64)
    vectors = np.asarray(table[others], np.float64)
    lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors) * float(own @ own))
    return np.divide(vectors @ own, lengths, out=np.zeros(len(others)), where=lengths > 0)


def _scorer(tables: Tables) -> CpuScorer:
    return CpuScorer(tables.relational, tables.entity, tables.relation)


def _known_of(
    keys: npt.NDArray[np.int64], known: Iterable[Any], num_entity: int, num_relation: int
) -> tuple[OffsetArray, npt.NDArray[np.int64]]:
    """Return what triples answer of queries, relation row times N plus entity, in any order: indptr [Q + 1], entities ascending."""
    distinct, inverse = np.unique(keys, return_inverse=True)
    pairs = [np.empty(0, np.int64)]
    for number, some in enumerate(known):
        triples = checked(some, num_entity, num_relation, f"known[{number}]").astype(np.int64)
        for ends, side in (((0, 2), 0), ((2, 0), 1)):
            wanted = (2 * triples[:, 1] + side) * num_entity + triples[:, ends[0]]
            at = np.minimum(np.searchsorted(distinct, wanted), max(len(distinct) - 1, 0))
            same = distinct[at] == wanted if len(distinct) else np.zeros(len(wanted), bool)
            pairs.append(at[same] * num_entity + triples[same, ends[1]])
    query, entity = np.divmod(distinct_of(np.concatenate(pairs)), num_entity)
    starts = np.searchsorted(query, np.arange(len(distinct) + 1))
    counts = np.diff(starts)[inverse]
    indptr = np.append(0, np.cumsum(counts))
    at = np.repeat(starts[:-1][inverse] - indptr[:-1], counts) + np.arange(indptr[-1])
    return indptr, entity[at]
