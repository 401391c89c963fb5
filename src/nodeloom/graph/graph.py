"""Graph: the one structure that samplers, engines and tasks read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.graph.corpus import GraphOfWords
from nodeloom.graph.queries import GraphQueries
from nodeloom.keywords import check_names

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Self, Unpack

    import networkx
    import scipy.sparse

    from nodeloom.graph.compile import FileKeywords, Report


class Graph(GraphQueries, GraphOfWords):
    """Nodes, edges, weights and names, in compressed sparse rows. Immutable.

    Make one with :meth:`from_file`, :meth:`from_edges`, the other ``from_...`` or :meth:`open`. Methods take the names
    of nodes; with ``ids=True`` their ids, which are the numbers of the rows. The neighbours of the node with the id ``u``
    are ``indices[indptr[u]:indptr[u + 1]]``, in ascending order. An undirected edge is entered in the rows of both of its
    ends, a self-loop once.

    Parameters
    ----------
    indptr : int64 [N + 1]
        Offsets of the rows.
    indices : int32 (int64 above 2^31 - 1 nodes) [nnz]
        Neighbours, sorted within each row.
    weights : float32 [nnz] or None
        Weights of the entries; None where all are 1.
    names : Vocabulary, optional
        Names of the nodes; the numbers 0 to N - 1 if not given.
    directed : bool
        Whether an entry is an arc, or one end of an undirected edge.

    Raises
    ------
    GraphError
        The arrays are not the rows of a graph: all entries are looked at, about 3 ns for each and thread.

    Attributes
    ----------
    indptr, indices, weights
        As given, as read-only arrays.
    names : Vocabulary
        Names of the nodes, and the way back from a name to its node.
    directed : bool
        Whether edges have a direction.

    Examples
    --------
    >>> graph = Graph.from_edges([[0, 1], [1, 2], [2, 0], [2, 3]])
    >>> graph
    Graph(4 nodes, 4 edges, undirected, unweighted)
    >>> graph.indices[graph.indptr[2] : graph.indptr[3]]
    array([0, 1, 3], dtype=int32)
    """

    def to_scipy(self, *, copy: bool = True) -> scipy.sparse.csr_array:
        """Return the adjacency matrix, float32 [N, N]; undirected: symmetric, with a self-loop once on the diagonal.

        Parameters
        ----------
        copy : bool
            Whether to copy. Without, the matrix reads the memory of the graph and cannot be changed in place.
        """
        import scipy.sparse

        weights = np.ones(len(self.indices), np.float32) if self.weights is None else self.weights
        shape = (self.num_nodes, self.num_nodes)
        # SciPy wants one dtype for both: narrow the short array rather than widen the long one.
        indptr = self.indptr.astype(self.indices.dtype) if len(self.indices) < 2**31 else self.indptr
        return scipy.sparse.csr_array((weights, self.indices, indptr), shape=shape, copy=copy)

    def to_networkx(self) -> networkx.Graph:
        """Return a NetworkX graph with the names as nodes and the weights as the edge attribute "weight".

        It is a Graph or DiGraph, or a MultiGraph or MultiDiGraph where there are parallel edges.
        """
        from nodeloom.graph.adapters import to_networkx

        return to_networkx(self)

    def save(self, path: str | Path) -> None:
        """Write the compiled graph to one file, to be opened by :meth:`open`.

        Raises
        ------
        OutputError
            The file cannot be written; what was there before is still there.
        """
        from nodeloom.graph.storage import save

        save(self, path)

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a compiled graph. Its arrays stay on the disk, and are read once to see that they are the rows of a graph.

        Raises
        ------
        DataError
            The file is missing, truncated, or not a compiled graph.
        """
        from nodeloom.graph.storage import read

        return read(path, cls)

    @classmethod
    def compile(
        cls,
        edges: str | Path | Iterable[str | Path],
        path: str | Path,
        *,
        memory_limit: int | str = "auto",
        report: Report | None = None,
        **options: Unpack[FileKeywords],
    ) -> Self:
        """Compile the edges in one or several files to one file at `path`, and open it.

        The file is what :meth:`from_file` and :meth:`save` would make, number for number. With a limit the edges need
        not fit the memory: they wait on the disk, beside `path`, and the rows are built range by range.

        Parameters
        ----------
        edges : str, Path or iterable of them
            Files as :meth:`from_file` takes them.
        path : str or Path
            Where the compiled graph goes. Until it is complete, what was there before stays.
        memory_limit : int, str or "auto"
            Memory that this process may hold, in bytes or as text such as "8GB". By default graphs are built in memory
            if they are expected to take less than half of what the machine has, and else within that half. Text names are
            held in memory whatever the limit: 20 to 32 bytes of a name and its text, twice that while the tables
            grow. Integer names, and `normalization`, take some bytes of each node; 0 to N - 1 take nothing.
        report : callable, optional
            Called now and then with what is being done ("reading", "counting", "sorting" or "building"), how many
            edges or entries are done, and of how many, or None.
        **options
            As in :meth:`from_file`.

        Raises
        ------
        DataError, GraphError, ConfigError
            As :meth:`from_file` does.
        MemoryLimitError
            The limit is too low to begin with, or for the names of the nodes.
        OutputError
            The file cannot be written, or the disk has too little space: 8 bytes (weighted: 12) for each edge and for
            each entry of the graph.
        """
        from nodeloom.graph.compile import FileKeywords, compile_files

        check_names("Graph.compile", options, ["memory_limit", "report", *FileKeywords.__annotations__])
        compile_files(edges, path, memory_limit, report, **options)
        return cls.open(path)

    def __reduce__(self) -> tuple[Any, ...]:
        # Through the constructor, so that the arrays are read-only again.
        return Graph, (self.indptr, self.indices, self.weights, self.names, self.directed)

    def __repr__(self) -> str:
        direction = "directed" if self.directed else "undirected"
        weighted = "weighted" if self.is_weighted else "unweighted"
        unit = "arcs" if self.directed else "edges"
        names = "" if self.names.is_range else f", named {self.names[0]!r}, ..."
        return f"Graph({self.num_nodes:,} nodes, {self.num_edges:,} {unit}, {direction}, {weighted}{names})"
