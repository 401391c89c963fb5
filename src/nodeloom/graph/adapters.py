"""Adapters: graphs of other libraries to edge columns, and back."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.graph.build import BuildOptions, check_ids, implied_nodes, index_dtype
from nodeloom.io.arrays import to_numpy
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.columns import EdgeColumns
from nodeloom.io.matrices import matrix_edges, once_if_symmetric
from nodeloom.io.networks import attribute_weights, network_edges
from nodeloom.io.vocabulary import Vocabulary, name_array
from nodeloom.io.weights import check_weights

if TYPE_CHECKING:
    import igraph
    import networkx
    import scipy.sparse

    from nodeloom.graph.rows import GraphRows
    from nodeloom.typing import Auto, FloatArray, IndexArray, NodeName


def vocabulary_of(names: Vocabulary | Iterable[NodeName] | None, num_nodes: int) -> Vocabulary:
    """Return the vocabulary of `names`, or the range of `num_nodes` for None; refuse another number of names."""
    if names is None:
        return Vocabulary.range(num_nodes)
    vocabulary = names if isinstance(names, Vocabulary) else Vocabulary.from_names(names)
    if len(vocabulary) != num_nodes:
        raise DataError(f"names: expected a name for each of the {num_nodes:,} nodes, got {len(vocabulary):,} names")
    return vocabulary


def _once(
    heads: IndexArray, tails: IndexArray, weights: FloatArray | None, num_nodes: int, options: BuildOptions
) -> tuple[IndexArray, IndexArray, FloatArray | None]:
    """Apply :func:`once_if_symmetric` where the graph would come out different without."""
    counts = options.duplicates in ("sum", "keep") or (options.duplicates == "auto" and weights is not None)
    if options.directed or not counts or not len(heads):
        return heads, tails, weights
    return once_if_symmetric(heads, tails, weights, num_nodes)


def from_edges(
    edges: Any, weights: Any, num_nodes: int | None, names: Vocabulary | Iterable[NodeName] | None
) -> EdgeColumns:
    """Return pairs of node ids, or of names, as edge columns; see :meth:`nodeloom.graph.Graph.from_edges`."""
    if num_nodes is not None:
        num_nodes = _count(num_nodes)
    array = _pairs(edges)
    if isinstance(array, tuple):
        return _named(array, weights, num_nodes, names)
    if array.size == 0:
        array = np.empty((0, 2), np.int32)
    if array.ndim != 2 or array.shape[1] != 2:
        raise DataError(
            f"edges: expected an array of shape [E, 2], got shape {list(array.shape)}. "
            "Pass the weights separately as weights=..., and a PyTorch Geometric edge_index to from_pyg."
        )
    if array.dtype.kind in "USO":
        return _named((array[:, 0], array[:, 1]), weights, num_nodes, names)
    if array.dtype.kind not in "iu":
        raise DataError(f"edges: expected integer node ids or names as text, got values of type {array.dtype}")
    checked = None if weights is None else check_weights(weights, len(array))
    vocabulary = None
    if names is not None:
        vocabulary = names if isinstance(names, Vocabulary) else Vocabulary.from_names(names)
        if num_nodes is not None and num_nodes != len(vocabulary):
            raise DataError(f"names: expected {num_nodes:,} names (num_nodes), got {len(vocabulary):,}")
        num_nodes = len(vocabulary)
    largest = max(check_ids(array[:, 0], num_nodes, "head"), check_ids(array[:, 1], num_nodes, "tail"))
    if num_nodes is None:
        num_nodes = implied_nodes(largest, len(array))
    return EdgeColumns(array[:, 0], array[:, 1], checked, vocabulary or Vocabulary.range(num_nodes))


def _count(num_nodes: Any) -> int:
    if isinstance(num_nodes, bool) or not isinstance(num_nodes, int | np.integer) or num_nodes < 0:
        raise DataError(f"num_nodes: expected a whole number of at least 0, got {num_nodes!r}")
    return int(num_nodes)


def _pairs(edges: Any) -> npt.NDArray[Any] | tuple[list[Any], list[Any]]:
    """Return edges as an array, which may still have a wrong shape, or as two columns of what they were given as.

    NumPy alone would make text of whatever stands beside text: "nan" of a missing name, "1.0" of a number; and of all
    text as much as the longest takes.
    """
    if hasattr(edges, "__array__") or hasattr(edges, "detach"):
        return to_numpy(edges, "edges")
    if isinstance(edges, str | bytes | Mapping) or not isinstance(edges, Iterable):
        raise DataError(f"edges: expected pairs of nodes, got {type(edges).__name__}. Give a list of pairs.")
    rows = list(edges)
    if rows and isinstance(rows[0], list | tuple) and all(isinstance(end, int | np.integer) for end in rows[0]):
        with contextlib.suppress(ValueError):  # of rows that differ in length
            array = np.asarray(rows)
            if array.dtype.kind in "iub" and not _has_bools(rows, array):
                return array
    if not all(issubclass(kind, list | tuple) for kind in set(map(type, rows))):
        return to_numpy(rows, "edges")
    lengths = sorted(set(map(len, rows)))
    if len(lengths) > 1:
        raise DataError(f"edges: expected pairs of nodes, got rows of different length ({lengths[0]}, {lengths[1]})")
    if lengths != [2]:
        return to_numpy(rows, "edges")
    heads, tails = [row[0] for row in rows], [row[1] for row in rows]
    kinds = set(map(type, heads)) | set(map(type, tails))
    if kinds <= {float, np.float64, int} and kinds != {int}:  # of integers beyond 64 bits names are made
        return to_numpy(rows, "edges")
    return heads, tails


def _has_bools(rows: list[Any], array: npt.NDArray[Any]) -> bool:
    """Tell whether True or False stands among integers, of which NumPy makes 1 and 0."""
    if array.dtype.kind == "b" or array.ndim != 2:
        return False
    return any(isinstance(rows[i][j], bool | np.bool_) for i, j in np.argwhere((array == 0) | (array == 1)).tolist())


def _named(
    ends: tuple[Any, Any], weights: Any, num_nodes: int | None, names: Vocabulary | Iterable[NodeName] | None
) -> EdgeColumns:
    """Return edges between names (text, or Python objects that are text or integers) as edge columns."""
    if names is not None:
        raise DataError("edges: expected node ids where names are given, got edges of names. Leave out names.")
    if num_nodes is not None:
        raise DataError("num_nodes: expected edges of node ids beside it, got edges of names. Leave it out.")
    checked = None if weights is None else check_weights(weights, len(ends[0]))
    kinds = set(map(type, ends[0])) | set(map(type, ends[1]))
    if len(kinds) > 1 and all(issubclass(kind, str | int | np.integer) for kind in kinds):
        items = set(ends[0]) | set(ends[1])
        both = next((item for item in items if not isinstance(item, str) and str(item) in items), None)
        if both is not None:
            raise DataError(f"names: expected every node in one form, got {both!r} and {str(both)!r}.")
    collector = EdgeCollector()
    collector.add_arrow(name_array(ends[0]), name_array(ends[1]))
    columns = collector.finish()
    columns.weights = checked
    return columns


def from_scipy(
    matrix: scipy.sparse.sparray | scipy.sparse.spmatrix,
    names: Vocabulary | Iterable[NodeName] | None,
    weighted: bool | Auto,
    options: BuildOptions,
) -> EdgeColumns:
    """Return the entries of a square sparse matrix as edge columns."""
    import scipy.sparse

    if not scipy.sparse.issparse(matrix):
        raise DataError(
            f"matrix: expected a SciPy sparse matrix, got {type(matrix).__name__}. Use scipy.sparse.csr_array(...)."
        )
    # What becomes of entries that are there again, the caller may say.
    heads, tails, weights = matrix_edges(matrix, weighted, "matrix", add=options.duplicates in ("auto", "sum"))
    num_nodes = matrix.shape[0]
    return EdgeColumns(*_once(heads, tails, weights, num_nodes, options), vocabulary_of(names, num_nodes))


def from_networkx(graph: networkx.Graph, weight: str | Auto | None) -> EdgeColumns:
    """Return the edges of a NetworkX graph as edge columns; see :meth:`nodeloom.graph.Graph.from_networkx`."""
    if isinstance(graph, type) or not all(hasattr(graph, name) for name in ("edges", "nodes", "is_directed")):
        raise DataError(f"graph: expected a NetworkX graph, got {type(graph).__name__}")
    nodes, heads, tails, weights = network_edges(graph, weight, "graph")
    return EdgeColumns(heads, tails, weights, Vocabulary.from_names(_node_names(nodes)))


def _node_names(nodes: list[Any]) -> list[Any]:
    """Return nodes as names: text and integers as they are, if all are such, else the text of each."""
    if all(isinstance(n, str | bytes | int | np.integer) and not isinstance(n, bool) for n in nodes):
        return nodes
    missing = next((node for node in nodes if isinstance(node, float | np.floating) and node != node), None)
    if missing is not None:
        raise DataError(f"graph: expected a name for every node, got {missing!r}. Remove the node, or name it.")
    return [node if isinstance(node, str) else str(node) for node in nodes]


def from_igraph(graph: igraph.Graph, weight: str | Auto | None) -> EdgeColumns:
    """Return the edges of an igraph graph as edge columns; see :meth:`nodeloom.graph.Graph.from_igraph`."""
    if not (hasattr(graph, "get_edgelist") and hasattr(graph, "vcount")):
        raise DataError(f"graph: expected an igraph graph, got {type(graph).__name__}")
    num_nodes = graph.vcount()
    pairs: Any = np.array(graph.get_edgelist(), index_dtype(num_nodes)).reshape(-1, 2)
    named = "name" in graph.vs.attributes()
    names = Vocabulary.from_names(graph.vs["name"]) if named else Vocabulary.range(num_nodes)
    if weight == "auto":
        weight = "weight" if "weight" in graph.es.attributes() else None
    if weight is not None and weight not in graph.es.attributes():
        raise DataError(f"graph: expected an edge attribute {weight!r}, got {graph.es.attributes()}")
    weights = None if weight is None else attribute_weights(graph.es[weight], weight, len(pairs), "graph")
    return EdgeColumns(pairs[:, 0].copy(), pairs[:, 1].copy(), weights, names)


def from_pyg(
    data: Any,
    weights: Any,
    num_nodes: int | None,
    names: Vocabulary | Iterable[NodeName] | None,
    options: BuildOptions,
) -> EdgeColumns:
    """Return a PyTorch Geometric graph as edge columns; see :meth:`nodeloom.graph.Graph.from_pyg`."""
    edge_index = data
    if hasattr(data, "edge_index"):
        edge_index = data.edge_index
        if weights is None:
            weights = getattr(data, "edge_weight", None)
        num_nodes = getattr(data, "num_nodes", None) if num_nodes is None else num_nodes
    num_nodes = None if num_nodes is None else _count(num_nodes)
    if edge_index is None:
        raise DataError("data: expected a PyTorch Geometric graph with an edge_index, got one without")
    ends = to_numpy(edge_index, "edge_index")
    if ends.ndim != 2 or ends.shape[0] != 2 or ends.dtype.kind not in "iu":
        raise DataError(f"edge_index: expected integers of shape [2, E], got {ends.dtype} of shape {list(ends.shape)}")
    if names is not None:
        names = names if isinstance(names, Vocabulary) else Vocabulary.from_names(names)
        num_nodes = len(names) if num_nodes is None else num_nodes
    largest = max(check_ids(ends[0], num_nodes, "head"), check_ids(ends[1], num_nodes, "tail"))
    num_nodes = implied_nodes(largest, ends.shape[1]) if num_nodes is None else num_nodes
    vocabulary = vocabulary_of(names, num_nodes)
    dtype = index_dtype(num_nodes)
    heads: IndexArray = ends[0].astype(dtype)
    tails: IndexArray = ends[1].astype(dtype)
    checked = None if weights is None else check_weights(_flat(to_numpy(weights, "weights")), len(heads))
    return EdgeColumns(*_once(heads, tails, checked, num_nodes, options), vocabulary)


def _flat(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values


def to_networkx(graph: GraphRows) -> networkx.Graph:
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
