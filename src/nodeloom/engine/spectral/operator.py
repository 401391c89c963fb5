"""Sparse matrices made from a graph: who passes values to whom, and with which weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.engine.spectral.tables import Matrix
from nodeloom.errors import TrainingError

if TYPE_CHECKING:
    from nodeloom.graph import Graph
    from nodeloom.typing import DoubleArray, FloatArray

_NONE = np.empty(0, np.float32)

_EXTREME = 1e12
"""Weights whose largest is beyond this, or below its inverse, are scaled: squares of sums of them leave float32."""


def power(strengths: DoubleArray, exponent: float) -> FloatArray:
    """Return strengths over the largest one to a power, as float32: only ratios matter. Nodes without edges get 1.

    Raises
    ------
    TrainingError
        If that exceeds float32.
    """
    relative = strengths / max(float(strengths.max()), 1e-300)
    with np.errstate(over="ignore"):
        found: FloatArray = (np.where(relative > 0, relative, 1.0) ** exponent).astype(np.float32)
    if not np.isfinite(found).all():
        raise TrainingError(
            f"degree_exponent: strengths to the power {exponent:g} exceed float32. Are there extreme weights in the graph? Scale them."
        )
    return found


def weights_of(graph: Graph) -> FloatArray:
    """Return the weights of a graph, float32 [nnz], none if all are 1; extreme ones are divided by the largest: only ratios matter."""
    if graph.weights is None:
        return _NONE
    largest = float(graph.weights.max(initial=0.0))
    if not largest > 0 or 1 / _EXTREME <= largest <= _EXTREME:
        return graph.weights
    return (graph.weights.astype(np.float64) / largest).astype(np.float32)


def forward(graph: Graph, degree_exponent: float) -> Matrix:
    """Return the matrix by which a node collects from the tails of its edges, each divided by its strength to a power.

    Of an undirected graph: from its neighbours.
    """
    factors = power(graph.in_strengths, -degree_exponent)
    return Matrix(graph.indptr, graph.indices, weights_of(graph), factors)


def backward(graph: Graph, degree_exponent: float) -> Matrix:
    """Return the matrix by which a node collects from the heads of the edges that lead to it."""
    if not graph.directed:
        return forward(graph, degree_exponent)
    import scipy.sparse as sp

    weights = weights_of(graph)
    data = weights if len(weights) else np.ones(len(graph.indices), np.float32)
    shape = (graph.num_nodes, graph.num_nodes)
    turned = sp.csr_array((data, graph.indices, graph.indptr), shape=shape).T.tocsr()
    weights = np.ascontiguousarray(turned.data, np.float32) if len(weights) else _NONE
    indices = np.ascontiguousarray(turned.indices, graph.indices.dtype)
    factors = power(graph.strengths, -degree_exponent)
    return Matrix(np.ascontiguousarray(turned.indptr, np.int64), indices, weights, factors)


def operators(graph: Graph, direction: str, degree_exponent: float) -> list[Matrix]:
    """Return the matrices whose products are added in one step of propagation.

    Parameters
    ----------
    graph : Graph
        The graph.
    direction : {"both", "out", "in"}
        Of a directed graph: along edges to their tails, to their heads, or both.
    degree_exponent : float
        What a node gives is divided by its strength to this power.
    """
    if not graph.directed:
        return [forward(graph, degree_exponent)]
    found = []
    if direction in ("both", "out"):
        found.append(forward(graph, degree_exponent))
    if direction in ("both", "in"):
        found.append(backward(graph, degree_exponent))
    return found


def row_sums(matrix: Matrix) -> DoubleArray:
    """Return the sum of each row, float64 [N]."""
    import scipy.sparse as sp

    data = matrix.weights if len(matrix.weights) else np.ones(len(matrix.indices), np.float32)
    shape = (len(matrix.indptr) - 1, len(matrix.factors))
    return np.asarray(sp.csr_array((data, matrix.indices, matrix.indptr), shape=shape) @ matrix.factors.astype(float))
