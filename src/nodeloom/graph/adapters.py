"""Adapters: graphs of other libraries to edge columns, and back."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.graph.build import check_weights, index_dtype
from nodeloom.io.columns import EdgeColumns
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.vocabulary import Vocabulary, name_array
from nodeloom.typing import Auto, FloatArray, IndexArray, NodeName

if TYPE_CHECKING:
    import networkx
    import scipy.sparse

    from nodeloom.graph.graph import Graph


def vocabulary_of(names: Vocabulary | Iterable[NodeName] | None, num_nodes: int) -> Vocabulary:
    """Return the vocabulary of `names`, or the range of `num_nodes` for None; refuse another number of names."""
    if names is None:
        return Vocabulary.range(num_nodes)
    vocabulary = names if isinstance(names, Vocabulary) else Vocabulary.from_names(names)
    if len(vocabulary) != num_nodes:
        raise DataError(f"names: expected a name for each of the {num_nodes:,} nodes, got {len(vocabulary):,} names")
    return vocabulary


def once_if_symmetric(
    heads: IndexArray, tails: IndexArray, weights: FloatArray | None, num_nodes: int
) -> tuple[IndexArray, IndexArray, FloatArray | None]:
    """Return each undirected edge once where `heads` and `tails` hold all of them both ways round, else all as they are."""
    import scipy.sparse

    values = np.ones(len(heads), np.float64) if weights is None else weights.astype(np.float64)
    matrix = scipy.sparse.coo_array((values, (heads, tails)), shape=(num_nodes, num_nodes)).tocsr()
    transposed = matrix.T.tocsr()
    matrix.sum_duplicates()
    transposed.sum_duplicates()
    if not (
        np.array_equal(matrix.indptr, transposed.indptr)
        and np.array_equal(matrix.indices, transposed.indices)
        and np.allclose(matrix.data, transposed.data, rtol=1e-6, atol=0)
    ):
        return heads, tails, weights
    once = heads <= tails
    return heads[once], tails[once], None if weights is None else weights[once]


def pair_array(edges: Any) -> npt.NDArray[Any]:
    """Return edges in whatever form as an array, which may still have a wrong shape or type."""
    if not isinstance(edges, np.ndarray):
        edges = list(edges) if not hasattr(edges, "__array__") else np.asarray(edges)
    try:
        array = np.asarray(edges)
    except ValueError as error:  # rows of different length
        raise DataError(f"edges: expected pairs of nodes, got rows of different length ({error})") from None
    return array


def intern_pairs(array: npt.NDArray[Any]) -> EdgeColumns:
    """Return edges between names (text, or Python objects that are text or integers) [E, 2] as edge columns."""
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    collector = EdgeCollector()
    collector.add_arrow(name_array(array[:, 0]), name_array(array[:, 1]))
    return collector.finish()


def from_scipy(
    matrix: scipy.sparse.sparray | scipy.sparse.spmatrix,
    directed: bool,
    weighted: bool | Auto,
    names: Vocabulary | Iterable[NodeName] | None,
) -> EdgeColumns:
    """Return the entries of a square sparse matrix as edge columns."""
    import scipy.sparse

    if not scipy.sparse.issparse(matrix):
        raise DataError(
            f"matrix: expected a SciPy sparse matrix, got {type(matrix).__name__}. Use scipy.sparse.csr_array(...)."
        )
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise DataError(f"matrix: expected a square matrix, got shape {list(matrix.shape)}")
    num_nodes = matrix.shape[0]
    vocabulary = vocabulary_of(names, num_nodes)
    coo = matrix.tocoo()
    heads, tails, values = coo.row, coo.col, coo.data
    if values.dtype.kind == "c":
        raise DataError("matrix: expected real entries, got complex ones")
    stored = values != 0
    if not stored.all():
        heads, tails, values = heads[stored], tails[stored], values[stored]
    dtype = index_dtype(num_nodes)
    heads, tails = heads.astype(dtype), tails.astype(dtype)
    ones = values.dtype.kind == "b" or bool((values == 1).all())
    use = not ones if weighted == "auto" else weighted
    weights = check_weights(values, len(values)) if use else None
    if not directed:
        heads, tails, weights = once_if_symmetric(heads, tails, weights, num_nodes)
    return EdgeColumns(heads, tails, weights, vocabulary)


def to_networkx(graph: Graph) -> networkx.Graph:
    """Return `graph` as a NetworkX graph; see :meth:`nodeloom.graph.Graph.to_networkx`."""
    nx = optional("networkx")
    heads, tails, weights = graph.edge_columns()
    parallel = len(heads) > 1 and bool(((heads[1:] == heads[:-1]) & (tails[1:] == tails[:-1])).any())
    kinds = {
        (False, False): nx.Graph,
        (True, False): nx.DiGraph,
        (False, True): nx.MultiGraph,
        (True, True): nx.MultiDiGraph,
    }
    result = kinds[graph.directed, parallel]()
    result.add_nodes_from(graph.names)
    ends = graph.names.take(heads), graph.names.take(tails)
    if weights is None:
        result.add_edges_from(zip(*ends, strict=True))
    else:
        result.add_weighted_edges_from(zip(*ends, weights.tolist(), strict=True))
    return result


def optional(module: str, package: str | None = None) -> Any:
    """Import an optional library, or say how to get it.

    Raises
    ------
    DataError
        It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise DataError(f"{module} is needed for this and is not installed: pip install {package or module}") from error
