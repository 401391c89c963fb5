"""Points that an earlier map knows, and points that are new to a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.engine.layout.start import NOISE, noise
from nodeloom.errors import DataError, describe

if TYPE_CHECKING:
    from nodeloom.config import ResourceConfig
    from nodeloom.engine.layout import Affinities
    from nodeloom.estimators.map_data import MapData
    from nodeloom.io.vocabulary import Vocabulary
    from nodeloom.typing import FloatArray

_ROUNDS = 10  # in which places go from points to new neighbors
_QUERIES = 4096


@dataclass(frozen=True)
class Earlier:
    """What an earlier map says about the points of a new one.

    Attributes
    ----------
    known : bool [N]
        Which points it has.
    places : float32 [N, dim]
        Where they are; zeros for the others.
    """

    known: npt.NDArray[np.bool_]
    places: FloatArray

    @classmethod
    def of(cls, coordinates: npt.NDArray[Any], names: Vocabulary | None, data: MapData, dim: int) -> Earlier:
        """Find the points of the data in a map: by name where it and the data have names, else row by row.

        Raises
        ------
        DataError
            If there is none, or the map has other dimensions.
        """
        count = data.num_points
        fits = coordinates.ndim == 2 and coordinates.dtype.kind in "fiu" and coordinates.shape[1] == dim
        by_name = names is not None and data.names is not None
        if not fits or (len(coordinates) > count and not by_name):
            expected = f"a map, or coordinates [{count}, {dim}]"
            raise DataError(describe("init", expected=expected, got=f"{coordinates.dtype} {list(coordinates.shape)}"))
        if not np.isfinite(coordinates).all():
            raise DataError(describe("init", expected="finite coordinates", got="NaN or infinity"))
        known, places = np.zeros(count, bool), np.zeros((count, dim), np.float32)
        if names is not None and data.names is not None:
            here = data.names.find(names.to_list(), missing=-1)
            found = here >= 0
            known[here[found]] = True
            places[here[found]] = coordinates[found]
        else:
            known[: len(coordinates)] = True
            places[: len(coordinates)] = coordinates
        if known.sum() < 1:
            raise DataError(describe("init", expected="points of this map", got="none of them"))
        return cls(known, places)

    def start(self, affinities: Affinities) -> FloatArray:
        """Return where points begin: new ones at the mean of their neighbors, those that have none at the center."""
        from scipy.sparse import csr_array

        places, known = self.places.astype(np.float64), self.known.astype(np.float64)
        center = places[self.known].mean(axis=0)
        if not self.known.all():
            matrix = csr_array(
                (affinities.weights, affinities.indices, affinities.indptr), shape=(len(affinities), len(affinities))
            )
            reached = known.copy()
            for _ in range(_ROUNDS):
                total = matrix @ reached
                mean = (matrix @ (places * reached[:, None])) / np.where(total > 0, total, 1.0)[:, None]
                new = ~self.known & (total > 0)
                places[new], reached[new] = mean[new], 1.0
            places[reached == 0] = center
        span = max(float(np.abs(places - center).max()), NOISE)
        shake = noise(len(places), places.shape[1], 0) * (1e-4 * span)
        return (places + shake * (~self.known)[:, None]).astype(np.float32)

    def restored(self, places: FloatArray, laid: npt.NDArray[np.int64]) -> FloatArray:
        """Return places of which those of known points that were not laid out are where they were."""
        stay = self.known.copy()
        stay[laid] = False
        return np.where(stay[:, None], self.places, places).astype(np.float32)


def transformed(
    X: object,
    vectors: FloatArray,
    coordinates: FloatArray,
    made: dict[str, Any],
    exaggeration: float,
    resource: ResourceConfig,
    where: str,
) -> FloatArray:
    """Return the places of new vectors in a map, float32 [M, dim]."""
    from nodeloom.engine.layout.settle import settled
    from nodeloom.kernels.cpu.parallel import available_threads
    from nodeloom.tasks import nearest

    new = new_vectors(X, vectors.shape[1], made["scale"], where)
    out = np.empty((len(new), coordinates.shape[1]), np.float32)
    count = min(made["num_neighbor"], len(vectors))
    threads = available_threads() if resource.threads == "auto" else resource.threads
    for first in range(0, len(new), _QUERIES):
        rows = new[first : first + _QUERIES]
        metric: Any = "dot" if made["metric"] == "inner_product" else made["metric"]
        ids, scores = nearest(vectors, rows, count, metric=metric)
        weights = _weights(scores, made["metric"], made["perplexity"])
        places = settled(coordinates, ids, weights, exaggeration, threads)
        same = (vectors[ids[:, 0]] == rows).all(axis=1)
        places[same] = coordinates[ids[same, 0]]
        out[first : first + _QUERIES] = places
    return out


def new_vectors(X: object, width: int, scale: float, where: str) -> FloatArray:
    """Return new vectors as float32 [M, D], checked."""
    from nodeloom.estimators.map_data import as_numbers, largest_of

    array = as_numbers(f"{where}.transform", X)
    if array.shape[1] != width:
        raise DataError(describe(f"{where}.transform", expected=f"rows of {width} values", got=array.shape[1]))
    largest_of(f"{where}.transform", array)
    return np.ascontiguousarray(array if scale == 1.0 else array.astype(np.float64) * scale, np.float32)


def _weights(scores: FloatArray, metric: str, perplexity: float) -> FloatArray:
    """Return the affinities of new points to their neighbors [M, k], each row with a sum of 1, by bisection of the perplexity."""
    square = scores.astype(np.float64) ** 2 if metric == "euclidean" else -scores.astype(np.float64)
    square -= square.min(axis=1, keepdims=True)
    square /= np.maximum(square.mean(axis=1, keepdims=True), 1e-300)
    low, high = np.full((len(square), 1), -30.0), np.full((len(square), 1), 30.0)
    target = np.log(min(perplexity, square.shape[1]))
    weights = np.full(square.shape, 1 / square.shape[1])
    for _ in range(50):
        middle = (low + high) / 2
        weights = np.exp(-square * np.exp(middle))
        weights /= weights.sum(axis=1, keepdims=True)
        entropy = -(weights * np.log(np.maximum(weights, 1e-300))).sum(axis=1, keepdims=True)
        low, high = np.where(entropy > target, middle, low), np.where(entropy > target, high, middle)
    return weights.astype(np.float32)
