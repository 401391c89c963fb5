"""Vectors of points as they are given: checked, and as arrays that kernels take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError, describe
from nodeloom.io.finite import first_not_finite, largest_magnitude


def as_points(vectors: Any, metric: str) -> npt.NDArray[Any]:
    """Return vectors as rows of float32 or float64, in C order and not to be written to; those of a memory map stay where they are.

    Parameters
    ----------
    vectors : array_like [N, D]
        Numbers of any type.
    metric : str
        What is measured, for what its values may be.

    Raises
    ------
    DataError
        They are no matrix of finite numbers, or are so large that distances are beyond float32.
    """
    try:
        rows = np.asarray(vectors)
    except ValueError:  # rows of different lengths
        raise DataError(describe("vectors", expected="rows of the same length", got=type(vectors).__name__)) from None
    if rows.dtype.kind not in "fiub":
        hint = (
            "Sparse vectors: make them short first, by sklearn.decomposition.TruncatedSVD."
            if _is_sparse(vectors)
            else ""
        )
        got = "a sparse matrix" if hint else f"values of type {rows.dtype}"
        raise DataError(describe("vectors", expected="numbers", got=got, hint=hint))
    if rows.ndim != 2 or not rows.shape[1]:
        raise DataError(describe("vectors", expected="an array [N, D] with a column at least", got=list(rows.shape)))
    if rows.dtype not in (np.float32, np.float64):
        exact = rows.dtype.itemsize <= 2  # in float32
        rows = rows.astype(np.float32 if exact else np.float64)
    if not rows.dtype.isnative:
        rows = rows.astype(rows.dtype.newbyteorder("="))
    rows = np.ascontiguousarray(rows).view()
    rows.flags.writeable = False  # one type for compiled kernels
    _check_sizes(rows, metric)
    return rows


def _is_sparse(vectors: Any) -> bool:
    from scipy.sparse import issparse

    return bool(issparse(vectors))


def _check_sizes(rows: npt.NDArray[Any], metric: str) -> None:
    largest = largest_magnitude(rows)
    bad = None if np.isfinite(largest) else first_not_finite(rows)
    if bad is not None:
        hint = "Leave the row out, or put a number in its place."
        raise DataError(describe(f"vectors, row {bad[0]}", expected="finite numbers", got=bad[1], hint=hint))
    width = rows.shape[1]
    most = np.sqrt(1e38 / width) if metric == "inner_product" else 1e38 / np.sqrt(width)
    if largest > most:
        hint = "Divide the vectors by a number." if metric != "cosine" else "Divide each row by its length."
        raise DataError(describe("vectors", expected=f"numbers up to {most:.1e}", got=largest, hint=hint))
