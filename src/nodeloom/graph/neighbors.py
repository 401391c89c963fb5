"""Neighbor graphs: the nearest others of each point."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError, DataError, describe
from nodeloom.io.finite import first_not_finite

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray

Metric = Literal["euclidean", "cosine", "inner_product"]
METRICS = ("euclidean", "cosine", "inner_product")


@dataclass(frozen=True)
class NeighborGraph:
    """The k nearest others of each of N points.

    Attributes
    ----------
    indices : int32 [N, k]
        Their numbers, nearest first; of equally near ones the lower number first.
    distances : float32 [N, k]
        Their distances, ascending: Euclidean distances, 1 minus the cosine, or minus the inner product.
    metric : str
        "euclidean", "cosine" or "inner_product".
    is_exact : bool
        Whether no other point is nearer.
    """

    indices: npt.NDArray[np.int32]
    distances: FloatArray
    metric: str = "euclidean"
    is_exact: bool = True

    @classmethod
    def of(
        cls,
        vectors: Any,
        k: int = 15,
        *,
        metric: Metric = "euclidean",
        device: str = "auto",
        num_threads: int | None = None,
        memory: int | str | None = None,
        seed: int = 0,
    ) -> NeighborGraph:
        """Find the neighbors of vectors.

        Parameters
        ----------
        vectors : array_like [N, D]
            The points, numbers of any type; may be a memory map.
        k : int
            Neighbors of each, from 1 to N - 1.
        metric : {"euclidean", "cosine", "inner_product"}
            How near two points are. The cosine with a row of zeros is 0.
        device : str
            "cpu", "cuda", "cuda:N", or "auto" for a GPU where there is one.
        num_threads : int, optional
            Threads on the CPU; all by default. The result does not depend on it.
        memory : int or str, optional
            Memory that may be used beside the vectors, in bytes or as text such as "8GB"; what the machine has by default.
        seed : int
            For searches that are not exact.

        Raises
        ------
        ConfigError
            A parameter is not allowed, k is not below the number of points.
        DataError
            The vectors are not a matrix of finite numbers.
        """
        points = np.asarray(vectors)
        if first_not_finite(points) is not None:
            raise DataError(describe("vectors", expected="finite numbers", got="NaN"))
        if not 1 <= k < len(points):
            raise ConfigError(describe("k", expected=f"an integer from 1 to {len(points) - 1}", got=k))
        indices = np.empty((len(points), k), np.int32)
        distances = np.empty((len(points), k))
        nearest_others(points, metric, indices, distances)
        return cls(indices, distances.astype(np.float32), metric, True)

    @classmethod
    def from_arrays(cls, indices: Any, distances: Any, *, metric: Metric = "euclidean") -> NeighborGraph:
        """Take neighbors that were found before.

        Parameters
        ----------
        indices, distances : array_like [N, k]
            Neighbors and their distances, in any order; a point that is among its own neighbors is left out.
        metric : str
            What the distances are.
        """
        return cls(np.asarray(indices, np.int32), np.asarray(distances, np.float32), metric, False)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def num_neighbors(self) -> int:
        """Neighbors of each point, k."""
        return int(self.indices.shape[1])

    def energies(self) -> FloatArray:
        """Return what affinities fall with: squared distances; cosine distances, which are half of those of unit vectors."""
        return self.distances**2 if self.metric == "euclidean" else self.distances


def nearest_others(vectors: Any, metric: str, indices: Any, distances: Any) -> None:
    """Fill `indices` and `distances` [N, k] with the k other rows at the least distance to each row, nearest first."""
    table = vectors.astype(np.float64)
    lengths = np.linalg.norm(table, axis=1)
    units = table / np.where(lengths == 0, 1, lengths)[:, None]
    for i in range(len(table)):
        if metric == "euclidean":
            distance = np.sqrt(((table - table[i]) ** 2).sum(1))
        elif metric == "inner_product":
            distance = -(table @ table[i])
        else:
            distance = ((units - units[i]) ** 2).sum(1) / 2
            distance[(lengths == 0) | (lengths[i] == 0)] = 1
        others = np.flatnonzero(np.arange(len(table)) != i)
        best = others[np.argsort(distance[others], kind="stable")[: indices.shape[1]]]
        indices[i], distances[i] = best, distance[best]
