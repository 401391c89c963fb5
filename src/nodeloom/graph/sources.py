"""The constructors of a graph: from files, arrays, tables and other libraries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.graph import adapters
from nodeloom.graph.build import BuildOptions, Duplicates, SelfLoops, build, check_ids, check_weights, index_dtype
from nodeloom.io.columns import EdgeColumns
from nodeloom.io.vocabulary import Vocabulary
from nodeloom.typing import Auto, NodeName

if TYPE_CHECKING:
    from typing import Self, Unpack

    import igraph
    import networkx
    import pandas
    import polars
    import scipy.sparse


class BuildKeywords(TypedDict, total=False):
    """The options of every ``from_...``; see :meth:`GraphSources.from_edges`."""

    duplicates: Duplicates
    self_loops: SelfLoops
    normalization: bool
    num_thread: int | Auto


class GraphSources:
    """What :class:`~nodeloom.graph.Graph` can be made of. Every method ends in :meth:`_from_columns`."""

    @classmethod
    def _from_columns(cls, columns: EdgeColumns, options: BuildOptions) -> Self:
        # The list and the cleared columns leave no other reference to the edges, so that building can free them.
        edges: list[Any] = [columns.heads, columns.tails, columns.weights]
        names = columns.names
        columns.heads = columns.tails = np.empty(0, np.int32)
        columns.weights = None
        indptr, indices, weights = build(edges, len(names), options)
        return cls(indptr, indices, weights, names, options.directed)  # type: ignore[call-arg]

    @classmethod
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
            Node ids in ``[0, N)``, or names as text; then the nodes are numbered in the order of their first appearance.
        weights : array [E], optional
            Positive weights.
        num_nodes : int, optional
            N; the largest id plus one, or the number of names, if not given. Nodes without edges are allowed.
        names : Vocabulary or iterable of str or int, optional
            The names of the nodes, in node order.
        directed : bool
            Whether an edge leads from its first to its second node only.
        duplicates : {"auto", "sum", "first", "max", "keep"}
            What becomes of edges that are given again (undirected: also the other way round). "sum" merges them and adds their
            weights, 1 each in an unweighted graph, which becomes weighted by that; "first" and "max" merge them and take the
            first or the greatest weight; "keep" keeps them as parallel entries, so that they are walked more often.
            "auto" is "sum" where there are weights and otherwise merges edges to one, which stays unweighted.
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
        array = adapters.pair_array(edges)
        if array.size == 0:
            array = np.empty((0, 2), np.int32)
        if array.ndim != 2 or array.shape[1] != 2:
            raise DataError(
                f"edges: expected an array of shape [E, 2], got shape {list(array.shape)}. "
                "Pass the weights separately as weights=..., and a PyTorch Geometric edge_index to from_pyg."
            )
        checked = None if weights is None else check_weights(weights, len(array))
        if array.dtype.kind in "USO" and names is None:
            columns = adapters.intern_pairs(array)
            columns.weights = checked
            return cls._from_columns(columns, options)
        if array.dtype.kind not in "iu":
            if array.dtype.kind in "USO":
                raise DataError("edges: expected node ids where names are given, got edges of names. Leave out names.")
            raise DataError(f"edges: expected integer node ids or names as text, got values of type {array.dtype}")
        vocabulary = None
        if names is not None:
            vocabulary = names if isinstance(names, Vocabulary) else Vocabulary.from_names(names)
            if num_nodes is not None and num_nodes != len(vocabulary):
                raise DataError(f"names: expected {num_nodes:,} names (num_nodes), got {len(vocabulary):,}")
            num_nodes = len(vocabulary)
        heads, tails = array[:, 0], array[:, 1]
        largest = max(check_ids(heads, num_nodes, "head"), check_ids(tails, num_nodes, "tail"))
        num_nodes = largest + 1 if num_nodes is None else num_nodes
        dtype = index_dtype(num_nodes)
        heads, tails = heads.astype(dtype), tails.astype(dtype)
        return cls._from_columns(EdgeColumns(heads, tails, checked, vocabulary or Vocabulary.range(num_nodes)), options)

    @classmethod
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
            Positive entries; stored zeros are no edges.
        names : Vocabulary or iterable, optional
            Names of the nodes.
        directed : bool
            If False and the matrix is symmetric, the entries (u, v) and (v, u) are one edge; if it is not symmetric, each entry
            is an edge of its own, so that a triangle of a symmetric matrix gives the same graph.
        weighted : bool or "auto"
            Whether entries are weights; by default unless all of them are 1.
        **options
            As in :meth:`from_edges`.

        Raises
        ------
        DataError
            The matrix is not square, or an entry is negative, NaN or infinite.
        """
        columns = adapters.from_scipy(matrix, directed, weighted, names)
        return cls._from_columns(columns, BuildOptions(directed, **options))
