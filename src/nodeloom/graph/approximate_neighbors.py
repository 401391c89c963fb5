"""Approximate neighbors on the CPU, by pynndescent."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import ConfigError
from nodeloom.graph.exact_neighbors import expected_seconds
from nodeloom.units import duration

if TYPE_CHECKING:
    from nodeloom.typing import FloatArray


def approximate_neighbors(
    vectors: npt.NDArray[Any], k: int, metric: str, num_thread: int, seed: int
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Find most of the k nearest other rows of each row.

    Parameters
    ----------
    vectors : [N, D]
        The rows, float32 or float64.
    k, metric, num_thread, seed
        As in :meth:`nodeloom.graph.neighbors.NeighborGraph.of`.

    Returns
    -------
    indices, distances : int32 [N, k], float32 [N, k]

    Raises
    ------
    ConfigError
        pynndescent is not installed, or does not know the metric.
    """
    count = len(vectors)
    seconds = duration(expected_seconds(count, vectors.shape[1], num_thread))
    instead = f"method='exact' takes about {seconds} for these {count:,} vectors"
    if metric == "inner_product":
        raise ConfigError(f"metric: approximate neighbors are Euclidean or of cosines, got 'inner_product'; {instead}")
    if importlib.util.find_spec("pynndescent") is None:
        raise ConfigError(
            f"approximate neighbors need pynndescent: pip install 'nodeloom[maps]'. Without it, {instead}; a GPU is faster."
        )
    import pynndescent

    index = pynndescent.NNDescent(vectors, metric=metric, n_neighbors=k + 1, random_state=seed, n_jobs=num_thread)
    ids, found = index.neighbor_graph
    return drop_self(ids, found, k)


def drop_self(ids: Any, distances: Any, k: int) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Return the first k of k + 1 neighbors without the points themselves, ascending.

    Raises
    ------
    ConfigError
        A point has fewer: the search failed for it.
    """
    own = (ids == np.arange(len(ids))[:, None]) | (ids < 0)
    order = np.lexsort((ids, np.where(own, np.inf, distances)), axis=1)[:, :k]
    ids, distances = np.take_along_axis(ids, order, 1), np.take_along_axis(distances, order, 1)
    lost = np.flatnonzero(np.take_along_axis(own, order, 1).any(axis=1))
    if len(lost):
        raise ConfigError(
            f"pynndescent found fewer than {k} neighbors of {len(lost):,} points, row {lost[0]} among them. "
            "Look for exact ones, NeighborGraph.of(vectors, k, method='exact'), or for fewer."
        )
    return ids.astype(np.int32), distances.astype(np.float32)
