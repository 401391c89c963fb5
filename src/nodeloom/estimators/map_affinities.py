"""From the data of a map to affinities and first places."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.layout import Affinities
from nodeloom.engine.layout.start import principal_start, spectral_start
from nodeloom.errors import DataError, GraphError, describe
from nodeloom.typing import FloatArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from nodeloom.engine.layout import LayoutPlan
    from nodeloom.estimators.map_data import MapData
    from nodeloom.graph import Graph


def affinities_of(data: MapData, plan: LayoutPlan) -> tuple[Affinities, FloatArray]:
    """Return who attracts whom, and where points begin, float32 [N, dim].

    Vectors begin at their principal components. What has no vectors begins at the slowest functions on its affinities.
    """
    from nodeloom.graph.affinity import affinities
    from nodeloom.graph.neighbors import NeighborGraph

    if data.graph is not None:
        return _of_graph(data.graph, plan)
    vectors = data.vectors
    if data.affinities is not None:
        matrix = data.affinities
    else:
        near = data.neighbors
        if vectors is not None:
            near = NeighborGraph.of(vectors, plan.num_neighbor, plan.metric)
        matrix = affinities(near, plan.perplexity)
    found = as_affinities(matrix)
    if vectors is None:
        return found, spectral_start(found, plan.dim, plan.seed)
    return found, principal_start(vectors, plan.dim, plan.seed, unit=plan.metric == "cosine")


def as_affinities(matrix: csr_array) -> Affinities:
    """Return a sparse matrix as affinities, with a sum of 1."""
    weights = np.asarray(matrix.data, np.float32)
    total = weights.sum(dtype=np.float64)
    if not 0 < total < np.inf:
        raise DataError(describe("affinities", expected="a finite sum above 0", got=float(total)))
    if abs(total - 1) > 1e-6:
        weights = (weights / total).astype(np.float32)
    return Affinities(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), weights)


def _of_graph(graph: Graph, plan: LayoutPlan) -> tuple[Affinities, FloatArray]:
    """Return half the edges, over the roots of the strengths of their ends, and half the neighbors of vectors of propagation.

    Cora: 61 % of a node's neighbors are among the nearest of the map, with edges alone 62 %, with vectors alone 55 %; BlogCatalog 16.6,
    15.3, 13.8. Labels of the nearest: cora .81, .80, .80; BlogCatalog .31, .24, .32.
    """
    from nodeloom.estimators.spectral import Propagation
    from nodeloom.graph.affinity import affinities
    from nodeloom.graph.neighbors import NeighborGraph

    edges = edge_affinities(graph)
    dim = min(128, max(2, graph.num_nodes // 4))
    try:
        model = Propagation(dim=dim, seed=plan.seed, num_thread=plan.num_thread, device=plan.device, verbose=False)
        vectors = model.fit(graph).vectors_
    except GraphError:  # nothing tells the nodes apart: a star, a complete graph
        found = as_affinities(edges)
        return found, spectral_start(found, plan.dim, plan.seed)
    linked = np.flatnonzero(vectors.any(axis=1))  # nodes without edges are near to each other, and to nobody
    count = min(plan.num_neighbor, len(linked) - 1)
    near = NeighborGraph.of(np.ascontiguousarray(vectors[linked]), count, plan.metric)
    matrix = affinities(near, min(plan.perplexity, max(1.0, count / 1.5))).tocoo()
    matrix = _sparse(matrix.data, linked[matrix.row], linked[matrix.col], graph.num_nodes)
    both = edges * (0.5 / edges.sum()) + matrix * (0.5 / matrix.sum())
    return as_affinities(both.tocsr()), principal_start(vectors, plan.dim, plan.seed)


def edge_affinities(graph: Graph) -> csr_array:
    """Return the weights of edges over the roots of the strengths of both ends, in both directions, without self-loops."""
    rows = np.repeat(np.arange(graph.num_nodes), np.diff(graph.indptr))
    weights = np.ones(len(rows)) if graph.weights is None else np.asarray(graph.weights, np.float64)
    other = rows != graph.indices
    rows, columns, weights = rows[other], np.asarray(graph.indices)[other], weights[other]
    if not len(rows) or not weights.max() > 0:
        raise GraphError(describe("graph", expected="an edge between two different nodes", got=repr(graph)))
    weights = weights / weights.max()
    if graph.directed:
        rows, columns = np.concatenate([rows, columns]), np.concatenate([columns, rows])
        weights = np.concatenate([weights, weights])
    strength = np.bincount(rows, weights, minlength=graph.num_nodes)
    return _sparse(weights / np.sqrt(strength[rows]) / np.sqrt(strength[columns]), rows, columns, graph.num_nodes)


def _sparse(values: Any, rows: Any, columns: Any, count: int) -> csr_array:
    from scipy.sparse import coo_array, csr_array

    matrix = csr_array(coo_array((values, (rows, columns)), shape=(count, count)))
    matrix.sum_duplicates()
    return matrix


def supervised(affinities: Affinities, labels: npt.NDArray[np.int64], weight: float) -> Affinities:
    """Return affinities of which those between points of different labels are reduced by a part, with a sum of 1."""
    rows = np.repeat(np.arange(len(affinities)), np.diff(affinities.indptr))
    one, other = labels[rows], labels[affinities.indices]
    differ = (one != other) & (one >= 0) & (other >= 0)
    weights = np.where(differ, affinities.weights * (1 - weight), affinities.weights).astype(np.float32)
    total = weights.sum(dtype=np.float64)
    if not total > 0:
        raise DataError(describe("y", expected="neighbors with the same label", got="none", hint="Lower label_weight."))
    return Affinities(affinities.indptr, affinities.indices, (weights / total).astype(np.float32))


def label_numbers(y: object, count: int) -> npt.NDArray[np.int64] | None:
    """Return labels as numbers from 0, int64 [N]; -1 for those that are unknown: None, NaN, -1 or an empty text. None: all are unknown.

    Raises
    ------
    DataError
        If there are not as many labels as points.
    """
    if y is None:
        return None
    if isinstance(y, str | bytes) or not isinstance(y, Iterable):
        raise DataError(describe("y", expected=f"{count} labels", got=y))
    values = list(y)
    if len(values) != count:
        raise DataError(describe("y", expected=f"{count} labels, one a point", got=len(values)))
    known: dict[Any, int] = {}
    numbers = np.full(count, -1, np.int64)
    for i, value in enumerate(values):
        try:
            unknown = value is None or value == "" or value == -1 or value != value  # noqa: PLR0124  NaN
            if not bool(unknown):
                numbers[i] = known.setdefault(value, len(known))
        except (TypeError, ValueError):  # a list of labels
            hint = "Give one label for each point."
            raise DataError(describe(f"y[{i}]", expected="a text or a number", got=value, hint=hint)) from None
    return numbers if known else None
