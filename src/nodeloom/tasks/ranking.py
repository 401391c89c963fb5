"""Link prediction in knowledge graphs: the exact rank of an answer among all entities.

For a triple (h, r, t) the tail is ranked among the answers to (h, r, ?), and the head among those to (?, r, t). Candidates are all
entities, without those that are known to be true as well (the *filtered* setting). Scores are compared and counted tile by tile: there is
no matrix of scores, and nothing is sorted. What scores the same ties, to the last bit.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from nodeloom.engine.cpu.ranking import CpuScorer
from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.log import logger
from nodeloom.tasks.candidates import Candidates
from nodeloom.tasks.queries import Queries, checked
from nodeloom.tasks.rank_metrics import metrics
from nodeloom.tasks.ranks import SIDES, Ranks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nodeloom.model.relational import Relational
    from nodeloom.typing import OffsetArray

__all__ = ["Candidates", "Queries", "Ranks", "metrics", "rank"]

MEMORY = 1 << 30
"""Bytes that ranking takes beside the tables, if nothing else is said."""


class Scorer(Protocol):
    """What ranks are counted by: see :class:`nodeloom.engine.cpu.ranking.CpuScorer`."""

    def ask(self, entities: Any, rows: Any) -> Any:
        """Return queries."""

    def pair_scores(self, asked: Any, rows: Any, ids: Any) -> Any:
        """Return the scores of queries with entities, float64 [n]."""

    def count(self, asked: Any, among: Any, indptr: Any, answers: Any, known_indptr: Any, known: Any) -> Any:
        """Return how many candidates are better than each answer, and how many as good."""

    def num_nan(self) -> int:
        """Return how many entities and relations have a vector with NaN."""


def rank(
    relational: Relational,
    entity: Any,
    relation: Any,
    triples: Any,
    known: Iterable[Any] = (),
    device: Any = "cpu",
    memory: int | None = None,
    *,
    num_thread: int | None = None,
    candidates: Candidates | None = None,
    train: Any = None,
    unseen: Literal["rank", "drop", "worst"] = "rank",
    queries: Queries | None = None,
    num_unknown: int = 0,
) -> Ranks:
    """Rank the answers of triples, on both sides.

    Parameters
    ----------
    relational : Relational
        Operator and comparator of the model.
    entity, relation : float32 [N, D], float32 [R, 2 Dr]
        Its tables; of a relation row the first half answers tails, the second half heads. The entity table may be a memory map.
    triples : int [n, 3]
        Heads, relations and tails, each ranked as often as it comes.
    known : iterable of int [E, 3]
        Sets of triples that are known to be true: their entities are left out of the candidates, but for the answer itself. Name all of
        them: training and validation triples, and `triples` themselves. Without any the ranks are those of the *raw* setting.
    device : str or torch.device
        "cpu", or a GPU, such as "cuda:0". Tables that are tensors are ranked where they are.
    memory : int, optional
        Bytes that may be used beside the tables; 1 GiB by default.
    num_thread : int, optional
        Threads on the CPU; all CPUs by default. Ranks do not depend on it.
    candidates : Candidates, optional
        Entities that may answer, by relation and side; all by default.
    train : int [E, 3], optional
        Training triples, to tell which of `triples` have an entity or a relation that training has not seen.
    unseen : {"rank", "drop", "worst"}
        What to do with these: rank them as all others, leave them out, or give them the last rank.
    queries : Queries, optional
        ``Queries.of(triples, known, N, R)``, for who ranks the same triples again and again.
    num_unknown : int
        Rows of NaN that stand for what the model has no vector for, of which nobody needs to be told.

    Returns
    -------
    Ranks
        From which :func:`metrics` come.

    Raises
    ------
    DataError
        If ids are out of range, there is no triple, or an answer is not among its candidates.
    ConfigError
        If an option has no such value.
    """
    if unseen not in ("rank", "drop", "worst"):
        raise ConfigError(describe("unseen", expected="'rank', 'drop' or 'worst'", got=unseen))
    num_entity, num_relation = len(entity), len(relation)
    triples = checked(triples, num_entity, num_relation, "triples")
    new = np.zeros(len(triples), bool) if train is None else find_unseen(triples, train, num_entity, num_relation)
    num_dropped = 0
    if unseen == "drop" and new.any():
        num_dropped, triples, new, queries = int(new.sum()), triples[~new], np.zeros(int((~new).sum()), bool), None
    if not len(triples):
        got = f"none of {num_dropped}" if num_dropped else "none"
        raise DataError(describe("triples", expected="at least one triple to rank", got=got))
    queries = queries or Queries.of(triples, known, num_entity, num_relation)
    scorer = scorer_of(relational, entity, relation, device, memory, num_thread)
    missing = scorer.num_nan() - num_unknown
    if missing > 0:
        logger.warning("vectors with NaN: %d of entities and relations; what they score is ranked last.", missing)
    shape = (len(triples), 2)
    flat = _count(scorer, queries, candidates, 4 * entity.shape[1], (memory or MEMORY) // 2)
    better, equal, total = (np.empty(shape, np.int64) for _ in range(3))
    for target, values in zip((better, equal, total), flat, strict=True):
        target.reshape(-1)[queries.places] = values
    ranks = Ranks(np.asarray(triples, np.int32), better + 1, better + equal, total, new, num_dropped)
    if unseen == "worst" and new.any():
        ranks.optimistic[new] = ranks.pessimistic[new] = total[new]
    ties = float((ranks.pessimistic - ranks.optimistic).mean())
    if ties > 1:
        hint = "Look at the pessimistic ranks, too."
        logger.warning("an answer scores the same as %.1f other candidates in the mean. %s", ties, hint)
    return ranks


def scorer_of(
    relational: Relational, entity: Any, relation: Any, device: Any, memory: int | None, num_thread: int | None
) -> Scorer:
    """Return what scores the queries of a model on a device."""
    if str(device) == "cpu" and isinstance(entity, np.ndarray):
        return CpuScorer(relational, entity, relation, num_thread)
    from nodeloom.engine.gpu.ranking import GpuScorer

    return GpuScorer(relational, entity, relation, device, memory or MEMORY)


def find_unseen(triples: Any, train: Any, num_entity: int, num_relation: int) -> npt.NDArray[np.bool_]:
    """Tell which triples have an entity or a relation that no training triple has, bool [n]."""
    train = checked(train, num_entity, num_relation, "train")
    entities, relations = np.zeros(num_entity, bool), np.zeros(num_relation, bool)
    entities[train[:, 0]] = entities[train[:, 2]] = True
    relations[train[:, 1]] = True
    found: npt.NDArray[np.bool_] = ~(entities[triples[:, 0]] & relations[triples[:, 1]] & entities[triples[:, 2]])
    return found


def _count(
    scorer: Scorer, queries: Queries, candidates: Candidates | None, row_bytes: int, memory: int
) -> tuple[OffsetArray, OffsetArray, OffsetArray]:
    """Return for each answer how many candidates are better, how many as good, and how many there are, int64 [2 n] each."""
    better, equal = np.empty(len(queries.answers), np.int64), np.empty(len(queries.answers), np.int64)
    total = np.empty(len(queries.answers), np.int64)
    if candidates is None:
        total[:] = queries.num_entity - queries.num_known()
    for first, last in _waves(queries, row_bytes, memory, by_row=candidates is not None):
        own = slice(queries.indptr[first], queries.indptr[last])
        beside = slice(queries.known_indptr[first], queries.known_indptr[last])
        part = dataclasses.replace(
            queries,
            entities=queries.entities[first:last],
            rows=queries.rows[first:last],
            indptr=queries.indptr[first : last + 1] - own.start,
            answers=queries.answers[own],
            known_indptr=queries.known_indptr[first : last + 1] - beside.start,
            known=queries.known[beside],
        )
        among = None
        added: Any = 0
        if candidates is not None:
            row = int(part.rows[0])
            among = candidates.of(row)
            if among is not None:
                part, inside = _limited(part, among)
                if candidates.outside == "error" and not inside.all():
                    _refuse_outside(row, int(part.answers[~inside][0]))
                added = ~inside & (candidates.outside == "add")
            count = queries.num_entity if among is None else len(among)
            total[own] = count - part.num_known() + added
        asked = scorer.ask(part.entities, part.rows)
        better[own], equal[own] = scorer.count(asked, among, part.indptr, part.answers, part.known_indptr, part.known)
        if among is not None:
            equal[own] += added
            if candidates is not None and candidates.outside == "worst":  # behind all candidates
                better[own][~inside], equal[own][~inside] = total[own][~inside], 1
                total[own] += ~inside
    return better, equal, total


def _limited(part: Queries, among: npt.NDArray[Any]) -> tuple[Queries, npt.NDArray[np.bool_]]:
    """Leave known entities out that are no candidates; tell which answers are."""

    def is_among(ids: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        at = np.minimum(np.searchsorted(among, ids), max(len(among) - 1, 0))
        return among[at] == ids if len(among) else np.zeros(len(ids), bool)

    kept = is_among(part.known)
    indptr = np.append(0, np.cumsum(kept))[part.known_indptr]
    return dataclasses.replace(part, known=part.known[kept], known_indptr=indptr), is_among(part.answers)


def _refuse_outside(row: int, answer: int) -> None:
    hint = "Add it to the list, or say outside='worst' or outside='add'."
    where = f"candidates of relation {row // 2}, {SIDES[row % 2]}"
    raise DataError(describe(where, expected="a list with every answer", got=f"none with entity {answer}", hint=hint))


def _waves(queries: Queries, row: int, memory: int, *, by_row: bool) -> Iterator[tuple[int, int]]:
    """Cut queries into pieces that fit into memory, with rows of so many bytes; by row: each piece is of one relation row."""
    own = 6 * row + 32 * np.diff(queries.indptr) + 16 * np.diff(queries.known_indptr)
    cost = np.append(0, np.cumsum(own))
    starts = np.flatnonzero(np.diff(queries.rows, prepend=-1)).tolist() if by_row else [0]
    for first, end in itertools.pairwise([*starts, len(queries)]):
        while first < end:
            last = int(np.searchsorted(cost, cost[first] + memory, side="right")) - 1
            last = min(max(last, first + 1), end)
            yield first, last
            first = last
