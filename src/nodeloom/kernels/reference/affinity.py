"""Weights of neighbors, of a given perplexity: the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.typing import DoubleArray, FloatArray


def weigh_neighbors(first: int, last: int, energies: FloatArray, entropy: float, weights: DoubleArray) -> None:
    """Set rows of `weights` to exp(-beta energy) over its sum, with the beta whose distribution has an entropy.

    A row whose nearest neighbors are equally near cannot have less than the logarithm of their number: they share it all. A row
    whose neighbors are all equally near has equal weights.

    Parameters
    ----------
    first, last : int
        Bounds of the rows.
    energies : float32 [N, k]
        Squared distances, ascending and finite.
    entropy : float
        Logarithm of the perplexity, from 0 to log(k).
    weights : float64 [N, k]
        Written; rows of sum 1.
    """
    for i in range(first, last):
        energy = energies[i].astype(np.float64)
        energy = energy - energy[0]
        if energy[-1] == 0:
            weights[i] = 1 / len(energy)
            continue
        energy = energy / energy[-1]
        low, high = -60.0, 60.0  # of log(beta)
        for _ in range(200):
            middle = (low + high) / 2
            p = np.exp(-np.exp(middle) * energy)
            p = p / p.sum()
            if -(p * np.log(np.where(p > 0, p, 1))).sum() > entropy:
                low = middle
            else:
                high = middle
        weights[i] = p
