"""Affinities of a map: how much each point attracts each other one, as a symmetric sparse matrix with a sum of 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from nodeloom.errors import ConfigError, DataError, GraphError, describe
from nodeloom.kernels.cpu.affinity import weigh_neighbors
from nodeloom.kernels.cpu.parallel import available_threads, run_slices

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from nodeloom.graph.graph import Graph
    from nodeloom.graph.neighbors import NeighborGraph


def affinities(
    neighbors: NeighborGraph, perplexity: float, *, num_threads: int | None = None, device: str = "cpu"
) -> csr_array:
    """Return the affinities of points to their neighbors, as t-SNE and LargeVis define them.

    A point gives its neighbors weights that fall with the squared distance, as fast as to have a given perplexity (the effective
    number of neighbors); the two weights of a pair are averaged. A neighbor that is one in one direction alone counts half.

    Parameters
    ----------
    neighbors : NeighborGraph
        Neighbors of each point.
    perplexity : float
        From 1 to the number of neighbors.
    num_threads : int, optional
        Threads on the CPU; all by default. The result does not depend on it.
    device : str
        "cpu", "cuda" or "cuda:N". A GPU without the memory for it leaves it to the CPU; results differ in the last bits.

    Returns
    -------
    csr_array, float32 [N, N]
        Symmetric, with sorted indices and a sum of 1.

    Raises
    ------
    ConfigError
        The perplexity is not from 1 to the number of neighbors.
    """
    from scipy.sparse import csr_array

    count, k = neighbors.indices.shape
    if isinstance(perplexity, bool) or not isinstance(perplexity, int | float | np.number) or not 1 <= perplexity <= k:
        hint = "A third to two thirds of the neighbors is usual."
        expected = f"a number from 1 to {k}, the number of neighbors"
        raise ConfigError(describe("perplexity", expected=expected, got=perplexity, hint=hint))
    energies, entropy = neighbors.energies(), math.log(perplexity)
    if device != "cpu":
        from nodeloom.kernels.gpu.affinity import affinities_on

        found = affinities_on(device, neighbors.indices, energies, entropy)
        if found is not None:
            indptr, indices, weights = found
            matrix = csr_array((weights, indices, indptr), shape=(count, count))
            matrix.has_sorted_indices = True
            return matrix
    weights = np.empty((count, k))
    run_slices(
        lambda first, last: weigh_neighbors(first, last, energies, entropy, weights),
        count,
        num_threads or available_threads(),
    )
    indptr = np.arange(0, count * k + 1, k)
    directed = csr_array((weights.ravel(), neighbors.indices.ravel(), indptr), shape=(count, count))
    return _normalized(directed + directed.T)


def affinities_of_graph(graph: Graph) -> csr_array:
    """Return the affinities of nodes to those at the other ends of their edges.

    They are the weights over the roots of the strengths of both ends, so that hubs do not attract everything. A pair of arcs in
    opposite directions is one edge of the sum of their weights; self-loops attract nothing.

    Parameters
    ----------
    graph : Graph
        Edges, weighted or not, directed or not.

    Returns
    -------
    csr_array, float32 [N, N]
        Symmetric, with sorted indices and a sum of 1. Rows of nodes without edges are empty.

    Raises
    ------
    GraphError
        There is no edge between two different nodes.
    """
    from scipy.sparse import csr_array

    adjacency = graph.to_scipy()
    rows = np.repeat(np.arange(graph.num_nodes), np.diff(adjacency.indptr))
    values = adjacency.data.astype(np.float64)
    values[rows == adjacency.indices] = 0
    largest = values.max(initial=0)
    if not largest > 0:
        raise GraphError(describe("graph", expected="an edge between two different nodes", got=repr(graph)))
    matrix = csr_array((values / largest, adjacency.indices, adjacency.indptr), shape=adjacency.shape)
    if graph.directed:
        matrix = matrix + matrix.T
    matrix.sum_duplicates()
    strengths = np.asarray(matrix.sum(axis=1)).ravel()
    scale = 1 / np.sqrt(np.where(strengths > 0, strengths, 1))
    rows = np.repeat(np.arange(graph.num_nodes), np.diff(matrix.indptr))
    matrix.data *= scale[rows] * scale[matrix.indices]
    return _normalized(matrix)


def join(a: csr_array, b: csr_array, weight: float = 0.5) -> csr_array:
    """Return affinities of which a part is those of `a`, and the rest those of `b`.

    Edges of a graph joined with the neighbors of vectors of its nodes keep more of both in a map than either alone.

    Parameters
    ----------
    a, b : sparse [N, N]
        Affinities of the same points; each counts by its shape alone, not by its sum.
    weight : float
        The part of `a`, from 0 to 1.

    Returns
    -------
    csr_array, float32 [N, N]
        With sorted indices and a sum of 1; symmetric as `a` and `b` are.

    Raises
    ------
    ConfigError
        The weight is not from 0 to 1.
    DataError
        The affinities are not of the same number of points, or have no sum above 0.
    """
    if isinstance(weight, bool) or not isinstance(weight, int | float | np.number) or not 0 <= weight <= 1:
        raise ConfigError(describe("weight", expected="a number from 0 to 1", got=weight))
    if a.shape != b.shape:
        raise DataError(describe("join", expected=f"affinities of the same points, {a.shape[0]:,}", got=b.shape))
    sums = [_sum(matrix) for matrix in (a, b)]
    return _normalized(a * (weight / sums[0]) + b * ((1 - weight) / sums[1]))


def _sum(matrix: Any) -> float:
    total = float(matrix.sum(dtype=np.float64))
    if not (math.isfinite(total) and total > 0):
        raise DataError(describe("affinities", expected="a finite sum above 0", got=total))
    return total


def _normalized(matrix: Any) -> csr_array:
    """Return a matrix as float32, without zeros, with sorted indices and a sum of 1."""
    from scipy.sparse import csr_array

    found = csr_array(matrix, dtype=np.float64)
    found.data /= _sum(found)
    found = found.astype(np.float32)
    found.eliminate_zeros()
    found.sort_indices()
    return found
