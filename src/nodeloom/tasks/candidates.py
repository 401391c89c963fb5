"""Which entities may answer a query: lists for a relation and a side, such as those seen there in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.tasks.queries import checked, distinct_of
from nodeloom.tasks.ranks import SIDES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nodeloom.tasks.queries import Ids
    from nodeloom.typing import OffsetArray

Outside = Literal["error", "worst", "add"]


@dataclass(frozen=True)
class Candidates:
    """Candidates of each relation row.

    Attributes
    ----------
    indptr, ids : int64 [2 R + 1], int32 [C]
        Entities that may answer the queries of each relation row, ascending.
    limited : bool [2 R]
        Relation rows that have a list; all entities may answer the others.
    outside : {"error", "worst", "add"}
        What to do about an answer that is not in its list: refuse it, rank it behind the list, or rank it among the list.
    """

    indptr: OffsetArray
    ids: Ids
    limited: Any
    outside: Outside = "error"

    @classmethod
    def observed(cls, train: Any, num_entity: int, num_relation: int) -> Candidates:
        """Return for each relation the heads and the tails that it has in training; an answer that is none of them is added."""
        triples = checked(train, num_entity, num_relation, "train").astype(np.int64)
        keys = distinct_of(
            np.concatenate(
                [2 * triples[:, 1] * num_entity + triples[:, 2], (2 * triples[:, 1] + 1) * num_entity + triples[:, 0]]
            )
        )
        rows, ids = np.divmod(keys, num_entity)
        indptr = np.searchsorted(rows, np.arange(2 * num_relation + 1)).astype(np.int64)
        return cls(indptr, ids.astype(np.int32), np.ones(2 * num_relation, bool), "add")

    @classmethod
    def lists(
        cls, lists: Mapping[tuple[int, str], Any], num_entity: int, num_relation: int, outside: Outside = "error"
    ) -> Candidates:
        """Return the candidates that a mapping from (relation, "tail" or "head") to entities names, all by their ids."""
        if outside not in ("error", "worst", "add"):
            raise ConfigError(describe("outside", expected="'error', 'worst' or 'add'", got=outside))
        found: list[Any] = [None] * (2 * num_relation)
        for key, entities in lists.items():
            relation, side = key if isinstance(key, tuple) and len(key) == 2 else (key, None)
            if side not in SIDES or not 0 <= relation < num_relation:
                expected = f"(relation below {num_relation}, 'tail' or 'head')"
                raise DataError(describe("candidates", expected=expected, got=key))
            ids = np.unique(np.asarray(entities, np.int64))
            if len(ids) and (ids[0] < 0 or ids[-1] >= num_entity):
                got = int(ids[0] if ids[0] < 0 else ids[-1])
                raise DataError(describe(f"candidates[{key}]", expected=f"entities below {num_entity}", got=got))
            found[2 * int(relation) + SIDES.index(side)] = ids
        limited = np.array([ids is not None for ids in found], bool)
        sizes = [0 if ids is None else len(ids) for ids in found]
        every = np.concatenate([np.empty(0, np.int64), *(ids for ids in found if ids is not None)])
        return cls(np.append(0, np.cumsum(sizes)).astype(np.int64), every.astype(np.int32), limited, outside)

    def of(self, row: int) -> Ids | None:
        """Return the entities that may answer a relation row; None: all."""
        return self.ids[self.indptr[row] : self.indptr[row + 1]] if self.limited[row] else None
