"""The constructors of a graph: from files, arrays, tables and other libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
import numpy.typing as npt

from nodeloom.graph import adapters
from nodeloom.graph.build import BuildOptions, Duplicates, SelfLoops, build
from nodeloom.graph.rows import GraphRows
from nodeloom.io.cells import COMMENT, DELIMITERS
from nodeloom.io.edge_format import EdgeFormat
from nodeloom.keywords import known_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path
    from typing import Self, Unpack

    import igraph
    import networkx
    import pandas
    import polars
    import scipy.sparse

    from nodeloom.io.columns import EdgeColumns
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import Auto, NodeName


class BuildKeywords(TypedDict, total=False):
    """The options of every ``from_...``; see :meth:`GraphSources.from_edges`."""

    duplicates: Duplicates
    self_loops: SelfLoops
    normalization: bool
    num_thread: int | Auto


class GraphSources(GraphRows):
    """What :class:`~nodeloom.graph.Graph` can be made of. Every method ends in :meth:`_from_columns`."""

    @classmethod
    def _from_columns(cls, columns: EdgeColumns, options: BuildOptions) -> Self:
        # The list and the cleared columns leave no other reference to the edges, so that building can free them.
        edges: list[Any] = [columns.heads, columns.tails, columns.weights]
        names = columns.names
        columns.heads = columns.tails = np.empty(0, np.int32)
        columns.weights = None
        indptr, indices, weights = build(edges, len(names), options)
        return cls._of_rows(indptr, indices, weights, names, options.directed)

    @classmethod
    @known_keywords()
    def from_edges(
        cls,
        edges: npt.ArrayLike | Iterable[tuple[NodeName, NodeName]],
        weights: npt.ArrayLike | None = None,
        num_nodes: int | None = None,
        names: Vocabulary | Iterable[NodeName] | None = None,
        directed: bool = False,
        *,
        duplicates: Duplicates = "auto",
        self_loops: SelfLoops = "keep",
        normalization: bool = False,
        num_thread: int | Auto = "auto",
    ) -> Self:
        """Build a graph of an array of edges.

        Parameters
        ----------
        edges : array [E, 2] or iterable of pairs
            Node ids in ``[0, N)``, or names as text; then the nodes are numbered in the order of their first
            appearance. An array of int32 is read where it lies: beside it, building takes 6 bytes for each entry of
            the rows (with weights 10) before any are merged.
        weights : array [E], optional
            Positive weights.
        num_nodes : int, optional
            N; the largest id plus one, or the number of names, if not given. Nodes without edges are allowed.
        names : Vocabulary or iterable of str or int, optional
            The names of the nodes, in node order.
        directed : bool
            Whether an edge leads from its first to its second node only.
        duplicates : {"auto", "sum", "first", "max", "keep"}
            What becomes of edges that are given again (undirected: also the other way round). "sum" merges them and
            adds their weights, 1 each in an unweighted graph, which becomes weighted by that; "first" and "max" merge
            them and take the first or the greatest weight; "keep" keeps them as parallel entries, so that they are
            walked more often. "auto" is "sum" where there are weights and otherwise merges edges to one, which stays
            unweighted.
        self_loops : {"keep", "drop"}
            What becomes of edges from a node to itself.
        normalization : bool
            Replace each weight w of (u, v) by ``w / sqrt(out_weight(u) in_weight(v))``, as GraphVite does.
        num_thread : int or "auto"
            Threads that build; all CPUs of this process by default. The result does not depend on it.

        Raises
        ------
        DataError
            The edges, weights or names have a wrong shape, type or value.
        GraphError
            There are no nodes.
        """
        options = BuildOptions(directed, duplicates, self_loops, normalization, num_thread)
        columns = adapters.from_edges(edges, weights, num_nodes, names)
        del edges, weights  # what only this call holds can be freed while the rows are built
        return cls._from_columns(columns, options)

    @classmethod
    @known_keywords()
    def from_file(
        cls,
        path: str | Path | Iterable[str | Path],
        *,
        delimiters: str = DELIMITERS,
        comment: str = COMMENT,
        directed: bool = False,
        weighted: bool | Auto = "auto",
        duplicates: Duplicates = "auto",
        self_loops: SelfLoops = "keep",
        normalization: bool = False,
        columns: Sequence[str | int] | None = None,
        encoding: str = "utf-8",
        format: str = "auto",
        num_thread: int | Auto = "auto",
    ) -> Self:
        """Build a graph of the edges in one or several files.

        Parameters
        ----------
        path : str, Path or iterable of them
            Text with lines ``head tail [weight]``, CSV or TSV with or without a header, Parquet or Arrow; text also
            compressed by gzip, bz2, xz or zstd. "-" is standard input. Several files are one list of edges.
        delimiters : str
            The set of characters that stand between the columns of text. By default blanks and tabs, or the comma,
            semicolon, bar or tab that the first lines show. Several in a row count as one, but an empty cell lies between
            two of these four. Blanks at the ends of a name are no part of it, nor are double quotes around it.
        comment : str
            A line, or the rest of one behind its columns, is a comment where it begins so; "" for no comments.
        directed : bool
            Whether an edge leads from head to tail only.
        weighted : bool or "auto"
            Whether the third column holds weights. By default it does where the first line has one, and then every
            line must. True takes the third column, False the first two; both ignore all others.
        duplicates, self_loops, normalization
            As in :meth:`from_edges`.
        columns : sequence of str or int, optional
            The columns of heads, tails and, optionally, weights: their names in the header, or their numbers from 1. If
            not given, a header says them: "head" and "tail", "source" and "target" and the like, and "weight". A first
            line that is a header for certain is taken so, with a warning; see docs/graphs.md.
        encoding : str
            The encoding of text, as Python calls it.
        format : str
            What the file is, where its first bytes do not tell: "edges" for a list of edges whatever it looks like, or one
            of the formats of graphs that are read; see docs/graphs.md. "auto" looks.
        num_thread : int or "auto"
            Threads that read and build.

        Notes
        -----
        If all names are integers, they are the names, in ascending order (where they are 0 to N - 1, each is its own
        node number). An integer is what Python writes it like: with ``007`` or ``+7``, or beyond 64 bits, all names
        are text. Text names are numbered in the order of their first appearance.

        Raises
        ------
        DataError
            A file cannot be read, holds no edges, or a line is not an edge; the message names file and line.
        ConfigError
            An option has a value that is not allowed.
        """
        options = BuildOptions(directed, duplicates, self_loops, normalization, num_thread)
        from nodeloom.io.edgelist import read_edges

        form = EdgeFormat(delimiters, comment, weighted, columns, encoding, format, directed)
        return cls._from_columns(read_edges(path, form, num_thread=num_thread), options)

    @classmethod
    @known_keywords(BuildKeywords)
    def from_scipy(
        cls,
        matrix: scipy.sparse.sparray | scipy.sparse.spmatrix,
        names: Vocabulary | Iterable[NodeName] | None = None,
        directed: bool = False,
        *,
        weighted: bool | Auto = "auto",
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of a square SciPy sparse matrix; entry (u, v) is the weight of the edge from u to v.

        Parameters
        ----------
        matrix : sparse matrix or array [N, N]
            Positive entries; stored zeros are no edges, entries that are stored again are added up.
        names : Vocabulary or iterable, optional
            Names of the nodes.
        directed : bool
            If False and the matrix is symmetric, the entries (u, v) and (v, u) are one edge; if it is not symmetric,
            each entry is an edge of its own, so that a triangle of a symmetric matrix gives the same graph.
        weighted : bool or "auto"
            Whether entries are weights; by default unless all of them are 1.
        **options
            As in :meth:`from_edges`.

        Raises
        ------
        DataError
            The matrix is not square, or an entry is negative, NaN or infinite.
        """
        build_options = BuildOptions(directed, **options)
        return cls._from_columns(adapters.from_scipy(matrix, names, weighted, build_options), build_options)

    @classmethod
    @known_keywords(BuildKeywords)
    def from_networkx(
        cls,
        graph: networkx.Graph,
        *,
        weight: str | Auto | None = "auto",
        directed: bool | None = None,
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of a NetworkX graph, its nodes in their order.

        Parameters
        ----------
        graph : networkx.Graph, DiGraph, MultiGraph or MultiDiGraph
            Nodes that are not text or integers are named by their ``str``.
        weight : str, None or "auto"
            The edge attribute that holds weights (1 where an edge lacks it); None for no weights; by default "weight"
            if any edge has it.
        directed : bool, optional
            As `graph` is, if not given.
        **options
            As in :meth:`from_edges`.
        """
        columns = adapters.from_networkx(graph, weight)
        return cls._from_columns(
            columns, BuildOptions(graph.is_directed() if directed is None else directed, **options)
        )

    @classmethod
    @known_keywords(BuildKeywords)
    def from_igraph(
        cls,
        graph: igraph.Graph,
        *,
        weight: str | Auto | None = "auto",
        directed: bool | None = None,
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of an igraph graph, named by the vertex attribute "name" where there is one.

        Parameters
        ----------
        graph : igraph.Graph
            The graph.
        weight : str, None or "auto"
            The edge attribute that holds weights; None for no weights; by default "weight" if there is one.
        directed : bool, optional
            As `graph` is, if not given.
        **options
            As in :meth:`from_edges`.
        """
        columns = adapters.from_igraph(graph, weight)
        return cls._from_columns(
            columns, BuildOptions(graph.is_directed() if directed is None else directed, **options)
        )

    @classmethod
    @known_keywords(BuildKeywords)
    def from_pyg(
        cls,
        data: Any,
        weights: Any = None,
        num_nodes: int | None = None,
        names: Vocabulary | Iterable[NodeName] | None = None,
        directed: bool = False,
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of a PyTorch Geometric ``Data`` or of an ``edge_index``.

        Parameters
        ----------
        data : torch_geometric.data.Data, tensor or array [2, E]
            The graph, or its edge index, on any device.
        weights : tensor or array [E], optional
            Weights; those of ``data.edge_weight`` if not given.
        num_nodes : int, optional
            N; ``data.num_nodes``, or the largest id plus one.
        names : Vocabulary or iterable, optional
            Names of the nodes.
        directed : bool
            If False and every edge is there both ways round, as PyTorch Geometric keeps undirected graphs, the two
            are one edge.
        **options
            As in :meth:`from_edges`.
        """
        build_options = BuildOptions(directed, **options)
        columns = adapters.from_pyg(data, weights, num_nodes, names, build_options)
        return cls._from_columns(columns, build_options)

    @classmethod
    @known_keywords(BuildKeywords)
    def from_arrow(
        cls,
        table: Any,
        columns: Sequence[str | int] | None = None,
        *,
        weighted: bool | Auto = "auto",
        directed: bool = False,
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of a table with a row for each edge.

        Parameters
        ----------
        table : pyarrow.Table, RecordBatch, RecordBatchReader, or any table with the Arrow C stream
            Any is polars, DuckDB and more. Heads and tails are text or integers; they become the names of the nodes
            as in :meth:`from_file`.
        columns : sequence of str, optional
            The columns of heads, tails and, optionally, weights; if not given, "head" and "tail", "source" and
            "target", "src" and "dst", "from" and "to", "u" and "v", or the only two columns; and "weight" if there is
            one.
        weighted : bool or "auto"
            Whether there must, must not, or may be weights.
        directed : bool
            Whether an edge leads from head to tail only.
        **options
            As in :meth:`from_edges`.

        Raises
        ------
        DataError
            A column is missing, or a value is missing or wrong.
        """
        from nodeloom.io.tables import read_table

        return cls._from_columns(read_table(table, columns, weighted), BuildOptions(directed, **options))

    @classmethod
    @known_keywords(BuildKeywords)
    def from_polars(
        cls,
        frame: polars.DataFrame,
        columns: Sequence[str | int] | None = None,
        *,
        weighted: bool | Auto = "auto",
        directed: bool = False,
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of a polars data frame; the same as :meth:`from_arrow`."""
        return cls.from_arrow(frame, columns, weighted=weighted, directed=directed, **options)

    @classmethod
    @known_keywords(BuildKeywords)
    def from_pandas(
        cls,
        frame: pandas.DataFrame,
        columns: Sequence[str | int] | None = None,
        *,
        weighted: bool | Auto = "auto",
        directed: bool = False,
        **options: Unpack[BuildKeywords],
    ) -> Self:
        """Build a graph of a pandas data frame; see :meth:`from_arrow` for the parameters. The index plays no part."""
        from nodeloom.io.tables import arrow_of_pandas

        table = arrow_of_pandas(frame, EdgeFormat(weighted=weighted, columns=columns))
        return cls.from_arrow(table, columns, weighted=weighted, directed=directed, **options)
