"""Sparse matrices as edges: entry (u, v) is the weight of the edge from u to v."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nodeloom.errors import DataError
from nodeloom.io.weights import check_weighted, check_weights
from nodeloom.typing import Auto, FloatArray, IndexArray

if TYPE_CHECKING:
    import scipy.sparse

Edges = tuple[IndexArray, IndexArray, FloatArray | None]
_INT32 = 2**31 - 1


def matrix_edges(
    matrix: scipy.sparse.sparray | scipy.sparse.spmatrix, weighted: bool | Auto, where: str, *, add: bool = True
) -> Edges:
    """Return the entries of a square sparse matrix: rows, columns and values.

    Parameters
    ----------
    matrix : sparse matrix or array [N, N]
        Stored zeros are no edges.
    weighted : bool or "auto"
        Whether entries are weights; by default unless all of them are 1.
    where : str
        What the matrix is, for messages.
    add : bool
        Whether entries that are stored more than once are added up, as SciPy understands them, before they are looked at.

    Returns
    -------
    heads, tails : int32 (int64 above 2^31 - 1 nodes) [E]
    weights : float32 [E] or None

    Raises
    ------
    DataError
        The matrix is not square, or an entry is no positive, finite number.
    """
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        hint = "The nodes of rows and columns of another matrix differ: join them with scipy.sparse.block_array."
        raise DataError(f"{where}: expected a square matrix, got shape {list(matrix.shape)}. {hint}")
    check_weighted(weighted)
    try:
        coo = matrix.tocoo()
    except (ValueError, IndexError) as error:
        raise DataError(f"{where}: expected rows and columns within its shape, got: {error}") from None
    if add and not getattr(matrix, "has_canonical_format", False) and coo.data.dtype.kind in "biufc":
        coo = coo.copy()
        coo.sum_duplicates()
    heads, tails, values = coo.row, coo.col, _real(coo.data, where)
    stored = values != 0
    if not stored.all():
        heads, tails, values = heads[stored], tails[stored], values[stored]
    dtype = np.int32 if matrix.shape[0] <= _INT32 else np.int64
    heads, tails = heads.astype(dtype), tails.astype(dtype)
    ones = values.dtype.kind == "b" or bool((values == 1).all())
    use = not ones if weighted == "auto" else weighted
    return heads, tails, check_weights(values, len(values), where=where) if use else None


def _real(values: npt.NDArray[Any], where: str) -> npt.NDArray[Any]:
    if values.dtype.kind == "c":
        raise DataError(f"{where}: expected real entries, got complex ones. Take their abs or real part.")
    if values.dtype.kind in "biuf":
        return values
    raise DataError(f"{where}: expected numbers as entries, got values of type {values.dtype}")


def once_if_symmetric(heads: IndexArray, tails: IndexArray, weights: FloatArray | None, num_nodes: int) -> Edges:
    """Return each edge once where `heads` and `tails` hold all of them both ways round, else all as they are."""
    import scipy.sparse

    values = np.ones(len(heads), np.float64) if weights is None else weights.astype(np.float64)
    matrix = scipy.sparse.coo_array((values, (heads, tails)), shape=(num_nodes, num_nodes)).tocsr()
    transposed = matrix.T.tocsr()
    matrix.sum_duplicates()
    transposed.sum_duplicates()
    if not (
        np.array_equal(matrix.indptr, transposed.indptr)
        and np.array_equal(matrix.indices, transposed.indices)
        and np.allclose(matrix.data, transposed.data, rtol=1e-6, atol=0)
    ):
        return heads, tails, weights
    once = heads <= tails
    return heads[once], tails[once], None if weights is None else weights[once]
