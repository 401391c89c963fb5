"""Triples: the arrays of a knowledge graph, checked, and what follows from them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, GraphError, describe
from nodeloom.graph.fingerprint import fingerprint_of_arrays
from nodeloom.graph.rows import read_only
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.io.weights import check_weights
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    from typing import Self

    from nodeloom.typing import FloatArray, OffsetArray, TripleIds

MOST = 2**31 - 1
"""Ids are int32."""


class Triples:
    """Columns of ids with names; see :class:`nodeloom.graph.KnowledgeGraph` for parameters and attributes."""

    @known_keywords()
    def __init__(
        self,
        heads: npt.ArrayLike,
        relations: npt.ArrayLike,
        tails: npt.ArrayLike,
        weights: npt.ArrayLike | None = None,
        entity_names: Vocabulary | None = None,
        relation_names: Vocabulary | None = None,
    ) -> None:
        columns = [ids_of(ids, name) for ids, name in ((heads, "heads"), (relations, "relations"), (tails, "tails"))]
        lengths = sorted({len(column) for column in columns})
        if len(lengths) > 1:
            raise DataError(f"heads, relations, tails: expected as many of each, got {lengths[0]:,} and {lengths[1]:,}")
        checked = None if weights is None else check_weights(weights, len(columns[0]), zero=True)
        if entity_names is None:
            entity_names = Vocabulary.range(1 + max(largest_id(columns[0]), largest_id(columns[2])))
        if relation_names is None:
            relation_names = Vocabulary.range(1 + largest_id(columns[1]))
        if not len(entity_names) or not len(relation_names):
            raise GraphError("knowledge graph: expected at least one entity and one relation, got none.")
        ranges = (("heads", len(entity_names)), ("relations", len(relation_names)), ("tails", len(entity_names)))
        ids = [in_range(column, name, count) for column, (name, count) in zip(columns, ranges, strict=True)]
        self._put(ids[0], ids[1], ids[2], checked, entity_names, relation_names)

    @classmethod
    def _of_columns(
        cls,
        heads: TripleIds,
        relations: TripleIds,
        tails: TripleIds,
        weights: FloatArray | None,
        entity_names: Vocabulary,
        relation_names: Vocabulary,
    ) -> Self:
        """Return the knowledge graph of columns that we have made, and need not look at again."""
        graph = cls.__new__(cls)
        graph._put(heads, relations, tails, weights, entity_names, relation_names)
        return graph

    def _put(
        self,
        heads: TripleIds,
        relations: TripleIds,
        tails: TripleIds,
        weights: FloatArray | None,
        entity_names: Vocabulary,
        relation_names: Vocabulary,
    ) -> None:
        self.heads: TripleIds = read_only(heads)
        self.relations: TripleIds = read_only(relations)
        self.tails: TripleIds = read_only(tails)
        self.weights: FloatArray | None = None if weights is None else read_only(weights)
        self.entity_names = entity_names
        self.relation_names = relation_names
        self._cache: dict[str, Any] = {}

    @property
    def num_entities(self) -> int:
        """N, entities without triples included."""
        return len(self.entity_names)

    @property
    def num_relations(self) -> int:
        """R, relations without triples included."""
        return len(self.relation_names)

    @property
    def num_triples(self) -> int:
        """E."""
        return len(self.heads)

    @property
    def is_weighted(self) -> bool:
        """Whether there are weights."""
        return self.weights is not None

    @property
    def triples(self) -> TripleIds:
        """All triples as rows of head, relation and tail; a new array, int32 [E, 3]."""
        return np.stack([self.heads, self.relations, self.tails], axis=1)

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays and of the names."""
        weights = 0 if self.weights is None else self.weights.nbytes
        return 3 * self.heads.nbytes + weights + self.entity_names.nbytes + self.relation_names.nbytes

    @property
    def degrees(self) -> OffsetArray:
        """Number of triples that an entity is an end of, both for a triple from it to itself; int64 [N]."""
        if "degrees" not in self._cache:
            counts = np.bincount(self.heads, minlength=self.num_entities)
            counts += np.bincount(self.tails, minlength=self.num_entities)
            self._cache["degrees"] = read_only(counts.astype(np.int64, copy=False))
        return self._cache["degrees"]

    @property
    def relation_counts(self) -> OffsetArray:
        """Number of triples of each relation; int64 [R]."""
        if "relation_counts" not in self._cache:
            counts = np.bincount(self.relations, minlength=self.num_relations)
            self._cache["relation_counts"] = read_only(counts.astype(np.int64, copy=False))
        return self._cache["relation_counts"]

    def fingerprint(self) -> str:
        """Return a hash of the triples, their order and weights (not of the names), by which a model recognises its data."""
        if "fingerprint" not in self._cache:
            arrays = [self.heads, self.relations, self.tails, *([] if self.weights is None else [self.weights])]
            kind = {"entities": self.num_entities, "relations": self.num_relations}
            self._cache["fingerprint"] = fingerprint_of_arrays(arrays, kind)
        return self._cache["fingerprint"]


def ids_of(values: Any, what: str) -> npt.NDArray[Any]:
    """Return ids as an array of integers [E]; refuse anything else.

    Raises
    ------
    DataError
    """
    from nodeloom.io.arrays import to_numpy

    array = to_numpy(values, what)
    if array.size == 0 and array.ndim == 1:
        return np.empty(0, np.int32)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise DataError(describe(what, expected="integer ids [E]", got=f"{array.dtype} of shape {list(array.shape)}"))
    return array


def in_range(ids: npt.NDArray[Any], what: str, count: int) -> TripleIds:
    """Return ids as int32; refuse those below 0 or at and above `count`.

    Raises
    ------
    DataError
        With the first wrong id and its row.
    """
    if len(ids) and (int(ids.min()) < 0 or int(ids.max()) >= count):
        row = int(np.flatnonzero((ids < 0) | (ids >= count))[0])
        kind = "relation" if what == "relations" else "entity"
        number, names = ("num_relations", "relation_names") if kind == "relation" else ("num_entities", "entity_names")
        raise DataError(
            f"{what}: expected {kind} ids from 0 to {count - 1:,}, got {int(ids[row])} in row {row}. "
            f"Give {names}=... if the ids have names, or a greater {number}."
        )
    return np.ascontiguousarray(ids, np.int32)


def largest_id(ids: npt.NDArray[Any]) -> int:
    """Return the largest id, or -1 of none; refuse one that is no number of an entity.

    Raises
    ------
    GraphError
        Nearly all entities would be without triples: the ids are names.
    """
    largest = int(ids.max()) if len(ids) else -1
    if largest >= MOST or largest > 10_000_000 + 100 * len(ids):
        raise GraphError(
            f"triples: expected ids from 0 to N - 1, got the id {largest:,} among {len(ids):,} triples. If the ids are names, "
            "give them as text; if entities without triples are meant, give num_entities."
        )
    return largest
