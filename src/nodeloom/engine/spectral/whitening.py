"""Whitening: columns without correlation, from the D x D moments of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nodeloom.errors import TrainingError

if TYPE_CHECKING:
    from nodeloom.typing import DoubleArray

NOISE = 1e-6
"""Directions whose variance is below this share of the largest one are rounding errors of float32 sums, and are dropped."""


def principal(gram: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Return the eigenvalues [D], largest first and not negative, and the eigenvectors [D, D] of a symmetric matrix.

    Raises
    ------
    TrainingError
        If it holds NaN or infinity.
    """
    if not np.isfinite(gram).all():
        raise TrainingError(
            "propagation: values became NaN or infinite. Are there extreme weights in the graph? Scale them."
        )
    values, vectors = np.linalg.eigh(gram)
    return np.maximum(values[::-1], 0.0), np.ascontiguousarray(vectors[:, ::-1])


def powers(values: DoubleArray, exponent: float) -> DoubleArray:
    """Return eigenvalues to a power, and 0 for those that are noise."""
    kept = values > NOISE * values[0]
    return np.where(kept, np.where(kept, values, 1.0) ** exponent, 0.0)


def whitener(total: DoubleArray, gram: DoubleArray, num_rows: int) -> tuple[DoubleArray, DoubleArray, DoubleArray]:
    """Return what makes columns uncorrelated, with mean 0 and variance 1.

    Parameters
    ----------
    total, gram : float64 [D], [D, D]
        Sum of the rows, and of their outer products.
    num_rows : int
        How many rows were summed up.

    Returns
    -------
    mean : float64 [D]
    matrix : float64 [D, D]
        ``(row - mean) @ matrix`` is white; columns that would be noise are 0.
    values : float64 [D]
        Variances of the principal directions, largest first.
    """
    mean = total / num_rows
    values, vectors = principal((gram - np.outer(mean, total)) / max(1, num_rows - 1))
    return mean, vectors * powers(values, -0.5), values
