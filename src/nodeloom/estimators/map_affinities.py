"""From the data of a map to affinities and first places."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from nodeloom.engine.layout import Affinities
from nodeloom.engine.layout.components import FEW
from nodeloom.engine.layout.plan import NEIGHBORS_PER_PERPLEXITY
from nodeloom.engine.layout.start import principal_start, spectral_start
from nodeloom.errors import DataError, GraphError, describe

if TYPE_CHECKING:
    from nodeloom.engine.layout import LayoutPlan
    from nodeloom.estimators.map_data import MapData
    from nodeloom.graph import Graph
    from nodeloom.typing import FloatArray

_OF_EDGES = 0.4  # part of the affinities of a graph


def affinities_of(data: MapData, plan: LayoutPlan, *, with_start: bool = True) -> tuple[Affinities, FloatArray]:
    """Return who attracts whom, and where points begin, float32 [N, dim].

    Vectors begin at their principal components. What has no vectors begins at the slowest functions on its affinities. Where another
    start is known (`with_start` False) these are left out, and points are at 0.
    """
    from nodeloom.graph.affinity import affinities

    if data.graph is not None:
        return _of_graph(data.graph, plan)
    if data.vectors is not None:
        return _of_vectors(data.vectors, plan, with_start)
    matrix = data.affinities
    if data.neighbors is not None:
        matrix = affinities(data.neighbors, plan.perplexity, num_threads=plan.num_thread, device=plan.device)
    found = as_affinities(matrix)
    return found, spectral_start(found, plan.dim, plan.seed) if with_start else _nowhere(len(found), plan)


def _nowhere(count: int, plan: LayoutPlan) -> FloatArray:
    return np.zeros((count, plan.dim), np.float32)


def _of_vectors(vectors: FloatArray, plan: LayoutPlan, with_start: bool) -> tuple[Affinities, FloatArray]:
    from nodeloom.graph.affinity import affinities
    from nodeloom.graph.neighbors import NeighborGraph

    with ThreadPoolExecutor(1) as beside:  # a GPU finds neighbors while the CPU finds the principal components
        unit, threads = plan.metric == "cosine", plan.num_thread
        if with_start:
            begun = beside.submit(principal_start, vectors, plan.dim, plan.seed, unit=unit, num_thread=threads)
        else:
            begun = beside.submit(_nowhere, len(vectors), plan)
        start = begun.result() if plan.device == "cpu" else None
        rows = vectors.view()
        rows.flags.writeable = False
        near = NeighborGraph.of_points(
            rows, plan.num_neighbor, _metric(plan), "auto", plan.device, plan.num_thread, plan.search_memory, plan.seed
        )
        found = as_affinities(affinities(near, plan.perplexity, num_threads=plan.num_thread, device=plan.device))
        return found, begun.result() if start is None else start


def as_affinities(matrix: Any) -> Affinities:
    """Return a sparse matrix as affinities, with a sum of 1."""
    weights = np.asarray(matrix.data, np.float32)
    total = weights.sum(dtype=np.float64)
    if not 0 < total < np.inf:
        raise DataError(describe("affinities", expected="a finite sum above 0", got=float(total)))
    if abs(total - 1) > 1e-6:
        weights = (weights / total).astype(np.float32)
    return Affinities(matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32, copy=False), weights)


def _of_graph(graph: Graph, plan: LayoutPlan) -> tuple[Affinities, FloatArray]:
    """Return edges, over the roots of the strengths of their ends, joined with neighbors of vectors of propagation.

    The more edges count, the more neighbors are kept; the more vectors count, the more labels. Parts of edges .65, .5, .35, .25: cora keeps
    62, 61, 60 and 59 % of a node's neighbors, and finds .80 of the labels in each; BlogCatalog at .5 and .25 16.6 and 14.6 %, .361 and
    .371; packages of Debian 31 and 29 %, .645 and .667.
    """
    from nodeloom.estimators.spectral import Propagation
    from nodeloom.graph.affinity import affinities, affinities_of_graph, join
    from nodeloom.graph.neighbors import NeighborGraph

    edges = affinities_of_graph(graph)
    dim = min(128, max(2, graph.num_nodes // 4))
    try:
        model = Propagation(dim=dim, seed=plan.seed, num_thread=plan.num_thread, device=plan.device, verbose=False)
        vectors = model.fit(graph).vectors_
    except GraphError:  # nothing tells the nodes apart: a star, a complete graph
        found = as_affinities(edges)
        return found, spectral_start(found, plan.dim, plan.seed)
    component = connected_components(edges, directed=False)[1]
    sizes = np.bincount(component)
    # Nodes without edges are near to each other, and to nobody; small components are drawn by their edges.
    linked = np.flatnonzero(vectors.any(axis=1) & (sizes[component] > FEW))
    if len(linked) < 2:
        return as_affinities(edges), principal_start(vectors, plan.dim, plan.seed)
    count = min(plan.num_neighbor, len(linked) - 1)
    near = NeighborGraph.of(
        np.ascontiguousarray(vectors[linked]),
        count,
        metric=_metric(plan),
        device=plan.device,
        num_threads=plan.num_thread,
    )
    perplexity = min(plan.perplexity, max(1.0, count / NEIGHBORS_PER_PERPLEXITY))
    matrix = affinities(near, perplexity, num_threads=plan.num_thread, device=plan.device).tocoo()
    heads, tails = linked[matrix.row], linked[matrix.col]
    inside = component[heads] == component[tails]  # vectors of different components say nothing about each other
    parts = (matrix.data[inside], (heads[inside], tails[inside]))
    wide = csr_array(coo_array(parts, shape=(graph.num_nodes, graph.num_nodes)))
    start = principal_start(vectors, plan.dim, plan.seed, num_thread=plan.num_thread)
    return as_affinities(join(edges, wide, _OF_EDGES)), start


def _metric(plan: LayoutPlan) -> Any:
    return plan.metric


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
            unknown = value is None or value == "" or value == -1 or value != value
            if not bool(unknown):
                numbers[i] = known.setdefault(value, len(known))
        except (TypeError, ValueError):  # a list of labels
            hint = "Give one label for each point."
            raise DataError(describe(f"y[{i}]", expected="a text or a number", got=value, hint=hint)) from None
    return numbers if known else None
