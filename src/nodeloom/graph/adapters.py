"""Adapters: graphs of other libraries to edge columns, and back."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.graph.build import BuildOptions, check_ids, implied_nodes, index_dtype
from nodeloom.io.collector import EdgeCollector
from nodeloom.io.columns import EdgeColumns
from nodeloom.io.matrices import matrix_edges, once_if_symmetric
from nodeloom.io.vocabulary import Vocabulary, name_array
from nodeloom.io.weights import check_weights
from nodeloom.typing import Auto, FloatArray, IndexArray, NodeName

if TYPE_CHECKING:
    import igraph
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


def _once(
    heads: IndexArray, tails: IndexArray, weights: FloatArray | None, num_nodes: int, options: BuildOptions
) -> tuple[IndexArray, IndexArray, FloatArray | None]:
    """Apply :func:`once_if_symmetric` where the graph would come out different without."""
    counts = options.duplicates in ("sum", "keep") or (options.duplicates == "auto" and weights is not None)
    if options.directed or not counts or not len(heads):
        return heads, tails, weights
    return once_if_symmetric(heads, tails, weights, num_nodes)


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
    heads, tails, weights = matrix_edges(matrix, weighted, "matrix")
    num_nodes = matrix.shape[0]
    return EdgeColumns(*_once(heads, tails, weights, num_nodes, options), vocabulary_of(names, num_nodes))


def from_networkx(graph: networkx.Graph, weight: str | Auto | None) -> EdgeColumns:
    """Return the edges of a NetworkX graph as edge columns; see :meth:`nodeloom.graph.Graph.from_networkx`."""
    if not (hasattr(graph, "edges") and hasattr(graph, "nodes") and hasattr(graph, "is_directed")):
        raise DataError(f"graph: expected a NetworkX graph, got {type(graph).__name__}")
    nodes = list(graph.nodes)
    plain = all(isinstance(n, str) or (isinstance(n, int) and not isinstance(n, bool)) for n in nodes)
    names = Vocabulary.from_names(nodes if plain else [str(node) for node in nodes])
    number = {node: i for i, node in enumerate(nodes)}
    num_edges = graph.number_of_edges()
    dtype = index_dtype(len(nodes))
    heads, tails = np.empty(num_edges, dtype), np.empty(num_edges, dtype)
    for e, (head, tail) in enumerate(graph.edges()):
        heads[e], tails[e] = number[head], number[tail]
    weights = None
    if weight == "auto":
        weight = "weight" if any("weight" in data for *_, data in graph.edges(data=True)) else None
    if weight is not None:
        # As everywhere in NetworkX, an edge without the attribute weighs 1.
        values = [value for *_, value in graph.edges(data=weight, default=1)]
        weights = check_weights(_numbers(values, weight), num_edges)
    return EdgeColumns(heads, tails, weights, names)


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
    weights = None if weight is None else check_weights(_numbers(graph.es[weight], weight), len(pairs))
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
    if edge_index is None:
        raise DataError("data: expected a PyTorch Geometric graph with an edge_index, got one without")
    ends = _to_numpy(edge_index)
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
    checked = None if weights is None else check_weights(_to_numpy(weights).reshape(-1), len(heads))
    return EdgeColumns(*_once(heads, tails, checked, num_nodes, options), vocabulary)


def _numbers(values: list[Any], attribute: str) -> npt.NDArray[np.float64]:
    """Return the values of an edge attribute as float64."""
    try:
        return np.array(values, np.float64).reshape(len(values))
    except (ValueError, TypeError) as error:
        raise DataError(f"edge attribute {attribute!r}: expected numbers, got: {error}") from None


def _to_numpy(tensor: Any) -> npt.NDArray[Any]:
    """Return a torch tensor, on whatever device, or an array as a NumPy array."""
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu().numpy()
    return np.asarray(tensor)


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
