"""Nearest other rows of each row: the definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.typing import DoubleArray


def nearest_others(
    vectors: npt.NDArray[Any], metric: str, indices: npt.NDArray[np.int32], distances: DoubleArray
) -> None:
    """Fill `indices` and `distances` [N, k] with the k other rows at the least distance to each row, nearest first.

    Of rows at the same distance the first comes first.

    Parameters
    ----------
    vectors : [N, D]
        The rows, finite.
    metric : str
        "euclidean"; "cosine", which is 1 minus the cosine, and 1 for a row of zeros; "inner_product", which is minus the product.
    indices, distances : int32 [N, k], float64 [N, k]
        Written. k is below N.
    """
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
