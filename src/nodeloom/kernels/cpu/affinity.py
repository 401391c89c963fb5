"""Weights of neighbors, of a given perplexity; :mod:`nodeloom.kernels.reference.affinity` is the definition."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

_STEPS = 100  # six or so are usual; the bounds, 120 apart, are halved to nothing in fewer than 60


@jit
def weigh_neighbors(first, last, energies, entropy, weights):
    """Set rows of `weights` to exp(-beta energy) over its sum, with the beta whose distribution has an entropy.

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
    k = energies.shape[1]
    energy = np.empty(k)
    for i in range(first, last):
        nearest = np.float64(energies[i, 0])
        widest = np.float64(energies[i, k - 1]) - nearest
        if widest <= 0:
            weights[i] = 1 / k
            continue
        for j in range(k):
            energy[j] = (np.float64(energies[i, j]) - nearest) / widest
        low, high = -60.0, 60.0  # of log(beta)
        place = 1.0
        total = 1.0
        for _ in range(_STEPS):
            beta = np.exp(place)
            total = 0.0
            mean = 0.0
            square = 0.0
            for j in range(k):
                p = np.exp(-beta * energy[j])
                weights[i, j] = p
                total += p
                mean += p * energy[j]
                square += p * energy[j] * energy[j]
            mean /= total
            # -sum of p log p, where log p is -beta energy minus log of the total
            excess = beta * mean + np.log(total) - entropy
            if abs(excess) < 1e-7:
                break
            if excess > 0:
                low = place
            else:
                high = place
            # Newton's step, for the entropy falls by beta^2 times the variance; halving where it leads out of the bounds.
            slope = beta * beta * (square / total - mean * mean)
            place = place + excess / slope if slope > 0 else low
            if not low < place < high:
                place = (low + high) * 0.5
        for j in range(k):
            weights[i, j] /= total
