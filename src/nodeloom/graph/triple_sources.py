"""The constructors of a knowledge graph: from files, arrays and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodeloom.graph import triple_adapters as adapters
from nodeloom.graph.triples import Triples
from nodeloom.io.cells import COMMENT, DELIMITERS
from nodeloom.io.edgelist import collect_edges
from nodeloom.io.tables import arrow_of_pandas, collect_table
from nodeloom.io.triple_format import TripleFormat
from nodeloom.io.triples import TripleCollector
from nodeloom.kernels.cpu.parallel import available_threads
from nodeloom.keywords import known_keywords
from nodeloom.log import logger

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self

    import numpy.typing as npt
    import pandas
    import polars

    from nodeloom.graph.build import Duplicates
    from nodeloom.io.triples import TripleColumns
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import Auto, NodeName


class TripleSources(Triples):
    """What :class:`~nodeloom.graph.KnowledgeGraph` can be made of. Every method ends in :meth:`_from_columns`."""

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
        like: Triples | None = None,
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
        columns = adapters.columns_of_rows(triples)
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
        like: Triples | None = None,
        duplicates: Duplicates = "auto",
    ) -> Self:
        """Make a knowledge graph of three columns; see :meth:`from_triples` for the parameters."""
        columns = adapters.collect(
            (heads, relations, tails), weights, num_entities, num_relations, entity_names, relation_names, like
        )
        return cls._from_columns(columns, duplicates, like)

    @classmethod
    @known_keywords()
    def from_file(
        cls,
        path: str | Path | Iterable[str | Path],
        *,
        delimiters: str = DELIMITERS,
        comment: str = COMMENT,
        weighted: bool | Auto = "auto",
        columns: Sequence[str | int] | None = None,
        quotes: bool | Auto = "auto",
        literals: bool = False,
        encoding: str = "utf-8",
        format: str = "auto",
        like: Triples | None = None,
        duplicates: Duplicates = "auto",
        num_thread: int | Auto = "auto",
    ) -> Self:
        """Make a knowledge graph of the triples in one or several files.

        Parameters
        ----------
        path : str, Path or iterable of them
            Text with lines ``head relation tail [weight]``, CSV or TSV with or without a header, Parquet or Arrow, N-Triples
            or N-Quads, relationships of Neo4j (``:START_ID``, ``:TYPE``, ``:END_ID``); Turtle and RDF/XML where rdflib is
            installed. Text also compressed by gzip, bz2, xz or zstd. "-" is standard input. Several files are one list.
        delimiters : str
            The set of characters that stand between the columns of text. By default the tab, comma, semicolon or bar that
            the first lines show, else blanks and tabs. A name may hold all others.
        comment : str
            A line, or the rest of one behind its columns, is a comment where it begins so; "" for no comments.
        weighted : bool or "auto"
            Whether the fourth column holds weights. By default it does where the first line has a number there.
        columns : sequence of str or int, optional
            The columns of heads, relations, tails and, optionally, weights: their names in the header, or their numbers
            from 1. If not given, a header says them, or they are the first three. A first line that is a header for certain
            is taken so, with a warning.
        quotes : bool or "auto"
            Whether double quotes around a name are no part of it. By default they are part of it where tabs separate, as in
            ``"Paris"@en``, and no part of it elsewhere.
        literals : bool
            Whether the literals of RDF are entities. By default triples that end in one are left out, and counted.
        encoding : str
            The encoding of text, as Python calls it.
        format : str
            "triples" for a table of triples whatever it looks like, "n-triples", "rdf" (read by rdflib) or "neo4j"; "auto"
            looks at the first bytes.
        like, duplicates
            As in :meth:`from_triples`.
        num_thread : int or "auto"
            Threads that read.

        Notes
        -----
        If all names of entities are integers, they are the names, in ascending order (where they are 0 to N - 1, each is its
        own id); so of relations. Text names are numbered in the order of their first appearance, line by line.

        Raises
        ------
        DataError
            A file cannot be read, holds no triples, or a line is not a triple; the message names file and line.
        ConfigError
            An option has a value that is not allowed.
        """
        form = TripleFormat(delimiters, comment, weighted, columns, encoding, format, quotes=quotes, literals=literals)
        threads = available_threads() if num_thread == "auto" else int(num_thread)
        collector = TripleCollector(threads)
        collect_edges(path, collector, form, threads)
        return cls._from_columns(collector.finish(), duplicates, like)

    @classmethod
    @known_keywords()
    def from_arrow(
        cls,
        table: Any,
        columns: Sequence[str | int] | None = None,
        *,
        weighted: bool | Auto = "auto",
        like: Triples | None = None,
        duplicates: Duplicates = "auto",
    ) -> Self:
        """Make a knowledge graph of a table with a row for each triple.

        Parameters
        ----------
        table : pyarrow.Table, RecordBatch, RecordBatchReader, or any table with the Arrow C stream
            Any is polars, DuckDB and more. Heads, relations and tails are text or integers; they become the names as in
            :meth:`from_file`.
        columns : sequence of str, optional
            The columns of heads, relations, tails and, optionally, weights; if not given, "head", "relation" and "tail",
            "subject", "predicate" and "object" or the like, or the only three columns; and "weight" if there is one.
        weighted : bool or "auto"
            Whether there must, must not, or may be weights.
        like, duplicates
            As in :meth:`from_triples`.

        Raises
        ------
        DataError
            A column is missing, or a value is missing or wrong.
        """
        collector = TripleCollector()
        collect_table(table, collector, TripleFormat(weighted=weighted, columns=columns))
        return cls._from_columns(collector.finish(), duplicates, like)

    @classmethod
    @known_keywords()
    def from_polars(
        cls,
        frame: polars.DataFrame,
        columns: Sequence[str | int] | None = None,
        *,
        weighted: bool | Auto = "auto",
        like: Triples | None = None,
        duplicates: Duplicates = "auto",
    ) -> Self:
        """Make a knowledge graph of a polars data frame; the same as :meth:`from_arrow`."""
        return cls.from_arrow(frame, columns, weighted=weighted, like=like, duplicates=duplicates)

    @classmethod
    @known_keywords()
    def from_pandas(
        cls,
        frame: pandas.DataFrame,
        columns: Sequence[str | int] | None = None,
        *,
        weighted: bool | Auto = "auto",
        like: Triples | None = None,
        duplicates: Duplicates = "auto",
    ) -> Self:
        """Make a knowledge graph of a pandas data frame; see :meth:`from_arrow`. The index plays no part."""
        table = arrow_of_pandas(frame, TripleFormat(weighted=weighted, columns=columns))
        return cls.from_arrow(table, columns, weighted=weighted, like=like, duplicates=duplicates)

    @classmethod
    def _from_columns(cls, columns: TripleColumns, duplicates: Duplicates, like: Triples | None = None) -> Self:
        """Merge what is given again, and give the ids of another knowledge graph."""
        adapters.once_each(columns, duplicates)
        if like is not None and columns.entity_names is not like.entity_names:
            columns, num_entity, num_relation = adapters.named_like(columns, like)
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
