"""Triples as columns: what every reader of a knowledge graph hands over, and the collector that numbers both kinds of names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.collector import NameCollector
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.kernels.cpu import tokens as kernels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from nodeloom.typing import FloatArray, IndexArray, TripleIds


@dataclass(slots=True)
class TripleColumns:
    """Triples as columns of ids, with the names of entities and relations.

    Attributes
    ----------
    heads, relations, tails : int32 [E]
        Ids in ``[0, len(entities))``, ``[0, len(relation_names))`` and ``[0, len(entities))``.
    weights : float32 [E] or None
        Weights; None where the input has none.
    entity_names, relation_names : Vocabulary
        The names.
    """

    heads: TripleIds
    relations: TripleIds
    tails: TripleIds
    weights: FloatArray | None
    entity_names: Vocabulary
    relation_names: Vocabulary


class TripleCollector:
    """Takes blocks of triples in order; numbers entities and relations as :class:`NameCollector` does, each kind on its own."""

    def __init__(self, num_thread: int = 1) -> None:
        self.entities = NameCollector(2, num_thread)
        self.relations = NameCollector(1, num_thread)

    @property
    def num_edges(self) -> int:
        """Triples so far."""
        return self.entities.num_edges

    @property
    def num_weights(self) -> int:
        """Weights so far."""
        return self.entities.num_weights

    @property
    def num_thread(self) -> int:
        """Threads that look names up."""
        return self.entities.num_thread

    @property
    def is_text(self) -> bool:
        """Whether names come as text: always, for integers are told from it for each kind on its own."""
        return True

    def add_text(
        self,
        block: npt.NDArray[np.uint8],
        tokens: npt.NDArray[np.int64],
        weights: FloatArray | None = None,
        changed: Callable[[int, Sequence[int]], None] = lambda row, columns: None,
    ) -> None:
        """Add triples of text: tokens int64 [3, E] of heads, relations and tails, ``start << 32 | length`` in the read-only `block`.

        Parameters
        ----------
        block, tokens, weights
            As in :meth:`NameCollector.add_text`.
        changed : callable
            Called before names become text that were integers so far, with the row that is no integer and the columns of this kind.
        """
        for names, columns in ((self.entities, [0, 2]), (self.relations, [1])):
            part = np.ascontiguousarray(tokens[columns])
            given = weights if names is self.entities else None
            if not names.is_text:
                values = np.empty(part.shape, np.int64)
                row = kernels.token_integers(block, part, values)
                if row == part.shape[1]:
                    names.add_integers(values, given)
                    continue
                changed(row, columns)
            names.add_text(block, part, given)

    def add_arrow(self, *columns: pa.Array, weights: FloatArray | None = None) -> None:
        """Add triples of three Arrow arrays: heads, relations and tails, each int64, string or large_string, without nulls."""
        heads, relations, tails = columns
        self.relations.add_arrow(relations)
        self.entities.add_arrow(heads, tails, weights=weights)

    def finish(self) -> TripleColumns:
        """Return all triples; the collector is empty afterwards."""
        (heads, tails), weights, entity_names = self.entities.finish_columns()
        (relations,), _, relation_names = self.relations.finish_columns()
        return TripleColumns(heads, relations, tails, weights, entity_names, relation_names)


def check_filled(names: pa.Array, where: str, first_row: int = 0) -> None:
    """Refuse an empty name.

    Raises
    ------
    DataError
        With its row.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if names.type == pa.int64():
        return
    row = pc.index(names, pa.scalar("", names.type)).as_py()
    if row >= 0:
        raise DataError(describe(where, expected="a name in every row", got="") + f" in row {first_row + row}")


def extended(names: Vocabulary, more: Vocabulary) -> tuple[Vocabulary, IndexArray, int]:
    """Return a vocabulary with the unknown names of another behind its own, the ids of the other's names in it, and their number.

    Parameters
    ----------
    names, more : Vocabulary
        N and M names. An integer and the text of its digits are the same name.

    Returns
    -------
    names : Vocabulary
        `names` itself where no name is unknown.
    ids : int64 [M]
        Of the names in `more`.
    num_unknown : int
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    ids: npt.NDArray[np.int64] = names.find(more.to_arrow(), missing=-1)
    unknown = np.flatnonzero(ids < 0)
    if not len(unknown):
        return names, ids, 0
    ids = ids.copy()
    ids[unknown] = len(names) + np.arange(len(unknown))
    old, new = names.to_arrow(), more.to_arrow().take(pa.array(unknown))
    if old.type != new.type:
        large = any(pa.types.is_large_string(array.type) for array in (old, new))
        kind = pa.large_string() if large else pa.string()
        old, new = pc.cast(old, kind), pc.cast(new, kind)
    return Vocabulary.from_arrow(pa.chunked_array([old, new])), ids, len(unknown)
