"""KnowledgeGraph: triples of head, relation and tail, which models of knowledge graphs learn from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import DataError, describe
from nodeloom.graph.triple_sources import TripleSources
from nodeloom.graph.triples import ids_of
from nodeloom.io.triples import TripleColumns

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    import numpy.typing as npt

    from nodeloom.graph.triples import Triples


class KnowledgeGraph(TripleSources):
    """Triples of a head, a relation and a tail, perhaps with weights, and the names of entities and relations. Immutable.

    Make one with :meth:`from_file`, :meth:`from_triples`, the other ``from_...`` or :meth:`open`. Triples keep their order. Ids count
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
    def from_dataset(cls, name: str) -> tuple[Self, Self, Self]:
        """Return the knowledge graphs to train on, to choose by and to judge by of a registered data set.

        All three have the entities and relations of all: those of the first come first.

        Parameters
        ----------
        name : str
            As ``nodeloom list`` shows it: "wordnet-mini" comes with the package, "fb15k237", "wn18rr" and others are fetched
            when first asked for, or found in the folder that ``NODELOOM_DATA`` names.

        Raises
        ------
        DatasetError
            The data set is unknown, cannot be fetched, or has no triples.
        """
        from nodeloom.datasets import DATASETS, resolve
        from nodeloom.errors import DatasetError

        known = DATASETS.get(name)
        if known is not None and not known.num_relations:
            graphs = ", ".join(d.name for d in DATASETS.values() if d.num_relations)
            raise DatasetError(
                f"data set {name!r}: expected a knowledge graph, got a graph of edges. There are {graphs}."
            )
        paths = [resolve(f"<{name}.{split}>") for split in ("train", "valid", "test")]
        train = cls.from_file(paths[0])
        valid = cls.from_file(paths[1], like=train)
        test = cls.from_file(paths[2], like=valid)
        return train.with_names_of(test), valid.with_names_of(test), test

    def with_names_of(self, other: Triples) -> Self:
        """Return the same triples with the ids of another knowledge graph; names that it lacks come behind its own."""
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
