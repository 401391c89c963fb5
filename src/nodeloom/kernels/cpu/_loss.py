"""The loss of negatives, which all kernels that train sum over a few of their tiles."""

from __future__ import annotations

import numpy as np

from nodeloom.kernels.cpu._jit import jit

_FOUR = 4  # rows of a block of scores


@jit
def noise_loss(g_noise, scores, shared, num_negative, first):
    """Return the loss of the negatives of four rows; a coefficient is the weight times the score."""
    loss = 0.0
    for r in range(_FOUR):
        for k in range(num_negative):
            score = scores[r * shared + k]
            if score > 0.0:
                loss -= g_noise[(first + r) * shared + k] / score * np.log(1.0 - score + 1e-15)
    return loss
