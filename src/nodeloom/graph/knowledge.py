"""KnowledgeGraph: triples of head, relation and tail, which models of knowledge graphs learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.graph import triple_sources as sources
from nodeloom.graph.triples import Triples, ids_of
from nodeloom.keywords import known_keywords
from nodeloom.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Self

    import numpy.typing as npt

    from nodeloom.graph.build import Duplicates
    from nodeloom.io.triples import TripleColumns
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import NodeName


class KnowledgeGraph(Triples):
    """Triples of a head, a relation and a tail, perhaps with weights, and the names of entities and relations. Immutable.

    Make one with :meth:`from_triples`, :meth:`from_arrays` or :meth:`open`. Triples keep their order. Ids count
    from 0: those of entities stand in ``heads`` and ``tails``, those of relations in ``relations``.

    Parameters
    ----------
    heads, relations, tails : int [E]
        Ids.
    weights : float [E], optional
        How much a triple counts: not negative.
    entity_names, relation_names : Vocabulary, optional
        The names; 0 to N - 1 and 0 to R - 1 if not given.

    Raises
    ------
    DataError, GraphError
        The columns have a wrong shape, type or value, or there are no entities.

    Attributes
    ----------
    heads, relations, tails : int32 [E]
        As given, as read-only arrays.
    weights : float32 [E] or None
        As given; None where all are 1.
    entity_names, relation_names : Vocabulary
        The names, and the way back from a name to its id.

    Examples
    --------
    >>> graph = KnowledgeGraph.from_triples([("Ann", "knows", "Bob"), ("Bob", "knows", "Eve"), ("Eve", "likes", "Ann")])
    >>> graph
    KnowledgeGraph(3 entities, 2 relations, 3 triples, named 'Ann', ...)
    >>> graph.triples
    array([[0, 0, 1],
           [1, 0, 2],
           [2, 1, 0]], dtype=int32)
    """

    @classmethod
    @known_keywords()
    def from_triples(
        cls,
        triples: npt.ArrayLike | Iterable[tuple[NodeName, NodeName, NodeName]],
        weights: npt.ArrayLike | None = None,
        num_entities: int | None = None,
        num_relations: int | None = None,
        entity_names: Vocabulary | Iterable[NodeName] | None = None,
        relation_names: Vocabulary | Iterable[NodeName] | None = None,
        *,
        like: KnowledgeGraph | None = None,
        duplicates: Duplicates = "auto",
    ) -> Self:
        """Make a knowledge graph of an array of triples.

        Parameters
        ----------
        triples : array [E, 3] or iterable of rows
            Head, relation and tail: ids, where all three are integers, else names. Text names are numbered in the order of
            their first appearance, integers beside names of text in ascending order.
        weights : array [E], optional
            How much a triple counts: not negative.
        num_entities, num_relations : int, optional
            N and R; the largest id plus one, or the number of names, if not given.
        entity_names, relation_names : Vocabulary or iterable of str or int, optional
            The names of ids, in their order.
        like : KnowledgeGraph, optional
            One whose ids these triples have, and whose names: a training set for the triples of its test set. Names that it
            lacks come behind its own, and are told.
        duplicates : {"auto", "sum", "first", "max", "keep"}
            What becomes of triples that are given again. "sum" merges them and adds their weights, 1 each where there are
            none; "first" and "max" merge them and take the first or the greatest weight; "keep" keeps them. "auto" is "sum"
            where there are weights, "first" where not, and says how many there were.

        Raises
        ------
        DataError
            The triples, weights or names have a wrong shape, type or value.
        GraphError
            There are no triples, and neither `num_entities` nor `like` says that there are entities.
        """
        columns = sources.columns_of_rows(triples)
        return cls.from_arrays(
            *columns, weights=weights, num_entities=num_entities, num_relations=num_relations, entity_names=entity_names,
            relation_names=relation_names, like=like, duplicates=duplicates,
        )  # fmt: skip

    @classmethod
    @known_keywords()
    def from_arrays(
        cls,
        heads: npt.ArrayLike | Iterable[NodeName],
        relations: npt.ArrayLike | Iterable[NodeName],
        tails: npt.ArrayLike | Iterable[NodeName],
        *,
        weights: npt.ArrayLike | None = None,
        num_entities: int | None = None,
        num_relations: int | None = None,
        entity_names: Vocabulary | Iterable[NodeName] | None = None,
        relation_names: Vocabulary | Iterable[NodeName] | None = None,
        like: KnowledgeGraph | None = None,
        duplicates: Duplicates = "auto",
    ) -> Self:
        """Make a knowledge graph of three columns; see :meth:`from_triples` for the parameters."""
        columns = sources.collect(
            (heads, relations, tails), weights, num_entities, num_relations, entity_names, relation_names, like
        )
        return cls._from_columns(columns, duplicates, like)

    @classmethod
    def _from_columns(cls, columns: TripleColumns, duplicates: Duplicates, like: KnowledgeGraph | None = None) -> Self:
        """Merge what is given again, and give the ids of another knowledge graph."""
        sources.once_each(columns, duplicates)
        if like is not None and columns.entity_names is not like.entity_names:
            columns, num_entity, num_relation = sources.named_like(columns, like)
            if num_entity or num_relation:
                logger.warning(
                    "%s entities and %s relations are not in the other knowledge graph: they come behind its own.",
                    f"{num_entity:,}", f"{num_relation:,}",
                )  # fmt: skip
        return cls._of_columns(
            columns.heads,
            columns.relations,
            columns.tails,
            columns.weights,
            columns.entity_names,
            columns.relation_names,
        )

    def with_names_of(self, other: KnowledgeGraph) -> KnowledgeGraph:
        """Return the same triples with the ids of another knowledge graph; names that it lacks come behind its own."""
        from nodeloom.io.triples import TripleColumns

        columns = TripleColumns(
            self.heads, self.relations, self.tails, self.weights, self.entity_names, self.relation_names
        )
        return type(self)._from_columns(columns, "keep", other)

    def select(self, triples: npt.ArrayLike) -> KnowledgeGraph:
        """Return the knowledge graph of some of the triples, with all entities and relations.

        Parameters
        ----------
        triples : int [K] or bool [E]
            Numbers of triples, or which to take.
        """
        rows = np.asarray(triples)
        if rows.dtype != np.bool_:
            rows = ids_of(rows, "triples")
        elif rows.shape != (self.num_triples,):
            raise DataError(describe("triples", expected=f"bool [{self.num_triples}]", got=f"shape {list(rows.shape)}"))
        weights = None if self.weights is None else self.weights[rows]
        return self._of_columns(
            self.heads[rows], self.relations[rows], self.tails[rows], weights, self.entity_names, self.relation_names
        )

    def save(self, path: str | Path) -> None:
        """Write the knowledge graph to one file, to be opened by :meth:`open`.

        Raises
        ------
        OutputError
            The file cannot be written; what was there before is still there.
        """
        from nodeloom.graph.triple_storage import save

        save(self, path)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a saved knowledge graph. Its arrays stay on the disk.

        Raises
        ------
        DataError
            The file is missing, damaged, or no saved knowledge graph.
        """
        from nodeloom.graph.triple_storage import read

        return read(path, cls)

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, so that the arrays are read-only again.
        return type(self), (
            self.heads, self.relations, self.tails, self.weights, self.entity_names, self.relation_names
        )  # fmt: skip

    def __repr__(self) -> str:
        weighted = ", weighted" if self.is_weighted else ""
        names = "" if self.entity_names.is_range else f", named {self.entity_names[0]!r}, ..."
        return (
            f"KnowledgeGraph({self.num_entities:,} entities, {self.num_relations:,} relations, "
            f"{self.num_triples:,} triples{weighted}{names})"
        )
