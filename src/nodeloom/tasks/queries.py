"""The queries of triples: each distinct one once, with its answers and with the answers that are known besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodeloom.typing import OffsetArray

Ids = npt.NDArray[np.int32]

_BLOCK = 1 << 22  # known triples looked up at a time


@dataclass(frozen=True)
class Queries:
    """Distinct queries (entity, relation row), in the order of their relation rows.

    Each triple asks twice: (head, relation, ?) with relation row ``2 r``, and (?, relation, tail) with relation row ``2 r + 1``.

    Attributes
    ----------
    num_triple, num_entity, num_relation : int
        Triples that ask, entities, relations.
    entities, rows : int32 [Q]
        The entity and the relation row of each query.
    indptr, answers, places : int64 [Q + 1], int32 [2 n], int64 [2 n]
        The entities that answer each query, one for each triple, and where each of them is in an array [n, 2] of triples and sides,
        the tail first.
    known_indptr, known : int64 [Q + 1], int32 [K]
        Entities known to answer each query, ascending, each once.
    """

    num_triple: int
    num_entity: int
    num_relation: int
    entities: Ids
    rows: Ids
    indptr: OffsetArray
    answers: Ids
    places: OffsetArray
    known_indptr: OffsetArray
    known: Ids

    @classmethod
    def of(cls, triples: Any, known: Iterable[Any], num_entity: int, num_relation: int) -> Queries:
        """Return the queries of triples.

        Parameters
        ----------
        triples : int [n, 3]
            Heads, relations and tails.
        known : iterable of int [E, 3]
            Sets of triples that are known to be true.
        num_entity, num_relation : int
            What ids are below.

        Raises
        ------
        DataError
            If triples are no integers [n, 3], or an id is out of range.
        """
        triples = checked(triples, num_entity, num_relation, "triples")
        entities = np.concatenate([triples[:, 0], triples[:, 2]]).astype(np.int64)
        rows = np.concatenate([2 * triples[:, 1].astype(np.int64), 2 * triples[:, 1].astype(np.int64) + 1])
        answers = np.concatenate([triples[:, 2], triples[:, 0]])
        places = np.concatenate([np.arange(len(triples)) * 2, np.arange(len(triples)) * 2 + 1])
        keys = rows * num_entity + entities
        order = np.argsort(keys, kind="stable")
        keys = keys[order]
        first = np.flatnonzero(np.diff(keys, prepend=-1))
        distinct = keys[first]
        pairs = [np.empty(0, np.int64)]
        for number, some in enumerate(known):
            some = checked(some, num_entity, num_relation, f"known[{number}]")
            pairs += [_answers(distinct, some[i : i + _BLOCK], num_entity) for i in range(0, len(some), _BLOCK)]
        found = distinct_of(np.concatenate(pairs))
        query, entity = np.divmod(found, num_entity)
        return cls(
            len(triples),
            num_entity,
            num_relation,
            (distinct % num_entity).astype(np.int32),
            (distinct // num_entity).astype(np.int32),
            np.append(first, len(keys)).astype(np.int64),
            np.ascontiguousarray(answers[order], np.int32),
            places[order],
            np.searchsorted(query, np.arange(len(distinct) + 1)).astype(np.int64),
            entity.astype(np.int32),
        )

    def __len__(self) -> int:
        return len(self.entities)

    def num_known(self) -> OffsetArray:
        """Return how many known entities other than the answer itself each answer has beside it, int64 [2 n]."""
        query = np.repeat(np.arange(len(self)), np.diff(self.indptr))
        stride = np.int64(self.num_entity)
        keys = np.repeat(np.arange(len(self)), np.diff(self.known_indptr)) * stride + self.known
        own = query * stride + self.answers
        at = np.searchsorted(keys, own)
        itself = np.zeros(len(own), bool)
        itself[at < len(keys)] = keys[at[at < len(keys)]] == own[at < len(keys)]
        return np.diff(self.known_indptr)[query] - itself


def checked(triples: Any, num_entity: int, num_relation: int, where: str) -> npt.NDArray[Any]:
    """Return triples as an array of integers [n, 3], each id in its range."""
    triples = np.asarray(getattr(triples, "triples", triples))
    if triples.ndim != 2 or triples.shape[1] != 3 or (triples.dtype.kind not in "iu" and len(triples)):
        got = f"{triples.dtype} {list(triples.shape)}"
        raise DataError(describe(where, expected="integers [n, 3]: heads, relations, tails", got=got))
    if not len(triples):
        return triples.astype(np.int32)
    for column, end, limit in ((0, "heads", num_entity), (1, "relations", num_relation), (2, "tails", num_entity)):
        low, high = int(triples[:, column].min()), int(triples[:, column].max())
        if low < 0 or high >= limit:
            wrong = low if low < 0 else high
            hint = "Read all triples with the names of one knowledge graph."
            raise DataError(describe(f"{where}: {end}", expected=f"ids from 0 to {limit - 1}", got=wrong, hint=hint))
    return triples


def _answers(distinct: npt.NDArray[np.int64], triples: npt.NDArray[Any], num_entity: int) -> npt.NDArray[np.int64]:
    """Return (query, entity) as one number each for what triples answer of the distinct queries."""
    found = []
    heads, relations, tails = (triples[:, i].astype(np.int64) for i in range(3))
    for entities, rows, answers in ((heads, 2 * relations, tails), (tails, 2 * relations + 1, heads)):
        keys = rows * num_entity + entities
        at = np.searchsorted(distinct, keys)
        at[at == len(distinct)] = 0
        asked = distinct[at] == keys if len(distinct) else np.zeros(len(keys), bool)
        found.append(at[asked] * num_entity + answers[asked])
    return distinct_of(np.concatenate(found))


def distinct_of(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return what there is among keys, ascending; ``np.unique`` builds a hash table first, and takes five times as long."""
    keys = np.sort(keys)
    new = np.ones(len(keys), bool)
    new[1:] = keys[1:] != keys[:-1]
    return keys[new]
