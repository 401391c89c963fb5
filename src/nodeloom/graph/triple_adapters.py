"""From what the user gives to columns of triples: ids or names, repeated triples, the names of another knowledge graph."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, GraphError, describe
from nodeloom.graph.build import Duplicates
from nodeloom.graph.triples import Triples, in_range, largest_id
from nodeloom.io.arrays import to_numpy
from nodeloom.io.triples import TripleCollector, TripleColumns, check_filled, extended
from nodeloom.io.vocabulary import Vocabulary, name_array
from nodeloom.io.weights import check_weights
from nodeloom.log import logger
from nodeloom.words import setting

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray, NodeName, TripleIds

Names = Vocabulary | Iterable["NodeName"] | None


def columns_of_rows(triples: Any) -> tuple[Any, Any, Any]:
    """Return the heads, relations and tails of an array [E, 3], or of rows of three.

    NumPy alone would make text of whatever stands beside text: "nan" of a missing name, "1.0" of a number.

    Raises
    ------
    DataError
        There are not three columns.
    """
    if hasattr(triples, "__array__") or hasattr(triples, "detach"):
        array = to_numpy(triples, "triples")
        if array.size == 0:
            array = np.empty((0, 3), np.int32)
        if array.ndim != 2 or array.shape[1] != 3:
            raise DataError(
                f"triples: expected an array of shape [E, 3], got shape {list(array.shape)}. Pass weights as weights=...."
            )
        return array[:, 0], array[:, 1], array[:, 2]
    if isinstance(triples, str | bytes | Mapping) or not isinstance(triples, Iterable):
        raise DataError(
            f"triples: expected rows of head, relation and tail, got {type(triples).__name__}. Give a list of rows."
        )
    rows = list(triples)
    for number, row in enumerate(rows):
        if isinstance(row, str | bytes) or not hasattr(row, "__len__") or len(row) != 3:
            raise DataError(describe(f"triples, row {number}", expected="head, relation and tail", got=row))
    if not rows:
        rows = [(), (), ()]
        return rows[0], rows[1], rows[2]
    heads, relations, tails = (list(column) for column in zip(*rows, strict=True))
    return heads, relations, tails


def collect(
    columns: tuple[Any, Any, Any],
    weights: Any,
    num_entities: int | None,
    num_relations: int | None,
    entity_names: Names,
    relation_names: Names,
    like: Triples | None,
) -> TripleColumns:
    """Return three columns of ids, or of names, as columns of triples; see :meth:`nodeloom.graph.KnowledgeGraph.from_triples`.

    Raises
    ------
    DataError, GraphError
    """
    given = [_column(column, what) for column, what in zip(columns, ("heads", "relations", "tails"), strict=True)]
    lengths = sorted(set(map(len, given)))
    if len(lengths) > 1:
        raise DataError(f"heads, relations, tails: expected as many of each, got {lengths[0]:,} and {lengths[1]:,}")
    checked = None if weights is None else check_weights(weights, lengths[0], zero=True)
    extra = {
        "num_entities": num_entities,
        "num_relations": num_relations,
        "entity_names": entity_names,
        "relation_names": relation_names,
    }
    told = [name for name, value in extra.items() if value is not None]
    if like is not None and told:
        raise DataError(f"{told[0]}: expected nothing beside like, which has the names. Leave it out.")
    ids = [column for column in given if isinstance(column, np.ndarray) and column.dtype.kind in "iu"]
    if len(ids) == 3:
        if like is not None:
            entities, relations = like.entity_names, like.relation_names
        else:
            entities = _vocabulary("entity", entity_names, num_entities, (ids[0], ids[2]))
            relations = _vocabulary("relation", relation_names, num_relations, (ids[1],))
        if not len(entities) or not len(relations):
            raise GraphError("triples: expected at least one, got none. Or give num_entities and num_relations.")
        return TripleColumns(
            in_range(ids[0], "heads", len(entities)),
            in_range(ids[1], "relations", len(relations)),
            in_range(ids[2], "tails", len(entities)),
            checked,
            entities,
            relations,
        )
    if told:
        raise DataError(f"{told[0]}: expected triples of ids beside it, got triples of names. Leave it out.")
    _check_forms(given[0], given[2], "entity")
    _check_forms(given[1], given[1], "relation")
    names = [name_array(column) for column in given]
    for what, array in zip(("heads", "relations", "tails"), names, strict=True):
        check_filled(array, what)
    collector = TripleCollector()
    collector.add_arrow(*names, weights=checked)
    return collector.finish()


def _column(values: Any, what: str) -> Any:
    """Return a column of ids as an array of integers, and one of names as it is."""
    if isinstance(values, str | bytes | Mapping) or not (hasattr(values, "__array__") or isinstance(values, Iterable)):
        raise DataError(describe(what, expected="ids or names [E]", got=values))
    if not hasattr(values, "__array__") and not hasattr(values, "detach"):
        values = list(values)
        if not set(map(type, values)) <= {int} and not all(
            isinstance(value, np.integer | int) and not isinstance(value, bool) for value in values
        ):
            return values
        if any(not -(2**63) <= value < 2**63 for value in values):
            return values  # of integers beyond 64 bits names are made
        return np.array(values, np.int64)
    array = to_numpy(values, what)
    if array.ndim != 1:
        raise DataError(describe(what, expected="ids or names [E]", got=f"an array of shape {list(array.shape)}"))
    if array.dtype.kind == "O":
        return _column(array.tolist(), what)
    if array.dtype.kind not in "iuUS":
        raise DataError(f"{what}: expected integer ids or names as text, got values of type {array.dtype}")
    return array


def _check_forms(heads: Any, tails: Any, kind: str) -> None:
    """Refuse names of which one is given both as an integer and as its digits."""
    if isinstance(heads, np.ndarray) and isinstance(tails, np.ndarray) and heads.dtype.kind == tails.dtype.kind:
        return
    items = set(map(_plain, heads)) | set(map(_plain, tails))
    both = next((item for item in items if isinstance(item, int) and str(item) in items), None)
    if both is not None:
        raise DataError(f"names: expected every {kind} in one form, got {both!r} and {str(both)!r}.")


def _plain(item: Any) -> Any:
    return int(item) if isinstance(item, np.integer) else str(item) if isinstance(item, np.str_) else item


def _vocabulary(kind: str, names: Names, count: int | None, ids: tuple[npt.NDArray[Any], ...]) -> Vocabulary:
    """Return the names that are given, or the numbers that `count` or the largest id tells."""
    what = "num_entities" if kind == "entity" else "num_relations"
    if count is not None and (isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 0):
        raise DataError(f"{what}: expected a whole number of at least 0, got {count!r}")
    if names is None:
        return Vocabulary.range(int(count) if count is not None else 1 + max(map(largest_id, ids)))
    vocabulary = names if isinstance(names, Vocabulary) else Vocabulary.from_names(names)
    if count is not None and count != len(vocabulary):
        raise DataError(f"{kind}_names: expected {count:,} names ({what}), got {len(vocabulary):,}")
    return vocabulary


def named_like(columns: TripleColumns, like: Triples) -> tuple[TripleColumns, int, int]:
    """Return columns with the ids of another knowledge graph, and how many entities and relations that one lacks.

    Names that it lacks come behind its own.
    """
    entities, new_entities, num_entity = extended(like.entity_names, columns.entity_names)
    relations, new_relations, num_relation = extended(like.relation_names, columns.relation_names)
    as_entity, as_relation = new_entities.astype(np.int32), new_relations.astype(np.int32)
    renamed = TripleColumns(
        as_entity[columns.heads],
        as_relation[columns.relations],
        as_entity[columns.tails],
        columns.weights,
        entities,
        relations,
    )
    return renamed, num_entity, num_relation


def once_each(columns: TripleColumns, duplicates: Duplicates) -> int:
    """Merge triples that are given again, in place; return how many were. The first of each keeps its place.

    Raises
    ------
    ConfigError
        There is no such way to merge.
    """
    from typing import get_args

    if duplicates not in get_args(Duplicates):
        raise ConfigError(
            f"{setting('graph.duplicates')}: expected one of {', '.join(get_args(Duplicates))}, got {duplicates!r}"
        )
    if duplicates == "keep" or len(columns.heads) < 2:
        return 0
    first = first_of_each(
        columns.heads, columns.relations, columns.tails, len(columns.entity_names), len(columns.relation_names)
    )
    if first is None:
        return 0
    kept, place = np.unique(first, return_inverse=True)
    how = ("sum" if columns.weights is not None else "first") if duplicates == "auto" else duplicates
    columns.weights = _merged(columns.weights, kept, place, how)
    merged = len(first) - len(kept)
    columns.heads, columns.relations, columns.tails = columns.heads[kept], columns.relations[kept], columns.tails[kept]
    if duplicates == "auto":
        logger.warning(
            "%s of %s triples are given again and are merged%s. To keep them, give %s.",
            f"{merged:,}", f"{len(first):,}", "; their weights are added" if how == "sum" else "", setting("graph.duplicates", "keep"),
        )  # fmt: skip
    return merged


def _merged(
    weights: FloatArray | None, kept: npt.NDArray[np.int64], place: npt.NDArray[np.int64], how: str
) -> FloatArray | None:
    if how == "sum":
        return np.bincount(place, weights, len(kept)).astype(np.float32)
    if weights is None:
        return None
    if how == "first":
        return weights[kept]
    most = np.zeros(len(kept), np.float32)
    np.maximum.at(most, place, weights)
    return most


def first_of_each(
    heads: TripleIds, relations: TripleIds, tails: TripleIds, num_entities: int, num_relations: int
) -> npt.NDArray[np.int64] | None:
    """Return for every triple the row of the first that is equal to it, int64 [E]; None where all differ."""
    keys = keys_of(heads, relations, tails, num_entities, num_relations)
    if keys is not None:
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        new = ordered[1:] != ordered[:-1]
        del ordered
    else:
        order = np.lexsort((tails, relations, heads))
        new = np.zeros(len(order) - 1, np.bool_)
        for column in (heads, relations, tails):
            new |= column[order[1:]] != column[order[:-1]]
    if new.all():
        return None
    starts = np.concatenate([[0], 1 + np.flatnonzero(new)])
    first = np.empty(len(order), np.int64)
    first[order] = np.repeat(order[starts], np.diff(np.concatenate([starts, [len(order)]])))
    return first


def keys_of(
    heads: TripleIds, relations: TripleIds, tails: TripleIds, num_entities: int, num_relations: int
) -> npt.NDArray[np.int64] | None:
    """Return a number for each triple, int64 [E], which only equal ones share; None where 64 bits do not hold it."""
    if num_entities * num_entities * num_relations >= 2**63:
        return None
    keys = heads.astype(np.int64)
    keys *= num_relations
    keys += relations
    keys *= num_entities
    keys += tails
    return keys
