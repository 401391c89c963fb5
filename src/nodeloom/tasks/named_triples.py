"""Triples by the names of a model: what tasks on knowledge graphs are given."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nodeloom.model.relational import Relational


@dataclass(frozen=True)
class Tables:
    """A model as tasks take it.

    Attributes
    ----------
    relational : Relational
        Operator and comparator.
    entity, relation : float32 [N, D], float32 [R, 2 Dr]
        The tables; the first half of a relation row answers tails, the second half heads.
    entity_names, relation_names : Vocabulary
        Names of the rows.
    """

    relational: Relational
    entity: Any
    relation: Any
    entity_names: Vocabulary
    relation_names: Vocabulary


def tables_of(model: Any) -> Tables:
    """Return the tables of a fitted model, or of a tuple (Relational, entity table, relation table), whose names are ids.

    Raises
    ------
    DataError
        It is neither.
    """
    if isinstance(model, Tables):
        return model
    if isinstance(model, tuple) and len(model) == 3:
        relational, entity, relation = model
        return Tables(relational, entity, relation, Vocabulary.range(len(entity)), Vocabulary.range(len(relation)))
    if not hasattr(model, "_relational"):
        expected = "a fitted model of a knowledge graph"
        raise DataError(describe("model", expected=expected, got=type(model).__name__))
    entity = model.entity_vectors_  # or the model is not fitted
    relation = np.concatenate([model.relation_vectors_, model.inverse_relation_vectors_], axis=1)
    return Tables(model._relational, entity, relation, model.entity_names_, model.relation_names_)


def ids_of_triples(
    tables: Tables, sets: Sequence[Any], *, grow: bool = True
) -> tuple[Tables, list[npt.NDArray[np.int32]]]:
    """Return triples as ids of a model, which gets a row of NaN for each name that it does not have.

    Parameters
    ----------
    tables : Tables
        The model.
    sets : sequence of KnowledgeGraph, names [n, 3] or ids [n, 3]
        Knowledge graphs and rows of names are found by name, integers are ids, unless the model has integers as names.
    grow : bool
        False: the model stays as it is, and such names have the id -1.
    """
    entities = _Names(tables.entity_names)
    relations = _Names(tables.relation_names)
    found = []
    for number, some in enumerate(sets):
        heads, kinds, tails = _columns(some, f"triples[{number}]" if number else "triples")
        named = hasattr(some, "entity_names")
        heads, tails = (entities.find(ids, some.entity_names if named else None) for ids in (heads, tails))
        kinds = relations.find(kinds, some.relation_names if named else None)
        found.append(np.stack([heads, kinds, tails], axis=1).astype(np.int32))
    if not grow:
        size = np.array([len(tables.entity), len(tables.relation), len(tables.entity)])
        found = [np.where(ids < size, ids, -1) for ids in found]
    elif entities.new or relations.new:
        tables = dataclasses.replace(
            tables,
            entity=_grown(tables.entity, len(entities.new)),
            relation=_grown(tables.relation, len(relations.new)),
            entity_names=entities.grown(),
            relation_names=relations.grown(),
        )
    return tables, found


def _columns(triples: Any, where: str) -> tuple[Any, Any, Any]:
    """Return heads, relations and tails: ids of a knowledge graph, or names."""
    if hasattr(triples, "entity_names"):
        return triples.heads, triples.relations, triples.tails
    if hasattr(triples, "to_numpy"):  # pandas and polars
        triples = triples.to_numpy()
    rows = triples if isinstance(triples, np.ndarray) else list(triples)
    if not isinstance(rows, np.ndarray):
        if not rows:
            return [], [], []
        if any(isinstance(row, str) or not hasattr(row, "__len__") or len(row) != 3 for row in rows):
            raise DataError(describe(where, expected="rows of head, relation and tail", got=rows[0]))
        return tuple([row[i] for row in rows] for i in range(3))  # type: ignore[return-value]
    if rows.ndim != 2 or rows.shape[1] != 3:
        got = f"{rows.dtype} {list(rows.shape)}"
        raise DataError(describe(where, expected="[n, 3]: heads, relations, tails", got=got))
    return rows[:, 0], rows[:, 1], rows[:, 2]


def _grown(table: Any, count: int) -> Any:
    if not count:
        return table
    return np.concatenate([table, np.full((count, table.shape[1]), np.nan, np.float32)])


class _Names:
    """The names of a model, and those that are new to it."""

    def __init__(self, names: Vocabulary) -> None:
        self.names = names
        self.new: dict[Any, int] = {}

    def find(self, values: Any, own: Vocabulary | None) -> npt.NDArray[np.int64]:
        """Return the numbers of names, or of ids of a vocabulary of their own."""
        if own is not None:
            if own is self.names or own == self.names:
                return np.asarray(values, np.int64)
            used, inverse = np.unique(values, return_inverse=True)
            return self._numbers(own.take(used))[inverse]
        if isinstance(values, np.ndarray) and values.dtype.kind in "iu" and self.names.is_range:
            return self._in_range(values.astype(np.int64))
        return self._numbers(values.tolist() if isinstance(values, np.ndarray) else values)

    def _in_range(self, ids: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if len(ids) and (ids.min() < 0 or ids.max() >= len(self.names)):
            got = int(ids.min() if ids.min() < 0 else ids.max())
            raise DataError(describe("triples", expected=f"ids from 0 to {len(self.names) - 1}", got=got))
        return ids

    def _numbers(self, names: Any) -> npt.NDArray[np.int64]:
        names = list(names)
        found = self.names.find(names, missing=-1).astype(np.int64)
        for row in np.flatnonzero(found < 0).tolist():
            found[row] = self.new.setdefault(names[row], len(self.names) + len(self.new))
        return found

    def grown(self) -> Vocabulary:
        """Return the names with the new ones behind them."""
        if not self.new:
            return self.names
        return Vocabulary.from_names([*self.names.take(np.arange(len(self.names))), *self.new])
