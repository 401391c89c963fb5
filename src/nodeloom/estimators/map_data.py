"""What a map is made of: vectors, neighbors, affinities, a graph or a model, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.finite import first_not_finite, largest_magnitude

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from nodeloom.engine.layout import Task
    from nodeloom.graph import Graph
    from nodeloom.graph.neighbors import NeighborGraph
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import FloatArray

_BLOCK = 1 << 22  # values looked at at a time
_LARGE, _SMALL = 1e15, 1e-15
"""Squares of larger values, summed up, leave float32; those of smaller ones vanish."""


@dataclass(frozen=True)
class MapData:
    """The data of a map; one of its first four attributes is set.

    Attributes
    ----------
    vectors : float32 [N, D]
        Vectors.
    neighbors : NeighborGraph
        Neighbors of each point.
    affinities : sparse [N, N]
        How much points attract each other, symmetric.
    graph : Graph
        A graph.
    names : Vocabulary or None
        Names of the points, where they have some.
    metric : str
        What "auto" means for `metric`.
    scale : float
        What the vectors were multiplied by to fit float32.
    """

    vectors: FloatArray | None = None
    neighbors: NeighborGraph | None = None
    affinities: csr_array | None = None
    graph: Graph | None = None
    names: Vocabulary | None = None
    metric: str = "euclidean"
    scale: float = 1.0

    @property
    def num_points(self) -> int:
        """N."""
        for found in (self.vectors, None if self.neighbors is None else self.neighbors.indices):
            if found is not None:
                return len(found)
        return self.graph.num_nodes if self.graph is not None else int(self.affinities.shape[0])  # type: ignore[union-attr]

    @property
    def is_graph(self) -> bool:
        """Whether points attract each other along edges, so that there may be components and points alone."""
        return self.graph is not None or self.affinities is not None

    def task(self) -> Task:
        """Return what a plan has to know of it."""
        from nodeloom.engine.layout import Task

        count = self.num_points
        if self.vectors is not None:
            return Task(count, num_value=self.vectors.shape[1], metric=self.metric, data_bytes=self.vectors.nbytes)
        if self.neighbors is not None:
            found = self.neighbors
            size = found.indices.nbytes + found.distances.nbytes
            return Task(count, num_neighbor=found.indices.shape[1], data_bytes=size)
        if self.graph is not None:
            return Task(count, num_value=128, metric="cosine", data_bytes=self.graph.nbytes + count * 128 * 4)
        size = self.affinities.nnz  # type: ignore[union-attr]
        return Task(count, num_entry=size, data_bytes=size * 12)


def map_data(where: str, data: object) -> MapData:
    """Return the data of a map, checked.

    Parameters
    ----------
    where : str
        Name of the estimator, for messages.
    data : array [N, D], NeighborGraph, sparse array [N, N], Graph or fitted model
        What to make a map of.

    Raises
    ------
    DataError
        If it is none of these, holds NaN or infinity, or has nothing that tells points apart.
    NotFittedError
        If a model is not fitted.
    """
    from scipy import sparse

    from nodeloom.estimators.fitted import FittedVectors
    from nodeloom.graph import Graph
    from nodeloom.graph.neighbors import NeighborGraph

    if isinstance(data, MapData):
        return data
    if isinstance(data, Graph):
        return MapData(graph=data, names=data.names)
    if isinstance(data, FittedVectors):
        vectors, scale = checked_vectors(where, data.node_vectors())
        return MapData(vectors=vectors, names=data.graph_names_, metric="cosine", scale=scale)
    if isinstance(data, NeighborGraph):
        return MapData(neighbors=data)
    if sparse.issparse(data):
        return MapData(affinities=checked_affinities(where, data))
    vectors, scale = checked_vectors(where, data)
    return MapData(vectors=vectors, scale=scale)


def checked_affinities(where: str, data: Any) -> csr_array:
    """Return given affinities as a symmetric matrix without diagonal, float32 [N, N], with a sum of 1."""
    from scipy.sparse import coo_array, csr_array

    expected = "a sparse array [N, N] of affinities"
    if data.shape[0] != data.shape[1]:
        hint = "Give vectors as an array: X.toarray(), or fewer values of it."
        raise DataError(describe(where, expected=expected, got=f"a sparse array {list(data.shape)}", hint=hint))
    matrix = coo_array(data)
    values = matrix.data.astype(np.float64)
    if not np.isfinite(values).all() or (values < 0).any():
        wrong = values[~np.isfinite(values) | (values < 0)][0]
        raise DataError(describe(where, expected="affinities that are finite and not negative", got=float(wrong)))
    other = (matrix.row != matrix.col) & (values > 0)
    total = float(values[other].sum())
    if not other.any() or not 0 < total < np.inf:
        raise DataError(describe(where, expected="affinities between different points", got="none"))
    rows, columns, values = matrix.row[other], matrix.col[other], values[other] / total / 2
    both = coo_array(
        (np.concatenate([values, values]), (np.concatenate([rows, columns]), np.concatenate([columns, rows]))),
        shape=matrix.shape,
    )
    found = csr_array(both.tocsr().astype(np.float32))
    found.sum_duplicates()
    return found


def checked_vectors(where: str, data: object) -> tuple[FloatArray, float]:
    """Return vectors as float32 [N, D], and what they were multiplied by to fit it; those that are float32 already are not copied."""
    array = as_numbers(where, data)
    largest = largest_of(where, array)
    scale = 1.0 if largest == 0 or _SMALL < largest < _LARGE else 1.0 / largest
    if scale != 1.0:
        array = array.astype(np.float64) * scale
    vectors = np.ascontiguousarray(array, np.float32)
    if len(vectors) > 3 and _is_constant(vectors):
        raise DataError(describe(where, expected="rows that differ", got="the same row for all points"))
    return vectors, scale


def as_numbers(where: str, data: object) -> npt.NDArray[Any]:
    """Return data as an array of numbers with two axes."""
    if data is None or isinstance(data, str | bytes | os.PathLike):
        hint = "Read it first, for example with numpy.load." if data is not None else ""
        raise DataError(describe(where, expected="an array [N, D]", got=data, hint=hint))
    try:
        array = np.asarray(data)
    except ValueError as error:  # lists of several lengths
        raise DataError(f"{where}: expected an array [N, D], got rows of different lengths: {error}") from None
    expected = "an array [N, D] of numbers"
    if array.dtype.kind not in "fiub":
        raise DataError(describe(where, expected=expected, got=f"an array of {array.dtype}"))
    if array.ndim != 2:
        hint = "For one value a row: X.reshape(-1, 1)." if array.ndim == 1 else ""
        raise DataError(describe(where, expected=expected, got=f"shape {list(array.shape)}", hint=hint))
    if not array.shape[1] and len(array):
        raise DataError(describe(where, expected="at least one value in a row", got=0))
    return array


def largest_of(where: str, array: npt.NDArray[Any]) -> float:
    """Return the largest absolute value, and refuse what is not finite."""
    largest = largest_magnitude(array)
    bad = None if np.isfinite(largest) else first_not_finite(array)
    if bad is not None:
        row = bad[0]
        column = int(np.flatnonzero(~np.isfinite(array[row]))[0])
        got = f"{array[row, column]} in row {row}, column {column}"
        raise DataError(describe(where, expected="finite numbers", got=got, hint="Fill or drop them first."))
    return largest


def _is_constant(vectors: FloatArray) -> bool:
    step = max(1, _BLOCK // vectors.shape[1])
    return all((vectors[first : first + step] == vectors[0]).all() for first in range(0, len(vectors), step))
