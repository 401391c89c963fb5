"""Ranks among other candidates than all entities: sampled or given negatives, and relations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.tasks.queries import Queries, checked, distinct_of
from nodeloom.tasks.ranking import MEMORY, scorer_of
from nodeloom.tasks.ranks import Ranks

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.model.relational import Relational


def sampled_ranks(
    relational: Relational,
    entity: Any,
    relation: Any,
    triples: Any,
    candidates: int | tuple[Any, Any],
    known: Iterable[Any] = (),
    device: Any = "cpu",
    memory: int | None = None,
    *,
    num_thread: int | None = None,
    seed: int = 0,
) -> Ranks:
    """Rank answers among a few sampled candidates, as some benchmarks do; metrics are labelled ``@500``.

    Such ranks are far too good, and change the order of models: on Freebase an MRR of .81 is .36 among all entities.

    Parameters
    ----------
    relational, entity, relation, triples, known, device, memory, num_thread
        As of :func:`nodeloom.tasks.ranking.rank`.
    candidates : int, or (int [n, K], int [n, K])
        How many entities to draw for each rank, uniformly: known ones among them are left out. Or the negatives of the tails and of the
        heads, as the data sets of OGB have them, none of which is left out.
    seed : int
        Seed of the draws.
    """
    triples = checked(triples, len(entity), len(relation), "triples")
    shape = (len(triples), 2)
    if isinstance(candidates, int | np.integer):
        if candidates < 1:
            raise ConfigError(describe("candidates", expected="a number >= 1", got=candidates))
        drawn = np.random.default_rng(seed).integers(len(entity), size=(*shape, int(candidates)))
        queries = Queries.of(triples, known, len(entity), len(relation))
        negatives = drawn, _unknown(queries, drawn)
    else:
        given = [np.asarray(ids) for ids in candidates]
        if len(given) != 2 or any(ids.ndim != 2 or len(ids) != len(triples) for ids in given):
            got = [list(ids.shape) for ids in given]
            expected = f"negatives of tails and of heads, both [{len(triples)}, K]"
            raise DataError(describe("candidates", expected=expected, got=got))
        drawn = np.stack(given, 1)
        if drawn.size and not 0 <= drawn.min() <= drawn.max() < len(entity):
            raise DataError(describe("candidates", expected=f"ids below {len(entity)}", got=int(drawn.max())))
        negatives = drawn, np.ones(drawn.shape, bool)
    scorer = scorer_of(relational, entity, relation, device, memory, num_thread)
    entities = triples[:, [0, 2]]
    rows = 2 * triples[:, [1, 1]] + np.arange(2)
    answers = triples[:, [2, 0]]
    better, equal = np.empty(shape, np.int64), np.empty(shape, np.int64)
    width = drawn.shape[2]
    step = max(1, (memory or MEMORY) // (2 * (24 * entity.shape[1] + 64 * width)))
    for first in range(0, len(triples), step):
        block = slice(first, first + step)
        count = answers[block].size
        asked = scorer.ask(entities[block].ravel(), rows[block].ravel())
        truth = scorer.pair_scores(asked, np.arange(count), answers[block].ravel())
        scores = scorer.pair_scores(asked, np.repeat(np.arange(count), width), drawn[block].ravel())
        scores = scores.reshape(count, width)
        counted = negatives[1][block].reshape(count, width)
        better[block] = ((scores > truth[:, None]) & counted).sum(1).reshape(-1, 2)
        equal[block] = ((scores == truth[:, None]) & counted).sum(1).reshape(-1, 2)
    total = negatives[1].sum(2) + 1
    unseen = np.zeros(len(triples), bool)
    return Ranks(np.asarray(triples, np.int32), better + 1, better + equal + 1, total, unseen, suffix=f"@{width}")


def _unknown(queries: Queries, drawn: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Tell which entities drawn for ranks [n, 2, K] are neither the answer nor known to be one."""
    query = np.empty(2 * queries.num_triple, np.int64)
    query[queries.places] = np.repeat(np.arange(len(queries)), np.diff(queries.indptr))
    answers = np.empty(2 * queries.num_triple, np.int64)
    answers[queries.places] = queries.answers
    known = np.repeat(np.arange(len(queries)), np.diff(queries.known_indptr)) * queries.num_entity + queries.known
    keys = query.reshape(-1, 2, 1) * queries.num_entity + drawn
    at = np.minimum(np.searchsorted(known, keys), max(len(known) - 1, 0))
    is_known = known[at] == keys if len(known) else np.zeros(keys.shape, bool)
    found: npt.NDArray[np.bool_] = ~is_known & (drawn != answers.reshape(-1, 2, 1))
    return found


def relation_ranks(
    relational: Relational,
    entity: Any,
    relation: Any,
    triples: Any,
    known: Iterable[Any] = (),
    device: Any = "cpu",
    memory: int | None = None,
    *,
    num_thread: int | None = None,
) -> Ranks:
    """Rank the relation of triples among all relations, (head, ?, tail), by the score of the triples.

    Parameters and errors are those of :func:`nodeloom.tasks.ranking.rank`. The ranks have one side, the relation.
    """
    num_entity, num_relation = len(entity), len(relation)
    triples = checked(triples, num_entity, num_relation, "triples").astype(np.int64)
    if not len(triples):
        raise DataError(describe("triples", expected="at least one triple to rank", got="none"))
    sets = [checked(some, num_entity, num_relation, "known").astype(np.int64) for some in known]
    asked_for = distinct_of(triples[:, 0] * num_entity + triples[:, 2])
    true = [np.empty(0, np.int64)]
    for some in sets:
        pairs = some[:, 0] * num_entity + some[:, 2]
        at = np.minimum(np.searchsorted(asked_for, pairs), len(asked_for) - 1)
        same = asked_for[at] == pairs
        true.append(at[same] * num_relation + some[same, 1])
    place, other = np.divmod(distinct_of(np.concatenate(true)), num_relation)
    scorer = scorer_of(relational, entity, relation, device, memory, num_thread)
    better, equal, total = (np.empty(len(triples), np.int64) for _ in range(3))
    step = max(1, (memory or MEMORY) // (2 * num_relation * (24 * entity.shape[1] + 64)))
    everything = np.arange(num_relation)
    for first in range(0, len(triples), step):
        part = triples[first : first + step]
        count = len(part)
        asked = scorer.ask(np.repeat(part[:, 0], num_relation), np.tile(2 * everything, count))
        scores = scorer.pair_scores(asked, np.arange(count * num_relation), np.repeat(part[:, 2], num_relation))
        scores = scores.reshape(count, num_relation)
        truth = scores[np.arange(count), part[:, 1]]
        kept = np.ones(scores.shape, bool)
        query = np.searchsorted(asked_for, part[:, 0] * num_entity + part[:, 2])
        low, high = np.searchsorted(place, query), np.searchsorted(place, query, side="right")
        for row in np.flatnonzero(high > low):
            kept[row, other[low[row] : high[row]]] = False
        kept[np.arange(count), part[:, 1]] = True
        block = slice(first, first + step)
        better[block] = ((scores > truth[:, None]) & kept).sum(1)
        equal[block] = ((scores == truth[:, None]) & kept).sum(1)
        total[block] = kept.sum(1)
    return Ranks(
        triples.astype(np.int32),
        (better + 1)[:, None],
        (better + equal)[:, None],
        total[:, None],
        np.zeros(len(triples), bool),
        sides=("relation",),
    )
